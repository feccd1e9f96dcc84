// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fig. 11: packets a second that a function can process in different environments.

#include "base/clock.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/cpus.h"
#include "bench/net/instruments.h"
#include "bench/net/sides.h"

#include <math.h>
#include <string.h>

#define WORDS_SAME                                                                                \
	"Fig. 11 is a plot without numbers; §6.4.1 says of it: stable and similar on the host, " \
	"in "                                                                                     \
	"a container and in KVM"
#define WORDS_L2FWD                                                                      \
	"Fig. 11 is a plot without numbers; §6.4.1 says of it: the only test in which " \
	"containers do worse than the host, and KVM worse than containers"

#define RAISED 4 // times that a search's highest load may be doubled

enum {
	RATE,
	CYCLES,
	IDLE,
	OVERLOAD_VALUES
};
enum {
	LOSS_AT_HALF = RATE + 1,
	VM_VALUES
};
enum {
	NDR,
	PDR,
	RATES,
	EXCUSED = RATES,
	SEARCH_VALUES
};

struct settings {
	double seconds; // of traffic at overload
	unsigned rounds;
	struct search search; // filled in but for its loads
	unsigned search_rounds;
	char unfinished[120]; // why a rate was not found
};

static const struct function *const functions[] = {
	&function_none, &function_l2fwd, &function_l3fwd, &function_bng};

static struct settings settings_of(const struct bench *b)
{
	bool quick = b->size != BENCH_FULL;
	double sum = quick ? 0.6 : 4;

	return (struct settings){
		.seconds = quick ? 0.4 : 1,
		.rounds = compare_rounds(b, b->size == BENCH_BRIEF ? 7 : 12, 14),
		.search =
			{
				.first = quick ? 0.1 : 0.25,
				.final = quick ? 0.3 : 1,
				.limit = compare_tiny() ? 1.5
					 : quick	? 25
							: 90,
				.ngoals = RATES,
				.goal =
					{
						{.loss = 0.005,
						 .exceed = 0.5,
						 .width = 0.005,
						 .sum = sum},
						{.loss = 0,
						 .exceed = 0.5,
						 .width = 0.005,
						 .sum = sum},
					},
			},
		.search_rounds = compare_tiny() ? 1 : compare_rounds(b, 3, 6),
	};
}

// ---- overload

static int overload(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	struct window w;

	if (rig_offer_valid(rig, 0, s->seconds, &w, err) < 0)
		return -err->code;
	compare_tester(c, t, &w);
	t->value[RATE] = window_received(&w) / 1e6;
	t->value[CYCLES] = window_cycles(&w);
	t->value[IDLE] = 100 * window_idle(&w);
	return 0;
}

// Of a rate that the tester limited nobody should think that it is the function's. Whether there is one.
static bool remark_limit(struct compare *c)
{
	bool any = false;

	for (unsigned i = 0; i < c->nsides; i++) {
		struct row *idle = c->row[i][IDLE], *rate = c->row[i][RATE];

		if (idle == NULL)
			continue;
		row_settle(idle);
		if (idle->value.n == 0 || idle->value.mid <= 5)
			continue;
		any = true;
		row_text(
			rate,
			"the tester is the limit: the function was idle for %.0f %% of its "
			"time; its cycles a packet say what it costs",
			idle->value.mid
		);
	}
	return any;
}

static void claim(struct compare *c, unsigned value)
{
	bool l2fwd = c->function == &function_l2fwd;
	struct row *ratio = c->ratio[1][value];
	// of a rate less is worse, and of cycles more
	enum claim_kind worse = c->value[value].less ? CLAIM_ABOVE : CLAIM_BELOW;

	if (ratio == NULL)
		return;
	row_paper(ratio, NAN, "%s", l2fwd ? WORDS_L2FWD : WORDS_SAME);
	row_claim(ratio, l2fwd ? worse : CLAIM_ABOUT, 1);
}

// The paper's statement is of rates. Where the tester was the limit those are the tester's own, and what a packet costs
// stands in.
static void judge(struct compare *c)
{
	if (!remark_limit(c)) {
		claim(c, RATE);
		return;
	}
	if (c->ratio[1][RATE] != NULL && c->ratio[1][RATE]->kind == ROW_RATIO)
		row_doubt(
			c->ratio[1][RATE],
			"the tester is the limit of one of them at least: the cycles a packet "
			"say how they compare"
		);
	claim(c, CYCLES);
}

static struct compare both(struct bench *b, const struct function *f, const struct frame_size *z)
{
	return (struct compare){
		.function = f,
		.size = z,
		.nsides = 2,
		.side = {{.env = &b->env[ENV_HOST]}, {.env = &b->env[ENV_CONTAINER]}},
	};
}

// The same twice, with packets: what is less than that is told of no two sides.
static int twice(struct bench *b, struct result *r, struct settings *s, struct err *err)
{
	struct environment again = b->env[ENV_HOST];
	struct compare c = both(b, &function_none, &function_none.sizes[0]);
	int done;

	again.name = RESULT_TWICE;
	c.what = "none, 64 B, twice";
	c.side[1].env = &again;
	c.nvalues = IDLE;
	c.value[RATE] = (struct compare_value){.name = "overload", .unit = "Mpps", .ratio = true};
	c.value[CYCLES] = (struct compare_value){
		.name = "a packet", .unit = "cycles", .less = true, .ratio = true};
	c.rounds = compare_tiny() ? 1 : compare_rounds(b, 6, 14);
	c.measure = overload;
	c.arg = s;
	done = compare_run(b, r, &c, err);
	for (unsigned v = 0; v < c.nvalues; v++) {
		if (c.ratio[1][v] != NULL)
			row_alone(c.ratio[1][v]);
	}
	return done;
}

static int at_overload(
	struct bench *b,
	struct result *r,
	struct settings *s,
	const char *what,
	const struct function *f,
	const struct frame_size *z,
	int cpu, // as in struct compare
	struct err *err
)
{
	struct compare c = both(b, f, z);
	int done;

	c.what = what;
	c.cpu = cpu;
	c.nvalues = OVERLOAD_VALUES;
	c.value[RATE] = (struct compare_value){.name = "overload", .unit = "Mpps", .ratio = true};
	c.value[CYCLES] = (struct compare_value){
		.name = "a packet", .unit = "cycles", .less = true, .ratio = true};
	c.value[IDLE] = (struct compare_value){.name = "idle at overload", .unit = "%"};
	c.rounds = s->rounds;
	c.measure = overload;
	c.arg = s;
	done = compare_run(b, r, &c, err);
	judge(&c);
	return done;
}

// ---- the highest rates without loss

// A function that loses packets when there are too many may do more than came back at overload: the highest load rises
// until it is too much, or more than the tester can offer.
static int raise_search(
	struct rig *rig, struct search *search, struct rig_search *found, struct err *err
)
{
	for (unsigned i = 0;; i++) {
		bool at_most = false;

		if (rig_search(rig, search, found, err) < 0)
			return -err->code;
		for (unsigned goal = 0; goal < RATES; goal++)
			at_most |= search_result(search, goal).end == SEARCH_MAX;
		if (!at_most || found->beyond_tester || i == RAISED)
			return 0;
		search->max *= 2;
	}
}

static int search(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	struct settings *s = c->arg;
	struct search search = s->search;
	struct rig_search found;
	struct window w;

	if (rig_offer_valid(rig, 0, 0.2, &w, err) < 0)
		return -err->code;
	compare_tester(c, t, &w);
	search.max = 1.25 * window_received(&w);
	search.min = search.max / 100;
	if (raise_search(rig, &search, &found, err) < 0)
		return -err->code;
	t->value[EXCUSED] = 100 * found.excused;
	for (unsigned i = 0; i < RATES; i++) {
		// goals are the other way round: the highest loss first
		struct search_result res = search_result(&search, RATES - 1 - i);

		t->value[i] = res.throughput / 1e6;
		if (res.end == SEARCH_MIN)
			trial_invalid(t, "packets are lost at any rate");
		if (res.end == SEARCH_MAX)
			trial_final(
				t,
				"it is above %.3g Mpps, %s",
				search.max / 1e6,
				found.beyond_tester
					? "the most that the tester can offer from its one CPU"
					: "and how far was not looked for"
			);
		if (res.end != SEARCH_UNFINISHED)
			continue;
		// a bound is no rate
		t->value[i] = NAN;
		snprintf(
			s->unfinished,
			sizeof(s->unfinished),
			"it was not found in %.0f s of traffic",
			search.limit
		);
	}
	return 0;
}

// Rows of rates that no search has found.
static void explain(struct compare *c, const char *why)
{
	for (unsigned i = 0; i < c->nsides; i++) {
		for (unsigned v = 0; v < RATES; v++) {
			struct row *row = c->row[i][v];

			if (row != NULL && !row->invalid && *why != '\0'
			    && stats_median(row->samples, row->n).n == 0)
				row_invalid(row, "%s", why);
		}
	}
}

static int searched(
	struct bench *b,
	struct result *r,
	struct settings *s,
	const char *what,
	const struct function *f,
	const struct frame_size *z,
	struct err *err
)
{
	struct compare c = both(b, f, z);
	int done;

	c.what = what;
	c.nvalues = SEARCH_VALUES;
	c.value[NDR] =
		(struct compare_value){.name = "no-drop rate", .unit = "Mpps", .ratio = true};
	c.value[PDR] = (struct compare_value){
		.name = "rate with 0.5 % loss", .unit = "Mpps", .ratio = true};
	c.value[EXCUSED] = (struct compare_value){
		.name = "packets of a trial that stalls explain", .unit = "%", .less = true};
	c.rounds = s->search_rounds;
	c.measure = search;
	c.arg = s;
	s->unfinished[0] = '\0';
	done = compare_run(b, r, &c, err);
	explain(&c, s->unfinished);
	claim(&c, PDR);
	return done;
}

// ---- whether the search finds what is known

static int known(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	struct search search = s->search;
	struct rig_search found;

	search.min = FUNCTION_POLICED / 50;
	search.max = FUNCTION_POLICED * 5;
	// in 0.1 s a port of 200 kpps lets through 20000, and 200 more that its bucket holds
	search.first = fmax(search.first, 0.2);
	search.final = fmax(search.final, 0.5);
	if (rig_search(rig, &search, &found, err) < 0)
		return -err->code;
	t->value[NDR] = search_result(&search, 1).throughput / 1e6;
	t->value[PDR] = search_result(&search, 0).throughput / 1e6;
	return 0;
}

// A port that is policed to a rate is a device whose capacity is known.
static int known_capacity(struct bench *b, struct result *r, struct settings *s, struct err *err)
{
	struct compare c = both(b, &function_policed, &function_policed.sizes[0]);
	struct row *row;
	int done;

	c.what = "a port policed to 0.2 Mpps";
	c.nsides = 1;
	c.nvalues = RATES;
	c.value[NDR] = (struct compare_value){.name = "no-drop rate", .unit = "Mpps"};
	c.value[PDR] = (struct compare_value){.name = "rate with 0.5 % loss", .unit = "Mpps"};
	c.rounds = 1;
	c.measure = known;
	c.arg = s;
	done = compare_run(b, r, &c, err);
	row = c.row[0][NDR];
	row_settle(row);
	if (row->value.n > 0)
		row_text(
			row,
			"the search found what is known with an error of %.2f %%",
			100 * fabs(row->value.mid * 1e6 / FUNCTION_POLICED - 1)
		);
	return done;
}

// ---- a virtual machine

// What of the packets is lost at half of the rate, and no stall of the machine explains.
static int overload_and_half(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct settings *s = c->arg;
	struct window w;
	int r;

	if (overload(c, rig, t, err) < 0)
		return -err->code;
	t->value[LOSS_AT_HALF] = NAN;
	if (!(t->value[RATE] > 0))
		return 0;
	// a second window that is disturbed takes nothing from the first
	r = rig_offer_valid(rig, t->value[RATE] * 1e6 / 2, s->seconds, &w, err);
	if (r == 0)
		t->value[LOSS_AT_HALF] = 100 * window_vnf_loss(&w);
	return r == -EAGAIN ? 0 : r;
}

// Once: its CPU is emulated, or its start takes long.
static int in_vm(struct bench *b, struct result *r, struct settings *s, struct err *err)
{
	const struct environment *env = &b->env[ENV_VM];
	struct compare c = both(b, &function_none, &function_none.sizes[0]);

	c.what = "none, 64 B";
	c.nsides = 1;
	c.side[0] = (struct compare_side){.env = env, .link = RIG_VHOST};
	c.nvalues = VM_VALUES;
	c.value[RATE] = (struct compare_value){.name = "overload", .unit = "Mpps"};
	c.value[LOSS_AT_HALF] = (struct compare_value
	){.name = "lost at half of that, less what stalls explain", .unit = "%", .less = true};
	c.rounds = env->emulated || b->size != BENCH_FULL ? 1 : s->rounds;
	c.measure = overload_and_half;
	c.arg = s;
	return compare_run(b, r, &c, err);
}

// §4.0: l2fwd on CPUs without a tick, where there are such.
static int on_kinds(struct bench *b, struct result *r, struct settings *s, struct err *err)
{
	const struct function *f = &function_l2fwd;
	struct cpu_kind kinds[CPU_KINDS];

	cpu_kinds(b, kinds);
	for (unsigned i = 1; i < CPU_KINDS; i++) {
		_cleanup_free_ char *name =
			need(str_printf("%s, %s B, %s", f->name, f->sizes->name, kinds[i].name));

		if (kinds[i].cpu < 0)
			result_missing(r, name, NULL, "%s", kinds[i].why);
		else if (kinds[i].cpu == b->cpu_tester)
			result_missing(r, name, NULL, "the only one is the tester's");
		else if (at_overload(b, r, s, name, f, f->sizes, 1 + kinds[i].cpu, err) < 0)
			return -err->code;
	}
	return 0;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	struct settings s = settings_of(b);
	bool full = b->size == BENCH_FULL, brief = b->size == BENCH_BRIEF;
	const size_t n = compare_tiny() ? 1 : brief ? 2 : ARRAY_LEN(functions);
	const int64_t until = b->until_ms;

	if (instruments_loopback(b, r, err) < 0
	    || (!compare_tiny() && !brief && known_capacity(b, r, &s, err) < 0)
	    || (!brief && twice(b, r, &s, err) < 0))
		return -err->code;
	for (size_t i = 0; i < n; i++) {
		const struct function *f = functions[i];
		int64_t now = clock_ms();

		// a machine on which one is often disturbed has time for the others, too
		b->until_ms = now + (until - now) / (int64_t)(n - i);

		for (const struct frame_size *z = f->sizes; z->name != NULL; z++) {
			_cleanup_free_ char *what = need(str_printf("%s, %s B", f->name, z->name));
			bool first = z == f->sizes;

			if ((full || first) && at_overload(b, r, &s, what, f, z, 0, err) < 0)
				return -err->code;
			if ((full ? first || z[1].name == NULL : first && i < 2 && !brief)
			    && searched(b, r, &s, what, f, z, err) < 0)
				return -err->code;
		}
	}
	b->until_ms = until;
	if (on_kinds(b, r, &s, err) < 0)
		return -err->code;
	return compare_tiny() && !brief ? 0 : in_vm(b, r, &s, err);
}

static const struct experiment throughput = {
	.name = "throughput",
	.figure = "Fig. 11",
	.title = "Packets a second that a function can process",
	.about = "none, l2fwd, l3fwd and a BNG as a bare process, in a container and in a virtual "
		 "machine, over memif (of a virtual machine vhost-user): at overload, and the "
		 "highest rates with no loss and with 0.5 % (MLRsearch, RFC 9971).",
	.dropped[BENCH_QUICK] =
		"sizes above the smallest and IMIX, the highest rates of l3fwd and of the BNG, "
		"long trials",
	.dropped[BENCH_BRIEF] = "l3fwd and the BNG, all sizes but the smallest, the highest rates "
				"without loss",
	.seconds = {300, 4500, 80},
	.order = 70,
	.lacks = rig_lacks_vm,
	.run = run,
};
EXPERIMENT(throughput);
