// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Documents of others are taken as they are meant or not at all: each seed of the fuzzers is read, and with a key
// that is unknown, at any depth, or a value of another type, at any place, it is refused.

#include "unit.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/str.h"
#include "grant/grant.h"
#include "keeper/protocol.h"
#include "ledger/ledger.h"
#include "plan/seccomp.h"

#include <dirent.h>
#include <stdlib.h>

typedef int (*read_fn)(const char *text, struct err *err);

static int read_request(const char *text, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct request req;

	return jread_parse(text, strlen(text), "x", &doc, err) < 0
		       ? -1
		       : request_from_json(doc, "x", &req, err);
}

static int read_grant(const char *text, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct grant g;

	return jread_parse(text, strlen(text), "x", &doc, err) < 0
		       ? -1
		       : grant_from_json(doc, "x", &g, err);
}

static int read_lease(const char *text, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	static struct lease lease;

	return jread_parse(text, strlen(text), "x", &doc, err) < 0
		       ? -1
		       : lease_from_json(doc, "x", &lease, err);
}

static int read_profile(const char *text, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL, *filter = NULL;

	return jread_parse(text, strlen(text), "x", &doc, err) < 0
		       ? -1
		       : seccomp_check(doc, "x", &filter, err);
}

// Both directions of a keeper's socket.
static int read_message(const char *text, struct err *err)
{
	static struct keeper_request req;
	struct keeper_reply reply = {0};

	if (keeper_request_parse(text, strlen(text), &req, err) == 0) {
		keeper_request_done(&req);
		return 0;
	}
	if (keeper_reply_parse(text, strlen(text), &reply, err) < 0)
		return -1;
	json_decref(reply.row);
	return 0;
}

static void refused(const json_t *doc, read_fn read, const char *what)
{
	_cleanup_free_ char *text = json_dumps(doc, 0);
	struct err err = {0};

	assert_non_null(text);
	if (read(text, &err) == 0)
		fail_msg("taken, with %s: %s", what, text);
	assert_true(err.code > 0 && err.msg[0] != '\0');
}

// What a keeper says of its workload is a row for people: ps takes of it what it knows (keeper/client.c).
static bool is_free(const char *key)
{
	return str_eq(key, "row");
}

// doc is the whole of what node is a part of.
static void spoil(json_t *doc, json_t *node, read_fn read)
{
	json_t *value;
	const char *key;
	size_t i;
	void *next;

	if (json_is_object(node)) {
		json_object_set_new(node, "of-nobody", json_null());
		refused(doc, read, "a key of nobody's");
		json_object_del(node, "of-nobody");
	}
	json_object_foreach_safe(node, next, key, value)
	{
		json_incref(value);
		json_object_set_new(node, key, json_real(0.5));
		refused(doc, read, key);
		json_object_set_new(node, key, value);
		if (!is_free(key))
			spoil(doc, value, read);
	}
	json_array_foreach (node, i, value) {
		json_incref(value);
		json_array_set_new(node, i, json_real(0.5));
		refused(doc, read, "an entry of another type");
		json_array_set_new(node, i, value);
		spoil(doc, value, read);
	}
}

static void seeds(const char *of, read_fn read)
{
	_cleanup_free_ char *path =
		str_printf("%s/tests/fuzz/corpus/%s", getenv("PINFOLD_SOURCE") ?: ".", of);
	DIR *dir = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		_cleanup_free_ char *file = str_printf("%s/%s", path, e->d_name), *text = NULL;
		_cleanup_free_ char *more = NULL;
		_cleanup_json_ json_t *doc = NULL;
		struct err err;
		size_t len;

		if (e->d_name[0] == '.')
			continue;
		assert_int_equal(fs_read_file(file, 1 << 20, &text, &len), 0);
		if (read(text, &err) < 0) // one that is to be refused
			continue;
		more = str_printf("%s{}", text);
		assert_fails(read(more, &err), &err, "");
		doc = json_loads(text, 0, NULL);
		spoil(doc, doc, read);
		n++;
	}
	closedir(dir);
	assert_true(n > 0);
}

static void requests(void **)
{
	seeds("request", read_request);
}

static void grants(void **)
{
	seeds("grant", read_grant);
}

static void leases(void **)
{
	seeds("lease", read_lease);
}

static void profiles(void **)
{
	seeds("seccomp", read_profile);
}

static void messages_of_keepers(void **)
{
	seeds("keeper", read_message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(grants),
		cmocka_unit_test(leases),
		cmocka_unit_test(profiles),
		cmocka_unit_test(messages_of_keepers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
