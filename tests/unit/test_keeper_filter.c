// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The filter of a keeper, installed in a child and tried there.

#include "unit.h"

#include "base/jread.h"
#include "keeper/keeper.h"
#include "plan/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define X32 0x40000000 // the other table of calls that the processor has

// Calls with arguments that do nothing, as "errno of a call under the filter".
struct call {
	const char *name;
	long number, args[5];
};

static const struct call closed[] = {
	{"bpf", SYS_bpf, {-1}},
	{"perf_event_open", SYS_perf_event_open, {0, 0, -1, -1, 0}},
	{"kexec_load", SYS_kexec_load, {0, 0, 0, -1}},
	{"kexec_file_load", SYS_kexec_file_load, {-1, -1, 0, 0, -1}},
	{"init_module", SYS_init_module, {0}},
	{"finit_module", SYS_finit_module, {-1, 0, -1}},
	{"delete_module", SYS_delete_module, {0}},
	{"userfaultfd", SYS_userfaultfd, {-1}},
	{"io_uring_setup", SYS_io_uring_setup, {0}},
	{"io_uring_enter", SYS_io_uring_enter, {-1}},
	{"io_uring_register", SYS_io_uring_register, {-1}},
	{"ptrace", SYS_ptrace, {16, -1}},
	{"process_vm_readv", SYS_process_vm_readv, {-1}},
	{"process_vm_writev", SYS_process_vm_writev, {-1}},
	{"process_madvise", SYS_process_madvise, {-1}},
	{"pidfd_getfd", SYS_pidfd_getfd, {-1, -1}},
	{"kcmp", SYS_kcmp, {-1, -1}},
	{"add_key", SYS_add_key, {0}},
	{"request_key", SYS_request_key, {0}},
	{"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING}},
	{"quotactl", SYS_quotactl, {-1}},
	{"swapon", SYS_swapon, {0}},
	{"swapoff", SYS_swapoff, {0}},
	{"reboot", SYS_reboot, {0}},
	{"acct", SYS_acct, {1}},
	{"clock_settime", SYS_clock_settime, {-1}},
	{"clock_adjtime", SYS_clock_adjtime, {-1}},
	{"settimeofday", SYS_settimeofday, {1, 1}},
	{"iopl", SYS_iopl, {9}},
	{"ioperm", SYS_ioperm, {-1, -1}},
	{"modify_ldt", SYS_modify_ldt, {-1}},
	{"syslog", SYS_syslog, {-1}},
	{"open_by_handle_at", SYS_open_by_handle_at, {-1}},
	{"name_to_handle_at", SYS_name_to_handle_at, {-1}},
	{"fanotify_init", SYS_fanotify_init, {-1}},
	{"mknod", SYS_mknod, {0}},
	{"migrate_pages", SYS_migrate_pages, {-1}},
	{"vmsplice", SYS_vmsplice, {-1}},
	{"uselib", SYS_uselib, {0}},
	{"ustat", SYS_ustat, {0}},
	{"sysfs", SYS_sysfs, {-1}},
	{"AF_ALG", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
	{"AF_VSOCK", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
	{"AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
	{"a call of the future", 1500, {0}},
};

static const struct call open_ones[] = {
	{"mount", SYS_mount, {0, 1}},
	{"umount2", SYS_umount2, {1, -1}},
	{"pivot_root", SYS_pivot_root, {1, 1}},
	{"setns", SYS_setns, {-1}},
	{"unshare", SYS_unshare, {-1}},
	{"seccomp", SYS_seccomp, {-1}},
	{"open_tree", SYS_open_tree, {-1, 1, -1}},
	{"keyctl", SYS_keyctl, {KEYCTL_JOIN_SESSION_KEYRING, 0}},
	{"AF_UNIX", SYS_socket, {AF_UNIX, SOCK_SEQPACKET, 0}},
};

struct trial {
	uint64_t caps;
	const char *also; // a call that a profile of the containers lets through
	const struct call *call;
};

// The error of a call in a child that has the filter; 0: it was let through, -1: it killed.
static int error_of(const struct trial *t)
{
	_cleanup_json_ json_t *profile = NULL;
	int status = 0;
	pid_t pid;

	if (t->also != NULL) {
		_cleanup_json_ json_t *names = json_pack("[s]", t->also);

		profile = seccomp_of_calls(names, NULL);
	}
	pid = fork();
	if (pid == 0) {
		const long *a = t->call->args;
		struct err err;

		prctl(PR_SET_DUMPABLE, 0);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		    || keeper_filter(t->caps, profile, &err) < 0)
			_exit(255);
		errno = 0;
		syscall(t->call->number, a[0], a[1], a[2], a[3], a[4]);
		_exit(errno < 255 ? errno : 254);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return -1;
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static int errno_of(const struct call *c, uint64_t caps, const char *also)
{
	return error_of(&(struct trial){caps, also, c});
}

static void test_closed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(closed); i++) {
		if (errno_of(&closed[i], 0, NULL) != ENOSYS)
			fail_msg("'%s' is let through", closed[i].name);
	}
}

static void test_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open_ones); i++) {
		if (errno_of(&open_ones[i], 0, NULL) == ENOSYS)
			fail_msg("'%s' is refused", open_ones[i].name);
	}
}

static void test_other_table(void **state)
{
	const struct call x32 = {"getpid", X32 | SYS_getpid, {0}};

	(void)state;
	assert_int_equal(errno_of(&x32, 0, NULL), -1);
}

// What root granted to the containers comes through the filter that they inherit.
static void test_of_the_grant(void **state)
{
	const struct call packet = {"AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW, 0}};
	const struct call bpf = {"bpf", SYS_bpf, {-1}};

	(void)state;
	assert_int_not_equal(errno_of(&packet, UINT64_C(1) << CAP_NET_RAW, NULL), ENOSYS);
	assert_int_not_equal(errno_of(&bpf, 0, "bpf"), ENOSYS);
	assert_int_equal(errno_of(&bpf, 0, "ptrace"), ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_other_table),
		cmocka_unit_test(test_of_the_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
