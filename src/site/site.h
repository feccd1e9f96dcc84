// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where a workload runs, and all that is so because of it. It is chosen once, from what is asked for and by
// whom; whoever makes a difference between places reads a member here. Which place it is ask only commands that treat a
// keeper's lease in another way, or take a container alone.
#pragma once

#include "site/runtime.h"

#include <stdint.h>

#define RUN_DIR "/run/pinfold" // state of this boot
// A workload's private tmpfs. It is mounted in a mount namespace of its own, so every workload has it at the
// same place and nothing of it is left when the workload is gone.
#define FENCE_DIR RUN_DIR "/box"
#define PEN_DIR RUN_DIR "/pen"	 // what root made for a keeper, in the keeper's mount namespace
#define PEN_ROOT PEN_DIR "/root" // directories of the host's root
#define KEEPERS_DIR RUN_DIR "/keepers" // NAME.sock of every keeper
#define LINKS_DIR RUN_DIR "/links"
#define PUBLISH_DIR RUN_DIR "/publish" // NAME: where sockets of a workload's are reached
#define RUNTIME_DIR RUN_DIR "/runtime" // state of crun or runc
#define ENGINES_DIR \
	RUN_DIR "/engine" // of every container of an engine with a grant a file: the name of its lease
// A CDI device is a hook of this kind that cannot be run; its second argument is the grant's name. Nobody who starts
// containers has words for a hook, where a path of the host can be mounted.
#define CDI_HOOKS "createRuntime"
#define CDI_HOOK "/dev/null/pinfold-runtime"
#define CDI_DIR RUN_DIR "/cdi"		 // mounts from there were claims, and are refused
#define GRANT_FILE RUN_DIR "/grant.json" // what a workload has, for itself
#define CONFIG_DIR RUN_DIR "/config"	 // in a container or guest: what --config brought
#define INSIDE RUN_DIR "/inside"	 // pinfold-inside, in a container
#define INSIDE_NAME "init" // how its process is called once it keeps signals for its program

#define SITE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum site_place {
	PLACE_CONTAINER = 0,
	PLACE_HOST,   // the bare host: the grant's cgroups and views
	PLACE_KEEPER, // the keeper of a user's grant
	PLACE_KEPT,   // a container that a keeper starts, where root has made what only root can
	PLACE_VM,     // a virtual machine, whose QEMU runs in a container of its own
	PLACE_ENGINE, // a container of an engine, whose config.json gets the grant
	PLACE_GIVEN,  // one that the engine gave hugepages or devices itself, and limits it
	PLACES
};

// What it has.
enum {
	SITE_LEASE = 1 << 0,	   // a lease, and the cgroups with its limits
	SITE_FENCE = 1 << 1,	   // a mount namespace with its views
	SITE_CONTAINER = 1 << 2,   // root and namespaces of a runtime's, and pinfold's init
	SITE_PEN = 1 << 3,	   // what containers in it take
	SITE_DIVIDED = 1 << 4,	   // a box with a reserve for itself, and limited devices
	SITE_IDS = 1 << 5,	   // a range of ids of the host
	SITE_USERNS = 1 << 6,	   // a user namespace made for it
	SITE_PAGES = 1 << 7,	   // the hugetlbfs mounted for it
	SITE_NODES = 1 << 8,	   // device nodes made for it
	SITE_HOST_FILES = 1 << 9,  // the host's own files and devices
	SITE_SUPERVISOR = 1 << 10, // who wrote its lease watches its CPUs
	SITE_BELOW = 1 << 11,	   // less privileges than its mounts: they are bound as a whole
	SITE_SPEC = 1 << 13,	   // an engine's config.json, and whatever that says
	SITE_GUEST = 1 << 12,	   // a kernel of its own, which its program runs under
};

// What may be asked for there.
enum {
	ASK_IMAGE = 1 << 0,
	ASK_VOLUMES = 1 << 1,
	ASK_USER = 1 << 2,
	ASK_HOSTNAME = 1 << 3,
	ASK_TERMINAL = 1 << 4,
	ASK_RUNTIME = 1 << 5,
	ASK_APPARMOR = 1 << 6,
	ASK_RIGHTS = 1 << 7, // capabilities, profiles of system calls
	ASK_WAIVER = 1 << 8, // to do without a limit
	ASK_GUEST = 1 << 9,  // how a virtual machine is to be
	ASK_CONFIG = 1 << 10,
	ASK_RESTART = 1 << 11,
	ASK_WORKDIR = 1 << 12,
	ASK_IDMAP = 1 << 13, // idmap and owner of volumes
	ASK_PUBLISH = 1 << 14,
	ASK_LABEL = 1 << 15, // of SELinux
};

#define SITE_JOINS 2

struct site {
	enum site_place place;
	const char *name;    // as people and leases call it: "container", "host", "keeper"
	unsigned has;	     // SITE_…
	unsigned may;	     // ASK_…
	const char *refusal; // of what else is asked for, behind "--option is"

	struct runtime runtime; // of its container
	const char *state;	// directory of what the runtime keeps
	const char *manager;	// of its cgroups, for the runtime

	const char *pages; // directory with a hugetlbfs a page size
	const char *nodes; // directory with its nodes of VFIO
	// above the directories of the host's root that are layers of its own; "": the root itself
	const char *layers;

	// pinfold-inside's command that stands for its program, and for one of pinfold exec
	const char *starts, *execs;
	// what is taken there beside the grant, by what is no program of its own
	uint64_t memory;
	unsigned pids;
	uint64_t
		locked; // bytes, beside the granted ones, that may be locked: known once there is a plan

	const char *const *environment; // of its program: "NAME=value", NULL-terminated

	// Descriptors of its init: its status, -1: there is none; and the first of njoins control files
	// of cgroups, in the order of joins, which are open for writing: it moves itself there.
	int status_fd, join_fd;
	unsigned njoins;
	int joins[SITE_JOINS]; // in the process that starts the runtime
};

struct site site_of(enum site_place place);

// By its name in a lease. -EINVAL.
int site_named(const char *name, struct site *ret);

static inline bool site_has(const struct site *s, unsigned what)
{
	return (s->has & what) != 0;
}

// A mount namespace of its own that still follows unmounts of the host.
int site_unshare(struct err *err);

// The exit status when what its process becomes could not be executed: a runtime, or the program itself.
int site_exec_failed(const struct site *s, int error);
