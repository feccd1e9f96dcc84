// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "explain/explain.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define LINE_LEN 2048

const struct known_message *explain_line(const char *line)
{
	char pattern[256];

	for (size_t i = 0; i < known_messages_n; i++) {
		snprintf(pattern, sizeof(pattern), "*%s*", known_messages[i].like);
		if (fnmatch(pattern, line, FNM_NOESCAPE) == 0)
			return &known_messages[i];
	}
	return NULL;
}

const struct known_message *explain_text(const char *text)
{
	const struct known_message *m = NULL;

	while (m == NULL && *text != '\0') {
		size_t length = strcspn(text, "\n");
		char line[LINE_LEN];

		snprintf(
			line,
			sizeof(line),
			"%.*s",
			(int)(length < LINE_LEN ? length : LINE_LEN - 1),
			text
		);
		m = explain_line(line);
		text += length + (text[length] == '\n');
	}
	return m;
}
