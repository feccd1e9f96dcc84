// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Definitions and leases in a scratch root: files, lock, names, ids, and whether a lease is in use.

#include "fake.h"

#include "ledger/ledger.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define BOOT "6b2f4d52-3d2c-4b9b-8a6e-0f9f3c2a7d11"

static char top[64];

static void put(const char *path, const char *text)
{
	char full[4200];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (char *p = full + strlen(top) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **)
{
	snprintf(top, sizeof(top), "/tmp/pinfold-unit-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	put("etc/x", "");
	put("run/x", "");
	put("proc/sys/kernel/random/boot_id", BOOT "\n");
	return 0;
}

static int teardown(void **)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	return fs_remove_tree(tmp, strrchr(top, '/') + 1, &err);
}

static void open_ledger(bool write, struct ledger *l)
{
	struct hostfs fs;
	struct err err;

	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_ok(ledger_open(&fs, write, l, &err), &err);
}

static void close_ledger(struct ledger *l)
{
	ledger_close(l);
	hostfs_close(&l->fs);
}

static struct grant grant_of(const char *name, const char *cpus)
{
	struct grant g = {.memory = GIB, .pids = 8};
	struct err err;

	strcpy(g.name, name);
	assert_ok(idset_parse(cpus, &g.cpus, &err), &err);
	idset_add(&g.mems, 0);
	return g;
}

static struct lease lease_of(const char *name, const char *cpus)
{
	struct lease l = {.grant = grant_of(name, cpus), .boot_id = BOOT, .uid_base = 0x70000000};

	l.started = 1700000000;
	l.supervisor = 4711;
	strcpy(l.command, "testpmd -- --nb-cores=1");
	l.site = site_of(PLACE_CONTAINER);
	runtime_assume(&l.site.runtime, &runtime_crun, "/usr/bin/crun");
	snprintf(l.cgroup, sizeof(l.cgroup), "/sys/fs/cgroup/pinfold/%s", name);
	return l;
}

static int collect(const struct grant *g, void *arg, struct err *)
{
	char *names = arg;

	strcat(strcat(names, g->name), " ");
	return 0;
}

static int collect_lease(const struct lease *l, void *arg, struct err *err)
{
	return collect(&l->grant, arg, err);
}

static int stop_at_two(const struct grant *g, void *arg, struct err *err)
{
	collect(g, arg, err);
	return strlen(arg) > 2 ? err_set(err, ECANCELED, "enough") : 0;
}

static void empty(void **)
{
	struct holdings held = {0};
	struct ledger l;
	struct lease lease;
	struct grant g;
	char names[64] = "", name[NAME_MAX_LEN + 1];
	struct err err;

	// only looked at: nothing is made
	open_ledger(false, &l);
	assert_int_equal(l.defs, -1);
	assert_ok(definition_each(&l, collect, names, &err), &err);
	assert_ok(lease_each(&l, collect_lease, names, &err), &err);
	assert_string_equal(names, "");
	assert_int_equal(definition_read(&l, "a", &g, &err), -ENOENT);
	assert_int_equal(lease_read(&l, "a", &lease, &err), -ENOENT);
	assert_false(lease_exists(&l, "a"));
	assert_ok(ledger_holdings(&l, NULL, &held, &err), &err);
	assert_int_equal(held.n, 0);
	assert_ok(ledger_free_name(&l, name, &err), &err);
	assert_string_equal(name, "vnf-1");
	assert_int_equal(faccessat(l.fs.root, "etc/pinfold", F_OK, 0), -1);
	assert_int_equal(faccessat(l.fs.root, "run/pinfold", F_OK, 0), -1);
	close_ledger(&l);
}

static void definitions(void **)
{
	const char *const order[] = {"vnf-10", "b", "vnf-2", "a"};
	struct grant g, read;
	struct ledger l;
	struct stat st;
	char names[64] = "";
	struct err err;

	open_ledger(true, &l);
	assert_int_equal(fstatat(l.fs.root, "etc/pinfold/grants.d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(l.fs.root, "run/pinfold", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		g = grant_of(order[i], "1");
		assert_ok(definition_write(&l, &g, &err), &err);
		assert_ok(definition_read(&l, order[i], &read, &err), &err);
		assert_same_grant(&g, &read);
	}
	assert_int_equal(fstatat(l.defs, "a.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	put("etc/pinfold/grants.d/README", "not one of ours");
	put("etc/pinfold/grants.d/.a.json", "nor this");
	assert_ok(definition_each(&l, collect, names, &err), &err);
	assert_string_equal(names, "a b vnf-2 vnf-10 ");
	names[0] = '\0';
	assert_fails(definition_each(&l, stop_at_two, names, &err), &err, "enough");
	assert_string_equal(names, "a b ");
	assert_ok(definition_remove(&l, "a", &err), &err);
	assert_ok(definition_remove(&l, "a", &err), &err); // gone already
	assert_int_equal(definition_read(&l, "a", &read, &err), -ENOENT);
	assert_contains(err.msg, "grant 'a' does not exist");
	assert_fails(
		definition_read(&l, "../../etc/passwd", &read, &err), &err, "a letter or digit"
	);
	close_ledger(&l);
}

static void leases(void **)
{
	_cleanup_json_ json_t *before = NULL, *after = NULL;
	struct lease w = lease_of("x", "1"), r = {0};
	struct ledger l;
	char path[256];
	struct err err;

	w.supervisor_start = 123456789;
	w.defined = w.detached = true;
	w.site = site_of(PLACE_HOST);
	w.grant.nlinks = 1;
	strcpy(w.grant.links[0].kind, "memif");
	strcpy(w.grant.links[0].name, "l");
	w.grant.links[0].gid = 0x78000005;
	assert_ok(lease_note(&w, "cgroup", "pinfold/x", &err), &err);
	assert_ok(lease_note(&w, "tree", "/run/pinfold/runtime/x", &err), &err);
	open_ledger(true, &l);
	assert_ok(lease_write(&l, &w, &err), &err);
	assert_true(lease_exists(&l, "x"));
	assert_ok(lease_read(&l, "x", &r, &err), &err);
	before = lease_to_json(&w);
	after = lease_to_json(&r);
	assert_true(json_equal(before, after));
	assert_int_equal(r.grant.links[0].gid, 0x78000005);
	assert_int_equal(r.site.place, PLACE_HOST);
	assert_ok(lease_remove(&l, "x", &err), &err);
	assert_false(lease_exists(&l, "x"));
	close_ledger(&l);
	// the list of what to undo has an end
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	while (w.nundo < LEASE_NOTES)
		assert_ok(lease_note(&w, "tree", path, &err), &err);
	assert_fails(lease_note(&w, "tree", "/", &err), &err, "too much to undo");
	assert_int_equal(w.nundo, LEASE_NOTES);
}

// What a crash, a full disk or a hand may have left in the files: an error that names the file.
static void broken_files(void **)
{
	static const char *const texts[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"{\"format\": 1}",
		"{\"format\": 99}",
		"\xff\xfe",
	};
	struct lease lease;
	struct holdings held = {0};
	struct ledger l;
	struct grant g;
	char names[64] = "";
	struct err err;

	open_ledger(true, &l);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put("etc/pinfold/grants.d/a.json", texts[i]);
		assert_fails(
			definition_read(&l, "a", &g, &err), &err, "/etc/pinfold/grants.d/a.json"
		);
		assert_fails(definition_each(&l, collect, names, &err), &err, "remove it");
		assert_fails(ledger_holdings(&l, NULL, &held, &err), &err, "'");
		put("run/pinfold/leases/b.json", texts[i]);
		assert_fails(lease_read(&l, "b", &lease, &err), &err, "/run/pinfold/leases/b.json");
		assert_fails(lease_each(&l, collect_lease, names, &err), &err, "b");
	}
	assert_string_equal(names, "");
	assert_ok(definition_remove(&l, "a", &err), &err);
	assert_ok(lease_remove(&l, "b", &err), &err);
	// somebody copied a file
	g = grant_of("a", "1");
	assert_ok(definition_write(&l, &g, &err), &err);
	lease = lease_of("a", "1");
	assert_ok(lease_write(&l, &lease, &err), &err);
	assert_int_equal(renameat(l.defs, "a.json", l.defs, "c.json"), 0);
	assert_int_equal(renameat(l.leases, "a.json", l.leases, "c.json"), 0);
	assert_fails(definition_read(&l, "c", &g, &err), &err, "says its name is 'a'");
	assert_fails(lease_read(&l, "c", &lease, &err), &err, "says its name is 'a'");
	// a link that leads out, a directory, a file that never ends
	assert_int_equal(symlinkat("/dev/zero", l.defs, "z.json"), 0);
	assert_true(definition_read(&l, "z", &g, &err) < 0);
	assert_int_equal(mkdirat(l.defs, "d.json", 0755), 0);
	assert_true(definition_read(&l, "d", &g, &err) < 0);
	put("etc/pinfold/grants.d/Bad Name.json", "{}");
	assert_fails(definition_read(&l, "Bad Name", &g, &err), &err, "'Bad Name'");
	close_ledger(&l);
}

static void holdings(void **)
{
	struct grant a = grant_of("a", "1"), b = grant_of("b", "2");
	struct lease lb = lease_of("b", "2"), lc = lease_of("c", "3");
	struct holdings held = {0};
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	assert_ok(definition_write(&l, &a, &err), &err);
	assert_ok(definition_write(&l, &b, &err), &err);
	assert_ok(lease_write(&l, &lb, &err), &err);
	assert_ok(lease_write(&l, &lc, &err), &err);
	assert_ok(ledger_holdings(&l, NULL, &held, &err), &err);
	assert_int_equal(held.n, 3); // the definition in use counts once
	assert_string_equal(held.held[0].grant.name, "b");
	assert_true(held.held[0].live);
	assert_string_equal(held.held[1].grant.name, "c");
	assert_string_equal(held.held[2].grant.name, "a");
	assert_false(held.held[2].live);
	holdings_done(&held);
	assert_ok(ledger_holdings(&l, "b", &held, &err), &err);
	assert_int_equal(held.n, 2);
	holdings_done(&held);
	close_ledger(&l);
}

// A definition that cannot be read stops what would be chosen beside it, not what was set apart before.
static void unreadable_definition(void **)
{
	struct grant a = grant_of("a", "1"), b = grant_of("b", "2");
	struct lease lc = lease_of("c", "3");
	struct holdings held = {0};
	struct ledger l;
	char names[64] = "";
	struct err err;

	open_ledger(true, &l);
	assert_ok(definition_write(&l, &a, &err), &err);
	assert_ok(definition_write(&l, &b, &err), &err);
	assert_ok(lease_write(&l, &lc, &err), &err);
	put("etc/pinfold/grants.d/aa.json", "{");
	assert_fails(ledger_holdings(&l, NULL, &held, &err), &err, "grants.d/aa.json");
	assert_ok(ledger_holdings(&l, "b", &held, &err), &err);
	assert_int_equal(held.n, 2);
	assert_string_equal(held.held[0].grant.name, "c");
	assert_string_equal(held.held[1].grant.name, "a");
	holdings_done(&held);
	// the others are seen all the same
	assert_fails(definition_each(&l, collect, names, &err), &err, "grants.d/aa.json");
	assert_string_equal(names, "a b ");
	assert_true(definition_exists(&l, "aa"));
	assert_false(definition_exists(&l, "zz"));
	// nor has every file a name that a grant may have
	put("etc/pinfold/grants.d/A b.json", "{}");
	assert_ok(definition_remove(&l, "aa", &err), &err);
	assert_fails(definition_each(&l, collect, names, &err), &err, "grants.d/A b.json' (remove");
	assert_ok(definition_remove(&l, "A b", &err), &err);
	put("run/pinfold/leases/A b.json", "{}");
	assert_fails(ledger_holdings(&l, "b", &held, &err), &err, "leases/A b.json' (remove it)");
	assert_ok(lease_remove(&l, "A b", &err), &err);
	// a lease that cannot be read is in use, perhaps: that stops all
	put("run/pinfold/leases/bad.json", "{");
	assert_fails(ledger_holdings(&l, "b", &held, &err), &err, "leases/bad.json");
	close_ledger(&l);
}

static void several_definitions(void **)
{
	_cleanup_json_ json_t *names = json_pack("[s, s, s]", "s-1", "s-2", "../../x");
	struct grant g = grant_of("s-1", "1"), other = grant_of("other", "2");
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	put("etc/x.json", "");
	assert_ok(definition_write(&l, &other, &err), &err);
	assert_ok(definitions_cancel(&l, &err), &err); // nothing was begun
	assert_ok(definitions_begin(&l, names, &err), &err);
	assert_ok(definition_write(&l, &g, &err), &err);
	assert_ok(definitions_cancel(&l, &err), &err);
	assert_false(definition_exists(&l, "s-1"));
	assert_true(definition_exists(&l, "other"));
	assert_int_equal(faccessat(l.fs.root, "etc/x.json", F_OK, 0), 0);
	assert_ok(definitions_begin(&l, names, &err), &err);
	assert_ok(definition_write(&l, &g, &err), &err);
	assert_ok(definitions_commit(&l, &err), &err);
	assert_ok(definitions_cancel(&l, &err), &err);
	assert_true(definition_exists(&l, "s-1"));
	put("etc/pinfold/grants.d/.creating", "[");
	assert_fails(definitions_cancel(&l, &err), &err, "grants.d/.creating");
	close_ledger(&l);
}

static void supervisor(void **)
{
	struct lease a = lease_of("x", "1"), b = a;
	struct ledger l;

	open_ledger(true, &l);
	a.supervisor = 4711;
	a.supervisor_start = 190;
	assert_false(lease_supervised(&l, &a)); // no such process
	put("proc/4711/stat",
	    "4711 (a) S b) (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 190 20 21");
	assert_int_equal(process_start(&l.fs, 4711), 190);
	assert_true(lease_supervised(&l, &a));
	a.supervisor_start = 191; // the pid came again
	assert_false(lease_supervised(&l, &a));
	a.supervisor_start = 0; // a lease that does not say
	assert_false(lease_supervised(&l, &a));
	a.supervisor_start = 190;
	strcpy(a.boot_id, "00000000-0000-0000-0000-000000000000");
	assert_false(lease_of_this_boot(&l, &a));
	assert_false(lease_supervised(&l, &a));
	put("proc/4711/stat", "4711 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 190 20 21");
	assert_int_equal(process_start(&l.fs, 4711), 0); // has ended
	put("proc/4711/stat", "4711 (x");
	assert_int_equal(process_start(&l.fs, 4711), 0);
	b.uid_base = 0;
	assert_true(lease_same_run(&b, &b));
	a = b;
	a.supervisor_start++;
	assert_false(lease_same_run(&a, &b));
	// a keeper, and who started it
	a.uid_base = b.uid_base = 1000000;
	assert_true(lease_same_run(&a, &b));
	a.started++;
	assert_false(lease_same_run(&a, &b));
	a = b;
	a.uid_base += IDS_PER_LEASE;
	assert_false(lease_same_run(&a, &b));
	close_ledger(&l);
}

static void free_names(void **)
{
	struct grant d = grant_of("vnf-1", "1");
	struct lease used = lease_of("vnf-2", "2");
	char name[NAME_MAX_LEN + 1];
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	assert_ok(definition_write(&l, &d, &err), &err);
	assert_ok(lease_write(&l, &used, &err), &err);
	assert_ok(ledger_free_name(&l, name, &err), &err);
	assert_string_equal(name, "vnf-3");
	put("etc/pinfold/grants.d/vnf-3.json", "broken"); // whose it is we do not know
	assert_ok(ledger_free_name(&l, name, &err), &err);
	assert_string_equal(name, "vnf-4");
	close_ledger(&l);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// A child that has the lock for some milliseconds. Returns when it has it.
static pid_t hold_lock(unsigned milliseconds)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct hostfs fs;
		struct ledger l;
		struct err err;

		if (hostfs_open(top, &fs, &err) < 0 || ledger_open(&fs, true, &l, &err) < 0
		    || ledger_lock(&l, &err) < 0 || write(fds[1], "x", 1) != 1)
			_exit(1);
		usleep(milliseconds * 1000);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void lock(void **)
{
	_cleanup_free_ char *who = NULL;
	struct ledger l;
	double start, took;
	int status;
	struct err err;
	pid_t pid;

	open_ledger(true, &l);
	start = now(); // before it is held: who does not run at once has less to wait for
	pid = hold_lock(300);
	assert_ok(ledger_lock(&l, &err), &err);
	took = now() - start;
	assert_true(took > 0.2 && took < 20);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fs_read(l.fs.root, "run/pinfold/lock", 64, &who, NULL), 0);
	assert_int_equal(atoi(who), getpid());
	ledger_unlock(&l);
	assert_ok(ledger_lock(&l, &err), &err); // free again, at once
	close_ledger(&l);
	// the kernel frees the lock of a process that was killed
	pid = hold_lock(60000);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	open_ledger(true, &l);
	start = now();
	assert_ok(ledger_lock(&l, &err), &err);
	assert_true(now() - start < 10);
	close_ledger(&l);
}

// A child that cannot be killed has the descriptor too: to close ours is not enough.
static void unlock_all(void **)
{
	struct ledger l, other;
	int fds[2];
	struct err err;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	open_ledger(true, &l);
	assert_ok(ledger_lock(&l, &err), &err);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;

		close(fds[1]);
		_exit(read(fds[0], &c, 1) != 0);
	}
	close(fds[0]);
	ledger_unlock_all(&l);
	open_ledger(true, &other);
	assert_ok(ledger_lock(&other, &err), &err);
	close_ledger(&other);
	close_ledger(&l);
	close(fds[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void id_ranges(void **)
{
	struct lease lease = lease_of("a", "1");
	struct ledger l;
	uint32_t base;
	struct err err;

	open_ledger(true, &l);
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70000000);
	// only looked at: nothing is given out
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70000000);
	lease.uid_base = base;
	assert_ok(ids_take(&l, &lease, &err), &err);
	assert_ok(lease_write(&l, &lease, &err), &err);
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70010000);
	// the second range ends where the fourth begins; lines of other people are no matter
	put("etc/subuid",
	    "root:100000:65536\nbad line\nx:\n:::\nbig:1879113728:131072\nneg:-5:1\n");
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70030000);
	put("etc/subgid", "one:1879244800:1\n"); // a single id at its start
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70040000);
	put("etc/subgid", "one:1879310335:1\n"); // and at its end
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70040000);
	// one that begins where the range ends
	put("etc/subuid", "one:1879179264:1\n");
	put("etc/subgid", "");
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70010000);
	put("etc/subuid", "low:1879048192:134217728\n");
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x80000000);
	put("etc/subuid", "all:1:4294967294\n");
	assert_fails(ids_choose_range(&l, &base, &err), &err, "34815 ranges");
	close_ledger(&l);
}

// What a container left behind must not be a later one's.
static void ids_are_not_given_out_twice(void **)
{
	struct lease lease = lease_of("a", "1");
	uint32_t owner, base;
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	for (unsigned i = 0; i < 3; i++) {
		assert_ok(ids_choose_range(&l, &lease.uid_base, &err), &err);
		assert_int_equal(lease.uid_base, 0x70000000 + i * 65536);
		owner = ids_namespace_owner(lease.uid_base);
		assert_int_equal(owner, 0x7c000000 + i);
		assert_ok(ids_take(&l, &lease, &err), &err);
		assert_ok(lease_write(&l, &lease, &err), &err);
		assert_ok(lease_remove(&l, "a", &err), &err);
	}
	assert_int_equal(ids_namespace_owner(0x77ff0000), 0x7c000000 + 2047);
	assert_int_equal(ids_namespace_owner(0x80000000), 0x7c000000 + 2048);
	assert_int_equal(ids_namespace_owner(0xfffe0000), 0x7c000000 + 34814);
	// one who was killed before he wrote gave nothing out
	put("run/pinfold/ids.json", "");
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70000000);
	// what cannot be read is no beginning
	put("run/pinfold/ids.json", "{\"format\": 1}");
	assert_fails(ids_choose_range(&l, &base, &err), &err, "ids.json");
	assert_fails(ids_take(&l, &lease, &err), &err, "ids.json");
	put("run/pinfold/ids.json",
	    "{\"format\": 1, \"boot-id\": \"" BOOT "\", \"ranges\": 34815, \"links\": 0}");
	assert_fails(ids_choose_range(&l, &base, &err), &err, "since the boot");
	// of another boot
	put("run/pinfold/ids.json",
	    "{\"format\": 1, \"boot-id\": \"other\", \"ranges\": 9, \"links\": 9}");
	assert_ok(ids_choose_range(&l, &base, &err), &err);
	assert_int_equal(base, 0x70000000);
	close_ledger(&l);
}

static struct lease linked(const char *name, const char *a, const char *b)
{
	struct lease l = lease_of(name, "1");
	const char *const names[] = {a, b};

	for (unsigned i = 0; i < 2 && names[i] != NULL; i++) {
		strcpy(l.grant.links[i].kind, "memif");
		strcpy(l.grant.links[i].name, names[i]);
		l.grant.nlinks++;
	}
	return l;
}

static void link_groups(void **)
{
	struct lease a = linked("a", "left", "right"), b = linked("b", "right", "far");
	struct lease c = linked("c", "new", NULL);
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	assert_ok(ids_choose_link_groups(&l, &a.grant, &err), &err);
	assert_true(a.grant.links[0].gid >= 0x78000000);
	assert_true(a.grant.links[1].gid != a.grant.links[0].gid);
	assert_ok(lease_write(&l, &a, &err), &err);
	assert_ok(ids_choose_link_groups(&l, &b.grant, &err), &err);
	assert_int_equal(b.grant.links[0].gid, a.grant.links[1].gid); // both ends share one
	assert_true(b.grant.links[1].gid != a.grant.links[0].gid);
	assert_true(b.grant.links[1].gid != a.grant.links[1].gid);
	assert_ok(lease_write(&l, &b, &err), &err);
	// what is free again is not given out again
	assert_ok(ids_take(&l, &b, &err), &err);
	assert_ok(lease_remove(&l, "a", &err), &err);
	assert_ok(lease_remove(&l, "b", &err), &err);
	assert_ok(ids_choose_link_groups(&l, &c.grant, &err), &err);
	assert_int_equal(c.grant.links[0].gid, b.grant.links[1].gid + 1);
	close_ledger(&l);
}

static void in_use(void **)
{
	struct lease v2 = lease_of("x", "1"), v1 = lease_of("y", "1");
	struct ledger l;

	open_ledger(true, &l);
	assert_false(lease_in_use(&l, &v2)); // no such cgroup
	put("sys/fs/cgroup/pinfold/x/cgroup.events", "populated 0\nfrozen 0\n");
	put("sys/fs/cgroup/pinfold/x/cgroup.procs", "");
	assert_false(lease_in_use(&l, &v2));
	put("sys/fs/cgroup/pinfold/x/cgroup.events", "populated 1\nfrozen 0\n");
	assert_true(lease_in_use(&l, &v2));
	// v1 tells of no group below
	strcpy(v1.cgroup, "/sys/fs/cgroup/pids/pinfold/y");
	put("sys/fs/cgroup/pids/pinfold/y/cgroup.procs", "");
	put("sys/fs/cgroup/pids/pinfold/y/super/cgroup.procs", "");
	put("sys/fs/cgroup/pids/pinfold/y/box/cgroup.procs", "");
	put("sys/fs/cgroup/pids/pinfold/y/box/c/cgroup.procs", "");
	assert_false(lease_in_use(&l, &v1));
	put("sys/fs/cgroup/pids/pinfold/y/box/c/cgroup.procs", "1234\n");
	assert_true(lease_in_use(&l, &v1));
	// of another boot: its processes are gone whatever has that name now
	strcpy(v1.boot_id, "00000000-0000-0000-0000-000000000000");
	assert_false(lease_in_use(&l, &v1));
	v1.boot_id[0] = '\0';
	assert_false(lease_in_use(&l, &v1));
	close_ledger(&l);
}

// What cannot be looked at is never taken for gone.
static void in_use_or_not_known(void **)
{
	struct lease x = lease_of("x", "1"), y = lease_of("y", "1"), z = lease_of("z", "1");
	char deep[3 * 300 + 64] = "sys/fs/cgroup/pids/pinfold/z";
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	// a file in its place, a directory where a list of processes should be
	put("sys/fs/cgroup/pinfold/x", "");
	assert_fails(lease_life(&l, &x, &err), &err, "look for processes of 'x'");
	assert_true(lease_in_use(&l, &x));
	strcpy(y.cgroup, "/sys/fs/cgroup/pids/pinfold/y");
	put("sys/fs/cgroup/pids/pinfold/y/box/cgroup.procs/x", "");
	assert_fails(lease_life(&l, &y, &err), &err, "look for processes of 'y'");
	assert_true(lease_in_use(&l, &y));
	// a process far below counts, however far
	strcpy(z.cgroup, "/sys/fs/cgroup/pids/pinfold/z");
	for (int i = 0; i < 40; i++)
		strcat(deep, "/d");
	strcat(deep, "/cgroup.procs");
	put(deep, "77\n");
	assert_int_equal(lease_life(&l, &z, &err), 1);
	put(deep, "");
	assert_int_equal(lease_life(&l, &z, &err), 0);
	*strrchr(deep, '/') = '\0';
	for (int i = 0; i < 260; i++)
		strcat(deep, "/d");
	strcat(deep, "/cgroup.procs");
	put(deep, "77\n");
	assert_int_equal(lease_life(&l, &z, &err), 1);
	close_ledger(&l);
}

static void hierarchies(void **)
{
	static const char *const cases[][3] = {
		{"x", "/sys/fs/cgroup/pinfold/x", "/sys/fs/cgroup"},
		{"x", "/cg/pids/pinfold/x", "/cg/pids"},
		{"x", "/sys/fs/cgroup/pinfold-x", "/sys/fs/cgroup"},
		{"pinfold-x", "/cg/pinfold/pinfold-x", "/cg"},
		{"x", "/sys/fs/cgroup/pinfold/y", NULL},
		{"x", "/pinfold/x", NULL},
		{"x", "", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct lease lease = lease_of(cases[i][0], "1");
		char path[sizeof(lease.cgroup)];

		strcpy(lease.cgroup, cases[i][1]);
		if (cases[i][2] == NULL) {
			assert_true(lease_hierarchy(&lease, path, sizeof(path)) < 0);
		} else {
			assert_int_equal(lease_hierarchy(&lease, path, sizeof(path)), 0);
			assert_string_equal(path, cases[i][2]);
		}
	}
}

// It holds all but its CPUs, which a definition has set apart in any case.
static void draining(void **)
{
	struct lease a = lease_of("a", "1"), b = lease_of("b", "2"), back;
	struct holdings h;
	struct ledger l;
	struct err err;

	open_ledger(true, &l);
	a.draining = b.draining = b.defined = true;
	assert_ok(lease_write(&l, &a, &err), &err);
	assert_ok(lease_write(&l, &b, &err), &err);
	assert_ok(lease_read(&l, "a", &back, &err), &err);
	assert_true(back.draining);
	assert_ok(ledger_holdings(&l, NULL, &h, &err), &err);
	assert_int_equal(h.n, 2);
	assert_true(idset_empty(&h.held[0].grant.cpus));
	assert_true(idset_equal(&h.held[1].grant.cpus, &b.grant.cpus));
	assert_true(h.held[0].live && h.held[0].grant.memory == a.grant.memory);
	holdings_done(&h);
	close_ledger(&l);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(empty),
		EACH(definitions),
		EACH(leases),
		EACH(broken_files),
		EACH(holdings),
		EACH(unreadable_definition),
		EACH(several_definitions),
		EACH(supervisor),
		EACH(free_names),
		EACH(lock),
		EACH(unlock_all),
		EACH(id_ranges),
		EACH(ids_are_not_given_out_twice),
		EACH(link_groups),
		EACH(in_use),
		EACH(in_use_or_not_known),
		EACH(hierarchies),
		EACH(draining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
