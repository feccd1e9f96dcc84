// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Fig. 5 and 6, §2.5: what each environment shows to a program of CPUs, memory, hugepages, PCI and devices, where one CPU
// was given.

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/need.h"
#include "bench/reasons.h"

#include <string.h>

static json_t *at(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

static const char *words(const json_t *o, const char *a, const char *b)
{
	const char *s = json_string_value(at(o, a, b));

	return s != NULL && *s != '\0' ? s : "none";
}

// "2M: 16, of which 16 can be taken".
static void hugepages(struct row *row, const json_t *seen)
{
	json_t *list = json_object_get(seen, "hugepages"), *p;
	char all[256] = "";
	size_t i;

	json_array_foreach (list, i, p) {
		json_int_t total = json_integer_value(json_object_get(p, "total"));
		const json_t *take = json_object_get(p, "takeable");

		if (total == 0)
			continue;
		str_add(all,
			sizeof(all),
			"; ",
			"%.8s: %lld",
			json_string_value(json_object_get(p, "size")) ?: "?",
			total);
		if (json_is_integer(take))
			str_add(all,
				sizeof(all),
				", ",
				"%lld can be taken",
				json_integer_value(take));
	}
	row_text(row, "%s", *all != '\0' ? all : "none");
}

// A user's number, and whether that is somebody else on the host; whose numbers are free there varies with each run.
static void user(struct row *row, const json_t *seen)
{
	unsigned id = (unsigned)json_integer_value(at(seen, "ids", "euid")), first, outer;
	const char *map = json_string_value(json_array_get(at(seen, "ids", "uid_map"), 0));

	if (map == NULL || sscanf(map, "%u %u", &first, &outer) != 2 || first == outer)
		row_text(row, "%u", id);
	else
		row_text(row, "%u, outside another", id);
}

static const char *filter(const json_t *seen)
{
	static const char *const modes[] = {"none", "strict", "filter"};
	json_int_t mode = json_integer_value(json_object_get(seen, "seccomp"));

	return mode >= 0 && mode < (json_int_t)ARRAY_LEN(modes) ? modes[mode] : "?";
}

static const char *yes(const json_t *value, bool is)
{
	return json_is_true(value) == is ? "yes" : "no";
}

static unsigned reachable(const json_t *seen)
{
	json_t *list = json_object_get(seen, "syscalls"), *call;
	unsigned n = 0;
	size_t i;

	json_array_foreach (list, i, call)
		n += str_eq(json_string_value(json_object_get(call, "reach")) ?: "", "reachable");
	return n;
}

static struct row *fact(
	struct result *r,
	const char *name,
	const struct environment *e,
	const char *figure,
	const char *text
)
{
	struct row *row = result_fact(r, name, e);

	row_figure(row, figure);
	row_text(row, "%s", text);
	return row;
}

// Of what is within reach less is better. What the host itself has comes and goes with what else runs there.
static void reach(
	struct result *r,
	const char *name,
	const struct environment *e,
	const char *figure,
	double count,
	bool varies
)
{
	struct row *row = result_measured(r, name, e, "");

	row_figure(row, figure);
	row_exact(row, count);
	row->less = true;
	if (varies && e->kind == ENV_HOST)
		row_alone(row);
}

static double size_of(const json_t *seen, const char *key)
{
	return (double)json_array_size(json_object_get(seen, key));
}

static void show(struct result *r, const struct environment *e, const json_t *seen)
{
	struct row *row;

	fact(r, "CPUs that a DPDK program finds", e, "Fig. 5, 6", words(seen, "cpus", "eal"));
	fact(r, "CPUs that it can run on", e, "Fig. 5, 6", words(seen, "cpus", "runnable"));
	fact(r, "NUMA nodes shown", e, "§5.3", words(seen, "numa", "visible"));
	row = result_measured(r, "memory shown", e, "MiB");
	row_figure(row, "§2.5");
	row_exact(row, json_number_value(json_object_get(seen, "memory")) / (1 << 20));
	row->neutral = true;
	row = result_fact(r, "hugepages shown", e);
	row_figure(row, "§5.2.1");
	hugepages(row, seen);
	// where the host's own are shown others take of them
	if (e->kind != ENV_CONTAINER && e->kind != ENV_VM)
		row_alone(row);
	reach(r, "PCI functions shown", e, "§5.3.1", size_of(seen, "pci"), false);
	reach(r, "device nodes", e, "§2.2.2", size_of(seen, "devices"), true);
	reach(r, "network interfaces", e, "§2.1.2", size_of(seen, "netdevs"), true);
	reach(r,
	      "processes seen",
	      e,
	      "§2.1.2",
	      json_number_value(json_object_get(seen, "processes")),
	      true);
	row = result_fact(r, "user", e);
	row_figure(row, "§3.9");
	user(row, seen);
	reach(r,
	      "capabilities",
	      e,
	      "§3.9",
	      (double)json_array_size(at(seen, "capabilities", "effective")),
	      false);
	fact(r, "may gain privileges", e, "§3.9", yes(json_object_get(seen, "no_new_privs"), false)
	);
	fact(r, "root is writable", e, "§3.9", yes(json_object_get(seen, "root_writable"), true));
	fact(r, "system call filter", e, "§3.9", filter(seen));
	reach(r, "risky system calls let through", e, "§3.9", reachable(seen), false);
}

static bool same(const struct row *a, const struct row *b)
{
	return a != NULL && b != NULL && a->text != NULL && b->text != NULL
	       && str_eq(a->text, b->text);
}

// A claim of the paper about an environment: whether it is so.
static void claim(
	struct result *r,
	const char *name,
	const struct environment *e,
	const char *figure,
	bool holds,
	const char *text,
	const char *paper
)
{
	struct row *row;

	if (result_find(r, "CPUs that a DPDK program finds", e->name) == NULL)
		return;
	row = fact(r, name, e, figure, text);
	row_paper(row, __builtin_nan(""), "%s", paper);
	row_claim_is(row, holds ? CLAIM_HOLDS : CLAIM_FAILS);
}

static void claims(struct bench *b, struct result *r)
{
	static const enum env_kind boxes[] = {ENV_CONTAINER, ENV_CRUN, ENV_PODMAN, ENV_DOCKER};
	const struct row *all = result_find(r, "CPUs that a DPDK program finds", "host");
	const struct row *memory = result_find(r, "memory shown", "host");
	char own[16];

	snprintf(own, sizeof(own), "%d", b->cpu_vnf);
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
		const struct environment *e = &b->env[boxes[i]];
		const struct row *eal = result_find(r, "CPUs that a DPDK program finds", e->name);
		const struct row *runs = result_find(r, "CPUs that it can run on", e->name);
		const struct row *has = result_find(r, "memory shown", e->name);
		bool hosts = same(eal, all) && !str_eq(all->text, own);

		if (eal == NULL || eal->kind != ROW_FACT || has == NULL || memory == NULL)
			continue;
		claim(r,
		      "shows CPUs that were not given",
		      e,
		      "§2.5",
		      hosts,
		      hosts ? "all of the host's" : "the given ones alone",
		      "a container shows all of the host's CPUs, whatever its cpuset");
		claim(r,
		      "shows the host's memory",
		      e,
		      "§2.5",
		      has->samples[0] == memory->samples[0],
		      has->samples[0] == memory->samples[0] ? "the host's" : "its own limit",
		      "a container shows the host's memory, whatever its limit");
		claim(r,
		      "knows the physical CPU it runs on",
		      e,
		      "Fig. 5",
		      str_eq(runs->text, own),
		      runs->text,
		      "a container sees the numbers of the physical cores it was given");
	}
	if (b->env[ENV_VM].present) {
		const struct row *eal = result_find(r, "CPUs that a DPDK program finds", "vm");

		if (eal != NULL && eal->kind == ROW_FACT)
			claim(r,
			      "knows the physical CPU it runs on",
			      &b->env[ENV_VM],
			      "Fig. 6",
			      str_eq(eal->text, "0"),
			      eal->text,
			      "a virtual machine sees virtual CPUs, numbered from 0, and not which "
			      "physical ones they are");
	}
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	static const struct run_in_how how = {
		.program = {RUN_IN_INSIDE, "show", "--json", "--probe"},
		.option = {"--hugepages", "2M=16"},
	};

	for (unsigned k = 0; k < ENV_KINDS; k++) {
		const struct environment *e = &b->env[k];
		_cleanup_json_ json_t *seen = NULL;

		if (bench_check(err) < 0)
			return -err->code;
		bench_say(b, "view: %s", e->name);
		if (!e->present)
			result_missing(r, "what it shows", e, "%s", e->why);
		else if (run_in_json(b, e, &how, 0, &seen, err) < 0)
			result_missing(r, "what it shows", e, "%s", err->msg);
		else
			show(r, e, seen);
	}
	claims(b, r);
	return bench_check(err);
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, ~0u, r);
	return b->inside != NULL;
}

static const struct experiment view = {
	.name = "view",
	.figure = "Fig. 5, 6",
	.title = "What a program sees",
	.about = "What each environment shows to a program that was given one CPU and 16 "
		 "hugepages: CPUs, memory, hugepages, "
		 "PCI functions, devices; and what it can reach of them.",
	.seconds = {30, 30, 15},
	.order = 40,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(view);
