// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Options of one value.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "grant/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// ---- names and other text

static int parse_text(const struct reading *r, const char *text, struct err *err)
{
	if (r->row->noun != NULL && name_check(r->row->noun, text, err) < 0)
		return -err->code;
	if (text[0] == '\0' || strlen(text) >= r->row->size)
		return err_set(err, EINVAL, "%s '%.64s': empty or too long", r->who, text);
	strcpy(option_at(r->row, r->all), text);
	return 0;
}

static const char *text_of(const struct row *o, const void *all, unsigned, char *)
{
	return option_at(o, all);
}

const struct option_type option_name = {.parse = parse_text, .text = text_of, .schema = "name"};
const struct option_type option_text = {.parse = parse_text, .text = text_of, .schema = "text"};

// "default", "strict:FILE" or "FILE", FILE being absolute. "default" is kept as "".
static int parse_seccomp(const struct reading *r, const char *text, struct err *err)
{
	const char *file = str_starts(text, "strict:") ? text + 7 : text;
	char *to = option_at(r->row, r->all);

	if (str_eq(text, "default")) {
		memset(to, 0, r->row->size);
		return 0;
	}
	if (file[0] != '/' && !str_eq(text, "aio"))
		return err_set(
			err,
			EINVAL,
			"seccomp '%.64s': write default, aio, strict:FILE or FILE, with the "
			"absolute path of the file",
			text
		);
	if (strlen(text) >= r->row->size)
		return err_set(
			err,
			ENAMETOOLONG,
			"seccomp '%.64s…': longer than %zu bytes",
			text,
			r->row->size - 1
		);
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			return err_set(
				err,
				EINVAL,
				"seccomp '%.64s': a path of printable ASCII is wanted",
				text
			);
	}
	strcpy(to, text);
	return 0;
}

const struct option_type option_seccomp = {
	.parse = parse_seccomp, .text = text_of, .schema = "seccomp"};

// ---- numbers

static uint64_t number_of(const struct row *o, const void *all)
{
	uint64_t v = 0;

	memcpy(&v, option_at(o, all), o->size
	); // x86 and what else pinfold runs on: low bytes first
	return v;
}

void option_set_number(const struct row *o, void *all, uint64_t v)
{
	memcpy(option_at(o, all), &v, o->size);
}

int option_parse_number(
	const char *who,
	const char *text,
	uint64_t min,
	uint64_t max,
	uint64_t *ret,
	struct err *err
)
{
	uint64_t v = 0;
	const char *p = text;

	for (; isdigit((unsigned char)*p) && v <= max; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == text || *p != '\0' || v < min || v > max)
		return err_set(
			err,
			EINVAL,
			"%s '%.64s': not a whole number from %llu to %llu",
			who,
			text,
			(unsigned long long)min,
			(unsigned long long)max
		);
	*ret = v;
	return 0;
}

static int parse_number(const struct reading *r, const char *text, struct err *err)
{
	uint64_t v;

	if (option_parse_number(r->who, text, r->row->min, r->row->max, &v, err) < 0)
		return -err->code;
	option_set_number(r->row, r->all, v);
	return 0;
}

// 0 is refused too: it means "not said" only in the struct.
static int read_number(const struct reading *r, struct err *err)
{
	uint64_t v = 0;

	if (jread_u64(r->doc, r->what, r->key, true, r->row->max, &v, err) < 0)
		return -err->code;
	if (v < r->row->min)
		return err_set(
			err,
			EINVAL,
			"read %s: '%s' is %llu, not a number from %llu on",
			r->what,
			r->key,
			(unsigned long long)v,
			(unsigned long long)r->row->min
		);
	option_set_number(r->row, r->all, v);
	return 0;
}

static json_t *write_number(const struct row *o, const void *all, unsigned)
{
	return json_integer((json_int_t)number_of(o, all));
}

static const char *number_text(const struct row *o, const void *all, unsigned, char *buf)
{
	snprintf(buf, SIZE_STR, "%llu", (unsigned long long)number_of(o, all));
	return buf;
}

const struct option_type option_number = {
	.parse = parse_number, .read = read_number, .write = write_number, .text = number_text};

static int parse_size(const struct reading *r, const char *text, struct err *err)
{
	uint64_t v;

	if (size_parse(text, &v, err) < 0)
		return err_wrap(err, "%s", r->who);
	if (v == 0) // means "not said" only in the struct
		return err_set(err, EINVAL, "%s '%s': no size above 0", r->who, text);
	option_set_number(r->row, r->all, v);
	return 0;
}

static const char *size_text(const struct row *o, const void *all, unsigned, char *buf)
{
	return size_format(number_of(o, all), buf);
}

const struct option_type option_size = {.parse = parse_size, .text = size_text, .schema = "size"};

// ---- one of some words; no text stands for the first one where that is empty

static int parse_word(const struct reading *r, const char *text, struct err *err)
{
	const struct row *o = r->row;

	for (unsigned i = 0; o->words[i] != NULL; i++) {
		if (text[0] != '\0' && str_eq(o->words[i], text)) {
			option_set_number(o, r->all, i);
			return 0;
		}
	}
	return err_set(
		err, EINVAL, "%s '%.32s'%s", o->name != NULL ? o->name : o->key, text, o->wrong
	);
}

static const char *word_text(const struct row *o, const void *all, unsigned, char *)
{
	return o->words[number_of(o, all)];
}

const struct option_type option_word = {.parse = parse_word, .text = word_text};

// ---- sets of CPUs or nodes

static int parse_list(const struct reading *r, const char *text, struct err *err)
{
	struct idset set;

	if (idset_parse(text, &set, err) < 0)
		return err_wrap(err, "%s", r->who);
	// a grant may have no CPU of its own
	if (idset_empty(&set) && r->form == OPTION_REQUEST)
		return err_set(err, EINVAL, "%s: the list is empty", r->who);
	*(struct idset *)option_at(r->row, r->all) = set;
	return 0;
}

static json_t *write_list(const struct row *o, const void *all, unsigned)
{
	return json_idset(option_at(o, all));
}

static const char *list_text(const struct row *o, const void *all, unsigned, char *buf)
{
	return idset_format(option_at(o, all), buf, IDSET_STR);
}

static const char *shared_text(const struct row *o, const void *all, unsigned, char *buf)
{
	size_t n = strlen(idset_format(option_at(o, all), buf, IDSET_STR));

	snprintf(
		buf + n,
		IDSET_STR - n,
		" shared (pool '%s')",
		((const struct grant *)all)->shared_pool
	);
	return buf;
}

const struct option_type option_list = {.parse = parse_list, .text = list_text, .schema = "list"};
const struct option_type option_shared = {
	.parse = parse_list, .write = write_list, .text = shared_text, .schema = "list"};
