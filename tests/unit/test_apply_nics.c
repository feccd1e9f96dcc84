// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who uses a NIC, and whether it has gone, from a /proc, /sys and /dev of plain files; what is said of it. That the
// kernel gives a group to one at a time is tried where there is one: tests/e2e/pinfold/test_guest_nic.py.

#include "fake.h"
#include "scratch.h"

#include "apply/apply.h"
#include "apply/nics_gone.h"
#include "host/vfio.h"

#include <sys/sysmacros.h>

// of /dev/null and of /dev/zero, for groups 40 and 41
#define GROUP makedev(1, 3)
#define OTHER makedev(1, 5)

static struct hostfs fs;

static char *full(const char *path, char buf[static 256])
{
	snprintf(buf, 256, "%s/%s", top, path);
	for (char *p = buf + strlen(top) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	return buf;
}

static void put(const char *path, const char *text)
{
	char buf[256];
	_cleanup_fclose_ FILE *f = fopen(full(path, buf), "w");

	assert_non_null(f);
	fputs(text, f);
}

static void put_node(const char *path, dev_t rdev)
{
	char buf[256];

	if (mknod(full(path, buf), S_IFCHR | 0600, rdev) < 0)
		skip_because("no device nodes can be made here");
}

// A descriptor of a process: what its link says. A node of the tree is given as "dev/vfio/40".
static void put_fd(const char *path, const char *link)
{
	char buf[256], target[256];

	if (str_starts(link, "dev/"))
		link = full(link, target);
	assert_int_equal(symlink(link, full(path, buf)), 0);
}

static int begin(void **state)
{
	struct err err;

	if (setup(state) < 0)
		return -1;
	put("etc/x", "");
	put("run/x", "");
	put("sys/class/vfio/40/dev", "1:3\n");
	put("sys/class/vfio/41/dev", "1:5\n");
	return hostfs_open(top, &fs, &err);
}

static int end(void **state)
{
	hostfs_close(&fs);
	return teardown(state);
}

// What cannot be looked at is no free NIC, but for one that vfio-pci has not.
static void in_use(void **)
{
	struct err err;

	assert_int_equal(host_vfio_in_use(&fs, 99, &err), 0);
	assert_fails(host_vfio_in_use(&fs, 40, &err), &err, "VFIO group 40");
	put("dev/vfio/40", "");
	assert_fails(host_vfio_in_use(&fs, 40, &err), &err, "'/dev/vfio/40' (1:3)");
	put_node("dev/vfio/41", GROUP);
	assert_fails(host_vfio_in_use(&fs, 41, &err), &err, "'/dev/vfio/41' (1:5)");
	// one that confines nothing is called otherwise
	put("sys/class/vfio/noiommu-42/dev", "1:3\n");
	assert_int_equal(host_vfio_in_use(&fs, 42, &err), 0);
	assert_fails(host_vfio_noiommu_in_use(&fs, 42, &err), &err, "VFIO group noiommu-42");
	put_node("dev/vfio/noiommu-42", GROUP);
	assert_int_equal(host_vfio_noiommu_in_use(&fs, 42, &err), 0);
	assert_int_equal(host_vfio_noiommu_in_use(&fs, 43, &err), 0);
}

static void nobody(void **)
{
	struct err err;

	put_node("dev/vfio/40", GROUP);
	assert_int_equal(host_vfio_in_use(&fs, 40, &err), 0);
}

static void users(void **)
{
	struct grant g = {.nnics = 2, .nics = {{"0000:01:00.0", 40}, {"0000:02:00.0", 41}}};
	struct ledger l;
	struct err err;
	char buf[256];

	put_node("dev/vfio/40", GROUP);
	put_node("dev/vfio/41", OTHER);
	put_node("dev/pts/40", GROUP);
	put("proc/11/comm", "qemu\x1b\n");
	put_fd("proc/11/fd/3", "/dev/full");
	put_fd("proc/11/fd/4", "dev/vfio/40");
	put("proc/12/comm", "testpmd\n"); // the other one
	put_fd("proc/12/fd/3", "dev/vfio/41");
	put_fd("proc/12/fd/4", "anon_inode:[vfio-device]");
	put("proc/13/cgroup", "9:pids:/pinfold/peer/box/c\n0::/\n"); // was passed a device alone
	put_fd("proc/13/fd/9", "anon_inode:[vfio-device]");
	put("proc/14/cgroup", "0::/pinfold-part/box\n");
	put_fd("proc/14/fd/9", "dev/vfio/40");
	put("proc/15/cgroup", "0::/pinfold/peer/box\n"); // of a lease that was named already
	put_fd("proc/15/fd/9", "dev/vfio/40");
	put("proc/16/comm", "fake\n"); // below a cgroup that has the look of a lease's
	put("proc/16/cgroup", "0::/user/pinfold/nobody/box\n");
	put_fd("proc/16/fd/9", "dev/vfio/40");
	put("proc/17/comm", "none\n");
	put_fd("proc/17/fd/0", "socket:[40]");
	put_fd("proc/17/fd/1", "/");
	put_fd("proc/17/fd/2", "dev/pts/40"); // asked of no other file system
	put("proc/18/comm", "cdev\n");
	put_fd("proc/18/fd/3", "/dev/vfio/devices/vfio0");

	assert_ok(ledger_open(&fs, true, &l, &err), &err);
	put("run/pinfold/leases/peer.json", "{}");
	put("run/pinfold/leases/part.json", "{}");
	nics_users(&l, &g, 1, buf, sizeof(buf));
	for (size_t i = 0; i < 5; i++) {
		static const char *const who[] = {
			"process 11 (qemu )",
			"'peer'",
			"'part'",
			"process 16 (fake)",
			"process 18 (cdev)"};

		assert_contains(buf, who[i]);
	}
	assert_int_equal(
		strlen(buf),
		strlen("process 11 (qemu ), 'peer', 'part', process 16 (fake), process 18 (cdev)")
	);
	nics_users(&l, &g, 2, buf, sizeof(buf));
	assert_contains(buf, "process 12 (testpmd)");
	assert_null(strstr(buf, "process 11"));
	nics_users(&l, &g, 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
	ledger_close(&l);
}

static void drop(const char *path)
{
	char buf[256];

	snprintf(buf, sizeof(buf), "%s/%s", top, path);
	assert_int_equal(remove(buf), 0);
}

// Each is told of once, by its own directory or by its node; a node that cannot be read is not gone.
static void gone(void **)
{
	struct lease lease = {
		.grant =
			{.nnics = 4,
			 .nics =
				 {{"0000:01:00.0", 40},
				  {"0000:01:00.1", 40},
				  {"0000:02:00.0", 41},
				  {"0000:03:00.0", -1, .uio = true}}},
	};
	struct nics_known k;

	for (unsigned i = 0; i < lease.grant.nnics; i++) {
		char path[64];

		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/x", lease.grant.nics[i].bdf);
		put(path, "");
	}
	put("sys/bus/pci/devices/0000:03:00.0/uio/uio0/dev", "1:7\n");
	nics_know(&fs, &lease, &k);
	assert_true(k.node[0] == GROUP && k.node[1] == GROUP && k.node[2] == OTHER);
	assert_true(k.node[3] == makedev(1, 7));
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 0);
	put("sys/class/vfio/41/dev", "nonsense\n");
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 0);
	// of two in a group
	drop("sys/bus/pci/devices/0000:01:00.1/x");
	drop("sys/bus/pci/devices/0000:01:00.1");
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 1 << 1);
	assert_int_equal(k.refused, 0);
	drop("sys/class/vfio/40/dev");
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 1 << 0);
	assert_int_equal(k.refused, 1 << 0 | 1 << 1);
	// what could not be refused is tried again: it has no cgroup here
	lease.site = site_of(PLACE_CONTAINER);
	// bound anew, with another number
	put("sys/class/vfio/41/dev", "1:3\n");
	drop("sys/bus/pci/devices/0000:03:00.0/uio/uio0/dev");
	drop("sys/bus/pci/devices/0000:03:00.0/uio/uio0");
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 1 << 2 | 1 << 3);
	assert_int_equal(nics_look_gone(&fs, &lease, &k), 0);
	assert_int_equal(k.gone, 15);
	assert_int_equal(k.refused, 1 << 0 | 1 << 1);
}

static void text(void **)
{
	struct grant g = {.nnics = GRANT_NICS};
	struct charges c = {.nics = 1};
	char buf[CHARGES_STR];

	for (unsigned i = 0; i < g.nnics; i++)
		snprintf(g.nics[i].bdf, sizeof(g.nics[i].bdf), "10000:%02x:00.0", i & 0xff);
	assert_false(charges_any(&(struct charges){0}));
	assert_true(charges_any(&c));
	assert_string_equal(charges_text(&c, &g, buf), "NIC 10000:00:00.0");
	c = (struct charges){.memory = 1, .nics = 6};
	assert_string_equal(
		charges_text(&c, &g, buf), "1M of memory and NICs 10000:01:00.0, 10000:02:00.0"
	);
	c = (struct charges){.memory = GIB, .hugepages = 2 << 20};
	assert_contains(charges_text(&c, &g, buf), "1G of memory and 2M of hugepages");
	c.nics = UINT64_MAX;
	assert_contains(
		charges_text(&c, &g, buf),
		"1G of memory, 2M of hugepages and NICs 10000:00:00.0, 10000:01:00.0, "
		"10000:02:00.0, "
		"10000:03:00.0 and 60 more"
	);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(in_use),
		EACH(nobody),
		EACH(users),
		EACH(gone),
		cmocka_unit_test(text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
