// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// QEMU's command for a grant (qemu-system-x86_64(1)): its CPUs with their topology, its hugepages and ordinary memory
// as the guest's memory, and nothing else that QEMU would add by itself.

#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "plan/make.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 9 // as VM_SLOTS in inside/vm/vm.h, where the descriptors are from too
#define QMP_FD 10
#define PROGRAM_FD 11
// MiB of translated code, where QEMU itself would take a quarter of the host's memory: a boot fills it once and a half, what runs
// then needs far less.
#define TRANSLATED 32
#define THREADS_MAX 16 // as QEMU itself has
#define SANDBOX "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// ---- words

static void add(json_t *argv, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add(json_t *argv, const char *option, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	json_array_append_new(argv, json_string(option));
	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(argv, json_string(text));
}

static void add_cpus(const struct plan *p, json_t *argv, const struct plan_vm_cpus *cpus, bool kvm)
{
	if (kvm)
		add(argv, "-accel", "kvm");
	else
		add(argv, "-accel", "tcg,thread=multi,tb-size=%d", TRANSLATED);
	// an IOMMU that remaps interrupts takes the kernel's I/O APIC away from KVM
	add(argv,
	    "-machine",
	    "q35,usb=off,vmport=off,graphics=off,dump-guest-core=off%s",
	    kvm && p->launch->viommu ? ",kernel-irqchip=split" : "");
	// what an emulated CPU has, nothing tells of
	if (kvm)
		add(argv, "-cpu", cpus->caches ? "host,host-cache-info=on" : "host");
	else
		add(argv, "-cpu", "max");
	add(argv,
	    "-smp",
	    "%u,sockets=%u,cores=%u,threads=%u",
	    cpus->n,
	    cpus->sockets,
	    cpus->cores,
	    cpus->threads);
}

// ---- memory

uint64_t plan_vm_memory(const struct plan *p)
{
	return p->lease.grant.memory & ~((UINT64_C(2) << 20) - 1);
}

// All of it is shared, so that a peer of a vhost-user link can have it, and each part is a node to QEMU, which has
// no other way to put several together; the guest is told to take them for one (numa=off), or which of them are one
// (vm_nodes.c). The cgroup says which nodes of the host they are from: to bind memory itself is refused to every container (mbind
// in seccomp_calls.c).
static void add_memory(const struct plan *p, json_t *argv, const struct plan_vm_cpus *cpus)
{
	const unsigned ncpus = cpus->n;
	const struct grant *g = &p->lease.grant;
	uint64_t all = plan_vm_memory(p) + grant_hugepage_bytes(g, -1);
	char prealloc[40] = "off";

	// one thread alone takes seconds for some GiB
	if (!p->launch->no_prealloc)
		snprintf(
			prealloc,
			sizeof(prealloc),
			"on,prealloc-threads=%u",
			ncpus < THREADS_MAX ? ncpus : THREADS_MAX
		);
	add(argv, "-m", "%lluM", (unsigned long long)all >> 20);
	add(argv,
	    "-object",
	    "memory-backend-memfd,id=memory,size=%lluM,share=on",
	    (unsigned long long)plan_vm_memory(p) >> 20);
	add(argv, "-numa", "node,nodeid=0,cpus=0-%u,memdev=memory", ncpus - 1);
	// the largest first: behind smaller ones they would not begin where pages of theirs may
	for (unsigned k = g->nhugepages; k-- > 0;) {
		const struct grant_hugepages *h = &g->hugepages[k];
		unsigned i = g->nhugepages - 1 - k;
		unsigned long long mib = h->size * h->count >> 20;
		char size[SIZE_STR];
		_cleanup_free_ char *dir = plan_hugepage_target(g, h->size);
		_cleanup_free_ char *file = plan_vm_file(p, cpus, k);

		if (h->anon)
			add(argv,
			    "-object",
			    "memory-backend-memfd,id=pages%u,hugetlb=on,hugetlbsize=%s,size=%lluM,"
			    "share=on,prealloc=%s",
			    i,
			    size_format(h->size, size),
			    mib,
			    prealloc);
		else
			add(argv,
			    "-object",
			    "memory-backend-file,id=pages%u,mem-path=%s,size=%lluM,share=on,"
			    "prealloc=%s",
			    i,
			    file != NULL  ? file
			    : dir != NULL ? dir
					  : "",
			    mib,
			    prealloc);
		add(argv, "-numa", "node,nodeid=%u,memdev=pages%u", i + 1, i);
	}
}

// ---- the kernel

// The guest's own pages of each size, out of the part that is backed by those of the host: it lies at the end, and
// is where the kernel puts what can be moved (movablecore), which it takes hugepages from first.
static void kernel_line(
	const struct plan *p, const struct plan_vm_cpus *cpus, char *buf, size_t len, bool kvm
)
{
	const struct grant *g = &p->lease.grant;
	size_t n = (size_t)snprintf(
		buf,
		len,
		"console=ttyS0 loglevel=4 panic=-1 %s tsc=reliable no_timer_check",
		cpus->nnodes > 1 ? "numa_balancing=disable" : "numa=off"
	);

	// An emulated "rep stosb" goes byte by byte; and what mends a real CPU costs here and mends nothing. The kernel's trials
	// of its own ciphers and its look at each page that it may not write are two thirds of what it does until init.
	if (!kvm)
		n += (size_t)snprintf(
			buf + n,
			len - n,
			" mitigations=off clearcpuid=erms,rep_good,fsrm cryptomgr.notests "
			"rodata=off"
		);
	if (p->launch->viommu)
		n += (size_t)snprintf(buf + n, len - n, " intel_iommu=on");
	if (grant_hugepage_bytes(g, -1) > 0)
		n += (size_t)snprintf(
			buf + n,
			len - n,
			" movablecore=%lluM",
			(unsigned long long)grant_hugepage_bytes(g, -1) >> 20
		);
	for (unsigned i = 0; i < p->host->nsizes; i++) {
		uint64_t size = p->host->hugepages[i].size;
		uint64_t count = grant_pages(g, size, -1, true, true);
		char text[SIZE_STR];

		if (count == 0 || n >= len)
			continue;
		n += (size_t
		)snprintf(buf + n, len - n, " hugepagesz=%s hugepages=", size_format(size, text));
		if (cpus->nnodes < 2 && n < len)
			n += (size_t)snprintf(buf + n, len - n, "%llu", (unsigned long long)count);
		for (unsigned k = 0, put = 0; cpus->nnodes > 1 && k < cpus->nnodes; k++) {
			count = grant_pages(g, size, cpus->node[k], true, true);
			if (count > 0 && n < len)
				n += (size_t)snprintf(
					buf + n,
					len - n,
					"%s%u:%llu",
					put++ > 0 ? "," : "",
					k,
					(unsigned long long)count
				);
		}
	}
}

// ---- devices

// Before all devices that are behind it. caching-mode: VFIO hears of what the guest maps; device-iotlb: and so do the other ends
// of links.
static void add_iommu(const struct plan *p, json_t *argv)
{
	if (p->launch->viommu)
		add(argv,
		    "-device",
		    "intel-iommu,intremap=on,caching-mode=on%s",
		    p->lease.grant.nlinks > 0 ? ",device-iotlb=on" : "");
}

// Each function in a slot, as the link and the error reports of a PCIe function want one above it. It stays there as long as the guest
// runs, and its option ROM would be run by the firmware.
static void add_nics(const struct plan *p, json_t *argv)
{
	for (unsigned i = 0; i < p->lease.grant.nnics; i++) {
		add(argv,
		    "-device",
		    "pcie-root-port,id=slot%u,bus=pcie.0,addr=0x%x.%u,multifunction=on,chassis=%u,"
		    "hotplug=off",
		    i,
		    PLAN_VM_NIC_SLOT + i / 8,
		    i % 8,
		    i + 1);
		add(argv,
		    "-device",
		    "vfio-pci,host=%s,bus=slot%u,addr=0x0,rombar=0",
		    p->lease.grant.nics[i].bdf,
		    i);
	}
}

static void add_ports(json_t *argv)
{
	add(argv, "-chardev", "ringbuf,id=console,size=65536");
	add(argv, "-serial", "chardev:console");
	add(argv, "-chardev", "socket,id=control,fd=%d", QMP_FD);
	add(argv, "-mon", "chardev=control,mode=control");
	add(argv, "-device", "virtio-serial-pci,id=ports,max_ports=16,addr=0x2");
	add(argv, "-chardev", "socket,id=port0,fd=%d", PROGRAM_FD);
	for (int i = 1; i < SLOTS; i++)
		add(argv, "-chardev", "socket,id=port%d,path=/run/vm/%d,server=on,wait=off", i, i);
	for (int i = 0; i < SLOTS; i++)
		add(argv,
		    "-device",
		    "virtserialport,chardev=port%d,name=pinfold.%d,nr=%d",
		    i,
		    i,
		    i + 1);
}

static void add_files(const struct plan *p, json_t *argv)
{
	add(argv,
	    "-fsdev",
	    "local,id=root,path=" PLAN_VM "/root,security_model=none,readonly=on,multidevs=remap");
	add(argv, "-device", "virtio-9p-pci,fsdev=root,mount_tag=root,addr=0x3");
	if (p->launch->nvolumes == 0 && p->launch->config_files == NULL)
		return;
	add(argv,
	    "-fsdev",
	    "local,id=volumes,path=" PLAN_VM "/volumes,security_model=none,multidevs=remap");
	add(argv, "-device", "virtio-9p-pci,fsdev=volumes,mount_tag=volumes,addr=0x4");
}

// As client it waits for whoever listens, as server for whoever comes; either way it comes back when that one was
// away.
static void add_links(const struct plan *p, json_t *argv)
{
	for (unsigned i = 0; i < p->lease.grant.nlinks; i++) {
		const struct grant_link *l = &p->lease.grant.links[i];

		add(argv,
		    "-chardev",
		    "socket,id=link%u,path=" LINKS_DIR "/%s/vhost.sock,%s",
		    i,
		    l->name,
		    l->server ? "server=on,wait=off" : "reconnect=1");
		add(argv, "-netdev", "vhost-user,id=net%u,chardev=link%u,queues=1", i, i);
		add(argv,
		    "-device",
		    "virtio-net-pci,netdev=net%u,addr=0x%x,romfile=,disable-legacy=on,"
		    "mac=52:54:00:76:6d:%02x%s%s",
		    i,
		    PLAN_VM_LINK_SLOT + i,
		    i,
		    l->packed ? ",packed=on" : "",
		    p->launch->viommu ? ",iommu_platform=on,ats=on" : "");
	}
}

json_t *plan_vm_args(const struct plan *p, const struct plan_vm_cpus *cpus, const char *accel)
{
	json_t *argv = json_pack("[s]", p->launch->vm.qemu);
	bool kvm = str_eq(accel, "kvm");
	char line[1024];

	add(argv, "-name", "%s,debug-threads=on", p->lease.grant.name);
	add(argv, "-nodefaults", NULL);
	add(argv, "-no-user-config", NULL);
	add(argv, "-display", "none");
	// it stays when its guest ends, to be asked why
	add(argv, "-no-reboot", NULL);
	add(argv, "-no-shutdown", NULL);
	// until its CPUs are pinned
	add(argv, "-S", NULL);
	add(argv, "-sandbox", SANDBOX);
	add_cpus(p, argv, cpus, kvm);
	add_memory(p, argv, cpus);
	add(argv, "-kernel", PLAN_VM "/kernel");
	// pinfold-inside makes the former
	add(argv, "-initrd", cpus->nnodes > 1 ? "/run/vm/initramfs" : PLAN_VM "/initramfs");
	kernel_line(p, cpus, line, sizeof(line), kvm);
	add(argv, "-append", "%s", line);
	add_iommu(p, argv);
	add_ports(argv);
	add_files(p, argv);
	add_nics(p, argv);
	add_links(p, argv);
	return argv;
}
