// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// `drover modes`: what the tables of the modes say, for people and as JSON.

#include "base/hint.h"
#include "base/scope.h"
#include "base/str.h"
#include "config/section/section.h"
#include "task/task.h"

#include <jansson.h>
#include <stdio.h>

static json_t *key_json(const struct key *key)
{
	char text[160];
	json_t *j = json_pack(
		"{s:s, s:s, s:s, s:s}",
		"name",
		key->name,
		"type",
		key->kind->type,
		"takes",
		key_type_text(key, text, sizeof(text)),
		"help",
		key->help != NULL ? key->help : ""
	);

	if (key->kind->has_range) {
		json_object_set_new(j, "min", json_integer((json_int_t)key->min));
		if (key->max != 0)
			json_object_set_new(j, "max", json_integer((json_int_t)key->max));
	}
	return j;
}

static json_t *keys_json(const struct key *keys)
{
	json_t *list = json_array();

	for (; keys != NULL && keys->name != NULL; keys++)
		json_array_append_new(list, key_json(keys));
	return list;
}

static json_t *mode_json(const struct task_mode *m)
{
	json_t *drops = json_array();
	const char *drop;

	for (unsigned i = 0; (drop = task_drop_name(m, i)) != NULL; i++)
		json_array_append_new(drops, json_string(drop));
	return json_pack(
		"{s:s, s:s?, s:s, s:b, s:b, s:o, s:o}",
		"name",
		m->name,
		"alias",
		m->alias,
		"help",
		m->help,
		"wants_rx",
		m->wants_rx,
		"wants_tx",
		m->wants_tx,
		"keys",
		keys_json(m->keys),
		"drops",
		drops
	);
}

static bool is_named(const struct task_mode *m, const char *name)
{
	return name == NULL || str_eq(m->name, name) || str_eq(m->alias ?: "", name);
}

static void print_json(const char *name)
{
	json_t *modes = json_array(), *all;

	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if (is_named(m, name))
			json_array_append_new(modes, mode_json(m));
	}
	all = json_pack("{s:o, s:o}", "modes", modes, "task_keys", keys_json(task_keys));
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}

static void print_keys(const struct key *keys)
{
	char text[160];

	for (; keys != NULL && keys->name != NULL; keys++) {
		printf("  %s=\n", keys->name);
		printf("      %s\n", key_type_text(keys, text, sizeof(text)));
		if (keys->help != NULL)
			printf("      %s\n", keys->help);
	}
}

static void print_mode(const struct task_mode *m)
{
	const char *drop;

	printf("mode=%s", m->name);
	if (m->alias != NULL)
		printf(" (or %s)", m->alias);
	printf(": %s\n", m->help);
	if (m->wants_rx || m->wants_tx)
		printf("  wants %s%s%s%s\n",
		       m->wants_rx ? "an input" : "",
		       m->wants_rx && m->wants_tx ? " and " : "",
		       m->wants_tx ? m->many_tx ? "outputs" : "an output" : "",
		       m->may_tx ? "; takes an output" : "");
	print_keys(m->keys);
	printf("  drops: ");
	for (unsigned i = 0; (drop = task_drop_name(m, i)) != NULL; i++)
		printf("%s%s", i > 0 ? ", " : "", drop);
	printf("\n\n");
}

int conf_print_modes(const char *name, bool json, struct err *err)
{
	const char *names[128] = {NULL};
	char near[HINT_MAX];
	bool found = false;
	size_t n = 0;

	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		found = found || is_named(m, name);
		if (n + 1 < ARRAY_LEN(names))
			names[n++] = m->name;
	}
	if (!found) {
		hint(near, name, names);
		return err_set(
			err,
			EINVAL,
			"modes: there is no mode '%.64s'%s",
			name,
			near[0] != '\0' ? near : "; drover modes prints all"
		);
	}
	if (json) {
		print_json(name);
		return 0;
	}
	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if (is_named(m, name))
			print_mode(m);
	}
	printf("Every task also takes\n");
	print_keys(task_keys);
	return 0;
}
