// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Limits that a workload ran into, by the kernel's own counters: without a word of it a program that was killed
// for memory has just ended with status 137.
//
//   memory     v2 memory.events, of the box and all below it; v1 memory.oom_control (Linux 4.13), of the cgroup that
//              the killed process was in
//   processes  pids.events, of the cgroup that forks; from Linux 6.11 on v2 also of those above. Cannot be polled on v1
//   hugepages  v2 hugetlb.SIZE.events; v1 hugetlb.SIZE.failcnt and .rsvd.failcnt, of the box, which alone has limits there

#include "apply/apply.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/status.h"
#include "host/cgroup.h"
#include "host/hostfs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

static const struct cgroup_control memory = {"memory.events", "memory.oom_control"};
static const struct cgroup_control pids = {"pids.events", "pids.events"};
static const struct cgroup_control hugepages[] = {
	{"hugetlb.2MB.events", "hugetlb.2MB.failcnt"},
	{"hugetlb.1GB.events", "hugetlb.1GB.failcnt"},
	{NULL, "hugetlb.2MB.rsvd.failcnt"},
	{NULL, "hugetlb.1GB.rsvd.failcnt"},
};

// Where the workload may be: in the runtime's cgroup, in a keeper's for it, in the box itself.
static const char *const places[] = {"c", "work", "."};

static void at_least(uint64_t *ret, uint64_t v)
{
	if (v > *ret && v != HOST_CGROUP_NONE_SAID)
		*ret = v;
}

// The most that any of the places has counted: what counts for those above too is not to be counted twice.
static void add_counter(int box, const char *file, const char *key, uint64_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		_cleanup_free_ char *path = str_printf("%s/%s", places[i], file);
		char text[1024];

		if (path != NULL && hostfs_text(box, path, text, sizeof(text)) >= 0)
			at_least(ret, host_cgroup_number(text, key));
	}
}

void hits_read(const struct hostfs *fs, const struct lease *lease, struct hits *ret)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);
	const char *file;
	int box;

	*ret = (struct hits){0};
	if (group == NULL)
		return;
	box = cgroup_open_box(fs, group, &memory, &file);
	if (box >= 0) {
		ret->all = file == memory.v2;
		add_counter(box, file, "oom_kill", &ret->killed);
		if (file == memory.v2)
			add_counter(box, file, "oom", &ret->over);
		else
			ret->over = ret->killed; // it does not tell
		close(box);
	}
	box = cgroup_open_box(fs, group, &pids, &file);
	if (box >= 0) {
		add_counter(box, file, "max", &ret->refused);
		close(box);
	}
	for (size_t i = 0; i < ARRAY_LEN(hugepages); i++) {
		uint64_t n = 0;

		box = cgroup_open_box(fs, group, &hugepages[i], &file);
		if (box < 0)
			continue;
		add_counter(box, file, file == hugepages[i].v2 ? "max" : NULL, &n);
		ret->hugepages += n;
		close(box);
	}
}

// ---- for people

static void killed_text(
	uint64_t killed, bool over, const struct grant *g, bool it, char *buf, size_t len
)
{
	char size[SIZE_STR], who[64];

	if (it)
		snprintf(who, sizeof(who), "it was");
	else if (killed == 1)
		snprintf(who, sizeof(who), "a process of it was");
	else
		snprintf(
			who, sizeof(who), "%llu of its processes were", (unsigned long long)killed
		);
	if (over)
		snprintf(
			buf,
			len,
			"%s killed for memory: its limit of %s was reached; raise it with --memory",
			who,
			size_format(g->memory, size)
		);
	else
		snprintf(buf, len, "%s killed for memory: the machine had none left", who);
}

const char *hits_text(
	const struct hits *h,
	const struct hits *before,
	const struct grant *g,
	int status,
	char buf[static HITS_LINE]
)
{
	char size[SIZE_STR];

	buf[0] = '\0';
	if (h->killed > before->killed) {
		killed_text(
			h->killed - before->killed,
			h->over > before->over,
			g,
			status == 128 + SIGKILL,
			buf,
			HITS_LINE
		);
		return "memory";
	}
	if (status == 128 + SIGBUS && h->hugepages > before->hugepages) {
		snprintf(
			buf,
			HITS_LINE,
			"it was killed by SIGBUS when it touched more hugepages than its limit of "
			"%s; raise it with --hugepages",
			size_format(grant_hugepage_bytes(g, -1), size)
		);
		return "hugepages";
	}
	if (h->refused > before->refused) {
		snprintf(
			buf,
			HITS_LINE,
			"it was refused new processes: its limit of %llu was reached; raise it "
			"with --pids",
			(unsigned long long)g->pids
		);
		return "processes";
	}
	return "";
}

// ---- to be told

// A file that is polled for a change must have been read since the one before.
static bool read_file(const struct hits_event *e, struct hits *h)
{
	char text[1024];
	ssize_t n = pread(e->fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	if (e->kind == HITS_PIDS) {
		at_least(&h->refused, host_cgroup_number(text, "max"));
		return true;
	}
	h->all = true;
	at_least(&h->killed, host_cgroup_number(text, "oom_kill"));
	at_least(&h->over, host_cgroup_number(text, "oom"));
	return true;
}

static struct hits_event event_of_file(int kind, int fd)
{
	struct hits_event e = {.kind = kind, .fd = fd, .control = -1, .events = POLLPRI};
	struct hits unused = {0};

	if (fd >= 0)
		read_file(&e, &unused);
	return e;
}

// On v1 a descriptor is rung when the box's memory is used up, just before something is killed.
static struct hits_event event_of_v1(int box, int control)
{
	_cleanup_close_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct err unused;
	char line[32];

	snprintf(line, sizeof(line), "%d %d", fd, control);
	if (fd < 0 || fs_write_control(box, "cgroup.event_control", line, &unused) < 0)
		return HITS_NO_EVENT;
	return (struct hits_event){
		.kind = HITS_RING, .fd = steal_fd(&fd), .control = control, .events = POLLIN};
}

struct hits_event hits_on_memory(const struct hostfs *fs, const struct lease *lease)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);
	const char *file;
	_cleanup_close_ int box = group != NULL ? cgroup_open_box(fs, group, &memory, &file) : -1;
	_cleanup_close_ int fd = box >= 0 ? openat(box, file, O_RDONLY | O_CLOEXEC) : -1;

	struct hits_event e = HITS_NO_EVENT;

	if (fd < 0)
		return e;
	if (file == memory.v2)
		return event_of_file(HITS_MEMORY, steal_fd(&fd));
	e = event_of_v1(box, fd);
	if (e.control == fd)
		steal_fd(&fd);
	return e;
}

struct hits_event hits_on_pids(const struct hostfs *fs, const struct lease *lease)
{
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant);
	const char *file;
	_cleanup_close_ int box = group != NULL ? cgroup_open_box(fs, group, &pids, &file) : -1;
	int fd = -1;

	for (size_t i = 0; box >= 0 && fd < 0 && i < ARRAY_LEN(places); i++) {
		_cleanup_free_ char *path = str_printf("%s/%s", places[i], file);

		fd = path != NULL ? openat(box, path, O_RDONLY | O_CLOEXEC) : -1;
	}
	return event_of_file(HITS_PIDS, fd);
}

void hits_event_close(struct hits_event *e)
{
	scope_close(&e->fd);
	scope_close(&e->control);
	e->fd = e->control = -1;
}

bool hits_told(struct hits_event *e, short revents, struct hits *h)
{
	uint64_t n = 0;
	char c;

	if (e->fd < 0 || revents == 0)
		return false;
	if (e->kind == HITS_RING) {
		if (read(e->fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
			return false;
		// it is rung once more when the cgroup is removed, whose files cannot be read then
		if (pread(e->control, &c, 1, 0) < 0) {
			hits_event_close(e);
			n--;
		}
		h->killed += n;
		h->over += n;
		return n > 0;
	}
	if (read_file(e, h))
		return true;
	hits_event_close(e);
	return false;
}
