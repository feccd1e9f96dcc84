// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/hint.h"

#include "base/scope.h"

#include <stdio.h>
#include <string.h>

// Keys of DPPD and PROX that drover does without, and what to say instead: no key of ours that sounds alike.
static const char *elsewhere(const char *word)
{
	static const struct {
		const char *name, *instead;
	} keys[] = {
		{"min bulk size", "a generator sends what is due: leave it out"},
		{"max bulk size", "burst= is the most that a generator sends at once"},
		{"bulk size", "burst= is the most that a generator sends at once"},
		{"accuracy pos", "lat pos= is enough: the meter has its time there too"},
		{"packet id pos", "lat pos= is enough: the meter has its number there too"},
		{"sig pos", "lat pos= is enough: the meter has its mark there too"},
		{"signature", "lat pos= is enough: the meter has its mark there too"},
		{"bucket size", "buckets=yes reports the whole histogram"},
		{"rx ring", "rings of another DPDK process are not taken: use memif:"},
		{"tx ring", "rings of another DPDK process are not taken: use memif:"},
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (key_name_eq(keys[i].name, word))
			return keys[i].instead;
	}
	return NULL;
}

const char *hint_key(
	char buf[static HINT_MAX],
	const char *word,
	const struct key *a,
	const struct key *b,
	const char *const *more
)
{
	const char *words[128], *instead = elsewhere(word);
	size_t n = 0;

	if (instead != NULL) {
		snprintf(buf, HINT_MAX, "; %s", instead);
		return buf;
	}
	for (; a != NULL && a->name != NULL && n + 1 < ARRAY_LEN(words); a++)
		words[n++] = a->name;
	for (; b != NULL && b->name != NULL && n + 1 < ARRAY_LEN(words); b++)
		words[n++] = b->name;
	for (; more != NULL && *more != NULL && n + 1 < ARRAY_LEN(words); more++)
		words[n++] = *more;
	words[n] = NULL;
	return hint(buf, word, words);
}

// None is near: as many as there is room for.
static void list(char buf[static HINT_MAX], const char *const *words)
{
	size_t len = 0;

	for (unsigned i = 0; words[i] != NULL; i++) {
		const char *before = i == 0 ? "; there is" : ",";

		// and room for ", …"
		if (len + strlen(before) + strlen(words[i]) + 8 >= HINT_MAX) {
			snprintf(buf + len, HINT_MAX - len, ", …");
			return;
		}
		snprintf(buf + len, HINT_MAX - len, "%s '%s'", before, words[i]);
		len += strlen(buf + len);
	}
}

const char *hint_or_list(char buf[static HINT_MAX], const char *word, const char *const *words)
{
	if (hint(buf, word, words)[0] == '\0' && words[0] != NULL)
		list(buf, words);
	return buf;
}
