// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// One printer for people and programs: the same calls give JSON, or one aligned line a value with
// its path ("cpus online  0-1"), objects in a list being one line each.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_DEPTH 6

struct out {
	bool json;
	bool table; // text: rows of columns (out_cell), not of keys and values
	unsigned depth;
	bool filled[OUT_DEPTH];	     // something was printed at this depth
	char closer[OUT_DEPTH];	     // '}' or ']'
	const char *path[OUT_DEPTH]; // keys down to here, "" in a list
	unsigned row;		     // text: depth of the object that is one line, 0: none
};

// key: a string that lives until the matching out_end; NULL in a list and for the outermost object.
// A list opened with out_list holds objects only.
void out_object(struct out *o, const char *key);
void out_list(struct out *o, const char *key);
void out_end(struct out *o);

// A list of strings.
void out_strings(struct out *o, const char *key, char *const *values, size_t n);

// value NULL is null.
void out_str(struct out *o, const char *key, const char *value);
// A cell of a row of a table, in text at least so wide.
void out_cell(struct out *o, const char *key, const char *value, int width);
void out_u64(struct out *o, const char *key, uint64_t value);
void out_bool(struct out *o, const char *key, bool value);
