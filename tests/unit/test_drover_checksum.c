// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Checksums that a local kernel left half done, in frames cut at every byte, and the sum of an IPv4 header.

#include "unit.h"

#include "port/checksum.h"
#include "task/proto/ip4.h"

#include <stdlib.h>

#define ETH "0200000000aa 0200000000bb "
#define V4(total, proto) "4500" total " 0007 0000 40" proto " 0000 0a000001 0a000002 "
#define V6 "60000000 0009 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define GRE_KEY "2000 0800 000aae8a "
#define UDP(sum) "0007 0009 0009 " sum " 78"
#define SCTP(sum) "0007 0009 00000000 " sum " 78"

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

// By hand: 0a00 + 0001 + 0a00 + 0002 + 0011 + 0009 = 141d; with 0007 + 0009 + 0009 + 7800 it is 8c36.
static const struct {
	const char *before, *after; // NULL: it stays
} frames[] = {
	{ETH "0800 " V4("001d", "11") UDP("141d"), ETH "0800 " V4("001d", "11") UDP("73c9")},
	{ETH "0800 " V4("001d", "11") UDP("141d") "55",
	 ETH "0800 " V4("001d", "11") UDP("73c9") "55"},
	{ETH "88a8 0007 8100 002a 0800 " V4("001d", "11") UDP("141d"),
	 ETH "88a8 0007 8100 002a 0800 " V4("001d", "11") UDP("73c9")},
	{ETH "8847 00064040 00064140 " V4("001d", "11") UDP("141d"),
	 ETH "8847 00064040 00064140 " V4("001d", "11") UDP("73c9")},
	{ETH "0800 " V4("0039", "2f") GRE_KEY V4("001d", "11") UDP("141d"),
	 ETH "0800 " V4("0039", "2f") GRE_KEY V4("001d", "11") UDP("73c9")},
	{ETH "86dd " V6 UDP("5b8f"), ETH "86dd " V6 UDP("2c57")},
	{ETH "0800 " V4("0021", "84") SCTP("00000000"),
	 ETH "0800 " V4("0021", "84") SCTP("1d15c35c")},
	{ETH "88a8 0007 0800 " V4("0021", "84") SCTP("00000000") "55",
	 ETH "88a8 0007 0800 " V4("0021", "84") SCTP("1d15c35c") "55"},
	{ETH "0800 " V4("0021", "84") SCTP("1d15c35c"), NULL},			      // right
	{ETH "0800 " V4("0021", "84") SCTP("00000001"), NULL},			      // wrong
	{ETH "0800 " V4("001d", "11") UDP("73c9"), NULL},			      // right
	{ETH "0800 " V4("001d", "11") UDP("0000"), NULL},			      // none
	{ETH "0800 " V4("001d", "11") UDP("141c"), NULL},			      // wrong
	{ETH "0800 4500001d 0007 2000 40110000 0a000001 0a000002" UDP("141d"), NULL}, // a fragment
};

static void test_frames(void **)
{
	uint8_t before[256], after[256];

	for (unsigned i = 0; i < ARRAY_LEN(frames); i++) {
		unsigned len = unhex(frames[i].before, before);

		if (frames[i].after != NULL)
			assert_int_equal(unhex(frames[i].after, after), len);
		assert_int_equal(checksum_finish_half(before, len), frames[i].after != NULL);
		if (frames[i].after != NULL)
			assert_memory_equal(before, after, len);
		assert_false(checksum_finish_half(before, len));
	}
}

// Valgrind and ASan see what is read behind its end.
static void test_cut(void **)
{
	uint8_t whole[256];

	for (unsigned i = 0; i < ARRAY_LEN(frames); i++) {
		unsigned len = unhex(frames[i].before, whole);

		for (unsigned n = 0; n < len; n++) {
			uint8_t *cut = malloc(n > 0 ? n : 1);

			assert_non_null(cut);
			memcpy(cut, whole, n);
			if (checksum_finish_half(cut, n))
				assert_int_equal(n + 1, len); // the byte behind the packet
			free(cut);
		}
	}
}

// A sum of zero is sent as ones, and a place behind the end is left alone.
static void test_finish(void **)
{
	uint8_t data[] = {0xff, 0xff, 0x00, 0x00}, same[] = {1, 2, 3};

	checksum_finish(data, sizeof(data), 0, 2);
	assert_int_equal(data[2] << 8 | data[3], 0xffff);
	checksum_finish(same, sizeof(same), 1, 1);
	assert_int_equal(same[2], 3);
	checksum_finish(same, sizeof(same), 65535, 65535);
}

// The sum of an IPv4 header, against DPDK's, with the words that carry most.
static void test_header(void **)
{
	static const uint16_t words[] = {0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff};
	uint16_t ip[10];

	srand(1);
	for (unsigned i = 0; i < 200000; i++) {
		ip[0] = 0x0045; // no header is all zeros, whose two sums differ
		for (unsigned k = 1; k < ARRAY_LEN(ip); k++)
			ip[k] = i % 2 == 0 ? words[(unsigned)rand() % ARRAY_LEN(words)]
					   : (uint16_t)rand();
		assert_int_equal(ip4_sum(ip), rte_raw_cksum(ip, sizeof(ip)));
	}
}

// What the kernel says of one of SCTP, on a frame that is padded.
static void test_finish_sctp(void **)
{
	uint8_t before[256], after[256];
	unsigned len = unhex(ETH "0800 " V4("0021", "84") SCTP("00000000") "0000 55", before);

	unhex(ETH "0800 " V4("0021", "84") SCTP("1d15c35c") "0000 55", after);
	checksum_finish(before, len, 34, 8);
	assert_memory_equal(before, after, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_finish_sctp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
