// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The generator's packets: templates, fields that vary, mixed sizes.

#include "gen_rig.h"
#include "task/proto/sums.h"
#include "tsc.h"

#include <rte_ip.h>
#include <rte_udp.h>

static uint32_t field(const struct rte_mbuf *m, unsigned at, unsigned len)
{
	const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, at);
	uint32_t v = 0;

	while (len-- > 0)
		v = v << 8 | *p++;
	return v;
}

// ---- checksums, by another way than the generator's

static void check_ip(const uint8_t *p, unsigned size, uint8_t protocol)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)p;

	assert_int_equal(ip->version_ihl, 0x45);
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), size);
	assert_int_equal(ip->next_proto_id, protocol);
	assert_int_equal(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
}

static bool udp_is_right(const uint8_t *p)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(p + 20);
	uint32_t sum = rte_ipv4_phdr_cksum((const void *)p, 0);

	sum += rte_raw_cksum(udp, rte_be_to_cpu_16(udp->dgram_len));
	return udp->dgram_cksum != 0 && (sum >> 16) + (sum & 0xffff) == 0xffff;
}

static void check_udp(const uint8_t *p, unsigned size)
{
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(p + 20);

	check_ip(p, size, IPPROTO_UDP);
	assert_int_equal(rte_be_to_cpu_16(udp->dgram_len), size - 20);
	assert_true(udp_is_right(p));
}

// All layers that a template can have are at places that follow from the ones before.
static void check_template(const struct rte_mbuf *m, unsigned layers, unsigned size)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned at = 12;

	assert_int_equal(m->pkt_len, size);
	assert_int_equal(m->data_len, size);
	if (layers & 1) {
		assert_int_equal(field(m, at, 4), 0x81000005);
		at += 4;
	}
	if (layers & 2) {
		assert_int_equal(field(m, at, 2), 0x88a8);
		assert_in_range(field(m, at + 2, 2), 1, 4094);
		assert_int_equal(field(m, at + 4, 4), 0x81000007);
		at += 8;
	}
	assert_int_equal(field(m, at, 2), layers & 4 ? 0x8847 : 0x0800);
	at += 2;
	if (layers & 4) {
		assert_int_equal(field(m, at, 4) & 0xfff, 0x140);
		at += 4;
	}
	if (layers & 8) {
		check_ip(p + at, size - at, IPPROTO_GRE);
		assert_int_equal(field(m, at + 6, 2), 0x4000);
		assert_int_equal(field(m, at + 20, 4), 0x20000800);
		at += 28;
	}
	check_udp(p + at, size - at);
}

static void templates_are_right(void **)
{
	static const unsigned sizes[] = {104, 105, 127, 128, 129, 511, 1513, 1514, 1518};

	for (unsigned layers = 0; layers < 16; layers++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			char text[512];
			struct task *t;

			snprintf(
				text,
				sizeof(text),
				"template=eth%s%s%s%s/ipv4/udp\npkt size=%u\n%s%s%s%s"
				"random=src ip\nrandom=dst_port\nrange=dst ip:10.0.0.1-10.3.0.9 "
				"step 7\nrandom=src mac\n%s",
				layers & 1 ? "/vlan" : "",
				layers & 2 ? "/qinq" : "",
				layers & 4 ? "/mpls" : "",
				layers & 8 ? "/ipv4/gre" : "",
				sizes[i],
				layers & 1 ? "vlan=5\n" : "",
				layers & 2 ? "cvlan=7\nrandom=svlan:1-4094\n" : "",
				layers & 4 ? "random=label\n" : "",
				layers & 8 ? "random=gre key\nrandom=outer src ip\n" : "",
				i % 2 ? "lat pos=end\n" : ""
			);
			t = make(text);
			for (unsigned k = 0; k < 300; k++) {
				struct rte_mbuf *m = next(t);

				check_template(m, layers, sizes[i]);
				// who gets it may write into its headers
				memset(rte_pktmbuf_mtod(m, void *), 0xee, 90);
				rte_pktmbuf_free(m);
			}
			end(t);
		}
	}
}

// The user's bytes: two tags, IPv4, UDP with 20 bytes, and two checksums that are wrong.
#define INLINE(udp)                                                      \
	"pkt inline=020000000002 020000000001 88a80001 81000001 0800 "   \
	"45000030 00010000 40111111 c0a80101 c0a80101 00350035 001c" udp \
	" 0102030405060708090a0b0c0d0e0f1011121314\n"
#define INLINE_IP 22
#define INLINE_UDP 42

static void check_inline(const struct rte_mbuf *m, unsigned size)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	assert_int_equal(m->pkt_len, size);
	check_ip(p + INLINE_IP, size - INLINE_IP, IPPROTO_UDP);
	check_udp(p + INLINE_IP, size - INLINE_IP);
}

// What varies, is mixed or has the meter in it becomes right; else it is left alone.
static void checksums_of_inline_packets(void **)
{
	static const struct {
		const char *more;
		uint16_t ip, udp; // 1: right
	} cases[] = {
		{"", 0x1111, 0x2222},
		{"lat pos=51\n", 0x1111, 1},
		{"lat pos=end\nrandom=0000XX00\nrand_offset=23\n", 1, 1},
		{"random=XXXXXXXX\nrand_offset=15\n", 0x1111, 0x2222},
		{"random=XXXXXXXX\nrand_offset=55\n", 0x1111, 1},
		{"random=XXXXXXXXXXXXXXXXXXXXXXXX\nrand_offset=35\n", 1, 1},
		{"range=0-70000\nrange_offset=37\n", 1, 1},
		{"range=0-200\nrange_offset=27\n", 1, 0x2222},
		{"range=0-200 width 4\nrange_offset=40\n", 1, 1},
		{"lat pos=60\n", 1, 1}, // half of it behind the datagram, which grows
		{"lat pos=60\nrandom=XXXXXXXX\nrand_offset=43\n", 1, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];
		struct task *t;

		snprintf(text, sizeof(text), "%s%s", INLINE("2222"), cases[i].more);
		t = make(text);
		for (unsigned k = 0; k < 300; k++) {
			struct rte_mbuf *m = next(t);
			const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, INLINE_IP);
			uint32_t sum = field(m, 32, 2), udp = field(m, INLINE_UDP + 6, 2);
			bool ip_right = rte_raw_cksum(p, 20) == 0xffff;

			if (cases[i].ip == 1 ? !ip_right : sum != cases[i].ip)
				fail_msg("'%s': checksum of IPv4 %04x", cases[i].more, sum);
			if (cases[i].udp == 1 ? !udp_is_right(p) : udp != cases[i].udp)
				fail_msg("'%s': checksum of UDP %04x", cases[i].more, udp);
			rte_pktmbuf_free(m);
		}
		end(t);
	}
}

static void an_absent_checksum_stays_absent(void **)
{
	struct task *t = make(INLINE("0000") "random=XXXXXXXX\nrand_offset=43\n");

	for (unsigned k = 0; k < 100; k++) {
		struct rte_mbuf *m = next(t);

		assert_int_equal(field(m, INLINE_UDP + 6, 2), 0);
		rte_pktmbuf_free(m);
	}
	end(t);
}

// ---- fields that vary

static void ranges_step(void **)
{
	struct task *t =
		make("template=eth/qinq/ipv4/udp\nrange=cvlan:1-3\nrange=svlan:10-11 carry\n"
		     "range=src port:7-16 step 4 carry\nrange=dst ip:10.0.0.0-10.0.0.6\n"
		     "range=src mac:5-4294967295 step 4294967295\n");

	for (unsigned k = 0; k < 100; k++) {
		struct rte_mbuf *m = next(t);

		assert_int_equal(field(m, 18, 2), 1 + k % 3);
		assert_int_equal(field(m, 14, 2), 10 + k / 3 % 2);
		assert_int_equal(field(m, 42, 2), 7 + 4 * (k / 6 % 3));
		assert_int_equal(field(m, 38, 4), 0x0a000000 + k % 7);
		assert_int_equal(field(m, 8, 4), 5);
		rte_pktmbuf_free(m);
	}
	end(t);
	// DPPD's way
	t = make("pkt inline=00000000000000000000000088b500000000\nrange=250-300\nrange_offset=14\n"
		 "range=1-2\nrange_offset=16\n");
	for (unsigned k = 0; k < 120; k++) {
		struct rte_mbuf *m = next(t);

		assert_int_equal(field(m, 14, 2), 250 + k % 51);
		assert_int_equal(field(m, 16, 1), 1 + k % 2);
		rte_pktmbuf_free(m);
	}
	end(t);
}

static void random_values_are_between(void **)
{
	struct task *t =
		make("template=eth/mpls/ipv4/gre/ipv4/udp\nrandom=gre key:100-107\nlabel=9\n"
		     "random=label:1048575-1048575\nrandom=dst ip\n");
	unsigned seen[8] = {0};
	uint32_t zeros = 0, ones = UINT32_MAX;

	for (unsigned k = 0; k < 4000; k++) {
		struct rte_mbuf *m = next(t);
		uint32_t key = field(m, 42, 4), ip = field(m, 62, 4);

		assert_in_range(key, 100, 107);
		seen[key - 100]++;
		assert_int_equal(field(m, 14, 4), 0xfffff140);
		zeros |= ip;
		ones &= ip;
		rte_pktmbuf_free(m);
	}
	// 500 each, 21 is the standard deviation
	for (unsigned i = 0; i < 8; i++)
		assert_in_range(seen[i], 300, 700);
	assert_int_equal(zeros, UINT32_MAX);
	assert_int_equal(ones, 0);
	end(t);
}

// ---- sizes

static void sizes_are_mixed(void **)
{
	static const unsigned sizes[] = {64, 590, 64, 64, 590, 64, 1514, 64, 590, 64, 590, 64};
	struct task *t = make("imix=64:7,590:4, 1514 : 1\nrandom=src port\n");

	for (unsigned k = 0; k < 600; k++) {
		struct rte_mbuf *m = next(t);

		check_template(m, 0, sizes[k % ARRAY_LEN(sizes)]);
		rte_pktmbuf_free(m);
	}
	end(t);
	// DPPD's list: as it is written
	t = make("imix=100,60,60,300\nmeter=no\n");
	for (unsigned k = 0; k < 100; k++) {
		static const unsigned list[] = {100, 60, 60, 300};
		struct rte_mbuf *m = next(t);

		check_template(m, 0, list[k % 4]);
		rte_pktmbuf_free(m);
	}
	end(t);
	// the user's bytes: headers say how long it is now
	t = make(INLINE("2222") "imix=60,70:2,900\nlat pos=end\nmeter=no\nrandom=XXXXXXXX\n"
				"rand_offset=43\n");
	for (unsigned k = 0; k < 100; k++) {
		static const unsigned list[] = {70, 60, 900, 70};
		struct rte_mbuf *m = next(t);

		check_inline(m, list[k % 4]);
		rte_pktmbuf_free(m);
	}
	end(t);
}

static void bytes_take_their_time(void **)
{
	static const double bps = 20e6, mean = (60 * 9 + 1514 + 24 * 10) / 10.0;
	struct task *t = make("imix=60:9,1514\nbps=20000000\ncatch up=1s\n");
	uint64_t begin, end_at;
	double seconds, bytes, packets;

	t->poll(t);
	begin = rte_rdtsc();
	do {
		t->poll(t);
		rig_drain(&rig);
		end_at = rte_rdtsc();
	} while (end_at - begin < tsc_hz() / 20);
	seconds = (double)(end_at - begin) / (double)tsc_hz();
	packets = number(t, "sent") + number(t, "behind");
	bytes = (double)t->counters.tx_bytes + 24 * number(t, "sent");
	assert_int_equal(t->control.rate, (uint64_t)(bps / mean));
	assert_true(packets * mean <= seconds * bps + 33 * 1538);
	// the last poll was before end_at: the machine may have stalled
	assert_true(bytes > 0 && bytes <= seconds * bps + 33 * 1538);
	assert_true(number(t, "asked_bits_per_second") > 0.999 * bps * 8);
	assert_true(number(t, "asked_bits_per_second") < 1.001 * bps * 8);
	assert_true(number(t, "pkt_size") == mean - 24);
	end(t);
}

// A second is one of the kernel's clock, whatever EAL takes the TSC for.
static void rates_are_by_the_clock(void **)
{
	const double rate = 1e6;
	struct task *t = make("rate=1000000\ncatch up=10s\n");
	uint64_t begun[2], ended[2]; // before and after the poll that counts
	struct tsc_rate tsc = tsc_rate();
	double n;

	begun[0] = tsc_clock();
	t->poll(t);
	begun[1] = tsc_clock();
	for (bool due = true; due || ended[0] - begun[1] < 200000000;) {
		ended[0] = tsc_clock();
		due = t->poll(t) > 0;
		ended[1] = tsc_clock();
		rig_drain(&rig);
	}
	n = number(t, "sent") + number(t, "behind");
	assert_true(n >= rate * (double)(ended[0] - begun[1]) / 1e9 * 0.9997 - 2);
	assert_true(n <= rate * (double)(ended[1] - begun[0]) / 1e9 * 1.0003 + 2);
	assert_true(tsc.error > 0 && tsc.error < 1e-4);
	end(t);
}

// It is not rounded to whole packets a second.
static void slow_rates(void **)
{
	struct task *t = make("pkt size=60\nbps=100\n");

	assert_true(number(t, "asked_bits_per_second") > 799.9);
	assert_true(number(t, "asked_bits_per_second") < 800.1);
	end(t);
	t = make("pkt size=60\nbps=10\n");
	assert_true(number(t, "asked_bits_per_second") > 79.9);
	assert_true(number(t, "asked_bits_per_second") < 80.1);
	end(t);
}

// ---- what is refused

static void refuses(void **)
{
	static const struct {
		const char *text, *words;
	} bad[] = {
		{"template=eth/qinq/ip/udp", "no layer 'ip'"},
		{"template=eth/udp", "wants eth[/vlan]"},
		{"template=eth/ipv4/gre/udp", "wants eth"},
		{"template=eth/mpls/qinq/ipv4/udp", "wants eth"},
		{"template=eth/ipv4/udp/", "no layer ''"},
		{"template=eth/ipv4", "wants eth"},
		{"template=eth/ipv4/ipv4/udp", "wants eth"},
		{"random=svlam", "no field 'svlam'; did you mean 'svlan'"},
		{"random=svlan:5-4", "wants a field"},
		{"random=svlan:0-4096", "does not fit the 12 bits"},
		{"random=012", "wants a field"},
		{"range=gre kex:1-2", "no field 'gre kex'; did you mean 'gre key'"},
		{"range=svlan", "wants FIELD:FROM-TO"},
		{"range=svlan:1", "wants FIELD"},
		{"range=svlan:1-2 step 0", "wants FIELD"},
		{"range=svlan:1-2 width 2", "wants FIELD"},
		{"range=svlan:1-2 carrying", "wants FIELD"},
		{"range=svlan:1-2x", "wants FIELD"},
		{"range=svlan:1-2 carry", "no range= right before it"},
		{"range=dst ip:10.0.0.1-10.0.0.256", "wants FIELD"},
		{"range=0-256 width 1", "does not fit the 8 bits"},
		{"range_offset=3", "stands behind its range="},
		{"range=1-2\nrand_offset=3", "stands behind its random="},
		{"range=1-2\nrange=1-2", "the one before it has no range_offset="},
		{"bps=8", "less than a packet of 60 bytes in 10 seconds"},
		{"imix=59", "wants sizes 60..9014"},
		{"imix=60,", "wants sizes"},
		{"imix=60:0", "weights are from 1"},
		{"imix=60:4096,61", "add up to 4096"},
		{"imix=60;61", "wants sizes"},
		{"lat pos=last", "wants number 0..9014, or end"},
		// of the whole
		{"range=1-2", "range= without range_offset="},
		{"template=eth/ipv4/udp\npkt inline=00", "take one away"},
		{"template=eth/ipv4/udp\npcap file=x", "take one away"},
		{"imix=60\npkt size=60", "take one away"},
		{"pcap file=x\nimix=60", "pcap file= and imix="},
		{"pcap file=x\nrandom=src ip", "pcap file= and random="},
		{"pcap file=x\ntiming=fast", "timing=fast"},
		{"pcap file=x\ntiming=capture\nrate=1", "and a rate"},
		{"timing=capture", "say pcap file="},
		{"loop=no", "say pcap file="},
		{"pcap file=/tmp/drover-packets-none",
		 "pcap file: open '/tmp/drover-packets-none'"},
		{"svlan=1", "svlan=: the packet has no such field"},
		{"template=eth/mpls/ipv4/udp\nrandom=gre key", "has no such field"},
		{"pkt inline=000102030405060708090a0b0c0d\nrandom=src ip", "in a template= only"},
		{"random=src ip\nrange=0-1\nrange_offset=29", "varies already"},
		{"template=eth/mpls/ipv4/gre/ipv4/udp\nimix=60", "no room for"},
		{"template=eth/qinq/ipv4/udp\nimix=1000,67", "do not fit a packet of 67"},
		{"template=eth/qinq/ipv4/udp\npkt size=90\nlat pos=49", "lies in its headers"},
		{"imix=60,9000", "set mtu="},
		{"random=XXXXXXXX\nrand_offset=50", "is in the meter"},
		{"imix=60,100\nrandom=XXXXXXXX\nrand_offset=60", "does not fit a packet of 60"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_free_ void *conf = rig_conf("gen");
		struct err err = {0};
		struct task *t =
			say(conf, bad[i].text, &err) ? rig_task(&rig, "gen", conf, &err) : NULL;

		if (t != NULL)
			fail_msg("'%s' is taken", bad[i].text);
		assert_contains(err.msg, bad[i].words);
		assert_null(strchr(err.msg, '\n'));
	}
}

// ---- other things

static void begins_later(void **)
{
	struct task *t = make("delay=20ms\nduration=20ms\nrate=100k\ncatch up=1s");
	uint64_t begin = rte_rdtsc(), hz = tsc_hz();

	assert_int_equal(t->poll(t), 0);
	rte_pktmbuf_free(next(t));
	assert_true(rte_rdtsc() - begin >= hz / 50);
	begin = rte_rdtsc();
	while (rte_rdtsc() - begin < hz / 25) {
		t->poll(t);
		rig_drain(&rig);
	}
	assert_in_range(number(t, "sent") + number(t, "behind"), 1, 2001);
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_right),
		cmocka_unit_test(checksums_of_inline_packets),
		cmocka_unit_test(an_absent_checksum_stays_absent),
		cmocka_unit_test(ranges_step),
		cmocka_unit_test(random_values_are_between),
		cmocka_unit_test(sizes_are_mixed),
		cmocka_unit_test(bytes_take_their_time),
		cmocka_unit_test(rates_are_by_the_clock),
		cmocka_unit_test(slow_rates),
		cmocka_unit_test(refuses),
		cmocka_unit_test(begins_later),
	};

	return cmocka_run_group_tests_name("drover_packets", tests, start, NULL);
}
