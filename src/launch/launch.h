// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What to start in a grant: the program, where, and the way it wants to be started.
#pragma once

#include "base/options.h"
#include "ledger/ledger.h"
#include "site/site.h"
#include "vm/vm.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAUNCH_LISTS 64
// Stands for the program of an engine's container, whose name follows.
#define LAUNCH_CONTAINER "(container)"

struct config; // config.h

struct launch_volume {
	const char *source; // absolute path on the host
	dev_t dev;	    // and what was there when it was looked up
	ino_t ino;
	const char *target; // absolute path in the container
	bool readonly, directory;
	bool idmap; // files of its owner are the program's
	bool owner; // the program is its owner while it runs
};

#define LAUNCH_PUBLISHED 8

// A socket that the program makes and that is reached from the host, all of them with what else is in its directory.
struct launch_publish {
	const char *dir;  // absolute path in the container, below /run or /tmp
	const char *name; // the last of it, by which it is known on the host; borrowed from dir
	const char *file; // of the socket, there
};

// When a program that has ended is started again.
struct restart {
	enum {
		RESTART_NO = 0,
		RESTART_ON_FAILURE,
		RESTART_ALWAYS,
	} when;
	unsigned limit; // so often in a row; 0: without end
};

struct launch {
	struct site site;
	const char *image; // directory with a root file system; NULL: what the host has
	char *const *argv; // program and arguments, NULL-terminated
	unsigned nenv;
	const char *env[LAUNCH_LISTS]; // "NAME=value"
	unsigned nvolumes;
	struct launch_volume volumes[LAUNCH_LISTS];
	unsigned npublished;
	struct launch_publish published[LAUNCH_PUBLISHED];
	bool published_group; // whether a group of the host reaches them, beside root
	uint32_t published_gid;
	struct config *config_files; // --config; NULL: none
	const char *user;	     // as it is asked for; NULL: 0
	uint32_t uid, gid;	     // in the container
	const char *hostname;	     // NULL: the grant's name
	const char *
		workdir; // absolute path, where the program runs; NULL: "/", on the bare host the caller's
	bool terminal, interactive, detached;
	const char *runtime;	// path that is asked for; NULL: the first that is installed
	const char *inside;	// path of pinfold-inside on the host
	struct vm_tools vm;	// of a virtual machine
	const char *accel;	// "kvm" or "tcg"; NULL: the best that works
	bool no_prealloc;	// hugepages are taken when the guest takes them
	bool viommu;		// the guest has an IOMMU, and programs take NICs from it by VFIO
	bool first;		// the program is the guest's first process
	bool outside;		// of a virtual machine: in the container of its QEMU instead
	bool found;		// by launch_find_tools, which made it
	unsigned allow_missing; // HOST_CG_* bits
	struct restart restart;
	bool again;	      // it is a further start of a workload: its log goes on
	bool look;	      // only a plan to be read, not carried out
	const char *apparmor; // profile, or "unconfined"; NULL: pinfold's own where it is loaded
	const char *label;    // of SELinux, of its processes; NULL: the caller's stays
	json_t *filter; // of system calls, where the grant's was read before; NULL: read it. Borrowed
	const json_t *spec;	      // of an engine's container: its config.json; borrowed
	const char *config;	      // and where that lies, absolute
	const char *seccomp_listener; // socket that is asked about every call; NULL: none
};

// Frees what the functions below made.
void launch_done(struct launch *launch);

// ---- options.c: those of run, plan and seccomp record

extern const char launch_help[];

// Adds those of the names, which end with NULL (NULL: all), to a table of options (options_add).
void launch_rows(struct option_row *rows, struct launch *launch, const char *const *names);

// Refuses what does not go together, or not at its site.
int launch_check(const struct launch *launch, struct err *err);

// 1 to 63 letters, digits, . and -.
int launch_set_hostname(const char *s, struct launch *launch, struct err *err);

// ---- tools.c

// The path of a program that is installed with this one; built: where it is in a build tree, seen from here. New
// string, NULL when it is not there.
char *launch_find_beside(const char *built, const char *name);

// Says that it is not there. -ENOENT.
int launch_missing(const char *name, struct err *err);

// The path of pinfold-inside on the host. New string, NULL when it is not installed.
char *launch_find_inside(void);

// Finds the runtime, and pinfold-inside.
int launch_find_tools(struct launch *launch, struct err *err);

// ---- program.c

// Checks that the program exists where the container will see it. *ret_status is the exit status when not, else
// untouched.
int launch_check_program(
	const struct launch *launch, const struct hostfs *fs, int *ret_status, struct err *err
);

// ---- parse.c

// A label of SELinux, which can stand between quotes among the options of a mount; with so many parts at least.
bool launch_is_label(const char *s, unsigned parts);

// The user of launch->user: "1000", "1000:100", or a name of the image's /etc/passwd.
int launch_find_user(struct launch *launch, const struct hostfs *fs, struct err *err);
// The first two only: gid is uid where it is not said. -EINVAL, -ERANGE: not below IDS_PER_LEASE.
int launch_parse_ids(const char *s, uint32_t *uid, uint32_t *gid);

// "NAME=VALUE", appended as it is.
int launch_parse_env(
	const char *s, const char *env[static LAUNCH_LISTS], unsigned *n, struct err *err
);

// "HOST:TARGET[:MODE[,MODE]]", of ro, rw, idmap and owner. The strings are duplicated and owned by launch.
int launch_parse_volume(const char *s, struct launch *launch, struct err *err);
// A path is another one, or below it; both absolute, without a last slash.
bool launch_is_in(const char *path, const char *top);
// Where that target is without the links that every container has.
const char *launch_place(const char *target);

// What --allow-missing names.
struct launch_limit {
	const char *name;
	unsigned bit; // HOST_CG_…
	const char *controller;
};
#define LAUNCH_LIMITS 6
extern const struct launch_limit launch_limits[LAUNCH_LIMITS];

// publish.c
// "unix:/run/DIR/SOCKET[,group=GROUP]". The strings are owned by launch.
int launch_parse_publish(const char *s, struct launch *launch, struct err *err);
// Refuses those that do not go together, or with a volume.
int launch_check_published(const struct launch *launch, struct err *err);
// True for the first of those that have a directory.
bool launch_publishes_dir(const struct launch *launch, unsigned i);

// "hugetlb,pids" → bits.
int launch_parse_allow_missing(const char *s, struct launch *launch, struct err *err);
