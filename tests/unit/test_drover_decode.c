// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The line about a packet that `drover trace` prints.

#include "unit.h"

#include "text/decode.h"

#include <stdlib.h>

#define ETH "0200000000aa 0200000000bb "
#define TAGS "88a8 a007 8100 002a "
#define V4(proto) "45000054 00070000 40" proto "0000 0a000002 c6120506 "
#define SAYS_ETH "02:00:00:00:00:bb > 02:00:00:00:00:aa"
#define SAYS_V4 " IPv4 10.0.0.2 > 198.18.5.6 ttl 64 length 84"

static unsigned unhex(const char *s, uint8_t *ret)
{
	unsigned n = 0;

	for (; *s != '\0'; s++) {
		char pair[] = {s[0], s[1], '\0'};

		if (*s == ' ')
			continue;
		ret[n++] = (uint8_t)strtoul(pair, NULL, 16);
		s++;
	}
	return n;
}

static const struct {
	const char *hex, *line;
} known[] = {
	{ETH "88b5 0000", SAYS_ETH " type 0x88b5"},
	{ETH "0800" V4("11") "0035 1000", SAYS_ETH SAYS_V4 " UDP 53 > 4096"},
	{ETH "0800" V4("06") "0050 1000", SAYS_ETH SAYS_V4 " TCP 80 > 4096"},
	{ETH "0800" V4("01") "0b00 0000", SAYS_ETH SAYS_V4 " ICMP type 11 code 0"},
	{ETH "0800" V4("3b"), SAYS_ETH SAYS_V4 " protocol 59"},
	{ETH TAGS "0800" V4("3b"), SAYS_ETH " S-tag 7 prio 5 tag 42" SAYS_V4 " protocol 59"},
	{ETH "8847 00064140" V4("2f") "2000 0800 000aae8a" V4("11") "0001 0002",
	 SAYS_ETH " label 100" SAYS_V4 " GRE key 700042" SAYS_V4 " UDP 1 > 2"},
	{ETH "8847 00064040 fffff140" V4("3b"),
	 SAYS_ETH " label 100 label 1048575" SAYS_V4 " protocol 59"},
	{ETH "0800" V4("2f") "b000 0800 00000000 00000009 00000007" V4("3b"),
	 SAYS_ETH SAYS_V4 " GRE checksum key 9 sequence 7" SAYS_V4 " protocol 59"},
	{ETH "0800" V4("2f") "2001 880b", SAYS_ETH SAYS_V4 " GRE flags 0x2001"},
	{ETH "0800 45000028 00070003 40110000 0a000002 c6120506 0001 0002",
	 SAYS_ETH " IPv4 10.0.0.2 > 198.18.5.6 ttl 64 length 40 fragment at 24"},
	{ETH "0800 45000028 00072000 40110000 0a000002 c6120506 0001 0002",
	 SAYS_ETH " IPv4 10.0.0.2 > 198.18.5.6 ttl 64 length 40 fragment at 0 UDP 1 > 2"},
	{ETH "0800 44", SAYS_ETH " IPv4 with a header of 16 bytes"},
	{ETH "0800 75", SAYS_ETH " IP version 7"},
	{ETH "86dd 60000000 0004 1140 20010db8000000000000000000000001"
	     "20010db8000000000000000000000002 0001 0002",
	 SAYS_ETH " IPv6 2001:db8::1 > 2001:db8::2 hops 64 UDP 1 > 2"},
	{ETH TAGS "0806 0001 0800 06 04 0001 020000000001 0a000002 000000000000 0a000001",
	 SAYS_ETH " S-tag 7 prio 5 tag 42 ARP who has 10.0.0.1, asks 10.0.0.2"},
	{ETH "0806 0001 0800 06 04 0002 020000000001 0a000002 020000000002 0a000001",
	 SAYS_ETH " ARP 10.0.0.2 is here, to 10.0.0.1"},
	{"0200", "Ethernet (cut)"},
	{"", "Ethernet (cut)"},
};

static void knows(void **)
{
	char line[DECODE_LINE];
	uint8_t bytes[128];

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		decode_packet(bytes, unhex(known[i].hex, bytes), line, sizeof(line));
		assert_string_equal(line, known[i].line);
	}
}

// Where it ends, and where the line does.
static void is_cut(void **)
{
	char line[DECODE_LINE];
	uint8_t bytes[128];

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		unsigned n = unhex(known[i].hex, bytes);

		for (unsigned have = 0; have < n; have++) {
			uint8_t *part = malloc(have > 0 ? have : 1);

			assert_non_null(part);
			memcpy(part, bytes, have);
			decode_packet(part, have, line, sizeof(line));
			free(part);
			assert_true(strlen(line) > 0);
		}
		for (size_t size = 1; size < 60; size++) {
			memset(line, 'x', sizeof(line));
			decode_packet(bytes, n, line, size);
			assert_true(strlen(line) < size);
			assert_memory_equal(line, known[i].line, strlen(line));
			assert_int_equal(line[size], 'x');
		}
	}
}

// A stack of tags without end.
static void ends(void **)
{
	char line[DECODE_LINE];
	uint8_t bytes[2000] = {0};

	for (unsigned at = 12; at < sizeof(bytes); at += 4)
		bytes[at] = 0x81;
	decode_packet(bytes, sizeof(bytes), line, sizeof(line));
	assert_contains(line, " tag 0 tag 0");
	assert_contains(line, " and more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows),
		cmocka_unit_test(is_cut),
		cmocka_unit_test(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
