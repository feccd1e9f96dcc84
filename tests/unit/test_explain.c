// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/str.h"
#include "explain/explain.h"
#include "run/why.h"

#include <signal.h>
#include <string.h>

// Each message is known as it was printed, and is not taken for another.
static void knows_its_examples(void **)
{
	const struct known_message *m;

	for (size_t i = 0; (m = explain_message(i)) != NULL; i++) {
		if (explain_line(m->example) != m)
			fail_msg("'%s' is not found by '%s'", m->example, m->like);
		assert_true(strlen(m->cause) > 10 && strlen(m->cure) > 5 && m->source[0] != '\0');
		assert_null(strchr(m->cure, '\n'));
	}
}

static void knows_no_other(void **)
{
	static const char *const fine[] = {
		"",
		"EAL: Detected CPU lcores: 2",
		"EAL: Selected IOVA mode 'VA'",
		"EAL: Multi-process socket /var/run/dpdk/rte/mp_socket",
		"EAL: Error - exiting with code: 1",
		"Port 0 is closed",
		// of the usage that each wrong argument prints
		"  --vfio-vf-token     VF token (UUID) shared between SR-IOV PF and VFs",
		"[*?\\",
	};

	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		assert_null(explain_line(fine[i]));
}

// Programs go on to complain of what follows.
static void takes_the_first(void **)
{
	const struct known_message *m = explain_text(
		"EAL: Detected CPU lcores: 2\n"
		"EAL: Not enough memory available! Requested: 5000MB, available: 1024MB\n"
		"EAL: FATAL: Cannot init memory\n"
	);

	assert_non_null(m);
	assert_true(strstr(m->cause, "-m or --socket-mem") != NULL);
	// it looks at all sizes of pages that the kernel knows, and says of each that has none
	m = explain_text("EAL: No free 1048576 kB hugepages reported on node 0\n"
			 "EAL: error allocating rte services array\n");
	assert_non_null(m);
	assert_contains(m->cure, ",anon");
	m = explain_text("EAL: No free 2048 kB hugepages reported on node 0\nEAL: bye\n");
	assert_non_null(m);
	assert_contains(m->cure, "host prepare");
	assert_null(explain_text(""));
	assert_null(explain_text("nothing\n\nof\nit"));
}

// What it says when it is told to end is no reason, whatever status it has for that.
static void not_of_one_that_was_told(void **)
{
	const struct log none = LOG_NONE;
	struct outcome out = {
		.status = 1, .program_ran = true, .last = "EAL: lcore 7 unavailable\n"};

	out.told = true;
	why_it_failed(&out, &none, 10);
	assert_string_equal(out.note, "");
	out.told = false;
	out.status = 128 + SIGTERM;
	why_it_failed(&out, &none, 10);
	assert_string_equal(out.note, "");
	out.status = 1;
	why_it_failed(&out, &none, 10);
	assert_contains(out.note, "why it failed: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_examples),
		cmocka_unit_test(knows_no_other),
		cmocka_unit_test(takes_the_first),
		cmocka_unit_test(not_of_one_that_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
