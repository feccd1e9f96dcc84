// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/wrap.h"

#include "base/str.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS 80
#define LABEL_MAX 32	// a text that begins later than that has a line of its own …
#define LABEL_COLUMN 26 // … from here on
#define FURTHER 4	// a line is more of a row when it begins so much further in
#define USAGE "Usage: "

struct line {
	const char *s;
	size_t len, indent;
	size_t end, text; // where its label ends, and where what it means begins; 0: it has none
};

static struct line line_at(const char *s)
{
	struct line l = {.s = s, .len = strcspn(s, "\n")};
	size_t gap;

	l.indent = strspn(s, " ");
	for (gap = l.indent; gap + 1 < l.len; gap++) {
		if (s[gap] == ' ' && s[gap + 1] == ' ') {
			l.end = gap;
			l.text = gap + strspn(s + gap, " ");
			break;
		}
	}
	return l;
}

static const char *after(const struct line *l)
{
	return l->s[l->len] == '\n' ? l->s + l->len + 1 : l->s + l->len;
}

struct cursor {
	size_t at, hang; // the column, and where further lines begin
	bool word;	 // there is one before it on its line
};

static void print_words(struct cursor *c, const char *s, size_t len)
{
	const char *end = s + len;

	while (s += strspn(s, " "), s < end) {
		size_t n = strcspn(s, " \n");

		if (c->word && c->at + 1 + n > COLUMNS) {
			printf("\n%*s", (int)c->hang, "");
			c->at = c->hang;
			c->word = false;
		}
		printf(c->word ? " %.*s" : "%.*s", (int)n, s);
		c->at += n + (c->word ? 1 : 0);
		c->word = true;
		s += n;
	}
}

// The lines from the first to end, which belong together.
static void print_part(const struct line *first, const char *end, size_t hang)
{
	size_t label = first->text != 0 ? first->text : first->indent;
	struct cursor c = {.at = label, .hang = hang};
	struct line l = *first;

	if (first->text > LABEL_MAX) {
		c.at = c.hang = LABEL_COLUMN;
		printf("%.*s\n%*s", (int)first->end, first->s, (int)c.at, "");
	} else {
		printf("%.*s", (int)label, first->s);
	}
	print_words(&c, l.s + label, l.len - label);
	while (after(&l) < end) {
		l = line_at(after(&l));
		print_words(&c, l.s, l.len);
	}
	putchar('\n');
}

void wrap_print(const char *text)
{
	bool usage = false;

	while (*text != '\0') {
		struct line first = line_at(text), l = first;
		const char *end = after(&first);
		bool wide = first.len > COLUMNS;

		usage = str_starts(text, USAGE) || (usage && first.indent == strlen(USAGE));
		if (usage)
			first.text = 0;
		while (!usage && first.len > 0 && *end != '\0') {
			l = line_at(end);
			if (l.len == 0
			    || (first.text != 0
					? l.indent < first.indent + FURTHER
					: l.indent != 0 || first.indent != 0 || l.text != 0))
				break;
			wide = wide || l.len > COLUMNS;
			end = after(&l);
		}
		if (wide)
			print_part(
				&first,
				end,
				usage		  ? strlen(USAGE) + FURTHER
				: first.text != 0 ? first.text
						  : first.indent
			);
		else
			printf(end[-1] == '\n' ? "%.*s" : "%.*s\n", (int)(end - text), text);
		text = end;
	}
}
