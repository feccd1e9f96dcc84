// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The granted NUMA nodes as a guest sees them. QEMU makes a node of each part of memory, and a guest of several nodes has two
// parts of each at least: hugepages, and a share of the ordinary memory. So the guest's kernel is given a table of its
// own (SRAT, ACPI 6.4, 5.2.16) in the place of QEMU's: in an archive before the initramfs, as
// Documentation/admin-guide/acpi/initrd_table_override.rst has it.

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "plan/make.h"
#include "vm/vm.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_MAX 8192
#define HEADER 36 // of any table
#define LOW_MAX \
	UINT64_C(0xb0000000) // q35: so much memory lies below 4 GiB, or 2 GiB where there is more
#define LOW_OF_MORE UINT64_C(0x80000000)
#define HIGH (UINT64_C(4) << 30)

static void add_node(struct plan_vm_cpus *cpus, int node)
{
	if (plan_vm_node(cpus, node) < cpus->nnodes)
		return;
	if (cpus->nnodes < PLAN_VM_NODES)
		cpus->node[cpus->nnodes] = node;
	cpus->nnodes++;
}

unsigned plan_vm_node(const struct plan_vm_cpus *cpus, int node)
{
	unsigned i;

	for (i = 0; i < cpus->nnodes && i < PLAN_VM_NODES && cpus->node[i] != node; i++)
		;
	return i;
}

// In the order in which a kernel numbers them: by its CPUs, then those of memory alone.
void plan_vm_nodes(const struct plan *p, struct plan_vm_cpus *cpus)
{
	cpus->nnodes = 0;
	for (unsigned i = 0; i < cpus->n; i++)
		add_node(cpus, host_cpu(p->host, cpus->id[i])->node);
	idset_foreach (node, &p->lease.grant.mems)
		add_node(cpus, (int)node);
	for (unsigned i = 0; i < p->lease.grant.nhugepages; i++)
		add_node(cpus, p->lease.grant.hugepages[i].node);
	if (cpus->nnodes > PLAN_VM_NODES)
		cpus->nnodes = 0;
}

// ---- their hugepages

char *plan_vm_file(const struct plan *p, const struct plan_vm_cpus *cpus, unsigned k)
{
	const struct grant_hugepages *h = &p->lease.grant.hugepages[k];
	_cleanup_free_ char *dir = plan_hugepage_target(&p->lease.grant, h->size);

	if (cpus->nnodes < 2 || h->anon || p->launch->no_prealloc)
		return NULL;
	return dir != NULL ? str_printf("%s/node%u", dir, plan_vm_node(cpus, h->node)) : NULL;
}

json_t *plan_vm_files(const struct plan *p, const struct plan_vm_cpus *cpus)
{
	json_t *list = NULL;

	for (unsigned k = 0; k < p->lease.grant.nhugepages; k++) {
		const struct grant_hugepages *h = &p->lease.grant.hugepages[k];
		_cleanup_free_ char *file = plan_vm_file(p, cpus, k);

		if (file == NULL)
			continue;
		list = list != NULL ? list : json_array();
		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:I, s:i}",
				"file",
				file,
				"bytes",
				(json_int_t)(h->size * h->count),
				"node",
				h->node
			)
		);
	}
	return list;
}

// ---- the table

struct table {
	unsigned char data[TABLE_MAX];
	size_t len;
};

static void put(struct table *t, uint64_t value, size_t bytes)
{
	value = htole64(value);
	if (t->len + bytes <= sizeof(t->data))
		memcpy(t->data + t->len, &value, bytes);
	t->len += bytes;
}

static unsigned width(unsigned count)
{
	unsigned bits = 0;

	while (1u << bits < count)
		bits++;
	return bits;
}

// As QEMU numbers the interrupt controllers of its CPUs: socket, core and thread, each in as many bits as it needs.
static unsigned apic_id(const struct plan_vm_cpus *cpus, unsigned i)
{
	unsigned thread = i % cpus->threads, core = i / cpus->threads % cpus->cores,
		 socket = i / cpus->threads / cpus->cores;

	return (socket << width(cpus->cores) | core) << width(cpus->threads) | thread;
}

static void put_cpu(struct table *t, unsigned node, unsigned apic)
{
	bool wide = apic > 254;

	put(t, wide ? 2 : 0, 1);
	put(t, wide ? 24 : 16, 1);
	if (wide) {
		put(t, 0, 2);
		put(t, node, 4);
		put(t, apic, 4);
		put(t, 1, 4); // it counts
		put(t, 0, 8);
		return;
	}
	put(t, node, 1);
	put(t, apic, 1);
	put(t, 1, 4);
	put(t, 0, 8);
}

// Memory from `at` on as QEMU counts it, which has a hole below 4 GiB.
static void put_memory(struct table *t, unsigned node, uint64_t at, uint64_t len, uint64_t low)
{
	if (at < low && at + len > low) {
		put_memory(t, node, at, low - at, low);
		put_memory(t, node, low, at + len - low, low);
		return;
	}
	put(t, 1, 1);
	put(t, 40, 1);
	put(t, node, 4);
	put(t, 0, 2);
	put(t, at < low ? at : at - low + HIGH, 8);
	put(t, len, 8);
	put(t, 0, 4);
	put(t, 1, 4); // it counts
	put(t, 0, 8);
}

static void fill(const struct plan *p, const struct plan_vm_cpus *cpus, struct table *t)
{
	const struct grant *g = &p->lease.grant;
	const uint64_t page = UINT64_C(2) << 20, memory = plan_vm_memory(p);
	uint64_t all = memory + grant_hugepage_bytes(g, -1), at = 0;
	uint64_t low = all >= LOW_MAX ? LOW_OF_MORE : LOW_MAX;

	t->len = HEADER;
	put(t, 1, 4);
	put(t, 0, 8);
	for (unsigned i = 0; i < cpus->n; i++)
		put_cpu(t,
			plan_vm_node(cpus, host_cpu(p->host, cpus->id[i])->node),
			apic_id(cpus, i));
	for (unsigned i = 0; i < cpus->nnodes; i++) {
		uint64_t end = i + 1 == cpus->nnodes
				       ? memory
				       : memory / cpus->nnodes * (i + 1) / page * page;

		put_memory(t, i, at, end - at, low);
		at = end;
	}
	// as plan_vm_args has them
	for (unsigned k = g->nhugepages; k-- > 0;) {
		const struct grant_hugepages *h = &g->hugepages[k];

		put_memory(t, plan_vm_node(cpus, h->node), at, h->size * h->count, low);
		at += h->size * h->count;
	}
}

// The kernel takes what has QEMU's names and a later revision.
static void finish(struct table *t)
{
	static const char names[] = "SRAT\0\0\0\0\1\0BOCHS BXPC    \2\0\0\0PINF\1\0\0";
	uint32_t len = htole32((uint32_t)t->len);
	unsigned char sum = 0;

	memcpy(t->data, names, HEADER);
	memcpy(t->data + 4, &len, sizeof(len));
	for (size_t i = 0; i < t->len; i++)
		sum = (unsigned char)(sum + t->data[i]);
	t->data[9] = (unsigned char)-sum;
}

json_t *plan_vm_early(const struct plan *p, const struct plan_vm_cpus *cpus)
{
	static const char *const dirs[] = {"kernel", "kernel/firmware", "kernel/firmware/acpi"};
	_cleanup_free_ struct table *t = calloc(1, sizeof(*t));
	_cleanup_free_ char *hex = NULL;
	struct cpio c = {0};
	json_t *ret = NULL;

	if (cpus->nnodes < 2 || t == NULL)
		return NULL;
	fill(p, cpus, t);
	if (t->len > sizeof(t->data))
		return NULL;
	finish(t);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		cpio_add(&c, dirs[i], S_IFDIR | 0755, NULL, 0, 0);
	cpio_add(
		&c,
		"kernel/firmware/acpi/srat.aml",
		S_IFREG | 0644,
		(const char *)t->data,
		t->len,
		0
	);
	cpio_end(&c);
	hex = c.failed ? NULL : calloc(2 * c.len + 1, 1);
	for (size_t i = 0; hex != NULL && i < c.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)c.data[i]);
	if (hex != NULL)
		ret = json_string(hex);
	free(c.data);
	return ret;
}
