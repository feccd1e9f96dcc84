// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/tuned_file.h"

#include <string.h>

static const char blank[] = " \t\r\n\f\v";

// The next line with something in it besides a comment.
static bool read_line(struct tuned_file *t)
{
	size_t n;

	if (t->held) {
		t->held = false;
		return true;
	}
	while (t->f != NULL && fgets(t->line, sizeof(t->line), t->f) != NULL) {
		const char *first = t->line + strspn(t->line, blank);

		if (*first == '#' || *first == ';')
			continue;
		for (char *c = strchr(t->line, '#'); c != NULL; c = strchr(c + 1, '#')) {
			if (strchr(blank, c[-1]) != NULL) {
				*c = '\0';
				break;
			}
		}
		for (n = strlen(t->line); n > 0 && strchr(blank, t->line[n - 1]) != NULL; n--)
			t->line[n - 1] = '\0';
		if (n > 0)
			return true;
	}
	return false;
}

static void copy(char *to, size_t room, const char *from, size_t n)
{
	snprintf(to, room, "%.*s", (int)n, from);
}

bool tuned_file_next(struct tuned_file *t)
{
	while (read_line(t)) {
		char *key = t->line + strspn(t->line, blank), *end = strchr(key, '=');
		size_t n;

		if (*key == '[') {
			copy(t->section, sizeof(t->section), key + 1, strcspn(key + 1, "]"));
			continue;
		}
		if (end == NULL)
			continue;
		for (n = (size_t)(end - key); n > 0 && strchr(blank, key[n - 1]) != NULL; n--)
			;
		copy(t->key, sizeof(t->key), key, n);
		end += 1 + strspn(end + 1, blank);
		copy(t->value, sizeof(t->value), end, strlen(end));
		while (read_line(t)) {
			n = strlen(t->value);
			t->held = strchr(blank, t->line[0]) == NULL;
			if (t->held)
				break;
			snprintf(
				t->value + n,
				sizeof(t->value) - n,
				" %s",
				t->line + strspn(t->line, blank)
			);
		}
		return true;
	}
	return false;
}
