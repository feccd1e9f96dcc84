// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fig. 4: the memory that one idle instance takes of the machine, in each environment, and of virtual machines of
// several sizes.

#include "base/scope.h"
#include "base/str.h"
#include "bench/docker.h"
#include "bench/exp/footprint.h"
#include "bench/exp/ready.h"
#include "bench/exp/run_in.h"
#include "bench/reasons.h"
#include "bench/trial.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SETTLE_MS 400
#define LIMIT_MS 20000
#define VM_LIMIT_MS 120000
#define WORD "idle now"

enum value {
	PSS,
	ANON,
	FILES,
	BESIDE,
	HUGE,
	KERNEL,
	LOST,
	VALUES
};

static const char *const names[VALUES] = {
	[PSS] = "ordinary memory (PSS of all its processes)",
	[ANON] = "of it without a file behind it",
	[FILES] = "of it mapped files and shared memory",
	[BESIDE] = "of it not the guest's own memory",
	[HUGE] = "hugepages mapped",
	[KERNEL] = "the kernel's memory for it",
	[LOST] = "lost from what the machine has available",
};

// What idles: an environment, and of a virtual machine how large it is.
struct instance {
	const struct environment *env;
	char label[48];
	const char *memory;   // NULL: no virtual machine
	const char *prealloc; // "yes", "no"
};

struct instances {
	struct instance of[TRIAL_SIDES];
	unsigned n;
};

static void put(struct trial *t, const struct footprint *f, double before)
{
	t->value[PSS] = f->pss;
	t->value[ANON] = f->pss_anon;
	t->value[FILES] = f->pss_file;
	t->value[BESIDE] = f->pss - f->pss_guest;
	t->value[HUGE] = f->hugepages;
	t->value[KERNEL] = f->kernel;
	t->value[LOST] = before - footprint_available();
}

static int trial(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const struct instance *i = &((struct instances *)arg)->of[t->side];
	const struct run_in_how how = {
		.program = {"/bin/sh", "-c", "echo " WORD "; exec /bin/sleep 600"},
		.option =
			{"--hugepages",
			 "2M=8",
			 i->prealloc != NULL ? "--prealloc" : NULL,
			 i->prealloc},
		.memory = i->memory,
	};
	double before = footprint_available();
	struct footprint f;
	struct child_how ch;
	struct run_in p;
	struct child c;
	int r;

	if (run_in_command(b, i->env, &how, t->number, &p, err) < 0)
		return -err->code;
	ch = p.child;
	ch.stdout_pipe = ch.stderr_too = true;
	r = child_start(b, &ch, &c, err);
	if (r == 0) {
		r = ready_word(&c, WORD, i->memory != NULL ? VM_LIMIT_MS : LIMIT_MS, err);
		if (r == 0 && !bench_pause(SETTLE_MS))
			r = bench_check(err);
		if (r == 0)
			// the daemon is there once, however many instances
			r = footprint_take(c.pid, getpid(), docker_daemon(b), &f, err);
		if (r == 0)
			put(t, &f, before);
		// an engine's program is the first of its container, which no signal ends that it does not take
		if (i->env->kind >= ENV_CRUN)
			run_in_remove(b, i->env, &p);
		child_stop(b, &c, 10000);
	}
	run_in_done(&p);
	return r;
}

static void add(
	struct instances *all, const struct environment *e, const char *memory, const char *prealloc
)
{
	struct instance *i = &all->of[all->n];

	if (all->n == TRIAL_SIDES)
		return;
	*i = (struct instance){.env = e, .memory = memory, .prealloc = prealloc};
	if (memory != NULL)
		snprintf(
			i->label,
			sizeof(i->label),
			"%s %s%s",
			e->name,
			memory,
			str_eq(prealloc, "no") ? ", on use" : ""
		);
	else
		snprintf(i->label, sizeof(i->label), "%s", e->name);
	all->n++;
}

// One series of some of the instances; rows are named by what idles.
static int series_of(
	struct bench *b, struct result *r, struct instances *all, unsigned rounds, struct err *err
)
{
	struct series series = {
		.what = "memory",
		.nsides = all->n,
		.rounds = rounds,
		.least = 1,
		.attempts = 2,
		.run = trial,
		.arg = all,
	};
	struct series_report report;

	for (unsigned i = 0; i < all->n; i++) {
		struct environment e = *all->of[i].env;

		e.name = series.side[i] = all->of[i].label;
		for (unsigned v = 0; v < VALUES; v++) {
			if (v == KERNEL && e.kind == ENV_HOST) {
				result_missing(
					r,
					names[v],
					&e,
					"a bare process is in no cgroup of its own, which would "
					"count it"
				);
				continue;
			}
			if (v == BESIDE && all->of[i].memory == NULL)
				continue;
			series.row[i][v] = result_measured(r, names[v], &e, "MiB");
			series.row[i][v]->less = true;
		}
	}
	return series_run(b, &series, &report, err);
}

// The paper's figures are of what the machine has less available.
static void paper(struct result *r)
{
	struct row *container = result_find(r, names[LOST], "container"), *ratio;
	struct row *vm = result_find(r, names[LOST], "vm 256M, on use");

	if (container != NULL) {
		row_paper(
			container,
			17,
			"an idle sleep in a container (Docker): 17 MB lost from what is available"
		);
		row_claim(container, CLAIM_BELOW, 17);
	}
	if (vm == NULL || container == NULL)
		return;
	row_paper(
		vm, 125, "a virtual machine of 256 MB, booted and not preallocated: about 125 MB"
	);
	ratio = result_ratio(r, NULL, container, vm);
	row_paper(
		ratio,
		17.0 / 125,
		"a virtual machine takes over five times of what a container does"
	);
	row_claim(ratio, CLAIM_BELOW, 0.2);
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	static const enum env_kind small[] = {
		ENV_HOST, ENV_CONTAINER, ENV_CRUN, ENV_PODMAN, ENV_DOCKER};
	const struct environment *vm = &b->env[ENV_VM];
	struct instances boxes = {0}, vms = {0};
	// an emulated one is compared with none, and takes long
	struct instances *guests = vm->emulated ? &vms : &boxes;
	int status;

	// what a runtime leaves behind on purpose (conmon) is this process's then, and counts
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		const struct environment *e = &b->env[small[i]];

		if (e->present)
			add(&boxes, e, NULL, NULL);
		else
			result_missing(r, names[PSS], e, "%s", e->why);
	}
	if (vm->present) {
		add(guests, vm, "256M", "no");
		add(guests, vm, "256M", "yes");
		add(guests, vm, "512M", "no");
		if (b->size == BENCH_FULL) {
			add(guests, vm, "1024M", "no");
			add(guests, vm, "2048M", "no");
		}
	} else {
		result_missing(r, names[PSS], vm, "%s", vm->why);
	}
	status = series_of(b, r, &boxes, bench_choose(b, 5, 20), err);
	if (status == 0)
		status = series_of(b, r, &vms, bench_choose(b, 1, 4), err);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	if (status == 0)
		paper(r);
	return status;
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, ~0u, r);
	return b->inside != NULL;
}

static const struct experiment memory = {
	.name = "memory",
	.figure = "Fig. 4",
	.title = "Memory footprint",
	.about = "What one idle instance takes: memory of all its processes (PSS), hugepages, the "
		 "kernel's own, and what the "
		 "machine has less available; for virtual machines by the size of the guest, with "
		 "hugepages taken at once "
		 "and not.",
	.dropped[BENCH_QUICK] = "guests of 1 and 2 GiB; repeats: 5 of each instead of 20",
	.seconds = {60, 450},
	.order = 20,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(memory);
