// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System calls a fenced program has no use for, by what they would reach.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/probe.h"

// Tries those calls of the table in syscalls.c; all that are in the list must be refused.
static void calls(const char *const *list, struct finding *f)
{
	_cleanup_names_ struct names reached = {0}, absent = {0}, why = {0};
	size_t tried = 0;
	char text[400];

	for (size_t i = 0; i < probe_ncalls(); i++) {
		struct probe_call c;
		bool wanted = false;

		for (const char *const *l = list; *l != NULL; l++)
			wanted = wanted || str_eq(*l, probe_call_name(i));
		if (!wanted)
			continue;
		c = probe_call(i);
		if (str_eq(c.reach, "absent")) {
			names_add(&absent, c.name);
			continue;
		}
		tried++;
		// one that could not be tried was not seen to be refused
		if (!str_eq(c.reach, "refused")) {
			snprintf(
				text,
				sizeof(text),
				"%s%s%s",
				c.name,
				str_eq(c.reach, "reachable") ? "" : " ",
				str_eq(c.reach, "reachable") ? "" : c.error
			);
			names_add(&reached, text);
			continue;
		}
		names_add_new(&why, c.error);
	}
	if (reached.n > 0)
		fail(f,
		     "%zu of %zu let through: %s",
		     reached.n,
		     tried,
		     name_list(&reached, 12, text, sizeof(text)));
	else if (tried > 0)
		pass(f,
		     "%zu of %zu refused: %s",
		     tried,
		     tried,
		     name_list(&why, 4, text, sizeof(text)));
	// nothing refuses them, and nothing has to
	if (absent.n > 0 && reached.n == 0)
		skip(f, "not in this kernel: %s", name_list(&absent, 12, text, sizeof(text)));
}

static void by_mount(const struct audit *, struct finding *f)
{
	static const char *const list[] = {
		"mount",
		"umount2",
		"fsopen",
		"move_mount",
		"pivot_root",
		"chroot",
		"unshare_user",
		"setns",
		"open_by_handle_at",
		"mknodat",
		NULL,
	};

	calls(list, f);
}

static void by_kernel(const struct audit *, struct finding *f)
{
	static const char *const list[] = {
		"bpf", "init_module", "finit_module", "delete_module", "kexec_load", NULL};

	calls(list, f);
}

static void by_surface(const struct audit *, struct finding *f)
{
	static const char *const list[] = {
		"keyctl",
		"add_key",
		"request_key",
		"perf_event_open",
		"io_uring_setup",
		"userfaultfd",
		NULL,
	};

	calls(list, f);
}

static void by_processes(const struct audit *, struct finding *f)
{
	static const char *const list[] = {"ptrace", "process_vm_writev", "pidfd_getfd", NULL};

	calls(list, f);
}

static void by_machine(const struct audit *, struct finding *f)
{
	static const char *const list[] = {
		"reboot",
		"swapon",
		"swapoff",
		"acct",
		"settimeofday",
		"clock_adjtime",
		"sethostname",
		"setdomainname",
		"syslog",
		"iopl",
		"ioperm",
		NULL,
	};

	calls(list, f);
}

static void by_table(const struct audit *, struct finding *f)
{
	static const char *const list[] = {"int80", "x32", NULL};

	calls(list, f);
}

const struct property audit_calls[] = {
	{"calls-mount",
	 "mount, pivot_root, chroot, setns, open_by_handle_at and the like",
	 by_mount},
	{"calls-kernel", "bpf, kexec_load, load and unload modules", by_kernel},
	{"calls-surface", "keys, perf_event_open, io_uring_setup, userfaultfd", by_surface},
	{"calls-processes", "ptrace, process_vm_writev, pidfd_getfd", by_processes},
	{"calls-machine", "reboot, swap, clock, host name, log, I/O ports", by_machine},
	{"calls-32bit", "call the kernel by int 0x80 and by the x32 table", by_table},
	{0},
};
