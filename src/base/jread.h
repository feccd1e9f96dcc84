// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Strict reading of JSON: every key is known, every value has its type, and an error names the file,
// the key and, for a misspelt key, the nearest known one.
#pragma once

#include "base/err.h"
#include "base/idset.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline void scope_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(scope_json)))

// Parses a document of at most 1 MiB that must be an object, without duplicate keys. what: its name
// in messages ("request 'x.json'"). *ret is a new reference.
int jread_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err);

// Reads and parses a file below dirfd. A missing file is -ENOENT with a message.
int jread_file(int dirfd, const char *path, const char *what, json_t **ret, struct err *err);
// The same of a file that pinfold wrote, whose length goes with the machine's: up to 16 MiB.
int jread_own(int dirfd, const char *path, const char *what, json_t **ret, struct err *err);

// Refuses any key of obj that is not in the NULL-terminated list.
int jread_keys(const json_t *obj, const char *what, const char *const *known, struct err *err);

// The value of a key with its type. A missing key leaves *ret alone and returns 0 unless required.
// Strings are borrowed from obj.
int jread_str(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	const char **ret,
	struct err *err
);
// A copy of it, and a terminating NUL, in ret. One that does not fit is an error.
int jread_text(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	char *ret,
	size_t room,
	struct err *err
);
int jread_u64(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	uint64_t max,
	uint64_t *ret,
	struct err *err
);
int jread_bool(const json_t *obj, const char *what, const char *key, bool *ret, struct err *err);
int jread_idset(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	struct idset *ret,
	struct err *err
);
int jread_size(
	const json_t *obj,
	const char *what,
	const char *key,
	bool required,
	uint64_t *ret,
	struct err *err
);
// An array; borrowed. NULL when absent.
int jread_array(
	const json_t *obj, const char *what, const char *key, json_t **ret, struct err *err
);

// The text of a key of what needs no checking; none: where there is no text.
const char *json_text(const json_t *obj, const char *key, const char *none);

// str_plain for every string in it, also below. For what is printed as text.
void json_plain(json_t *v);

// A JSON string in the kernel's list format.
json_t *json_idset(const struct idset *s);
// A JSON string such as "2M".
json_t *json_size(uint64_t bytes);
// null where it is negative: not known.
json_t *json_int_or_null(json_int_t v);
json_t *json_real_or_null(double v);
