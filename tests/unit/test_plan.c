// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Plans as values: the order of steps, what undoes them, mounts, refusals.

#include "fake.h"
#include "scratch.h"

#include "ledger/ledger.h"
#include "plan/plan.h"
#include "plan/seccomp.h"
#include "run/run.h"

#include <linux/capability.h>
#include <sys/sysmacros.h>

static const char *const program[] = {"/usr/bin/true", NULL};

struct scene {
	struct hostfs fs;
	struct host host;
	struct lease lease;
	struct launch launch;
	struct plan plan;
};

// Opens the machine and resolves the flags; a test may still change things.
static void prepare(const char *kind, const char *flags, struct scene *s)
{
	const struct holdings nobody = {0};

	memset(s, 0, sizeof(*s));
	fake_open(kind, &s->fs, &s->host);
	fake_grant(&s->host, &nobody, flags, &s->lease.grant);
	s->lease.uid_base = 0x70000000;
	for (unsigned i = 0; i < s->lease.grant.nlinks; i++)
		s->lease.grant.links[i].gid = 0x78000000 + i;
	s->launch.argv = (char *const *)program;
	s->launch.site = fake_site(PLACE_CONTAINER);
	s->launch.inside = "/usr/libexec/pinfold/pinfold-inside";
}

static void make(struct scene *s)
{
	struct err err;

	assert_ok(plan_build(&s->lease, &s->launch, &s->host, &s->fs, &s->plan, &err), &err);
}

static void done(struct scene *s)
{
	plan_done(&s->plan);
	host_done(&s->host);
	hostfs_close(&s->fs);
}

static int find(const struct plan *p, enum step_kind kind, const char *path)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		if (p->steps[i].kind == kind && str_eq(p->steps[i].path, path))
			return (int)i;
	}
	return -1;
}

static const char *value_of(const struct plan *p, const char *path)
{
	int i = find(p, STEP_SET, path);

	if (i < 0)
		fail_msg("nothing sets '%s'", path);
	return p->steps[i].value;
}

// Every step's directory is made before it, below the places that are there.
static void assert_order(const struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		const struct step *s = &p->steps[i];
		_cleanup_free_ char *up = strdup(s->path);
		int made = -1;

		*strrchr(up, '/') = '\0';
		if (strstr(s->path, "/pinfold/") == NULL || s->where != STEP_HOST) {
			if (!str_starts(s->path, FENCE_DIR "/"))
				continue;
			made = find(p, STEP_DIR, up);
			if (made < 0)
				made = find(p, STEP_TMPFS, up);
		} else if (s->kind == STEP_CGROUP || s->kind == STEP_SET) {
			made = find(p, STEP_CGROUP, up);
		} else {
			continue;
		}
		if (made < 0 || made >= (int)i)
			fail_msg("step %u, '%s', comes before its directory", i, s->path);
	}
}

// Whatever changes the host is covered by a note of the lease: by its path, by the cgroup of the
// lease in any hierarchy, or it is a place that stays for the next lease.
static void assert_undone(const struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		const struct step *s = &p->steps[i];
		bool covered = str_eq(s->path, RUN_DIR "/grant.json"); // an empty file

		if (s->where != STEP_HOST)
			continue;
		if (s->kind == STEP_CGROUP || s->kind == STEP_SET || s->kind == STEP_JOIN
		    || s->kind == STEP_PARTITION) {
			const char *below = strstr(s->path, "/pinfold");

			// the group above all leases and what is delegated to it
			covered = below == NULL
					  ? strstr(s->path, "/cgroup.subtree_control") != NULL
					  : strchr(below + 1, '/') == NULL
						    || strstr(below, "/pinfold/cpuset.") != NULL
						    || strstr(below, "/pinfold/cpu.") != NULL
						    || strstr(below, "/pinfold/cgroup.") != NULL;
			for (unsigned k = 0; k < p->lease.nundo; k++)
				covered =
					covered
					|| (str_eq(p->lease.undo[k].what, "cgroup") && below != NULL
					    && str_starts(below + 1, p->lease.undo[k].path));
		}
		for (unsigned k = 0; k < p->lease.nundo; k++)
			covered = covered || str_eq(p->lease.undo[k].path, s->path);
		if (!covered)
			fail_msg("nothing takes '%s %s' back", step_name(s->kind), s->path);
	}
}

static const char *const everything = "cpus=1 hugepages=2M=40 link=memif:left link=memif:right";

static void order_and_undo(void **)
{
	static const char *const kinds[] = {"two", "two-v2"};
	const enum site_place places[] = {PLACE_CONTAINER, PLACE_HOST};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			struct scene s;

			prepare(kinds[k], everything, &s);
			s.launch.site = fake_site(places[i]);
			make(&s);
			assert_int_equal(s.plan.lease.site.place, places[i]);
			assert_order(&s.plan);
			assert_undone(&s.plan);
			// the steps of the host come before those of the fence
			for (unsigned n = 1; n < s.plan.nsteps; n++) {
				if (s.plan.steps[n].kind == STEP_CGROUP)
					assert_int_equal(s.plan.steps[n].where, STEP_HOST);
			}
			assert_true((s.plan.oci != NULL) == (places[i] == PLACE_CONTAINER));
			assert_string_not_equal(s.plan.lease.cgroup, "");
			done(&s);
		}
	}
}

static void limits_v2(void **)
{
#define BOX "/sys/fs/cgroup/pinfold/x/box"
	struct scene s;

	prepare("two-v2", "cpus=1 hugepages=2M=40 memory=1G pids=10", &s);
	make(&s);
	assert_string_equal(s.plan.lease.cgroup, "/sys/fs/cgroup/pinfold/x");
	assert_string_equal(value_of(&s.plan, BOX "/cpuset.cpus"), "1");
	assert_string_equal(value_of(&s.plan, BOX "/cpuset.mems"), "0");
	assert_string_equal(value_of(&s.plan, BOX "/memory.max"), "1073741824");
	assert_string_equal(value_of(&s.plan, BOX "/memory.swap.max"), "0");
	assert_string_equal(value_of(&s.plan, BOX "/pids.max"), "11");
	assert_string_equal(value_of(&s.plan, BOX "/hugetlb.2MB.max"), "83886080");
	assert_string_equal(value_of(&s.plan, BOX "/hugetlb.2MB.rsvd.max"), "83886080");
	assert_string_equal(value_of(&s.plan, BOX "/hugetlb.1GB.max"), "0");
	assert_string_equal(value_of(&s.plan, BOX "/hugetlb.1GB.rsvd.max"), "0");
	// controllers are on before the limit is written
	assert_true(
		find(&s.plan, STEP_SET, "/sys/fs/cgroup/pinfold/x/cgroup.subtree_control")
		< find(&s.plan, STEP_SET, BOX "/cpuset.cpus")
	);
	done(&s);
#undef BOX
}

// One CPU of two weighs half, and all of pinfold the most there is.
static void weights(void **)
{
	struct scene s;

	prepare("two-v2", "cpus=1", &s);
	make(&s);
	assert_string_equal(value_of(&s.plan, "/sys/fs/cgroup/pinfold/cpu.weight"), "10000");
	assert_string_equal(value_of(&s.plan, "/sys/fs/cgroup/pinfold/x/cpu.weight"), "5000");
	for (unsigned i = 0; i < s.plan.nsteps; i++) {
		if (strstr(s.plan.steps[i].path, "/cpu.") != NULL
		    || str_eq(s.plan.steps[i].value, "+cpu"))
			assert_true(s.plan.steps[i].hint);
	}
	done(&s);
	prepare("two", "cpus=1", &s);
	make(&s);
	assert_true(find(&s.plan, STEP_CGROUP, "/sys/fs/cgroup/cpu,cpuacct/pinfold") < 0);
	done(&s);
	// no controller, no weight
	prepare("two-v2", "cpus=1", &s);
	s.host.cgroup.controllers &= ~(unsigned)HOST_CG_CPU;
	make(&s);
	assert_true(find(&s.plan, STEP_SET, "/sys/fs/cgroup/pinfold/cpu.weight") < 0);
	done(&s);
}

static void partition_local(void **)
{
#define LEASE "/sys/fs/cgroup/pinfold-x"
	struct scene s;
	int made;

	prepare("two-v2", "cpus=1 partition=isolated", &s);
	make(&s);
	assert_order(&s.plan);
	assert_undone(&s.plan);
	assert_string_equal(s.plan.lease.cgroup, LEASE);
	assert_string_equal(s.plan.lease.undo[0].path, "pinfold-x");
	assert_true(find(&s.plan, STEP_CGROUP, "/sys/fs/cgroup/pinfold") < 0);
	assert_string_equal(value_of(&s.plan, LEASE "/cpuset.cpus"), "1");
	assert_string_equal(value_of(&s.plan, LEASE "/box/cpuset.cpus"), "1");
	made = find(&s.plan, STEP_PARTITION, LEASE);
	assert_true(find(&s.plan, STEP_SET, LEASE "/cpuset.cpus") < made);
	assert_true(made < find(&s.plan, STEP_CGROUP, LEASE "/box"));
	assert_string_equal(s.plan.steps[made].value, "isolated");
	assert_string_equal(
		json_string_value(
			json_object_get(json_object_get(s.plan.oci, "linux"), "cgroupsPath")
		),
		"/pinfold-x/box/c"
	);
	done(&s);
}

static void partition_remote(void **)
{
	struct scene s;
	int made;

	prepare("two-v2", "cpus=1 partition=isolated", &s);
	s.host.cgroup.partition = HOST_PARTITION_REMOTE;
	make(&s);
	assert_order(&s.plan);
	assert_undone(&s.plan);
	// the runtime's cgroup has the CPUs of the machine
	assert_true(find(&s.plan, STEP_SET, LEASE "/cpuset.cpus") < 0);
	assert_string_equal(value_of(&s.plan, LEASE "/cpuset.cpus.exclusive"), "1");
	assert_string_equal(value_of(&s.plan, LEASE "/box/cpuset.cpus.exclusive"), "1");
	made = find(&s.plan, STEP_PARTITION, LEASE "/box");
	assert_true(find(&s.plan, STEP_SET, LEASE "/box/cpuset.cpus.exclusive") < made);
	assert_true(find(&s.plan, STEP_SET, LEASE "/box/cpuset.cpus") < made);
	done(&s);
#undef LEASE
}

static void limits_v1(void **)
{
	struct scene s;

	prepare("two", "cpus=1 hugepages=2M=40 memory=1G", &s);
	make(&s);
	assert_string_equal(s.plan.lease.cgroup, "/sys/fs/cgroup/pids/pinfold/x");
	assert_string_equal(
		value_of(&s.plan, "/sys/fs/cgroup/cpuset/pinfold/x/box/cpuset.cpus"), "1"
	);
	assert_string_equal(
		value_of(&s.plan, "/sys/fs/cgroup/memory/pinfold/x/box/memory.limit_in_bytes"),
		"1073741824"
	);
	assert_string_equal(
		value_of(
			&s.plan, "/sys/fs/cgroup/memory/pinfold/x/box/memory.memsw.limit_in_bytes"
		),
		"1073741824"
	);
	assert_string_equal(
		value_of(
			&s.plan,
			"/sys/fs/cgroup/hugetlb/pinfold/x/box/hugetlb.2MB.rsvd.limit_in_bytes"
		),
		"83886080"
	);
	done(&s);
}

static void hugetlbfs(void **)
{
	struct scene s;
	int i;

	prepare("paper", "cpus=1 hugepages=1G=2 hugepages=2M=8 hugepages=2M=4,anon", &s);
	s.launch.uid = 1000;
	s.launch.gid = 100;
	make(&s);
	// anonymous pages have no mount: with min_size they would be held twice
	i = find(&s.plan, STEP_HUGETLBFS, FENCE_DIR "/huge/2M");
	assert_true(i >= 0);
	assert_string_equal(
		s.plan.steps[i].value,
		"pagesize=2M,size=16777216,min_size=16777216,uid=1879049192,gid=1879048292,"
		"mode=0700"
	);
	assert_true(find(&s.plan, STEP_HUGETLBFS, FENCE_DIR "/huge/1G") > i);
	assert_string_equal(
		value_of(&s.plan, "/sys/fs/cgroup/pinfold/x/box/hugetlb.2MB.rsvd.max"), "25165824"
	);
	done(&s);
	prepare("paper", "cpus=1 hugepages=2M=4,anon", &s);
	make(&s);
	assert_int_equal(find(&s.plan, STEP_HUGETLBFS, FENCE_DIR "/huge/2M"), -1);
	done(&s);
}

static size_t mounts(const char *kind, const char *flags)
{
	struct scene s;
	size_t n;

	prepare(kind, flags, &s);
	make(&s);
	n = json_array_size(json_object_get(s.plan.oci, "mounts"));
	assert_true(n > 10);
	for (unsigned i = 0; i < s.plan.nsteps; i++)
		n += s.plan.steps[i].kind == STEP_BIND;
	done(&s);
	return n;
}

static void constant_mounts(void **)
{
	size_t one = mounts("two", "cpu-count=1"), two = mounts("two", "cpu-count=2");

	assert_int_equal(two, one + 1);
	assert_int_equal(mounts("huge", "cpu-count=1"), one);
	assert_int_equal(mounts("huge", "cpu-count=2"), two);
	assert_int_equal(mounts("big", "cpu-count=2"), two);
	assert_int_equal(mounts("paper", "cpu-count=2"), two);
}

static const json_t *mount_at(const struct plan *p, const char *target)
{
	const json_t *list = json_object_get(p->oci, "mounts"), *m;
	size_t i;

	json_array_foreach (list, i, m) {
		if (str_eq(json_string_value(json_object_get(m, "destination")), target))
			return m;
	}
	return NULL;
}

// The view is all of /sys, with the granted parts of the host's bound into it before, and no sysfs.
static void no_sysfs(void **)
{
	struct scene s;
	int cpu, nic, sys;

	prepare("paper", "cpus=13 nic=82:00.0", &s);
	make(&s);
	cpu = find(&s.plan, STEP_BIND, FENCE_DIR "/view/sys/devices/system/cpu/cpu13");
	nic =
		find(&s.plan,
		     STEP_BIND,
		     FENCE_DIR "/view/sys/devices/pci0000:80/0000:80:02.0/0000:82:00.0");
	sys = find(&s.plan, STEP_BIND, FENCE_DIR "/root/sys");
	assert_true(cpu >= 0 && nic > cpu && sys > nic);
	assert_string_equal(s.plan.steps[cpu].value, "/sys/devices/system/cpu/cpu13");
	assert_true(s.plan.steps[cpu].readonly && s.plan.steps[nic].readonly);
	assert_true(s.plan.steps[sys].readonly && s.plan.steps[sys].recursive);
	assert_null(mount_at(&s.plan, "/sys"));
	assert_non_null(mount_at(&s.plan, "/proc/stat"));
	done(&s);
}

// The host's directories lie under overlays, and the runtime finds nodes of our own in /dev.
static void nothing_of_the_host_itself(void **)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
	struct scene s;

	prepare("two", "cpus=1", &s);
	make(&s);
	for (unsigned i = 0; i < s.plan.nsteps; i++) {
		const struct step *step = &s.plan.steps[i];

		if (step->kind == STEP_BIND && str_starts(step->path, FENCE_DIR "/root/"))
			assert_string_equal(step->value, FENCE_DIR "/view/sys");
	}
	assert_string_equal(
		s.plan.steps[find(&s.plan, STEP_OVERLAY, FENCE_DIR "/root/usr")].value,
		"lowerdir=" FENCE_DIR "/none:/usr"
	);
	assert_string_equal(
		json_string_value(json_object_get(mount_at(&s.plan, RUN_DIR "/inside"), "source")),
		FENCE_DIR "/tools/pinfold-inside"
	);
	assert_true(find(&s.plan, STEP_OVERLAY, FENCE_DIR "/tools") >= 0);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		char own[64], place[32];
		int node, bound;

		snprintf(own, sizeof(own), FENCE_DIR "/dev/%s", nodes[i]);
		snprintf(place, sizeof(place), "/dev/%s", nodes[i]);
		node = find(&s.plan, STEP_NODE, own);
		bound = find(&s.plan, STEP_BIND, place);
		assert_true(node >= 0 && bound > node);
		assert_string_equal(s.plan.steps[bound].value, own);
		assert_true(s.plan.steps[bound].rdev == s.plan.steps[node].rdev);
		assert_int_equal(s.plan.steps[node].uid, 0);
	}
	done(&s);
}

// What lxcfs tells is taken into the box as a file, like whatever comes from the host.
static void from_lxcfs(void **)
{
	struct scene s;
	const json_t *m;
	int i;

	prepare("two-lxcfs", "cpus=1", &s);
	make(&s);
	m = mount_at(&s.plan, "/proc/uptime");
	assert_non_null(m);
	i = find(&s.plan, STEP_BIND, json_string_value(json_object_get(m, "source")));
	assert_true(i >= 0);
	assert_string_equal(s.plan.steps[i].value, "/var/lib/lxcfs/proc/uptime");
	assert_true(s.plan.steps[i].readonly);
	done(&s);
	prepare("two", "cpus=1", &s);
	make(&s);
	assert_null(mount_at(&s.plan, "/proc/uptime"));
	done(&s);
}

static const json_t *rules(const struct plan *p)
{
	const json_t *os = json_object_get(p->oci, "linux");

	return json_object_get(json_object_get(os, "resources"), "devices");
}

static void nics(void **)
{
	struct scene s;
	struct err err;
	int i;

	prepare("paper", "cpus=13 nic=82:00.0 nic=82:00.1 hugepages=1G=1@1", &s);
	make(&s);
	i = find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/40");
	assert_true(i > find(&s.plan, STEP_DIR, FENCE_DIR "/vfio"));
	assert_int_equal(s.plan.steps[i].mode, 0600);
	assert_int_equal(s.plan.steps[i].uid, 0x70000000);
	assert_true(find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/vfio") >= 0);
	assert_true(find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/41") >= 0);
	// first nothing, then these three
	assert_int_equal(json_array_size(rules(&s.plan)), 4);
	assert_true(json_is_false(json_object_get(json_array_get(rules(&s.plan), 0), "allow")));
	done(&s);
	prepare("paper", "cpus=1", &s);
	make(&s);
	assert_int_equal(json_array_size(rules(&s.plan)), 1);
	assert_int_equal(find(&s.plan, STEP_DIR, FENCE_DIR "/vfio"), -1);
	done(&s);
	prepare("paper", "cpus=1 nic=03:00.0", &s);
	s.lease.grant.nics[0].iommu_group = 99;
	assert_fails(
		plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err, "/dev/vfio/99"
	);
	done(&s);
}

#define UIO_NIC "sys/devices/pci0000:00/0000:5f:00.0"

static void assert_admin_alone(const json_t *caps)
{
	static const char *const sets[] = {
		"bounding", "effective", "inheritable", "permitted", "ambient"};

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		const json_t *set = json_object_get(caps, sets[i]);

		assert_int_equal(json_array_size(set), 1);
		assert_string_equal(json_string_value(json_array_get(set, 0)), "CAP_SYS_ADMIN");
	}
}

static bool has_namespace(const struct plan *p, const char *type)
{
	const json_t *os = json_object_get(p->oci, "linux"), *e;
	size_t i;

	json_array_foreach (json_object_get(os, "namespaces"), i, e) {
		if (str_eq(json_string_value(json_object_get(e, "type")), type))
			return true;
	}
	return false;
}

static void assert_filter(const struct plan *p, uint64_t opened)
{
	_cleanup_json_ json_t *config = plan_config(p), *want = seccomp_default(opened);
	const json_t *os = json_object_get(config, "linux");

	assert_true(json_equal(json_object_get(os, "seccomp"), want));
}

// Its own node and files, by the user of the lease; no user namespace; one capability; and it is said.
static void uio(void **)
{
	const json_t *process, *os;
	struct scene s;
	int i;

	prepare("mlx5", "cpus=1 nic=5f:00.0,unsafe-uio", &s);
	s.launch.uid = 1000;
	make(&s);
	i = find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/uio0");
	assert_true(i > find(&s.plan, STEP_DIR, FENCE_DIR "/vfio"));
	assert_int_equal(s.plan.steps[i].mode, 0600);
	assert_int_equal(s.plan.steps[i].uid, 0x70000000 + 1000);
	assert_true(s.plan.steps[i].rdev == makedev(245, 0));
	assert_int_equal(find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/vfio"), -1);
	assert_int_equal(json_array_size(rules(&s.plan)), 2);
	for (const char *const *f = (const char *const[]){"config", "resource0", "resource3", NULL};
	     *f != NULL;
	     f++) {
		_cleanup_free_ char *path = str_printf("/" UIO_NIC "/%s", *f);
		_cleanup_free_ char *shown = str_printf(FENCE_DIR "/root%s", path);

		i = find(&s.plan, STEP_GIVE, path);
		assert_true(i >= 0 && s.plan.steps[i].where == STEP_HOST);
		assert_int_equal(s.plan.steps[i].uid, 0x70000000 + 1000);
		assert_int_equal(s.plan.steps[i].mode, str_eq(*f, "config") ? 0644 : 0600);
		i = find(&s.plan, STEP_BIND, shown);
		assert_true(i > find(&s.plan, STEP_BIND, FENCE_DIR "/root/sys"));
		assert_false(s.plan.steps[i].readonly);
	}
	assert_int_equal(find(&s.plan, STEP_GIVE, "/" UIO_NIC "/resource1"), -1);
	assert_int_equal(find(&s.plan, STEP_USERNS, PLAN_USERNS), -1);
	assert_false(has_namespace(&s.plan, "user"));
	assert_true(has_namespace(&s.plan, "pid") && has_namespace(&s.plan, "network"));
	process = json_object_get(s.plan.oci, "process");
	os = json_object_get(s.plan.oci, "linux");
	assert_filter(&s.plan, SECCOMP_UIO);
	assert_null(json_object_get(os, "uidMappings"));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(process, "user"), "uid")),
		0x70000000 + 1000
	);
	assert_admin_alone(json_object_get(process, "capabilities"));
	assert_contains(
		json_string_value(json_array_get(s.plan.notes, 0)),
		"no profile, since pinfold-default"
	);
	assert_contains(
		json_string_value(json_array_get(s.plan.notes, 1)), "as good as root on it"
	);
	done(&s);
	// what is left of the fence is that of everybody: another one's has not changed
	prepare("mlx5", "cpus=1", &s);
	make(&s);
	assert_true(has_namespace(&s.plan, "user"));
	assert_filter(&s.plan, 0);
	done(&s);
	prepare("mlx5", "cpus=1 nic=5f:00.0,unsafe-uio", &s);
	s.launch.site = fake_site(PLACE_HOST);
	make(&s);
	assert_int_equal(find(&s.plan, STEP_GIVE, "/" UIO_NIC "/config"), -1);
	done(&s);
}

#define BESIDE "sys/devices/pci0000:00/0000:3b:00.0"

// Its node, and its interface with the InfiniBand device; the directory of a sysfs that shows them; NET_RAW of the
// container's own user namespace.
static void bifurcated(void **)
{
	char path[128];
	struct scene s;
	int i;

	prepare("mlx5", "cpus=1 nic=3b:00.0 netdev=ens1f0np0,name=eth0", &s);
	s.launch.uid = 1000;
	make(&s);
	i = find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/uverbs0");
	assert_true(i > find(&s.plan, STEP_DIR, FENCE_DIR "/vfio"));
	assert_int_equal(s.plan.steps[i].mode, 0600);
	assert_int_equal(s.plan.steps[i].uid, 0x70000000 + 1000);
	assert_true(s.plan.steps[i].rdev == makedev(231, 192));
	assert_int_equal(find(&s.plan, STEP_NODE, FENCE_DIR "/vfio/vfio"), -1);
	assert_int_equal(json_array_size(rules(&s.plan)), 2);
	strcpy(path, PLAN_NETDEVS "/");
	strcat(path, s.lease.grant.name);
	i = find(&s.plan, STEP_NETDEVS, path);
	assert_true(i >= 0);
	assert_string_equal(s.plan.steps[i].value, "ens1f0np0,name=eth0,rdma");
	assert_int_equal(find(&s.plan, STEP_BIND, FENCE_DIR "/view/" BESIDE), -1);
	i = find(&s.plan, STEP_SYSFS, FENCE_DIR "/sysfs");
	assert_true(i > find(&s.plan, STEP_NETNS, PLAN_NETNS));
	assert_true(i < find(&s.plan, STEP_BIND, FENCE_DIR "/root/" BESIDE));
	i = find(&s.plan, STEP_BIND, FENCE_DIR "/root/" BESIDE);
	assert_true(i > find(&s.plan, STEP_BIND, FENCE_DIR "/root/sys"));
	assert_string_equal(
		s.plan.steps[i].value, FENCE_DIR "/sysfs/devices/pci0000:00/0000:3b:00.0"
	);
	assert_true(s.plan.steps[i].readonly);
	assert_true(find(&s.plan, STEP_SYMLINK, FENCE_DIR "/view/sys/class/net/eth0") >= 0);
	assert_true(has_namespace(&s.plan, "user"));
	assert_filter(&s.plan, SECCOMP_RDMA | UINT64_C(1) << CAP_NET_RAW);
	assert_contains(json_string_value(json_array_get(s.plan.notes, 0)), "No hardware has seen");
	done(&s);
	// what has no such NIC has none of it
	prepare("mlx5", "cpus=1 netdev=ens1f0np0", &s);
	make(&s);
	assert_int_equal(find(&s.plan, STEP_SYSFS, FENCE_DIR "/sysfs"), -1);
	assert_filter(&s.plan, 0);
	done(&s);
}

static void refuse_uio(const char *flags, enum site_place place, const char *words)
{
	struct scene s;
	struct err err;

	prepare("mlx5", flags, &s);
	s.launch.site = fake_site(place);
	assert_fails(plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err, words);
	done(&s);
}

static void uio_refusals(void **)
{
	static const char flags[] = "cpus=1 nic=5f:00.0,unsafe-uio";
	struct scene s;
	struct err err;

	for (enum site_place p = 0; p < PLACES; p++) {
		if (p != PLACE_CONTAINER && p != PLACE_HOST && p != PLACE_GIVEN)
			refuse_uio(flags, p, "no keeper, no engine, no --in vm");
	}
	refuse_uio("cpus=1 nic=5f:00.0,unsafe-uio link=memif:a", PLACE_CONTAINER, "no links");
	refuse_uio("cpus=1 nic=5f:00.0,unsafe-uio kernel-port=a", PLACE_CONTAINER, "no links");
	refuse_uio("cpus=1 nic=5f:00.0,unsafe-uio cap=NET_RAW", PLACE_CONTAINER, "over the host");
	prepare("mlx5", flags, &s);
	s.lease.grant.owner_uid = 1000;
	assert_fails(
		plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err, "root's alone"
	);
	s.lease.grant.owner_uid = 0;
	s.lease.grant.claim_by = CLAIM_BY_ENV;
	assert_fails(
		plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err, "root's alone"
	);
	done(&s);
}

// The node and the rule have the number that the host has at this moment; the lease, which is kept, has none.
static void assert_numbers(struct scene *s, unsigned maj, unsigned min)
{
	_cleanup_json_ json_t *lease = NULL;
	_cleanup_free_ char *allowed = NULL, *kept = NULL;
	char rule[64], number[16];
	int i;

	make(s);
	i = find(&s->plan, STEP_NODE, FENCE_DIR "/vfio/40");
	assert_true(i >= 0);
	assert_true(s->plan.steps[i].rdev == makedev(maj, min));
	allowed = json_dumps(rules(&s->plan), JSON_COMPACT);
	snprintf(rule, sizeof(rule), "\"major\":%u,\"minor\":%u,", maj, min);
	assert_contains(allowed, rule);
	lease = lease_to_json(&s->plan.lease);
	kept = json_dumps(lease, JSON_COMPACT);
	snprintf(number, sizeof(number), "%u", maj);
	assert_null(strstr(kept, number));
	plan_done(&s->plan);
}

static void device_numbers(void **)
{
	_cleanup_free_ char *copy = NULL;
	struct scene s;
	struct err err;

	prepare("paper", "cpus=13 nic=82:00.0 hugepages=1G=1@1", &s);
	hostfs_close(&s.fs);
	copy = str_printf("cp -r '%s/paper/.' %s", getenv("FAKE_HOSTS"), top);
	assert_int_equal(system(copy), 0);
	assert_ok(hostfs_open(top, &s.fs, &err), &err);
	assert_numbers(&s, 240, 2);
	assert_ok(fs_write_control(s.fs.root, "sys/class/vfio/40/dev", "4091:777", &err), &err);
	assert_numbers(&s, 4091, 777);
	host_done(&s.host);
	hostfs_close(&s.fs);
}

static void fenced(void **)
{
	static const char *const sets[] = {
		"bounding", "effective", "inheritable", "permitted", "ambient"};
	const json_t *process, *os;
	struct scene s;

	prepare("two", everything, &s);
	make(&s);
	process = json_object_get(s.plan.oci, "process");
	os = json_object_get(s.plan.oci, "linux");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		const json_t *caps = json_object_get(process, "capabilities");

		assert_true(json_is_array(json_object_get(caps, sets[i])));
		assert_int_equal(json_array_size(json_object_get(caps, sets[i])), 0);
	}
	assert_true(json_is_true(json_object_get(process, "noNewPrivileges")));
	assert_true(json_is_true(json_object_get(json_object_get(s.plan.oci, "root"), "readonly")));
	assert_int_equal(json_array_size(json_object_get(os, "namespaces")), 7);
	assert_int_equal(json_array_size(json_object_get(os, "gidMappings")), 3);
	assert_null(json_object_get(s.plan.oci, "hooks"));
	assert_string_equal(
		json_string_value(json_object_get(os, "cgroupsPath")), "/pinfold/x/box/c"
	);
	done(&s);
}

// What this machine cannot enforce is refused, or named.
static void refused(
	const char *kind, unsigned without, enum host_cgroup_version version, const char *words
)
{
	struct scene s;
	struct err err;

	prepare(kind, "cpus=1", &s);
	s.host.cgroup.controllers &= ~without;
	s.host.cgroup.version = version;
	assert_fails(plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err, words);
	assert_null(s.plan.steps);
	if (version != HOST_CGROUP_NONE) {
		s.launch.allow_missing = without;
		make(&s);
		assert_contains(
			json_string_value(
				json_array_get(s.plan.notes, json_array_size(s.plan.notes) - 1)
			),
			"--allow-missing"
		);
	}
	done(&s);
}

static void refusals(void **)
{
	static const struct {
		unsigned bit;
		const char *v1, *v2;
	} cases[] = {
		{HOST_CG_CPUSET, "-o cpuset none", "--allow-missing=cpuset"},
		{HOST_CG_MEMORY, "-o memory none", "--allow-missing=memory"},
		{HOST_CG_PIDS, "mkdir -p /sys/fs/cgroup/pids", "the pids controller is not in"},
		{HOST_CG_HUGETLB, "-o hugetlb none", "--allow-missing=hugetlb"},
		{HOST_CG_HUGETLB_RSVD, "Linux 5.7", "--allow-missing=hugetlb-rsvd"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		refused("two", cases[i].bit, HOST_CGROUP_V1, cases[i].v1);
		refused("two-v2", cases[i].bit, HOST_CGROUP_V2, cases[i].v2);
	}
	refused("two", HOST_CG_DEVICES, HOST_CGROUP_V1, "'devices' cannot be enforced");
	refused("two-bare", HOST_CG_HUGETLB | HOST_CG_HUGETLB_RSVD, HOST_CGROUP_V1, "not mounted");
}

static void no_cgroups(void **)
{
	struct scene s;
	struct err err;

	prepare("two", "cpus=1", &s);
	s.host.cgroup = (struct host_cgroup){0};
	s.launch.allow_missing = ~0u;
	assert_fails(
		plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err),
		&err,
		"cgroups are not mounted"
	);
	done(&s);
}

// A program of the bare host has nobody else who looks for them.
static void cgroups_elsewhere(void **)
{
	const enum site_place places[] = {PLACE_CONTAINER, PLACE_VM, PLACE_HOST};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct scene s;
		struct err err;

		prepare("two", "cpus=1", &s);
		s.launch.site = fake_site(places[i]);
		strcpy(s.host.cgroup.mount, "/my cg");
		if (places[i] == PLACE_HOST)
			assert_ok(
				plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err
			);
		else
			assert_fails(
				plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err),
				&err,
				"cgroups are mounted at '/my cg', and crun looks for them"
			);
		done(&s);
	}
}

// What config.json cannot hold must not be left out of it.
static void bad_text(void **)
{
	const char *const odd[] = {"/usr/bin/true", "\xff\xfe", NULL};

	for (enum site_place place = PLACE_CONTAINER; place <= PLACE_HOST; place++) {
		for (unsigned what = 0; what < (place == PLACE_HOST ? 2u : 4u); what++) {
			struct launch_volume v = {.source = "/opt", .target = "/opt/x"};
			struct scene s;
			struct err err;

			prepare("two", "cpus=1", &s);
			s.launch.site = fake_site(place);
			if (what == 0)
				s.launch.argv = (char *const *)odd;
			if (what == 1)
				s.launch.env[s.launch.nenv++] = "A=\xc3";
			if (what == 2)
				v.source = "/opt/\xc3";
			if (what == 3)
				v.target = "/opt/\xc3";
			if (what >= 2)
				s.launch.volumes[s.launch.nvolumes++] = v;
			assert_fails(
				plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err),
				&err,
				"not UTF-8"
			);
			assert_null(s.plan.steps);
			done(&s);
		}
	}
}

// The lease keeps the start of the command, and must not end it in the middle of a character.
static void long_command(void **)
{
	for (size_t shift = 0; shift < 4; shift++) {
		struct request req = fake_request("cpus=1");
		struct start_request ask = {.request = &req};
		_cleanup_json_ json_t *doc = NULL;
		const char *argv[] = {"x", NULL, NULL};
		char argument[512] = "";
		struct hostfs fs;
		struct host h;
		struct start s;
		struct err err;

		memset(argument, 'a', shift);
		while (strlen(argument) + 4 < sizeof(argument))
			strcat(argument, "\xf0\x9f\x90\x91"); // a sheep
		argv[1] = argument;
		ask.launch = (struct launch){
			.site = fake_site(PLACE_CONTAINER),
			.argv = (char *const *)argv,
			.inside = "/inside",
		};
		fake_open("two", &fs, &h);
		assert_ok(start_prepare(&ask, &fs, &s, &err), &err);
		assert_true(strlen(s.lease.command) > sizeof(s.lease.command) - 8);
		doc = lease_to_json(&s.plan.lease);
		assert_non_null(doc);
		start_done(&s);
		host_done(&h);
		hostfs_close(&fs);
	}
}

static void notes(void **)
{
	struct scene s;

	prepare("big", "cpus=200", &s);
	make(&s);
	assert_contains(json_string_value(json_array_get(s.plan.notes, 0)), "--lcores 0@200");
	done(&s);
	prepare("big", "cpus=7", &s);
	make(&s);
	assert_contains(json_string_value(json_array_get(s.plan.notes, 0)), "0@7,1@7");
	done(&s);
	prepare("big", "cpus=7-8", &s);
	make(&s);
	assert_int_equal(json_array_size(s.plan.notes), 0);
	done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_undo),
		cmocka_unit_test(limits_v2),
		cmocka_unit_test(weights),
		cmocka_unit_test(partition_local),
		cmocka_unit_test(partition_remote),
		cmocka_unit_test(limits_v1),
		cmocka_unit_test(hugetlbfs),
		cmocka_unit_test(constant_mounts),
		cmocka_unit_test(no_sysfs),
		cmocka_unit_test(nothing_of_the_host_itself),
		cmocka_unit_test(from_lxcfs),
		cmocka_unit_test(nics),
		cmocka_unit_test(uio),
		cmocka_unit_test(bifurcated),
		cmocka_unit_test(uio_refusals),
		cmocka_unit_test_setup_teardown(device_numbers, setup, teardown),
		cmocka_unit_test(fenced),
		cmocka_unit_test(refusals),
		cmocka_unit_test(no_cgroups),
		cmocka_unit_test(cgroups_elsewhere),
		cmocka_unit_test(bad_text),
		cmocka_unit_test(long_command),
		cmocka_unit_test(notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
