// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What every place says of itself must go together: nobody asks which one it is.

#include "base/str.h"
#include "site/site.h"
#include "unit.h"

static void members_go_together(void **)
{
	for (enum site_place place = 0; place < PLACES; place++) {
		struct site s = site_of(place), named;
		bool container = site_has(&s, SITE_CONTAINER);

		assert_int_equal(s.place, place);
		assert_int_equal(site_named(s.name, &named), 0);
		assert_string_equal(named.name, s.name);
		// a runtime needs a place for its state, and its container descriptors for the init
		assert_int_equal(container, s.status_fd > STDERR_FILENO);
		assert_int_equal(container, s.state != NULL && s.manager != NULL);
		assert_true(!container || s.join_fd > s.status_fd);
		assert_true(!container || (s.nodes != NULL && s.layers != NULL));
		// a program has an environment, and somebody who mounts or has mounted its hugepages: an engine that
		// gave them itself says nobody where
		assert_int_equal(
			site_has(&s, SITE_FENCE) && !site_has(&s, SITE_SPEC), s.environment != NULL
		);
		assert_int_equal(s.pages != NULL, s.place != PLACE_GIVEN);
		assert_true(!site_has(&s, SITE_HOST_FILES) || !container);
		assert_true(!site_has(&s, SITE_USERNS) || site_has(&s, SITE_IDS));
		// what may not be asked for is refused with a reason
		assert_true(s.may == ~0u || s.refusal != NULL || !site_has(&s, SITE_FENCE));
		assert_null(s.runtime.kind);
		assert_int_equal(s.njoins, 0);
	}
}

static void names(void **)
{
	struct site s;

	assert_int_equal(site_named("zone", &s), -EINVAL);
	assert_int_equal(site_named("", &s), -EINVAL);
	assert_int_equal(site_named("keeper", &s), 0);
	assert_int_equal(s.place, PLACE_KEEPER); // as its lease says
}

static void exit_statuses(void **)
{
	const struct site container = site_of(PLACE_CONTAINER), host = site_of(PLACE_HOST);

	// what could not be executed is the runtime, or the program
	assert_int_equal(site_exec_failed(&container, ENOENT), 125);
	assert_int_equal(site_exec_failed(&host, ENOENT), 127);
	assert_int_equal(site_exec_failed(&host, EACCES), 126);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_go_together),
		cmocka_unit_test(names),
		cmocka_unit_test(exit_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
