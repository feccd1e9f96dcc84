// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The system call filter: every name is one, none is there twice, none is dangerous.

#include "unit.h"

#include "base/jread.h"
#include "base/str.h"
#include "plan/plan.h"

#include <seccomp.h>

// What no workload may call: modules, mounts, namespaces, other processes, keys, time, the kernel's
// wide surfaces.
static const char *const dangerous[] = {
	"acct",
	"add_key",
	"adjtimex",
	"bpf",
	"chroot",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"fanotify_init",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kcmp",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"landlock_create_ruleset",
	"lookup_dcookie",
	"migrate_pages",
	"mknod",
	"mknodat",
	"modify_ldt",
	"mount",
	"mount_setattr",
	"move_mount",
	"name_to_handle_at",
	"nfsservctl",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"personality",
	"pidfd_getfd",
	"pivot_root",
	"process_madvise",
	"process_vm_readv",
	"process_vm_writev",
	"ptrace",
	"quotactl",
	"reboot",
	"request_key",
	"setdomainname",
	"sethostname",
	"setns",
	"settimeofday",
	"stime",
	"swapoff",
	"swapon",
	"syslog",
	"umount",
	"umount2",
	"unshare",
	"userfaultfd",
	"uselib",
	"vhangup",
};

static bool allowed(const json_t *rule)
{
	return str_eq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW");
}

// A rule that allows a call whatever its arguments are.
static const json_t *free_rule(const json_t *filter, const char *call)
{
	const json_t *rule, *name;
	size_t i, k;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			if (str_eq(json_string_value(name), call) && allowed(rule)
			    && json_object_get(rule, "args") == NULL)
				return rule;
		}
	}
	return NULL;
}

static void known_and_once(void **)
{
	_cleanup_json_ json_t *filter = seccomp_to_oci(), *seen = json_object();
	const json_t *rule, *name;
	size_t i, k;

	assert_non_null(filter);
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			const char *call = json_string_value(name);

			if (seccomp_syscall_resolve_name(call) == __NR_SCMP_ERROR)
				fail_msg("libseccomp knows no '%s'", call);
			// with conditions, a call may have several rules
			if (json_object_get(rule, "args") != NULL)
				continue;
			if (json_object_get(seen, call) != NULL)
				fail_msg("'%s' is there twice", call);
			json_object_set_new(seen, call, json_true());
		}
	}
	assert_true(json_object_size(seen) > 200);
}

static void nothing_dangerous(void **)
{
	_cleanup_json_ json_t *filter = seccomp_to_oci();
	const json_t *rule, *name;
	size_t i, k;

	assert_string_equal(
		json_string_value(json_object_get(filter, "defaultAction")), "SCMP_ACT_ERRNO"
	);
	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		json_array_foreach (json_object_get(rule, "names"), k, name) {
			for (size_t d = 0; d < ARRAY_LEN(dangerous); d++) {
				if (str_eq(json_string_value(name), dangerous[d]))
					fail_msg("'%s' is in the list", dangerous[d]);
			}
		}
	}
}

// A rule whose condition on an argument is (argument & mask) == 0, or the argument is a value.
static bool has_condition(
	const json_t *filter, const char *call, int arg, const char *op, json_int_t value
)
{
	const json_t *rule;
	size_t i;

	json_array_foreach (json_object_get(filter, "syscalls"), i, rule) {
		const json_t *cond = json_array_get(json_object_get(rule, "args"), 0);
		const json_t *names = json_object_get(rule, "names");

		if (allowed(rule) && cond != NULL
		    && str_eq(json_string_value(json_array_get(names, 0)), call)
		    && json_integer_value(json_object_get(cond, "index")) == arg
		    && str_eq(json_string_value(json_object_get(cond, "op")), op)
		    && json_integer_value(json_object_get(cond, "value")) == value)
			return true;
	}
	return false;
}

static void conditions(void **)
{
	static const char *const conditional[] = {
		"clone", "clone3", "socket", "mbind", "move_pages"};
	_cleanup_json_ json_t *filter = seccomp_to_oci();

	for (size_t i = 0; i < ARRAY_LEN(conditional); i++)
		assert_null(free_rule(filter, conditional[i]));
	assert_non_null(free_rule(filter, "set_mempolicy")); // EAL needs it
	assert_non_null(free_rule(filter, "mmap"));
	// no namespace flag of clone(2): time, mount, cgroup, uts, ipc, user, pid, net
	assert_true(has_condition(filter, "clone", 0, "SCMP_CMP_MASKED_EQ", 0x7e020080));
	assert_true(has_condition(filter, "mbind", 5, "SCMP_CMP_MASKED_EQ", 4));
	assert_true(has_condition(filter, "move_pages", 0, "SCMP_CMP_EQ", 0));
	assert_true(has_condition(filter, "socket", 0, "SCMP_CMP_EQ", 1));
	for (int family = 0; family < 64; family++) {
		if (family != 1 && family != 2 && family != 10 && family != 16)
			assert_false(has_condition(filter, "socket", 0, "SCMP_CMP_EQ", family));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_and_once),
		cmocka_unit_test(nothing_dangerous),
		cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
