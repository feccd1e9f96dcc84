// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fills the schema of a document that has the options of a grant: fill DIRECTORY TEMPLATE, to standard output.
// In an object of a template
//   "$rows": "grant"           stands for the properties that grant/options.def has ("request": of a request)
//   "$grant": ["type", …]      stands for these members of the grant's schema, which is filled first
//   "$grant": "$defs"          stands for all of that member of it
// A member after such a word replaces what the word stands for; null takes it out.

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "grant/options.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>

static json_t *schema_of(const struct row *o)
{
	json_t *s = json_object(), *words = json_array();
	const char *help = o->help;

	if (o->type->schema != NULL)
		json_object_set_new(s, "$ref", json_sprintf("#/$defs/%s", o->type->schema));
	if (help != NULL)
		json_object_set_new(
			s,
			"description",
			json_sprintf("%c%s.", toupper((unsigned char)help[0]), help + 1)
		);
	if (o->max != 0) {
		json_object_set_new(s, "type", json_string("integer"));
		json_object_set_new(s, "minimum", json_integer((json_int_t)o->min));
		json_object_set_new(s, "maximum", json_integer((json_int_t)o->max));
	}
	for (const char *const *w = o->words; w != NULL && *w != NULL; w++) {
		if ((*w)[0] != '\0')
			json_array_append_new(words, json_string(*w));
	}
	if (o->words != NULL)
		json_object_set(s, "enum", words);
	json_decref(words);
	return s;
}

static json_t *rows_of(const json_t *form)
{
	bool grant = str_eq(json_string_value(form), "grant");
	json_t *all = json_object();
	const struct row *o;

	for (size_t i = 0; (o = option_row(i)) != NULL; i++) {
		const char *key = option_key(o, grant ? OPTION_GRANT : OPTION_REQUEST);

		if (key != NULL)
			json_object_set_new(all, key, schema_of(o));
	}
	return all;
}

static json_t *grant_of(const json_t *which, const json_t *grant)
{
	json_t *all = json_object(), *key;
	size_t i;

	if (json_is_string(which))
		json_object_update(all, json_object_get(grant, json_string_value(which)));
	json_array_foreach (which, i, key)
		json_object_set(
			all, json_string_value(key), json_object_get(grant, json_string_value(key))
		);
	return all;
}

// A new reference.
static json_t *filled(json_t *v, const json_t *grant)
{
	json_t *to, *member;
	const char *key;

	if (!json_is_object(v))
		return json_incref(v);
	to = json_object();
	json_object_foreach (v, key, member) {
		if (str_eq(key, "$rows"))
			json_object_update_new(to, rows_of(member));
		else if (str_eq(key, "$grant"))
			json_object_update_new(to, grant_of(member, grant));
		else if (json_is_null(member))
			json_object_del(to, key);
		else
			json_object_set_new(to, key, filled(member, grant));
	}
	return to;
}

int main(int argc, char **argv)
{
	_cleanup_json_ json_t *doc = NULL, *grant = NULL, *full_grant = NULL, *full = NULL;
	_cleanup_close_ int dir = argc == 3 ? open(argv[1], O_DIRECTORY | O_CLOEXEC) : -1;
	struct err err = {.msg = "say DIRECTORY TEMPLATE"};

	if (dir < 0 || jread_file(dir, argv[2], argv[2], &doc, &err) < 0
	    || jread_file(dir, "grant.json.in", "grant.json.in", &grant, &err) < 0) {
		fprintf(stderr, "fill: %s\n", err.msg);
		return 1;
	}
	full_grant = filled(grant, NULL);
	full = filled(doc, full_grant);
	return json_dumpf(full, stdout, JSON_INDENT(2)) < 0 || putchar('\n') == EOF;
}
