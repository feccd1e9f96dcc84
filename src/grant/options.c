// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The rows of options.def, and what goes through all of them: flags, help, documents, schema, the text of a
// plan.

#include "grant/options.h"

#include "base/jread.h"
#include "base/scope.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define GRANT_FORMAT 1

#define ROW(holder, in, field, ...)                      \
	{.forms = (in),                                  \
	 .offset = offsetof(struct holder, field),       \
	 .size = sizeof(((struct holder *)NULL)->field), \
	 __VA_ARGS__},
#define OPTION(...) ROW(grant, OPTION_REQUEST | OPTION_GRANT, __VA_ARGS__)
#define LIST(n, field, ...) OPTION(field, .length = offsetof(struct grant, n), __VA_ARGS__)
#define WANTED(...) ROW(request, OPTION_REQUEST, __VA_ARGS__)
#define GRANTED(...) ROW(grant, OPTION_GRANT, __VA_ARGS__)

static const struct row options[] = {
#include "grant/options.def"
};

#undef OPTION
#undef LIST
#undef WANTED
#undef GRANTED
#define OPTION(field, ...) typeof(((struct terms *)NULL)->field) field;
#define LIST(n, field, ...) OPTION(n) OPTION(field)
#define WANTED(...)
#define GRANTED(...)

struct terms_of_rows {
#include "grant/options.def"
};
_Static_assert(
	sizeof(struct terms_of_rows) == sizeof(struct terms),
	"each field of struct terms has a row, and the rows have the order of the fields"
);

#define options_foreach(o) \
	for (const struct row *o = options; o < options + ARRAY_LEN(options); o++)

const struct row *option_row(size_t index)
{
	return index < ARRAY_LEN(options) ? &options[index] : NULL;
}

// How many times it is said.
static unsigned count_of(const struct row *o, const void *all)
{
	static const char nothing[sizeof(struct idset)];

	if (o->length != 0)
		return *(const unsigned *)((const char *)all + o->length);
	return memcmp(option_at(o, all), nothing, o->size) != 0;
}

bool options_beyond_pool(const struct request *req)
{
	options_foreach (o) {
		if ((o->forms & OPTION_REQUEST) != 0 && !o->of_pool && count_of(o, req) > 0)
			return true;
	}
	return false;
}

void options_usual(struct grant *g)
{
	options_foreach (o) {
		if (o->usual != 0 && count_of(o, g) == 0)
			option_set_number(o, g, o->usual);
	}
}

// ---- flags

const char *request_flag(size_t index)
{
	options_foreach (o) {
		if (o->name != NULL && index-- == 0)
			return o->name;
	}
	return NULL;
}

int request_set_flag(struct request *req, const char *flag, const char *value, struct err *err)
{
	char who[64];

	snprintf(who, sizeof(who), "--%s", flag);
	options_foreach (o) {
		struct reading r = {.row = o, .all = req, .who = who, .form = OPTION_REQUEST};

		if (o->name != NULL && str_eq(o->name, flag))
			return o->type->parse(&r, value, err);
	}
	return -ENOENT;
}

void request_print_help(FILE *out)
{
	struct grant usual = {0};
	char flag[64], text[IDSET_STR];

	options_usual(&usual);
	options_foreach (o) {
		if (o->name == NULL)
			continue;
		snprintf(flag, sizeof(flag), "%s %s", o->name, o->arg);
		fprintf(out, o->help != NULL ? "  --%-20s  %s" : "  --%s", flag, o->help);
		if (o->usual != 0)
			fprintf(out, ", default %s", o->type->text(o, &usual, 0, text));
		fputc('\n', out);
	}
}

// ---- documents

const char *option_key(const struct row *o, enum option_form form)
{
	if ((o->forms & form) == 0)
		return NULL;
	if (form == OPTION_GRANT && o->grant_key != NULL)
		return o->grant_key;
	return o->key != NULL ? o->key : o->name;
}

static int read_list(const struct reading *r, struct err *err)
{
	const struct option_type *type = r->row->type;
	json_t *array = NULL, *e;
	size_t i;

	if (jread_array(r->doc, r->what, r->key, &array, err) < 0)
		return -err->code;
	json_array_foreach (array, i, e) {
		if ((type->objects & r->form) != 0) {
			if (type->element(r, e, err) < 0)
				return -err->code;
		} else if (!json_is_string(e)) {
			return err_set(
				err,
				EINVAL,
				"read %s: '%s': an entry is not a string",
				r->what,
				r->key
			);
		} else if (type->parse(r, json_string_value(e), err) < 0) {
			return err_wrap(err, "read %s", r->what);
		}
	}
	return 0;
}

static int read_one(const struct reading *r, struct err *err)
{
	const char *text = NULL;

	if (r->row->type->read != NULL)
		return r->row->type->read(r, err);
	if (r->row->length != 0 || r->row->type->list)
		return read_list(r, err);
	if (jread_str(r->doc, r->what, r->key, true, &text, err) < 0)
		return -err->code;
	return r->row->type->parse(r, text, err) < 0 ? err_wrap(err, "read %s", r->what) : 0;
}

// All rows of a form. A grant has also the number of its format.
static int read_all(
	const json_t *doc, const char *what, enum option_form form, void *all, struct err *err
)
{
	const char *keys[ARRAY_LEN(options) + 2] = {"format"};
	size_t n = form == OPTION_GRANT;
	char who[64];

	options_foreach (o) {
		if (option_key(o, form) != NULL)
			keys[n++] = option_key(o, form);
	}
	if (jread_keys(doc, what, keys, err) < 0)
		return -err->code;
	options_foreach (o) {
		const char *key = option_key(o, form);
		struct reading r = {o, all, who, form, doc, what, key};

		if (key == NULL)
			continue;
		snprintf(who, sizeof(who), "'%s'", key);
		if (json_object_get(doc, key) != NULL) {
			if (read_one(&r, err) < 0)
				return -err->code;
		} else if (form == OPTION_GRANT && o->required) {
			return err_set(err, EINVAL, "read %s: key '%s' is missing", what, key);
		} else if (form == OPTION_GRANT && o->usual != 0) {
			option_set_number(o, all, o->usual);
		}
	}
	return 0;
}

int request_from_json(const json_t *doc, const char *what, struct request *ret, struct err *err)
{
	struct request req = {0};

	if (read_all(doc, what, OPTION_REQUEST, &req, err) < 0)
		return -err->code;
	*ret = req;
	return 0;
}

int grant_from_json(const json_t *doc, const char *what, struct grant *ret, struct err *err)
{
	struct grant g = {0};
	uint64_t format = 0;
	bool pool;

	if (jread_u64(doc, what, "format", true, GRANT_FORMAT, &format, err) < 0
	    || read_all(doc, what, OPTION_GRANT, &g, err) < 0)
		return -err->code;
	if (format != GRANT_FORMAT)
		return err_set(err, EINVAL, "read %s: 'format' is not %d", what, GRANT_FORMAT);
	pool = g.shared_pool[0] != '\0';
	if (pool && json_object_get(doc, "shared-cpus") == NULL)
		return err_set(err, EINVAL, "read %s: key 'shared-cpus' is missing", what);
	// what is empty is not written, and would be missing then
	if (pool && idset_empty(&g.shared_cpus))
		return err_set(err, EINVAL, "read %s: 'shared-cpus' names no CPU", what);
	if (!pool && !idset_empty(&g.shared_cpus))
		return err_set(err, EINVAL, "read %s: 'shared-cpus' without 'shared-pool'", what);
	*ret = g;
	return 0;
}

static json_t *element_of(const struct row *o, const struct grant *g, unsigned i)
{
	char text[IDSET_STR];

	return o->type->write != NULL ? o->type->write(o, g, i)
				      : json_string(o->type->text(o, g, i, text));
}

static json_t *value_of(const struct row *o, const struct grant *g)
{
	json_t *list;

	if (o->length == 0)
		return element_of(o, g, 0);
	list = json_array();
	for (unsigned i = 0; i < count_of(o, g); i++)
		json_array_append_new(list, element_of(o, g, i));
	return list;
}

json_t *grant_to_json(const struct grant *g)
{
	json_t *doc = json_pack("{s:i}", "format", GRANT_FORMAT);

	options_foreach (o) {
		if (option_key(o, OPTION_GRANT) != NULL && (o->always || count_of(o, g) > 0))
			json_object_set_new(doc, option_key(o, OPTION_GRANT), value_of(o, g));
	}
	return doc;
}

void grant_print(const struct grant *g, FILE *out)
{
	char text[IDSET_STR];

	fprintf(out, "grant '%s'", g->name);
	options_foreach (o) {
		unsigned n = o->length == 0 && o->always ? 1 : count_of(o, g);

		for (unsigned i = 0; o->shown != NULL && i < n; i++) {
			const char *value = o->type->text(o, g, i, text);

			if (o->label != NULL)
				fprintf(out, "\n  %-9s  ", o->label);
			fprintf(out, o->shown, value[0] == '\0' && o->none != NULL ? o->none : value
			);
		}
	}
	fputc('\n', out);
}
