// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A rig of the benchmark by itself, for tests that disturb it:
//
//   rig loop|host|container|vm FUNCTION memif|vhost|ring|af_xdp COMMAND…
//
// with PINFOLD and DROVER in the environment. Commands: offer PPS SECONDS, one stretch of traffic; valid PPS SECONDS, the
// same until it counts; search MAX. A line of JSON for each, and {"ready": pid of the function} before them; each waits for a
// line on standard input.

#include "bench/net/rig.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/open.h"

#include <math.h>
#include <stdio.h>

static const struct function *const functions[] = {
	&function_none, &function_l2fwd, &function_l3fwd, &function_bng, &function_policed};

static void print(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static void print_window(const struct window *w)
{
	char why[200] = "";
	bool valid = window_valid(w, why, sizeof(why));

	print(json_pack(
		"{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"valid",
		valid,
		"why",
		why,
		"sent",
		(json_int_t)w->sent,
		"full",
		(json_int_t)w->full,
		"late",
		(json_int_t)w->late,
		"received",
		(json_int_t)w->received,
		"dropped",
		(json_int_t)w->dropped,
		"unaccounted",
		(json_int_t)window_unaccounted(w),
		"seconds",
		number(w->seconds),
		"loss",
		number(window_loss(w)),
		"excused",
		number(window_excused(w)),
		"cycles",
		number(window_cycles(w)),
		"tester",
		number(window_tester_cycles(w)),
		"p50",
		number(w->latency_ns[Q50]),
		"max",
		number(w->latency_ns[QMAX])
	));
}

// The line of a trial that failed says whether the machine was too busy for it.
static int failed(const struct err *err, bool broken)
{
	bool busy = err->code == EAGAIN && !broken;

	print(json_pack("{s:s, s:b}", "error", err->msg, "busy", busy));
	return -err->code;
}

static int search(struct rig *rig, double max, struct err *err)
{
	struct search s = {
		.min = max / 100,
		.max = max,
		.first = 0.2,
		.final = 0.5,
		.limit = 25,
		.ngoals = 2,
		.goal =
			{
				{.loss = 0.005, .exceed = 0.5, .width = 0.005, .sum = 0.5},
				{.loss = 0, .exceed = 0.5, .width = 0.005, .sum = 0.5},
			},
	};
	struct rig_search found;
	struct search_result ndr, pdr;

	if (rig_search(rig, &s, &found, err) < 0)
		return failed(err, found.broken);
	pdr = search_result(&s, 0);
	ndr = search_result(&s, 1);
	print(json_pack(
		"{s:f, s:f, s:b, s:i, s:i, s:f, s:o}",
		"ndr",
		ndr.throughput,
		"pdr",
		pdr.throughput,
		"found",
		ndr.end == SEARCH_FOUND && pdr.end == SEARCH_FOUND,
		"trials",
		(int)s.n,
		"repeated",
		(int)found.repeated,
		"excused",
		found.excused,
		"seconds",
		number(s.seconds)
	));
	return 0;
}

static int command(struct rig *rig, const char *const *word, unsigned *ret_words, struct err *err)
{
	struct window w;
	int r;

	window_clear(&w);
	*ret_words = 3;
	if (str_eq(word[0], "search")) {
		*ret_words = 2;
		return search(rig, atof(word[1]), err);
	}
	r = str_eq(word[0], "valid") ? rig_offer_valid(rig, atof(word[1]), atof(word[2]), &w, err)
				     : rig_offer(rig, atof(word[1]), atof(word[2]), &w, err);
	if (r < 0)
		return failed(err, window_broken(&w));
	print_window(&w);
	return 0;
}

static int run(struct bench *b, int argc, const char *const *argv, struct err *err)
{
	static const char *const links[] = {
		[RIG_MEMIF] = "memif",
		[RIG_VHOST] = "vhost",
		[RIG_RING] = "ring",
		[RIG_AF_XDP] = "af_xdp"};
	struct rig_how how = {.number = 1};
	_cleanup_rig_ struct rig rig = RIG_INIT;

	for (unsigned i = 0; i < ENV_KINDS; i++) {
		if (str_eq(argv[1], b->env[i].name))
			how.env = &b->env[i];
	}
	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		if (str_eq(argv[2], functions[i]->name))
			how.function = functions[i];
	}
	for (unsigned i = 0; i < ARRAY_LEN(links); i++) {
		if (str_eq(argv[3], links[i]))
			how.link = i;
	}
	if (how.function == NULL)
		return err_set(err, EINVAL, "no function '%s'", argv[2]);
	how.size = how.function->sizes;
	if (rig_start(b, &how, &rig, err) < 0)
		return -err->code;
	print(json_pack("{s:i}", "ready", (int)rig.vnf.pid));
	for (int at = 4; at + 1 < argc;) {
		unsigned words;

		if (getchar() == EOF)
			return err_set(err, EPIPE, "nobody is there");
		(void)command(&rig, argv + at, &words, err);
		at += (int)words;
	}
	return bench_check(err);
}

int main(int argc, char **argv)
{
	const char *pinfold = getenv("PINFOLD"), *drover = getenv("DROVER");
	struct bench b;
	struct err err;
	int r;

	if (argc < 5 || pinfold == NULL || drover == NULL)
		return 2;
	if (bench_open(&b, BENCH_QUICK, &err) < 0) {
		fprintf(stderr, "rig: %s\n", err.msg);
		return 1;
	}
	free(b.pinfold);
	free(b.drover);
	b.pinfold = realpath(pinfold, NULL);
	b.drover = realpath(drover, NULL);
	r = run(&b, argc, (const char *const *)argv, &err);
	bench_close(&b);
	if (r < 0)
		fprintf(stderr, "rig: %s\n", err.msg);
	return r < 0;
}
