// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who holds what: definitions that outlive a reboot (/etc/pinfold/grants.d/NAME.json) and leases, the
// grants in use (/run/pinfold/leases/NAME.json). Every change is made under one lock.
#pragma once

#include "base/err.h"
#include "grant/change.h"
#include "grant/grant.h"
#include "host/host.h"
#include "site/site.h"

#include <jansson.h>
#include <stdint.h>

#define RECORD_SOCKET \
	RUN_DIR "/record-"     // and a process number: a listener of pinfold seccomp record
#define ETC_DIR "/etc/pinfold" // definitions
#define LOG_DIR "/var/log/pinfold"

#define LEASE_NOTES 28

// What has to be taken back when a workload is gone. Written to disk before the thing is done. "cgroup", "tree", "link",
// "publish", "netdevs", "hugetlbfs", "owner": src/apply/undo.c knows how.
struct undo {
	char what[24];
	char path[256];
};

// Whether its supervisor starts the workload again when it has ended.
enum lease_again {
	LEASE_ONCE = 0,
	LEASE_AGAIN,
	LEASE_STOPPED, // it would have: somebody stops it
	LEASE_WAITING, // it has ended, and holds its grant until the next start
};

// A grant in use.
struct lease {
	struct grant grant;
	struct site site;
	bool defined;  // of a definition (--grant), not made by flags
	bool detached; // output goes to a log
	// Its processes have ended, and what they were given is used by others still: it holds all but its
	// CPUs until that ends (apply/end.c).
	bool draining;
	enum lease_again again;
	// Its limits are being changed to these, and `grant` has those they were: whoever finds this has to take
	// the change back (apply/change.c).
	struct grant_change updating;
	char boot_id[HOST_BOOT_ID];
	// below "/": the directory whose population says "in use"; "": not known yet
	char cgroup[256];
	uint32_t uid_base;	   // first host id of its user range, 0: none
	uint32_t uid, gid;	   // of the program, as the container counts
	int64_t started;	   // seconds since the epoch
	int supervisor;		   // pid …
	uint64_t supervisor_start; // … and when it began, as process_start says: a pid comes again
	char command[256];	   // the program, shortened, for people
	char accel[8];	 // what runs the CPUs of a virtual machine, "kvm" or "tcg"; "": it is none
	char image[256]; // path of its root file system, perhaps cut; "": the host's
	uint64_t image_dev, image_ino; // and what that is, whatever it is called by now
	unsigned nundo;
	struct undo undo[LEASE_NOTES]; // done in reverse order
};

struct ledger {
	struct hostfs fs; // where /etc and /run are
	int defs;	  // directory descriptors; -1 where the directory does not exist yet
	int leases;
	int lock; // -1: not locked
	bool writable;
};

// Opens the ledger below the root of fs. write: makes missing directories (0711 and 0700).
int ledger_open(const struct hostfs *fs, bool write, struct ledger *ret, struct err *err);
void ledger_close(struct ledger *l);

// Takes the lock; fails after some seconds with the name of who has it.
int ledger_lock(struct ledger *l, struct err *err);
void ledger_unlock(struct ledger *l);

// The same where a process that was made with the lock could not be killed yet: it does nothing more, and has it no longer.
void ledger_unlock_all(struct ledger *l);
// The same with another file, for what takes longer than others may wait: ret is a descriptor, closed to unlock.
int ledger_lock_file(const struct ledger *l, const char *path, int *ret, struct err *err);

// Everything that is held, but for the definition or lease called `except` (NULL: none). A definition
// in use is listed once, as live.
//
// A definition that cannot be read holds nobody knows what, so nothing can be chosen beside it: that
// is an error. It is passed over for `except`, a definition that is being used: its share was set
// apart from all others when it was made, and what cannot be read cannot be in use.
int ledger_holdings(
	const struct ledger *l, const char *except, struct holdings *ret, struct err *err
);

// ---- definitions
int definition_write(const struct ledger *l, const struct grant *g, struct err *err);
int definition_read(
	const struct ledger *l, const char *name, struct grant *ret, struct err *err
); // -ENOENT
int definition_remove(const struct ledger *l, const char *name, struct err *err);
// Calls fn for each, in order of name, until it returns non-zero. An unreadable one is passed over and
// is the failure at the end, when the others have been seen.
typedef int (*definition_fn)(const struct grant *g, void *arg, struct err *err);
int definition_each(const struct ledger *l, definition_fn fn, void *arg, struct err *err);
bool definition_exists(const struct ledger *l, const char *name); // readable or not

// Several definitions, all or none, also across a crash: begin notes an array of the names on disk,
// none of which may exist; then they are written; commit makes them valid. cancel takes back what was
// begun and not committed, if anything was.
int definitions_begin(const struct ledger *l, const json_t *names, struct err *err);
int definitions_commit(const struct ledger *l, struct err *err);
int definitions_cancel(const struct ledger *l, struct err *err);
// The names of what was begun and not committed, an array; NULL: there is nothing. New reference.
int definitions_pending(const struct ledger *l, json_t **ret, struct err *err);

// ---- tokens: what kubelet is told of a grant that it hands out, and nobody else can know. Beside the definition
// (grants.d/NAME.token), where only root reads, and gone with it: a grant of the same name has another.
#define TOKEN_STR 33 // 128 bits as digits, and NUL
int token_read(
	const struct ledger *l, const char *grant, char ret[static TOKEN_STR], struct err *err
); // -ENOENT
// The one there is; else a new one. The ledger is locked.
int token_make(
	const struct ledger *l, const char *grant, char ret[static TOKEN_STR], struct err *err
);
int token_remove(const struct ledger *l, const char *grant, struct err *err);
bool token_equal(const char *a, const char *b);

// ---- leases
int lease_write(const struct ledger *l, const struct lease *lease, struct err *err);
int lease_read(
	const struct ledger *l, const char *name, struct lease *ret, struct err *err
); // -ENOENT
int lease_remove(const struct ledger *l, const char *name, struct err *err);
typedef int (*lease_fn)(const struct lease *lease, void *arg, struct err *err);
// In order of name, until fn returns non-zero. An unreadable lease is passed over and is the failure
// at the end, when the others have been seen.
int lease_each(const struct ledger *l, lease_fn fn, void *arg, struct err *err);

bool lease_exists(const struct ledger *l, const char *name);

// Appends to the undo list. Fails when the list is full.
int lease_note(struct lease *lease, const char *what, const char *path, struct err *err);
bool lease_notes(const struct lease *lease, const char *what, const char *path);

json_t *lease_to_json(const struct lease *lease);
int lease_from_json(const json_t *doc, const char *what, struct lease *ret, struct err *err);

// A free name for an unnamed workload: "vnf-1", "vnf-2", ….
int ledger_free_name(const struct ledger *l, char ret[NAME_MAX_LEN + 1], struct err *err);

// ---- lease_state.c: what is true of a lease now

// Of this boot. Of another one only files can be left: its processes, cgroups and mounts ended with it,
// and what has their names and numbers now belongs to somebody else.
bool lease_of_this_boot(const struct ledger *l, const struct lease *lease);

// 1: of this boot, and a process is in its cgroup or below. 0: none is. Negative with err set: it cannot
// be told; whoever would take something away must not.
int lease_life(const struct ledger *l, const struct lease *lease, struct err *err);
// In use, or that cannot be told.
bool lease_in_use(const struct ledger *l, const struct lease *lease);

// Where the hierarchy of its cgroup is mounted: "/sys/fs/cgroup", "/sys/fs/cgroup/pids" (v1). -ENOENT: the
// lease names no cgroup of pinfold's.
int lease_hierarchy(const struct lease *lease, char *ret, size_t len);

// A number that no other lease has, as far as anybody goes by it: to know something of the lease again.
uint64_t lease_mark(const struct lease *lease);

// The very process that wrote the lease is still there, to take everything back.
bool lease_supervised(const struct ledger *l, const struct lease *lease);

// Both are of one start: not of two workloads that had a name one after the other. A range of ids is given out once a boot,
// and one that is started again keeps it, at another time; those without one were written by one process.
bool lease_same_run(const struct lease *a, const struct lease *b);
// The same process started both, one run or several (--restart).
bool lease_same_supervisor(const struct lease *a, const struct lease *b);

// When a process began, in clock ticks since the boot (starttime of proc(5)); 0: there is none.
uint64_t process_start(const struct hostfs *fs, int pid);

// ---- ended.c: what became of workloads, for people; nothing is decided by it

#define ENDED_KEPT 64

// Notes that the workload of a lease has ended. status: of the program, -1: nobody saw. limit: the one that it was
// killed for or was refused something by ("memory", "hugepages", "processes"), NULL or "": none. note: a line, "": none.
void ended_note(
	const struct ledger *l,
	const struct lease *lease,
	int status,
	const char *limit,
	const char *note
);
// The last ENDED_KEPT, the newest first, as rows of pinfold ps. *ret is a new reference.
int ended_read(const struct ledger *l, json_t **ret, struct err *err);

// ---- ids.c: host user and group ids that belong to nobody else

#define IDS_PER_LEASE 65536u

// The next range of IDS_PER_LEASE host ids in pinfold's pool: one that was not given out since the boot and
// that does not meet a range of /etc/subuid or /etc/subgid.
int ids_choose_range(const struct ledger *l, uint32_t *ret, struct err *err);
// The group of each link of g: the one that live leases use for that link, or one that was not given out
// since the boot.
int ids_choose_link_groups(const struct ledger *l, struct grant *g, struct err *err);
// Notes on disk that the lease's range and groups are given out, before anything has them. The ledger is
// locked.
int ids_take(const struct ledger *l, const struct lease *lease, struct err *err);
// Of a range of the pool: no account's.
bool ids_pooled(uint32_t id);
// The host id that owns the user namespace of a lease with that range: the lease's own, mapped nowhere, and
// no process has it. What is counted for each user is charged to it, and not to root.
uint32_t ids_namespace_owner(uint32_t range);
