// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// l2fwd: the Ethernet addresses are rewritten (paper §6.1.2). The destination becomes the configured
// one, else the packet's source; the source becomes the configured one, else that of the output port.

#include "task/output.h"
#include "task/task.h"

#include <rte_vect.h>
#include <string.h>

struct l2fwd_conf {
	struct key_mac src, dst;
};

// A header is 12 bytes of addresses, written as one 16-byte word of which 4 bytes are kept. The new
// addresses are picked by one shuffle from the packet's own, and the fixed ones are put over it.
struct l2fwd {
	__m128i shuffle, fixed, keep;
};

#define DROPS(DROP) DROP(SHORT, "too short")

TASK_DROP_REASONS(DROPS);

// Takes the packets without a whole header out of the burst, and off *bytes. Returns how many are left.
static __rte_noinline uint16_t
drop_short(struct task *t, struct rte_mbuf **m, uint16_t n, uint32_t *bytes)
{
	uint16_t out = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (m[i]->data_len >= RTE_ETHER_HDR_LEN) {
			m[out++] = m[i];
			continue;
		}
		*bytes -= m[i]->pkt_len;
		task_drop(t, DROP_SHORT, m[i]);
	}
	return out;
}

static uint16_t poll_l2fwd(struct task *t)
{
	const struct l2fwd *l = t->state;
	const __m128i shuffle = l->shuffle, fixed = l->fixed, keep = l->keep;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m), out = n;
	uint32_t bytes = 0;
	bool any_short = false;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		__m128i *eth = rte_pktmbuf_mtod(m[i], __m128i *), v;

		// A short packet is rewritten too, before it is dropped: 16 bytes are there whatever
		// data_len says, as a buffer is longer than its headroom by at least as much.
		any_short |= m[i]->data_len < RTE_ETHER_HDR_LEN;
		bytes += m[i]->pkt_len;
		v = _mm_shuffle_epi8(_mm_loadu_si128(eth), shuffle);
		_mm_storeu_si128(eth, _mm_or_si128(_mm_and_si128(v, keep), fixed));
	}
	t->counters.rx_bytes += bytes;
	if (unlikely(any_short))
		out = drop_short(t, m, n, &bytes);
	if (likely(out > 0))
		task_tx(t, m, out, bytes);
	return n;
}

// Puts `to` (byte 0: destination, 6: source) together for one of the two addresses.
static void pick(
	uint8_t *shuffle,
	uint8_t *fixed,
	uint8_t *keep,
	unsigned to,
	unsigned from,
	const uint8_t *addr
)
{
	for (unsigned i = 0; i < RTE_ETHER_ADDR_LEN; i++) {
		shuffle[to + i] = (uint8_t)(from + i);
		fixed[to + i] = addr != NULL ? addr[i] : 0;
		keep[to + i] = addr != NULL ? 0 : 0xff;
	}
}

static int init_l2fwd(struct task *t, const void *arg, struct err *err)
{
	const struct l2fwd_conf *c = arg;
	uint8_t shuffle[16], fixed[16] = {0}, keep[16];
	struct rte_ether_addr own;
	struct l2fwd *l = t->state;

	(void)err;
	own = output_of(t, 0).mac;
	for (unsigned i = 0; i < 16; i++) {
		shuffle[i] = (uint8_t)i;
		keep[i] = 0xff;
	}
	switch (c->dst.word) {
	case MAC_ADDRESS:
		pick(shuffle, fixed, keep, 0, 0, c->dst.addr);
		break;
	case MAC_HARDWARE:
		pick(shuffle, fixed, keep, 0, 0, own.addr_bytes);
		break;
	case MAC_UNSET:
	case MAC_PACKET:
		pick(shuffle, fixed, keep, 0, RTE_ETHER_ADDR_LEN, NULL);
		break;
	case MAC_NO:
		break;
	}
	switch (c->src.word) {
	case MAC_ADDRESS:
		pick(shuffle, fixed, keep, RTE_ETHER_ADDR_LEN, 0, c->src.addr);
		break;
	case MAC_UNSET:
	case MAC_HARDWARE:
		pick(shuffle, fixed, keep, RTE_ETHER_ADDR_LEN, 0, own.addr_bytes);
		break;
	case MAC_PACKET:
		pick(shuffle, fixed, keep, RTE_ETHER_ADDR_LEN, 0, NULL);
		break;
	case MAC_NO:
		break;
	}
	l->shuffle = _mm_loadu_si128((const __m128i *)shuffle);
	l->fixed = _mm_loadu_si128((const __m128i *)fixed);
	l->keep = _mm_loadu_si128((const __m128i *)keep);
	t->poll = poll_l2fwd;
	return 0;
}

#define KEY_CONF struct l2fwd_conf
static const struct key keys[] = {
	KEY_MAC("dst mac",
		dst,
		"destination: an address; packet (default): the packet's source; no: leave it"),
	KEY_MAC("src mac",
		src,
		"source: an address; hw (default): the output port's; packet: the packet's "
		"destination; "
		"no"),
	{NULL},
};

static struct task_mode l2fwd = {
	.name = "l2fwd",
	.help = "the Ethernet addresses are rewritten",
	.wants_rx = true,
	.wants_tx = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct l2fwd_conf),
	TASK_DROP_NAMES,
	.state_size = sizeof(struct l2fwd),
	.init = init_l2fwd,
};
TASK_MODE(l2fwd)
