// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What is taken from something that says that it is a drover.

#include "unit.h"

#include "stats/packets.h"

static bool read_text(const char *text, struct stats_packets *ret)
{
	size_t values = PACKETS_VALUES;

	*ret = (struct stats_packets){0};
	return packets_in_report(text, strlen(text), &values, ret);
}

static void adds_ports_and_drops(void **state)
{
	static const char second[] = "{\"ports\":[{\"ipackets\":1}],\"tasks\":[]}";
	struct stats_packets p;
	size_t values = 5; // it has so many

	(void)state;
	assert_true(read_text(
		"{\"ports\": [{\"ipackets\": 10, \"opackets\": 7, \"imissed\": 1},"
		" {\"ipackets\": 5, \"opackets\": 4, \"ierrors\": 2, \"oerrors\": 4,"
		" \"rx_nombuf\": 8}],"
		" \"tasks\": [{\"drops\": {\"tx full\": 16, \"no route\": 32}, \"busy_cycles\": 5,"
		" \"idle_cycles\": 3}, {\"idle_cycles\": 4}]}\n",
		&p
	));
	assert_int_equal(p.received, 15);
	assert_int_equal(p.sent, 11);
	assert_int_equal(p.dropped, 63);
	assert_int_equal(p.busy, 5);
	assert_int_equal(p.idle, 7);
	// of a second drover, in the same workload
	assert_true(packets_in_report(second, strlen(second), &values, &p));
	assert_int_equal(p.received, 16);
	assert_int_equal(p.drovers, 2);
}

static void takes_numbers_alone(void **state)
{
	struct stats_packets p;

	(void)state;
	assert_true(read_text(
		"{\"ports\": [{\"ipackets\": \"9\", \"opackets\": -1}, 3, null, [1],"
		" {\"ipackets\": 1.5, \"opackets\": {\"x\": 1}}],"
		" \"tasks\": [{\"drops\": [1]}, {\"drops\": {\"\": \"\\u001b[2J\"}}]}",
		&p
	));
	assert_int_equal(p.received, 0);
	assert_int_equal(p.sent, 0);
	assert_int_equal(p.dropped, 0);
}

static void holds_sums(void **state)
{
	struct stats_packets p;

	(void)state;
	assert_true(read_text(
		"{\"ports\": [{\"ipackets\": 9223372036854775807},"
		" {\"ipackets\": 9223372036854775807}], \"tasks\": []}",
		&p
	));
	assert_true(p.received == INT64_MAX);
}

static void refuses_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"[]",
		"{}",
		"{\"error\": \"x\"}",
		"{\"ports\": {}, \"tasks\": []}",
		"{\"ports\": [{\"ipackets\": 1}], \"tasks\": []",
		"{\"ports\": [{\"ipackets\": 99999999999999999999}], \"tasks\": []}",
		"{\"ports\": [], \"tasks\": []} {}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct stats_packets p;

		assert_false(read_text(texts[i], &p));
		assert_int_equal(p.received, 0);
	}
}

// What is short and takes much memory and time to be read, in one answer or in several.
static void refuses_many_values(void **state)
{
	static const char begin[] = "{\"ports\": [], \"tasks\": [", end[] = "{}]}";
	static char text[300000];
	struct stats_packets p = {0};
	size_t values = PACKETS_VALUES;

	(void)state;
	// two of nearly half are read; what is left is enough for a short one alone
	for (unsigned i = 0; i < 5; i++) {
		static const unsigned many[] = {70000, 15000, 15000, 15000, 10};
		char *at = stpcpy(text, begin);

		for (unsigned k = 0; k < many[i]; k++)
			at = stpcpy(at, "{},");
		strcpy(at, end);
		assert_int_equal(
			packets_in_report(text, strlen(text), &values, &p), i != 0 && i != 3
		);
	}
	assert_int_equal(p.drovers, 3);
}

// Two sums are of the same drovers, or there is no rate.
static void rates_are_of_the_same(void **state)
{
	static struct stats_workload one, two;
	static const struct host_tick none[1];
	struct stats from = {.at = 1, .n = 1, .workloads = &one, .ticks = (struct host_tick *)none};
	struct stats to = from;

	(void)state;
	to.at = 1000000001;
	to.workloads = &two;
	one.lease.site.name = two.lease.site.name = "container";
	one.packets = (struct stats_packets){.at = 1, .drovers = 1, .received = 10};
	two.packets = (struct stats_packets){.at = 1000000001, .drovers = 1, .received = 30};
	for (unsigned n = 1; n <= 2; n++) {
		json_t *rows = stats_rows(&from, &to);
		const json_t *packets = json_object_get(json_array_get(rows, 0), "packets");

		assert_int_equal(json_is_null(packets), n == 2);
		if (n == 1)
			assert_true(json_real_value(json_object_get(packets, "received")) == 20);
		json_decref(rows);
		two.packets.drovers = 2;
	}
}

// Busy it is all the time; how much of that was for nothing is not the kernel's to say.
static void idle_polling(void **state)
{
	static struct stats_workload one, two;
	static const struct host_tick none[1];
	struct stats from = {.at = 1, .n = 1, .workloads = &one, .ticks = (struct host_tick *)none};
	struct stats to = from;

	(void)state;
	to.at = 1000000001;
	to.workloads = &two;
	one.lease.site.name = two.lease.site.name = "container";
	one.packets = (struct stats_packets){.at = 1, .drovers = 1, .busy = 100, .idle = 100};
	two.packets = one.packets;
	two.packets.at = 1000000001;
	for (unsigned n = 0; n < 3; n++) {
		static const double want[] = {-1, 75, -1};
		json_t *rows = stats_rows(&from, &to), *table;
		const json_t *packets = json_object_get(json_array_get(rows, 0), "packets"), *idle;
		const char *const *keys;

		assert_int_equal(json_is_null(packets), n == 2); // counted anew
		idle = json_object_get(packets, "idle_polling");
		assert_true(want[n] < 0 ? !json_is_real(idle) : json_real_value(idle) == want[n]);
		table = stats_table(rows, &keys);
		assert_int_equal(
			json_is_real(json_object_get(json_array_get(table, 0), "idle-polling")),
			want[n] >= 0
		);
		json_decref(table);
		json_decref(rows);
		two.packets.busy = n == 0 ? 110 : 90;
		two.packets.idle = 130;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_ports_and_drops),
		cmocka_unit_test(takes_numbers_alone),
		cmocka_unit_test(holds_sums),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(refuses_many_values),
		cmocka_unit_test(rates_are_of_the_same),
		cmocka_unit_test(idle_polling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
