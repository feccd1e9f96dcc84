// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What every fuzz target includes.
#pragma once

#include "base/err.h"
#include "base/scope.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// libFuzzer's entry: any bytes, never to crash. Returns 0.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

// What must hold for every input.
#define must(cond)                                                                       \
	do {                                                                             \
		if (!(cond)) {                                                           \
			fprintf(stderr, "%s:%d: must: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                         \
		}                                                                        \
	} while (0)

// The input as a string of exactly its size, so that the sanitizer sees a read past its end.
static inline char *fuzz_string(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1);

	must(s != NULL);
	if (len > 0)
		memcpy(s, data, len);
	s[len] = '\0';
	return s;
}

// A failure says what is wrong in one line, and nothing that a terminal would act on.
static inline void must_explain(const struct err *err)
{
	must(err->code > 0);
	must(err->msg[0] != '\0');
	for (const char *p = err->msg; *p != '\0'; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}
