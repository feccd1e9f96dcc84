// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Grants as CDI devices, in a scratch root.

#include "fake.h"
#include "scratch.h"

#include "engine/engine.h"
#include "ledger/ledger.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_grants_that_are_claimed_so, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
