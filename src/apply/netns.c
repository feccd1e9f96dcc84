// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Making a network namespace that belongs to a container's user namespace, with taps in it, and that is found at a
// path.

#include "apply/apply.h"
#include "apply/ns_maker.h"

#include "base/scope.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

// As in linux/ipv6.h, which does not go together with the C library's headers.
struct address6 {
	struct in6_addr address;
	uint32_t prefix;
	int index;
};

static struct ifreq named(const char *name)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%.15s", name);
	return r;
}

static int set_up(int fd, const char *name)
{
	struct ifreq r = named(name);

	r.ifr_flags = IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

static int set_address4(int fd, const char *name, const char *address, unsigned prefix)
{
	struct ifreq r = named(name);
	struct sockaddr_in *in = (struct sockaddr_in *)&r.ifr_addr;

	in->sin_family = AF_INET;
	inet_pton(AF_INET, address, &in->sin_addr);
	if (ioctl(fd, SIOCSIFADDR, &r) < 0)
		return -errno;
	in->sin_addr.s_addr = htonl(~UINT32_C(0) << (32 - prefix));
	return ioctl(fd, SIOCSIFNETMASK, &r) < 0 ? -errno : 0;
}

static int set_address6(const char *name, const char *address, unsigned prefix)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct address6 a = {.prefix = prefix, .index = (int)if_nametoindex(name)};

	inet_pton(AF_INET6, address, &a.address);
	return fd < 0 || ioctl(fd, SIOCSIFADDR, &a) < 0 ? -errno : 0;
}

static int set_address(int fd, const char *name, const char *address)
{
	char buf[64], *slash;

	snprintf(buf, sizeof(buf), "%s", address);
	slash = strchr(buf, '/'); // it has one: grant_port_parse
	*slash++ = '\0';
	if (strchr(buf, ':') != NULL)
		return set_address6(name, buf, (unsigned)atoi(slash));
	return set_address4(fd, name, buf, (unsigned)atoi(slash));
}

// It stays when it is closed, and is its owner's to open.
static int make_tap(const struct grant_port *p, uid_t owner, struct err *err)
{
	_cleanup_close_ int fd = open(PLAN_NET "/tun", O_RDWR | O_CLOEXEC);
	struct ifreq r = named(p->name);

	// several queues are net_tap's of DPDK, which has no other way; a header is virtio-user's
	r.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (p->vhost ? IFF_VNET_HDR : IFF_MULTI_QUEUE));
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETOWNER, owner) < 0
	    || ioctl(fd, TUNSETPERSIST, 1) < 0)
		return err_sys(err, errno, "make kernel port '%s'", p->name);
	return 0;
}

static int make_port(int fd, const char *text, uid_t owner, struct err *err)
{
	struct grant_port p;
	struct ifreq r;
	int e = 0;

	if (grant_port_parse(text, &p, err) < 0 || make_tap(&p, owner, err) < 0)
		return -err->code;
	r = named(p.name);
	r.ifr_mtu = (int)p.has.mtu;
	if (p.has.mtu != 0 && ioctl(fd, SIOCSIFMTU, &r) < 0)
		return err_sys(
			err, errno, "kernel port '%s': set its MTU to %u", p.name, p.has.mtu
		);
	for (unsigned i = 0; e == 0 && i < p.has.naddresses; i++) {
		e = set_address(fd, p.name, p.has.addresses[i]);
		if (e < 0)
			return err_sys(
				err, -e, "kernel port '%s': give it %s", p.name, p.has.addresses[i]
			);
	}
	e = set_up(fd, p.name);
	return e < 0 ? err_sys(err, -e, "kernel port '%s': set it up", p.name) : 0;
}

static int fill(const void *arg, struct err *err)
{
	const struct step *s = arg;
	_cleanup_close_ int user = open(PLAN_USERNS, O_RDONLY | O_CLOEXEC), fd = -1;
	_cleanup_free_ char *copy = strdup(s->value);

	if (copy == NULL)
		return err_oom(err);
	if (user < 0 || setns(user, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNET) < 0)
		return err_sys(err, errno, "make a network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || set_up(fd, "lo") < 0)
		return err_sys(err, errno, "set up 'lo'");
	str_foreach (w, copy, " ") {
		if (make_port(fd, w, s->uid, err) < 0)
			return -err->code;
	}
	return 0;
}

int apply_sysfs(const struct step *s, struct err *err)
{
	const unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int ns = open(s->value, O_RDONLY | O_CLOEXEC);
	int r;

	if (here < 0 || ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "enter network namespace '%s'", s->value);
	r = mount("sysfs", s->path, "sysfs", flags, NULL) < 0 ? -errno : 0;
	if (setns(here, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "leave network namespace '%s'", s->value);
	return r < 0 ? err_sys(err, -r, "mount a sysfs on '%s'", s->path) : 0;
}

int apply_netns(const struct step *s, struct err *err)
{
	struct maker maker;
	int r = maker_begin(&maker, fill, s, err);

	if (r < 0)
		return r;
	r = maker_wait(&maker, "make a network namespace", err);
	if (r == 0)
		r = maker_keep(&maker, "net", "network", s->path, err);
	maker_end(&maker);
	return r;
}
