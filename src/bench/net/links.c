// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §3.3 and 5.4: what joins a function to the next, and what each way costs.

#include "base/scope.h"
#include "base/str.h"
#include "bench/net/sides.h"

#include <math.h>

enum {
	RATE,
	CYCLES,
	TESTER,
	MEDIAN,
	P99,
	VALUES
};

struct settings {
	double seconds, low; // packets a second without a queue
};

static int measure(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	struct window w;

	if (rig_offer_valid(rig, 0, s->seconds, &w, err) < 0)
		return -err->code;
	// what a packet costs the tester is the link's, and not the same on all sides
	t->value[RATE] = window_received(&w) / 1e6;
	t->value[CYCLES] = window_cycles(&w);
	t->value[TESTER] = window_tester_cycles(&w);
	if (rig_offer_valid(rig, s->low, s->seconds, &w, err) < 0)
		return -err->code;
	t->value[MEDIAN] = w.latency_ns[Q50] / 1e3;
	t->value[P99] = w.latency_ns[Q99] / 1e3;
	return 0;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	static const struct {
		enum rig_link link;
		const char *name;
	} links[] = {
		{RIG_MEMIF, "memif"},
		{RIG_VHOST, "vhost-user"},
		{RIG_RING, "ring"},
		{RIG_AF_XDP, "veth with AF_XDP"},
	};
	static const char *const not_yet[] = {"shm, guarded", "shm, trusted", "ivshmem"};
	const struct remote *remote = b->remote;
	struct environment env[ARRAY_LEN(links)];
	struct settings s = {.seconds = b->size != BENCH_FULL ? 0.3 : 1, .low = 100e3};
	struct compare c = {
		.what = "none, 64 B",
		.function = &function_none,
		.size = &function_none.sizes[0],
		.nsides = ARRAY_LEN(links),
		.nvalues = VALUES,
		.value =
			{
				[RATE] = {.name = "overload", .unit = "Mpps", .ratio = true},
				[CYCLES] =
					{.name = "a packet",
					 .unit = "cycles",
					 .less = true,
					 .ratio = true},
				[TESTER] =
					{.name = "a packet, of the tester",
					 .unit = "cycles",
					 .less = true},
				[MEDIAN] =
					{.name = "median latency at 0.1 Mpps",
					 .unit = "µs",
					 .less = true},
				[P99] =
					{.name = "99 % latency at 0.1 Mpps",
					 .unit = "µs",
					 .less = true},
			},
		.rounds = compare_rounds(b, 4, 14),
		.measure = measure,
		.arg = &s,
	};
	int done;

	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		env[i] = b->env[ENV_HOST];
		env[i].name = links[i].name;
		c.side[i] = (struct compare_side){.env = &env[i], .link = links[i].link};
	}
	// they are this machine's, whoever else measures
	b->remote = NULL;
	done = compare_run(b, r, &c, err);
	b->remote = remote;
	for (size_t i = 0; i < ARRAY_LEN(not_yet); i++)
		result_missing(
			r,
			"none, 64 B: overload",
			&(struct environment){
				.kind = ENV_HOST, .name = not_yet[i], .present = true},
			"there is no such link yet"
		);
	return done;
}

static const struct experiment links = {
	.name = "links",
	.figure = "§3.3, 5.4",
	.title = "What joins one function to the next",
	.about = "none as a bare process behind memif, vhost-user, a ring in the same process, and "
		 "veth with "
		 "AF_XDP: rate and cycles a packet at overload, latency at 0.1 Mpps. The paper's "
		 "shared "
		 "memory (IVSHMEM) is not there yet.",
	.dropped[BENCH_QUICK] = "long trials",
	.seconds = {50, 260},
	.order = 120,
	.lacks = rig_lacks,
	.run = run,
};
EXPERIMENT(links);
