// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Other limits for a grant in use: what is refused, the steps in order, and what a lease says of them.

#include "fake.h"
#include "scratch.h"

#include "apply/apply.h"
#include "grant/change.h"
#include "plan/plan.h"

#include <sys/stat.h>

#define MIB (UINT64_C(1) << 20)

struct scene {
	struct hostfs fs;
	struct host host;
	struct lease lease;
	struct plan plan;
};

static void prepare(const char *kind, enum site_place place, struct scene *s)
{
	const struct holdings nobody = {0};

	memset(s, 0, sizeof(*s));
	fake_open(kind, &s->fs, &s->host);
	fake_grant(&s->host, &nobody, "cpus=1 hugepages=2M=4 memory=64M pids=10", &s->lease.grant);
	s->lease.site = fake_site(place);
	strcpy(s->lease.cgroup,
	       str_eq(kind, "two") ? "/sys/fs/cgroup/pids/pinfold/x" : "/sys/fs/cgroup/pinfold/x");
}

static void change(struct scene *s, uint64_t memory, uint64_t pids)
{
	const struct grant_change c = {memory, pids};
	const struct grant to = change_of(&s->lease.grant, &c);
	struct err err;

	plan_done(&s->plan);
	assert_ok(plan_change(&s->lease, &to, &s->host, &s->fs, &s->plan, &err), &err);
}

static void done(struct scene *s)
{
	plan_done(&s->plan);
	host_done(&s->host);
	hostfs_close(&s->fs);
}

// The place of a step in the plan, -1: it is none of it. value NULL: any.
static int find(const struct scene *s, const char *path, const char *value)
{
	for (unsigned i = 0; i < s->plan.nsteps; i++) {
		const struct step *t = &s->plan.steps[i];

		if (str_eq(t->path, path) && (value == NULL || str_eq(t->value, value)))
			return (int)i;
	}
	return -1;
}

static unsigned of_host(const struct scene *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->plan.nsteps; i++)
		n += s->plan.steps[i].where == STEP_HOST;
	return n;
}

#define V1 "/sys/fs/cgroup/memory/pinfold/x/box/"

// With swap it must never be less than without: the kernel refuses it.
static void order_on_v1(void **)
{
	struct scene s;
	int with, without;

	prepare("two", PLACE_CONTAINER, &s);
	change(&s, 128 * MIB, 0);
	with = find(&s, V1 "memory.memsw.limit_in_bytes", "134217728");
	without = find(&s, V1 "memory.limit_in_bytes", "134217728");
	assert_true(with >= 0 && with < without);
	assert_true(find(&s, V1 "c/memory.kmem.tcp.limit_in_bytes", "134217728") >= 0);
	change(&s, 32 * MIB, 0);
	with = find(&s, V1 "memory.memsw.limit_in_bytes", "33554432");
	without = find(&s, V1 "memory.limit_in_bytes", "33554432");
	assert_true(without >= 0 && without < with);
	assert_true(s.plan.steps[with].optional);
	done(&s);
}

static void of_processes(void **)
{
	struct scene s;

	prepare("two", PLACE_CONTAINER, &s);
	change(&s, 0, 20);
	// one more for pinfold-inside; the runtime has a limit of its own below
	assert_true(find(&s, "/sys/fs/cgroup/pids/pinfold/x/box/pids.max", "21") >= 0);
	assert_true(find(&s, "/sys/fs/cgroup/pids/pinfold/x/box/c/pids.max", "21") >= 0);
	assert_int_equal(of_host(&s), 2);
	done(&s);
	prepare("two", PLACE_HOST, &s);
	change(&s, 0, 20);
	assert_true(find(&s, "/sys/fs/cgroup/pids/pinfold/x/box/pids.max", "20") >= 0);
	assert_int_equal(of_host(&s), 1);
	done(&s);
}

static void on_v2(void **)
{
	struct scene s;

	prepare("two-v2", PLACE_CONTAINER, &s);
	change(&s, 128 * MIB, 20);
	assert_true(find(&s, "/sys/fs/cgroup/pinfold/x/box/memory.max", "134217728") >= 0);
	assert_true(find(&s, "/sys/fs/cgroup/pinfold/x/box/c/memory.max", "134217728") >= 0);
	assert_true(find(&s, "/sys/fs/cgroup/pinfold/x/box/pids.max", "21") >= 0);
	assert_true(find(&s, "/sys/fs/cgroup/pinfold/x/box/c/pids.max", "21") >= 0);
	assert_int_equal(of_host(&s), 4);
	done(&s);
	// an engine's container has the engine's limits below the box
	prepare("two-v2", PLACE_ENGINE, &s);
	change(&s, 128 * MIB, 20);
	assert_int_equal(of_host(&s), 2);
	assert_int_equal(s.plan.nsteps, 2);
	done(&s);
}

// What no limit holds is not said to be one.
static void not_enforceable(void **)
{
	const struct grant_change memory = {.memory = 128 * MIB}, pids = {.pids = 20},
				  same = {.memory = 64 * MIB, .pids = 20};
	struct scene s;
	struct err err;

	prepare("two-v2", PLACE_CONTAINER, &s);
	assert_ok(plan_change_enforceable(&s.lease.grant, &memory, &s.host, &err), &err);
	s.host.cgroup.controllers &= ~(unsigned)HOST_CG_MEMORY;
	assert_fails(
		plan_change_enforceable(&s.lease.grant, &memory, &s.host, &err),
		&err,
		"limit 'memory' cannot be enforced on this host"
	);
	assert_ok(plan_change_enforceable(&s.lease.grant, &pids, &s.host, &err), &err);
	assert_ok(plan_change_enforceable(&s.lease.grant, &same, &s.host, &err), &err);
	s.host.cgroup.controllers &= ~(unsigned)HOST_CG_PIDS;
	assert_fails(
		plan_change_enforceable(&s.lease.grant, &pids, &s.host, &err), &err, "limit 'pids'"
	);
	done(&s);
}

static void what_is_shown(void **)
{
	struct scene s;
	int i;

	prepare("two-v2", PLACE_CONTAINER, &s);
	change(&s, 128 * MIB, 0);
	i = find(&s, FENCE_DIR "/view/proc/meminfo", NULL);
	assert_true(i >= 0 && s.plan.steps[i].kind == STEP_REWRITE);
	assert_int_equal(s.plan.steps[i].where, STEP_FENCE);
	assert_non_null(strstr(s.plan.steps[i].value, "MemFree:          131072 kB"));
	assert_non_null(strstr(s.plan.steps[i].value, "HugePages_Total:       4"));
	i = find(&s, FENCE_DIR "/own/grant.json", NULL);
	assert_true(i >= 0);
	assert_non_null(strstr(s.plan.steps[i].value, "\"memory\": \"128M\""));
	// no more than says it
	for (unsigned k = 0; k < s.plan.nsteps; k++) {
		const struct step *t = &s.plan.steps[k];

		assert_true(
			t->where == STEP_HOST || strstr(t->path, "meminfo") != NULL
			|| strstr(t->path, "grant.json") != NULL
		);
	}
	change(&s, 0, 20);
	assert_int_equal(find(&s, FENCE_DIR "/view/proc/meminfo", NULL), -1);
	assert_true(find(&s, FENCE_DIR "/own/grant.json", NULL) >= 0);
	// between two starts there is neither
	s.lease.again = LEASE_WAITING;
	change(&s, 128 * MIB, 20);
	assert_int_equal(s.plan.nsteps, 0);
	done(&s);
}

// Both nodes of a grant show half.
static void what_nodes_show(void **)
{
	const struct holdings nobody = {0};
	struct scene s;

	prepare("paper", PLACE_CONTAINER, &s);
	fake_grant(&s.host, &nobody, "cpus=1 mems=0-1 memory=64M", &s.lease.grant);
	change(&s, 128 * MIB, 0);
	for (int node = 0; node < 2; node++) {
		char path[128], line[64];
		int i;

		snprintf(
			path,
			sizeof(path),
			FENCE_DIR "/view/sys/devices/system/node/node%d/meminfo",
			node
		);
		snprintf(line, sizeof(line), "Node %d MemFree:        65536 kB", node);
		i = find(&s, path, NULL);
		assert_true(i >= 0);
		assert_non_null(strstr(s.plan.steps[i].value, line));
	}
	done(&s);
}

static void refusals(void **)
{
	static const char *const options[] = {
		"cap", "hugepages", "kernel-port", "link", "name", "near", "nic", "seccomp"};
	const struct grant pool = {.kind = GRANT_POOL, .name = "pool"};
	struct scene s;
	struct err err;
	const struct grant *g = &s.lease.grant;

	prepare("two", PLACE_CONTAINER, &s);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char words[64];

		snprintf(words, sizeof(words), "update 'x': --%s stays", options[i]);
		assert_fails(change_check_option(g, options[i], "1", &err), &err, words);
	}
	assert_fails(change_check_option(g, "cpus", "0", &err), &err, "grant 'x' has 1");
	assert_fails(change_check_option(g, "mems", "7", &err), &err, "grant 'x' has 0");
	assert_ok(change_check_option(g, "cpus", "1", &err), &err);
	assert_ok(change_check_option(g, "memory", "1G", &err), &err);
	assert_fails(
		change_check(g, &(struct grant_change){.memory = 1}, &s.host, &err),
		&err,
		"update 'x': memory 1: not between 8M"
	);
	assert_fails(
		change_check(g, &(struct grant_change){.memory = UINT64_C(1) << 60}, &s.host, &err),
		&err,
		"what this host has"
	);
	assert_fails(
		change_check(&pool, &(struct grant_change){.pids = 7}, &s.host, &err),
		&err,
		"it is a pool"
	);
	done(&s);
}

// Every flag of a grant is said to stay, but for two.
static void every_option(void **)
{
	const struct grant g = {.name = "x"};
	struct err err;

	for (size_t i = 0; request_flag(i) != NULL; i++) {
		const char *flag = request_flag(i);
		int r = change_check_option(&g, flag, "5", &err);

		assert_int_equal(r == 0, str_eq(flag, "memory") || str_eq(flag, "pids"));
	}
}

static void put(const char *path, const char *text)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;

	for (char *s = strchr(copy, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdirat(topfd, copy, 0755);
		*s = '/';
	}
	fd = openat(topfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int check_use(struct hostfs *fs, uint64_t memory, uint64_t pids, struct err *err)
{
	struct lease lease = {
		.grant = {.name = "x", .memory = 64 * MIB, .pids = 10},
		.site = fake_site(PLACE_CONTAINER),
	};

	return change_check_use(fs, &lease, &(struct grant_change){memory, pids}, err);
}

static void what_is_used(void **)
{
	struct hostfs fs;
	struct err err;

#define MEMORY "sys/fs/cgroup/memory/pinfold/x/box/memory."
	put(MEMORY "usage_in_bytes", "50331648\n"); // 48M
	put(MEMORY "stat", "cache 1\ntotal_cache 8388608\ntotal_shmem 1048576\n");
	put("sys/fs/cgroup/pids/pinfold/x/box/pids.current", "8\n"); // one of them is pinfold's
	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_ok(check_use(&fs, 48 * MIB, 7, &err), &err);
	assert_ok(check_use(&fs, 41 * MIB, 0, &err), &err); // 7M are the cache of files
	assert_fails(
		check_use(&fs, 40 * MIB, 0, &err),
		&err,
		"has 41M of memory in use, which is more than 40M"
	);
	assert_fails(
		check_use(&fs, 0, 6, &err),
		&err,
		"it has 7 processes and threads, which are more than 6"
	);
	// more is always less than what is used
	put(MEMORY "usage_in_bytes", "99999999999\n");
	assert_ok(check_use(&fs, 65 * MIB, 11, &err), &err);
	hostfs_close(&fs);
#undef MEMORY
}

static void of_a_lease(void **)
{
	struct lease back;
	struct scene s;
	struct err err;
	json_t *doc;

	prepare("two", PLACE_CONTAINER, &s);
	doc = lease_to_json(&s.lease);
	assert_null(json_object_get(doc, "updating"));
	json_decref(doc);
	s.lease.updating = (struct grant_change){128 * MIB, 20};
	doc = lease_to_json(&s.lease);
	assert_ok(lease_from_json(doc, "lease", &back, &err), &err);
	assert_int_equal(back.updating.memory, 128 * MIB);
	assert_int_equal(back.updating.pids, 20);
	assert_int_equal(back.grant.memory, 64 * MIB);
	json_object_set_new(json_object_get(doc, "updating"), "cpus", json_integer(1));
	assert_fails(lease_from_json(doc, "lease", &back, &err), &err, "cpus");
	json_decref(doc);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_on_v1),
		cmocka_unit_test(of_processes),
		cmocka_unit_test(on_v2),
		cmocka_unit_test(not_enforceable),
		cmocka_unit_test(what_is_shown),
		cmocka_unit_test(what_nodes_show),
		cmocka_unit_test(refusals),
		cmocka_unit_test(every_option),
		cmocka_unit_test_setup_teardown(what_is_used, setup, teardown),
		cmocka_unit_test(of_a_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
