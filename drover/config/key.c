// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/key.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

bool key_name_eq(const char *a, const char *b)
{
	for (;;) {
		// a run of blanks counts as one
		if (*a == ' ' && *b == ' ') {
			while (*a == ' ')
				a++;
			while (*b == ' ')
				b++;
		}
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

const struct key *key_find(const struct key *table, const char *name)
{
	for (; table != NULL && table->name != NULL; table++) {
		if (key_name_eq(table->name, name))
			return table;
	}
	return NULL;
}

const struct key *key_of_role(const struct key *table, enum key_role role)
{
	for (; table != NULL && table->name != NULL; table++) {
		if (table->role == role)
			return table;
	}
	return NULL;
}

const char *key_type_text(const struct key *key, char *buf, size_t len)
{
	if (key->kind->describe != NULL)
		key->kind->describe(key, buf, len);
	else
		snprintf(buf, len, "%s", key->kind->text);
	return buf;
}

int key_parse(const struct key *key, const char *value, void *base, struct err *err)
{
	char type[160];
	int r = KEY_WRONG;

	if (value[0] != '\0')
		r = key->kind->parse(key, value, (char *)base + key->offset, err);
	if (r != KEY_WRONG)
		return r;
	return err_set(
		err,
		EINVAL,
		"%s=%.64s: wants %s",
		key->name,
		value,
		key_type_text(key, type, sizeof(type))
	);
}
