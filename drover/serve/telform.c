// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "serve/telform.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUFFIX "_millionths"
#define KEY_LEN 128
#define DEPTH_MAX 8

static void printable(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < ' ' || *s > '~')
			*s = '?';
	}
}

static json_t *form_string(const char *s)
{
	char cut[TELFORM_STRING + 1];

	if (strlen(s) > TELFORM_STRING)
		snprintf(cut, sizeof(cut), "%.*s...", TELFORM_STRING - 3, s);
	else
		snprintf(cut, sizeof(cut), "%s", s);
	printable(cut);
	return json_string(cut);
}

static json_t *form_object(const json_t *object, unsigned depth);

// A new value, or NULL: none to be sent, or memory is out. suffix: what its key gets.
static json_t *form_value(const json_t *v, const char **suffix, unsigned depth)
{
	double r = json_real_value(v);
	char text[32];

	*suffix = "";
	switch (json_typeof(v)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		return depth < DEPTH_MAX ? form_object(v, depth + 1) : NULL;
	case JSON_STRING:
		return form_string(json_string_value(v));
	case JSON_INTEGER:
		if (json_integer_value(v) >= INT32_MIN)
			return json_integer(json_integer_value(v));
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return json_string(text);
	case JSON_REAL:
		if (r >= 0 && r < 9e12) {
			*suffix = SUFFIX;
			return json_integer(llround(r * 1e6));
		}
		snprintf(text, sizeof(text), "%.6g", r);
		return json_string(text);
	case JSON_TRUE:
		return json_integer(1);
	case JSON_FALSE:
		return json_integer(0);
	case JSON_NULL:
	default:
		return NULL;
	}
}

static void form_key(const json_t *object, const char *key, const char *suffix, char *ret)
{
	int room = KEY_LEN - 1 - (int)strlen(SUFFIX) - 4, len;

	len = snprintf(ret, KEY_LEN, "%.*s%s", room, key, suffix);
	for (char *c = ret; *c != '\0'; c++) {
		if (!isascii(*c) || !(isalnum((unsigned char)*c) || *c == '/'))
			*c = '_';
	}
	for (unsigned i = 2; json_object_get(object, ret) != NULL && i < 100; i++)
		snprintf(ret + len, KEY_LEN - (size_t)len, "_%u", i);
}

static int form_put(json_t *into, const char *key, const json_t *v, unsigned depth)
{
	char name[KEY_LEN];
	const char *suffix;
	json_t *formed;

	if (json_is_null(v) || json_object_size(into) >= TELFORM_ENTRIES
	    || json_array_size(v) > TELFORM_ARRAY)
		return 0;
	formed = form_value(v, &suffix, depth);
	form_key(into, key, suffix, name);
	return json_object_set_new(into, name, formed);
}

static json_t *form_object(const json_t *from, unsigned depth)
{
	json_t *into = json_object();
	int failed = into == NULL;
	const json_t *v;
	const char *key;
	size_t i;

	if (json_is_array(from)) {
		json_array_foreach ((json_t *)from, i, v) {
			char number[24];

			snprintf(number, sizeof(number), "%zu", i);
			failed |= form_put(into, number, v, depth);
		}
	} else {
		void *at;

		for (at = json_object_iter((json_t *)from); at != NULL;
		     at = json_object_iter_next((json_t *)from, at)) {
			key = json_object_iter_key(at);
			v = json_object_iter_value(at);
			failed |= form_put(into, key, v, depth);
		}
	}
	if (failed == 0)
		return into;
	json_decref(into);
	return NULL;
}

json_t *telform(const json_t *object)
{
	return form_object(object, 0);
}

size_t telform_size(const json_t *value)
{
	return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}
