// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tab. 3: the paper's summary, row by row, from what the other experiments found, and two probes.

#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/need.h"
#include "bench/reasons.h"
#include "bench/report/words.h"
#include "bench/results.h"

#include <math.h>
#include <string.h>

static const struct row *found(
	const struct bench *b, const char *experiment, const char *name, const char *env
)
{
	const struct result *r = b->found != NULL ? results_find(b->found, experiment) : NULL;

	return r != NULL ? result_find(r, name, env) : NULL;
}

// What a row has to say, in one word or figure; NULL: nothing.
static char *told(const struct row *row)
{
	_cleanup_free_ char *text = NULL;

	if (row == NULL || row->kind == ROW_MISSING || row->invalid)
		return NULL;
	text = words_short(row);
	// sizes are what they are also where the CPU is emulated
	return row->emulated && str_eq(row->unit, "ms")
		       ? need(str_printf("%s (emulated CPU)", text))
		       : steal_ptr(text);
}

// A row of the table for one environment.
static struct row *cell(
	struct result *r,
	const char *name,
	const struct environment *e,
	char *text,
	const char *why,
	const char *paper
)
{
	struct row *row;

	if (text == NULL) {
		row = result_missing(r, name, e, "%s", why);
		row_claim_is(row, CLAIM_CANNOT);
	} else {
		row = result_fact(r, name, e);
		row_text(row, "%s", text);
		free(text);
	}
	row_paper(row, NAN, "%s", paper);
	return row;
}

// The verdict of a cell from the row it was told by.
static void claim(struct row *cell_row, bool holds)
{
	if (cell_row->kind == ROW_FACT)
		row_claim_is(cell_row, holds ? CLAIM_HOLDS : CLAIM_FAILS);
}

// The whole interval, or the count.
static enum claim_verdict below(const struct row *row, double bound)
{
	if (row == NULL || !isfinite(row->value.mid))
		return CLAIM_CANNOT;
	if (isinf(bound))
		return CLAIM_HOLDS;
	if (!isfinite(row->value.low))
		return CLAIM_INCONCLUSIVE;
	return row->value.high < bound	? CLAIM_HOLDS
	       : row->value.low > bound ? CLAIM_FAILS
					: CLAIM_INCONCLUSIVE;
}

// A figure of another experiment in both columns.
static void from(
	const struct bench *b,
	struct result *r,
	const char *name,
	const char *experiment,
	const char *of,
	const char *vm_env,
	double bound,
	const char *paper_container,
	const char *paper_vm
)
{
	bool ran = b->found != NULL && results_find(b->found, experiment) != NULL;
	_cleanup_free_ char *why = need(
		str_printf(ran ? "'%s' has no figure of it" : "'%s' is not in this run", experiment)
	);
	const struct row *c = found(b, experiment, of, "container"),
			 *v = found(b, experiment, of, vm_env);
	const struct environment *vm = &b->env[ENV_VM];

	// figures, which another run has others of
	struct row *row = cell(r, name, &b->env[ENV_CONTAINER], told(c), why, paper_container);

	row_alone(row);
	if (row->kind == ROW_FACT)
		row_claim_is(row, below(c, bound));
	// no bound for the other side: what "large" and "slow" are the reader sees
	row_alone(cell(r, name, vm, told(v), vm->present ? why : vm->why, paper_vm));
}

static char *first_line(struct bench *b, const struct environment *e, const struct run_in_how *how)
{
	char *out = NULL;
	struct err err;

	if (!e->present || run_in_output(b, e, how, 0, &out, &err) < 0)
		return NULL;
	out[strcspn(out, "\n")] = '\0';
	str_plain(out);
	return out;
}

// Which kernel it runs on, by the kernel's own file.
static void choice_of_os(struct bench *b, struct result *r)
{
	static const struct run_in_how how = {
		.program = {"/bin/cat", "/proc/sys/kernel/osrelease"},
		.option = {"--hugepages", "2M=16"},
	};
	const struct environment *host = &b->env[ENV_HOST], *e = &b->env[ENV_CONTAINER];
	_cleanup_free_ char *own = first_line(b, host, &how);
	char *inside = first_line(b, e, &how);
	bool same = own != NULL && inside != NULL && str_eq(own, inside);
	bool other;

	claim(cell(r,
		   "choice of operating system",
		   e,
		   inside == NULL
			   ? NULL
			   : (free(inside),
			      need(strdup(same ? "the host's kernel" : "a kernel of its own"))),
		   "the probe did not run",
		   "variant of host OS only"),
	      same);
	e = &b->env[ENV_VM];
	inside = first_line(b, e, &how);
	other = own != NULL && inside != NULL && !str_eq(own, inside);
	claim(cell(r,
		   "choice of operating system",
		   e,
		   inside == NULL ? NULL : inside,
		   e->present ? "the probe did not run" : e->why,
		   "any"),
	      other);
}

static void emulation(struct bench *b, struct result *r)
{
	static const char name[] = "hardware abstraction and device emulation";
	const struct row *c = found(b, "view", "PCI functions shown", "container");
	const struct row *v = found(b, "view", "PCI functions shown", "vm");
	const struct environment *vm = &b->env[ENV_VM];
	static const char why[] = "'view' has not measured it in this run";

	claim(cell(r,
		   name,
		   &b->env[ENV_CONTAINER],
		   c == NULL || c->n == 0
			   ? NULL
			   : need(str_printf("none: %.0f PCI functions shown", c->samples[0])),
		   why,
		   "no"),
	      c != NULL && c->n > 0 && c->samples[0] == 0);
	claim(cell(r,
		   name,
		   vm,
		   v == NULL || v->n == 0
			   ? NULL
			   : need(str_printf("%.0f emulated PCI functions", v->samples[0])),
		   vm->present ? why : vm->why,
		   "yes"),
	      v != NULL && v->n > 0 && v->samples[0] > 0);
}

static void tunability(struct bench *b, struct result *r)
{
	static const char name[] = "knows the physical CPU it runs on",
			  title[] = "tunability from the guest";
	const struct row *c = found(b, "view", name, "container"),
			 *v = found(b, "view", name, "vm");
	const struct environment *vm = &b->env[ENV_VM];
	static const char why[] = "'view' has not measured it in this run";

	claim(cell(r,
		   title,
		   &b->env[ENV_CONTAINER],
		   c == NULL ? NULL
			     : need(str_printf("sees CPU %s, of the host's numbers", c->text)),
		   why,
		   "insight into host"),
	      c != NULL && c->claim == CLAIM_HOLDS);
	claim(cell(r,
		   title,
		   vm,
		   v == NULL ? NULL : need(str_printf("sees CPU %s, a virtual one", v->text)),
		   vm->present ? why : vm->why,
		   "black box machine"),
	      v != NULL && v->claim == CLAIM_HOLDS);
}

static void security(struct bench *b, struct result *r)
{
	const struct row *held = found(b, "isolation", "properties that hold", "container");
	const struct row *open = found(b, "isolation", "properties that do not", "container");
	bool any = held != NULL && held->n > 0 && open != NULL && open->n > 0;

	claim(cell(r,
		   "security",
		   &b->env[ENV_CONTAINER],
		   any ? need(str_printf(
			   "%.0f ways out tried and closed, %.0f open",
			   held->samples[0],
			   open->samples[0]
		   ))
		       : NULL,
		   "'isolation' has not measured it in this run",
		   "not mature and complex"),
	      any && open->samples[0] > 0);
	cell(r,
	     "security",
	     &b->env[ENV_VM],
	     NULL,
	     "an audit from inside a guest sees its own kernel; what QEMU keeps closed it cannot "
	     "try",
	     "mature security models");
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	choice_of_os(b, r);
	from(b,
	     r,
	     "startup time",
	     "startup",
	     "exec to ready",
	     "vm",
	     1500,
	     "1.5 s (unoptimized default)",
	     "21 s (unoptimized default)");
	emulation(b, r);
	from(b,
	     r,
	     "disk footprint",
	     "disk",
	     "image of a DPDK function (drover)",
	     "vm",
	     250,
	     "small",
	     "large");
	from(b,
	     r,
	     "memory footprint",
	     "memory",
	     "lost from what the machine has available",
	     "vm 256M, on use",
	     17,
	     "small",
	     "large");
	from(b,
	     r,
	     "density",
	     "density",
	     "functions started on one shared CPU",
	     "vm",
	     INFINITY,
	     "high",
	     "low");
	from(b,
	     r,
	     "configurability of application",
	     "config",
	     "changed file to running function",
	     "vm",
	     1500,
	     "flexible",
	     "complex");
	tunability(b, r);
	security(b, r);
	return bench_check(err);
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, 1u << ENV_CONTAINER | 1u << ENV_VM, r);
	return b->env[ENV_CONTAINER].present;
}

static const struct experiment table3 = {
	.name = "table3",
	.figure = "Tab. 3",
	.title = "Containers and virtual machines",
	.about = "The paper's summary, row by row, from what the other experiments of the run "
		 "found, and two probes: name "
		 "startup, disk, memory, density, config, view and isolation with it, or all.",
	.seconds = {20, 20},
	.order = 60,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(table3);
