// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Several NICs bound by one command, on a /sys of plain files in a mount namespace of the test's own: all or none, also when
// it is killed. With a kernel: tests/e2e/pinfold/test_guest_bind.py.

#include "fake.h"
#include "mount_rig.h"

#include "apply/apply.h"
#include "apply/nic_persist.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "ledger/binding.h"
#include "plan/nic.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define NOTE(bdf) NIC_PERSIST_DIR "/pci-" bdf
#define A "0000:02:00.0"
#define B "0000:03:00.0"
#define DEVICE(bdf) "/sys/bus/pci/devices/" bdf
#define DRIVER(name) "/sys/bus/pci/drivers/" name

static struct ledger l;
static struct hostfs fs;
static struct host host;
static struct host_pci nics[2];

static bool put(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool holds(const char *path, const char *text)
{
	_cleanup_free_ char *is = NULL;

	return fs_read_file(path, 256, &is, NULL) >= 0 && str_eq(is, text);
}

static bool begins(const char *path, const char *text)
{
	_cleanup_free_ char *is = NULL;

	return fs_read_file(path, 256, &is, NULL) >= 0 && str_starts(is, text);
}

// An empty line was written over the name in its driver_override.
static bool is_any_drivers(const char *bdf)
{
	_cleanup_free_ char *is = NULL;
	char path[128];

	snprintf(path, sizeof(path), DEVICE("%s") "/driver_override", bdf);
	return fs_read_file(path, 256, &is, NULL) >= 0 && is[0] == '\n';
}

static bool make(const char *path)
{
	char buf[256];

	snprintf(buf, sizeof(buf), "%s/", path);
	for (char *p = buf + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return false;
		*p = '/';
	}
	return true;
}

// As the kernel has it when a driver has taken it.
static bool drives(const char *driver, const char *bdf)
{
	char link[128], target[128];

	snprintf(link, sizeof(link), DEVICE("%s") "/driver", bdf);
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	unlink(link);
	return symlink(target, link) == 0;
}

static int begin(void)
{
	static const char *const dirs[] = {
		DEVICE(A),
		DEVICE(B),
		DRIVER("e1000e"),
		DRIVER("vfio-pci"),
		"/sys/module/vfio_iommu_type1",
		"/sys/module/e1000e"};
	struct err err;

	CHECK(mount("unit", "/sys", "tmpfs", 0, "mode=0755") == 0);
	CHECK(mount("unit", "/etc", "tmpfs", 0, "mode=0755") == 0);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		CHECK(make(dirs[i]));
	CHECK(put(DRIVER("e1000e") "/bind", "") && put(DRIVER("e1000e") "/unbind", ""));
	CHECK(put(DRIVER("vfio-pci") "/bind", "") && put(DRIVER("vfio-pci") "/unbind", ""));
	CHECK(put("/sys/bus/pci/drivers_probe", ""));
	CHECK(put(DEVICE(A) "/driver_override", "(null)\n"));
	CHECK(put(DEVICE(B) "/driver_override", "(null)\n"));
	CHECK(drives("e1000e", A) && drives("e1000e", B));
	CHECK(said(hostfs_open("/", &fs, &err) == 0, &err));
	CHECK(said(ledger_open(&fs, true, &l, &err) == 0, &err));
	hostfs_boot_id(fs.root, host.boot_id);
	for (unsigned i = 0; i < 2; i++) {
		nics[i] = (struct host_pci){.iommu_group = -1, .driver = "e1000e"};
		strcpy(nics[i].bdf, i == 0 ? A : B);
		snprintf(nics[i].path, sizeof(nics[i].path), "bus/pci/devices/%s", nics[i].bdf);
	}
	return 0;
}

static struct nic_wish both(void)
{
	return (struct nic_wish){
		.driver = "vfio-pci", .n = 2, .nics = {&nics[0], &nics[1]}, .forced = UINT64_MAX};
}

static bool none_is_left(void)
{
	return access(NICS_DIR, F_OK) < 0 && !nic_persists(A) && !nic_persists(B)
	       && access("/etc/pinfold/nics.d/" A, F_OK) < 0
	       && access("/etc/pinfold/nics.d/" B, F_OK) < 0;
}

// What was written down before: by driverctl itself, and by another command of pinfold.
static bool note(void)
{
	struct nic_persist how = {.force = true};
	struct err err;

	return make(NIC_PERSIST_DIR) && put(NOTE(A), "ixgbe\n")
	       && said(nic_persist(B, "uio_pci_generic", how, &err) == 0, &err);
}

static bool as_noted(void)
{
	struct nic_persist of_a, of_b;
	struct err err;

	return holds(NOTE(A), "ixgbe\n") && holds(NOTE(B), "uio_pci_generic\n")
	       && said(nic_persist_how(A, &of_a, &err) == 0, &err)
	       && said(nic_persist_how(B, &of_b, &err) == 0, &err) && !of_a.force && of_b.force;
}

// What a command that is killed leaves.
static bool leave(const char *bdf, const char *with, bool kept)
{
	struct binding b = {.driver = "vfio-pci", .former = "e1000e", .kept = kept};
	struct err err;

	strcpy(b.bdf, bdf);
	strcpy(b.with, with);
	strcpy(b.boot_id, host.boot_id);
	return said(binding_write(&l, &b, &err) == 0, &err) && drives("vfio-pci", bdf);
}

static bool leave_notes(const char *first)
{
	static const char *const bdfs[] = {A, B};
	struct nic_persist how = {.unsafe_noiommu = true};
	struct err err;

	return said(nic_notes_begin(bdfs, 2, first, &err) == 0, &err)
	       && said(nic_persist(A, "vfio-pci", how, &err) == 0, &err)
	       && said(nic_persist(B, "vfio-pci", how, &err) == 0, &err);
}

static int all_of_them(void)
{
	struct nic_wish w = both();
	struct nic_persist how;
	struct binding b;
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(said(nics_bind(&l, &host, &w, true, &err) == 0, &err));
	CHECK(holds(DEVICE(A) "/driver_override", "vfio-pci"));
	for (unsigned i = 0; i < 2; i++) {
		CHECK(said(binding_read(&l, nics[i].bdf, &b, &err) == 0, &err));
		CHECK(b.kept && b.with[0] == '\0' && str_eq(b.former, "e1000e"));
		CHECK(nic_persists(nics[i].bdf));
		CHECK(said(nic_persist_how(nics[i].bdf, &how, &err) == 0, &err));
		CHECK(how.force && !how.unsafe_noiommu);
	}
	CHECK(holds(NIC_PERSIST_DIR "/pci-" B, "vfio-pci\n"));
	CHECK(begins("/etc/pinfold/nics.d/" B, "force of="));
	// said anew without it
	w.forced = 0;
	w.unsafe_noiommu = true;
	CHECK(drives("vfio-pci", A) && drives("vfio-pci", B));
	CHECK(said(nics_bind(&l, &host, &w, true, &err) == 0, &err));
	CHECK(begins("/etc/pinfold/nics.d/" B, "unsafe-noiommu of="));
	// of each by itself
	w.forced = 1;
	CHECK(said(nics_bind(&l, &host, &w, true, &err) == 0, &err));
	CHECK(begins("/etc/pinfold/nics.d/" A, "force unsafe-noiommu of="));
	CHECK(begins("/etc/pinfold/nics.d/" B, "unsafe-noiommu of="));
	w.forced = 0;
	w.unsafe_noiommu = false;
	CHECK(said(nics_bind(&l, &host, &w, true, &err) == 0, &err));
	CHECK(access("/etc/pinfold/nics.d/" B, F_OK) < 0 && nic_persists(B));
	CHECK(put("/etc/pinfold/nics.d/" B, "forced\n"));
	CHECK(nic_persist_how(B, &how, &err) < 0);
	CHECK(strstr(err.msg, "'forced' is none of force, unsafe-noiommu and of=") != NULL);
	CHECK(said(nic_forget(B, &err) == 0, &err) && !nic_persists(B));
	CHECK(access("/etc/pinfold/nics.d/" B, F_OK) < 0);
	return 0;
}

static int none_where_one_fails(void)
{
	struct nic_wish w = both();
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(unlink(DEVICE(B) "/driver_override") == 0);
	CHECK(nics_bind(&l, &host, &w, true, &err) < 0 && strstr(err.msg, B) != NULL);
	CHECK(none_is_left() && is_any_drivers(A));
	// nor is what others have written down another's, also of one that was bound
	CHECK(note() && drives("vfio-pci", A));
	CHECK(nics_bind(&l, &host, &w, true, &err) < 0 && strstr(err.msg, B) != NULL);
	CHECK(as_noted() && access(NICS_DIR, F_OK) < 0);
	return 0;
}

// What driverctl does: what was said with a file that is gone is not said with this one.
static int of_another_file(void)
{
	struct nic_persist how = {.force = true};
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(said(nic_persist(A, "vfio-pci", how, &err) == 0, &err));
	CHECK(said(nic_persist_how(A, &how, &err) == 0, &err) && how.force);
	CHECK(unlink(NOTE(A)) == 0);
	CHECK(said(nic_persist_how(A, &how, &err) == 0, &err) && !how.force);
	usleep(20000); // longer than a tick of the kernel's
	CHECK(put(NOTE(A), "vfio-pci\n"));
	CHECK(said(nic_persist_how(A, &how, &err) == 0, &err) && !how.force);
	return 0;
}

// At boot nobody knows yet which driver it would have.
static int bound_before_its_driver(void)
{
	struct nic_wish w = {.driver = "vfio-pci", .n = 1, .nics = {&nics[0]}, .early = true};
	struct binding b;
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(unlink(DEVICE(A) "/driver") == 0);
	CHECK(said(nics_bind(&l, &host, &w, false, &err) == 0, &err));
	CHECK(drives("vfio-pci", A));
	CHECK(said(binding_read(&l, A, &b, &err) == 0, &err) && b.former[0] == '\0');
	CHECK(said(nic_return(&l, &b, &err) == 0, &err));
	CHECK(is_any_drivers(A) && holds("/sys/bus/pci/drivers_probe", A));
	return 0;
}

static int killed_before(void)
{
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(leave(A, "", false) && leave(B, A, false) && leave_notes(A));
	CHECK(said(nics_collect(&l, &err) == 0, &err));
	CHECK(none_is_left() && is_any_drivers(A) && is_any_drivers(B));
	CHECK(holds(DRIVER("e1000e") "/bind", B)); // the last one of the two
	CHECK(note() && leave(A, "", false) && leave(B, A, false) && leave_notes(A));
	CHECK(said(nics_collect(&l, &err) == 0, &err));
	CHECK(as_noted() && access(NICS_DIR, F_OK) < 0);
	// when all of them were bound before
	CHECK(leave_notes("") && holds(NOTE(A), "vfio-pci\n"));
	CHECK(said(nics_collect(&l, &err) == 0, &err));
	CHECK(as_noted() && access(NICS_DIR, F_OK) < 0);
	return 0;
}

static int killed_after(void)
{
	static const char *const bdfs[] = {A};
	struct binding b;
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(note() && leave(A, "", true) && leave(B, A, false) && leave_notes(A));
	// by nobody else meanwhile
	CHECK(nic_notes_begin(bdfs, 1, "", &err) < 0 && strstr(err.msg, "pinfold gc") != NULL);
	CHECK(said(nics_collect(&l, &err) == 0, &err));
	CHECK(said(binding_read(&l, B, &b, &err) == 0, &err));
	CHECK(b.kept && b.with[0] == '\0' && access(NICS_DIR "/notes.json", F_OK) < 0);
	CHECK(holds(NOTE(A), "vfio-pci\n") && holds(NOTE(B), "vfio-pci\n"));
	CHECK(holds(DRIVER("e1000e") "/bind", ""));
	// one that was bound by itself, and is bound anew, is not done with another's
	CHECK(leave(B, "", false));
	CHECK(said(nics_collect(&l, &err) == 0, &err));
	CHECK(holds(DRIVER("e1000e") "/bind", B));
	// its name becomes that of a file
	CHECK(leave(B, "../x", false) && binding_read(&l, B, &b, &err) < 0);
	CHECK(strstr(err.msg, "'with' is no name") != NULL);
	return 0;
}

static bool told_of(const char *path, const char *text, const char *dir)
{
	struct err err = {0};

	if (!make(dir) || !put(path, text)
	    || (nics_collect(&l, &err) == 0 && netdevs_sweep(&l, &err) == 0)
	    || strstr(err.msg, path) == NULL || strstr(err.msg, "(mend or remove it)") == NULL) {
		fprintf(stderr, "'%s': '%s'\n", path, err.msg);
		return false;
	}
	return unlink(path) == 0;
}

// Whoever is to mend it is told which file it is.
static int unreadable(void)
{
	static const char *const texts[] = {"", "{", "{\"a\": 1}"};
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CHECK(told_of(NICS_DIR "/" A ".json", texts[i], NICS_DIR));
		CHECK(told_of(NICS_DIR "/notes.json", texts[i], NICS_DIR));
		CHECK(told_of(PLAN_NETDEVS "/fw/netdevs.json", texts[i], PLAN_NETDEVS "/fw"));
	}
	CHECK(said(nics_collect(&l, &err) == 0 && netdevs_sweep(&l, &err) == 0, &err));
	return 0;
}

static void records_that_cannot_be_read(void **)
{
	in_mount_namespace(unreadable);
}

// Without an IOMMU: whether somebody has it open is asked of the group that the kernel made for it, before the kernel
// would wait for him.
static int open_without_iommu(void)
{
	struct err err;
	int r = begin();

	if (r != 0)
		return r;
	CHECK(make("/sys/kernel/iommu_groups/7") && make("/sys/class/vfio/noiommu-7"));
	CHECK(put("/sys/kernel/iommu_groups/7/name", "vfio-noiommu\n"));
	CHECK(symlink("../../../../kernel/iommu_groups/7", DEVICE(A) "/iommu_group") == 0);
	CHECK(put("/sys/class/vfio/noiommu-7/dev", "240:77\n")); // it cannot be opened here
	CHECK(leave(A, "", false));
	CHECK(nics_collect(&l, &err) < 0 && strstr(err.msg, "noiommu-7") != NULL);
	CHECK(holds(DRIVER("vfio-pci") "/unbind", ""));
	return 0;
}

static void group_that_confines_nothing(void **)
{
	in_mount_namespace(open_without_iommu);
}

static void bound_together(void **)
{
	in_mount_namespace(all_of_them);
}

static void one_fails(void **)
{
	in_mount_namespace(none_where_one_fails);
}

static void note_of_another_file(void **)
{
	in_mount_namespace(of_another_file);
}

static void driver_that_is_not_loaded_yet(void **)
{
	in_mount_namespace(bound_before_its_driver);
}

static void death_before_all_are_bound(void **)
{
	in_mount_namespace(killed_before);
}

static void death_when_all_are_bound(void **)
{
	in_mount_namespace(killed_after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_together),
		cmocka_unit_test(one_fails),
		cmocka_unit_test(note_of_another_file),
		cmocka_unit_test(driver_that_is_not_loaded_yet),
		cmocka_unit_test(death_before_all_are_bound),
		cmocka_unit_test(death_when_all_are_bound),
		cmocka_unit_test(records_that_cannot_be_read),
		cmocka_unit_test(group_that_confines_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
