// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/rdma.h"

#include "apply/netlink.h"
#include "base/scope.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <rdma/rdma_netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define COMMAND(name) RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, name)

static int open_in(int ns)
{
	_cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (here < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	fd = netlink_open(NETLINK_RDMA);
	if (setns(here, CLONE_NEWNET) < 0) {
		int e = errno;

		scope_close(&fd);
		return -e;
	}
	return fd;
}

struct wanted {
	const char *name;
	bool found;
	uint32_t index;
};

static int compare(const struct nlmsghdr *h, void *arg)
{
	struct netlink_list l = netlink_list(h, 0);
	struct wanted *w = arg;
	const struct rtattr *a;
	uint32_t index = 0;
	bool it = false;

	while ((a = netlink_next(&l)) != NULL) {
		if (a->rta_type == RDMA_NLDEV_ATTR_DEV_INDEX && RTA_PAYLOAD(a) >= sizeof(index))
			memcpy(&index, RTA_DATA(a), sizeof(index));
		// a name is ended by the kernel
		if (a->rta_type == RDMA_NLDEV_ATTR_DEV_NAME)
			it = strncmp(RTA_DATA(a), w->name, RTA_PAYLOAD(a)) == 0;
	}
	if (it) {
		w->index = index;
		w->found = true;
	}
	return 0;
}

// -ENODEV: it is not there.
static int find(int fd, const char *name, uint32_t *ret)
{
	struct wanted w = {.name = name};
	struct netlink_message m;
	int r;

	netlink_begin(&m, COMMAND(RDMA_NLDEV_CMD_GET), NLM_F_DUMP, 0);
	r = netlink_ask(fd, &m, compare, &w);
	*ret = w.index;
	return r < 0 ? r : w.found ? 0 : -ENODEV;
}

int rdma_move(int from, int to, const char *name)
{
	_cleanup_close_ int fd = open_in(from);
	struct netlink_message m;
	uint32_t index;
	int r;

	// a kernel without InfiniBand has none
	if (fd == -EPROTONOSUPPORT)
		return -ENODEV;
	if (fd < 0)
		return fd;
	r = find(fd, name, &index);
	if (r < 0)
		return r;
	netlink_begin(&m, COMMAND(RDMA_NLDEV_CMD_SET), NLM_F_ACK, 0);
	netlink_put_u32(&m, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	netlink_put_u32(&m, RDMA_NLDEV_NET_NS_FD, (uint32_t)to);
	return netlink_ask(fd, &m, NULL, NULL);
}

// ---- who of the kernel has it

// The one, of one that is of the kernel. Each has some for its own ends, in the driver and in ib_core.
static bool user_of(const struct rtattr *queue, char ret[static RDMA_USER])
{
	struct netlink_list l = netlink_inner(queue);
	const struct rtattr *a;

	while ((a = netlink_next(&l)) != NULL) {
		if ((a->rta_type & NLA_TYPE_MASK) != RDMA_NLDEV_ATTR_RES_KERN_NAME)
			continue;
		snprintf(ret, RDMA_USER, "%.*s", (int)RTA_PAYLOAD(a), (char *)RTA_DATA(a));
		str_plain(ret);
		return !str_eq(ret, "ib_core") && !str_eq(ret, "mlx4_ib")
		       && !str_eq(ret, "mlx5_ib");
	}
	return false;
}

bool rdma_user_in(const struct nlmsghdr *h, char ret[static RDMA_USER])
{
	struct netlink_list l = netlink_list(h, 0), queues;
	const struct rtattr *a, *queue;

	while ((a = netlink_next(&l)) != NULL) {
		if ((a->rta_type & NLA_TYPE_MASK) != RDMA_NLDEV_ATTR_RES_QP)
			continue;
		queues = netlink_inner(a);
		while ((queue = netlink_next(&queues)) != NULL) {
			if (user_of(queue, ret))
				return true;
		}
	}
	return false;
}

static int look(const struct nlmsghdr *h, void *arg)
{
	return rdma_user_in(h, arg);
}

int rdma_kernel_user(const char *name, char ret[static RDMA_USER])
{
	_cleanup_close_ int fd = netlink_open(NETLINK_RDMA);
	struct netlink_message m;
	uint32_t index;
	int r;

	if (fd < 0)
		return fd;
	r = find(fd, name, &index);
	if (r < 0)
		return r;
	netlink_begin(&m, COMMAND(RDMA_NLDEV_CMD_RES_QP_GET), NLM_F_DUMP, 0);
	netlink_put_u32(&m, RDMA_NLDEV_ATTR_DEV_INDEX, index);
	return netlink_ask(fd, &m, look, ret);
}
