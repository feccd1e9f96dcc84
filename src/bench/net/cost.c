// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §6.4.2 blames code of control groups for the latency of containers: the fence is put around the same program part by
// part, and each time its cycles a packet and its latency are measured.

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/sides.h"

#include <math.h>
#include <string.h>

#define WORDS_MAX 40
#define STEPS 6

enum {
	CYCLES,
	RATE,
	MEAN,
	VALUES
};

// Words before the program: each step has all of those before it.
struct steps {
	struct environment env[STEPS];
	const char *words[STEPS][WORDS_MAX];
	unsigned n;
	char cpu[16], pages[16];
};

struct settings {
	double seconds;
};

static void step(struct steps *s, const struct environment *like, const char *name)
{
	s->env[s->n] = *like;
	s->env[s->n++].name = name;
}

static void words(const char **to, const char *const *more)
{
	unsigned n = 0;

	while (to[n] != NULL)
		n++;
	for (; *more != NULL && n + 1 < WORDS_MAX; more++)
		to[n++] = *more;
	to[n] = NULL;
}

static void find_steps(const struct bench *b, struct steps *s)
{
	const struct environment *host = &b->env[ENV_HOST];
	// its cgroups with their limits, and the views of the grant
	const char *const groups[] = {
		b->pinfold,
		"run",
		"--in",
		"host",
		"--cpus",
		s->cpu,
		"--hugepages",
		s->pages,
		"--",
		NULL};
	static const char *const spaces[] = {
		"unshare",
		"--mount",
		"--pid",
		"--fork",
		"--kill-child",
		"--ipc",
		"--uts",
		"--net",
		NULL};
	static const char *const user[] = {"--user", "--map-root-user", NULL};
	const char *const filter[] = {b->pinfold, "bench", "filtered", NULL};

	snprintf(s->cpu, sizeof(s->cpu), "%d", b->cpu_vnf);
	snprintf(s->pages, sizeof(s->pages), "2M=%u", function_l2fwd.pages);
	step(s, host, "bare");
	step(s, host, "+ cgroups");
	words(s->words[1], groups);
	step(s, host, "+ namespaces");
	words(s->words[2], groups);
	words(s->words[2], spaces);
	step(s, host, "+ user namespace");
	words(s->words[3], groups);
	words(s->words[3], spaces);
	words(s->words[3], user);
	step(s, host, "+ seccomp");
	words(s->words[4], groups);
	words(s->words[4], spaces);
	words(s->words[4], user);
	words(s->words[4], filter);
	step(s, &b->env[ENV_CONTAINER], "all: pinfold run");
}

static int measure(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	struct window w;

	if (rig_offer_valid(rig, 0, s->seconds, &w, err) < 0)
		return -err->code;
	compare_tester(c, t, &w);
	t->value[CYCLES] = window_cycles(&w);
	t->value[RATE] = window_received(&w) / 1e6;
	t->value[MEAN] = w.latency_ns[QMEAN] / 1e3;
	return 0;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	struct settings s = {.seconds = b->size != BENCH_FULL ? 0.3 : 1};
	struct steps steps = {0};
	struct compare c = {
		.what = "l2fwd, 64 B",
		.function = &function_l2fwd,
		.size = &function_l2fwd.sizes[0],
		.nvalues = VALUES,
		.value =
			{
				[CYCLES] =
					{.name = "a packet",
					 .unit = "cycles",
					 .less = true,
					 .ratio = true},
				[RATE] = {.name = "overload", .unit = "Mpps", .ratio = true},
				[MEAN] =
					{.name = "mean latency at overload",
					 .unit = "µs",
					 .less = true,
					 .ratio = true},
			},
		.rounds = compare_rounds(b, 7, 16),
		.measure = measure,
		.arg = &s,
	};
	int done;

	find_steps(b, &steps);
	c.nsides = steps.n;
	for (unsigned i = 0; i < steps.n; i++)
		c.side[i] = (struct compare_side){
			.env = &steps.env[i], .wrap = i > 0 ? steps.words[i] : NULL};
	done = compare_run(b, r, &c, err);
	for (unsigned i = 1; i < steps.n; i++) {
		struct row *row = c.ratio[i][MEAN];

		if (row == NULL)
			continue;
		row_paper(
			row,
			i + 1 == steps.n ? 530.065 / 493.148 : (double)NAN,
			"the added latency can be attributed to kernel code that is not fired in "
			"the root "
			"control group"
		);
		row_claim(row, CLAIM_ABOVE, 1);
	}
	// what one part adds to those before it
	for (unsigned i = 2; i < steps.n; i++) {
		for (unsigned v = CYCLES; v < VALUES; v++) {
			if (v != RATE && c.row[i][v] != NULL && c.row[i - 1][v] != NULL)
				result_ratio(r, NULL, c.row[i][v], c.row[i - 1][v]);
		}
	}
	return done;
}

static const struct experiment cost = {
	.name = "cost",
	.figure = "§6.4.2",
	.title = "What each part of the fence costs a packet",
	.about = "l2fwd as a bare process in the root cgroups, then with the cgroups and views of "
		 "a grant, "
		 "with namespaces, with a user namespace, with the filter of system calls, and in "
		 "the "
		 "whole container: cycles a packet, rate and latency at overload, each against the "
		 "bare "
		 "process and against the step before.",
	.dropped[BENCH_QUICK] = "long trials",
	.seconds = {110, 280},
	.order = 90,
	.lacks = rig_lacks,
	.run = run,
};
EXPERIMENT(cost);
