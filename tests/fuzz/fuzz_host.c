// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A small machine of plain files, some of which say something else, are directories or links, or are not
// there. Only the list of online CPUs may make it unreadable; what is read is whole, and a grant and its
// view can be made of it or are refused in a line.
//
// The input is records: a byte that says which file, a byte that says what becomes of it, the content up
// to a NUL.

#include "fuzz.h"

#include "base/fs.h"
#include "grant/grant.h"
#include "host/hostfs.h"
#include "host/noise.h"
#include "view/view.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPU "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"
#define POOL "hugepages/hugepages-2048kB"
#define NIC "sys/devices/pci0000:00/0000:00:03.0"

static const struct {
	const char *path, *text; // as it is when the input does not say otherwise
} files[] = {
	{CPU "/online", "0-3\n"},
	{CPU "/possible", "0-7\n"},
	{CPU "/present", "0-3\n"},
	{CPU "/isolated", "\n"},
	{CPU "/nohz_full", "    (null)\n"},
	{CPU "/cpu0/topology/core_id", "0\n"},
	{CPU "/cpu0/topology/physical_package_id", "0\n"},
	{CPU "/cpu0/topology/core_cpus_list", "0,2\n"},
	{CPU "/cpu1/topology/core_id", "1\n"},
	{CPU "/cpu1/topology/thread_siblings_list", "1,3\n"},
	{CPU "/cpu0/cache/index0/level", "1\n"},
	{CPU "/cpu0/cache/index0/type", "Data\n"},
	{CPU "/cpu0/cache/index0/size", "32K\n"},
	{CPU "/cpu0/cache/index0/shared_cpu_list", "0,2\n"},
	{NODE "/online", "0-1,250\n"},
	{NODE "/has_memory", "0,250\n"},
	{NODE "/node0/cpulist", "0-1\n"},
	{NODE "/node0/distance", "10 20 80\n"},
	{NODE "/node0/meminfo", "Node 0 MemTotal: 4194304 kB\nNode 0 MemFree: 4194304 kB\n"},
	{NODE "/node0/" POOL "/nr_hugepages", "64\n"},
	{NODE "/node0/" POOL "/free_hugepages", "64\n"},
	{NODE "/node1/cpulist", "2-3\n"},
	{NODE "/node1/distance", "20 10 80\n"},
	{NODE "/node250/meminfo", "Node 250 MemTotal: 4194304 kB\n"},
	{NODE "/node250/" POOL "/nr_hugepages", "9\n"},
	{"sys/kernel/mm/" POOL "/nr_hugepages", "73\n"},
	{"sys/kernel/mm/" POOL "/free_hugepages", "73\n"},
	{"sys/kernel/mm/" POOL "/resv_hugepages", "0\n"},
	{"sys/kernel/mm/" POOL "/surplus_hugepages", "0\n"},
	{"sys/fs/cgroup/cgroup.controllers", "cpuset memory pids hugetlb\n"},
	{"sys/module/apparmor/parameters/enabled", "Y\n"},
	{"sys/kernel/security/apparmor/profiles", "pinfold-default (enforce)\n"},
	{NIC "/vendor", "0x8086\n"},
	{NIC "/class", "0x020000\n"},
	{NIC "/numa_node", "250\n"},
	{NIC "/sriov_totalvfs", "8\n"},
	{NIC "/net/eth0/mtu", "1500\n"},
	{"proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nHugepagesize: 2048 kB\n"},
	{"proc/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"},
	{"proc/cgroups", "#subsys\npids 0 1 1\n"},
	{"proc/cmdline", "quiet\n"},
	{"proc/cpuinfo", "processor\t: 0\n\nprocessor\t: 1\n\n"},
	{"proc/stat", "cpu 1\nbtime 7\n"},
	{"proc/net/route", "Iface\neth0 00000000 0 0003 0 0 0 00000000\n"},
	{"proc/net/ipv6_route", ""},
	{"proc/sys/kernel/osrelease", "6.1.0\n"},
	{"proc/sys/kernel/random/boot_id", "6b2f4d52-3d2c-4b9b-8a6e-0f9f3c2a7d11\n"},
	{"proc/irq/24/smp_affinity_list", "0-3\n"},
	{"proc/irq/24/eth0/x", ""},
	{"proc/700/stat", "700 (x) S 2 0 0 0 -1 4194304 0\n"},
	{"proc/700/status", "Name:\tx\nCpus_allowed_list:\t0\n"},
};

// Places in which the input makes an entry, named by it.
static const char *const parents[] = {
	"sys/kernel/mm/hugepages", "sys/bus/pci/devices", NIC "/net", NODE, "proc/irq"};

// Links whose target the input says.
static const char *const links[] = {
	NIC "/driver", NIC "/iommu_group", NIC "/physfn", "sys/bus/pci/devices/0000:00:03.0"};

static struct hostfs fs;
static char root[64];
static int tmp = -1;

static void give_up(void)
{
	struct err err;

	fs_remove_tree(tmp, strrchr(root, '/') + 1, &err);
}

static void drop(const char *path)
{
	if (unlinkat(fs.root, path, 0) < 0)
		unlinkat(fs.root, path, AT_REMOVEDIR);
}

static void put(const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(fs.root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void put_whole(const char *path, const char *text)
{
	_cleanup_free_ char *full = str_printf("%s/%s", root, path);
	struct err err;
	int fd;

	*strrchr(full, '/') = '\0';
	fd = fs_mkdirs(full, 0755, &err);
	must(fd >= 0);
	close(fd);
	put(path, text);
}

static void set_up(void)
{
	const char *dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct err err;

	snprintf(root, sizeof(root), "%s/pinfold-fuzz.XXXXXX", dir);
	must(mkdtemp(root) != NULL);
	tmp = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(tmp >= 0 && hostfs_open(root, &fs, &err) == 0);
	atexit(give_up);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		put_whole(files[i].path, files[i].text);
	put_whole("sys/bus/pci/devices/x", "");
	drop("sys/bus/pci/devices/x");
}

static bool is_name(const char *s)
{
	return *s != '\0' && strlen(s) < 200 && strchr(s, '/') == NULL && strcmp(s, ".") != 0
	       && strcmp(s, "..") != 0;
}

// Thousands of CPUs or nodes take as many opens: few inputs would be tried, and no other code.
static bool is_large(const char *text)
{
	struct idset set;

	return idset_parse_below(text, IDSET_MAX, &set) >= 0 && idset_count(&set) > 64;
}

// Returns what is to be dropped afterwards, or NULL.
static char *apply(unsigned which, unsigned how, const char *text)
{
	char *path = NULL;

	if (which < ARRAY_LEN(files)) {
		drop(files[which].path);
		if (how == 0)
			put(files[which].path, text);
		else if (how == 1)
			mkdirat(fs.root, files[which].path, 0755);
		return strdup(files[which].path);
	}
	which = (which - (unsigned)ARRAY_LEN(files))
		% (unsigned)(ARRAY_LEN(parents) + ARRAY_LEN(links));
	if (which < ARRAY_LEN(parents)) {
		if (is_name(text))
			path = str_printf("%s/%s", parents[which], text);
		if (path != NULL && mkdirat(fs.root, path, 0755) == 0)
			return path;
	} else {
		path = strdup(links[which - ARRAY_LEN(parents)]);
		if (*text != '\0' && symlinkat(text, fs.root, path) == 0)
			return path;
	}
	free(path);
	return NULL;
}

static void restore(const char *path)
{
	drop(path);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (str_eq(path, files[i].path))
			put(path, files[i].text);
	}
}

static void must_be_whole(const struct host *h)
{
	must(h->ncpus > 0 && h->ncpus == idset_count(&h->online));
	must(h->nnodes > 0 && h->nnodes == idset_count(&h->nodes_online));
	must(!idset_empty(&h->nodes_with_memory));
	must(idset_subset(&h->nodes_with_memory, &h->nodes_online));
	must(idset_next(&h->nodes_online, HOST_NODES) < 0);
	must(h->nsizes <= HOST_PAGE_SIZES && h->nnotes <= HOST_NOTES);
	for (unsigned i = 0; i < h->ncpus; i++) {
		must(host_cpu(h, h->cpus[i].id) == &h->cpus[i]);
		must(idset_has(&h->cpus[i].siblings, h->cpus[i].id));
		must(idset_subset(&h->cpus[i].siblings, &h->online));
		must(host_node(h, (unsigned)h->cpus[i].node) != NULL);
		must(idset_has(&host_node(h, (unsigned)h->cpus[i].node)->cpus, h->cpus[i].id));
	}
	for (unsigned i = 0; i < h->nnodes; i++) {
		must(idset_subset(&h->nodes[i].cpus, &h->online));
		must(h->nodes[i].ndistances == 0 || h->nodes[i].ndistances == h->nnodes);
	}
	for (unsigned i = 0; i < h->nsizes; i++) {
		must(h->hugepages[i].free <= h->hugepages[i].total);
		must(i == 0 || h->hugepages[i - 1].size < h->hugepages[i].size);
	}
	for (unsigned i = 0; i < h->npci; i++)
		must(h->pci[i].node < 0 || host_node(h, (unsigned)h->pci[i].node) != NULL);
}

static void must_grant(const struct host *h, unsigned pages)
{
	static struct grant g;
	const struct holdings nobody = {0};
	struct request req = {.name = "x", .cpu_count = 1};
	struct view view;
	struct err err = {0};

	if (pages > 0)
		req.hugepages[req.nhugepages++] = (struct grant_hugepages){
			.size = UINT64_C(2) << 20, .count = pages, .node = -1};
	if (grant_resolve(&req, h, &nobody, &g, &err) < 0) {
		must_explain(&err);
		return;
	}
	must(idset_count(&g.cpus) == 1 && !idset_empty(&g.mems));
	must(idset_subset(&g.mems, &h->nodes_with_memory));
	must(grant_pages(&g, UINT64_C(2) << 20, -1, true, true) == pages);
	must(view_build(&g, h, &fs, true, &view, &err) == 0);
	view_done(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	const char *end = text + len;
	char *touched[32];
	unsigned n = 0;
	bool online = false;
	struct host h;
	struct err err = {0};

	if (tmp < 0)
		set_up();
	for (const char *at = text; at + 2 < end; at += 2 + strlen(at + 2) + 1) {
		if (is_large(at + 2))
			return 0;
	}
	for (const char *at = text; at + 2 < end && n < ARRAY_LEN(touched);
	     at += 2 + strlen(at + 2) + 1) {
		touched[n] = apply((uint8_t)at[0], (uint8_t)at[1] % 3, at + 2);
		online |= at[0] == 0;
		if (touched[n] != NULL)
			n++;
	}
	if (host_read(&fs, HOST_ALL, &h, &err) < 0) {
		must_explain(&err);
		must(online);
	} else {
		struct host_noise noise;
		json_t *doc = host_to_json(&h);

		must(doc != NULL);
		json_decref(doc);
		must_be_whole(&h);
		must_grant(&h, 0);
		must_grant(&h, 7);
		host_noise(&fs, &h.online, &noise);
		host_done(&h);
	}
	while (n-- > 0) {
		restore(touched[n]);
		free(touched[n]);
	}
	return 0;
}
