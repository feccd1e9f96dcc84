// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is answered by ICMP, what never is, and how often.

#include "unit.h"

#include "drover_rig.h"
#include "task/proto/icmp.h"
#include "task/proto/ip4.h"
#include "tsc.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_icmp.h>

#define OWN 0x0a0000fe
#define LEN 1400

static struct rig rig;

struct asked {
	uint32_t src, dst;
	uint8_t proto, type; // type: of ICMP
	uint16_t fragment;
};

static const struct asked plain = {0x0a000002, 0xc6336401, IPPROTO_UDP, 0, 0};

static struct rte_mbuf *packet(const struct asked *a, unsigned segment)
{
	uint8_t data[LEN] = {0};
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = 0xfd,
		.total_length = RTE_BE16(LEN),
		.fragment_offset = rte_cpu_to_be_16(a->fragment),
		.time_to_live = 1,
		.next_proto_id = a->proto,
		.src_addr = rte_cpu_to_be_32(a->src),
		.dst_addr = rte_cpu_to_be_32(a->dst),
	};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(data, &ip, sizeof(ip));
	data[sizeof(ip)] = a->type;
	for (unsigned i = sizeof(ip) + 1; i < LEN; i++)
		data[i] = (uint8_t)i;
	return rig_packet(&rig, data, LEN, segment);
}

static bool answered(struct icmp *c, const struct asked *a)
{
	struct rte_mbuf *m = packet(a, 0);
	bool yes = icmp_answer(c, m, ICMP_TTL, 0, 0);

	rte_pktmbuf_free(m);
	return yes;
}

static struct icmp make(uint32_t rate)
{
	struct icmp c;

	icmp_init(&c, &(struct icmp_conf){.from = OWN, .rate = rate});
	return c;
}

// Header, sums, the packet's beginning: in one buffer and in many.
static void test_answer(void **state)
{
	struct icmp c = make(0);

	(void)state;
	for (unsigned segment = 0; segment < LEN; segment = segment * 2 + 21) {
		struct rte_mbuf *m = packet(&plain, segment), *was = packet(&plain, 0);
		uint8_t room[LEN], *p;
		const struct rte_ipv4_hdr *ip;

		assert_true(icmp_answer(&c, m, ICMP_TOO_LONG, 1468, 22));
		rte_mbuf_sanity_check(m, 1);
		assert_int_equal(m->pkt_len, 576); // RFC 1812, 4.3.2.3
		p = (uint8_t *)(uintptr_t)rte_pktmbuf_read(m, 0, m->pkt_len, room);
		ip = (const struct rte_ipv4_hdr *)p;
		assert_int_equal(ip4_sum(ip), 0xffff);
		assert_int_equal(ip->total_length, RTE_BE16(576));
		assert_int_equal(ip->src_addr, RTE_BE32(OWN));
		assert_int_equal(ip->dst_addr, RTE_BE32(0x0a000002));
		assert_int_equal(ip->next_proto_id, IPPROTO_ICMP);
		assert_int_equal(ip->type_of_service, 0xdc);
		assert_int_equal(rte_raw_cksum(p + 20, 556), 0xffff);
		assert_int_equal(p[20] << 8 | p[21], ICMP_TOO_LONG);
		assert_int_equal(p[26] << 8 | p[27], 1468); // RFC 1191, 4
		assert_memory_equal(p + 28, rte_pktmbuf_mtod(was, void *), 548);
		rte_pktmbuf_free(m);
		rte_pktmbuf_free(was);
	}
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
}

// RFC 1812, 4.3.2.7.
static void test_never(void **state)
{
	struct icmp c = make(1000000), off = {0};
	const uint8_t errors[] = {3, 4, 5, 11, 12}, others[] = {0, 8, 13, 14, 17};
	struct asked a;

	(void)state;
	assert_true(answered(&c, &plain));
	assert_false(answered(&off, &plain));
	for (unsigned i = 0; i < ARRAY_LEN(errors); i++) {
		a = plain;
		a.proto = IPPROTO_ICMP;
		a.type = errors[i];
		assert_false(answered(&c, &a));
		a.type = others[i];
		assert_true(answered(&c, &a));
	}
	a = plain;
	a.fragment = 1;
	assert_false(answered(&c, &a));
	a.fragment = RTE_IPV4_HDR_MF_FLAG; // the first
	assert_true(answered(&c, &a));
	for (unsigned i = 0; i < 4; i++) {
		const uint32_t nobody[] = {0, 0x7f000001, 0xe0000001, 0xffffffff};

		a = plain;
		a.src = nobody[i];
		assert_false(answered(&c, &a));
		a = plain;
		a.dst = nobody[i];
		assert_false(answered(&c, &a));
	}
	assert_int_equal(c.sent, 7);
	assert_int_equal(c.held, 0);
}

static void test_no_room(void **state)
{
	struct icmp c = make(0);

	(void)state;
	for (uint16_t room = 0; room < 40; room += 2) {
		struct rte_mbuf *m = packet(&plain, 0);

		memmove((char *)m->buf_addr + room, rte_pktmbuf_mtod(m, void *), LEN);
		m->data_off = room;
		assert_int_equal(icmp_answer(&c, m, ICMP_NET, 0, 4), room >= 32);
		rte_pktmbuf_free(m);
	}
}

// A burst, then no more than the rate.
static void test_rate(void **state)
{
	struct icmp c = make(1);
	uint64_t begun;
	unsigned n = 0;

	(void)state;
	assert_true(answered(&c, &plain));
	assert_false(answered(&c, &plain));
	c = make(1000);
	begun = rte_rdtsc();
	for (unsigned i = 0; i < 2000; i++)
		n += answered(&c, &plain);
	assert_true(n >= ICMP_BURST);
	assert_true(n <= ICMP_BURST + 1 + (rte_rdtsc() - begun) * 1000 / tsc_hz());
	assert_int_equal(c.sent, n);
	assert_int_equal(c.held, 2000 - n);
}

static int start(void **state)
{
	(void)state;
	rig_start(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
