// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The capabilities of capabilities(7): what each would open, and why most are refused.

#include "grant/caps.h"

#include "base/hint.h"
#include "base/scope.h"
#include "base/str.h"

#include <linux/capability.h>

_Static_assert(CAP_LAST_CAP < 64, "capabilities are the bits of one word");

static const struct cap {
	const char *name;
	unsigned number;
	const char *opens;   // NULL: refused
	const char *refused; // why
} caps[] = {
	{"CHOWN", CAP_CHOWN, "chown of files whose owner is a user of the container", NULL},
	{"DAC_OVERRIDE",
	 CAP_DAC_OVERRIDE,
	 "reading and writing files of any user of the container, whatever their mode",
	 NULL},
	{"FOWNER", CAP_FOWNER, "chmod and the like on files of any user of the container", NULL},
	{"FSETID",
	 CAP_FSETID,
	 "keeping set-id bits of files that change; they have no effect",
	 NULL},
	{"IPC_LOCK",
	 CAP_IPC_LOCK,
	 "mlock and mlockall up to the granted memory and hugepages (by RLIMIT_MEMLOCK, which is "
	 "what the kernel looks at in a user namespace)",
	 NULL},
	{"IPC_OWNER", CAP_IPC_OWNER, "System V memory of any user of the container", NULL},
	{"KILL", CAP_KILL, "signals to processes of any user of the container", NULL},
	{"NET_ADMIN",
	 CAP_NET_ADMIN,
	 "interfaces, routes and packet filters of the container's own network, and with them much "
	 "more of the kernel's network code; queues and tables there are memory that no cgroup "
	 "counts",
	 NULL},
	{"NET_BIND_SERVICE",
	 CAP_NET_BIND_SERVICE,
	 "ports below 1024 of the container's own network",
	 NULL},
	{"NET_RAW",
	 CAP_NET_RAW,
	 "raw and packet sockets in the container's own network; adds socket(AF_PACKET), whose "
	 "rings are memory that no cgroup counts, as much as the machine has",
	 NULL},
	{"SETGID", CAP_SETGID, "setgid and setgroups among the groups of the container", NULL},
	{"SETUID", CAP_SETUID, "setuid among the users of the container", NULL},
	{"SYS_NICE",
	 CAP_SYS_NICE,
	 "sched_setscheduler with real-time priorities up to 49, and any nice value (by "
	 "RLIMIT_RTPRIO "
	 "and RLIMIT_NICE, which are what the kernel looks at in a user namespace)",
	 NULL},

	{"AUDIT_CONTROL", CAP_AUDIT_CONTROL, NULL, "the audit log is the host's"},
	{"AUDIT_READ", CAP_AUDIT_READ, NULL, "the audit log is the host's"},
	{"AUDIT_WRITE", CAP_AUDIT_WRITE, NULL, "the audit log is the host's"},
	{"BLOCK_SUSPEND", CAP_BLOCK_SUSPEND, NULL, "it holds up the whole host"},
	{"BPF", CAP_BPF, NULL, "BPF programs run in the host's kernel"},
	{"CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE, NULL, "it reaches into other processes"},
	{"DAC_READ_SEARCH",
	 CAP_DAC_READ_SEARCH,
	 NULL,
	 "it opens files by handle, past every mount; DAC_OVERRIDE is the one for file modes"},
	{"LEASE", CAP_LEASE, NULL, "no data plane needs it, and it can stall the host's files"},
	{"LINUX_IMMUTABLE", CAP_LINUX_IMMUTABLE, NULL, "it makes files the host cannot remove"},
	{"MAC_ADMIN", CAP_MAC_ADMIN, NULL, "it changes the policy of AppArmor or Smack"},
	{"MAC_OVERRIDE", CAP_MAC_OVERRIDE, NULL, "it passes by the policy of AppArmor or Smack"},
	{"MKNOD", CAP_MKNOD, NULL, "device nodes come with the grant: see --nic"},
	{"NET_BROADCAST", CAP_NET_BROADCAST, NULL, "the kernel does not use it"},
	{"PERFMON", CAP_PERFMON, NULL, "performance counters show what the host and others do"},
	{"SETFCAP", CAP_SETFCAP, NULL, "capabilities of files have no effect under no_new_privs"},
	{"SETPCAP", CAP_SETPCAP, NULL, "it is for passing capabilities on; name them with --cap"},
	{"SYS_ADMIN", CAP_SYS_ADMIN, NULL, "it mounts, makes namespaces and undoes the view"},
	{"SYS_BOOT", CAP_SYS_BOOT, NULL, "it restarts the host"},
	{"SYS_CHROOT", CAP_SYS_CHROOT, NULL, "a way out of a root directory"},
	{"SYS_MODULE", CAP_SYS_MODULE, NULL, "modules run in the host's kernel"},
	{"SYS_PACCT", CAP_SYS_PACCT, NULL, "process accounting is the host's"},
	{"SYS_PTRACE", CAP_SYS_PTRACE, NULL, "it reaches into other processes"},
	{"SYS_RAWIO", CAP_SYS_RAWIO, NULL, "it reaches I/O ports and memory of the host"},
	{"SYS_RESOURCE", CAP_SYS_RESOURCE, NULL, "it lifts limits; grant more instead"},
	{"SYS_TIME", CAP_SYS_TIME, NULL, "the clock is the host's"},
	{"SYS_TTY_CONFIG", CAP_SYS_TTY_CONFIG, NULL, "consoles are the host's"},
	{"SYSLOG", CAP_SYSLOG, NULL, "the kernel's log is the host's"},
	{"WAKE_ALARM", CAP_WAKE_ALARM, NULL, "it wakes up the whole host"},
};

_Static_assert(ARRAY_LEN(caps) == CAPS_MAX, "each capability has a line");

static int unknown(const char *name, struct err *err)
{
	char buf[HINT_MAX];

	hint_table(buf, "", name, caps, ARRAY_LEN(caps));
	return err_set(
		err,
		EINVAL,
		"capability '%.32s' is unknown%s",
		name,
		buf[0] != '\0' ? buf : "; write it as in NET_RAW (see capabilities(7))"
	);
}

int cap_parse(const char *name, unsigned *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		if (!str_eq(caps[i].name, name))
			continue;
		if (caps[i].opens == NULL)
			return err_set(
				err,
				EPERM,
				"capability %s is not granted to anybody: %s",
				caps[i].name,
				caps[i].refused
			);
		*ret = caps[i].number;
		return 0;
	}
	return unknown(name, err);
}

static const struct cap *find(unsigned number)
{
	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		if (caps[i].number == number)
			return &caps[i];
	}
	return NULL;
}

const char *cap_name(unsigned cap)
{
	const struct cap *c = find(cap);

	return c != NULL ? c->name : "?";
}

const char *cap_opens(unsigned cap)
{
	const struct cap *c = find(cap);

	return c != NULL && c->opens != NULL ? c->opens : "?";
}
