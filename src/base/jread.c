// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/jread.h"
#include "base/hint.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define DOCUMENT_MAX (1u << 20)
#define OWN_MAX (16u << 20)

static int parse(
	const char *text, size_t len, size_t max, const char *what, json_t **ret, struct err *err
)
{
	json_error_t je;
	json_t *j;

	if (len > max)
		return err_set(err, EFBIG, "read %s: longer than %zu MiB", what, max >> 20);
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (j == NULL)
		return err_set(err, EINVAL, "read %s: line %d: %s", what, je.line, je.text);
	if (!json_is_object(j)) {
		json_decref(j);
		return err_set(err, EINVAL, "read %s: not a JSON object", what);
	}
	*ret = j;
	return 0;
}

static int read_file(
	int dirfd, const char *path, size_t max, const char *what, json_t **ret, struct err *err
)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fs_read(dirfd, path, max, &text, &len);

	if (r < 0)
		return err_sys(err, -r, "read %s", what);
	return parse(text, len, max, what, ret, err);
}

int jread_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err)
{
	return parse(text, len, DOCUMENT_MAX, what, ret, err);
}

int jread_file(int dirfd, const char *path, const char *what, json_t **ret, struct err *err)
{
	return read_file(dirfd, path, DOCUMENT_MAX, what, ret, err);
}

int jread_own(int dirfd, const char *path, const char *what, json_t **ret, struct err *err)
{
	return read_file(dirfd, path, OWN_MAX, what, ret, err);
}

int jread_keys(const json_t *obj, const char *what, const char *const *known, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)obj, key, value) {
		char buf[HINT_MAX];
		size_t i;

		for (i = 0; known[i] != NULL && !str_eq(known[i], key); i++)
			;
		if (known[i] != NULL)
			continue;
		return err_set(
			err,
			EINVAL,
			"read %s: unknown key '%.64s'%s",
			what,
			key,
			hint(buf, key, known)
		);
	}
	return 0;
}

// The value, NULL if absent, with the complaint of a required one.
static int find(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	json_t **ret,
	struct err *err
)
{
	*ret = json_object_get(obj, key);
	if (*ret == NULL && required)
		return err_set(err, EINVAL, "read %s: key '%s' is missing", what, key);
	return 0;
}

int jread_str(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	const char **ret,
	struct err *err
)
{
	json_t *v;
	int r = find(obj, what, key, required, &v, err);

	if (r < 0 || v == NULL)
		return r;
	if (!json_is_string(v))
		return err_set(err, EINVAL, "read %s: '%s' is not a string", what, key);
	*ret = json_string_value(v);
	return 0;
}

int jread_text(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	char *ret,
	size_t room,
	struct err *err
)
{
	const char *s = NULL;
	int r = jread_str(obj, what, key, required, &s, err);

	if (r < 0 || s == NULL)
		return r;
	if (strlen(s) >= room)
		return err_set(err, EINVAL, "read %s: '%s' is too long", what, key);
	strcpy(ret, s);
	return 0;
}

int jread_u64(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	uint64_t max,
	uint64_t *ret,
	struct err *err
)
{
	json_t *v;
	int r = find(obj, what, key, required, &v, err);

	if (r < 0 || v == NULL)
		return r;
	if (!json_is_integer(v) || json_integer_value(v) < 0
	    || (uint64_t)json_integer_value(v) > max)
		return err_set(
			err,
			EINVAL,
			"read %s: '%s' is not a whole number from 0 to %llu",
			what,
			key,
			(unsigned long long)max
		);
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int jread_bool(const json_t *obj, const char *what, const char *key, bool *ret, struct err *err)
{
	json_t *v = json_object_get(obj, key);

	if (v == NULL)
		return 0;
	if (!json_is_boolean(v))
		return err_set(err, EINVAL, "read %s: '%s' is not true or false", what, key);
	*ret = json_is_true(v);
	return 0;
}

int jread_idset(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	struct idset *ret,
	struct err *err
)
{
	const char *s = NULL;
	int r = jread_str(obj, what, key, required, &s, err);

	if (r < 0 || s == NULL)
		return r;
	if (idset_parse(s, ret, err) < 0)
		return err_wrap(err, "read %s: '%s'", what, key);
	return 0;
}

int jread_size(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	uint64_t *ret,
	struct err *err
)
{
	const char *s = NULL;
	int r = jread_str(obj, what, key, required, &s, err);

	if (r < 0 || s == NULL)
		return r;
	if (size_parse(s, ret, err) < 0)
		return err_wrap(err, "read %s: '%s'", what, key);
	return 0;
}

int jread_array(const json_t *obj, const char *what, const char *key, json_t **ret, struct err *err)
{
	json_t *v = json_object_get(obj, key);

	if (v != NULL && !json_is_array(v))
		return err_set(err, EINVAL, "read %s: '%s' is not an array", what, key);
	*ret = v;
	return 0;
}

const char *json_text(const json_t *obj, const char *key, const char *none)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL ? s : none;
}

static void plain_string(json_t *v)
{
	_cleanup_free_ char *s = strdup(json_string_value(v));

	if (s != NULL)
		str_plain(s);
	json_string_set(v, s != NULL ? s : "?");
}

void json_plain(json_t *v)
{
	const char *key;
	json_t *e;
	size_t i;

	if (json_is_string(v))
		plain_string(v);
	json_array_foreach (v, i, e)
		json_plain(e);
	json_object_foreach (v, key, e)
		json_plain(e);
}

json_t *json_idset(const struct idset *s)
{
	char buf[IDSET_STR];

	return json_string(idset_format(s, buf, sizeof(buf)));
}

json_t *json_size(uint64_t bytes)
{
	char buf[SIZE_STR];

	return json_string(size_format(bytes, buf));
}

json_t *json_int_or_null(json_int_t v)
{
	return v >= 0 ? json_integer(v) : json_null();
}

json_t *json_real_or_null(double v)
{
	return v >= 0 ? json_real(v) : json_null();
}
