// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System calls a fenced program has no use for, by what they would reach.

#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fscrypt.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32 // linux/in6.h, which does not go together with netinet/in.h
#endif
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

static bool listed(const char *list, const char *name)
{
	const size_t len = strlen(name);

	for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

void audit_try_calls(const char *list, struct finding *f)
{
	_cleanup_names_ struct names reached = {0}, absent = {0}, why = {0};
	size_t tried = 0;
	char text[400];

	for (size_t i = 0; i < probe_ncalls(); i++) {
		struct probe_call c;

		if (!listed(list, probe_call_name(i)))
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
		fail(f, "%zu of %zu let through: %s", reached.n, tried, name_list(&reached, 12));
	else if (tried > 0)
		pass(f, "%zu of %zu refused: %s", tried, tried, name_list(&why, 4));
	// nothing refuses them, and nothing has to
	if (absent.n > 0 && reached.n == 0)
		skip(f, "not in this kernel: %s", name_list(&absent, 12));
}

// Each tries what changes nothing where it is let through.
static int line_discipline(void)
{
	_cleanup_close_ int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int none = 0; // N_TTY, which it has; others the host's kernel loads as modules

	return fd < 0 ? 0 : ioctl(fd, TIOCSETD, &none) == 0 ? 1 : -errno;
}

// Both ask for what anybody may know. Before that the kernel has loaded the module.
static int modules_of_links(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct vlan_ioctl_args vlan = {.cmd = GET_VLAN_REALDEV_NAME_CMD, .device1 = "lo"};
	unsigned long bridge[3] = {BRCTL_GET_VERSION};

	if (fd < 0)
		return 0;
	if (ioctl(fd, SIOCGIFVLAN, &vlan) == 0 || errno != EPERM
	    || ioctl(fd, SIOCGIFBR, bridge) >= 0 || errno != EPERM)
		return 1;
	return -errno;
}

// What it leaves in the keyring of a file system stays when the container is gone.
static int key_of_files(void)
{
	_cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fscrypt_add_key_arg none = {0};

	if (fd < 0)
		return 0;
	// where the file system has no keys it has none to leave
	if (ioctl(fd, FS_IOC_ADD_ENCRYPTION_KEY, &none) == 0 || errno == EINVAL)
		return 1;
	return -errno;
}

static int lease(void)
{
	_cleanup_close_ int fd = memfd_create("audit", MFD_CLOEXEC);

	return fcntl(fd, F_SETLEASE, F_UNLCK) == 0 || errno == EAGAIN ? 1 : -errno;
}

static int larger_pipe(void)
{
	int fds[2], r = 0;

	if (pipe2(fds, O_CLOEXEC) == 0) {
		r = fcntl(fds[0], F_SETPIPE_SZ, 4096) >= 0 ? 1 : -errno;
		close(fds[0]);
		close(fds[1]);
	}
	return r;
}

// 0 where the kernel knows no such advice.
static int advice(int what)
{
	const size_t size = 4096;
	void *page = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int r;

	if (page == MAP_FAILED)
		return 0;
	r = madvise(page, size, what) == 0 ? 1 : errno == EPERM ? -errno : 0;
	munmap(page, size);
	return r;
}

static int collapsed_pages(void)
{
	return advice(MADV_COLLAPSE);
}

static int merged_pages(void)
{
	return advice(MADV_MERGEABLE);
}

static int memory_policy(void)
{
	return syscall(SYS_mbind, NULL, 0, MPOL_DEFAULT, NULL, 0, 0) == 0 || errno != EPERM
		       ? 1
		       : -errno;
}

static int barrier_of_others(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0)
		return 1;
	return errno == EPERM ? -errno : 0;
}

static int sealed_file(void)
{
	_cleanup_close_ int fd = memfd_create("audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return 0;
	// the one brings the other with it where the file can be executed
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC) == 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0)
		return 1;
	return -errno;
}

static int core_cookie(void)
{
	return prctl(PR_SCHED_CORE, 0, 0, 0, 0) == 0 || errno != EPERM ? 1 : -errno;
}

// The answer is the filter's, or that of who was reached.
static int option(int level, int number)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int one = 0; // sets nothing

	return fd < 0									 ? 0
	       : setsockopt(fd, level, number, &one, sizeof(one)) == 0 || errno != EPERM ? 1
											 : -errno;
}

static int unsent_datagrams(void)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = 9, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? 0 : option(IPPROTO_UDP, UDP_CORK);

	if (r < 0
	    && (sendto(fd, "", 1, MSG_MORE, (const struct sockaddr *)&to, sizeof(to)) >= 0
		|| errno != EPERM))
		r = 1;
	return r;
}

static int times_of_packets(void)
{
	return option(SOL_SOCKET, SO_TIMESTAMP);
}

static int encapsulation(void)
{
	return option(IPPROTO_UDP, UDP_ENCAP);
}

static int flow_labels(void)
{
	return option(IPPROTO_IPV6, IPV6_FLOWLABEL_MGR);
}

static int dropped_cache(void)
{
	_cleanup_close_ int fd = memfd_create("audit", MFD_CLOEXEC);
	int r = fd < 0 ? 0 : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	return fd < 0 ? 0 : r == 0 ? 1 : -r;
}

static int synced_files(void)
{
	_cleanup_close_ int fd = memfd_create("audit", MFD_CLOEXEC);

	return fd < 0 ? 0 : syncfs(fd) == 0 ? 1 : -errno;
}

static void by_others(const struct audit *, struct finding *f)
{
	static const struct {
		const char *name;
		int (*try)(void); // 1: let through; 0: there is no such thing; else -errno
	} things[] = {
		{"a line discipline", line_discipline},
		{"modules for bridges and VLANs", modules_of_links},
		{"a lease of a file", lease},
		{"a key of a file system", key_of_files},
		{"the size of a pipe", larger_pipe},
		{"collapsed pages", collapsed_pages},
		{"merged pages", merged_pages},
		{"a barrier of other programs", barrier_of_others},
		{"a file sealed against writes", sealed_file},
		{"a policy of memory", memory_policy},
		{"a cookie of the core", core_cookie},
		{"a datagram that is begun and left", unsent_datagrams},
		{"times of packets", times_of_packets},
		{"encapsulation in UDP", encapsulation},
		{"a flow label", flow_labels},
		{"the cache of a file", dropped_cache},
		{"a whole file system to be written", synced_files},
	};

	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		int r = things[i].try();

		if (r > 0)
			fail(f, "%s can be set", things[i].name);
		else if (r < 0)
			pass(f, "%s: %s", things[i].name, strerror(-r));
	}
}

const struct property audit_calls[] = {
	{"calls-mount",
	 "mount, pivot_root, chroot, setns, open_by_handle_at and the like",
	 .calls = "mount umount2 fsopen move_mount pivot_root chroot unshare_user setns "
		  "open_by_handle_at mknodat"},
	{"calls-kernel",
	 "bpf, kexec_load, load and unload modules",
	 .calls = "bpf init_module finit_module delete_module kexec_load"},
	{"calls-surface",
	 "keys, perf_event_open, io_uring_setup, userfaultfd",
	 .calls = "keyctl add_key request_key perf_event_open io_uring_setup userfaultfd"},
	{"calls-processes",
	 "ptrace, process_vm_writev, pidfd_getfd",
	 .calls = "ptrace process_vm_writev pidfd_getfd"},
	{"calls-machine",
	 "reboot, swap, clock, host name, log, I/O ports",
	 .calls = "reboot swapon swapoff acct settimeofday clock_adjtime sethostname setdomainname "
		  "syslog iopl ioperm"},
	{"calls-others",
	 "what others pay for: modules, kept waiting, interrupts, memory of the kernel's",
	 by_others},
	{"calls-32bit", "call the kernel by int 0x80 and by the x32 table", .calls = "int80 x32"},
	{0},
};
