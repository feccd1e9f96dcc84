// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §3.6: how many functions this machine holds, and what runs out first: by the inventory, and by starting them.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/leases.h"
#include "bench/need.h"
#include "bench/reasons.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PAGES "64" // hugepages of 2 MiB of a function
#define PAGES_MIB 128
#define MEMORY_MIB 512 // other memory, as pinfold has it where nothing is said
#define MOST 512
#define PAPER_GIB 21.33

static json_int_t pages_total(const json_t *inventory, const char *size)
{
	json_t *list = json_object_get(inventory, "hugepages"), *p;
	size_t i;

	json_array_foreach (list, i, p) {
		if (str_eq(json_string_value(json_object_get(p, "size")) ?: "", size))
			return json_integer_value(json_object_get(p, "total"));
	}
	return 0;
}

static int inventory(struct bench *b, json_t **ret, struct err *err)
{
	const char *const argv[] = {b->pinfold, "host", "inventory", "--json", NULL};
	_cleanup_free_ char *out = NULL;
	json_t *doc;

	if (child_run(b, &(struct child_how){.argv = argv}, 20000, 0, &out, NULL, err) < 0)
		return -err->code;
	doc = json_loads(out, 0, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return err_set(err, EIO, "pinfold host inventory printed no JSON");
	}
	*ret = doc;
	return 0;
}

static double memory_mib(void)
{
	return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void exact(struct result *r, const char *name, double value, const char *unit)
{
	row_exact(result_measured(r, name, NULL, unit), value);
}

// By what there is: one CPU, 128 MiB of hugepages and 512 MiB each; hugepages could be all of the memory.
static void by_inventory(const struct bench *b, struct result *r, const json_t *doc)
{
	double memory = memory_mib(), cpus = b->ncpus;
	double fits = floor(memory / (MEMORY_MIB + PAGES_MIB));
	double reserved = floor((double)pages_total(doc, "2M") * 2 / PAGES_MIB);
	struct row *row;

	exact(r, "functions by the number of CPUs", cpus, "");
	exact(r, "functions by all of the memory", fits, "");
	exact(r, "functions by hugepages reserved now", reserved, "");
	row = result_measured(r, "memory for each CPU", NULL, "GiB");
	row_exact(row, memory / 1024 / cpus);
	row_paper(row, PAPER_GIB, "1536 GB and 72 threads: 21 GB for each");
	row = result_fact(r, "what runs out first, by the inventory", NULL);
	row_text(row, "%s", cpus <= fits ? "CPUs" : "memory");
	row_paper(
		row,
		NAN,
		"running out of processing power is more likely than running out of memory"
	);
	row_claim_is(row, cpus <= fits ? CLAIM_HOLDS : CLAIM_FAILS);
}

// ---- by starting them

struct fleet {
	char name[MOST][40];
	unsigned n;
	char refused[400];
};

static int start_one(struct bench *b, struct fleet *f, const char *const *grant, struct err *err)
{
	const char *argv[32] = {b->pinfold, "run", "-d", "--name"};
	unsigned n = 4;
	char *name = f->name[f->n];

	snprintf(name, sizeof(f->name[0]), "bench-%d-d%u", getpid(), f->n);
	argv[n++] = name;
	for (; *grant != NULL; grant++)
		argv[n++] = *grant;
	argv[n++] = "--";
	argv[n++] = "/bin/sleep";
	argv[n++] = "600";
	return child_run(b, &(struct child_how){.argv = argv}, 60000, 0, NULL, NULL, err);
}

static void stop_all(struct bench *b, struct fleet *f)
{
	struct err ignored;

	for (unsigned i = 0; i < f->n; i++) {
		const char *const argv[] = {b->pinfold, "stop", f->name[i], NULL};

		child_run(
			b,
			&(struct child_how){.argv = argv, .always = true},
			30000,
			-1,
			NULL,
			NULL,
			&ignored
		);
	}
}

// Until one is refused. Fails at ctrl-C, and where not even one starts.
static int fill(struct bench *b, struct fleet *f, const char *const *grant, struct err *err)
{
	int r = 0;

	for (f->n = 0; f->n < MOST && r == 0;) {
		bench_say(b, "density: instance %u", f->n + 1);
		r = bench_check(err);
		if (r == 0 && (r = start_one(b, f, grant, err)) == 0)
			f->n++;
	}
	if (r < 0 && !bench_cancelled())
		snprintf(f->refused, sizeof(f->refused), "%.390s", err->msg);
	stop_all(b, f);
	if (bench_check(err) < 0)
		return -err->code;
	return f->n > 0 ? 0 : err_set(err, EIO, "%s", f->refused);
}

// Which resource a refusal names.
static const char *resource(const char *refusal)
{
	if (strstr(refusal, "CPU") != NULL)
		return "CPUs";
	if (strstr(refusal, "hugepage") != NULL)
		return "hugepages";
	return strstr(refusal, "memory") != NULL ? "memory" : "something else";
}

static void started(
	struct result *r, const char *name, const struct environment *e, const struct fleet *f
)
{
	struct row *row = result_measured(r, name, e, "");

	row_exact(row, f->n);
	// what else runs has taken its part
	row_alone(row);
	if (f->refused[0] != '\0')
		row_text(row, "then refused: %s", f->refused);
	else
		row_text(row, "no more were tried");
}

static void by_starting(struct bench *b, struct result *r)
{
	static const char *const grant[] = {"--cpu-count", "1", "--hugepages", "2M=" PAGES, NULL};
	static const char name[] = "functions started, a CPU each";
	const struct environment *e = &b->env[ENV_CONTAINER];
	struct fleet f = {0};
	struct row *row;
	struct err err;

	if (fill(b, &f, grant, &err) < 0) {
		result_missing(r, name, e, "%s", err.msg);
		return;
	}
	started(r, name, e, &f);
	row = result_fact(r, "what ran out first", e);
	row_text(row, "%s", f.refused[0] != '\0' ? resource(f.refused) : "nothing");
	row_paper(row, NAN, "processing power, and not memory");
	row_claim_is(row, str_eq(row->text, "CPUs") ? CLAIM_HOLDS : CLAIM_FAILS);
}

// Several on the same CPUs, out of a pool.
static void on_a_pool(struct bench *b, struct result *r)
{
	_cleanup_free_ char *pool = need(str_printf("bench-%d-pool", getpid()));
	_cleanup_free_ char *cpu = need(str_printf("%d", b->cpu_vnf));
	const char *const create[] = {
		b->pinfold, "grant", "create", "--name", pool, "--pool", "--cpus", cpu, NULL};
	const char *const remove[] = {b->pinfold, "grant", "remove", pool, NULL};
	const char *const grant[] = {
		"--shared-cpus", pool, "--hugepages", "2M=8", "--memory", "64M", NULL};
	static const char name[] = "functions started on one shared CPU";
	const struct environment *e = &b->env[ENV_CONTAINER];
	struct fleet f = {0};
	struct err err;
	int status;

	status = child_run(b, &(struct child_how){.argv = create}, 20000, 0, NULL, NULL, &err);
	if (status == 0)
		status = fill(b, &f, grant, &err);
	if (status < 0)
		result_missing(r, name, e, "%s", err.msg);
	else
		started(r, name, e, &f);
	// ctrl-C may have come when it was made, or when one more of them was: a pool that is used is not removed
	leases_stop(b, 0);
	child_run(
		b, &(struct child_how){.argv = remove, .always = true}, 20000, -1, NULL, NULL, &err
	);
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;

	if (inventory(b, &doc, err) < 0)
		return -err->code;
	by_inventory(b, r, doc);
	by_starting(b, r);
	if (bench_check(err) == 0)
		on_a_pool(b, r);
	result_missing(
		r,
		"loss of the first when the next comes",
		NULL,
		"not measured by this version: it needs a generator for each of them"
	);
	return bench_check(err);
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, 1u << ENV_CONTAINER, r);
	return b->env[ENV_CONTAINER].present;
}

static const struct experiment density = {
	.name = "density",
	.figure = "§3.6",
	.title = "Density",
	.about = "How many functions of one CPU, 128 MiB of hugepages and 512 MiB of memory this "
		 "machine holds, and what runs "
		 "out first: by its inventory, and by starting them until one is refused; and how "
		 "many on one shared CPU.",
	.seconds = {20, 20},
	.order = 30,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(density);
