// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The numbers in what says that it is a drover (docs/drover-stats.md). Anybody may have written it.

#include "stats/packets.h"

#include "base/jread.h"
#include "base/scope.h"

// Memory and time that a text takes to be read go with its values, however short they are.
static bool is_short(const char *text, size_t len, size_t *values)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	if (n > *values)
		return false;
	*values -= n;
	return true;
}

// Sums stay below what JSON and half of those who read it can hold.
static void add(uint64_t *sum, const json_t *v)
{
	const uint64_t most = INT64_MAX;
	json_int_t n = json_integer_value(v);

	if (n > 0)
		*sum = (uint64_t)n > most - *sum ? most : *sum + (uint64_t)n;
}

bool packets_in_report(const char *text, size_t len, size_t *values, struct stats_packets *ret)
{
	static const char *const lost[] = {"imissed", "ierrors", "oerrors", "rx_nombuf"};
	_cleanup_json_ json_t *report =
		is_short(text, len, values) ? json_loadb(text, len, 0, NULL) : NULL;
	const json_t *tasks = json_object_get(report, "tasks"),
		     *ports = json_object_get(report, "ports");
	struct stats_packets all = *ret;
	json_t *one, *drops;
	const char *reason;
	size_t i;

	if (!json_is_array(tasks) || !json_is_array(ports))
		return false;
	json_array_foreach (ports, i, one) {
		add(&all.received, json_object_get(one, "ipackets"));
		add(&all.sent, json_object_get(one, "opackets"));
		for (size_t k = 0; k < ARRAY_LEN(lost); k++)
			add(&all.dropped, json_object_get(one, lost[k]));
	}
	json_array_foreach (tasks, i, one) {
		json_object_foreach (json_object_get(one, "drops"), reason, drops)
			add(&all.dropped, drops);
		add(&all.busy, json_object_get(one, "busy_cycles"));
		add(&all.idle, json_object_get(one, "idle_cycles"));
	}
	all.drovers++;
	*ret = all;
	return true;
}
