// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Preparing the machine while it runs, and taking that back. A preparation is an array of steps; they are on disk with
// what was there before, in RUN_DIR/prepared.json, before the first is taken:
//
//   {"do": "mount", "path": "/sys/fs/cgroup/hugetlb", "value": "hugetlb", "former": "none"}
//   {"do": "module", "path": "vfio-pci", "value": "loaded", "former": "none"}
//   {"do": "pages", "path": ".../nr_hugepages", "value": "64", "former": "0"}
//   {"do": "write", "path": "/proc/irq/24/smp_affinity_list", "value": "0", "former": "0-1", "name": "eth0"}
//   {"do": "thread", "path": "17", "value": "0", "former": "0-1", "name": "rcu_sched", "start": "1234"}
#pragma once

#include "base/err.h"
#include "grant/grant.h"
#include "host/host.h"
#include "host/tuned.h"
#include "ledger/ledger.h"

#include <jansson.h>

#define PREPARE_MODULES 16
#define PREPARE_UNITS "/etc/systemd/system"
#define PREPARE_UNIT PREPARE_UNITS "/pinfold-prepare.service"
#define PREPARE_GRUB_DIR "/etc/default/grub.d"
#define PREPARE_GRUB PREPARE_GRUB_DIR "/90-pinfold.cfg"
#define PREPARE_UPDATE_GRUB "/usr/sbin/update-grub"
#define PREPARE_LOCK RUN_DIR "/prepare.lock" // of whoever prepares or takes back (ledger_lock_file)

struct prepare_want {
	struct request request; // hugepages: how many there are to be; cpus: to be left alone
	struct host_tuned tuned;
	unsigned nmodules;
	const char *modules[PREPARE_MODULES];
};

// ---- plan.c

// What there is to do, an array of steps, empty when all is so already. unmovable: an array of
// {"name", "why"}, of what stays on the CPUs.
int prepare_plan(
	const struct prepare_want *want,
	const struct host *h,
	const struct hostfs *fs,
	json_t *steps,
	json_t *unmovable,
	struct err *err
);

// ---- cmdline.c

// What a preparation puts on the kernel's command line stands between these, which look like parameters of a module that
// there is not: the kernel passes them over. So they are known there whatever has become of the file that they came from.
#define PREPARE_BEGIN "pinfold.words=begin"
#define PREPARE_END "pinfold.words=end"

// What the kernel's command line lacks for the same at the next boot. all: also what it has of a preparation. New string,
// "": nothing.
char *prepare_cmdline(
	const struct prepare_want *want, bool all, const struct host *h, const struct hostfs *fs
);

// What stands there beside the words of preparations and counts in place of these, as the kernel takes the first
// isolcpus=, and of a size of pages the first number: "isolcpus=0". New string, "": nothing; NULL: memory ran out.
char *prepare_overruled(
	const struct prepare_want *want, const struct host *h, const struct hostfs *fs
);

// ---- state.c: what has been done; PREPARE_LOCK is held

// The steps that have been taken, or begun, in this boot: a new array, empty where there are none.
int prepared_read(const struct ledger *l, json_t **ret, struct err *err);
// Empty: the file goes.
int prepared_write(const struct ledger *l, const json_t *steps, struct err *err);
// Steps that are noted already, as they are: what was there before the first preparation is what its undo brings back;
// then those of `steps` for other places. New reference.
json_t *prepared_with(const json_t *noted, const json_t *steps);

// ---- take.c

// Notes them and takes them. Those that move something may fail: they are added to unmovable. Where another fails all
// of these are taken back.
int prepare_take(const struct ledger *l, const json_t *steps, json_t *unmovable, struct err *err);

// Takes back all that was prepared, the last first. failed: an array of {"name", "why"} of what could not be; these
// stay noted. *ret: how many were.
int prepare_undo(const struct ledger *l, json_t *failed, unsigned *ret, struct err *err);

// ---- persist.c: the same at each boot. root: where /etc is; PREPARE_LOCK is held

// The unit that calls this program. New string.
char *prepare_unit(const struct prepare_want *want, const char *program, struct err *err);

// Whether nobody but root can put something else there.
int prepare_check_program(const char *program, struct err *err);

// Whether there is a GRUB that reads a file of ours.
bool prepare_has_grub(int root);

// Whether there is a systemd, and nobody else has files of those names.
int prepare_can_keep(int root, struct err *err);

// In place of what was kept before, which stays where this fails. update: the program that makes GRUB's configuration. files: an array of the paths that
// were written. 1: that configuration is to be made by hand, there is no such program.
int prepare_keep(
	int root,
	const char *update,
	const char *unit,
	const char *words,
	json_t *files,
	struct err *err
);

// All of it. files: an array of the paths that were removed.
int prepare_forget(int root, const char *update, json_t *files, struct err *err);
