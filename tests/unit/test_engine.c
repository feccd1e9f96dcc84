// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Grants as CDI devices, in a scratch root.

#include "fake.h"
#include "scratch.h"

#include "base/fs.h"
#include "base/scope.h"
#include "engine/engine.h"
#include "ledger/ledger.h"

#include <string.h>
#include <sys/stat.h>

static void define(struct ledger *l, const char *name, unsigned claims)
{
	struct grant g = {.name = "", .memory = 64 * MIB2, .pids = 8, .claim_by = claims};
	struct err err;

	snprintf(g.name, sizeof(g.name), "%s", name);
	idset_add(&g.cpus, 1);
	idset_add(&g.mems, 0);
	assert_ok(definition_write(l, &g, &err), &err);
}

static const char *text_at(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

static void lists_grants_that_are_claimed_so(void **)
{
	struct ledger l;
	struct hostfs fs;
	struct err err;
	char token[TOKEN_STR], name[64];
	json_t *doc, *devices, *hook;

	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_int_equal(mkdirat(topfd, "etc", 0755), 0);
	assert_int_equal(mkdirat(topfd, "run", 0755), 0);
	assert_ok(ledger_open(&fs, true, &l, &err), &err);
	define(&l, "other", CLAIM_BY_ANNOTATION | CLAIM_BY_ENV);
	assert_ok(cdi_document(&l, &doc, &err), &err);
	assert_true(json_is_null(doc));
	define(&l, "fw", CLAIM_BY_CDI | CLAIM_BY_ENV);
	define(&l, "k8s", CLAIM_BY_KUBERNETES);
	assert_ok(cdi_document(&l, &doc, &err), &err);
	assert_string_equal(text_at(doc, "cdiVersion"), "0.3.0");
	assert_string_equal(text_at(doc, "kind"), "pinfold.dev/grant");
	devices = json_object_get(doc, "devices");
	assert_int_equal(json_array_size(devices), 2);
	assert_string_equal(text_at(json_array_get(devices, 0), "name"), "fw");
	hook = json_array_get(
		json_object_get(
			json_object_get(json_array_get(devices, 0), "containerEdits"), "hooks"
		),
		0
	);
	assert_string_equal(text_at(hook, "hookName"), CDI_HOOKS);
	assert_string_equal(text_at(hook, "path"), CDI_HOOK);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(hook, "args"), 1)), "fw"
	);
	// what kubelet hands out nobody else can name
	assert_ok(token_read(&l, "k8s", token, &err), &err);
	assert_int_equal(strlen(token), 32);
	snprintf(name, sizeof(name), "k8s:%s", token);
	assert_string_equal(text_at(json_array_get(devices, 1), "name"), name);
	assert_fails(token_read(&l, "fw", token, &err), &err, "pinfold cdi generate");
	// it is what its own runtime cannot run
	assert_int_equal(access(CDI_HOOK, F_OK), -1);
	json_decref(doc);
	// names that begin with a digit came later
	define(&l, "5g", CLAIM_BY_CDI);
	assert_ok(cdi_document(&l, &doc, &err), &err);
	assert_string_equal(text_at(doc, "cdiVersion"), "0.5.0");
	assert_int_equal(json_array_size(json_object_get(doc, "devices")), 3);
	json_decref(doc);
	ledger_close(&l);
	hostfs_close(&fs);
}

static void makes_tokens(void **)
{
	char first[TOKEN_STR], again[TOKEN_STR];
	struct ledger l;
	struct hostfs fs;
	struct stat st;
	struct err err;

	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_int_equal(mkdirat(topfd, "etc", 0755), 0);
	assert_int_equal(mkdirat(topfd, "run", 0755), 0);
	assert_ok(ledger_open(&fs, true, &l, &err), &err);
	define(&l, "k8s", CLAIM_BY_KUBERNETES);
	assert_fails(token_read(&l, "k8s", first, &err), &err, "pinfold cdi generate");
	assert_ok(token_make(&l, "k8s", first, &err), &err);
	assert_ok(token_make(&l, "k8s", again, &err), &err);
	assert_string_equal(first, again);
	assert_int_equal(fstatat(l.defs, "k8s.token", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(token_equal(first, again));
	again[31] ^= 1;
	assert_false(token_equal(first, again));
	assert_false(token_equal(first, ""));
	// of another grant of that name, however the first went
	assert_ok(definition_remove(&l, "k8s", &err), &err);
	assert_int_equal(fstatat(l.defs, "k8s.token", &st, 0), -1);
	define(&l, "k8s", CLAIM_BY_KUBERNETES);
	assert_ok(token_make(&l, "k8s", again, &err), &err);
	assert_false(token_equal(first, again));
	assert_int_equal(unlinkat(l.defs, "k8s.json", 0), 0);
	define(&l, "k8s", CLAIM_BY_KUBERNETES);
	assert_fails(token_read(&l, "k8s", first, &err), &err, "");
	// what is none
	assert_ok(fs_write_atomic(l.defs, "k8s.token", "x", 1, 0600, &err), &err);
	assert_fails(token_read(&l, "k8s", first, &err), &err, "");
	ledger_close(&l);
	hostfs_close(&fs);
}

// What marks our lines is a line: not the same words at the end of somebody's.
static void marks_are_whole_lines(void **)
{
	static const char own[] = "version = 2\nx = 1 # begin pinfold runtime configure\n";
	struct engine_want want = {.runtime = "/usr/bin/pinfold-runtime"};
	_cleanup_free_ char *once = NULL, *twice = NULL, *out = NULL;
	struct err err;

	assert_ok(engine_edit_containerd(own, "/etc/x", &want, &once, &err), &err);
	assert_ok(engine_edit_containerd(once, "/etc/x", &want, &twice, &err), &err);
	assert_string_equal(once, twice);
	want.remove = true;
	assert_ok(engine_edit_containerd(once, "/etc/x", &want, &out, &err), &err);
	assert_string_equal(out, own);
	// one that nothing ends, whether its line is ended or not
	want.remove = false;
	for (int i = 0; i < 2; i++) {
		char *unused;

		assert_fails(
			engine_edit_containerd(
				i == 0 ? "version = 2\n# begin pinfold runtime configure\n"
				       : "version = 2\n# begin pinfold runtime configure",
				"/etc/x",
				&want,
				&unused,
				&err
			),
			&err,
			"without its end"
		);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_grants_that_are_claimed_so, setup, teardown),
		cmocka_unit_test_setup_teardown(makes_tokens, setup, teardown),
		cmocka_unit_test(marks_are_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
