// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a workload would see of the fake machines.

#include "fake.h"

#include "view/view.h"

#define CPU "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"
#define POOLS "sys/kernel/mm/hugepages"
#define PCI "sys/bus/pci/devices"

struct scene {
	struct hostfs fs;
	struct host host;
	struct grant grant;
	struct view view;
};

static void build(struct scene *s, bool whole)
{
	struct err err;

	assert_ok(view_build(&s->grant, &s->host, &s->fs, whole, &s->view, &err), &err);
}

static void look(const char *kind, const char *flags, struct scene *s)
{
	const struct holdings nobody = {0};

	fake_open(kind, &s->fs, &s->host);
	fake_grant(&s->host, &nobody, flags, &s->grant);
	build(s, true);
}

// The same, on the bare host.
static void look_again(struct scene *s, bool whole)
{
	view_done(&s->view);
	build(s, whole);
}

static void look_away(struct scene *s)
{
	view_done(&s->view);
	assert_null(s->view.entries);
	host_done(&s->host);
	hostfs_close(&s->fs);
}

static const struct view_entry *find(const struct view *v, const char *path)
{
	for (unsigned i = 0; i < v->n; i++) {
		if (str_eq(v->entries[i].path, path))
			return &v->entries[i];
	}
	return NULL;
}

static void assert_file(const struct view *v, const char *path, const char *text)
{
	const struct view_entry *e = find(v, path);

	if (e == NULL)
		fail_msg("no '%s' in the view", path);
	assert_int_equal(e->kind, VIEW_FILE);
	assert_string_equal(e->value, text);
}

// How many entries of a kind lie directly in the directory.
static unsigned count(const struct view *v, const char *dir, enum view_kind kind)
{
	size_t len = strlen(dir);
	unsigned n = 0;

	for (unsigned i = 0; i < v->n; i++) {
		const char *path = v->entries[i].path;

		n += v->entries[i].kind == kind && strncmp(path, dir, len) == 0 && path[len] == '/'
		     && strchr(path + len + 1, '/') == NULL;
	}
	return n;
}

static const struct view_cover *find_cover(const struct view *v, const char *path)
{
	for (unsigned i = 0; i < v->ncovers; i++) {
		if (str_eq(v->covers[i].path, path))
			return &v->covers[i];
	}
	return NULL;
}

// Parents before children, no path twice, none that leaves the view; what covers a place is there, and
// not below /sys where all of that is the view's.
static void assert_sane(const struct scene *s)
{
	const struct view *v = &s->view;

	for (unsigned i = 0; i < v->n; i++) {
		const char *path = v->entries[i].path, *slash = strrchr(path, '/');

		assert_true(path[0] != '/' && path[0] != '\0');
		assert_null(strstr(path, ".."));
		assert_ptr_equal(find(v, path), &v->entries[i]);
		if (slash != NULL) {
			_cleanup_free_ char *up = strndup(path, (size_t)(slash - path));
			const struct view_entry *parent = find(v, up);

			assert_non_null(parent);
			assert_true(parent < &v->entries[i]);
			assert_int_equal(parent->kind, VIEW_DIR);
		}
	}
	for (unsigned i = 0; i < v->ncovers; i++) {
		const struct view_cover *c = &v->covers[i];

		assert_ptr_equal(find_cover(v, c->path), c);
		assert_true((find(v, c->path) != NULL) == (c->from == NULL));
		assert_true(c->from == NULL || c->from[0] == '/');
		assert_false(v->whole && str_starts(c->path, "sys/"));
	}
}

// The number of a "Name:   123 kB" line.
static uint64_t meminfo(const struct view *v, const char *path, const char *name)
{
	const struct view_entry *e = find(v, path);
	const char *at;

	assert_non_null(e);
	at = strstr(e->value, name);
	if (at == NULL || at[strlen(name)] != ':')
		fail_msg("no '%s' in '%s'", name, e->value);
	return strtoull(at + strlen(name) + 1, NULL, 10);
}

static void small_machine(void **)
{
	struct scene s;

	look("two", "cpus=1 hugepages=2M=40 memory=100M", &s);
	assert_sane(&s);
	assert_file(&s.view, CPU "/online", "1\n");
	assert_file(&s.view, CPU "/present", "1\n");
	assert_file(&s.view, CPU "/possible", "1\n");
	assert_file(&s.view, CPU "/offline", "\n");
	assert_file(&s.view, CPU "/isolated", "\n");
	assert_file(&s.view, CPU "/kernel_max", "8191\n");
	assert_int_equal(find(&s.view, CPU "/cpu1")->kind, VIEW_BIND);
	assert_null(find(&s.view, CPU "/cpu0"));
	assert_file(&s.view, NODE "/online", "0\n");
	assert_file(&s.view, NODE "/has_cpu", "0\n");
	assert_file(&s.view, NODE "/node0/cpulist", "1\n");
	assert_file(&s.view, NODE "/node0/cpumap", "00000002\n");
	assert_file(&s.view, NODE "/node0/distance", "10\n");
	assert_file(&s.view, POOLS "/hugepages-2048kB/nr_hugepages", "40\n");
	assert_file(&s.view, POOLS "/hugepages-2048kB/free_hugepages", "40\n");
	assert_file(&s.view, POOLS "/hugepages-2048kB/resv_hugepages", "0\n");
	assert_file(&s.view, NODE "/node0/hugepages/hugepages-2048kB/free_hugepages", "40\n");
	// a size that is not granted does not exist
	assert_null(find(&s.view, POOLS "/hugepages-1048576kB"));
	assert_null(find(&s.view, NODE "/node0/hugepages/hugepages-1048576kB"));
	assert_int_equal(count(&s.view, PCI, VIEW_LINK), 0);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "MemTotal"), (100 + 80) << 10);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "MemFree"), 100 << 10);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "HugePages_Total"), 40);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "HugePages_Free"), 40);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "Hugepagesize"), 2048);
	assert_int_equal(meminfo(&s.view, "proc/meminfo", "Hugetlb"), 80 << 10);
	assert_int_equal(meminfo(&s.view, NODE "/node0/meminfo", "Node 0 MemTotal"), 180 << 10);
	assert_int_equal(meminfo(&s.view, NODE "/node0/meminfo", "Node 0 HugePages_Total"), 40);
	look_away(&s);
}

static void two_sockets(void **)
{
	struct scene s;

	look("paper", "cpus=1-2,13 hugepages=1G=20 hugepages=2M=4@1,anon memory=1G", &s);
	assert_sane(&s);
	assert_file(&s.view, CPU "/online", "1-2,13\n");
	assert_file(&s.view, CPU "/isolated", "1-2,13\n");
	assert_file(&s.view, CPU "/nohz_full", "1-2,13\n");
	assert_file(&s.view, NODE "/online", "0-1\n");
	assert_file(&s.view, NODE "/has_memory", "0-1\n");
	assert_file(&s.view, NODE "/node0/cpulist", "1-2\n");
	assert_file(&s.view, NODE "/node1/cpulist", "13\n");
	assert_file(&s.view, NODE "/node1/cpumap", "00000000,00002000\n");
	assert_file(&s.view, NODE "/node1/distance", "21 10\n");
	assert_string_equal(find(&s.view, NODE "/node1/cpu13")->value, "../../cpu/cpu13");
	assert_file(&s.view, POOLS "/hugepages-1048576kB/nr_hugepages", "20\n");
	assert_file(&s.view, NODE "/node0/hugepages/hugepages-1048576kB/nr_hugepages", "16\n");
	assert_file(&s.view, NODE "/node1/hugepages/hugepages-1048576kB/nr_hugepages", "4\n");
	assert_file(&s.view, NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	assert_file(&s.view, NODE "/node1/hugepages/hugepages-2048kB/nr_hugepages", "4\n");
	// ordinary memory in equal shares
	assert_int_equal(meminfo(&s.view, NODE "/node0/meminfo", "MemFree"), 512 << 10);
	assert_int_equal(
		meminfo(&s.view, NODE "/node1/meminfo", "MemTotal"), (512 + 4 * 1024 + 8) << 10
	);
	assert_int_equal(
		meminfo(&s.view, "proc/meminfo", "MemTotal"), (1024 + 20 * 1024 + 8) << 10
	);
	look_away(&s);
}

// A CPU of one node and memory of the other: both are seen, each with what it has.
static void cpu_here_memory_there(void **)
{
	struct scene s;

	look("paper", "cpus=1 mems=1", &s);
	assert_sane(&s);
	assert_file(&s.view, NODE "/online", "0-1\n");
	assert_file(&s.view, NODE "/has_cpu", "0\n");
	assert_file(&s.view, NODE "/has_memory", "1\n");
	assert_file(&s.view, NODE "/node1/cpulist", "\n");
	assert_int_equal(meminfo(&s.view, NODE "/node0/meminfo", "MemTotal"), 0);
	look_away(&s);
}

static void eight_nodes(void **)
{
	struct scene s;

	look("big", "cpus=16,100,200 mems=1,6", &s);
	assert_sane(&s);
	assert_file(&s.view, CPU "/online", "16,100,200\n");
	assert_file(&s.view, NODE "/online", "1,4,6\n"); // 200 is of node 4
	assert_file(&s.view, NODE "/node1/distance", "10 32 32\n");
	assert_file(&s.view, NODE "/node6/distance", "32 12 10\n");
	assert_int_equal(count(&s.view, NODE, VIEW_DIR), 3);
	look_away(&s);
}

static void functions(void **)
{
	struct scene s;

	look("paper", "cpus=1 nic=03:00.1 nic=82:00.0", &s);
	assert_sane(&s);
	assert_int_equal(count(&s.view, PCI, VIEW_LINK), 2);
	for (unsigned i = 0; i < s.grant.nnics; i++) {
		char path[64], below[512];
		_cleanup_close_ int fd = -1;
		const struct view_entry *e;

		snprintf(path, sizeof(path), PCI "/%s", s.grant.nics[i].bdf);
		e = find(&s.view, path);
		assert_non_null(e);
		// as seen from the place that is covered, it is the function
		snprintf(below, sizeof(below), "sys/bus/pci/devices/%s/vendor", e->value);
		fd = fs_open_in(s.fs.root, below, O_RDONLY, 0);
		assert_true(fd >= 0);
		assert_non_null(strstr(e->value, s.grant.nics[i].bdf));
	}
	look_away(&s);
}

// Processors in the synthetic cpuinfo.
static unsigned processors(const struct view *v)
{
	const char *p = find(v, "proc/cpuinfo")->value;
	unsigned n = 0;

	for (; (p = strstr(p, "processor\t:")) != NULL; p++)
		n++;
	return n;
}

static void processor_list(void **)
{
	struct scene s;
	char *text;

	look("paper", "cpus=1,13", &s);
	text = find(&s.view, "proc/cpuinfo")->value;
	assert_int_equal(processors(&s.view), 2);
	assert_non_null(strstr(text, "processor\t: 1\n"));
	assert_non_null(strstr(text, "processor\t: 13\n"));
	assert_null(strstr(text, "processor\t: 0\n"));
	assert_contains(text, "E5-2690 v3");
	look_away(&s);
	look("huge", "cpus=1023", &s);
	assert_int_equal(processors(&s.view), 1);
	assert_contains(find(&s.view, "proc/cpuinfo")->value, "processor\t: 1023\n");
	look_away(&s);
}

// As many mounts on every machine, and one for each granted CPU.
static void constant(void **)
{
	static const char *const kinds[] = {"two", "paper", "big", "huge"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (unsigned cpus = 1; cpus <= 2; cpus++) {
			struct scene s;
			char flags[32];
			unsigned binds = 0;

			snprintf(flags, sizeof(flags), "cpu-count=%u", cpus);
			look(kinds[i], flags, &s);
			assert_sane(&s);
			assert_int_equal(s.view.ncovers, 3);
			for (unsigned k = 0; k < s.view.n; k++)
				binds += s.view.entries[k].kind == VIEW_BIND;
			assert_int_equal(binds, cpus);
			assert_true(s.view.n < 80);
			look_away(&s);
		}
	}
}

static void shared_cpus_are_seen(void **)
{
	struct scene s;

	look("paper", "cpus=1", &s);
	idset_add(&s.grant.shared_cpus, 12);
	look_again(&s, true);
	assert_file(&s.view, CPU "/online", "1,12\n");
	assert_file(&s.view, NODE "/node1/cpulist", "12\n");
	assert_int_equal(processors(&s.view), 2);
	look_away(&s);
}

static void without_numa(void **)
{
	struct scene s;

	look("two", "cpus=1", &s);
	s.host.numa = false;
	look_again(&s, true);
	assert_sane(&s);
	assert_null(find(&s.view, NODE));
	look_again(&s, false);
	assert_null(find_cover(&s.view, NODE));
	look_away(&s);
}

// The first node is not granted: it is not there, and the numbers of the others stay.
static void second_node_only(void **)
{
	struct scene s;

	look("paper", "cpus=13,37 mems=1 hugepages=1G=3@1 memory=1G", &s);
	assert_sane(&s);
	assert_file(&s.view, NODE "/online", "1\n");
	assert_file(&s.view, NODE "/possible", "1\n");
	assert_file(&s.view, NODE "/has_cpu", "1\n");
	assert_file(&s.view, NODE "/has_memory", "1\n");
	assert_int_equal(count(&s.view, NODE, VIEW_DIR), 1);
	assert_file(&s.view, NODE "/node1/cpulist", "13,37\n");
	assert_file(&s.view, NODE "/node1/distance", "10\n");
	assert_file(&s.view, NODE "/node1/hugepages/hugepages-1048576kB/nr_hugepages", "3\n");
	assert_int_equal(
		meminfo(&s.view, NODE "/node1/meminfo", "Node 1 MemTotal"),
		meminfo(&s.view, "proc/meminfo", "MemTotal")
	);
	assert_int_equal(meminfo(&s.view, NODE "/node1/meminfo", "Node 1 MemFree"), 1024 << 10);
	look_away(&s);
}

static void everything_below_sys(void **)
{
	static const char *const gone[] = {
		"sys/block",
		"sys/class/block",
		"sys/class/net",
		"sys/dev",
		"sys/devices/system/memory",
		"sys/devices/virtual",
		"sys/firmware",
		"sys/kernel/iommu_groups",
		"sys/module/vfio",
	};
	struct scene s;

	look("paper", "cpus=1", &s);
	assert_true(s.view.whole);
	assert_int_equal(find(&s.view, "sys")->kind, VIEW_DIR);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		assert_null(find(&s.view, gone[i]));
	// EAL takes a /sys without it for none at all
	assert_non_null(find(&s.view, "sys/module"));
	look_away(&s);
}

// What an unprivileged look at a granted function needs, and nothing of its neighbours.
static void way_to_a_function(void **)
{
	struct scene s;

	look("paper", "cpus=1 nic=82:00.0", &s);
	assert_sane(&s);
	assert_int_equal(
		find(&s.view, "sys/devices/pci0000:80/0000:80:02.0/0000:82:00.0")->kind, VIEW_BIND
	);
	// of the bridge only the directory
	assert_int_equal(count(&s.view, "sys/devices/pci0000:80/0000:80:02.0", VIEW_BIND), 1);
	assert_int_equal(count(&s.view, "sys/devices/pci0000:80/0000:80:02.0", VIEW_FILE), 0);
	assert_null(find(&s.view, "sys/devices/pci0000:00"));
	assert_int_equal(count(&s.view, "sys/kernel/iommu_groups", VIEW_DIR), 1);
	assert_string_equal(
		find(&s.view, "sys/kernel/iommu_groups/40/devices/0000:82:00.0")->value,
		"../../../../devices/pci0000:80/0000:80:02.0/0000:82:00.0"
	);
	assert_non_null(find(&s.view, "sys/module/vfio"));
	assert_non_null(find(&s.view, "sys/module/vfio_pci"));
	assert_file(&s.view, "sys/devices/virtual/iommu/dmar0/intel-iommu/cap", "d2008c40660462\n");
	look_away(&s);
}

// Two ports of one card: the way to them is there once.
static void both_ports(void **)
{
	struct scene s;

	look("paper", "cpus=1 nic=82:00.0 nic=82:00.1", &s);
	assert_sane(&s);
	assert_int_equal(count(&s.view, "sys/devices/pci0000:80/0000:80:02.0", VIEW_BIND), 2);
	assert_int_equal(count(&s.view, "sys/kernel/iommu_groups", VIEW_DIR), 2);
	look_away(&s);
}

static void frequencies(void **)
{
	struct scene s;

	look("paper", "cpus=1,13", &s);
	assert_file(&s.view, CPU "/cpufreq/policy13/cpuinfo_max_freq", "3500000\n");
	assert_null(find(&s.view, CPU "/cpufreq/policy13/scaling_cur_freq"));
	assert_null(find(&s.view, CPU "/cpufreq/policy12"));
	look_away(&s);
	look("two", "cpus=1", &s);
	assert_null(find(&s.view, CPU "/cpufreq"));
	look_away(&s);
}

static void counters(void **)
{
	struct scene s;

	look("paper", "cpus=1,13 memory=1G", &s);
	assert_file(
		&s.view,
		"proc/stat",
		"cpu  0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\ncpu13 0 0 0 0 0 0 0 0 0 0\n"
		"intr 0\nctxt 0\nbtime 1700000000\nprocesses 0\nprocs_running 1\n"
		"procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n"
	);
	assert_null(find_cover(&s.view, "proc/loadavg"));
	look_away(&s);
}

static void with_lxcfs(void **)
{
	struct scene s;

	look("two-lxcfs", "cpus=1 hugepages=2M=40", &s);
	assert_sane(&s);
	assert_string_equal(find_cover(&s.view, "proc/uptime")->from, "/var/lib/lxcfs/proc/uptime");
	assert_string_equal(
		find_cover(&s.view, "proc/loadavg")->from, "/var/lib/lxcfs/proc/loadavg"
	);
	// what it tells otherwise than /sys stays the view's
	assert_null(find_cover(&s.view, "proc/meminfo")->from);
	assert_null(find_cover(&s.view, "proc/cpuinfo")->from);
	assert_null(find_cover(&s.view, "proc/stat")->from);
	look_again(&s, false);
	assert_null(find_cover(&s.view, "proc/uptime"));
	look_away(&s);
}

// There is a real /sys, of which parts are covered.
static void on_the_bare_host(void **)
{
	struct scene s;

	look("paper", "cpus=1 nic=82:00.0", &s);
	look_again(&s, false);
	assert_sane(&s);
	assert_int_equal(s.view.ncovers, 6);
	assert_non_null(find_cover(&s.view, CPU));
	assert_non_null(find_cover(&s.view, NODE));
	assert_non_null(find_cover(&s.view, POOLS));
	assert_non_null(find_cover(&s.view, PCI));
	assert_non_null(find_cover(&s.view, "proc/cpuinfo"));
	assert_non_null(find_cover(&s.view, "proc/meminfo"));
	assert_int_equal(count(&s.view, PCI, VIEW_LINK), 1);
	assert_null(find(&s.view, "sys/kernel/iommu_groups"));
	look_away(&s);
}

// Nodes of memory alone, among them one with a large number.
static void memory_alone(void **)
{
	struct scene s;

	look("gpus", "cpus=1 mems=0,250 hugepages=2M=9@250 memory=256M", &s);
	assert_sane(&s);
	assert_file(&s.view, NODE "/online", "0,250\n");
	assert_file(&s.view, NODE "/has_cpu", "0\n");
	assert_file(&s.view, NODE "/has_memory", "0,250\n");
	assert_file(&s.view, NODE "/node250/cpulist", "\n");
	assert_file(&s.view, NODE "/node250/distance", "80 10\n");
	assert_file(&s.view, NODE "/node250/hugepages/hugepages-2048kB/nr_hugepages", "9\n");
	assert_file(&s.view, CPU "/nohz_full", "\n");
	look_away(&s);
}

// What cannot be asked of the host is made of the grant: the host's own is never shown instead.
static void proc_that_cannot_be_read(void **)
{
	char root[] = "/tmp/pinfold-test-view.XXXXXX";
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct scene s;
	struct err err;
	int dir;

	look("two", "cpus=1", &s);
	hostfs_close(&s.fs);
	assert_non_null(mkdtemp(root));
	assert_ok(hostfs_open(root, &s.fs, &err), &err);
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(mkdirat(dir, "proc", 0755), 0);
	assert_int_equal(mkdirat(dir, "proc/cpuinfo", 0755), 0);
	assert_int_equal(mkdirat(dir, "proc/stat", 0755), 0);
	close(dir);
	look_again(&s, true);
	assert_file(&s.view, "proc/cpuinfo", "processor\t: 1\n\n");
	assert_non_null(find_cover(&s.view, "proc/cpuinfo"));
	assert_non_null(strstr(find(&s.view, "proc/stat")->value, "\ncpu1 0 0 "));
	assert_non_null(find_cover(&s.view, "proc/stat"));
	look_away(&s);
	assert_ok(fs_remove_tree(tmp, root + strlen("/tmp/"), &err), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_machine),
		cmocka_unit_test(two_sockets),
		cmocka_unit_test(cpu_here_memory_there),
		cmocka_unit_test(eight_nodes),
		cmocka_unit_test(functions),
		cmocka_unit_test(processor_list),
		cmocka_unit_test(constant),
		cmocka_unit_test(shared_cpus_are_seen),
		cmocka_unit_test(without_numa),
		cmocka_unit_test(second_node_only),
		cmocka_unit_test(everything_below_sys),
		cmocka_unit_test(way_to_a_function),
		cmocka_unit_test(both_ports),
		cmocka_unit_test(frequencies),
		cmocka_unit_test(counters),
		cmocka_unit_test(with_lxcfs),
		cmocka_unit_test(on_the_bare_host),
		cmocka_unit_test(memory_alone),
		cmocka_unit_test(proc_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
