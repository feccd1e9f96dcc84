// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Strings: formatting, names, text that is safe for a terminal.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A new string (free it), or NULL when memory is out.
char *str_printf(const char *fmt, ...) printf_like(1, 2);

// Appends to the text in buf, with `between` before it where there is one already. What does not fit is cut.
void str_add(char *buf, size_t room, const char *between, const char *fmt, ...) printf_like(4, 5);

// The next part of a text, NULL: of none.
static inline char *str_part(char *text, const char *stops, char **rest)
{
	return text != NULL || *rest != NULL ? strtok_r(text, stops, rest) : NULL;
}

// For each part of a text between characters of `stops`, empty ones left out. It cuts the text up; NULL has none.
#define str_foreach(part, text, stops)                                                            \
	for (char *part##_rest = NULL, *part = str_part(text, stops, &part##_rest); part != NULL; \
	     part = str_part(NULL, stops, &part##_rest))

// A grant, pool or link is named by 1..NAME_MAX_LEN characters of [a-z0-9._-], the first a letter or
// digit: names become file names, cgroup names and host names.
#define NAME_MAX_LEN 48
int name_check(const char *what, const char *name, struct err *err);

// Makes text of others safe for a person's terminal, in place and in its length: control characters, also
// those from U+0080 on, and characters that turn the direction of a line round or take no room become
// spaces; what is no UTF-8 becomes question marks.
void str_plain(char *s);

// As a shell reads it as one word of just these characters: in single quotes, unless it needs none. A new string, or
// NULL when memory is out. For each name in a command that is printed for somebody to paste.
char *str_quote(const char *s);

bool str_eq(const char *a, const char *b);

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) with 64 bits. NULL: as "".
uint64_t str_hash(const char *text);
bool str_starts(const char *s, const char *prefix);
