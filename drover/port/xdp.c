// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/xdp.h"

#include "base/dir.h"
#include "base/scope.h"
#include "port/checksum.h"

#include <fcntl.h>
#include <rte_ethdev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif

static bool is_xdp(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

void xdp_sockets_all(struct xdp_sockets *ret)
{
	_cleanup_closedir_ DIR *d = dir_open(AT_FDCWD, "/proc/self/fd", 0);
	const struct dirent *e;

	ret->n = 0;
	while (ret->n < XDP_SOCKETS && (e = dir_next(d)) != NULL) {
		char *end;
		int fd = (int)strtol(e->d_name, &end, 10);

		if (end != e->d_name && *end == '\0' && is_xdp(fd))
			ret->fd[ret->n++] = fd;
	}
}

static bool has(const struct xdp_sockets *s, int fd)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->fd[i] == fd)
			return true;
	}
	return false;
}

void xdp_sockets_since(const struct xdp_sockets *before, struct xdp_sockets *ret)
{
	struct xdp_sockets all;

	xdp_sockets_all(&all);
	ret->n = 0;
	for (unsigned i = 0; i < all.n; i++) {
		if (!has(before, all.fd[i]))
			ret->fd[ret->n++] = all.fd[i];
	}
}

void xdp_sockets_count(const struct xdp_sockets *s, struct xdp_statistics *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < s->n; i++) {
		struct xdp_statistics one = {0};
		socklen_t len = sizeof(one);

		// a kernel before 5.9 fills the first half
		if (getsockopt(s->fd[i], SOL_XDP, XDP_STATISTICS, &one, &len) < 0)
			continue;
		ret->rx_dropped += one.rx_dropped;
		ret->rx_invalid_descs += one.rx_invalid_descs;
		ret->tx_invalid_descs += one.tx_invalid_descs;
		ret->rx_ring_full += one.rx_ring_full;
		ret->rx_fill_ring_empty_descs += one.rx_fill_ring_empty_descs;
		ret->tx_ring_empty_descs += one.tx_ring_empty_descs;
	}
}

static uint16_t finish(
	uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max, void *arg
)
{
	(void)port;
	(void)queue;
	(void)max;
	(void)arg;
	for (uint16_t i = 0; i < n; i++)
		checksum_finish_half(rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->data_len);
	return n;
}

int xdp_finish_checksums(uint16_t port, uint16_t nrxq)
{
	for (uint16_t q = 0; q < nrxq; q++) {
		if (rte_eth_add_rx_callback(port, q, finish, NULL) == NULL)
			return -1;
	}
	return 0;
}
