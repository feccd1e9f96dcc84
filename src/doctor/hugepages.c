// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Reserved hugepages of each size on each node, and mounts of hugetlbfs (Documentation/admin-guide/mm/hugetlbpage.rst).

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "grant/avail.h"
#include "host/hostfs.h"
#include "host/mounts.h"

#include <string.h>

// On a node, or the machine's of a kernel without nodes.
static void pool_path(
	const struct host *h, const struct host_node *n, uint64_t size, char *ret, size_t len
)
{
	char dir[HOST_POOL_DIR];

	if (h->numa)
		snprintf(
			ret,
			len,
			"/sys/devices/system/node/node%u/hugepages/%s/nr_hugepages",
			n->id,
			host_pool_dir(size, dir)
		);
	else
		snprintf(
			ret,
			len,
			"/sys/kernel/mm/hugepages/%s/nr_hugepages",
			host_pool_dir(size, dir)
		);
}

static uint64_t total_bytes(const struct host *h)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < h->nsizes; i++)
		sum += h->hugepages[i].total * h->hugepages[i].size;
	return sum;
}

static void look_at_pool(struct doctor *d, const struct host_node *n, unsigned index)
{
	const struct host_hugepages *p = &n->hugepages[index], *all = &d->host->hugepages[index];
	char size[SIZE_STR], path[160], more[RESERVE_LEN];
	uint64_t most = 0; // that another node has

	if (all->total == 0)
		return; // a size that nobody uses
	for (unsigned i = 0; i < d->host->nnodes; i++) {
		if (d->host->nodes[i].hugepages[index].total > most)
			most = d->host->nodes[i].hugepages[index].total;
	}
	size_format(all->size, size);
	pool_path(d->host, n, all->size, path, sizeof(path));
	if (p->total == 0 && !idset_empty(&n->cpus)) {
		doctor_find(
			d,
			VERDICT_WARN,
			"pages",
			"node %u has CPUs and no hugepages of %s: programs there take those of "
			"another "
			"node",
			n->id,
			size
		);
		if (n->mem_total == 0)
			doctor_cure(d, "grant CPUs of another node: this one has no memory");
		else
			doctor_cure(
				d, "%s", avail_reserve(d->host, all->size, (int)n->id, most, more)
			);
	} else if (p->total > 0) {
		doctor_find(
			d,
			VERDICT_PASS,
			"pages",
			"%s on node %u: %llu, %llu of them free",
			size,
			n->id,
			(unsigned long long)p->total,
			(unsigned long long)p->free
		);
	} else {
		return;
	}
	doctor_read(d, "%s: %llu", path, (unsigned long long)p->total);
}

// What was taken beyond those that are reserved, or reserved once: in use still, and gone when it is not.
static void look_at_surplus(struct doctor *d, const struct host_node *n, unsigned index)
{
	const struct host_hugepages *p = &n->hugepages[index];
	char size[SIZE_STR];

	if (p->surplus == 0)
		return;
	doctor_find(
		d,
		VERDICT_WARN,
		"surplus",
		"%s on node %u: %llu are in use beyond those that are reserved, and go when they "
		"are free",
		size_format(p->size != 0 ? p->size : d->host->hugepages[index].size, size),
		n->id,
		(unsigned long long)p->surplus
	);
	doctor_read(d, "/sys/devices/system/node/node%u/hugepages/*/surplus_hugepages", n->id);
	doctor_cure(
		d, "end what has them: pinfold doctor says who holds hugepages outside of grants"
	);
}

// Promised to who has mapped them or mounted them so: free, and for nobody else. The kernel does not count it by node.
static void look_at_reserved(struct doctor *d, unsigned index)
{
	const struct host_hugepages *p = &d->host->hugepages[index];
	bool all = p->reserved >= p->free;
	char size[SIZE_STR], dir[HOST_POOL_DIR], more[RESERVE_LEN];

	if (p->reserved == 0)
		return;
	doctor_find(
		d,
		all ? VERDICT_WARN : VERDICT_PASS,
		"reserved",
		all ? "%s: the %llu that are free are promised to programs, all of them"
		    : "%s: of the %llu that are free %llu are promised to programs",
		size_format(p->size, size),
		(unsigned long long)p->free,
		(unsigned long long)p->reserved
	);
	doctor_read(
		d,
		"/sys/kernel/mm/hugepages/%s/resv_hugepages: %llu",
		host_pool_dir(p->size, dir),
		(unsigned long long)p->reserved
	);
	if (all)
		doctor_cure(d, "%s", avail_reserve(d->host, p->size, -1, p->reserved, more));
}

// Memory that is kept for pages of 1G until one is asked for (hugetlb_cma=, Linux 5.7): they can be had at run time then.
static void look_at_cma(struct doctor *d)
{
	_cleanup_free_ char *text = NULL;
	char asked[64], size[SIZE_STR], left[SIZE_STR];
	uint64_t total;

	if (!doctor_cmdline(d, "hugetlb_cma", asked, sizeof(asked))
	    || fs_read_system(d->fs->root, "proc/meminfo", 1u << 16, &text, NULL) < 0)
		return;
	total = host_meminfo(text, "CmaTotal");
	doctor_find(
		d,
		total == 0 ? VERDICT_WARN : VERDICT_PASS,
		"cma",
		total == 0 ? "none is kept for pages of 1G, which was asked for"
			   : "%s is kept for pages of 1G at run time, %s of it free",
		size_format(total, size),
		size_format(host_meminfo(text, "CmaFree"), left)
	);
	doctor_read(
		d,
		"/proc/cmdline: hugetlb_cma=%s, /proc/meminfo: CmaTotal: %llu kB",
		asked,
		(unsigned long long)(total >> 10)
	);
	if (total == 0)
		doctor_cure(
			d,
			"boot with hugetlb_cma= of 1G a node at least, and a kernel that has "
			"CONFIG_CMA; or with hugepagesz=1G hugepages=N"
		);
}

static void look_at_overcommit(struct doctor *d, unsigned index)
{
	char path[128], dir[HOST_POOL_DIR], size[SIZE_STR];
	uint64_t n;

	host_pool_dir(d->host->hugepages[index].size, dir);
	snprintf(path, sizeof(path), "sys/kernel/mm/hugepages/%s/nr_overcommit_hugepages", dir);
	if (hostfs_u64(d->fs->root, path, &n) < 0)
		return;
	size_format(d->host->hugepages[index].size, size);
	if (n == 0) {
		if (d->host->hugepages[index].total == 0)
			return;
		doctor_find(d, VERDICT_PASS, "overcommit", "%s: none", size);
		doctor_read(d, "/%s: 0", path);
		return;
	}
	doctor_find(
		d,
		VERDICT_WARN,
		"overcommit",
		"%s: programs may take %llu more than are reserved, out of everybody's memory",
		size,
		(unsigned long long)n
	);
	doctor_read(d, "/%s: %llu", path, (unsigned long long)n);
	doctor_cure(d, "echo 0 > /%s", path);
}

// True if others than its owner may make files there, or the owner is not root.
static bool is_open(const char *options)
{
	char mode[16] = "755", uid[16] = "0";
	size_t n;

	mount_option(options, "mode", mode, sizeof(mode));
	mount_option(options, "uid", uid, sizeof(uid));
	n = strlen(mode);
	return !str_eq(uid, "0") || (n > 0 && ((mode[n - 1] - '0') & 2) != 0);
}

static void look_at_mount(const struct mount_line *m, void *arg)
{
	_cleanup_free_ char *where = NULL;
	struct doctor *d = arg;
	char size[24];

	if (!str_eq(m->type, "hugetlbfs") || str_starts(m->where, "/run/pinfold/"))
		return;
	if (mount_option(m->options, "size", size, sizeof(size)) || !is_open(m->options)) {
		doctor_find(
			d,
			VERDICT_PASS,
			"mounts",
			"%s: %s",
			m->where,
			is_open(m->options) ? "of limited size" : "for root alone"
		);
		doctor_read(d, "/proc/mounts: %s", m->options);
		return;
	}
	doctor_find(
		d,
		VERDICT_WARN,
		"mounts",
		"%s: a hugetlbfs without size=, where others than root may take all pages",
		m->where
	);
	doctor_read(d, "/proc/mounts: %s", m->options);
	where = str_quote(m->where);
	if (where != NULL)
		doctor_cure(
			d, "umount %s # pinfold mounts one of its own for each workload", where
		);
}

void doctor_hugepages(struct doctor *d)
{
	const struct host *h = d->host;

	if (!doctor_wants_pages(d))
		return;
	if (h->nsizes == 0) {
		doctor_find(d, VERDICT_FAIL, "pages", "this kernel has no hugepages");
		doctor_read(d, "/sys/kernel/mm/hugepages");
		doctor_cure(d, "a kernel with CONFIG_HUGETLBFS");
		return;
	}
	if (total_bytes(h) == 0) {
		const uint64_t size =
			h->default_hugepage != 0 ? h->default_hugepage : h->hugepages[0].size;
		const uint64_t of_1g = (UINT64_C(1) << 30) / size; // for a first try
		char more[RESERVE_LEN];

		doctor_find(d, VERDICT_FAIL, "pages", "no hugepages are reserved");
		doctor_read(d, "/sys/kernel/mm/hugepages/*/nr_hugepages: 0");
		doctor_cure(d, "%s", avail_reserve(h, size, -1, of_1g > 0 ? of_1g : 1, more));
	}
	for (unsigned i = 0; i < h->nsizes; i++) {
		for (unsigned k = 0; k < h->nnodes; k++) {
			look_at_pool(d, &h->nodes[k], i);
			look_at_surplus(d, &h->nodes[k], i);
		}
		look_at_reserved(d, i);
		look_at_overcommit(d, i);
	}
	look_at_cma(d);
	mounts_each(d->fs, look_at_mount, d);
}
