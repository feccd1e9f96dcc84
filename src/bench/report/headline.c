// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What somebody reads who reads nothing else: one sentence each about what was measured.

#include "bench/report/words.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <math.h>
#include <string.h>

static const struct row *found(
	const struct results *all, const char *experiment, const char *name, const char *env
)
{
	const struct result *r = results_find(all, experiment);
	const struct row *row = r != NULL ? result_find(r, name, env) : NULL;

	return row != NULL && row->kind == ROW_MEASURED && !row->invalid ? row : NULL;
}

// How far the same lay apart when it was measured twice, in percent; 0: that is not known.
static double apart(const struct results *all, const char *name)
{
	const struct result *r = results_find(all, "machine");
	const struct row *row = r != NULL ? result_find(r, name, RESULT_AGAIN) : NULL;

	if (row == NULL || row->kind != ROW_RATIO || !isfinite(row->value.low))
		return 0;
	return 100 * fmax(row->value.high - 1, 1 - row->value.low);
}

// What all that follows is to be read with.
static char *machine(const struct results *all)
{
	double start = apart(all, RESULT_AGAIN_START), speed = apart(all, RESULT_AGAIN_SPEED);

	if (start == 0 || speed == 0)
		return NULL;
	return need(str_printf(
		"This machine tells starts apart that differ by more than %.1f %%, and speeds that "
		"differ by more than %.1f %%: less than that is called inconclusive.",
		start,
		speed
	));
}

static char *startup(const struct results *all)
{
	const struct row *box = found(all, "startup", "exec to ready", "container");
	const struct row *bare = found(all, "startup", "exec to ready", "host");
	const struct row *vm = found(all, "startup", "exec to ready", "vm");
	_cleanup_free_ char *a = box != NULL ? words_short(box) : NULL,
			    *b = bare != NULL ? words_short(bare) : NULL;
	_cleanup_free_ char *c = vm != NULL ? words_short(vm) : NULL;

	if (a == NULL || b == NULL)
		return NULL;
	return need(str_printf(
		"A container is ready after %s, a bare process after %s%s%s%s. In 2015 a container "
		"took 1.5 s and a "
		"virtual machine 21 s.",
		a,
		b,
		c != NULL ? ", a virtual machine after " : "",
		c != NULL ? c : "",
		c != NULL && vm->emulated ? " (its CPU is emulated here: not comparable)" : ""
	));
}

// A machine that is emulated shows that it works, and by parts where its time goes.
static char *guest(const struct results *all)
{
	static const char *const parts[] = {
		"exec to the guest's init",
		"phase: firmware",
		"phase: guest's kernel",
		"phase: guest's user space",
		"phase: start of the program in the guest",
	};
	const struct row *rate = found(all, "throughput", "none, 64 B: overload", "vm");
	_cleanup_free_ char *mpps = rate != NULL ? words_short(rate) : NULL;
	char *text[ARRAY_LEN(parts)] = {NULL}, *sentence;
	bool emulated = false;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const struct row *row = found(all, "startup", parts[i], "vm");

		text[i] = row != NULL ? words_short(row) : need(strdup("an unknown time"));
		emulated |= row != NULL && row->emulated;
	}
	sentence = found(all, "startup", parts[0], "vm") == NULL
			   ? NULL
			   : need(str_printf(
				   "A virtual machine takes %s until its init (firmware %s, "
				   "kernel %s), then %s of user space and %s until its program "
				   "runs%s%s%s.",
				   text[0],
				   text[1],
				   text[2],
				   text[3],
				   text[4],
				   mpps != NULL ? "; none in it forwards " : "",
				   mpps != NULL ? mpps : "",
				   emulated ? " (emulated CPU, no comparison)" : ""
			   ));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		free(text[i]);
	return sentence;
}

static char *memory(const struct results *all)
{
	static const char name[] = "ordinary memory (PSS of all its processes)";
	const struct row *box = found(all, "memory", name, "container");
	const struct row *vm = found(all, "memory", name, "vm 256M, on use");
	_cleanup_free_ char *a = box != NULL ? words_short(box) : NULL,
			    *b = vm != NULL ? words_short(vm) : NULL;

	if (a == NULL)
		return NULL;
	return need(str_printf(
		"The processes of an idle container take %s%s%s. In 2015 a container took 17 MB of "
		"what "
		"was available, and a virtual machine of 256 MB 125.",
		a,
		b != NULL ? ", all that runs a virtual machine of 256 MiB " : "",
		b != NULL ? b : ""
	));
}

static char *isolation(const struct results *all)
{
	static const char held[] = "properties that hold", open[] = "properties that do not";
	const struct row *h = found(all, "isolation", held, "container");
	const struct row *o = found(all, "isolation", open, "container");
	const struct row *plain = found(all, "isolation", open, "crun");
	_cleanup_free_ char *other = NULL;

	if (h == NULL || o == NULL)
		return NULL;
	if (plain != NULL)
		other = need(str_printf("; of one with crun's defaults %.0f are", plain->value.mid)
		);
	return need(str_printf(
		"Of %.0f ways out of a container that were tried %.0f are open%s.",
		h->value.mid + o->value.mid,
		o->value.mid,
		other != NULL ? other : ""
	));
}

// How the container fares against the host in all comparisons of an experiment, and the ratios of those whose names end
// so.
static char *against_host(
	const struct results *all, const char *experiment, const char *what, const char *ending
)
{
	const struct result *r = results_find(all, experiment);
	unsigned count[VERDICT_END] = {0}, n = 0;
	_cleanup_free_ char *least = NULL, *most = NULL;
	double low = INFINITY, high = 0;

	for (unsigned i = 0; r != NULL && i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind != ROW_RATIO || strstr(row->env, "container") == NULL
		    || strstr(row->env, "/host") == NULL)
			continue;
		count[row->verdict]++;
		n++;
		if (strlen(row->name) < strlen(ending)
		    || !str_eq(row->name + strlen(row->name) - strlen(ending), ending))
			continue;
		low = fmin(low, row->value.mid);
		high = fmax(high, row->value.mid);
	}
	if (n == 0 || high == 0)
		return NULL;
	least = words_number(low);
	most = words_number(high);
	return need(str_printf(
		"%s of a container: %s%s%s times the host's. In all %u comparisons of the two: no "
		"difference in %u, different in %u, inconclusive in %u.",
		what,
		least,
		str_eq(least, most) ? "" : " to ",
		str_eq(least, most) ? "" : most,
		n,
		count[VERDICT_SAME],
		count[VERDICT_DIFFERENT],
		count[VERDICT_INCONCLUSIVE]
	));
}

static void add(char *out[WORDS_HEADLINES], unsigned *n, char *sentence)
{
	if (sentence != NULL && *n < WORDS_HEADLINES)
		out[(*n)++] = sentence;
}

unsigned words_headlines(const struct results *all, char *ret[WORDS_HEADLINES])
{
	unsigned n = 0;

	add(ret, &n, machine(all));
	add(ret, &n, startup(all));
	add(ret, &n, guest(all));
	add(ret, &n, memory(all));
	add(ret, &n, against_host(all, "throughput", "Packets a second at overload", ": overload"));
	add(ret,
	    &n,
	    against_host(all, "latency", "Median latency at low load", "median at 10 % of PDR"));
	add(ret, &n, isolation(all));
	return n;
}
