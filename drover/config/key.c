// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/key.h"

#include "config/parse.h"

#include <ctype.h>
#include <stdio.h>

bool key_name_eq(const char *a, const char *b)
{
	for (;;) {
		// a run of blanks counts as one
		if (*a == ' ' && *b == ' ') {
			while (*a == ' ')
				a++;
			while (*b == ' ')
				b++;
		}
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

const struct key *key_find(const struct key *table, const char *name)
{
	for (; table != NULL && table->name != NULL; table++) {
		if (key_name_eq(table->name, name))
			return table;
	}
	return NULL;
}

bool key_repeats(const struct key *key)
{
	switch (key->type) {
	case KEY_TASKS:
	case KEY_RANDOM:
	case KEY_RANDOM_AT:
	case KEY_RANGE:
	case KEY_RANGE_AT:
	case KEY_ACT:
		return true;
	default:
		return false;
	}
}

static void words_text(const char *const *words, char *buf, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; words[i] != NULL && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s", i > 0 ? "|" : "", words[i]);
}

static void number_text(const struct key *key, char *buf, size_t len)
{
	unsigned long long min = key->min, max = key->max;

	if (max != 0)
		snprintf(buf, len, "number %llu..%llu", min, max);
	else if (min != 0)
		snprintf(buf, len, "number from %llu", min);
	else
		snprintf(buf, len, "number");
}

const char *key_type_text(const struct key *key, char *buf, size_t len)
{
	switch (key->type) {
	case KEY_U32:
	case KEY_U64:
		number_text(key, buf, len);
		break;
	case KEY_BOOL:
		snprintf(buf, len, "yes|no");
		break;
	case KEY_TEXT:
		snprintf(buf, len, "text of up to %d characters", KEY_TEXT_MAX - 1);
		break;
	case KEY_MAC:
		snprintf(buf, len, "MAC address, hw, packet or no");
		break;
	case KEY_IPV4:
		snprintf(buf, len, "IPv4 address");
		break;
	case KEY_RATE:
		snprintf(buf, len, "packets a second, as 10Mpps or 500kpps; 0: as fast as it goes");
		break;
	case KEY_TIME:
		snprintf(buf, len, "time, as 10s, 1.5s, 5ms, 20us or 100ns; 3: seconds");
		break;
	case KEY_HEX:
		snprintf(buf, len, "1..%d bytes in hexadecimal, as 00 01 0203", KEY_BYTES_MAX);
		break;
	case KEY_PORTS:
		snprintf(buf, len, "names of ports, comma separated");
		break;
	case KEY_TASKS:
		snprintf(buf, len, "tasks, as 3s0t1 or (3s0-6s0,3s0h-6s0h)t1");
		break;
	case KEY_RANDOM:
		snprintf(
			buf,
			len,
			"a field, as svlan or svlan:1-64, or 8, 16, 24 or 32 characters 0, 1 or X "
			"(random); may be repeated"
		);
		break;
	case KEY_RANGE:
		snprintf(
			buf,
			len,
			"FIELD:FROM-TO or FROM-TO, and behind it step N, width BYTES, carry; may "
			"be repeated"
		);
		break;
	case KEY_RANDOM_AT:
		snprintf(buf, len, "number 0..%d, behind its random=", KEY_BYTES_MAX - 1);
		break;
	case KEY_WORD:
		words_text(key->words, buf, len);
		break;
	case KEY_ACT:
		snprintf(
			buf,
			len,
			"green|yellow|red|drop io=IN,OUT with two of the first three; may be "
			"repeated"
		);
		break;
	case KEY_RANGE_AT:
		snprintf(buf, len, "number 0..%d, behind its range=", KEY_BYTES_MAX - 1);
		break;
	case KEY_IMIX:
		snprintf(
			buf,
			len,
			"sizes %u..%u with weights, as 60:7,590:4,1514:1, or without, as 60,60,590",
			(unsigned)key->min,
			(unsigned)key->max
		);
		break;
	case KEY_LAYERS:
		snprintf(buf, len, "eth[/vlan][/qinq][/mpls][/ipv4/gre]/ipv4/udp");
		break;
	case KEY_POS:
		snprintf(buf, len, "number 0..%u, or end", (unsigned)key->max);
		break;
	}
	return buf;
}
