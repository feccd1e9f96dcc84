// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Messages of netlink(7). libmnl would be the library for it; Debian has none to be linked static.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_message {
	struct nlmsghdr head;
	char rest[1024];
};

// rtnetlink(7), or another protocol, of this process's network namespace. A descriptor, or -errno.
int netlink_open(int protocol);

// Begins a message. Returns its fixed part, which is zero.
void *netlink_begin(struct netlink_message *m, unsigned type, unsigned flags, size_t fixed);
void netlink_put(struct netlink_message *m, unsigned type, const void *data, size_t len);
void netlink_put_u32(struct netlink_message *m, unsigned type, uint32_t value);
void netlink_put_text(struct netlink_message *m, unsigned type, const char *text);
// One that others are in, which are put before it ends.
struct rtattr *netlink_nest(struct netlink_message *m, unsigned type);
void netlink_nest_end(struct netlink_message *m, struct rtattr *nest);

// Sends it, with NLM_F_ACK or NLM_F_DUMP, and has what is answered given to fn (NULL: nothing is) until the kernel says
// that it is done: 0, what fn returned that was not 0, or -errno. -EAGAIN: it did not answer in time.
// -EINTR: what was listed changed meanwhile; ask again.
typedef int (*netlink_fn)(const struct nlmsghdr *h, void *arg);
int netlink_ask(int fd, struct netlink_message *m, netlink_fn fn, void *arg);

// The attributes of an answer, after its fixed part, or those inside of one, one by one.
struct netlink_list {
	const char *at;
	size_t left;
};
struct netlink_list netlink_list(const struct nlmsghdr *h, size_t fixed);
struct netlink_list netlink_inner(const struct rtattr *a);
const struct rtattr *netlink_next(struct netlink_list *l); // NULL: no more
