// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The kernel tells what goes off- and online with a uevent (netlink(7), NETLINK_KOBJECT_UEVENT): to every
// network namespace of its first user namespace. cpuset.cpus.effective cannot be polled.
//
// On the way down a CPU's machine check device goes (x86) while the CPU can still be seen online, some
// time before the event that it is offline: so all of /devices/system is listened to. Between events
// nothing wakes us.
//
// A NIC has left the bus before the event that it is removed, and so has the node of its IOMMU group. While a program
// has it open there is none: the kernel waits for that program, and asks it (VFIO) or not.

#include "run/watch_cpus.h"

#include "base/clock.h"
#include "base/scope.h"
#include "run/say.h"

#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SETTLE_MILLISECONDS \
	500 // what is true for a moment on the way down or up is not worth a word
#define AGAIN_MILLISECONDS 1000 // as long as something is missing
#define KERNEL_GROUP 1

// A machine has many other events, and a supervisor for each workload. A NIC may be below any bus of the machine
// (pci0000:00, platform, LNXSYSTM:00), but is not virtual.
int cpu_watch_filter(int fd, bool nics)
{
	const uint32_t sys = 0x2f737973; // "/sys", where it is after those actions
	// "remo"; no text of an event has a zero there
	const uint32_t remo = nics ? 0x72656d6f : 0;
	const uint32_t devi = 0x64657669, vir = 0x2f766972, vfi = 0x2f766669;
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sys, 13, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 15),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sys, 11, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sys, 9, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, remo, 0, 6),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, devi, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 15),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, vir, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 23),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, vfi, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {
		.len = ARRAY_LEN(code),
		.filter = (struct sock_filter *)code,
	};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int open_events(bool nics)
{
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	const struct sockaddr_nl to = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};

	if (fd < 0 || cpu_watch_filter(fd, nics) < 0
	    || bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return steal_fd(&fd);
}

void cpu_watch_open(struct cpu_watch *w, const struct hostfs *fs, const struct lease *lease)
{
	*w = (struct cpu_watch){
		.fd = open_events(lease->grant.nnics > 0), .fs = fs, .lease = lease, .due = 1};
	nics_know(fs, lease, &w->nics);
}

void cpu_watch_close(struct cpu_watch *w)
{
	scope_close(&w->fd);
	w->fd = -1;
}

int cpu_watch_timeout(const struct cpu_watch *w)
{
	int64_t left = w->due - clock_ms();

	return w->due == 0 ? -1 : left > 0 ? (int)left : 0;
}

// Whether there was something to read, which is not looked at: the files tell more, and a queue that ran
// over tells nothing.
static bool drain(int fd)
{
	char event[4096];
	bool any = false;

	while (fd >= 0 && (recv(fd, event, sizeof(event), 0) >= 0 || errno == ENOBUFS))
		any = true;
	return any;
}

static void look_at_nics(struct cpu_watch *w)
{
	const struct grant *g = &w->lease->grant;
	uint64_t gone = nics_look_gone(w->fs, w->lease, &w->nics);
	char line[128];

	for (unsigned i = 0; i < g->nnics; i++) {
		if ((gone >> i & 1) == 0)
			continue;
		snprintf(
			line,
			sizeof(line),
			"NIC %s is gone: it was taken out of the machine, or from its driver",
			g->nics[i].bdf
		);
		say_of(w->lease, line);
	}
}

// The first event may come before the kernel has changed the cgroup, and the next one half a second later:
// so it is looked at again and again, soon at first. What was found is acted upon at once, and said when it
// is the whole truth.
void cpu_watch_look(struct cpu_watch *w)
{
	bool told = drain(w->fd);
	char line[OFFLINE_LINE];
	struct offline o;

	if (!told && cpu_watch_timeout(w) != 0)
		return;
	look_at_nics(w);
	if (told) {
		w->settled = clock_ms() + SETTLE_MILLISECONDS;
		w->pause = 1;
	}
	offline_enforce(w->fs, w->lease, &o);
	if (clock_ms() < w->settled && !o.killed) {
		w->due = clock_ms() + w->pause;
		w->pause *= 2;
		return;
	}
	w->due = o.standing != STANDING_WHOLE || w->fd < 0 ? clock_ms() + AGAIN_MILLISECONDS : 0;
	offline_say(&o, line, sizeof(line));
	if (w->killed || str_eq(line, w->said))
		return;
	w->killed = o.killed;
	say_of(w->lease, line[0] != '\0' ? line : "all of its grant is online again: it goes on");
	strcpy(w->said, line);
}
