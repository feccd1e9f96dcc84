// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// How a lease stands when CPUs or nodes of it are offline: as sets, and in trees of files.

#include "unit.h"

#include "apply/apply.h"
#include "base/fs.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct idset set(const char *text)
{
	struct idset s;
	struct err err;

	assert_ok(idset_parse(text, &s, &err), &err);
	return s;
}

static void judged(void **)
{
	static const struct {
		const char *granted, *online, *effective;
		enum standing wanted;
	} cases[] = {
		{"1", "0-3", "1", STANDING_WHOLE},
		{"1-2", "0-3", "1-2", STANDING_WHOLE},
		{"1-2", "0-1,3", "1", STANDING_PART},
		{"1-2", "0-1,3", "1-2", STANDING_PART}, // the cgroup is behind
		{"1-2", "0-3", "1", STANDING_PART},	// v1, or on the way down
		{"1", "0-3", "0-1", STANDING_PART},	// somebody has widened it
		{"1", "0,2-3", "0,2-3", STANDING_GONE}, // v2: the parent's
		{"1", "0,2-3", "1", STANDING_GONE},	// the cgroup is behind
		{"1", "0-3", "0,2-3", STANDING_GONE},	// the machine is behind
		{"1", "0,2-3", "", STANDING_GONE},	// v1
		{"1", "0-3", "", STANDING_GONE},	// v1, back online
		{"1-2", "0,2-3", "1", STANDING_GONE},	// nothing of it that is both
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct idset granted = set(cases[i].granted), online = set(cases[i].online);
		struct idset effective = set(cases[i].effective);

		if (offline_judge(&granted, &online, &effective) != cases[i].wanted)
			fail_msg(
				"granted %s, online %s, effective %s",
				cases[i].granted,
				cases[i].online,
				cases[i].effective
			);
	}
}

// ---- trees

struct tree {
	char root[64];
	struct hostfs fs;
	struct lease lease;
};

static void put(const struct tree *t, const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/%s", t->root, path);
	_cleanup_close_ int dir = -1;
	struct err err;
	char *name;

	assert_non_null(full);
	name = strrchr(full, '/');
	*name++ = '\0';
	dir = fs_mkdirs(full, 0755, &err);
	assert_ok(dir, &err);
	assert_ok(fs_write_atomic(dir, name, text, strlen(text), 0644, &err), &err);
}

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));
	struct err err;

	if (t == NULL)
		return -1;
	strcpy(t->root, "/tmp/pinfold-unit-XXXXXX");
	if (mkdtemp(t->root) == NULL)
		return -1;
	assert_ok(hostfs_open(t->root, &t->fs, &err), &err);
	strcpy(t->lease.grant.name, "a");
	t->lease.grant.cpus = set("1-2");
	t->lease.grant.mems = set("1");
	put(t, "sys/devices/system/cpu/online", "0-3\n");
	put(t, "sys/devices/system/node/has_memory", "0-1\n");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	hostfs_close(&t->fs);
	assert_ok(fs_remove_tree(tmp, t->root + strlen("/tmp/"), &err), &err);
	free(t);
	return 0;
}

static void looks(const struct tree *t, enum standing standing, const char *words)
{
	char line[OFFLINE_LINE];
	struct offline o;

	offline_look(&t->fs, &t->lease, &o);
	offline_say(&o, line, sizeof(line));
	assert_string_equal(line, words);
	assert_int_equal(o.standing, standing);
}

static void tree_v2(void **state)
{
	static const char cpus[] = "sys/fs/cgroup/pinfold/a/box/cpuset.cpus.effective";
	static const char mems[] = "sys/fs/cgroup/pinfold/a/box/cpuset.mems.effective";
	static const char freeze[] = "sys/fs/cgroup/pinfold/a/box/cgroup.freeze";
	const struct tree *t = *state;

	looks(t, STANDING_WHOLE, ""); // no limit, or no such lease
	put(t, cpus, "1-2\n");
	put(t, mems, "1\n");
	put(t, freeze, "0\n");
	looks(t, STANDING_WHOLE, "");
	put(t, "sys/devices/system/cpu/online", "0-1,3\n");
	put(t, cpus, "1\n");
	looks(t, STANDING_PART, "CPU 2 is offline: it has CPU 1");
	put(t, "sys/devices/system/cpu/online", "0,3\n");
	put(t, cpus, "0,3\n");
	looks(t, STANDING_GONE, "CPU 1-2 is offline: it may run outside its grant");
	put(t, freeze, "1\n");
	looks(t, STANDING_GONE, "CPU 1-2 is offline: it is frozen until that is back");
	assert_true(offline_frozen(&t->fs, "a"));
	assert_false(offline_frozen(&t->fs, "b"));
	put(t, "sys/devices/system/cpu/online", "0-1,3\n");
	put(t, cpus, "1\n");
	looks(t, STANDING_PART, "CPU 2 is offline: it is frozen until that is back");
	put(t, "sys/devices/system/cpu/online", "0-3\n");
	put(t, cpus, "1-2\n");
	looks(t, STANDING_WHOLE, "it is frozen");
	put(t, freeze, "0\n");
	// a node is treated alike, and what is worse is told
	put(t, "sys/devices/system/node/has_memory", "0\n");
	put(t, mems, "0\n");
	looks(t, STANDING_GONE, "node 1 is offline: it may run outside its grant");
	put(t, cpus, "1\n");
	looks(t, STANDING_GONE, "node 1 is offline: it may run outside its grant");
}

static void tree_v1(void **state)
{
	static const char box[] = "sys/fs/cgroup/cpuset/pinfold/a/box/cpuset.effective_cpus";
	static const char freezing[] = "sys/fs/cgroup/freezer/pinfold/a/box/freezer.self_freezing";
	const struct tree *t = *state;

	put(t, "sys/fs/cgroup/pids/pinfold/a/box/cgroup.procs", "");
	put(t, box, "1-2\n");
	put(t, freezing, "0\n");
	looks(t, STANDING_WHOLE, "");
	put(t, "sys/devices/system/cpu/online", "0,3\n");
	put(t, box, "\n");
	looks(t, STANDING_GONE, "CPU 1-2 is offline: it may run outside its grant");
	put(t, freezing, "1\n");
	looks(t, STANDING_GONE, "CPU 1-2 is offline: it is frozen until that is back");
	assert_true(offline_frozen(&t->fs, "a"));
}

// Of an isolated grant the cgroup is elsewhere; shared CPUs count as well as its own.
static void tree_of_others(void **state)
{
	struct tree *t = *state;

	t->lease.grant.isolated = true;
	put(t, "sys/fs/cgroup/pinfold-a/box/cpuset.cpus.effective", "0,3\n");
	looks(t, STANDING_GONE, "CPU 1-2 was taken from it: it may run outside its grant");
	t->lease.grant.isolated = false;
	t->lease.grant.shared_cpus = set("0");
	put(t, "sys/fs/cgroup/pinfold/a/box/cpuset.cpus.effective", "0\n");
	put(t, "sys/devices/system/cpu/online", "0,3\n");
	looks(t, STANDING_PART, "CPU 1-2 is offline: it has CPU 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judged),
		cmocka_unit_test_setup_teardown(tree_v2, setup, teardown),
		cmocka_unit_test_setup_teardown(tree_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(tree_of_others, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
