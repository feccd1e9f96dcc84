// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The only code that changes the host: the steps of a plan, and their undo.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"
#include "plan/plan.h"

// Carries out the steps on the host, in order, under the ledger's lock and after the lease was written:
// those that make cgroups and their limits, or the others, which come first.
int apply_host(const struct plan *p, bool limits, struct err *err);
// Whether there are such others: what a fence is made of.
bool apply_host_first(const struct plan *p);

// The steps of the process that becomes the workload, in order. STEP_FENCE: after site_unshare, while
// the limits are made. STEP_ENTER: after both, under the lock still.
int apply_steps(const struct plan *p, enum step_where where, struct err *err);

// userns.c: a user namespace with the owner, the ids and the limits that the plan's step says. It is begun
// beside everything else, before the child is forked that takes the step and finds it at its path from then
// on; the end is for the process that began it. Without such a step they do nothing.
int apply_userns_begin(const struct plan *p, struct err *err);
int apply_userns(const struct step *s, struct err *err);
void apply_userns_end(void);

// ---- undo.c

enum undo_part {
	UNDO_FILES,   // all but the cgroups
	UNDO_CGROUPS, // last: as long as they are there, they are charged for what was passed on
};

// Takes back what the lease notes, in reverse order. What is gone already is fine. The ledger is locked.
int undo_lease(
	const struct ledger *l, const struct lease *lease, enum undo_part part, struct err *err
);

// Ends every lease that nobody uses, also when one of them fails: that one stays in the ledger with all
// it holds, so a caller that only wants room may go on. Returns how many in *ret_count (may be NULL). The
// ledger is locked.
int gc_leases(struct ledger *l, unsigned *ret_count, struct err *err);
// Ends a link that no lease has besides `except`; unread: one that cannot be read may have it.
int link_end(
	const struct ledger *l, const char *except, const char *path, bool unread, struct err *err
);
// Removes what is at a path below RUN_DIR.
int undo_tree(const char *path, struct err *err);

// ---- unread.c

// One of gc_leases whose file cannot be understood, with the reason in err.
int gc_unread(struct ledger *l, const char *name, unsigned *count, struct err *err);
// What uio_return does, of the NICs that its program had.
int uio_return_unread(const struct ledger *l, const char *name, struct err *err);
// 1: a lease besides `except` has it; unread: so may one that cannot be read.
int leases_other(
	const struct ledger *l,
	const char *except,
	bool unread,
	bool (*has)(const struct lease *lease, const void *what),
	const void *what,
	struct err *err
);

// ---- charges.c

// What a lease still has: what its cgroup is charged for, in bytes, but for what is the kernel's own or the cache
// of files; and its NICs that are in use, a bit for each of the grant's.
struct charges {
	uint64_t memory, hugepages;
	uint64_t nics;
};

// Of a lease without processes. The ledger is locked: see nics_in_use.
int cgroup_charges(
	const struct hostfs *fs, const struct lease *lease, struct charges *ret, struct err *err
);
// The same when no process is left: waits until nothing is, or the time is over, and has the kernel free
// what it can.
int cgroup_settle(
	const struct hostfs *fs,
	const struct lease *lease,
	unsigned milliseconds,
	struct charges *ret,
	struct err *err
);
bool charges_any(const struct charges *c);

// "250M of memory, 600M of hugepages and NIC 0000:3b:00.0".
#define CHARGES_STR 256
char *charges_text(const struct charges *c, const struct grant *g, char buf[static CHARGES_STR]);

// ---- nics.c

// The NICs of a grant that are in use, a bit for each, whoever uses them. Looks by opening their VFIO groups for a
// moment: nobody that pinfold has given them to may be about to. So the ledger is locked, and the grant is not in
// use and shares none with one that is.
int nics_in_use(const struct hostfs *fs, const struct grant *g, uint64_t *ret, struct err *err);
// The same of a lease, which is its own: of what an engine gave others may have a NIC on UIO as well.
int nics_held(const struct hostfs *fs, const struct lease *lease, uint64_t *ret, struct err *err);

// "NIC 0000:3b:00.0", "NICs 0000:3b:00.0, 0000:3b:00.1".
#define NICS_STR 112
char *nics_text(const struct grant *g, uint64_t nics, char buf[static NICS_STR]);
// Who uses them, as far as that can be seen: "'fw', process 4711 (qemu-system-x86)", or "".
void nics_users(
	const struct ledger *l, const struct grant *g, uint64_t nics, char *buf, size_t len
);
// EBUSY, with who uses them, when one of them is in use. As nics_in_use.
int nics_check_free(const struct ledger *l, const struct grant *g, struct err *err);

// ---- uio.c

// The files of the grant's NICs on UIO are root's again, and these make no DMA. No process of the lease is left.
int uio_stop(const struct ledger *l, const struct grant *g, struct err *err);
// They have been reset too. The lease is over.
int uio_return(const struct ledger *l, const struct grant *g, struct err *err);

// ---- bindings.c: NICs that are taken from their drivers. The ledger is locked for all of them.

struct binding;

// Binds a NIC (plan/nic.h says what is refused before), for a lease of that name or, "", until it is given back.
// Notes what was before, on disk, and when a step fails gives it back. One that is bound so is left as it is.
int nic_bind(
	const struct ledger *l,
	const struct host *host,
	const struct host_pci *nic,
	const char *driver,
	const char *lease,
	bool noiommu,
	struct err *err
);
struct nic_wish;
// Those that are wished, until they are unbound, and with persist after a reboot too: all of them or none, also when this is
// killed and nics_collect comes by.
int nics_bind(
	const struct ledger *l,
	const struct host *host,
	const struct nic_wish *wish,
	bool persist,
	struct err *err
);
// EBUSY: somebody has it open.
int nic_return(const struct ledger *l, const struct binding *b, struct err *err);
// Gives back those that were bound for the lease, and what its VFs were set to (vfs_return).
int nics_return(
	const struct ledger *l, const struct grant *g, unsigned milliseconds, struct err *err
);
// Gives back those whose lease is gone, and those whose binding or giving back was cut short.
int nics_collect(struct ledger *l, struct err *err);

// ---- vfs.c: virtual functions (SR-IOV). The ledger is locked for all of them.

struct vfs_wish;

// Makes VFs, sets them, or takes them away (plan/vfs.h says what is refused before). When a step fails all is as it was.
int nic_vfs(const struct ledger *l, const struct vfs_wish *w, struct err *err);
// The kernel offers new VFs of that PF to drivers, and could do so later.
bool vfs_autoprobe(const struct hostfs *fs, const char *pf);
// What a function takes at most that was closed just now: until then drivers refuse to tell and to set.
#define VFS_RESET_MS 1000
// Notes what the VFs of the grant are set to, for its end: a trusted one can set itself. What was noted for a lease of that
// name before stays. given: by an engine, whatever others hold; what cannot be noted then is a line of the log.
int vfs_keep(
	const struct ledger *l,
	const struct host *host,
	const struct grant *g,
	bool given,
	struct err *err
);
// Puts that back; what is busy is tried for so long, all of them together.
int vfs_return(
	const struct ledger *l, const struct grant *g, unsigned milliseconds, struct err *err
);
// The same of those whose lease is gone, and of those whose making or setting was cut short.
int vfs_collect(const struct ledger *l, struct err *err);
int apply_vf(const struct step *s, struct err *err);

// mount.c
int apply_tmpfs(const struct step *s, struct err *err);
int apply_hugetlbfs(const struct step *s, struct err *err);
int apply_overlay(const struct step *s, struct err *err);
int apply_bind(const struct step *s, struct err *err);
int apply_detach_hugetlbfs(const struct step *s, struct err *err);
// Opens what is to be bound, as it was when the plan was made (O_PATH).
int apply_open_source(const struct step *s, struct err *err);
// idmap.c: a bind with other ids
int apply_idmapped(const struct step *s, struct err *err);
// owner.c: a directory that is given to the program
#define OWNER_NOTE "owner" // of an undo
// Notes in the lease whose the directories are that the launch gives its program. Refuses one that another lease has so,
// and what could not be put back. The ledger is locked.
int owner_note(
	const struct ledger *l, struct lease *lease, const struct launch *launch, struct err *err
);
int apply_owner(const struct step *s, struct err *err);
// Puts that back, where the lease's program is the owner.
int owner_return(const struct lease *lease, const char *row, struct err *err);
// The same of all that a lease has which cannot be read, as it was written down.
int owner_return_unread(const char *lease, struct err *err);
// seen.c
// Whether what was mounted there is what others find: those who connect to it, and peers.
int apply_seen(const char *path, struct err *err);
// publish.c
int apply_publish(const struct step *s, struct err *err);
// Unmounts what was published at `path` and what it left there. None is fine.
int publish_end(const char *path, struct err *err);
// netns.c
int apply_netns(const struct step *s, struct err *err);
int apply_sysfs(const struct step *s, struct err *err);
// netdevs_take.c
int apply_netdevs(const struct step *s, struct err *err);
// netdevs_return.c
// Gives back those that the directory `path` of a lease tells of, and removes it. None is fine. The ledger is locked.
int netdevs_return(const struct ledger *l, const char *path, struct err *err);
// Those of no lease: its file was removed.
int netdevs_sweep(const struct ledger *l, struct err *err);
// netdevs_holder.c
// An interface of that function, or on top of one, that a lease has. False: there is none.
struct netdev_holder {
	char netdev[16]; // its name on the host
	char lease[NAME_MAX_LEN + 1];
};
bool netdevs_holder(const struct ledger *l, const char *bdf, struct netdev_holder *ret);
// Fills in `lent`, which the kernel does not tell.
int netdevs_mark(const struct ledger *l, struct host *h, struct err *err);
// module.c
int apply_module(const struct step *s, struct err *err);
// One that is not there is no error.
int apply_unload(const char *name, struct err *err);

// ---- hugetlbfs_pinned.c

// How many inodes a hugetlbfs of a lease with this mark (lease_mark) is mounted with.
uint64_t pinned_inodes(uint64_t mark);
// Notes the file systems of that kind that the workload's first process has mounted, by device number.
int pinned_note(struct lease *lease, int pid, struct err *err);
// The bytes of those of a lease that has no process any more that exist still. Where the kernel does not
// tell (no ustat(2), as on arm64), 0.
uint64_t pinned_bytes(const struct hostfs *fs, const struct lease *lease);

// ---- end.c

#define LEASE_DRAINS 1
#define LEASE_KEEPS_NIC 2

// Kills what is left of the lease as it is on disk, takes everything back and removes it: 0, also where it is not there any
// more. LEASE_DRAINS: it stays, since what it gave is still used; LEASE_KEEPS_NIC: since a NIC cannot be given back as it
// was. err says so, the ledger knows, and the next collection tries again. *waits (NULL: false): whether it is to hold its
// grant until the next start (LEASE_WAITING) instead of being removed, and whether it does. The ledger is locked.
int lease_end(const struct ledger *l, const struct lease *lease, bool *waits, struct err *err);

// Before that, of a lease whose supervisor is gone: notes for ps -a that it has ended, and which limit it ran into.
void lease_note_unseen(const struct ledger *l, const struct lease *lease, const char *why);

// EBUSY, with who may have what, for a lease that is draining; 0 for others.
int lease_drains(const struct ledger *l, const struct lease *lease, struct err *err);

// ---- signal.c

// Which of them are meant. process: a descriptor (pidfd) of the one that had the number when it was in the cgroup. Until that
// has ended (cgroup_process_ended) nobody else has it.
typedef bool (*cgroup_pick_fn)(int pid, int process, void *arg);
bool cgroup_process_ended(int process);

// Sends sig to those of pids, read from cgroup.procs of `dir` before, that are in it still; pick NULL: to
// all. 0 or -errno; -ETIME: not until `limit`, as clock_ms().
int cgroup_signal_members(
	int dir, const int *pids, size_t n, int sig, cgroup_pick_fn pick, void *arg, int64_t limit
);

// To the processes of the lease, if it is still there, that are not in the runtime's cgroup; until `limit`, as
// clock_ms(): -ETIME.
int cgroup_signal(
	const struct ledger *l,
	const struct lease *lease,
	int sig,
	cgroup_pick_fn pick,
	void *arg,
	int64_t limit,
	struct err *err
);

// A descriptor (pidfd) of a process in the cgroup `dir`, an absolute path, or below it; not in the
// runtime's if skip_runtime. Its number was its own while it was picked. -ESRCH: there is none.
int cgroup_open_process(
	const struct hostfs *fs, const char *dir, bool skip_runtime, cgroup_pick_fn pick, void *arg
);

// How many processes it has. Not in the runtime's cgroup if skip_runtime.
int cgroup_count(
	const struct hostfs *fs,
	const struct lease *lease,
	bool skip_runtime,
	unsigned *ret,
	struct err *err
);

// Aborts the FUSE connections of a user of the host that have requests without an answer; returns how many.
unsigned fuse_abort(uid_t owner);

// Kills every process of the lease, if it is still there, but those in the runtime's cgroup unless all is set, until none is
// left or the time is over, -EBUSY. This process stays. Where some are left of a lease that has an owner
// (keeper), his FUSE mounts that do not answer are aborted, and they have as much again.
int cgroup_kill(
	const struct ledger *l,
	const struct lease *lease,
	bool all,
	unsigned milliseconds,
	struct err *err
);

// ---- enter.c

// The mount namespace that the workload was started in: of a container that of its runtime, on the bare host of any of it
// that is there still. -ESRCH: there is none; or -errno.
int enter_open(const struct hostfs *fs, const struct lease *lease);
// Enters that namespace by what enter_open has returned, which is closed.
int enter_fence(const struct lease *lease, int mounts, struct err *err);

// ---- change.c: other limits for a lease that is in use, or waits. The ledger is locked for all of them.

// Refuses a change to less than is used now; what the kernel can free at once is not.
int change_check_use(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct grant_change *c,
	struct err *err
);
// Gives the lease's workload, and the definition of its grant, lease->updating, which is on disk. It stays half done
// when it fails.
int change_carry_out(
	const struct ledger *l, const struct lease *lease, const struct host *host, struct err *err
);
// Takes back what was carried out of lease->updating, all or part, and writes that to the lease. Nothing that the workload
// does keeps a limit of its cgroup.
int change_take_back(const struct ledger *l, const struct lease *lease, struct err *err);
// The same of the definition alone: the workload has ended.
int change_take_back_definition(const struct ledger *l, const struct lease *lease, struct err *err);

// ---- change_limits.c

// Gives a process another limit, if it has the one of `from`, or more than there is to be. Not whoever has its number by
// now: process is a descriptor of it. 1: it has; 0: it is not to have it, or has ended; or -errno.
int change_limit(
	int pid, int process, const struct right_limit *from, const struct right_limit *to
);

// Gives the processes of the lease the limits that those of `to` have instead of those of `from`, within 2 s; processes that
// are made faster than they can be found keep theirs, which is -EAGAIN for less. back: that, and what root may not raise, is
// no error: what was before is taken back as far as it goes, and the cgroup limits what they have together.
int change_limits(
	const struct ledger *l,
	const struct lease *lease,
	const struct grant *from,
	const struct grant *to,
	const struct host_limits *host,
	bool back,
	struct err *err
);

// ---- cgroup.c

// Calls fn with a descriptor of the hierarchy that is mounted on `hierarchy` (lease_hierarchy), and for v1
// of all that are mounted beside it. Goes on after a failure, which it returns.
typedef int (*cgroup_hierarchy_fn)(int hierarchy, const char *path, void *arg, struct err *err);
int cgroup_each_hierarchy(
	const struct hostfs *fs,
	const char *hierarchy,
	const char *path,
	cgroup_hierarchy_fn fn,
	void *arg,
	struct err *err
);

// Where a hierarchy is mounted now, of those a plan would use.
int cgroup_hierarchy(const struct hostfs *fs, char *ret, size_t len, struct err *err);

// A control file under its names in the two versions of cgroups; NULL: it has none.
struct cgroup_control {
	const char *v2, *v1;
};

// The box of the lease with the cgroup `group` (plan_lease_cgroup), in the hierarchy where it has this file. A
// descriptor, -1: nowhere.
int cgroup_open_box(
	const struct hostfs *fs,
	const char *group,
	const struct cgroup_control *c,
	const char **ret_file
);

// Removes the cgroup `path` ("pinfold/NAME" or "pinfold-NAME") and all below it in every hierarchy,
// waiting a moment for processes that are ending.
int cgroup_remove(
	const struct hostfs *fs, const char *hierarchy, const char *path, struct err *err
);

// Removes the parent of all leases' cgroups if there is none. It stays at their end: the next start has it
// already. The ledger is locked.
int cgroup_remove_top(const struct hostfs *fs, struct err *err);

// Gives the CPUs of an isolated partition back.
void cgroup_free_cpus(const struct hostfs *fs, const struct lease *lease);

// True if a process is in the cgroup `path` or below it, in any hierarchy, or if that cannot be told.
bool cgroup_populated(const struct hostfs *fs, const char *hierarchy, const char *path);

// Moves this process into the directory `dir`, an absolute path.
int cgroup_join(const struct hostfs *fs, const char *dir, struct err *err);
// Into the box of a lease on the bare host, in every hierarchy.
int cgroup_join_box(const struct hostfs *fs, const struct lease *lease, struct err *err);

// For a process that works for a workload beside it: into the runtime's cgroup and, on v1, to the CPUs
// of its box.
int cgroup_join_beside(const struct hostfs *fs, const struct lease *lease, struct err *err);

// devices.c: limits the cgroup of v2 to character devices, a list of "MAJOR:MINOR" and "MAJOR:*".
int cgroup_allow_devices(const char *dir, const char *list, struct err *err);
// Keeps the lease's workload from opening that character device, on v1 and v2.
int cgroup_refuse_device(
	const struct hostfs *fs, const struct lease *lease, dev_t device, struct err *err
);

// partition.c: makes the cgroup a partition ("isolated"). What the kernel cannot do it says in a word of
// its own, which is in the error.
int cgroup_partition(const char *dir, const char *kind, struct err *err);
// Gives the CPUs of the lease's cgroup `name`, and of its box, back. Its removal would do so too, but at
// some time: the next that wants them would find them taken.
void cgroup_partition_end(int dir, const char *name);

// ---- limit_hits.c: limits that a workload ran into

// How often. Of a lease since it began, of a keeper's for as long as the keeper runs.
struct hits {
	uint64_t killed;    // processes that the kernel killed for memory …
	uint64_t over;	    // … and how often it was since the grant's was used up
	uint64_t refused;   // new processes
	uint64_t hugepages; // more of them than granted; those that reserve them first are told so
	bool all;	    // whoever is killed for memory, all of it is (v2, memory.oom.group)
};

// What the cgroups tell just now. On v1 the kernel counts where the process was, which for a container is a
// cgroup that the runtime takes away at its end.
void hits_read(const struct hostfs *fs, const struct lease *lease, struct hits *ret);

// One line about those after `before`, with the cure; "" when there are none worth a word. status: of the program
// that ended, -1: it goes on. Returns which limit it is about: "memory", "hugepages", "processes", "".
#define HITS_LINE 320
const char *hits_text(
	const struct hits *h,
	const struct hits *before,
	const struct grant *g,
	int status,
	char buf[static HITS_LINE]
);

// To be told of more of them, for who polls.
struct hits_event {
	enum {
		HITS_NONE,
		HITS_RING,
		HITS_MEMORY,
		HITS_PIDS
	} kind;
	int fd;	     // -1: there is none
	int control; // HITS_RING: of what rings it
	short events;
};
#define HITS_NO_EVENT ((struct hits_event){.fd = -1, .control = -1})
void hits_event_close(struct hits_event *e);
// About memory, once the box is there.
struct hits_event hits_on_memory(const struct hostfs *fs, const struct lease *lease);
// About processes, once the program's cgroup is there.
struct hits_event hits_on_pids(const struct hostfs *fs, const struct lease *lease);
// After a poll: true if there was something, which *h knows then. Closes one whose cgroup has gone.
bool hits_told(struct hits_event *e, short revents, struct hits *h);

// ---- offline.c: granted CPUs and nodes that are taken off the machine

enum standing {
	STANDING_WHOLE = 0, // all that was granted is there
	STANDING_PART,	    // some of it is not; the workload is held to the rest
	STANDING_GONE,	    // none of it is there: the kernel lets the workload out
};

// Of CPUs, or of nodes: what was granted, what the machine has online, what the cgroup may use.
enum standing offline_judge(
	const struct idset *granted, const struct idset *online, const struct idset *effective
);

// How a lease in use stands.
struct offline {
	enum standing standing;
	bool frozen, killed;
	char lost[96], left[96]; // "CPU 1 is offline", "CPU 2": for people, when it is not whole
};

void offline_look(const struct hostfs *fs, const struct lease *lease, struct offline *ret);

// Whether the cgroup of the grant `name` is frozen, for who may not read leases.
bool offline_frozen(const struct hostfs *fs, const char *name);
// The CPUs that its box may use just now, for the same. False: there is none, or no such limit.
bool offline_cpus(const struct hostfs *fs, const char *name, struct idset *ret);

// Looks, and does what the grant says: freezes or kills what is outside; thaws what is whole again, after
// giving back what the kernel does not give back itself.
void offline_enforce(const struct hostfs *fs, const struct lease *lease, struct offline *ret);

// One line about it; "" when there is nothing to say.
#define OFFLINE_LINE 256
void offline_say(const struct offline *o, char *buf, size_t len);

// v1: what is held neither forks nor moves, and makes no cgroups, while those who are to be killed are looked for.
void offline_hold(const struct hostfs *fs, const struct lease *lease);
// A frozen process of v1 does not die before it is thawed, in each cgroup that was frozen: to be called for those that
// were killed.
void offline_let_die(const struct hostfs *fs, const struct lease *lease);

// grace.c: begins, in the background, what makes the next move of a process between cgroups quick. For
// those who will move one within some ten milliseconds; changes nothing.
void cgroup_begin_grace(void);
