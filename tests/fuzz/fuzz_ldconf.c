// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Any text as a file of ld.so.conf: folders are absolute paths, patterns single words, none more than a line.

#include "fuzz.h"

#include "image/ldconf.h"

static int take(enum ldconf_word what, const char *word, void *arg)
{
	unsigned *left = arg;

	must(word[0] != '\0' && strpbrk(word, "#\n") == NULL);
	if (what == LDCONF_DIR)
		must(word[0] == '/' && strchr(word, '=') == NULL);
	else
		must(what == LDCONF_INCLUDE && strpbrk(word, " \t") == NULL);
	must(word[strlen(word) - 1] != ' ');
	return (*left)-- == 0 ? 7 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	unsigned left = len > 0 ? data[0] : 0, before = left;
	int r = ldconf_parse(text, take, &left);

	must(r == 0 || (r == 7 && left == UINT32_MAX));
	must(r != 0 || left <= before);
	return 0;
}
