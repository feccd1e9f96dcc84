// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// JSON documents of others, of which a part is changed and the rest is to stay as it is, whatever it means.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

#define JDOC_MAX (16u << 20)

// An object. Numbers that jansson would change or refuse (beyond 63 bits, with a fraction) are strings in it, which
// jdoc_print makes numbers again; duplicate keys are refused. *ret is a new reference.
int jdoc_parse(const char *text, size_t len, const char *what, json_t **ret, struct err *err);

// In one line; in several, for people. New string (free it), NULL when memory is out.
char *jdoc_print(const json_t *doc);
char *jdoc_print_lines(const json_t *doc);
