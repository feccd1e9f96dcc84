// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "base/scope.h"
#include "base/table.h"

#include <stdint.h>

static void expect(struct table *t, size_t first, const char *printed)
{
	_cleanup_free_ char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	for (size_t r = first; r <= table_rows(t); r++)
		table_print(t, r, f);
	fclose(f);
	assert_false(t->failed);
	assert_string_equal(got, printed);
}

static const struct column ranked[] = {
	{"NAME", .left = true},
	{"CPU", .rank = 2},
	{"MODE", .left = true, .rank = 1},
	{"SENT", .rank = 2},
};

static struct table filled(void)
{
	struct table t = TABLE(ranked);

	table_cell(&t, "%s", "gen");
	table_cell(&t, "%d", 3);
	table_cell(&t, "%s", "a mode");
	table_cell(&t, "%u", 123456u);
	table_cell(&t, "%s", "ä long name");
	table_cell(&t, "-");
	table_cell(&t, "-");
	table_cell(&t, "%u", 0u);
	return t;
}

static void aligns(void **)
{
	scope_cleanup(table_done) struct table t = filled();

	table_drop(&t, SIZE_MAX);
	expect(&t,
	       0,
	       "NAME         CPU  MODE      SENT\n"
	       "gen            3  a mode  123456\n"
	       "ä long name    -  -            0\n");
}

static void drops_the_highest_rank_together(void **)
{
	scope_cleanup(table_done) struct table t = filled();

	table_drop(&t, 32);
	assert_false(t.dropped[1]);
	table_drop(&t, 31);
	expect(&t,
	       0,
	       "NAME         MODE\n"
	       "gen          a mode\n"
	       "ä long name  -\n");
	table_drop(&t, 19);
	assert_false(t.dropped[2]);
	// and what has no rank stays where there is no room even for that
	table_drop(&t, 5);
	expect(&t, 0, "NAME\ngen\nä long name\n");
}

static void most_cuts_all_but_the_first(void **)
{
	scope_cleanup(table_done) struct table t = filled();

	t.most = 4;
	table_drop(&t, SIZE_MAX);
	expect(&t,
	       1,
	       "gen            3  a m…  123…\n"
	       "ä long name    -  -        0\n");
}

static void paint_takes_no_room(void **)
{
	static const struct column columns[] = {
		{"", .left = true}, {"", .left = true}, {"", .left = true}};
	scope_cleanup(table_done) struct table t = TABLE(columns);

	table_cell(&t, "%s", "");
	table_paint(&t, "\033[1m");
	table_cell(&t, "one");
	table_paint(&t, "\033[1m");
	table_cell(&t, "x");
	table_cell(&t, "ab");
	table_cell(&t, "z");
	table_cell(&t, "y");
	table_drop(&t, SIZE_MAX);
	expect(&t, 1, "    \033[1mone\033[m  x\nab  z    y\n");
}

static const struct column cut[] = {
	{"NIC", .left = true},
	{"NODE", .left = true, .whole = true},
	{"DEVICE", .left = true},
};

static struct table nics(void)
{
	struct table t = TABLE(cut);

	table_cell(&t, "0000:03:00.0");
	table_cell(&t, "123456789012");
	table_cell(&t, "82599ES 10-Gigabit SFI/SFP+ Network");
	table_cell(&t, "lo");
	table_cell(&t, "-");
	table_cell(&t, "%s", "");
	return t;
}

static void narrows(void **)
{
	scope_cleanup(table_done) struct table t = nics();

	table_narrow(&t, SIZE_MAX);
	expect(&t,
	       0,
	       "NIC           NODE          DEVICE\n"
	       "0000:03:00.0  123456789012  82599ES 10-Gigabit SFI/SFP+ Network\n"
	       "lo            -             \n");
	// the last is the widest, and gives
	table_narrow(&t, 56);
	expect(&t,
	       0,
	       "NIC           NODE          DEVICE\n"
	       "0000:03:00.0  123456789012  82599ES 10-Gigabit SFI/SFP+…\n"
	       "lo            -             \n");
}

static void last_one_goes_below(void **)
{
	scope_cleanup(table_done) struct table t = nics();

	table_narrow(&t, 51);
	expect(&t,
	       0,
	       "NIC           NODE\n"
	       "  DEVICE\n"
	       "0000:03:00.0  123456789012\n"
	       "  82599ES 10-Gigabit SFI/SFP+ Network\n"
	       "lo            -\n"
	       "  \n");
	// a name is cut in its middle, to what it has at least; numbers stay whole
	table_narrow(&t, 20);
	expect(&t,
	       1,
	       "0000…0.0  123456789012\n"
	       "  82599ES 10-Gigabi…\n"
	       "lo        -\n"
	       "  \n");
}

static void without_rows(void **)
{
	scope_cleanup(table_done) struct table t = TABLE(cut);

	table_narrow(&t, 80);
	assert_int_equal(table_rows(&t), 0);
	expect(&t, 0, "NIC  NODE  DEVICE\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns),
		cmocka_unit_test(drops_the_highest_rank_together),
		cmocka_unit_test(most_cuts_all_but_the_first),
		cmocka_unit_test(paint_takes_no_room),
		cmocka_unit_test(narrows),
		cmocka_unit_test(last_one_goes_below),
		cmocka_unit_test(without_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
