// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Parts of derive.h.
#pragma once

#include "base/str.h"
#include "grant/grant.h"
#include "host/host.h"

#include <jansson.h>

static inline const json_t *derive_in(const json_t *doc, const char *a, const char *b)
{
	return json_object_get(json_object_get(doc, a), b);
}

// "": it is not there, or no text.
static inline const char *derive_text(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s != NULL ? s : "";
}

// Where this mount namespace, which is the engine's, has a hugetlbfs, a line each. New string, NULL when memory is out.
char *derive_hugetlbfs(const struct hostfs *fs);
// True for an entry of "mounts" that is one, or binds what lies in one of those.
bool derive_is_hugetlbfs(const json_t *mount, const char *mounts);

// The hugepages of the spec; g has its nodes already.
void derive_pages(
	const json_t *spec, const struct host *host, const struct hostfs *fs, struct grant *g
);
