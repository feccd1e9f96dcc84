// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/netlink.h"

#include "base/scope.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_SECONDS 10
#define ANSWER_MAX (256 << 10) // an interface with many functions, or names, says much

int netlink_open(int protocol)
{
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		scope_close(&fd);
	return fd < 0 ? -errno : fd;
}

void *netlink_begin(struct netlink_message *m, unsigned type, unsigned flags, size_t fixed)
{
	static uint32_t sequence;

	*m = (struct netlink_message){0};
	m->head.nlmsg_len = (uint32_t)NLMSG_SPACE(fixed);
	m->head.nlmsg_type = (uint16_t)type;
	m->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m->head.nlmsg_seq = ++sequence;
	return NLMSG_DATA(&m->head);
}

// What there is no room for would be a mistake of ours: the kernel refuses the message.
void netlink_put(struct netlink_message *m, unsigned type, const void *data, size_t len)
{
	size_t at = NLMSG_ALIGN(m->head.nlmsg_len);
	struct rtattr *a = (struct rtattr *)((char *)m + at);

	if (at + RTA_SPACE(len) > sizeof(*m)) {
		m->head.nlmsg_type = NLMSG_MIN_TYPE - 1;
		return;
	}
	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len > 0)
		memcpy(RTA_DATA(a), data, len);
	m->head.nlmsg_len = (uint32_t)(at + RTA_SPACE(len));
}

void netlink_put_u32(struct netlink_message *m, unsigned type, uint32_t value)
{
	netlink_put(m, type, &value, sizeof(value));
}

void netlink_put_text(struct netlink_message *m, unsigned type, const char *text)
{
	netlink_put(m, type, text, strlen(text) + 1);
}

struct rtattr *netlink_nest(struct netlink_message *m, unsigned type)
{
	struct rtattr *nest = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	netlink_put(m, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_nest_end(struct netlink_message *m, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)m + m->head.nlmsg_len - (char *)nest);
}

// 1: there is more to come.
static int take(const struct nlmsghdr *h, netlink_fn fn, void *arg)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		return -EINTR;
	// a list that was given up says why in it
	if (h->nlmsg_type == NLMSG_DONE)
		return h->nlmsg_len < NLMSG_LENGTH(sizeof(e->error)) || e->error > 0 ? 0 : e->error;
	if (h->nlmsg_type == NLMSG_ERROR)
		return h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EPROTO : e->error;
	if (fn != NULL) {
		int r = fn(h, arg);

		return r == 0 ? 1 : r;
	}
	return 1;
}

int netlink_ask(int fd, struct netlink_message *m, netlink_fn fn, void *arg)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_cleanup_free_ char *buf = malloc(ANSWER_MAX);
	int r = 1;

	if (buf == NULL)
		return -ENOMEM;
	if (sendto(fd, m, m->head.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel))
	    < 0)
		return -errno;
	while (r > 0) {
		struct sockaddr_nl from = {0};
		socklen_t len = sizeof(from);
		ssize_t n =
			recvfrom(fd, buf, ANSWER_MAX, MSG_TRUNC, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || n > ANSWER_MAX)
			return n < 0 ? -errno : -EMSGSIZE;
		if (from.nl_pid != 0) // no word of the kernel's
			continue;
		for (const struct nlmsghdr *h = (const void *)buf; r > 0 && NLMSG_OK(h, (size_t)n);
		     h = NLMSG_NEXT(h, n)) {
			// of a question that was given up
			if (h->nlmsg_seq == m->head.nlmsg_seq)
				r = take(h, fn, arg);
		}
	}
	return r;
}

struct netlink_list netlink_list(const struct nlmsghdr *h, size_t fixed)
{
	size_t skip = NLMSG_SPACE(fixed);

	if (h->nlmsg_len < skip)
		return (struct netlink_list){0};
	return (struct netlink_list){(const char *)h + skip, h->nlmsg_len - skip};
}

struct netlink_list netlink_inner(const struct rtattr *a)
{
	return (struct netlink_list){RTA_DATA(a), RTA_PAYLOAD(a)};
}

const struct rtattr *netlink_next(struct netlink_list *l)
{
	const struct rtattr *a = (const void *)l->at;
	size_t n;

	if (l->left < sizeof(*a) || a->rta_len < sizeof(*a) || a->rta_len > l->left)
		return NULL;
	n = RTA_ALIGN((size_t)a->rta_len);
	l->at += n;
	l->left = n < l->left ? l->left - n : 0;
	return a;
}
