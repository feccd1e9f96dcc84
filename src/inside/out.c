// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/out.h"

#include "base/scope.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 26

// Names from the kernel may be anything, and what is shown may be shown on the terminal of somebody outside.
// JSON: RFC 8259, section 7.
static void put_text(const char *text, bool json)
{
	_cleanup_free_ char *s = strdup(text);

	if (s == NULL)
		return;
	str_plain(s);
	for (const char *c = s; *c != '\0'; c++) {
		if (json && (*c == '"' || *c == '\\'))
			putchar('\\');
		putchar(*c);
	}
}

static bool in_list(const struct out *o)
{
	return o->depth > 0 && o->closer[o->depth - 1] == ']';
}

// The label of a line of text: the keys that lead here.
static void put_label(const struct out *o, const char *key)
{
	int n = 0;

	for (unsigned i = 0; i < o->depth; i++)
		if (o->path[i][0] != '\0')
			n += printf("%s%s", n > 0 ? " " : "", o->path[i]);
	if (key != NULL)
		n += printf("%s%s", n > 0 ? " " : "", key);
	printf("%*s", n < LABEL_WIDTH ? LABEL_WIDTH - n : 1, "");
}

// What stands before a value or an opening bracket.
static void before(struct out *o, const char *key, bool scalar)
{
	bool filled = o->depth > 0 && o->filled[o->depth - 1];

	if (o->depth > 0)
		o->filled[o->depth - 1] = true;
	if (o->json) {
		if (filled)
			putchar(',');
		if (key != NULL)
			printf("\"%s\":", key);
	} else if (scalar && o->row > 0 && o->table) {
		fputs(filled ? "  " : "", stdout);
	} else if (scalar && o->row > 0) {
		printf("%s%s ", filled ? "  " : "", key);
	} else if (scalar) {
		put_label(o, key);
	}
}

static void after(const struct out *o)
{
	if (!o->json && o->row == 0)
		putchar('\n');
}

static void open_bracket(struct out *o, const char *key, char opener, char closer)
{
	bool row = !o->json && in_list(o);

	before(o, key, false);
	if (o->json)
		putchar(opener);
	if (row && !o->table)
		put_label(o, NULL);
	o->filled[o->depth] = false;
	o->closer[o->depth] = closer;
	o->path[o->depth] = key != NULL ? key : "";
	o->depth++;
	if (row)
		o->row = o->depth;
}

void out_object(struct out *o, const char *key)
{
	open_bracket(o, key, '{', '}');
}

void out_list(struct out *o, const char *key)
{
	open_bracket(o, key, '[', ']');
}

void out_end(struct out *o)
{
	if (o->json) {
		putchar(o->closer[o->depth - 1]);
		if (o->depth == 1)
			putchar('\n');
	} else if (o->row == o->depth) {
		o->row = 0;
		putchar('\n');
	} else if (in_list(o) && !o->filled[o->depth - 1]) {
		put_label(o, NULL);
		puts("-");
	}
	o->depth--;
}

static void put_string(const struct out *o, const char *s)
{
	if (o->json)
		putchar('"');
	put_text(s, o->json);
	if (o->json)
		putchar('"');
}

void out_strings(struct out *o, const char *key, char *const *values, size_t n)
{
	before(o, key, true);
	if (o->json)
		putchar('[');
	else if (n == 0)
		putchar('-');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			putchar(o->json ? ',' : ' ');
		put_string(o, values[i]);
	}
	if (o->json)
		putchar(']');
	after(o);
}

void out_str(struct out *o, const char *key, const char *value)
{
	before(o, key, true);
	if (o->json && value == NULL)
		fputs("null", stdout);
	else
		put_string(o, o->json || (value != NULL && *value != '\0') ? value : "-");
	after(o);
}

void out_cell(struct out *o, const char *key, const char *value, int width)
{
	int pad = o->json ? 0 : width - (int)strlen(value);

	out_str(o, key, value);
	printf("%*s", pad > 0 ? pad : 0, "");
}

void out_u64(struct out *o, const char *key, uint64_t value)
{
	before(o, key, true);
	printf("%" PRIu64, value);
	after(o);
}

void out_bool(struct out *o, const char *key, bool value)
{
	before(o, key, true);
	fputs(o->json ? (value ? "true" : "false") : (value ? "yes" : "no"), stdout);
	after(o);
}
