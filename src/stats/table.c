// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The rows for people.

#include "stats/stats.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"

#include <stdio.h>

// The last is a short one: a long one that does not fit would have a line of its own.
static const char *const keys[] = {
	"name",
	"cpus",
	"cpu",
	"busy",
	"stolen",
	"ticks",
	"interrupts",
	"packets",
	"idle-polling",
	"memory",
	"hugepages",
	"processes",
	NULL,
};
// of a machine without a drover
static const char *const keys_without[] = {
	"name",
	"cpus",
	"cpu",
	"busy",
	"stolen",
	"ticks",
	"interrupts",
	"memory",
	"hugepages",
	"processes",
	NULL,
};

const char *const stats_dropped[] = {
	"cpus",
	"busy",
	"packets",
	"memory",
	"hugepages",
	"processes",
	"idle-polling",
	"stolen",
	"ticks",
	"interrupts",
	NULL,
};

// The mean of its CPUs, or the sum; null: none of them is known.
static json_t *over_cpus(const json_t *cpus, const char *key, bool mean)
{
	const json_t *row;
	double sum = 0;
	size_t i, n = 0;

	json_array_foreach ((json_t *)cpus, i, row) {
		const json_t *v = json_object_get(row, key);

		if (!json_is_real(v))
			continue;
		sum += json_real_value(v);
		n++;
	}
	return n == 0 ? json_null() : json_real(mean ? sum / (double)n : sum);
}

static json_t *list_cpus(const json_t *cpus)
{
	struct idset set = {0};
	const json_t *row;
	char text[128];
	size_t i;

	json_array_foreach ((json_t *)cpus, i, row)
		idset_add(&set, (unsigned)json_integer_value(json_object_get(row, "cpu")));
	return idset_empty(&set) ? json_null()
				 : json_string(idset_format(&set, text, sizeof(text)));
}

// "12M/64M": whole MiB of what is used.
static json_t *memory_text(const json_t *row)
{
	const json_t *used = json_object_get(row, "memory");
	const json_t *limit = json_object_get(row, "memory_limit");
	char a[SIZE_STR], b[SIZE_STR];
	const uint64_t m = UINT64_C(1) << 20;

	if (!json_is_integer(used))
		return json_null();
	size_format(((uint64_t)json_integer_value(used) + m - 1) / m * m, a);
	if (!json_is_integer(limit))
		return json_string(a);
	return json_sprintf("%s/%s", a, size_format((uint64_t)json_integer_value(limit), b));
}

// "2M=16/512 1G=0/4": pages in use or reserved, of those granted.
static json_t *hugepages_text(const json_t *all)
{
	char text[160] = "";
	const json_t *one;
	size_t i;

	json_array_foreach ((json_t *)all, i, one) {
		const char *name = json_string_value(json_object_get(one, "size"));
		json_int_t used = json_integer_value(json_object_get(one, "used"));
		json_int_t reserved = json_integer_value(json_object_get(one, "reserved"));
		uint64_t size = 1;
		struct err unused;

		if (size_parse(name, &size, &unused) < 0)
			continue;
		// a page that was reserved first counts in both
		str_add(text,
			sizeof(text),
			" ",
			"%s=%lld/%lld",
			name,
			(used > reserved ? used : reserved) / (json_int_t)size,
			json_integer_value(json_object_get(one, "granted")) / (json_int_t)size);
	}
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *processes_text(const json_t *row)
{
	const json_t *n = json_object_get(row, "processes");
	const json_t *limit = json_object_get(row, "processes_limit");

	if (!json_is_integer(n) || !json_is_integer(limit))
		return json_incref((json_t *)n);
	return json_sprintf("%lld/%lld", json_integer_value(n), json_integer_value(limit));
}

static const char *figure(const json_t *packets, const char *key, char buf[static 16])
{
	static const char units[] = {'\0', 'k', 'M', 'G'};
	double v = json_real_value(json_object_get(packets, key));
	size_t unit = 0;

	for (; v >= 999.5 && unit + 1 < sizeof(units); unit++)
		v /= 1000;
	snprintf(buf, 16, "%.3g%.1s", v, &units[unit]);
	return buf;
}

// "14.2M/14.2M/0": received, sent and dropped in a second.
static json_t *packets_text(const json_t *packets)
{
	char a[16], b[16], c[16];

	if (!json_is_object(packets))
		return json_null();
	return json_sprintf(
		"%s/%s/%s",
		figure(packets, "received", a),
		figure(packets, "sent", b),
		figure(packets, "dropped", c)
	);
}

json_t *stats_table(const json_t *rows, const char *const **ret_keys)
{
	json_t *table = json_array();
	bool packets = false;
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const json_t *cpus = json_object_get(row, "cpus");

		packets = packets || json_is_object(json_object_get(row, "packets"));
		json_array_append_new(
			table,
			json_pack(
				"{s:O, s:o, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O?}",
				"name",
				json_object_get(row, "name"),
				"cpus",
				list_cpus(cpus),
				"cpu",
				json_object_get(row, "cpu"),
				"busy",
				over_cpus(cpus, "busy", true),
				"stolen",
				over_cpus(cpus, "stolen", true),
				"ticks",
				over_cpus(cpus, "ticks", false),
				"interrupts",
				over_cpus(cpus, "interrupts", false),
				"memory",
				memory_text(row),
				"hugepages",
				hugepages_text(json_object_get(row, "hugepages")),
				"processes",
				processes_text(row),
				"packets",
				packets_text(json_object_get(row, "packets")),
				"idle-polling",
				json_object_get(json_object_get(row, "packets"), "idle_polling")
			)
		);
	}
	*ret_keys = packets ? keys : keys_without;
	return table;
}
