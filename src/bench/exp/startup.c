// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fig. 3: how long it takes until a program runs, and until a network function forwards its first packet.

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/function.h"
#include "bench/exp/ready.h"
#include "bench/exp/run_in.h"
#include "bench/exp/system.h"
#include "bench/reasons.h"
#include "bench/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 30000
#define VM_LIMIT_MS 120000
#define PAPER_CONTAINER_MS 1500
#define PAPER_VM_MS 21000

#define WORD "pinfold-bench-ready"

enum value {
	READY,
	ENDED,
	PACKET,
	VALUES
};

// Phases of a start, in ms: of a container by the steps that pinfold tells, of a guest by what its own tells.
enum phase {
	PLAN,
	STEPS,
	RUNTIME,
	UNDO,
	INIT,
	FIRMWARE,
	KERNEL,
	USER,
	PROGRAM,
	PHASES
};

static const char *const phase_names[PHASES] = {
	[PLAN] = "phase: read the machine and plan",
	[STEPS] = "phase: cgroups, mounts, devices",
	[RUNTIME] = "phase: runtime, and the program's own start",
	[UNDO] = "phase: undo",
	[INIT] = "exec to the guest's init",
	[FIRMWARE] = "phase: firmware",
	[KERNEL] = "phase: guest's kernel",
	[USER] = "phase: guest's user space",
	[PROGRAM] = "phase: start of the program in the guest",
};

static const char *const whole_name = "one bundle: exec of pinfold to ready";
static const char *const share_name = "one bundle: exec of crun to ready";

struct sides {
	const char *runtime, *stamp; // one that notes in a file when it executes crun
	const struct environment *env[ENV_KINDS];
	unsigned limit_ms;
};

// "pinfold: debug: T ms apply KIND 'PATH', took X ms", one a line.
static void phases_of_container(const char *text, const struct ready *r, double *phase)
{
	double first = NAN, last = 0, steps = 0, undo = 0;

	for (const char *at = text; (at = strstr(at, "debug: ")) != NULL; at++) {
		const char *took = strstr(at, "', took "), *end = strchr(at, '\n');
		double when, ms;
		char verb[16];

		if (took == NULL || (end != NULL && took > end)
		    || sscanf(at, "debug: %lf ms %15s", &when, verb) != 2
		    || sscanf(took, "', took %lf", &ms) != 1)
			continue;
		if (verb[0] == 'u') {
			undo += ms;
			continue;
		}
		if (!isfinite(first))
			first = when - ms;
		steps += ms;
		last = when;
	}
	phase[PLAN] = first;
	phase[STEPS] = steps;
	phase[RUNTIME] = r->ready_ms - last;
	phase[UNDO] = undo;
}

static void phases_of_guest(const char *text, double ready_ms, double *phase)
{
	const char *at = strstr(text, "firmware ");
	double s[4];

	if (at == NULL
	    || sscanf(at, "firmware %lf kernel %lf user %lf program %lf", &s[0], &s[1], &s[2], &s[3]
	       ) != 4)
		return;
	for (unsigned i = 0; i < 4; i++)
		phase[FIRMWARE + i] = s[i] * 1e3;
	phase[INIT] = ready_ms - phase[USER] - phase[PROGRAM];
}

static int begin(
	struct bench *b,
	const struct sides *s,
	struct trial *t,
	bool debug,
	char **ret_text,
	struct ready *ret,
	struct err *err
)
{
	const struct environment *e = s->env[t->side];
	struct run_in_how how = {.program = {"/bin/echo", WORD}, .debug = debug};
	struct run_in p;
	int status;

	if (run_in_command(b, e, &how, t->number, &p, err) < 0)
		return -err->code;
	status = ready_time(b, &p.child, WORD, s->limit_ms, ret, ret_text, err);
	if (status < 0)
		run_in_remove(b, e, &p);
	run_in_done(&p);
	return status;
}

static int trial(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const struct sides *s = arg;
	_cleanup_free_ char *text = NULL;
	bool guest = s->env[t->side]->kind == ENV_VM;
	struct ready r;

	if (begin(b, s, t, guest, guest ? &text : NULL, &r, err) < 0)
		return -err->code;
	t->value[READY] = r.ready_ms;
	t->value[ENDED] = r.end_ms;
	if (text != NULL)
		phases_of_guest(text, r.ready_ms, t->value + VALUES);
	return 0;
}

static int told(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct ready r;

	if (begin(b, arg, t, true, &text, &r, err) < 0)
		return -err->code;
	phases_of_container(text, &r, t->value + VALUES);
	return 0;
}

// In seconds since the epoch.
static int read_stamp(const char *path, double *ret, struct err *err)
{
	_cleanup_free_ char *text = NULL;

	int r = fs_read_file(path, 64, &text, NULL);

	if (r < 0)
		return err_sys(err, -r, "read '%s'", path);
	*ret = strtod(text, NULL);
	return 0;
}

// A start; crun's part of it where bash notes when crun is executed, which is in neither.
static int start_of_bundle(
	struct bench *b,
	const struct sides *s,
	const struct trial *t,
	double *ret_ms,
	struct err *err
)
{
	struct run_in_how how = {.program = {"/bin/echo", WORD}};
	struct timespec begun;
	struct run_in p;
	struct ready r;
	double stamp;
	int status;

	if (t->side == 1)
		memcpy(how.option, (const char *[]){"--runtime", s->runtime}, 2 * sizeof(char *));
	if (run_in_command(b, s->env[t->side], &how, t->number, &p, err) < 0)
		return -err->code;
	unlink(s->stamp);
	clock_gettime(CLOCK_REALTIME, &begun);
	status = ready_time(b, &p.child, WORD, s->limit_ms, &r, NULL, err);
	if (status < 0)
		run_in_remove(b, s->env[t->side], &p);
	run_in_done(&p);
	if (status < 0 || (t->side == 1 && read_stamp(s->stamp, &stamp, err) < 0))
		return -err->code;
	*ret_ms = r.ready_ms;
	if (t->side == 1)
		*ret_ms -= (stamp - (double)begun.tv_sec - (double)begun.tv_nsec / 1e9) * 1e3;
	return 0;
}

// The first start of each pair is not counted: pinfold asks another runtime than the last one who it is.
static int one_bundle(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	double unused;

	if (start_of_bundle(b, arg, t, &unused, err) < 0)
		return -err->code;
	return start_of_bundle(b, arg, t, &t->value[READY], err);
}

static int first_packet(struct bench *b, void *arg, struct trial *t, struct err *err)
{
	const struct sides *s = arg;
	struct ready r;

	if (function_start(b, s->env[t->side], t->number, s->limit_ms, &r, err) < 0)
		return -err->code;
	t->value[PACKET] = r.ready_ms;
	return 0;
}

static struct row *row_for(struct result *r, enum value v, const struct environment *e)
{
	static const char *const names[VALUES] = {
		[READY] = "exec to ready",
		[ENDED] = "exec to its end",
		[PACKET] = "exec to the first forwarded packet",
	};
	struct row *row;

	if (!e->present)
		return result_missing(r, names[v], e, "%s", e->why);
	row = result_measured(r, names[v], e, "ms");
	row->less = true;
	if (v == READY && e->kind == ENV_CONTAINER)
		row_paper(row, PAPER_CONTAINER_MS, "a container (Docker, default): 1.5 s");
	if (v == READY && e->kind == ENV_DOCKER)
		row_paper(row, PAPER_CONTAINER_MS, "a container (Docker, default): 1.5 s");
	if (v == READY && e->kind == ENV_VM)
		row_paper(
			row,
			PAPER_VM_MS,
			"a virtual machine (KVM, default operating system): 21 s; here a kernel "
			"and one program"
		);
	return row;
}

// One series: those environments, in turn.
static int series_of(
	struct bench *b,
	struct result *r,
	unsigned kinds,
	trial_fn run,
	unsigned first,
	unsigned last,
	unsigned rounds,
	struct sides *s,
	struct err *err
)
{
	struct series series = {
		.what = "startup",
		.rounds = rounds,
		.least = rounds < 2 ? rounds : 2,
		.stall_ms = TRIAL_STALL_MS,
		.steal = TRIAL_STEAL,
		.run = run,
		.arg = s,
		.attempts = 2};
	struct series_report report;

	for (unsigned k = 0; k < ENV_KINDS; k++) {
		const struct environment *e = &b->env[k];

		if (!(kinds >> k & 1))
			continue;
		for (unsigned v = first; v <= last; v++) {
			struct row *row = row_for(r, v, e);

			if (e->present)
				series.row[series.nsides][v] = row;
		}
		if (!e->present)
			continue;
		for (unsigned v = INIT; e->kind == ENV_VM && first == READY && v < PHASES; v++) {
			series.row[series.nsides][VALUES + v] =
				result_measured(r, phase_names[v], e, "ms");
		}
		s->env[series.nsides] = e;
		series.side[series.nsides++] = e->name;
	}
	return series_run(b, &series, &report, err);
}

static void compare(struct result *r)
{
	static const char *const others[] = {"host", "crun", "podman", "docker", "vm"};
	struct row *container = result_find(r, "exec to ready", "container");
	struct row *ratio,
		*packet = result_find(r, "exec to the first forwarded packet", "container");

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct row *other = result_find(r, "exec to ready", others[i]);

		if (other == NULL || other->kind != ROW_MEASURED)
			continue;
		ratio = result_ratio(r, NULL, container, other);
		if (other->env[0] == 'v') {
			row_paper(
				ratio,
				1.5 / 21,
				"a container starts in 1/14 of the time of a virtual machine"
			);
			row_claim(ratio, CLAIM_BELOW, 0.5);
		}
	}
	if (packet != NULL && packet->kind == ROW_MEASURED)
		result_ratio(
			r,
			NULL,
			packet,
			result_find(r, "exec to the first forwarded packet", "host")
		);
	row_settle(container);
	if (container->kind == ROW_MEASURED && isfinite(container->value.mid)) {
		// the paper's own figure, on its own machine: what holds is "within seconds"
		row_claim(container, CLAIM_BELOW, PAPER_CONTAINER_MS);
	}
}

// A start that tells its steps takes a little longer: it is not among the others.
static int phases(struct bench *b, struct result *r, struct sides *s, struct err *err)
{
	struct series series = {
		.what = "startup",
		.side = {"phases of a container"},
		.nsides = 1,
		.rounds = b->size == BENCH_BRIEF ? 4 : bench_choose(b, 8, 20),
		.least = 2,
		.run = told,
		.arg = s,
	};
	struct series_report report;

	s->env[0] = &b->env[ENV_CONTAINER];
	for (unsigned v = PLAN; v <= UNDO; v++)
		series.row[0][VALUES + v] = result_measured(r, phase_names[v], s->env[0], "ms");
	return series_run(b, &series, &report, err);
}

// Of one config.json, that of `pinfold run`: the whole start, and crun's part.
static int bundles(struct bench *b, struct result *r, struct sides *s, struct err *err)
{
	_cleanup_free_ char *runtime = bench_path(b, "crun-timed"),
			    *stamp = bench_path(b, "crun-begun");
	_cleanup_free_ char *script = str_printf(
		"#!/bin/bash\n"
		"case \" $* \" in *' run '*) echo $EPOCHREALTIME >'%s' ;; esac\n"
		"exec crun \"$@\"\n",
		stamp
	);
	struct series series = {
		.what = "startup",
		.side = {"pinfold run", "crun's part of pinfold run"},
		.nsides = 2,
		.rounds = b->size == BENCH_BRIEF ? 8 : bench_choose(b, 20, 40),
		.least = 2,
		.stall_ms = TRIAL_STALL_MS,
		.steal = TRIAL_STEAL,
		.run = one_bundle,
		.arg = s,
		.attempts = 2,
	};
	_cleanup_close_ int dir = open(b->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct environment *crun = &b->env[ENV_CRUN];
	struct series_report report;

	if (script == NULL)
		return err_oom(err);
	if (!crun->present) {
		result_missing(r, share_name, NULL, "%s", crun->why);
		return 0;
	}
	if (dir < 0 || fs_write_fleeting(dir, "crun-timed", script, strlen(script), 0700, err) < 0)
		return dir < 0 ? err_sys(err, errno, "open '%s'", b->work) : -err->code;
	s->env[0] = s->env[1] = &b->env[ENV_CONTAINER];
	s->runtime = runtime;
	s->stamp = stamp;
	series.row[0][READY] = result_measured(r, whole_name, s->env[0], "ms");
	series.row[1][READY] = result_measured(r, share_name, s->env[1], "ms");
	if (series_run(b, &series, &report, err) < 0)
		return -err->code;
	result_ratio(r, "one bundle: pinfold to crun", series.row[0][READY], series.row[1][READY]);
	return 0;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	const struct environment *guest = &b->env[ENV_VM];
	const unsigned vm = 1u << ENV_VM, pair = 1u << ENV_HOST | 1u << ENV_CONTAINER;
	const unsigned all = pair | 1u << ENV_CRUN | 1u << ENV_PODMAN | 1u << ENV_DOCKER;
	// an emulated one is compared with none, takes long, and so has fewer rounds of its own
	bool apart = !guest->present || guest->emulated;
	bool brief = b->size == BENCH_BRIEF;
	unsigned slow = brief ? 1 : bench_choose(b, 2, 5), packets = brief ? 1 : slow / 2;
	struct sides s = {.limit_ms = apart ? LIMIT_MS : VM_LIMIT_MS};

	if (function_write(b, "first packet", err) < 0
	    || series_of(
		       b,
		       r,
		       apart ? all : all | vm,
		       trial,
		       READY,
		       ENDED,
		       brief ? 8 : bench_choose(b, 12, 40),
		       &s,
		       err
	       ) < 0
	    || phases(b, r, &s, err) < 0 || bundles(b, r, &s, err) < 0)
		return -err->code;
	if (b->drover != NULL
	    && series_of(
		       b,
		       r,
		       apart ? pair : pair | vm,
		       first_packet,
		       PACKET,
		       PACKET,
		       bench_choose(b, 6, 20),
		       &s,
		       err
	       ) < 0)
		return -err->code;
	s.limit_ms = VM_LIMIT_MS;
	if (apart
	    && (series_of(b, r, vm, trial, READY, ENDED, slow, &s, err) < 0
		|| (b->drover != NULL
		    && series_of(b, r, vm, first_packet, PACKET, PACKET, packets, &s, err) < 0)))
		return -err->code;
	if (!brief && system_startup(b, r, err) < 0)
		return -err->code;
	compare(r);
	return 0;
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, ~0u, r);
	return b->env[ENV_CONTAINER].present;
}

static const struct experiment startup = {
	.name = "startup",
	.figure = "Fig. 3",
	.title = "Start-up time",
	.about = "From the exec of the command until a program of the same small image runs and "
		 "until the command has "
		 "ended, in each environment in turn; and until a network function forwards its "
		 "first packet.",
	.dropped[BENCH_QUICK] =
		"repeats: 12 of each instead of 40, 2 instead of 5 of an emulated VM",
	.dropped[BENCH_BRIEF] = "a VM with a full operating system; repeats: 8 of each instead of "
				"40, 1 instead of 5 of an emulated VM",
	.seconds = {70, 500, 50},
	.order = 10,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(startup);
