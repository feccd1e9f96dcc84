// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "explain/tables.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define LINE_LEN 2048

const struct known_message *explain_message(size_t i)
{
	static const struct messages *const tables[] = {
		&eal_messages, &devices_messages, &qemu_messages, &engines_messages};

	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		if (i < tables[t]->n)
			return &tables[t]->list[i];
		i -= tables[t]->n;
	}
	return NULL;
}

const struct known_message *explain_line(const char *line)
{
	const struct known_message *m;
	char pattern[256];

	for (size_t i = 0; (m = explain_message(i)) != NULL; i++) {
		snprintf(pattern, sizeof(pattern), "*%s*", m->like);
		if (fnmatch(pattern, line, FNM_NOESCAPE) == 0)
			return m;
	}
	return NULL;
}

const struct known_message *explain_text(const char *text)
{
	const struct known_message *faint = NULL;

	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		const struct known_message *m;
		char line[LINE_LEN];

		snprintf(
			line,
			sizeof(line),
			"%.*s",
			(int)(length < LINE_LEN ? length : LINE_LEN - 1),
			text
		);
		m = explain_line(line);
		if (m != NULL && !m->faint)
			return m;
		if (faint == NULL)
			faint = m;
		text += length + (text[length] == '\n');
	}
	return faint;
}
