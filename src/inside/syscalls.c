// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System calls a fenced program has no use for. Each is called in a child so that a kernel which
// permits it still does nothing: the arguments are wrong, or ask for what is the case already. The
// wrongness is chosen such that the kernel looks at permissions first, where it can be.

#include "base/scope.h"
#include "inside/probe.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>

#define NOWHERE 1UL // no address
#define NO_FD ~0UL
#define NO_ID ~0UL
#define ALL_BITS 0xffffffffUL

#define ADDRESS(p) ((unsigned long)(p))

struct call {
	const char *name;
	long number;
	unsigned long args[6];
	long (*fn)(void); // instead of the number: as syscall(2), -1 and errno
	// what comes of it where the kernel was built, or started, without it; 0: the general rule
	int absent_errno, absent_signal;
};

// No instructions.
static union bpf_attr no_program;

static struct perf_event_attr no_event = {
	.type = PERF_TYPE_SOFTWARE,
	.size = sizeof(no_event),
	.config = 0xffff,
	.disabled = 1,
};

static struct {
	unsigned bytes;
	int type; // no file system has it
	unsigned char data[8];
} no_handle = {.bytes = 8, .type = 0xff};

// Far below what is valid.
static struct timex no_tick = {.modes = ADJ_TICK, .tick = 1};

#if defined(__x86_64__)
// getpid by the 32-bit entry: a filter that knows only 64-bit calls does not see it.
static long try_int80(void)
{
	long r = 20;

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r;
}
#endif

static const struct call calls[] = {
	// A bind mount without a source: EINVAL after the permission was checked.
	{"mount", SYS_mount, {0, ADDRESS("/"), 0, MS_BIND}},
	// MNT_EXPIRE with MNT_FORCE is never done, and least of all for the root.
	{"umount2", SYS_umount2, {ADDRESS("/"), MNT_EXPIRE | MNT_FORCE}},
	{"fsopen", SYS_fsopen, {NOWHERE}},
	{"move_mount", SYS_move_mount, {NO_FD, NOWHERE, NO_FD, NOWHERE, ALL_BITS}},
	{"pivot_root", SYS_pivot_root, {NOWHERE, NOWHERE}},
	// To the root it has: only with a path that exists the permission is looked at.
	{"chroot", SYS_chroot, {ADDRESS("/")}},
	{"mknodat", SYS_mknodat, {(unsigned long)AT_FDCWD, NOWHERE, S_IFCHR | 0600}},
	{"unshare_user", SYS_unshare, {CLONE_NEWUSER}},
	{"setns", SYS_setns, {NO_FD}},
	// E2BIG after the permission was checked.
	{"bpf", SYS_bpf, {BPF_PROG_LOAD, ADDRESS(&no_program), sizeof(no_program)}},
	// A software event that does not exist, in kernel mode and system wide.
	{"perf_event_open", SYS_perf_event_open, {ADDRESS(&no_event), NO_ID, 0, NO_FD}},
	{"ptrace", SYS_ptrace, {PTRACE_ATTACH, NO_ID}},
	{"process_vm_writev", SYS_process_vm_writev, {NO_ID, 0, 0, 0, 0, ALL_BITS}},
	{"pidfd_getfd", SYS_pidfd_getfd, {NO_FD, NO_FD, ALL_BITS}},
	{"keyctl", SYS_keyctl, {NO_ID}},
	{"add_key", SYS_add_key, {NOWHERE, NOWHERE}},
	{"request_key", SYS_request_key, {NOWHERE, NOWHERE}},
	{"io_uring_setup", SYS_io_uring_setup, {0, NOWHERE}},
	// Unknown flags without UFFD_USER_MODE_ONLY, which would lower the permission that is needed.
	{"userfaultfd", SYS_userfaultfd, {0x40000000}},
	{"init_module", SYS_init_module, {0, 0, NOWHERE}},
	{"finit_module", SYS_finit_module, {NO_FD, NOWHERE, ALL_BITS}},
	{"delete_module", SYS_delete_module, {NOWHERE, O_NONBLOCK}},
	// Unknown flags and too many segments. No segments would unload the image that is loaded.
	{"kexec_load", SYS_kexec_load, {0, ALL_BITS, NOWHERE, ALL_BITS}},
	// ESTALE.
	{"open_by_handle_at",
	 SYS_open_by_handle_at,
	 {(unsigned long)AT_FDCWD, ADDRESS(&no_handle), O_PATH}},
	{"reboot", SYS_reboot, {0, 0, 0x7fffffff}},
	{"swapon", SYS_swapon, {NOWHERE}},
	{"swapoff", SYS_swapoff, {NOWHERE}},
	// A bad address, not NULL: NULL would switch accounting off.
	{"acct", SYS_acct, {NOWHERE}},
	// Neither a time nor a zone: nothing to set, but permission is needed.
	{"settimeofday", SYS_settimeofday},
	// EINVAL after the permission was checked.
	{"clock_adjtime", SYS_clock_adjtime, {CLOCK_REALTIME, ADDRESS(&no_tick)}},
	{"sethostname", SYS_sethostname, {NOWHERE, NO_ID}},
	{"setdomainname", SYS_setdomainname, {NOWHERE, NO_ID}},
	// SYSLOG_ACTION_SIZE_BUFFER: reads a number.
	{"syslog", SYS_syslog, {10}},
#if defined(__x86_64__)
	// The right to use ports dies with the child, which uses none.
	{"iopl", SYS_iopl, {3}},
	{"ioperm", SYS_ioperm, {0x80, 1, 1}},
	{"int80", .fn = try_int80, .absent_signal = SIGSEGV},
	{"x32", 0x40000000L | SYS_getpid, .absent_errno = ENOSYS},
#endif
	{"socket_packet", SYS_socket, {AF_PACKET, SOCK_RAW | SOCK_CLOEXEC}},
	{"socket_vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC}},
	{"socket_alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC}},
	{"socket_raw", SYS_socket, {AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1}},
};

static int64_t call_child(const void *arg)
{
	const struct call *c = arg;
	const unsigned long *a = c->args;
	long r = c->fn != NULL ? c->fn() : syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return r == -1 ? errno : 0;
}

size_t probe_ncalls(void)
{
	return ARRAY_LEN(calls);
}

const char *probe_call_name(size_t i)
{
	return calls[i].name;
}

const char *probe_reach(int64_t code)
{
	switch (code) {
	case EPERM:
	case EACCES:
	case ENOSYS:
		return "refused";
	case EAFNOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EPROTONOSUPPORT:
		return "absent";
	default:
		return "reachable";
	}
}

struct probe_call probe_call(size_t i)
{
	struct probe_call res = {.name = calls[i].name, .reach = "unknown"};
	int64_t code = 0;
	int r = probe_in_child(call_child, &calls[i], &code);

	if (r > 0) {
		// Out of time is no refusal.
		if (r != SIGALRM)
			res.reach = r == calls[i].absent_signal ? "absent" : "refused";
		snprintf(res.error, sizeof(res.error), "SIG%s", sigabbrev_np(r) ?: "");
	} else {
		if (r == 0)
			res.reach = code != 0 && code == calls[i].absent_errno ? "absent"
									       : probe_reach(code);
		else
			code = -r;
		if (code != 0)
			snprintf(
				res.error,
				sizeof(res.error),
				"%s",
				strerrorname_np((int)code) ?: "?"
			);
	}
	return res;
}
