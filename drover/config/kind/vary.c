// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fields of the generator's packets that vary.

#include "config/key.h"

#include "config/hint.h"
#include "config/kind/digits.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	unsigned bits;
} fields[FIELD_END] = {
	[FIELD_NONE] = {"", 32},
	[FIELD_DST_MAC] = {"dst mac", 32},
	[FIELD_SRC_MAC] = {"src mac", 32},
	[FIELD_VLAN] = {"vlan", 12},
	[FIELD_SVLAN] = {"svlan", 12},
	[FIELD_CVLAN] = {"cvlan", 12},
	[FIELD_LABEL] = {"label", 20},
	[FIELD_OUTER_SRC] = {"outer src ip", 32},
	[FIELD_OUTER_DST] = {"outer dst ip", 32},
	[FIELD_GRE_KEY] = {"gre key", 32},
	[FIELD_SRC_IP] = {"src ip", 32},
	[FIELD_DST_IP] = {"dst ip", 32},
	[FIELD_SRC_PORT] = {"src port", 16},
	[FIELD_DST_PORT] = {"dst port", 16},
};

const char *key_field_name(enum key_field field)
{
	return fields[field].name;
}

unsigned key_field_bits(enum key_field field)
{
	return fields[field].bits;
}

// The field of that name, of n characters; '_' counts as a blank.
static int parse_field(
	const struct key *key, const char *s, size_t n, enum key_field *ret, struct err *err
)
{
	const char *words[FIELD_END];
	char name[32], buf[HINT_MAX];

	snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name)), s);
	for (char *p = name; *p != '\0'; p++) {
		if (*p == '_')
			*p = ' ';
	}
	for (unsigned i = FIELD_NONE + 1; i < FIELD_END; i++) {
		words[i - 1] = fields[i].name;
		if (n < sizeof(name) && key_name_eq(name, fields[i].name)) {
			*ret = (enum key_field)i;
			return 0;
		}
	}
	words[FIELD_END - 1] = NULL;
	return err_set(
		err, EINVAL, "%s=: no field '%s'%s", key->name, name, hint(buf, name, words)
	);
}

// A number or an IPv4 address at *s, which then is behind it.
static bool parse_value(const char **s, uint32_t *ret)
{
	size_t len = strspn(*s, "0123456789.");
	char text[INET_ADDRSTRLEN];
	struct in_addr ip;
	uint64_t v;

	if (memchr(*s, '.', len) == NULL) {
		if (!key_digits(*s, s, &v) || v > UINT32_MAX)
			return false;
		*ret = (uint32_t)v;
		return true;
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, *s, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &ip) != 1)
		return false;
	*ret = ntohl(ip.s_addr);
	*s += len;
	return true;
}

// Whether the word is next; then *s is behind it and its blanks.
static bool take_word(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncasecmp(*s, word, n) != 0 || ((*s)[n] != ' ' && (*s)[n] != '\0'))
		return false;
	*s = skip_blanks(*s + n);
	return true;
}

// "FROM-TO".
static bool parse_from_to(const char **s, struct key_vary_field *f)
{
	if (!parse_value(s, &f->from))
		return false;
	*s = skip_blanks(*s);
	if (*(*s)++ != '-')
		return false;
	*s = skip_blanks(*s);
	return parse_value(s, &f->to) && f->from <= f->to;
}

static int check_limits(const struct key *key, const struct key_vary_field *f, struct err *err)
{
	unsigned bits = f->field != FIELD_NONE ? key_field_bits(f->field) : 8u * f->len;

	if (bits < 32 && f->to >> bits != 0)
		return err_set(
			err,
			EINVAL,
			"%s=: %u does not fit the %u bits of the field",
			key->name,
			f->to,
			bits
		);
	return 0;
}

// "step N", "width BYTES", "carry" in any order, to the end.
static bool parse_words(const char *s, struct key_vary_field *f)
{
	uint64_t v;

	while (*(s = skip_blanks(s)) != '\0') {
		if (take_word(&s, "carry")) {
			f->carry = true;
		} else if (take_word(&s, "step") && key_digits(s, &s, &v)) {
			if (v == 0 || v > UINT32_MAX)
				return false;
			f->step = (uint32_t)v;
		} else if (f->field == FIELD_NONE && take_word(&s, "width") && key_digits(s, &s, &v)) {
			if (v == 0 || v > 4)
				return false;
			f->len = (uint8_t)v;
		} else {
			return false;
		}
	}
	return true;
}

// One more in the list, if the one before it is complete.
static int add_field(
	const struct key *key, struct key_vary *v, const struct key_vary_field *f, struct err *err
)
{
	const struct key_vary_field *last = v->n > 0 ? &v->field[v->n - 1] : NULL;

	if (v->n == KEY_VARY_MAX)
		return err_set(
			err, EINVAL, "%s=: more than %d fields vary", key->name, KEY_VARY_MAX
		);
	if (last != NULL && !last->placed)
		return err_set(
			err,
			EINVAL,
			"%s=: the one before it has no %s=",
			key->name,
			last->range ? "range_offset" : "rand_offset"
		);
	if (f->carry && (last == NULL || !last->range))
		return err_set(
			err, EINVAL, "%s=: carry: there is no range= right before it", key->name
		);
	v->field[v->n++] = *f;
	return 0;
}

static int parse_range(const struct key *key, const char *value, void *to, struct err *err)
{
	struct key_vary_field f = {.range = true, .step = 1};
	const char *colon = strchr(value, ':'), *s = value;

	if (!isdigit((unsigned char)value[0])) {
		if (colon == NULL)
			return KEY_WRONG;
		if (parse_field(key, value, (size_t)(colon - value), &f.field, err) < 0)
			return -err->code;
		s = skip_blanks(colon + 1);
		f.placed = true;
	}
	if (!parse_from_to(&s, &f) || (*s != '\0' && *s != ' ') || !parse_words(s, &f))
		return KEY_WRONG;
	// as many bytes as the largest value needs
	if (f.field == FIELD_NONE && f.len == 0)
		f.len = (uint8_t)(f.to > 0xffffff ? 4 : f.to > 0xffff ? 3 : f.to > 0xff ? 2 : 1);
	if (check_limits(key, &f, err) < 0)
		return -err->code;
	return add_field(key, to, &f, err);
}

// One character a bit: "0000XXXX".
static int parse_bits(const struct key *key, const char *value, struct key_vary *v, struct err *err)
{
	struct key_vary_field f = {.bits = true};
	size_t len = strlen(value);

	if (len > 32 || len % 8 != 0)
		return KEY_WRONG;
	for (size_t i = 0; i < len; i++) {
		f.fixed = f.fixed << 1 | (value[i] == '1');
		f.mask = f.mask << 1 | (value[i] == 'X' || value[i] == 'x');
	}
	f.len = (uint8_t)(len / 8);
	return add_field(key, v, &f, err);
}

static int parse_random(const struct key *key, const char *value, void *to, struct err *err)
{
	struct key_vary_field f = {.placed = true};
	const char *colon = strchr(value, ':'), *s;

	if (value[strspn(value, "01Xx")] == '\0')
		return parse_bits(key, value, to, err);
	if (isdigit((unsigned char)value[0]))
		return KEY_WRONG;
	if (parse_field(
		    key,
		    value,
		    colon != NULL ? (size_t)(colon - value) : strlen(value),
		    &f.field,
		    err
	    )
	    < 0)
		return -err->code;
	f.to = UINT32_MAX >> (32 - key_field_bits(f.field));
	if (colon != NULL) {
		s = skip_blanks(colon + 1);
		if (!parse_from_to(&s, &f) || *s != '\0')
			return KEY_WRONG;
	}
	if (check_limits(key, &f, err) < 0)
		return -err->code;
	return add_field(key, to, &f, err);
}

static int parse_place(const struct key *key, const char *value, void *to, struct err *err)
{
	struct key_vary *v = to;
	bool range = key->kind == &kind_range_at;
	const char *end;
	uint64_t at;

	if (!key_digits(value, &end, &at) || *end != '\0' || at >= KEY_BYTES_MAX)
		return KEY_WRONG;
	if (v->n == 0 || v->field[v->n - 1].placed || v->field[v->n - 1].range != range)
		return err_set(
			err,
			EINVAL,
			"%s= stands behind its %s=",
			key->name,
			range ? "range" : "random"
		);
	v->field[v->n - 1].at = (uint16_t)at;
	v->field[v->n - 1].placed = true;
	return 0;
}

static void at_text(const struct key *key, char *buf, size_t len)
{
	snprintf(
		buf,
		len,
		"number 0..%d, behind its %s=",
		KEY_BYTES_MAX - 1,
		key->kind == &kind_range_at ? "range" : "random"
	);
}

const struct key_kind kind_random = {
	.type = "random",
	.text = "a field, as svlan or svlan:1-64, or 8, 16, 24 or 32 characters 0, 1 or X "
		"(random); "
		"may be repeated",
	.parse = parse_random,
	.repeats = true,
};
const struct key_kind kind_range = {
	.type = "range",
	.text = "FIELD:FROM-TO or FROM-TO, and behind it step N, width BYTES, carry; may be "
		"repeated",
	.parse = parse_range,
	.repeats = true,
};
const struct key_kind kind_random_at = {
	.type = "number",
	.describe = at_text,
	.parse = parse_place,
	.repeats = true,
};
const struct key_kind kind_range_at = {
	.type = "number",
	.describe = at_text,
	.parse = parse_place,
	.repeats = true,
};
