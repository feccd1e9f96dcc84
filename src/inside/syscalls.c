// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System calls a fenced program has no use for. Each is called in a child so that a kernel which
// permits it still does nothing: the arguments are wrong, or ask for what is the case already. The
// wrongness is chosen such that the kernel looks at permissions first, where it can be.

#include "base/scope.h"
#include "base/str.h"
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

#define NOWHERE ((void *)1) // no address
#define ALL_BITS 0xffffffffUL

struct call {
	const char *name;
	long (*fn)(void); // as syscall(2): -1 and errno
	// what comes of it where the kernel was built, or started, without it; 0: the general rule
	int absent_errno, absent_signal;
};

// A bind mount without a source: EINVAL after the permission was checked.
static long try_mount(void)
{
	return syscall(SYS_mount, NULL, "/", NULL, MS_BIND, NULL);
}

// MNT_EXPIRE with MNT_FORCE is never done, and least of all for the root.
static long try_umount2(void)
{
	return syscall(SYS_umount2, "/", MNT_EXPIRE | MNT_FORCE);
}

static long try_fsopen(void)
{
	return syscall(SYS_fsopen, NOWHERE, 0);
}

static long try_move_mount(void)
{
	return syscall(SYS_move_mount, -1, NOWHERE, -1, NOWHERE, ALL_BITS);
}

static long try_pivot_root(void)
{
	return syscall(SYS_pivot_root, NOWHERE, NOWHERE);
}

// To the root it has: only with a path that exists the permission is looked at.
static long try_chroot(void)
{
	return syscall(SYS_chroot, "/");
}

static long try_unshare_user(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_setns(void)
{
	return syscall(SYS_setns, -1, 0);
}

// A program of no instructions: E2BIG after the permission was checked.
static long try_bpf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	return syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

// A software event that does not exist, in kernel mode and system wide.
static long try_perf_event_open(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = 0xffff,
		.disabled = 1,
	};

	return syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_ATTACH, -1, NULL, NULL);
}

static long try_process_vm_writev(void)
{
	return syscall(SYS_process_vm_writev, -1, NULL, 0, NULL, 0, ALL_BITS);
}

static long try_pidfd_getfd(void)
{
	return syscall(SYS_pidfd_getfd, -1, -1, ALL_BITS);
}

static long try_keyctl(void)
{
	return syscall(SYS_keyctl, -1, 0, 0, 0, 0);
}

static long try_add_key(void)
{
	return syscall(SYS_add_key, NOWHERE, NOWHERE, NULL, 0, 0);
}

static long try_request_key(void)
{
	return syscall(SYS_request_key, NOWHERE, NOWHERE, NULL, 0);
}

static long try_io_uring_setup(void)
{
	return syscall(SYS_io_uring_setup, 0, NOWHERE);
}

// Unknown flags without UFFD_USER_MODE_ONLY, which would lower the permission that is needed.
static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 0x40000000);
}

static long try_init_module(void)
{
	return syscall(SYS_init_module, NULL, 0, NOWHERE);
}

static long try_finit_module(void)
{
	return syscall(SYS_finit_module, -1, NOWHERE, ALL_BITS);
}

static long try_delete_module(void)
{
	return syscall(SYS_delete_module, NOWHERE, O_NONBLOCK);
}

// Unknown flags and too many segments. No segments would unload the image that is loaded.
static long try_kexec_load(void)
{
	return syscall(SYS_kexec_load, 0, ALL_BITS, NOWHERE, ALL_BITS);
}

// A handle of a type no file system has: ESTALE.
static long try_open_by_handle_at(void)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char data[8];
	} handle = {.bytes = 8, .type = 0xff};

	return syscall(SYS_open_by_handle_at, AT_FDCWD, &handle, O_PATH);
}

static long try_mknodat(void)
{
	return syscall(SYS_mknodat, AT_FDCWD, NOWHERE, S_IFCHR | 0600, 0);
}

static long try_reboot(void)
{
	return syscall(SYS_reboot, 0, 0, 0x7fffffff, NULL);
}

static long try_swapon(void)
{
	return syscall(SYS_swapon, NOWHERE, 0);
}

static long try_swapoff(void)
{
	return syscall(SYS_swapoff, NOWHERE);
}

// A bad address, not NULL: NULL would switch accounting off.
static long try_acct(void)
{
	return syscall(SYS_acct, NOWHERE);
}

// Neither a time nor a zone: nothing to set, but permission is needed.
static long try_settimeofday(void)
{
	return syscall(SYS_settimeofday, NULL, NULL);
}

// A tick far below what is valid: EINVAL after the permission was checked.
static long try_clock_adjtime(void)
{
	struct timex t = {.modes = ADJ_TICK, .tick = 1};

	return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t);
}

static long try_sethostname(void)
{
	return syscall(SYS_sethostname, NOWHERE, -1);
}

static long try_setdomainname(void)
{
	return syscall(SYS_setdomainname, NOWHERE, -1);
}

// SYSLOG_ACTION_SIZE_BUFFER: reads a number.
static long try_syslog(void)
{
	return syscall(SYS_syslog, 10, NULL, 0);
}

#if defined(__x86_64__)
// The right to use ports dies with the child, which uses none.
static long try_iopl(void)
{
	return syscall(SYS_iopl, 3);
}

static long try_ioperm(void)
{
	return syscall(SYS_ioperm, 0x80, 1, 1);
}

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

static long try_x32(void)
{
	return syscall(0x40000000L | SYS_getpid);
}
#endif

static long try_packet(void)
{
	return syscall(SYS_socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long try_vsock(void)
{
	return syscall(SYS_socket, AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_alg(void)
{
	return syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static long try_raw_inet(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_RAW | SOCK_CLOEXEC, 1);
}

static const struct call calls[] = {
	{"mount", try_mount},
	{"umount2", try_umount2},
	{"fsopen", try_fsopen},
	{"move_mount", try_move_mount},
	{"pivot_root", try_pivot_root},
	{"chroot", try_chroot},
	{"mknodat", try_mknodat},
	{"unshare_user", try_unshare_user},
	{"setns", try_setns},
	{"bpf", try_bpf},
	{"perf_event_open", try_perf_event_open},
	{"ptrace", try_ptrace},
	{"process_vm_writev", try_process_vm_writev},
	{"pidfd_getfd", try_pidfd_getfd},
	{"keyctl", try_keyctl},
	{"add_key", try_add_key},
	{"request_key", try_request_key},
	{"io_uring_setup", try_io_uring_setup},
	{"userfaultfd", try_userfaultfd},
	{"init_module", try_init_module},
	{"finit_module", try_finit_module},
	{"delete_module", try_delete_module},
	{"kexec_load", try_kexec_load},
	{"open_by_handle_at", try_open_by_handle_at},
	{"reboot", try_reboot},
	{"swapon", try_swapon},
	{"swapoff", try_swapoff},
	{"acct", try_acct},
	{"settimeofday", try_settimeofday},
	{"clock_adjtime", try_clock_adjtime},
	{"sethostname", try_sethostname},
	{"setdomainname", try_setdomainname},
	{"syslog", try_syslog},
#if defined(__x86_64__)
	{"iopl", try_iopl},
	{"ioperm", try_ioperm},
	{"int80", try_int80, .absent_signal = SIGSEGV},
	{"x32", try_x32, .absent_errno = ENOSYS},
#endif
	{"socket_packet", try_packet},
	{"socket_vsock", try_vsock},
	{"socket_alg", try_alg},
	{"socket_raw", try_raw_inet},
};

static int64_t call_child(const void *arg)
{
	const struct call *c = arg;

	return c->fn() == -1 ? errno : 0;
}

size_t probe_ncalls(void)
{
	return ARRAY_LEN(calls);
}

const char *probe_call_name(size_t i)
{
	return calls[i].name;
}

static const char *reach(const struct call *c, int code)
{
	if (code != 0 && code == c->absent_errno)
		return "absent";
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
			res.reach = reach(&calls[i], (int)code);
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
