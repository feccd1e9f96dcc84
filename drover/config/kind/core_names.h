// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Names of cores, as DPPD writes them: "3", "3s0" (core 3 of socket 0), "3s0h" (its hyper-thread).
#pragma once

#include "base/err.h"

#include <stdbool.h>

#define CORE_ID_MAX 4095
#define CORE_SOCKET_MAX 63

struct core_name {
	unsigned id;
	int socket; // -1: not said
	bool hyperthread;
};

// "1s0-4s0,7s0h": names and ranges. Writes at most max names; fails on more, on a range that runs
// backwards or from one socket to another, and on a core that is there twice.
int cores_parse(
	const char *s, unsigned max, struct core_name *ret, unsigned *ret_n, struct err *err
);

// The name at *s, which then points behind it. False: there is none.
bool core_name_parse(const char **s, struct core_name *ret);

// Whether both can be the same core: where one does not say its socket, any will do.
bool core_name_same(const struct core_name *a, const struct core_name *b);

#define CORE_NAME_STR 24
const char *core_name_format(const struct core_name *c, char buf[static CORE_NAME_STR]);
