// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// For tests that resolve grants on the machines of tests/fake_host.py ($FAKE_HOSTS).
#pragma once

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/str.h"
#include "grant/avail.h"
#include "grant/grant.h"
#include "host/host.h"
#include "site/site.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB2 (UINT64_C(2) << 20)
#define GIB (UINT64_C(1) << 30)

// Opens and reads a fake machine. Skips the test where there is none.
static inline void fake_open(const char *kind, struct hostfs *fs, struct host *h)
{
	const char *trees = getenv("FAKE_HOSTS");
	char root[4096];
	struct err err;

	if (trees == NULL)
		skip_because("FAKE_HOSTS is not set");
	snprintf(root, sizeof(root), "%s/%s", trees, kind);
	assert_ok(hostfs_open(root, fs, &err), &err);
	assert_ok(host_read(fs, HOST_PCI | HOST_SHARING, h, &err), &err);
}

static inline void fake_read(const char *kind, struct host *h)
{
	struct hostfs fs;

	fake_open(kind, &fs, h);
	hostfs_close(&fs);
}

// With a runtime that nobody has looked for.
static inline struct site fake_site(enum site_place place)
{
	struct site site = site_of(place);

	if (place != PLACE_HOST)
		runtime_assume(&site.runtime, &runtime_crun, "/usr/bin/crun");
	return site;
}

// A request from flags as on the command line, without the dashes: "cpu-count=4 nic=3b:00.0".
static inline struct request fake_request(const char *flags)
{
	struct request req = {0};
	_cleanup_free_ char *copy = strdup(flags);
	char *save = NULL;
	struct err err;

	assert_non_null(copy);
	strcpy(req.name, "x");
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		assert_non_null(value);
		*value++ = '\0';
		assert_ok(request_set_flag(&req, word, value, &err), &err);
	}
	return req;
}

static inline void fake_grant(
	const struct host *h, const struct holdings *others, const char *flags, struct grant *ret
)
{
	struct request req = fake_request(flags);
	struct err err;

	assert_ok(grant_resolve(&req, h, others, ret, &err), &err);
}

// Lets somebody hold what the flags ask for.
static inline void fake_hold(
	const struct host *h, struct holdings *others, const char *flags, bool live
)
{
	struct grant g;
	struct err err;

	fake_grant(h, others, flags, &g);
	assert_ok(holdings_add(others, &g, live, &err), &err);
}

static inline void assert_ids(const struct idset *s, const char *text)
{
	char buf[IDSET_STR];

	assert_string_equal(idset_format(s, buf, sizeof(buf)), text);
}

// The same grant, whatever lies between its fields.
static inline void assert_same_grant(const struct grant *a, const struct grant *b)
{
	_cleanup_json_ json_t *x = grant_to_json(a);
	_cleanup_json_ json_t *y = grant_to_json(b);

	assert_non_null(x);
	assert_true(json_equal(x, y));
}
