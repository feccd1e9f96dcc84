// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tab. 4 and 5: how long a packet takes, there and back through both links.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/instruments.h"
#include "bench/net/sides.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PDR 0.005
#define STAND_IN 0.75
#define ATTEMPTS 3
#define NAME_LEN 48

// Of the rate at which PDR is lost: the same for all sides.
static const double loads[] = {0.1, 0.5, 0.9};

static const struct {
	enum quantile q;
	const char *name;
} quantiles[] = {
	{Q50, "median"},
	{Q99, "99 %"},
	{Q999, "99.9 %"},
	{Q9999, "99.99 %"},
	{QMAX, "maximum"},
};

enum {
	MEAN,
	MAX,
	AT_LOADS
};
#define VALUES (AT_LOADS + ARRAY_LEN(loads) * ARRAY_LEN(quantiles))

struct settings {
	double seconds;
	unsigned rounds;
	double pdr; // packets a second
};

// The paper's figures, by environment: Tab. 4 for none, Tab. 5 for l2fwd.
static const struct paper {
	const struct function *function;
	const char *figure;
	struct {
		double mean, max;
	} us[3]; // ENV_HOST, ENV_CONTAINER, ENV_VM
} papers[] = {
	{&function_none, "Tab. 4", {{11.4375, 53}, {11.3955, 56}, {11.1735, 457}}},
	{&function_l2fwd, "Tab. 5", {{493.148, 565.441}, {530.065, 599.067}, {518.032, 974.435}}},
};

static double micro(const struct window *w, enum quantile q)
{
	return w->latency_ns[q] / 1e3;
}

static int measure(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	unsigned at = AT_LOADS;
	struct window w;

	if (rig_offer_valid(rig, 0, s->seconds, &w, err) < 0)
		return -err->code;
	compare_tester(c, t, &w);
	t->value[MEAN] = micro(&w, QMEAN);
	t->value[MAX] = micro(&w, QMAX);
	for (size_t i = 0; i < ARRAY_LEN(loads) && s->pdr > 0; i++) {
		int r = rig_offer_valid(rig, loads[i] * s->pdr, s->seconds, &w, err);

		// a load that the tester cannot offer this time takes no others with it
		if (r < 0 && !(r == -EAGAIN && window_beyond_tester(&w)))
			return r;
		for (size_t q = 0; q < ARRAY_LEN(quantiles); q++)
			t->value[at++] = r < 0 ? (double)NAN : micro(&w, quantiles[q].q);
	}
	return 0;
}

struct pdr {
	double rate;
	char why[160]; // it stands for the rate, which was not found
	unsigned repeated;
	char before[160]; // why
};

static int look_for_pdr(struct bench *b, const struct function *f, struct pdr *ret, struct err *err)
{
	static unsigned used = 1000000; // not those of trials
	const unsigned number = used++;
	struct search s = {
		.first = 0.1,
		.final = 0.2,
		.limit = 8,
		.ngoals = 1,
		.goal = {{.loss = PDR, .exceed = 0.5, .width = 0.02, .sum = 0.4}},
	};
	const struct rig_how how = {
		.env = &b->env[ENV_HOST],
		.function = f,
		.size = &f->sizes[0],
		.number = number,
	};
	_cleanup_rig_ struct rig rig = RIG_INIT;
	struct rig_search found;
	struct search_result res;
	struct window w;

	bench_say(b, "latency: the rate of %s with 0.5 %% loss", f->name);
	if (rig_start(b, &how, &rig, err) < 0 || rig_offer_valid(&rig, 0, 0.2, &w, err) < 0)
		return -err->code;
	s.max = 1.25 * window_received(&w);
	s.min = s.max / 50;
	ret->rate = STAND_IN * window_received(&w);
	if (rig_search(&rig, &s, &found, err) < 0) {
		if (bench_cancelled())
			return bench_check(err);
		snprintf(ret->why, sizeof(ret->why), "%.150s", err->msg);
		return 0;
	}
	res = search_result(&s, 0);
	if (res.end == SEARCH_FOUND)
		ret->rate = res.lower;
	else
		snprintf(
			ret->why,
			sizeof(ret->why),
			"%s",
			res.end == SEARCH_MIN	? "packets are lost at any rate"
			: res.end == SEARCH_MAX ? "it is above the most that was offered"
						: "the search was not done in time"
		);
	return 0;
}

// The rate that the loads are parts of: of a bare process. Where the search does not find it, STAND_IN of what comes back
// at overload, which the tester can offer.
static int find_pdr(struct bench *b, const struct function *f, struct pdr *ret, struct err *err)
{
	for (unsigned i = 0;; i++) {
		int r = look_for_pdr(b, f, ret, err);

		ret->repeated = i;
		if (r == 0 || r == -ECANCELED || i + 1 == ATTEMPTS)
			return r;
		snprintf(ret->before, sizeof(ret->before), "%.150s", err->msg);
	}
}

static void name_values(struct compare *c, char names[VALUES][NAME_LEN])
{
	unsigned at = AT_LOADS;

	c->value[MEAN] = (struct compare_value){
		.name = "mean at overload", .unit = "µs", .less = true, .ratio = true};
	c->value[MAX] = (struct compare_value){
		.name = "maximum at overload", .unit = "µs", .less = true, .ratio = true};
	for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
		for (size_t q = 0; q < ARRAY_LEN(quantiles); q++, at++) {
			snprintf(
				names[at],
				NAME_LEN,
				"%s at %.0f %% of PDR",
				quantiles[q].name,
				100 * loads[i]
			);
			c->value[at] = (struct compare_value){
				.name = names[at],
				.unit = "µs",
				.less = true,
				// of the others there is too little in a trial
				.ratio = quantiles[q].q == Q50 || quantiles[q].q == Q99,
			};
		}
	}
}

static void cite(struct compare *c, const struct paper *p)
{
	static const char *const about[] = {
		[MEAN] = "average, NIC to NIC", [MAX] = "maximum, NIC to NIC"};

	for (unsigned i = 0; i < c->nsides; i++) {
		for (unsigned v = MEAN; v <= MAX; v++) {
			struct row *row = c->row[i][v];
			enum env_kind kind = c->side[i].env->kind;

			if (row == NULL)
				continue;
			row_figure(row, p->figure);
			row_paper(
				row, v == MEAN ? p->us[kind].mean : p->us[kind].max, "%s", about[v]
			);
		}
	}
	if (c->nsides < 2 || c->ratio[1][MEAN] == NULL)
		return;
	row_figure(c->ratio[1][MEAN], p->figure);
	row_paper(
		c->ratio[1][MEAN],
		p->us[ENV_CONTAINER].mean / p->us[ENV_HOST].mean,
		"%s",
		p->function == &function_l2fwd
			? "containers introduce a higher latency on average (of a full queue)"
			: "no difference to speak of"
	);
	row_claim(c->ratio[1][MEAN], p->function == &function_l2fwd ? CLAIM_ABOVE : CLAIM_ABOUT, 1);
}

// A maximum grows with the trials, and a load near the rate that this run found is another one in the next: queues grow
// steeply there.
static void keep_apart(struct compare *c)
{
	for (unsigned i = 0; i < c->nsides; i++) {
		for (unsigned v = MAX; v < c->nvalues; v++) {
			unsigned at = v - AT_LOADS;
			bool low = v >= AT_LOADS && at < ARRAY_LEN(quantiles);

			if (c->row[i][v] != NULL && (!low || quantiles[at].q == QMAX))
				row_alone(c->row[i][v]);
		}
	}
}

static int compare(
	struct bench *b,
	struct result *r,
	struct settings *s,
	const struct paper *p,
	bool vm,
	struct err *err
)
{
	_cleanup_free_ char *what = need(str_printf("%s, 64 B", p->function->name));
	struct compare c = {
		.what = what,
		.function = p->function,
		.size = &p->function->sizes[0],
		.nsides = vm ? 1 : 2,
		// in a virtual machine as the paper has it, and no more
		.nvalues = vm ? (unsigned)AT_LOADS : (unsigned)VALUES,
		.rounds = s->rounds,
		.measure = measure,
		.arg = s,
	};
	char names[VALUES][NAME_LEN];
	int done;

	if (vm)
		c.side[0] = (struct compare_side){.env = &b->env[ENV_VM], .link = RIG_VHOST};
	else
		for (unsigned i = 0; i < c.nsides; i++)
			c.side[i].env = &b->env[i == 0 ? ENV_HOST : ENV_CONTAINER];
	name_values(&c, names);
	done = compare_run(b, r, &c, err);
	cite(&c, p);
	keep_apart(&c);
	return done;
}

// Fails only at ctrl-C.
static int show_pdr(
	struct bench *b, struct result *r, const struct function *f, double *ret, struct err *err
)
{
	_cleanup_free_ char *name = need(str_printf("%s: 100 %% of PDR", f->name));
	struct row *row = result_measured(r, name, NULL, "Mpps");
	struct pdr pdr = {0};

	if (find_pdr(b, f, &pdr, err) < 0) {
		row_invalid(row, "%s", err->msg);
		return bench_check(err);
	}
	*ret = pdr.rate;
	row->repeated = pdr.repeated;
	if (pdr.repeated > 0)
		row->repeated_why = need(strdup(pdr.before));
	row_sample(row, pdr.rate / 1e6);
	if (pdr.why[0] == '\0')
		row_text(row, "of a bare process; loads of all sides are parts of it");
	else
		row_text(
			row,
			"the rate with 0.5 %% loss was not found (%s): %.0f %% of what came back "
			"at overload stands in for it",
			pdr.why,
			100 * STAND_IN
		);
	return 0;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	const int64_t until = b->until_ms;

	if (instruments_loopback(b, r, err) < 0)
		return -err->code;
	for (size_t i = 0; i < ARRAY_LEN(papers); i++) {
		const struct paper *p = &papers[i];
		int64_t now = clock_ms();
		struct settings s = {
			.seconds = b->size == BENCH_FULL    ? 2
				   : b->size == BENCH_BRIEF ? 0.3
							    : 0.4,
			.rounds = compare_rounds(b, b->size == BENCH_BRIEF ? 6 : 8, 20),
		};
		// a machine on which the one is often disturbed has time for the other, too
		b->until_ms = now + (until - now) / (int64_t)(ARRAY_LEN(papers) - i);
		if (show_pdr(b, r, p->function, &s.pdr, err) < 0)
			return -err->code;
		if (compare(b, r, &s, p, false, err) < 0)
			return -err->code;
		if (compare_tiny() || b->size == BENCH_BRIEF || (b->size == BENCH_QUICK && i > 0))
			continue;
		s.pdr = 0;
		s.rounds = b->env[ENV_VM].emulated || b->size != BENCH_FULL ? 1 : s.rounds;
		if (compare(b, r, &s, p, true, err) < 0)
			return -err->code;
	}
	return 0;
}

static const struct experiment latency = {
	.name = "latency",
	.figure = "Tab. 4, 5",
	.title = "How long a packet takes",
	.about = "none and l2fwd as a bare process and in a container: mean and maximum at "
		 "overload, "
		 "as the paper has them, which is how long a queue is; and percentiles at 10, 50 "
		 "and "
		 "90 % of the rate with 0.5 % loss, which is what forwarding takes. Times are "
		 "there and "
		 "back through both links.",
	.dropped[BENCH_QUICK] = "l2fwd in a virtual machine, long trials",
	.dropped[BENCH_BRIEF] = "virtual machines, long trials; repeats: 6 of each instead of 20",
	.seconds = {230, 900, 90},
	.order = 80,
	.lacks = rig_lacks_vm,
	.run = run,
};
EXPERIMENT(latency);
