// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Words: yes or no, one of a few, any.

#include "config/key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int parse_bool(const struct key *, const char *value, void *to, struct err *)
{
	bool yes = strcasecmp(value, "yes") == 0;

	if (!yes && strcasecmp(value, "no") != 0)
		return KEY_WRONG;
	*(bool *)to = yes;
	return 0;
}

static int parse_word(const struct key *key, const char *value, void *to, struct err *)
{
	for (uint32_t i = 0; key->words[i] != NULL; i++) {
		if (strcasecmp(value, key->words[i]) == 0) {
			*(uint32_t *)to = i;
			return 0;
		}
	}
	return KEY_WRONG;
}

static void words_text(const struct key *key, char *buf, size_t len)
{
	size_t at = 0;

	for (unsigned i = 0; key->words[i] != NULL && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%s", i > 0 ? "|" : "", key->words[i]);
}

static int parse_text(const struct key *key, const char *value, void *to, struct err *err)
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
	memcpy(to, value, len + 1);
	return 0;
}

static void text_text(const struct key *, char *buf, size_t len)
{
	snprintf(buf, len, "text of up to %d characters", KEY_TEXT_MAX - 1);
}

const struct key_kind kind_bool = {.type = "bool", .text = "yes|no", .parse = parse_bool};
const struct key_kind kind_word = {.type = "word", .describe = words_text, .parse = parse_word};
const struct key_kind kind_text = {.type = "text", .describe = text_text, .parse = parse_text};
