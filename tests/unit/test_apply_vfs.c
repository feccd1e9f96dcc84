// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// VFs, made and taken away in a tree of plain files; what the kernel tells of them, read. With a kernel and a PF:
// tests/e2e/pinfold/test_guest_vfs.py.

#include "fake.h"
#include "scratch.h"

#include "apply/apply.h"
#include "apply/netlink.h"
#include "apply/vf.h"
#include "base/clock.h"
#include "ledger/binding.h"
#include "ledger/vf_record.h"
#include "plan/vfs.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <string.h>

#define PF "0000:10:00.0"
#define VF "0000:10:10.0"
#define AT_PF "sys/bus/pci/devices/" PF "/"
#define AT_VF "sys/bus/pci/devices/" VF "/"
#define BOOT "3d9cdeba-1ba6-4c30-8f05-0d2d2f2c0c0a"

static struct ledger l;
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

static void put_link(const char *path, const char *target)
{
	char buf[256];

	assert_int_equal(symlink(target, full(path, buf)), 0);
}

static void assert_file(const char *path, const char *text)
{
	_cleanup_free_ char *is = NULL;

	assert_int_equal(fs_read(topfd, path, 64, &is, NULL), 0);
	assert_string_equal(is, text);
}

static bool there(const char *path)
{
	return faccessat(topfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int begin(void **state)
{
	struct err err;

	if (setup(state) < 0)
		return -1;
	put("etc/x", "");
	put("run/x", "");
	put("proc/sys/kernel/random/boot_id", BOOT "\n");
	put(AT_PF "vendor", "0x8086\n");
	put("sys/devices/system/cpu/online", "0\n");
	put("sys/devices/system/cpu/possible", "0\n");
	put("sys/devices/system/cpu/present", "0\n");
	put("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1000 kB\n");
	put("proc/self/mountinfo", "");
	put("proc/cmdline", "\n");
	put(AT_PF "device", "0x1592\n");
	put(AT_PF "class", "0x020000\n");
	put(AT_PF "sriov_totalvfs", "4\n");
	put(AT_PF "sriov_numvfs", "0");
	put(AT_PF "sriov_drivers_autoprobe", "1");
	return hostfs_open(top, &fs, &err) < 0 || ledger_open(&fs, true, &l, &err) < 0 ? -1 : 0;
}

static int end(void **state)
{
	ledger_close(&l);
	hostfs_close(&fs);
	return teardown(state);
}

// ---- words

static void text_and_back(void **)
{
	static const char *const texts[] = {
		"0",
		"7 mac=02:00:00:00:0a:ff",
		"255 mac=00:00:00:00:00:00 vlan=0 qos=0 protocol=8100 spoof-check=on trust=off",
		"1 vlan=4094 qos=7 protocol=88a8 spoof-check=off trust=on",
		// told by a kernel, and nothing that a person can say
		"1 mac=ff:ff:ff:ff:ff:ff vlan=4095 qos=8",
		"1 vlan=2147483647 qos=2147483647 protocol=ffff",
	};
	static const char *const wrong[] = {
		"",
		"x",
		"256",
		"1 mac=02:00:00:00:00",
		"1 vlan=-1",
		"1 trust=1",
		"1 spoof-check=",
		"1 color=red",
		"1 mac=02:00:00:00:00:01x"};
	char buf[VF_STR];
	struct err err;
	struct vf v;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_ok(vf_parse(texts[i], &v, &err), &err);
		assert_string_equal(vf_text(&v, buf), texts[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_fails(vf_parse(wrong[i], &v, &err), &err, "");
	assert_fails(vf_parse_word("vlan=4095", &v, &err), &err, "'4095' is no number from 0 to");
	v = NO_VF;
	assert_fails(vf_parse_word("mac=ff:ff:ff:ff:ff:ff", &v, &err), &err, "of one interface");
}

// ---- what the kernel tells

static void put_vf(struct netlink_message *m, unsigned number, uint32_t trust)
{
	struct ifla_vf_mac mac = {.vf = number, .mac = {2, 0, 0, 0, 0, (unsigned char)number}};
	struct ifla_vf_spoofchk on = {.vf = number, .setting = trust};
	struct ifla_vf_vlan_info vlan = {number, 100 + number, 3, htons(0x88a8)};
	struct rtattr *info = netlink_nest(m, IFLA_VF_INFO), *list;

	netlink_put(m, IFLA_VF_MAC, &mac, sizeof(mac));
	list = netlink_nest(m, IFLA_VF_VLAN_LIST);
	netlink_put(m, IFLA_VF_VLAN_INFO, &vlan, sizeof(vlan));
	netlink_nest_end(m, list);
	netlink_put(m, IFLA_VF_TRUST, &on, sizeof(on));
	netlink_nest_end(m, info);
}

static void kernel_tells(void **)
{
	static struct vf_list list;
	struct netlink_message m;
	struct ifinfomsg *i = netlink_begin(&m, RTM_NEWLINK, 0, sizeof(*i));
	struct rtattr *all;
	char buf[VF_STR];

	i->ifi_index = 7;
	netlink_put_text(&m, IFLA_PARENT_DEV_NAME, PF);
	all = netlink_nest(&m, IFLA_VFINFO_LIST);
	put_vf(&m, 0, 1);
	put_vf(&m, 1, UINT32_MAX); // the driver does not know
	netlink_nest_end(&m, all);
	netlink_put_text(&m, IFLA_IFALIAS, "behind it");
	list = (struct vf_list){.pf = PF};
	assert_int_equal(vf_take(&m.head, &list), 0);
	assert_int_equal(list.index, 7);
	assert_int_equal(list.n, 2);
	assert_false(list.none);
	assert_string_equal(
		vf_text(vf_find(&list, 0), buf),
		"0 mac=02:00:00:00:00:00 vlan=100 qos=3 protocol=88a8 trust=on"
	);
	assert_string_equal(
		vf_text(vf_find(&list, 1), buf),
		"1 mac=02:00:00:00:00:01 vlan=101 qos=3 protocol=88a8"
	);
	assert_null(vf_find(&list, 2));
	// an interface of that name, and of another function
	list = (struct vf_list){.pf = VF};
	assert_int_equal(vf_take(&m.head, &list), -ENODEV);
}

// All in reset, or a driver that cannot tell: only the former will in a moment.
static void kernel_tells_of_none(void **)
{
	static struct vf_list list;
	struct netlink_message m;

	netlink_begin(&m, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	list = (struct vf_list){.pf = PF};
	assert_int_equal(vf_take(&m.head, &list), 0);
	assert_true(list.none);
	netlink_nest_end(&m, netlink_nest(&m, IFLA_VFINFO_LIST));
	list = (struct vf_list){.pf = PF};
	assert_int_equal(vf_take(&m.head, &list), 0);
	assert_int_equal(list.n, 0);
	assert_false(list.none);
}

// ---- nic vfs

static void made_and_taken_away(void **)
{
	struct host_pci pf = {.bdf = PF, .totalvfs = 4};
	static struct vfs_wish w;
	struct err err;

	w = (struct vfs_wish){.pf = &pf, .count = 3};
	assert_ok(nic_vfs(&l, &w, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "3");
	assert_file(AT_PF "sriov_drivers_autoprobe", "1");
	assert_false(there(VFS_DIR + 1));
	pf.numvfs = 3;
	w.count = 0;
	assert_ok(nic_vfs(&l, &w, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "0");
}

// They are made, and then cannot be set.
static void failure_half_way(void **)
{
	struct host_pci pf = {.bdf = PF, .totalvfs = 4};
	static struct vfs_wish w;
	struct err err;

	w = (struct vfs_wish){.pf = &pf, .count = 2, .n = 1, .set = {NO_VF}};
	w.set[0].vlan = 5;
	assert_fails(nic_vfs(&l, &w, &err), &err, "NIC " PF " has no network interface");
	assert_file(AT_PF "sriov_numvfs", "0");
	assert_file(AT_PF "sriov_drivers_autoprobe", "1");
	assert_false(there(VFS_DIR + 1));
}

// The kernel would wait for whoever has it.
static void open_vf_keeps_all(void **)
{
	struct host_pci pf = {.bdf = PF, .totalvfs = 4, .numvfs = 2};
	static struct vfs_wish w;
	struct err err;

	put(AT_PF "sriov_numvfs", "2");
	put(AT_VF "vendor", "");
	put_link(AT_PF "virtfn0", "../" VF);
	put_link(AT_VF "driver", "../../drivers/vfio-pci");
	put_link(AT_VF "iommu_group", "../../../../kernel/iommu_groups/40");
	put("sys/class/vfio/40/dev", "1:3\n");
	w = (struct vfs_wish){.pf = &pf};
	assert_fails(nic_vfs(&l, &w, &err), &err, "VFIO group 40");
	assert_file(AT_PF "sriov_numvfs", "2");
}

// However many there are: pinfold itself makes fewer.
static void open_vf_beyond_those_that_are_made(void **)
{
	struct host_pci pf = {.bdf = PF, .totalvfs = 300, .numvfs = 257};
	static struct vfs_wish w;
	struct err err;

	put(AT_PF "sriov_numvfs", "257");
	for (unsigned i = 0; i < 257; i++) {
		char path[80];

		snprintf(path, sizeof(path), AT_PF "virtfn%u", i);
		put_link(path, i < 256 ? "../0000:10:20.0" : "../" VF);
	}
	put_link(AT_VF "driver", "../../drivers/vfio-pci");
	put_link(AT_VF "iommu_group", "../../../../kernel/iommu_groups/40");
	put("sys/class/vfio/40/dev", "1:3\n");
	w = (struct vfs_wish){.pf = &pf};
	assert_fails(nic_vfs(&l, &w, &err), &err, "VFIO group 40");
	assert_file(AT_PF "sriov_numvfs", "257");
}

// Its VFs go with its driver: whoever has one would be waited for. The host was read before they were made.
static void driver_of_a_pf_with_vfs_stays(void **)
{
	struct host_pci pf = {.bdf = PF, .driver = "ice", .iommu_group = 20};
	struct binding b = {.bdf = PF, .driver = "uio_pci_generic", .former = "ice", .kept = true};
	struct host h = {.npci = 1, .pci = &pf, .boot_id = BOOT};
	struct err err;

	put(AT_PF "sriov_numvfs", "2");
	put_link(AT_PF "driver", "../../drivers/ice");
	assert_fails(nic_bind(&l, &h, &pf, "vfio-pci", "", false, &err), &err, "has 2 VFs");
	assert_contains(err.msg, "pinfold nic vfs " PF " 0");
	assert_int_equal(unlinkat(topfd, AT_PF "driver", 0), 0);
	put_link(AT_PF "driver", "../../drivers/uio_pci_generic");
	assert_fails(nic_return(&l, &b, &err), &err, "has 2 VFs");
}

// ---- killed half way

static void leave(const struct vf_record *r)
{
	struct err err;

	put(AT_PF "sriov_numvfs", "2");
	put(AT_PF "sriov_drivers_autoprobe", "0");
	assert_ok(vf_record_write(&l, VFS_DIR, r, &err), &err);
}

static void collected(void **)
{
	static struct vf_record r = {
		.nic = PF, .pf = PF, .boot_id = BOOT, .made = 2, .autoprobe = true};
	struct err err;

	leave(&r);
	assert_ok(vfs_collect(&l, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "0");
	assert_file(AT_PF "sriov_drivers_autoprobe", "1");
	assert_false(there(VFS_DIR + 1));
	// of another boot: those that there are now are others
	strcpy(r.boot_id, "another");
	leave(&r);
	assert_ok(vfs_collect(&l, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "2");
	assert_false(there(VFS_DIR + 1));
}

// Of what is there when the next pinfold looks: made by somebody else, or in use since.
static void not_ours_any_more(void **)
{
	static struct vf_record r = {
		.nic = PF, .pf = PF, .boot_id = BOOT, .made = 2, .autoprobe = true};
	struct host_pci pf = {.bdf = PF, .totalvfs = 4, .numvfs = 3};
	static struct vfs_wish w;
	struct err err;

	leave(&r);
	put(AT_PF "sriov_numvfs", "3");
	assert_fails(vfs_collect(&l, &err), &err, "it has 3 VFs, and 2 were being made");
	assert_contains(err.msg, "pinfold nic vfs " PF " 3");
	assert_file(AT_PF "sriov_numvfs", "3");
	assert_file(AT_PF "sriov_drivers_autoprobe", "1");
	// what root makes of that from now on is not written over by each collection
	put(AT_PF "sriov_drivers_autoprobe", "0");
	assert_fails(vfs_collect(&l, &err), &err, "it has 3 VFs, and 2 were being made");
	assert_file(AT_PF "sriov_drivers_autoprobe", "0");
	// as it says: they stay
	w = (struct vfs_wish){.pf = &pf, .count = 3};
	assert_ok(nic_vfs(&l, &w, &err), &err);
	assert_ok(vfs_collect(&l, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "3");
	assert_false(there(VFS_DIR + 1));
}

static void in_use_since(void **)
{
	static struct vf_record r = {.nic = PF, .pf = PF, .boot_id = BOOT, .made = 2};
	struct err err;

	put(AT_VF "vendor", "0x8086\n");
	put(AT_VF "device", "0x1889\n");
	put(AT_VF "class", "0x020000\n");
	put_link(AT_VF "physfn", "../" PF);
	put_link(AT_PF "virtfn0", "../" VF);
	leave(&r);
	// its interface is in another network namespace
	put_link(AT_VF "driver", "../../../../bus/pci/drivers/iavf");
	assert_fails(vfs_collect(&l, &err), &err, "VF " VF " (iavf) has no interface here");
	assert_file(AT_PF "sriov_numvfs", "2");
	// it is a port
	put(AT_VF "net/vf0/upper_br0/x", "");
	assert_fails(vfs_collect(&l, &err), &err, "VF " VF " (vf0) is a port of br0");
	assert_file(AT_PF "sriov_numvfs", "2");
	assert_true(there("run/pinfold/vfs/" PF ".json"));
	// nobody's
	assert_int_equal(unlinkat(topfd, AT_VF "net/vf0/upper_br0/x", 0), 0);
	assert_int_equal(unlinkat(topfd, AT_VF "net/vf0/upper_br0", AT_REMOVEDIR), 0);
	assert_ok(vfs_collect(&l, &err), &err);
	assert_file(AT_PF "sriov_numvfs", "0");
	assert_false(there(VFS_DIR + 1));
}

static void of_a_lease(void **)
{
	static struct vf_record r = {
		.nic = VF, .pf = PF, .boot_id = BOOT, .lease = "fw", .n = 1, .vfs = {NO_VF}};
	struct err err;

	leave(&r);
	put("run/pinfold/leases/fw.json", "{}");
	assert_ok(vfs_collect(&l, &err), &err);
	assert_true(there("run/pinfold/vfs/" VF ".json"));
	assert_ok(
		nics_return(
			&l,
			&(struct grant){.name = "other", .nnics = 1, .nics = {{VF, 40}}},
			0,
			&err
		),
		&err
	);
	assert_true(there("run/pinfold/vfs/" VF ".json"));
	// it was taken away meanwhile: there is nothing to be set
	assert_ok(
		nics_return(
			&l, &(struct grant){.name = "fw", .nnics = 1, .nics = {{VF, 40}}}, 0, &err
		),
		&err
	);
	assert_false(there(VFS_DIR + 1));
	assert_file(AT_PF "sriov_numvfs", "2");
}

// A PF and its VF, as the host is read.
static struct host *read_host(void)
{
	static struct host_pci pci[2];
	static struct host h;

	pci[0] = (struct host_pci){.bdf = PF, .class = 0x020000, .driver = "ice"};
	pci[1] = (struct host_pci){.bdf = VF, .class = 0x020000, .physfn = PF};
	h = (struct host){.npci = 2, .pci = pci, .boot_id = BOOT};
	return &h;
}

// An interface of another function, as which the kernel's own is seen.
static void put_silent_interface(void)
{
	put(AT_PF "net/lo/x", "");
}

// One that is in another network namespace leaves the directory.
static void take_interface(const char *name)
{
	char path[80];

	snprintf(path, sizeof(path), AT_PF "net/%s/x", name);
	assert_int_equal(unlinkat(topfd, path, 0), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(unlinkat(topfd, path, AT_REMOVEDIR), 0);
}

// It has not gone, and cannot be set: nobody else is to have it.
static void what_cannot_be_put_back_stays(void **)
{
	static struct vf_record r = {
		.nic = VF, .pf = PF, .boot_id = BOOT, .lease = "fw", .n = 1, .vfs = {NO_VF}};
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct grant next = {.name = "next", .nnics = 1, .nics = {{VF, 40}}};
	struct err err;

	r.vfs[0].vlan = 100;
	put(AT_VF "vendor", "0x8086\n");
	put_link(AT_PF "virtfn0", "../" VF);
	leave(&r);
	assert_fails(
		nics_return(&l, &g, 0, &err),
		&err,
		"NIC " VF " is not what it was, VF 0 vlan=100 of " PF ": NIC " PF " has no"
	);
	assert_fails(vfs_collect(&l, &err), &err, "set it so, or remove '/run/pinfold/vfs/" VF);
	put_silent_interface();
	assert_fails(nics_return(&l, &g, 0, &err), &err, "its driver tells nothing of VF 0");
	assert_true(there("run/pinfold/vfs/" VF ".json"));
	// and it is not taken for what it was
	assert_fails(
		vfs_keep(&l, read_host(), &next, false, &err),
		&err,
		"what it was before fw had it is not put back yet"
	);
	assert_int_equal(unlinkat(topfd, AT_PF "virtfn0", 0), 0);
	assert_ok(nics_return(&l, &g, 0, &err), &err);
	assert_false(there(VFS_DIR + 1));
}

// Since the ledger is locked: a second, and not one for each.
static void many_have_one_deadline(void **)
{
	static struct vf_record r = {
		.nic = VF, .pf = PF, .boot_id = BOOT, .lease = "fw", .n = 1, .vfs = {NO_VF}};
	struct grant g = {.name = "fw"};
	struct err err;
	int64_t begun;

	put_silent_interface();
	for (unsigned i = 0; i < 8; i++) {
		char path[80], target[32];

		snprintf(r.nic, sizeof(r.nic), "0000:10:10.%u", i);
		strcpy(g.nics[g.nnics++].bdf, r.nic);
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vendor", r.nic);
		put(path, "0x8086\n");
		snprintf(path, sizeof(path), AT_PF "virtfn%u", i);
		r.vfs[0].number = i;
		snprintf(target, sizeof(target), "../%s", r.nic);
		put_link(path, target);
		leave(&r);
	}
	begun = clock_ms();
	assert_fails(nics_return(&l, &g, VFS_RESET_MS, &err), &err, "tells nothing of VF 0");
	assert_in_range(clock_ms() - begun, VFS_RESET_MS, 4 * VFS_RESET_MS);
	// none where it was tried before
	begun = clock_ms();
	assert_fails(nics_return(&l, &g, 0, &err), &err, "tells nothing of VF 0");
	assert_fails(vfs_collect(&l, &err), &err, "");
	assert_true(clock_ms() - begun < VFS_RESET_MS / 2);
}

// A lease that cannot give its VF back stays with it, and that is no failure of its program, or of who deletes it.
static void lease_keeps_what_cannot_be_put_back(void **)
{
	static struct vf_record r = {
		.nic = VF, .pf = PF, .boot_id = BOOT, .lease = "fw", .n = 1, .vfs = {NO_VF}};
	static struct lease lease, now;
	struct err err;

	lease = (struct lease
	){.grant = {.name = "fw", .memory = 1 << 20, .pids = 8, .nnics = 1, .nics = {{VF, 40}}},
	  .site = site_of(PLACE_CONTAINER),
	  .boot_id = BOOT};
	runtime_assume(&lease.site.runtime, &runtime_crun, "/usr/bin/crun");
	idset_add(&lease.grant.cpus, 1);
	idset_add(&lease.grant.mems, 0);
	assert_ok(lease_write(&l, &lease, &err), &err);
	put(AT_VF "vendor", "0x8086\n");
	put_link(AT_PF "virtfn0", "../" VF);
	leave(&r);
	assert_int_equal(lease_end(&l, &lease, NULL, &err), LEASE_KEEPS_NIC);
	assert_contains(err.msg, "'fw' has ended, and keeps a NIC: NIC " VF " is not what it was");
	assert_ok(lease_read(&l, "fw", &now, &err), &err);
	assert_true(now.draining);
	assert_int_equal(lease_end(&l, &lease, NULL, &err), LEASE_KEEPS_NIC);
	// as it says
	assert_int_equal(unlinkat(topfd, "run/pinfold/vfs/" VF ".json", 0), 0);
	assert_int_equal(lease_end(&l, &lease, NULL, &err), 0);
	assert_false(lease_exists(&l, "fw"));
}

// A lease begins without a record only where nothing could be put back.
static void what_cannot_be_kept(void **)
{
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct host *h = read_host();
	struct err err;

	put_silent_interface();
	// its PF was being set, and that is not put back yet
	leave(&(struct vf_record){.nic = PF, .pf = PF, .boot_id = BOOT});
	assert_fails(
		vfs_keep(&l, h, &g, false, &err), &err, "what it was before nic vfs had it is not"
	);
	assert_ok(vf_record_remove(&l, VFS_DIR, PF, &err), &err);
	assert_fails(vfs_keep(&l, h, &g, false, &err), &err, "is no VF of " PF " any more");
	put_link(AT_PF "virtfn0", "../" VF);
	take_interface("lo");
	// in another network namespace
	assert_fails(vfs_keep(&l, h, &g, false, &err), &err, "is not known: NIC " PF " has no");
	put(AT_PF "net/nosuch0/x", "");
	assert_fails(vfs_keep(&l, h, &g, false, &err), &err, "(nosuch0): ask about its VFs");
	// what an engine gave is recorded, or not
	assert_ok(vfs_keep(&l, h, &g, true, &err), &err);
	assert_false(there(VFS_DIR + 1));
}

// The plan says what becomes of it.
static void assert_noted(const struct host *h, const struct grant *g, const char *like)
{
	static struct plan p;

	p = (struct plan){.lease.grant = *g, .host = h, .fs = &fs, .notes = json_array()};
	plan_vfs_notes(&p);
	assert_contains(json_string_value(json_array_get(p.notes, 0)), like);
	plan_done(&p);
}

static void what_has_no_settings(void **)
{
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct host *h = read_host();
	struct err err;

	put_link(AT_PF "virtfn0", "../" VF);
	// a driver that makes no interfaces: of programs, or of other than NICs
	assert_ok(vfs_keep(&l, h, &g, false, &err), &err);
	assert_noted(h, &g, "NIC " VF " is VF 0 of " PF ", and is left as it is at the end");
	put(AT_PF "net/nosuch0/x", "");
	assert_fails(vfs_keep(&l, h, &g, false, &err), &err, "ask about its VFs");
	assert_noted(h, &g, "NIC " VF " is VF 0 of " PF ": its MAC address, VLAN, trust");
	h->pci[1].class = 0x0b4000;
	assert_ok(vfs_keep(&l, h, &g, false, &err), &err);
	h->pci[1].class = 0x020000;
	h->pci[0].class = 0x0b4000;
	assert_ok(vfs_keep(&l, h, &g, false, &err), &err);
	h->pci[0].class = 0x020000;
	take_interface("nosuch0");
	// a driver that tells of no VF at all
	put_silent_interface();
	assert_ok(vfs_keep(&l, h, &g, false, &err), &err);
	assert_false(there(VFS_DIR + 1));
}

// One with a number that no record can have: it is left as it is.
static void vf_beyond_those_that_are_told(void **)
{
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct err err;

	put(AT_PF "net/nosuch0/x", "");
	for (unsigned i = 0; i < 257; i++) {
		char path[80];

		snprintf(path, sizeof(path), AT_PF "virtfn%u", i);
		put_link(path, i < 256 ? "../0000:10:20.0" : "../" VF);
	}
	assert_ok(vfs_keep(&l, read_host(), &g, false, &err), &err);
	assert_false(there(VFS_DIR + 1));
	assert_noted(read_host(), &g, "NIC " VF " is VF 256 of " PF ", and is left as it is");
}

// What was noted before a start that failed is what it was.
static void own_record_stays(void **)
{
	static struct vf_record r = {
		.nic = VF, .pf = PF, .boot_id = BOOT, .lease = "fw", .n = 1, .vfs = {NO_VF}};
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct grant next = {.name = "next", .nnics = 1, .nics = {{VF, 40}}};
	struct err err;

	r.vfs[0].vlan = 100;
	put_link(AT_PF "virtfn0", "../" VF);
	put(AT_PF "net/nosuch0/x", "");
	leave(&r);
	put("run/pinfold/leases/fw.json", "{}");
	assert_ok(vfs_keep(&l, read_host(), &g, false, &err), &err);
	assert_ok(vfs_keep(&l, read_host(), &g, false, &err), &err);
	// to whom it is not granted an engine may give it
	assert_fails(vfs_keep(&l, read_host(), &next, false, &err), &err, "before fw had it");
	assert_ok(vfs_keep(&l, read_host(), &next, true, &err), &err);
	assert_ok(vf_record_read(&l, VFS_DIR, VF, &r, &err), &err);
	assert_string_equal(r.lease, "fw");
	assert_int_equal(r.vfs[0].vlan, 100);
	// of a VF of another PF by now
	strcpy(r.pf, "0000:99:00.0");
	leave(&r);
	assert_fails(vfs_keep(&l, read_host(), &g, false, &err), &err, "is not put back yet");
}

// Of a VF or of a driver: it is named by whoever collects, and keeps nobody else from ending.
static void unreadable_record_of_another(void **)
{
	struct grant g = {.name = "fw", .nnics = 1, .nics = {{VF, 40}}};
	struct err err;

	put("run/pinfold/vfs/" PF ".json", "{");
	put("run/pinfold/nics/" PF ".json", "{");
	assert_ok(nics_return(&l, &g, 0, &err), &err);
	assert_fails(
		vfs_collect(&l, &err), &err, "use '/run/pinfold/vfs/" PF ".json' (mend or remove"
	);
	assert_fails(nics_collect(&l, &err), &err, PF);
	// its own it cannot do without
	put("run/pinfold/nics/" VF ".json", "{");
	assert_fails(nics_return(&l, &g, 0, &err), &err, VF);
	assert_int_equal(unlinkat(topfd, "run/pinfold/nics/" VF ".json", 0), 0);
	put("run/pinfold/vfs/" VF ".json", "{");
	assert_fails(nics_return(&l, &g, 0, &err), &err, VF);
}

static void records_of_others_are_refused(void **)
{
	static struct vf_record r = {.nic = PF, .pf = PF, .boot_id = BOOT, .made = 2};
	struct err err;

	leave(&r);
	assert_ok(vf_record_read(&l, VFS_DIR, PF, &r, &err), &err);
	assert_int_equal(r.made, 2);
	put("run/pinfold/vfs/" PF ".json",
	    "{\"nic\": \"" PF "\", \"pf\": \"../../x\", \"lease\": \"\", \"boot-id\": \"\","
	    "\"made\": 1, \"autoprobe\": true, \"vfs\": []}");
	assert_fails(vf_record_read(&l, VFS_DIR, PF, &r, &err), &err, "'pf' is no name");
	put("run/pinfold/vfs/" PF ".json",
	    "{\"nic\": \"" PF "\", \"pf\": \"" PF "\", \"lease\": \"\", \"boot-id\": \"\","
	    "\"made\": 1, \"autoprobe\": true, \"vfs\": [\"0 up\"]}");
	assert_fails(vf_record_read(&l, VFS_DIR, PF, &r, &err), &err, "'up' is nothing of a VF");
	assert_fails(vfs_collect(&l, &err), &err, "'up' is nothing of a VF");
	assert_file(AT_PF "sriov_numvfs", "2");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(kernel_tells),
		cmocka_unit_test(kernel_tells_of_none),
		EACH(made_and_taken_away),
		EACH(failure_half_way),
		EACH(open_vf_keeps_all),
		EACH(open_vf_beyond_those_that_are_made),
		EACH(driver_of_a_pf_with_vfs_stays),
		EACH(collected),
		EACH(not_ours_any_more),
		EACH(in_use_since),
		EACH(of_a_lease),
		EACH(what_cannot_be_put_back_stays),
		EACH(many_have_one_deadline),
		EACH(lease_keeps_what_cannot_be_put_back),
		EACH(what_cannot_be_kept),
		EACH(what_has_no_settings),
		EACH(vf_beyond_those_that_are_told),
		EACH(own_record_stays),
		EACH(unreadable_record_of_another),
		EACH(records_of_others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
