// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A plan is a value: everything that starting a workload will do to the host, in order. It is printed,
// compared with golden files, and carried out by apply. Making one changes nothing.
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"
#include "launch/launch.h"
#include "ledger/ledger.h"
#include "view/view.h"

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#define PLAN_USERNS FENCE_DIR "/userns"
#define PLAN_NETNS FENCE_DIR "/netns"
#define PLAN_NETDEVS RUN_DIR "/netdevs" // NAME: what interfaces were, and where they are
#define PLAN_NET FENCE_DIR "/net"	// devices for kernel ports
#define PLAN_LINK_GID 65536u // group ids of links inside a container: above its own range

enum step_kind {
	STEP_CGROUP,  // make the cgroup directory `path`
	STEP_SET,     // write `value` to the control file `path`; optional
	STEP_GIVE,    // give the control file `path` to uid, gid, and mode where that is not 0
	STEP_JOIN,    // move this process into the cgroup `path`
	STEP_LINK,    // make `path` a tmpfs of several workloads with options `value`: mode, gid
	STEP_PUBLISH, // make `path` a tmpfs of this workload with options `value`, on which no links are followed: mode, gid
	STEP_OWNER, // give the directory `path`, as it was when the plan was made, to uid, gid of the lease `value`
	STEP_TOUCH, // make the empty file `path`, if it is missing, for something to be bound over
	STEP_DIR,   // make directory `path`: mode, uid, gid
	STEP_FILE,  // write file `path` with content `value`
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
	STEP_MODULE, // load the kernel module `path`
	STEP_NETNS, // make a network namespace at `path`, in the user namespace, with taps `value` that uid owns
	STEP_NETDEVS, // move the interfaces `value` into the namespace of STEP_NETNS, and keep both namespaces at `path`
	STEP_SYSFS,   // mount on `path` a sysfs of the network namespace `value`
	STEP_REWRITE, // write `value` into the file `path`, which others see, in its place
	STEP_VF,      // set of the PF `path` the VF `value`
	STEP_PROBE,   // offer the VFs of the PF `path` to their drivers
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
	bool idmapped; // bind: the ids of its owner are uid and gid there, all others nobody's
	dev_t dev; // bind: what `value` was, owner: `path`, when the plan was made; ino 0: not looked at
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
	json_t *oci;	   // config.json but for the filter of system calls; NULL on the bare host
	json_t *argv;	   // what is executed at the end, in the fence
	json_t *env;	   // environment of a workload on the bare host
	struct idset cpus; // affinity of a workload on the bare host
	unsigned nlimits;  // of a container: what its runtime has, and hands on
	struct right_limit limits[HOST_RLIMITS];
	json_t *filter;	   // of system calls, of a keeper's containers
	json_t *qemu;	   // QEMU's command, first of those to be tried; NULL: no virtual machine
	bool kvm;	   // QEMU is to try it
	json_t *notes;	   // things a person should know, one string each
	char *mount_label; // of SELinux, of what is mounted for the workload; NULL: none
	bool failed;	   // memory ran out while it grew
	// what it is made from, while it is
	const struct launch *launch;
	const struct host *host;
	const struct hostfs *fs;
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

// uio.c: whether its container has no user namespace, so that ids in there are the host's; and what the id of a program
// is for a runtime then.
bool plan_host_ids(const struct lease *lease);
uint32_t plan_id(const struct lease *lease, uint32_t id);

// Refuses another limit for what runs where the host cannot enforce it.
int plan_change_enforceable(
	const struct grant *g,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
);
// change.c: gives a lease that is there the limits of `to`, which has others than the lease's grant.
int plan_change(
	const struct lease *lease,
	const struct grant *to,
	const struct host *host,
	const struct hostfs *fs,
	struct plan *ret,
	struct err *err
);

// All steps have been taken and the program is started: only the lease is of use from here on, and whether
// there is a container (oci).
void plan_carried_out(struct plan *p);

// config.json as it is written, with the filter. New reference; NULL for a workload on the bare host.
json_t *plan_config(const struct plan *p);
// The two forms for reading. JSON: data/schemas/plan.json.
json_t *plan_to_json(const struct plan *p);
void plan_print(const struct plan *p, FILE *out);
// The steps alone, numbered.
void plan_print_steps(const struct plan *p, FILE *out);

const char *step_name(enum step_kind kind);

// partition.c: the lease's cgroup below the mount: "pinfold/NAME". New string.
char *plan_lease_cgroup(const struct grant *g);
// cgroup.c: where a process that is in the box of a keeper writes "0" to be of the workload, each in a hierarchy.
// Returns how many. New strings, NULL when memory is out.
unsigned plan_work_files(
	const struct lease *lease, const struct host *host, char *ret[static SITE_JOINS]
);

// ---- rlimits.c

// Limits of a process (setrlimit(2)) that are not unlimited, as far as this host allows. Returns how
// many. locked: bytes that may be locked beside those that are granted.
unsigned plan_rlimits(
	const struct grant *g,
	const struct host_limits *host,
	uint64_t locked,
	struct right_limit ret[static HOST_RLIMITS]
);

// ---- process.c: a process of a container, as config.json and the exec of a runtime take it

// The command of pinfold-inside, one of the site's, that starts the program argv; more: options, NULL-terminated. New
// reference, NULL when memory is out.
json_t *process_args(
	const struct site *site,
	const char *command,
	bool terminal,
	const char *const *more,
	char *const *argv
);
// Words for process_args about the user of a program in a virtual machine, where the process in the container is
// QEMU's. Returns how many.
#define PROCESS_USER 4
unsigned process_user(
	const struct site *site,
	uint32_t uid,
	uint32_t gid,
	char buf[static 32],
	const char *ret[static PROCESS_USER]
);
// With the rights of the grant. Takes args, an array of strings. limits: of this host. cwd NULL: "/".
json_t *process_of(
	const struct lease *lease,
	const struct host_limits *limits,
	bool terminal,
	uint32_t uid,
	uint32_t gid,
	const char *cwd,
	json_t *args,
	json_t *env
);
// The environment at that site, "NAME=value", and more. hostname NULL: none.
json_t *process_env(
	const struct site *site,
	const char *hostname,
	bool terminal,
	unsigned nenv,
	const char *const *more
);
mode_t process_umask(const struct grant *g);
// -EINVAL with err set for what is not UTF-8: JSON would leave it out.
int process_check(char *const *argv, unsigned nenv, const char *const *env, struct err *err);
int process_check_text(const char *what, const char *s, struct err *err);
