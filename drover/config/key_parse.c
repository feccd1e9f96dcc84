// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/key.h"

#include "config/key_private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

int key_bad(const struct key *key, const char *value, struct err *err)
{
	char type[160];

	return err_set(
		err,
		EINVAL,
		"%s=%.64s: wants %s",
		key->name,
		value,
		key_type_text(key, type, sizeof(type))
	);
}

bool key_digits(const char *s, const char **end, uint64_t *ret)
{
	unsigned base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	uint64_t v = 0;
	const char *p = base == 16 ? s + 2 : s;
	const char *first = p;

	for (; base == 16 ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p); p++) {
		unsigned char c = (unsigned char)*p;
		unsigned d = (unsigned)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);

		if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*end = p;
	*ret = v;
	return p != first;
}

// What K, M or G multiplies by; 0: no such unit.
static uint64_t factor(char c, uint64_t kilo)
{
	switch (toupper((unsigned char)c)) {
	case 'K':
		return kilo;
	case 'M':
		return kilo * kilo;
	case 'G':
		return kilo * kilo * kilo;
	default:
		return 0;
	}
}

static int parse_number(
	const struct key *key,
	const char *value,
	uint64_t kilo,
	uint64_t limit,
	uint64_t *ret,
	struct err *err
)
{
	uint64_t v, unit = 1, max = key->max != 0 ? key->max : limit;
	const char *p;

	if (!key_digits(value, &p, &v))
		return key_bad(key, value, err);
	if (*p != '\0') {
		unit = factor(*p, kilo);
		if (unit == 0 || p[1] != '\0')
			return key_bad(key, value, err);
	}
	if (__builtin_mul_overflow(v, unit, &v) || v < key->min || v > max)
		return key_bad(key, value, err);
	*ret = v;
	return 0;
}

// A decimal fraction of units with up to nine digits behind the point: "1.5" of 1000 is 1500.
// units: what may follow, and what one of it is; ends with a NULL name. False: not that.
struct unit {
	const char *name;
	uint64_t size;
};

static bool parse_units(const char *value, const struct unit *units, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, scale = 1, v;
	const char *p = value;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(whole, 10, &whole)
		    || __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return false;
	}
	if (*p == '.') {
		if (!isdigit((unsigned char)*++p))
			return false;
		for (; isdigit((unsigned char)*p); p++) {
			if (scale == 1000000000)
				return false;
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	}
	while (*p == ' ')
		p++;
	for (; units->name != NULL; units++) {
		if (strcasecmp(p, units->name) == 0)
			break;
	}
	// part < 10^9 and no unit is larger than 10^9
	if (units->name == NULL || __builtin_mul_overflow(whole, units->size, &v)
	    || __builtin_add_overflow(v, part * units->size / scale, &v))
		return false;
	// a fraction of the smallest unit must not become a zero, which means something else
	if (v == 0 && (whole != 0 || part != 0))
		return false;
	*ret = v;
	return true;
}

static const struct unit rate_units[] = {
	{"", 1},
	{"pps", 1},
	{"k", 1000},
	{"kpps", 1000},
	{"M", 1000000},
	{"Mpps", 1000000},
	{"G", 1000000000},
	{"Gpps", 1000000000},
	{NULL},
};

static const struct unit time_units[] = {
	{"", 1000000000},
	{"s", 1000000000},
	{"ms", 1000000},
	{"us", 1000},
	{"ns", 1},
	{NULL},
};

static bool parse_bool(const char *value, bool *ret)
{
	bool yes = strcasecmp(value, "yes") == 0;

	if (!yes && strcasecmp(value, "no") != 0)
		return false;
	*ret = yes;
	return true;
}

static int nibble(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

// Six pairs of digits with ':' or '-' between them.
static bool parse_address(const char *s, uint8_t ret[6])
{
	char between = s[0] != '\0' && s[1] != '\0' ? s[2] : '\0';
	uint8_t addr[6];

	if (between != ':' && between != '-')
		return false;
	for (unsigned i = 0; i < 6; i++, s += 3) {
		int high = nibble(s[0]), low = high < 0 ? -1 : nibble(s[1]);

		if (low < 0 || s[2] != (i < 5 ? between : '\0'))
			return false;
		addr[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, addr, sizeof(addr));
	return true;
}

static bool parse_mac(const char *value, struct key_mac *ret)
{
	struct key_mac m = {.word = MAC_ADDRESS};

	if (strcasecmp(value, "hw") == 0 || strcasecmp(value, "hardware") == 0)
		m.word = MAC_HARDWARE;
	else if (strcasecmp(value, "packet") == 0)
		m.word = MAC_PACKET;
	else if (strcasecmp(value, "no") == 0)
		m.word = MAC_NO;
	else if (!parse_address(value, m.addr))
		return false;
	*ret = m;
	return true;
}

static int parse_hex(
	const struct key *key, const char *value, struct key_bytes *ret, struct err *err
)
{
	unsigned n = 0;

	for (const char *p = value; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		if (nibble(p[0]) < 0 || nibble(p[1]) < 0)
			return err_set(
				err,
				EINVAL,
				"%s=: '%.8s' in it is not two hexadecimal digits",
				key->name,
				p
			);
		n++;
		p++;
	}
	if (n == 0 || n > KEY_BYTES_MAX)
		return err_set(
			err, EINVAL, "%s=: %u bytes, wants 1..%d", key->name, n, KEY_BYTES_MAX
		);
	ret->len = 0;
	for (const char *p = value; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		ret->data[ret->len++] = (uint8_t)(nibble(p[0]) << 4 | nibble(p[1]));
		p++;
	}
	return 0;
}

static int parse_names(
	const struct key *key, const char *value, struct key_names *ret, struct err *err
)
{
	struct key_names names = {0};
	const char *p = value;

	for (bool more = true; more;) {
		size_t len = strcspn(p, ","), n = len;

		more = p[len] == ',';
		while (n > 0 && *p == ' ') {
			p++;
			n--;
			len--;
		}
		while (n > 0 && p[n - 1] == ' ')
			n--;
		if (n == 0)
			return err_set(err, EINVAL, "%s=: an empty name in the list", key->name);
		if (n >= KEY_NAME_MAX)
			return err_set(
				err,
				EINVAL,
				"%s=: the name '%.40s…' has more than %d characters",
				key->name,
				p,
				KEY_NAME_MAX - 1
			);
		if (names.n == KEY_NAMES_MAX)
			return err_set(
				err, EINVAL, "%s=: more than %d names", key->name, KEY_NAMES_MAX
			);
		memcpy(names.name[names.n], p, n);
		for (unsigned i = 0; i < names.n; i++) {
			if (strcmp(names.name[i], names.name[names.n]) == 0)
				return err_set(
					err,
					EINVAL,
					"%s=: '%s' is there twice",
					key->name,
					names.name[i]
				);
		}
		names.n++;
		p += len + 1;
	}
	*ret = names;
	return 0;
}

static bool parse_word(const struct key *key, const char *value, uint32_t *ret)
{
	for (uint32_t i = 0; key->words[i] != NULL; i++) {
		if (strcasecmp(value, key->words[i]) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

// The colour that the text begins with; *end is what follows. Of the first n.
static bool parse_colour(const char *s, unsigned n, const char **end, uint8_t *ret)
{
	static const char *const names[] = {"green", "yellow", "red", "drop"};

	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(s, names[i], len) == 0) {
			*end = s + len;
			*ret = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static bool parse_action(const char *value, struct key_actions *ret)
{
	uint8_t become, in, out;
	const char *p = value;

	if (!parse_colour(p, COLOURS + 1, &p, &become) || *p != ' ')
		return false;
	p += strspn(p, " ");
	if (strncasecmp(p, "io=", 3) != 0 || !parse_colour(p + 3, COLOURS, &p, &in) || *p != ',')
		return false;
	p += 1 + strspn(p + 1, " ");
	if (!parse_colour(p, COLOURS, &p, &out) || *p != '\0')
		return false;
	ret->said[in] |= (uint8_t)(1u << out);
	ret->become[in][out] = become;
	return true;
}

static int parse_text(const struct key *key, const char *value, char *ret, struct err *err)
{
	size_t len = strlen(value);

	if (len >= KEY_TEXT_MAX)
		return err_set(
			err,
			EINVAL,
			"%s=%.32s…: %zu characters, at most %d fit",
			key->name,
			value,
			len,
			KEY_TEXT_MAX - 1
		);
	memcpy(ret, value, len + 1);
	return 0;
}

int key_parse(const struct key *key, const char *value, void *base, struct err *err)
{
	void *to = (char *)base + key->offset;
	struct in_addr ip;
	uint64_t v;

	if (value[0] == '\0')
		return key_bad(key, value, err);
	switch (key->type) {
	case KEY_U32:
		if (parse_number(key, value, 1024, UINT32_MAX, &v, err) < 0)
			return -err->code;
		*(uint32_t *)to = (uint32_t)v;
		return 0;
	case KEY_U64:
		return parse_number(key, value, 1000, UINT64_MAX, to, err);
	case KEY_BOOL:
		return parse_bool(value, to) ? 0 : key_bad(key, value, err);
	case KEY_TEXT:
		return parse_text(key, value, to, err);
	case KEY_MAC:
		return parse_mac(value, to) ? 0 : key_bad(key, value, err);
	case KEY_IPV4:
		if (inet_pton(AF_INET, value, &ip) != 1)
			return key_bad(key, value, err);
		*(uint32_t *)to = ntohl(ip.s_addr);
		return 0;
	case KEY_RATE:
		return parse_units(value, rate_units, &((struct key_rate *)to)->pps)
			       ? 0
			       : key_bad(key, value, err);
	case KEY_TIME:
		return parse_units(value, time_units, to) ? 0 : key_bad(key, value, err);
	case KEY_HEX:
		return parse_hex(key, value, to, err);
	case KEY_PORTS:
		return parse_names(key, value, to, err);
	case KEY_WORD:
		return parse_word(key, value, to) ? 0 : key_bad(key, value, err);
	case KEY_ACT:
		return parse_action(value, to) ? 0 : key_bad(key, value, err);
	case KEY_RANDOM:
	case KEY_RANDOM_AT:
	case KEY_RANGE:
	case KEY_RANGE_AT:
	case KEY_IMIX:
	case KEY_LAYERS:
		return key_parse_gen(key, value, to, err);
	case KEY_POS:
		if (strcasecmp(value, "end") == 0) {
			*(uint32_t *)to = KEY_POS_END;
			return 0;
		}
		if (parse_number(key, value, 1024, KEY_POS_END - 1, &v, err) < 0)
			return -err->code;
		*(uint32_t *)to = (uint32_t)v;
		return 0;
	case KEY_TASKS:
		break;
	}
	return err_set(err, EINVAL, "%s=: a key of no known type", key->name);
}
