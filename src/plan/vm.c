// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A virtual machine. QEMU is the program of a container with the grant, so it has the fence that any program has; what
// the container has, QEMU makes the guest of: the granted CPUs are its CPUs, the hugepages its memory, the root file
// system that a container would have its root.

#include "base/jread.h"
#include "base/scope.h"
#include "base/size.h"
#include "plan/make.h"

#include <stdio.h>
#include <string.h>

#define MEMORY_MIN (UINT64_C(160) << 20) // of the guest: kernel, pinfold's init, a small program

static int check(const struct plan *p, struct err *err)
{
	const struct grant *g = &p->lease.grant;

	if (g->memory < MEMORY_MIN)
		return err_set(
			err,
			EINVAL,
			"grant '%s': a virtual machine takes at least --memory %lluM: its kernel "
			"is in it",
			g->name,
			(unsigned long long)MEMORY_MIN >> 20
		);
	// the guest's pages of that size begin where those of the host do, only behind whole ones
	if (grant_pages(g, UINT64_C(1) << 30, -1, true, true) > 0
	    && g->memory % (UINT64_C(1) << 30) != 0)
		return err_set(
			err,
			EINVAL,
			"grant '%s': a virtual machine with hugepages of 1G takes --memory in "
			"whole GiB",
			g->name
		);
	for (unsigned i = 0; i < g->nlinks; i++) {
		if (str_eq(g->links[i].kind, "memif"))
			return err_set(
				err,
				EINVAL,
				"grant '%s': a memif is memory that processes of one kernel share, "
				"which a virtual machine is not; make link '%s' a vhost-user one",
				g->name,
				g->links[i].name
			);
	}
	if (g->nlinks > PLAN_VM_LINKS)
		return err_set(
			err,
			E2BIG,
			"grant '%s': a virtual machine has at most %d links",
			g->name,
			PLAN_VM_LINKS
		);
	if (p->launch->first && p->launch->argv[0][0] != '/')
		return err_set(
			err,
			EINVAL,
			"run '%s': name a guest's first process (--first) by its absolute path",
			p->launch->argv[0]
		);
	if (p->launch->first && p->launch->uid != 0)
		return err_set(
			err,
			EINVAL,
			"user %u: a guest's first process (--first) runs as 0",
			p->launch->uid
		);
	if (strchr(g->name, ',') != NULL)
		return err_set(err, EINVAL, "grant '%s': QEMU takes no comma", g->name);
	return plan_vm_check_nics(p, err);
}

// ---- what the guest is told

static unsigned guest_cpu(const struct plan_vm_cpus *cpus, unsigned id)
{
	unsigned i;

	for (i = 0; i < cpus->n && cpus->id[i] != id; i++)
		;
	return i;
}

static struct idset guest_cpus(const struct plan_vm_cpus *cpus, const struct idset *of)
{
	struct idset ret = {0};

	idset_foreach (id, of)
		idset_add(&ret, guest_cpu(cpus, (unsigned)id));
	return ret;
}

// The grant in the guest's numbers: its CPUs from 0, its nodes, and its own PCI addresses. Of its IOMMU groups the guest knows.
static json_t *guest_grant(const struct plan *p, const struct plan_vm_cpus *cpus)
{
	json_t *doc = plan_inner_grant(p), *e;
	struct idset own = guest_cpus(cpus, &p->lease.grant.cpus);
	struct idset shared = guest_cpus(cpus, &p->lease.grant.shared_cpus);
	size_t i;

	json_object_set_new(doc, "cpus", json_idset(&own));
	if (!idset_empty(&shared))
		json_object_set_new(doc, "shared-cpus", json_idset(&shared));
	json_object_set_new(
		doc,
		"mems",
		cpus->nnodes > 1 ? json_sprintf("0-%u", cpus->nnodes - 1) : json_string("0")
	);
	json_array_foreach (json_object_get(doc, "links"), i, e) {
		json_object_del(e, "dir");
		json_object_set_new(e, "pci", plan_vm_link_nic((unsigned)i));
	}
	json_array_foreach (json_object_get(doc, "nics"), i, e) {
		json_object_set_new(e, "pci", plan_vm_nic((unsigned)i));
		json_object_del(e, "iommu-group");
		json_object_del(e, "bind");
	}
	json_array_foreach (json_object_get(doc, "hugepages"), i, e)
		json_object_set_new(
			e,
			"node",
			json_integer(
				cpus->nnodes > 1 ? plan_vm_node(
					cpus, (int)json_integer_value(json_object_get(e, "node"))
				)
						 : 0
			)
		);
	return doc;
}

static json_t *guest_pages(const struct plan *p)
{
	const struct grant *g = &p->lease.grant;
	uint64_t sizes[HOST_PAGE_SIZES];
	unsigned n = plan_fs_sizes(g, p->host, sizes);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		unsigned long long bytes = sizes[i] * grant_pages(g, sizes[i], -1, true, false);
		_cleanup_free_ char *path = plan_hugepage_target(g, sizes[i]);
		char size[SIZE_STR];

		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:o}",
				"path",
				path,
				"options",
				json_sprintf(
					"pagesize=%s,size=%llu,min_size=%llu,uid=%u,gid=%u,"
					"mode=0700",
					size_format(sizes[i], size),
					bytes,
					bytes,
					p->launch->uid,
					p->launch->gid
				)
			)
		);
	}
	return list;
}

static json_t *guest_volumes(const struct plan *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < p->launch->nvolumes; i++) {
		const struct launch_volume *v = &p->launch->volumes[i];

		json_array_append_new(
			list,
			json_pack(
				"{s:s, s:b, s:b}",
				"target",
				v->target,
				"file",
				!v->directory,
				"readonly",
				v->readonly
			)
		);
	}
	if (p->launch->config_files != NULL)
		json_array_append_new(
			list,
			json_pack("{s:s, s:b, s:b}", "target", CONFIG_DIR, "file", 0, "readonly", 1)
		);
	return list;
}

static json_t *setup(const struct plan *p, const struct plan_vm_cpus *cpus)
{
	return json_pack(
		"{s:s, s:b, s:I, s:I, s:o, s:o, s:o, s:o}",
		"hostname",
		p->launch->hostname != NULL ? p->launch->hostname : p->lease.grant.name,
		"first",
		p->launch->first,
		"uid",
		(json_int_t)p->launch->uid,
		"gid",
		(json_int_t)p->launch->gid,
		"grant",
		guest_grant(p, cpus),
		"hugetlbfs",
		guest_pages(p),
		"volumes",
		guest_volumes(p),
		"nics",
		plan_vm_nics(p)
	);
}

// ---- what pinfold-inside machine is told

static json_t *try(
	const struct plan *p, const struct plan_vm_cpus *cpus, const char *accel, int seconds
)
{
	return json_pack(
		"{s:s, s:i, s:o}",
		"accel",
		accel,
		"seconds",
		seconds + (int)grant_fill_seconds(&p->lease.grant),
		"argv",
		plan_vm_args(p, cpus, accel)
	);
}

// The accelerators to be tried, in turn.
static json_t *tries(struct plan *p, const struct plan_vm_cpus *cpus)
{
	const int seconds = (int)p->launch->vm.seconds;
	// of what may be given up for emulation: a machine that has not come up by then will not
	const int briefly = seconds * 2 / 5;
	const char *asked = p->launch->accel != NULL ? p->launch->accel : "auto";
	bool kvm = str_eq(asked, "kvm") || (str_eq(asked, "auto") && vm_kvm_likely(p->fs->root));
	json_t *list = json_array();

	p->kvm = kvm;
	strcpy(p->lease.accel, kvm ? "kvm" : "tcg");
	if (kvm)
		json_array_append_new(
			list, try(p, cpus, "kvm", str_eq(asked, "kvm") ? seconds : briefly)
		);
	if (!str_eq(asked, "kvm"))
		json_array_append_new(list, try(p, cpus, "tcg", seconds));
	if (str_eq(asked, "auto") && !kvm)
		plan_note(
			p,
			"emulated CPU: this machine has no KVM that runs guests (no kvm_intel or "
			"kvm_amd); it shows that things work, not how fast"
		);
	if (str_eq(asked, "tcg"))
		plan_note(p, "emulated CPU, as asked for: it shows that things work, not how fast");
	return list;
}

// QEMU's own threads run on the shared CPUs, or where there are none beside the guest's on its own.
static json_t *job(struct plan *p, const struct plan_vm_cpus *cpus)
{
	const struct grant *g = &p->lease.grant;
	struct idset all = grant_all_cpus(g), shared = guest_cpus(cpus, &g->shared_cpus);
	json_t *pin = json_array();

	for (unsigned i = 0; i < cpus->n; i++)
		json_array_append_new(pin, json_sprintf("%u", cpus->id[i]));
	return json_pack(
		"{s:o*, s:o*, s:o, s:i, s:o, s:o, s:s, s:o, s:o}",
		"files",
		plan_vm_files(p, cpus),
		"early",
		plan_vm_early(p, cpus),
		"tries",
		tries(p, cpus),
		// before QEMU says a word
		"fill",
		(int)(grant_fill_seconds(g) + p->launch->vm.seconds - VM_SECONDS),
		"pin",
		pin,
		"emulator",
		json_idset(idset_empty(&g->shared_cpus) ? &all : &g->shared_cpus),
		"cpus",
		"",
		"shared",
		json_idset(&shared),
		"setup",
		setup(p, cpus)
	);
}

// ---- files and mounts

static void own(struct plan *p, const char *below, char *content)
{
	char *path = str_printf(FENCE_DIR "/own/vm%s", below);

	if (content != NULL)
		plan_file(p, path, content);
	else
		plan_dir(p, path);
}

static void note_topology(struct plan *p, const struct plan_vm_cpus *cpus)
{
	if (cpus->threads == 1 && cpus->n > 1 && cpus->sockets == 1) {
		for (unsigned i = 1; i < cpus->n; i++) {
			const struct host_cpu *a = host_cpu(p->host, cpus->id[i - 1]);
			const struct host_cpu *b = host_cpu(p->host, cpus->id[i]);

			if (a->package == b->package && a->core != b->core)
				continue;
			plan_note(
				p,
				"the granted CPUs are not the same number of each core: to the "
				"guest each is a core"
			);
			break;
		}
	}
	if (cpus->nnodes > 1)
		plan_note(
			p,
			"the guest has %u NUMA nodes, as the grant has: each with its CPUs, its "
			"hugepages and the same share of its ordinary memory, which may be of any "
			"of them",
			cpus->nnodes
		);
	else if (cpus->nnodes == 0)
		plan_note(
			p,
			"the guest has one NUMA node, since the grant is of more than %d: its "
			"memory "
			"is of those, and it does not know which of which",
			PLAN_VM_NODES
		);
}

int plan_vm(struct plan *p, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	struct plan_vm_cpus cpus;
	char config[64];

	if (check(p, err) < 0 || plan_vm_cpus(p, &cpus, err) < 0)
		return -err->code;
	doc = job(p, &cpus);
	if (doc == NULL)
		return err_oom(err);
	note_topology(p, &cpus);
	plan_vm_nic_notes(p);
	p->qemu = json_incref(
		json_object_get(json_array_get(json_object_get(doc, "tries"), 0), "argv")
	);
	own(p, "", NULL);
	own(p, "/job.json", json_dumps(doc, JSON_INDENT(1)));
	own(p, "/kernel", strdup(""));
	own(p, "/initramfs", strdup(""));
	own(p, "/root", NULL);
	if (p->launch->nvolumes > 0 || p->launch->config_files != NULL)
		own(p, "/volumes", NULL);
	for (unsigned i = 0; i < p->launch->nvolumes; i++) {
		char below[32];

		snprintf(below, sizeof(below), "/volumes/%u", i);
		own(p, below, p->launch->volumes[i].directory ? NULL : strdup(""));
	}
	// behind the volumes, as the guest is told
	snprintf(config, sizeof(config), FENCE_DIR "/own/vm/volumes/%u", p->launch->nvolumes);
	plan_config_files(p, config);
	return 0;
}
