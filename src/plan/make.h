// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How a plan is made: what the files of this folder have of each other.
#pragma once

#include "plan/plan.h"
#include "view/view.h"

#define PLAN_SHOWN "lowerdir=" FENCE_DIR "/none:" // options of an overlay that shows what follows
#define PLAN_CONFIG FENCE_DIR "/bundle/config.json"

// label.c: finds the label of what is mounted for the workload, if it has one; and appends it to the options of a mount,
// which are taken over. New string; NULL when memory is out.
int plan_label(struct plan *p, struct err *err);
char *plan_labelled(const struct plan *p, enum step_kind kind, char *options);

// Appends; path and value are owned by the plan from here on. Returns the step for its details, never
// NULL (a scratch one when memory is out; plan->failed then).
struct step *plan_step(
	struct plan *p, enum step_kind kind, enum step_where where, char *path, char *value
);

// The same in the workload's mount namespace; directories of mode 0755, files of mode 0644.
struct step *plan_fence_step(struct plan *p, enum step_kind kind, char *path, char *value);
void plan_dir(struct plan *p, char *path);
void plan_file(struct plan *p, char *path, char *content);
void plan_link(struct plan *p, char *path, char *to);
// Binds `from` over `to`.
struct step *plan_bind(struct plan *p, char *from, char *to, bool readonly);

// The ids of the container's first process, as the container counts: the program's, or QEMU's.
uint32_t plan_uid(const struct plan *p);
uint32_t plan_gid(const struct plan *p);
// What the workload's cgroup may take of ordinary memory, bytes.
uint64_t plan_memory(const struct plan *p);

// notes.c: what a person should know. Who only looks is also told what else may run on the CPUs.
void plan_note(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void plan_notes(struct plan *p);

// cgroup.c: directories, limits, and the undo of them.
int plan_cgroup(struct plan *p, struct err *err);
// The limits of the box of a lease that is there, as far as its grant has others than `from`.
void plan_change_limits(struct plan *p, const struct grant *from);
// enforceable.c: refuses a start whose limits this host cannot enforce, unless they were waived.
int plan_enforceable(const struct launch *launch, const struct host *host, struct err *err);
// Refuses cgroups that are mounted elsewhere than at /sys/fs/cgroup: runtimes look nowhere else (and for a cgroup2 beside
// those of version 1), but runc for those of version 1; an engine's runtime has the engine's.
int plan_usual_mount(const struct plan *p, struct err *err);
// The controllers of cgroup v2 that a lease needs, as cgroup.subtree_control takes them: "+cpuset +memory".
#define PLAN_CONTROLLERS 64
void plan_controllers_v2(const struct host *host, char ret[static PLAN_CONTROLLERS]);
// partition.c: makes the CPUs of a grant that asks for it an isolated partition: of its cgroup `lease`, before there
// is a `box`, or of its `box`.
void plan_partition_lease(struct plan *p, const char *lease);
void plan_partition_box(struct plan *p, const char *lease, const char *box);
// weight.c: what the workload weighs where others want its CPUs (cgroup v2). top, lease: directories of
// pinfold's cgroup and of this lease's.
void plan_weight_v2(struct plan *p, const char *top, const char *lease);
// devices.c: calls fn for each node in /dev/vfio that the grant has, once: the container's ("vfio"), and
// the groups of its NICs. None without NICs that are on VFIO.
typedef void (*plan_vfio_fn)(struct plan *p, const char *name, dev_t rdev, void *arg);
int plan_vfio(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err);
// uio.c: the same of the NICs on UIO ("uio0"), their files of sysfs, what is refused, and what is to be known.
int plan_uio(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err);
void plan_uio_files(struct plan *p);
int plan_uio_check(const struct plan *p, struct err *err);
void plan_uio_notes(struct plan *p);
// rdma.c: the nodes of NICs whose kernel driver stays ("uverbs0"), what is refused, the part of /sys that is of the container's
// network, how much may be open, and what is to be known.
int plan_rdma(struct plan *p, plan_vfio_fn fn, void *arg, struct err *err);
int plan_rdma_check(const struct plan *p, struct err *err);
void plan_rdma_files(struct plan *p);
void plan_rdma_controller(struct plan *p, const char *top, const char *lease);
void plan_rdma_limits(struct plan *p, const char *box);
void plan_rdma_notes(struct plan *p);
// netns.c: calls fn with the devices of kernel ports, "net/tun" and "vhost-net", whose nodes it plans.
void plan_port_nodes(struct plan *p, plan_vfio_fn fn, void *arg);
// The network namespace with the kernel ports and netdevs, if there are some.
bool plan_has_netns(const struct plan *p);
void plan_netns(struct plan *p);
int plan_netdevs(struct plan *p, struct err *err);
// Nodes of our own in directory `top` for what every container has (null, zero, …), bound over those in
// /dev of the workload's mount namespace: from there a runtime takes them.
void plan_nodes(struct plan *p, const char *top);
// Of the cgroup `box`, for a keeper.
int plan_devices(
	struct plan *p, const char *box, enum host_cgroup_version version, struct err *err
);
// fence.c: tmpfs, views, hugetlbfs, links, device nodes.
int plan_fence(struct plan *p, struct err *err);
// The files of --config below the directory `top`, which they make.
void plan_config_files(struct plan *p, const char *top);
// The directory of an absolute path. New string, NULL when memory is out.
char *plan_directory_of(const char *path);
// root.c: the root file system of a container.
// For a keeper's pen: what those roots show of the host.
void plan_root_sources(struct plan *p);
int plan_root(struct plan *p, struct err *err);
// Calls fn for each directory of the host's root that is shown.
typedef void (*plan_shown_fn)(struct plan *p, const char *name, void *arg);
void plan_each_shown(struct plan *p, plan_shown_fn fn, void *arg);
// oci.c: config.json of the container and the command that starts it.
int plan_oci(struct plan *p, struct err *err);
// pen.c: what a keeper finds, made by root: hugetlbfs, device nodes, links, places for its own mounts.
int plan_pen(struct plan *p, struct err *err);
// sysctl.c: the parameters of the container's network namespace, "net.core.somaxconn" and such. New reference, NULL when
// memory is out.
json_t *plan_sysctl(struct plan *p);
// userns.c: the user namespace of the container, at PLAN_USERNS.
void plan_userns(struct plan *p);
// mounts.c: appends the "mounts" of config.json, and to rules the "devices" of its resources. What the
// host lends is taken into the box by steps of the plan.
int plan_mounts(struct plan *p, json_t *mounts, json_t *rules, struct err *err);
// vm.c: what QEMU finds in its container, and what the guest is told.
int plan_vm(struct plan *p, struct err *err);
#define PLAN_VM RUN_DIR "/vm"  // in the container: job.json, kernel, initramfs, root, volumes
#define PLAN_VM_CPUS 288       // QEMU's limit of a q35 machine
#define PLAN_VM_NIC_SLOT 0x5   // of the PCI bus: the ports that lead to NICs, eight a slot
#define PLAN_VM_LINK_SLOT 0x10 // the first link's
#define PLAN_VM_NODES 8
#define PLAN_VM_LINKS 14 // up to 0x1d; 0x1f is QEMU's

// vm_cpus.c: the granted CPUs as the guest sees them: CPU i of it runs on id[i] of the host.
struct plan_vm_cpus {
	unsigned n, sockets, cores, threads;
	unsigned id[PLAN_VM_CPUS];
	bool caches; // with KVM it can be shown the host's
	// of the host, in the order that the guest numbers them in; 0: they are more than it is told of
	unsigned nnodes;
	int node[PLAN_VM_NODES];
};
int plan_vm_cpus(const struct plan *p, struct plan_vm_cpus *ret, struct err *err);
// vm_nodes.c
void plan_vm_nodes(const struct plan *p, struct plan_vm_cpus *cpus);
// The guest's number of a node of the host; nnodes: it has none.
unsigned plan_vm_node(const struct plan_vm_cpus *cpus, int node);
// The file of a granted kind of hugepages, of the guest's node: it is made near the node's CPUs before QEMU opens it. New; NULL:
// QEMU makes one.
char *plan_vm_file(const struct plan *p, const struct plan_vm_cpus *cpus, unsigned k);
// All of them, with their sizes and those CPUs. New reference, NULL: none.
json_t *plan_vm_files(const struct plan *p, const struct plan_vm_cpus *cpus);
// What is before the initramfs, in hexadecimal digits. New reference, NULL: nothing.
json_t *plan_vm_early(const struct plan *p, const struct plan_vm_cpus *cpus);
// vm_nics.c
// Addresses in the guest, of a granted function and of a link's end. New references.
json_t *plan_vm_nic(unsigned i);
json_t *plan_vm_link_nic(unsigned i);
// All of them, with the driver that the guest is to bind each to. New reference.
json_t *plan_vm_nics(const struct plan *p);
int plan_vm_check_nics(const struct plan *p, struct err *err);
void plan_vm_nic_notes(struct plan *p);
// What QEMU locks for them beside the memory that is granted, bytes.
uint64_t plan_vm_locked(const struct plan *p);
// vm_args.c
// Memory of the guest that is no hugepages of the grant, bytes: whole hugepages of 2 MiB.
uint64_t plan_vm_memory(const struct plan *p);
// QEMU's command with an accelerator, "tcg" or "kvm". New reference, NULL when memory is out.
json_t *plan_vm_args(const struct plan *p, const struct plan_vm_cpus *cpus, const char *accel);

// The same of an engine's container, beside its own.
int plan_spec_mounts(struct plan *p, json_t *mounts, json_t *rules, struct err *err);
// spec.c: config.json of an engine's container, with the grant in it, over the engine's own.
int plan_spec(struct plan *p, struct err *err);
// bare.c: argv and environment of a workload on the host.
int plan_bare(struct plan *p, struct err *err);

// rlimits.c: as a part of config.json. New reference, NULL when memory is out.
json_t *plan_rlimits_json(const struct grant *g, const struct host_limits *host, uint64_t locked);
// rights.c: what the process may do, as parts of config.json. New references, NULL when memory is out.
json_t *rights_capabilities(const struct grant *g);
// The filter of system calls, as JSON. New string.
int rights_seccomp(struct plan *p, char **ret, struct err *err);
// The AppArmor profile it runs under; NULL: none. Borrowed.
int rights_apparmor(struct plan *p, const char **ret, struct err *err);
void rights_notes(struct plan *p); // one a capability
// Refuses what only a container has.
int rights_check(const struct plan *p, struct err *err);

// Where the hugetlbfs of a page size is seen by the workload: "/dev/hugepages" for the only or first
// size, "/dev/hugepages-1G" for others. New string.
char *plan_hugepage_target(const struct grant *g, uint64_t size);
// Binds something of the host below FENCE_DIR "/in", where a runtime takes it from. New string: the place;
// NULL when memory is out, also for name or source (plan->failed then).
char *plan_take_in(
	struct plan *p, const char *name, const char *source, bool directory, bool readonly
);

// Of the bind that was appended last: what its source is. It fails when that is something else by then.
void plan_expect(struct plan *p, dev_t dev, ino_t ino);
// The bind that was added last: the files of its owner are those of the program, which has the ids of its lease.
void plan_idmap(struct plan *p);
// The directory is the program's until its lease ends.
void plan_owner(struct plan *p, const struct launch_volume *v);

// Where the hugetlbfs of a page size is mounted. New string.
char *plan_hugepage_source(const struct site *site, uint64_t size);
// A hugetlbfs for each granted size, in a directory of its own where the site has them, of uid and gid.
void plan_hugetlbfs(struct plan *p, uint32_t uid, uint32_t gid);
// The shared directories of the grant's links, on the host.
int plan_links(struct plan *p, struct err *err);
// publish.c: those directories of the launch whose sockets are reached from the host.
int plan_publish(struct plan *p, struct err *err);
// The page sizes that have a hugetlbfs, smallest first. Returns how many.
unsigned plan_fs_sizes(
	const struct grant *g, const struct host *host, uint64_t ret[static HOST_PAGE_SIZES]
);
// Processes and threads of what runs the program, beside those that are granted.
uint64_t plan_own_pids(const struct plan *p);
// What the workload finds in /run/pinfold/grant.json. New reference.
json_t *plan_inner_grant(const struct plan *p);
