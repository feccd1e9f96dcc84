// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a machine lacks of what is wanted.

#include "prepare/prepare.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "host/hostfs.h"
#include "host/noise.h"

#include <stdio.h>
#include <string.h>

#define WORKQUEUES "/sys/devices/virtual/workqueue/cpumask"
#define LARGEST (UINT64_C(1) << 30) // which some kernels take at their start only
#define DEFAULT_IRQS "/proc/irq/default_smp_affinity"

struct planning {
	const struct prepare_want *want;
	const struct host *h;
	const struct hostfs *fs;
	struct idset rest; // where all else goes
	json_t *steps, *unmovable;
};

static void add(
	struct planning *p,
	const char *kind,
	const char *path,
	const char *value,
	const char *former,
	const char *name
)
{
	json_array_append_new(
		p->steps,
		json_pack(
			"{s:s, s:s, s:s, s:s, s:s}",
			"do",
			kind,
			"path",
			path,
			"value",
			value,
			"former",
			former,
			"name",
			name
		)
	);
}

// ---- cgroups and modules

static void plan_controller(struct planning *p)
{
	static const char path[] = "/sys/fs/cgroup/hugetlb";
	const struct host_cgroup *c = &p->h->cgroup;
	_cleanup_close_ int there = -1;

	if (c->version != HOST_CGROUP_V1 || (c->controllers & HOST_CG_HUGETLB) != 0
	    || (c->known & HOST_CG_HUGETLB) == 0)
		return;
	there = hostfs_dir(p->fs->root, path + 1);
	add(p,
	    "mount",
	    path,
	    "hugetlb",
	    there >= 0 ? "directory" : "none",
	    "the controller of hugepages");
}

static int plan_modules(struct planning *p, struct err *err)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	for (unsigned i = 0; i < p->want->nmodules; i++) {
		const char *name = p->want->modules[i];
		char path[96];
		_cleanup_close_ int there = -1;

		if (name[0] == '\0' || name[0] == '-' || strlen(name) > 55
		    || strspn(name, good) != strlen(name))
			return err_set(err, EINVAL, "--module '%.64s': the name of a module", name);
		snprintf(path, sizeof(path), "sys/module/%s", name);
		for (char *c = path + strlen("sys/module/"); *c != '\0'; c++)
			*c = *c == '-' ? '_' : *c;
		there = hostfs_dir(p->fs->root, path);
		if (there < 0)
			add(p, "module", name, "loaded", "none", "");
	}
	return 0;
}

// ---- hugepages

// Pages of a size that one node is to have.
static void plan_node(struct planning *p, unsigned node, int index, uint64_t total, uint64_t want)
{
	const uint64_t size = p->h->hugepages[index].size;
	char dir[HOST_POOL_DIR], path[160], value[24], former[24], name[64], text[SIZE_STR];

	if (total >= want)
		return;
	host_pool_dir(size, dir);
	if (p->h->numa)
		snprintf(
			path,
			sizeof(path),
			"/sys/devices/system/node/node%u/hugepages/%s/nr_hugepages",
			node,
			dir
		);
	else
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", dir);
	snprintf(value, sizeof(value), "%llu", (unsigned long long)want);
	snprintf(former, sizeof(former), "%llu", (unsigned long long)total);
	snprintf(name, sizeof(name), "hugepages of %s on node %u", size_format(size, text), node);
	add(p, "pages", path, value, former, name);
}

// What is missing of as many anywhere, shared out alike.
static void plan_anywhere(struct planning *p, int index, uint64_t want)
{
	const struct host *h = p->h;
	unsigned nodes = 0, seen = 0;
	uint64_t missing;

	for (unsigned i = 0; i < h->nnodes; i++)
		nodes += h->nodes[i].mem_total > 0;
	if (nodes == 0 || h->hugepages[index].total >= want)
		return;
	missing = want - h->hugepages[index].total;
	for (unsigned i = 0; i < h->nnodes; i++) {
		const struct host_node *n = &h->nodes[i];
		uint64_t share = missing / nodes + (seen < missing % nodes), have;

		if (n->mem_total == 0)
			continue;
		seen++;
		have = h->numa ? n->hugepages[index].total : h->hugepages[index].total;
		plan_node(p, n->id, index, have, have + share);
	}
}

// To ask for too many would take the memory that others need, if only for a moment.
static int check_room(const struct planning *p, struct err *err)
{
	uint64_t bytes = 0, more, room;
	char text[32768];
	const json_t *s;
	size_t i;

	json_array_foreach (p->steps, i, s) {
		const char *path = json_string_value(json_object_get(s, "path")), *at;
		unsigned long long kb;

		if (!str_eq(json_string_value(json_object_get(s, "do")), "pages"))
			continue;
		at = strstr(path, "/hugepages-");
		if (at == NULL || sscanf(at, "/hugepages-%llukB", &kb) != 1)
			continue;
		more = strtoull(json_string_value(json_object_get(s, "value")), NULL, 10)
		       - strtoull(json_string_value(json_object_get(s, "former")), NULL, 10);
		if (__builtin_mul_overflow(more, kb * 1024, &more)
		    || __builtin_add_overflow(bytes, more, &bytes))
			bytes = UINT64_MAX;
	}
	if (bytes == 0 || hostfs_text(p->fs->root, "proc/meminfo", text, sizeof(text)) < 0)
		return 0;
	room = host_meminfo(text, "MemAvailable");
	if (bytes < room)
		return 0;
	return err_set(
		err,
		ENOMEM,
		"hugepages: %llu MiB more are wanted, and memory has room for %llu MiB",
		(unsigned long long)(bytes >> 20),
		(unsigned long long)(room >> 20)
	);
}

static int plan_pages(struct planning *p, struct err *err)
{
	const struct request *r = &p->want->request;

	for (unsigned i = 0; i < r->nhugepages; i++) {
		const struct grant_hugepages *w = &r->hugepages[i];
		int index = host_page_size_index(p->h, w->size);
		const struct host_node *n =
			w->node >= 0 ? host_node(p->h, (unsigned)w->node) : NULL;
		char size[SIZE_STR];

		for (unsigned k = 0; k < i; k++) {
			// on a machine of one node both are the same file
			if (r->hugepages[k].size == w->size
			    && (r->hugepages[k].node < 0 || w->node < 0 || !p->h->numa
				|| r->hugepages[k].node == w->node))
				return err_set(
					err,
					EINVAL,
					"hugepages of %s are asked for twice: say how many in all, "
					"or how many on each node",
					size_format(w->size, size)
				);
		}
		if (index < 0 && w->size == LARGEST && host_has_flag(p->fs, "pdpe1gb") == 0)
			return err_set(
				err,
				EINVAL,
				"hugepages of 1G: this CPU has none (no pdpe1gb); ask for 2M=%llu",
				(unsigned long long)w->count << 9
			);
		if (index < 0)
			return err_set(
				err,
				EINVAL,
				w->size == LARGEST ? "hugepages of %s: this kernel makes none "
						     "while it runs; boot with "
						     "hugepagesz=1G hugepages=%llu"
						   : "hugepages of %s: this kernel has none",
				size_format(w->size, size),
				(unsigned long long)w->count
			);
		if (w->node >= 0 && n == NULL)
			return err_set(err, ENODEV, "hugepages: there is no node %d", w->node);
		if (n == NULL)
			plan_anywhere(p, index, w->count);
		else
			plan_node(
				p,
				n->id,
				index,
				p->h->numa ? n->hugepages[index].total
					   : p->h->hugepages[index].total,
				w->count
			);
	}
	return check_room(p, err);
}

// ---- CPUs

static void plan_irq(const char *number, const char *handler, const struct idset *may, void *arg)
{
	struct planning *p = arg;
	struct idset to = *may;
	char path[96], name[112];
	_cleanup_free_ char *value = malloc(IDSET_STR), *former = malloc(IDSET_STR);

	if (!idset_intersects(may, &p->want->request.cpus) || value == NULL || former == NULL)
		return;
	idset_and(&to, &p->rest);
	if (idset_empty(&to))
		to = p->rest;
	snprintf(path, sizeof(path), "/proc/irq/%s/smp_affinity_list", number);
	snprintf(name, sizeof(name), "interrupt %s (%s)", number, handler);
	add(p,
	    "write",
	    path,
	    idset_format(&to, value, IDSET_STR),
	    idset_format(may, former, IDSET_STR),
	    name);
}

// Whoever bound it meant it.
static bool find_bound(const struct host_task *t, void *arg)
{
	struct planning *p = arg;

	if (t->kernel || t->leased || !idset_subset(&t->may, &p->want->request.cpus))
		return false;
	json_array_append_new(
		p->unmovable,
		json_pack(
			"{s:o, s:s}",
			"name",
			json_sprintf("process %s (%.32s)", t->pid, t->name),
			"why",
			"a thread of it may run there only"
		)
	);
	return true;
}

static bool plan_task(const struct host_task *t, void *arg)
{
	struct planning *p = arg;
	const struct idset *cpus = &p->want->request.cpus;
	struct idset to = t->may;
	_cleanup_free_ char *value = malloc(IDSET_STR), *former = malloc(IDSET_STR);
	char name[96], start[32];

	if (value == NULL || former == NULL)
		return true;
	snprintf(name, sizeof(name), "thread %s (%.32s)", t->pid, t->name);
	if (find_bound(t, arg))
		return true;
	if (!t->kernel || t->bound || !idset_intersects(&t->may, cpus))
		return false;
	idset_and(&to, &p->rest);
	if (idset_empty(&to))
		to = p->rest;
	snprintf(
		start,
		sizeof(start),
		"%llu",
		(unsigned long long)process_start(p->fs, (int)strtol(t->pid, NULL, 10))
	);
	add(p,
	    "thread",
	    t->pid,
	    idset_format(&to, value, IDSET_STR),
	    idset_format(&t->may, former, IDSET_STR),
	    name);
	json_object_set_new(
		json_array_get(p->steps, json_array_size(p->steps) - 1), "start", json_string(start)
	);
	return true;
}

// A file that holds a mask of CPUs.
static void plan_mask(struct planning *p, const char *path, const char *name)
{
	unsigned bits = (unsigned)idset_count(&p->h->possible);
	_cleanup_free_ char *former = malloc(IDSET_STR), *value = malloc(IDSET_STR);
	struct idset may, to;

	if (former == NULL || value == NULL
	    || hostfs_line(p->fs->root, path + 1, former, IDSET_STR) < 0
	    || host_parse_mask(former, &may) < 0)
		return;
	if (!idset_intersects(&may, &p->want->request.cpus))
		return;
	to = may;
	idset_and(&to, &p->rest);
	if (idset_empty(&to))
		to = p->rest;
	add(p, "write", path, idset_format_mask(&to, bits, value, IDSET_STR), former, name);
}

// It moves all to the CPUs that it does not keep free, again and again.
static int check_tuned(const struct planning *p, struct err *err)
{
	const struct host_tuned *t = &p->want->tuned;
	char cure[TUNED_CURE_LEN];

	if (!t->active || !t->known || idset_subset(&p->want->request.cpus, &t->isolated))
		return 0;
	return err_set(
		err,
		EBUSY,
		"--cpus: tuned's profile %s has the CPUs in its hands, and isolated_cores='%s'; "
		"have it "
		"keep these free: %s",
		t->profile,
		t->cores,
		host_tuned_cure(t, &p->want->request.cpus, cure)
	);
}

static int plan_cpus(struct planning *p, struct err *err)
{
	const struct idset *cpus = &p->want->request.cpus;

	if (idset_empty(cpus))
		return 0;
	if (host_check_online(p->h, "--cpus", cpus, err) < 0)
		return -err->code;
	p->rest = p->h->online;
	idset_andnot(&p->rest, cpus);
	if (idset_empty(&p->rest))
		return err_set(err, EINVAL, "--cpus: all CPUs; leave the host one");
	if (check_tuned(p, err) < 0)
		return -err->code;
	if (p->want->tuned.active) { // that is its work
		host_tasks_each(p->fs, find_bound, p);
		return 0;
	}
	host_irqs_each(p->fs, plan_irq, p);
	plan_mask(p, DEFAULT_IRQS, "new interrupts");
	plan_mask(p, WORKQUEUES, "unbound work of the kernel");
	host_tasks_each(p->fs, plan_task, p);
	return 0;
}

int prepare_plan(
	const struct prepare_want *want,
	const struct host *h,
	const struct hostfs *fs,
	json_t *steps,
	json_t *unmovable,
	struct err *err
)
{
	struct planning p = {
		.want = want, .h = h, .fs = fs, .steps = steps, .unmovable = unmovable};

	plan_controller(&p);
	if (plan_modules(&p, err) < 0 || plan_pages(&p, err) < 0)
		return -err->code;
	return plan_cpus(&p, err);
}
