// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A plan is a value: everything that starting a workload will do to the host, in order. It is printed,
// compared with golden files, and carried out by apply. Making one changes nothing.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"
#include "ledger/ledger.h"
#include "plan/launch.h"
#include "view/view.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

// Where a workload's private tmpfs lies. It is mounted in a mount namespace of its own, so every
// workload has it at the same place and nothing of it is left when the workload is gone.
#define BOX_DIR RUN_DIR "/box"
#define PEN_DIR RUN_DIR "/pen"	 // what root made for a keeper, in the keeper's mount namespace
#define PEN_ROOT PEN_DIR "/root" // directories of the host's root
#define PLAN_SHOWN "lowerdir=" BOX_DIR "/none:" // options of an overlay that shows what follows
#define KEEPERS_DIR RUN_DIR "/keepers"		// NAME.sock of every keeper
#define LINKS_DIR RUN_DIR "/links"
#define RUNTIME_DIR RUN_DIR "/runtime" // state of crun or runc

#define PLAN_USERNS BOX_DIR "/userns"
#define PLAN_LINK_GID 65536u // group ids of links inside a container: above its own range

enum step_kind {
	STEP_CGROUP, // make the cgroup directory `path`
	STEP_SET,    // write `value` to the control file `path`; optional
	STEP_GIVE,   // give the control file `path` to uid, gid
	STEP_JOIN,   // move this process into the cgroup `path`
	STEP_LINK,   // make `path` a tmpfs of several workloads with options `value`: mode, gid
	STEP_TOUCH,  // make the empty file `path`, if it is missing, for something to be bound over
	STEP_DIR,    // make directory `path`: mode, uid, gid
	STEP_FILE,   // write file `path` with content `value`
	STEP_SYMLINK,	// make link `path` to `value`
	STEP_NODE,	// make character device `path`: rdev, mode, uid
	STEP_TMPFS,	// mount a tmpfs on `path` with options `value`
	STEP_HUGETLBFS, // mount a hugetlbfs on `path` with options `value`
	STEP_OVERLAY,	// mount an overlay on `path` with options `value`
	STEP_BIND,	// bind `value` over `path`; readonly, recursive; rdev: a device to be used
	STEP_DETACH_HUGETLBFS, // unmount every hugetlbfs but those below `path`
	STEP_PARTITION,	       // make the cgroup `path` a partition of the kind `value`: "isolated"
	STEP_DEVICES,	       // of cgroup v2: limit `path` to the devices `value`, "1:3 136:*"
	STEP_USERNS, // make a user namespace at `path` that uid owns: its ids and limits, `value`
	STEP_KINDS
};

enum step_where {
	STEP_HOST,  // changes the host: has an undo in the lease
	STEP_ENTER, // by the process that becomes the workload, while the ledger is still locked
	STEP_FENCE, // in the workload's mount namespace: gone with it
};

struct step {
	enum step_kind kind;
	enum step_where where;
	char *path, *value; // value: "" if the kind has none
	unsigned mode;
	uint32_t uid, gid;
	dev_t rdev;
	bool readonly, recursive;
	dev_t dev; // bind: what `value` was when the plan was made; ino 0: not looked at
	ino_t ino;
	uint64_t mark; // hugetlbfs: of the lease, to know it again
	bool optional; // no error when `path` does not exist
	bool hint;     // no error whatever happens: nothing is enforced by it
};

// A limit of a process, as setrlimit(2) takes it.
struct right_limit {
	int resource;	  // RLIMIT_…
	const char *name; // "RLIMIT_…"
	uint64_t soft, hard;
};

struct plan {
	struct lease lease; // the grant, and the undo of the steps, to be written before the first
	unsigned nsteps, room;
	struct step *steps;
	struct view view;  // the synthetic /sys and /proc
	json_t *oci;	   // config.json; NULL for a workload on the bare host
	json_t *argv;	   // what is executed at the end, in the fence
	json_t *env;	   // environment of a workload on the bare host
	struct idset cpus; // affinity of a workload on the bare host
	unsigned nlimits;  // of a container: what its runtime has, and hands on
	struct right_limit limits[HOST_RLIMITS];
	json_t *notes; // things a person should know, one string each
	bool failed;   // memory ran out while it grew
};

// Everything for starting `launch` with the lease (its grant, boot id, user range and links set).
// Fails with one line when a limit cannot be enforced here.
int plan_build(
	const struct lease *lease,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct plan *ret,
	struct err *err
);
void plan_done(struct plan *p);
// All steps have been taken and the program is started: only the lease is of use from here on, and whether
// there is a container (oci).
void plan_carried_out(struct plan *p);

// The two forms for reading. JSON: data/schemas/plan.json.
json_t *plan_to_json(const struct plan *p);
void plan_print(const struct plan *p, FILE *out);

const char *step_name(enum step_kind kind);

// ---- parts

// Appends; path and value are owned by the plan from here on. Returns the step for its details, never
// NULL (a scratch one when memory is out; plan->failed then).
struct step *plan_step(
	struct plan *p, enum step_kind kind, enum step_where where, char *path, char *value
);

// notes.c: what a person should know. Who only looks is also told what else may run on the CPUs.
void plan_note(struct plan *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void plan_notes(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs
);

// cgroup.c: directories, limits, and the undo of them.
int plan_cgroup(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
);
// Where a process that is in the box of a keeper writes "0" to be of the workload, each in a hierarchy.
// Returns how many. New strings, NULL when memory is out.
#define PLAN_WORK_FILES 2
unsigned plan_work_files(
	const struct lease *lease, const struct host *host, char *ret[static PLAN_WORK_FILES]
);
// enforce.c: refuses a start whose limits this host cannot enforce, unless they were waived.
int plan_enforceable(const struct launch *launch, const struct host *host, struct err *err);
// The controllers of cgroup v2 that a lease needs, as cgroup.subtree_control takes them: "+cpuset +memory".
#define PLAN_CONTROLLERS 64
void plan_controllers_v2(const struct host *host, char ret[static PLAN_CONTROLLERS]);
// partition.c: the lease's cgroup below the mount: "pinfold/NAME". New string.
char *plan_lease_cgroup(const struct grant *g);
// Makes the CPUs of a grant that asks for it an isolated partition: of its cgroup `lease`, before there
// is a `box`, or of its `box`.
void plan_partition_lease(struct plan *p, const struct host *host, const char *lease);
void plan_partition_box(
	struct plan *p, const struct host *host, const char *lease, const char *box
);
// weight.c: what the workload weighs where others want its CPUs (cgroup v2). top, lease: directories of
// pinfold's cgroup and of this lease's.
void plan_weight_v2(struct plan *p, const struct host *host, const char *top, const char *lease);
// devices.c: calls fn for each node in /dev/vfio that the grant has, once: the container's ("vfio"), and
// the groups of its NICs. None without NICs.
typedef void (*plan_vfio_fn)(struct plan *p, const char *name, dev_t rdev, void *arg);
int plan_vfio(struct plan *p, const struct hostfs *fs, plan_vfio_fn fn, void *arg, struct err *err);
// Nodes of our own in directory `top` for what every container has (null, zero, …), bound over those in
// /dev of the workload's mount namespace: from there a runtime takes them.
void plan_nodes(struct plan *p, const char *top);
// Of the cgroup `box`, for a keeper.
int plan_devices(
	struct plan *p,
	const char *box,
	enum host_cgroup_version version,
	const struct hostfs *fs,
	struct err *err
);
// fence.c: tmpfs, views, hugetlbfs, links, device nodes.
int plan_fence(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
);
// The directory of an absolute path. New string, NULL when memory is out.
char *plan_directory_of(const char *path);
// root.c: the root file system of a container.
// For a keeper's pen: what those roots show of the host.
void plan_root_sources(struct plan *p, const struct hostfs *fs);
int plan_root(
	struct plan *p, const struct launch *launch, const struct hostfs *fs, struct err *err
);
// oci.c: config.json of the container and the command that starts it.
int plan_oci(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
);
// pen.c: what a keeper finds, made by root: hugetlbfs, device nodes, links, places for its own mounts.
int plan_pen(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	struct err *err
);
// userns.c: the user namespace of the container, at PLAN_USERNS.
void plan_userns(struct plan *p, const struct host *host);
// mounts.c: appends the "mounts" of config.json, and to rules the "devices" of its resources. What the
// host lends is taken into the box by steps of the plan.
int plan_mounts(
	struct plan *p,
	const struct launch *launch,
	const struct host *host,
	const struct hostfs *fs,
	json_t *mounts,
	json_t *rules,
	struct err *err
);
// bare.c: argv and environment of a workload on the host.
int plan_bare(struct plan *p, const struct launch *launch, struct err *err);

// rights.c: what the process may do, as parts of config.json. New references, NULL when memory is out.
json_t *rights_capabilities(const struct grant *g);
json_t *rights_rlimits(const struct grant *g, const struct host_limits *host);
// Those limits of a process (setrlimit(2)) that are not unlimited, as far as this host allows. Returns how
// many.
unsigned rights_limits(
	const struct grant *g,
	const struct host_limits *host,
	struct right_limit ret[static HOST_RLIMITS]
);
int rights_seccomp(struct plan *p, const struct launch *launch, json_t **ret, struct err *err);
// The AppArmor profile it runs under; NULL: none. Borrowed.
int rights_apparmor(
	struct plan *p,
	const struct launch *launch,
	const struct hostfs *fs,
	const char **ret,
	struct err *err
);
void rights_notes(struct plan *p); // one a capability
// Refuses for a workload on the bare host what only a container has.
int rights_check_bare(const struct plan *p, const struct launch *launch, struct err *err);

// oci.c: a process of a container, as config.json and the exec of a runtime take it, with the rights of the
// grant. Takes args and env, arrays of strings. New reference, NULL when memory is out.
// limits: NULL for a runtime that gets them from whoever starts it. runc sets them from outside of the
// container, which takes CAP_SYS_RESOURCE on the host.
json_t *plan_process(
	const struct grant *g,
	const struct host_limits *limits,
	bool terminal,
	uint32_t uid,
	uint32_t gid,
	json_t *args,
	json_t *env
);
mode_t plan_umask(const struct grant *g);
// Descriptors of a container's init: its status, and after it those of launch->joins.
#define PLAN_STATUS_FD 3
#define PLAN_JOIN_FD 4
// oci.c: the init's options for n of the latter.
void plan_join_args(json_t *args, unsigned n);
// oci.c: -EINVAL with err set for what is not UTF-8: JSON would leave it out.
int plan_check_text(char *const *argv, unsigned nenv, const char *const *env, struct err *err);
// oci.c: the environment of a process, "NAME=value": what every container has, and more. hostname NULL: none.
json_t *plan_env(const char *hostname, bool terminal, unsigned nenv, const char *const *more);

// Where the hugetlbfs of a page size is seen by the workload: "/dev/hugepages" for the only or first
// size, "/dev/hugepages-1G" for others. New string.
char *plan_hugepage_target(const struct grant *g, uint64_t size);
// Binds something of the host below BOX_DIR "/in", where a runtime takes it from. New string: the place;
// NULL when memory is out, also for name or source (plan->failed then).
char *plan_take_in(
	struct plan *p, const char *name, const char *source, bool directory, bool readonly
);

// Of the bind that was appended last: what its source is. It fails when that is something else by then.
void plan_expect(struct plan *p, dev_t dev, ino_t ino);

// Where the hugetlbfs of a page size is mounted in the workload's mount namespace. New string.
char *plan_hugepage_source(uint64_t size);
// A hugetlbfs for each granted size, in a directory of its own below `top`, of uid and gid.
void plan_hugetlbfs(
	struct plan *p, const struct host *host, const char *top, uint32_t uid, uint32_t gid
);
// The shared directories of the grant's links, on the host.
int plan_links(struct plan *p, struct err *err);
// The page sizes that have a hugetlbfs, smallest first. Returns how many.
unsigned plan_fs_sizes(
	const struct grant *g, const struct host *host, uint64_t ret[static HOST_PAGE_SIZES]
);
// What the workload finds in /run/pinfold/grant.json. New reference.
json_t *plan_inner_grant(const struct plan *p, const struct host *host);
