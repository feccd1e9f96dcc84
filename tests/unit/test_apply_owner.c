// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// -v …:rw,owner: what is refused, the plan, and that a directory is whose it was when the lease is over.

#include "fake.h"
#include "scratch.h"

#include "apply/apply.h"
#include "apply/owner_record.h"
#include "host/hostfs.h"
#include "launch/launch.h"
#include "plan/plan.h"

#include <sys/xattr.h>

#define BASE 0x70050000u
#define ALICE 12345
#define STAFF 23456

static struct ledger l;
static struct hostfs fs;
static struct launch launch;
static struct lease lease;
static char data[128];

static void refused(const char *volume, const char *words)
{
	struct launch other = {.site = site_of(PLACE_CONTAINER)};
	struct err err;

	assert_fails(launch_parse_volume(volume, &other, &err), &err, words);
	launch_done(&other);
}

static void words(void **)
{
	static const char *const fine[] = {"/tmp:/data:rw,owner", "/tmp:/data:owner"};
	static const enum site_place places[] = {PLACE_HOST, PLACE_VM, PLACE_KEPT};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		struct launch o = {.site = site_of(PLACE_CONTAINER)};

		assert_ok(launch_parse_volume(fine[i], &o, &err), &err);
		assert_true(o.volumes[0].owner);
		assert_false(o.volumes[0].readonly);
		assert_ok(launch_check(&o, &err), &err);
		launch_done(&o);
	}
	refused("/tmp:/data:ro,owner", "write rw,owner");
	refused("/tmp:/data:idmap,owner", "write rw,owner");
	refused("/tmp:/data:owners", "none of ro, rw, idmap and owner");
	refused("/etc/passwd:/data:rw,owner", "'/etc/passwd' is none");
	refused("/dev/null:/data:rw,owner", "'/dev/null' is none");
	refused("/proc/sys:/data:rw,owner", "the kernel's");
	refused("/sys/class:/data:rw,owner", "the kernel's");
	refused("/etc:/data:rw,owner", "'/etc/pinfold' is pinfold's own");
	refused("/:/data:rw,idmap", "'/etc/pinfold' is pinfold's own");
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct launch o = {.site = site_of(places[i])};

		assert_ok(launch_parse_volume("/tmp:/data:rw,owner", &o, &err), &err);
		assert_fails(
			launch_check(&o, &err), &err, places[i] == PLACE_HOST ? "-v" : "owner of -v"
		);
		launch_done(&o);
	}
}

// A directory of Alice's with a file of hers in it, that a lease's program is to own.
static int begin(void **state)
{
	char volume[160], file[160];
	struct err err;

	if (setup(state) < 0)
		return -1;
	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_int_equal(mkdirat(topfd, "run", 0755), 0);
	assert_int_equal(mkdirat(topfd, "etc", 0755), 0);
	assert_ok(ledger_open(&fs, true, &l, &err), &err);
	snprintf(data, sizeof(data), "%s/data", top);
	snprintf(file, sizeof(file), "%s/file", data);
	assert_int_equal(mkdir(data, 0700), 0);
	assert_int_equal(mknod(file, S_IFREG | 0600, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, ALICE, STAFF), 0);
		assert_int_equal(chown(data, ALICE, STAFF), 0);
	}
	assert_int_equal(chmod(data, 02751), 0);
	launch = (struct launch){.site = fake_site(PLACE_CONTAINER)};
	snprintf(volume, sizeof(volume), "%s:/data:rw,owner", data);
	assert_ok(launch_parse_volume(volume, &launch, &err), &err);
	lease = (struct lease){
		.grant = {.name = "fw", .memory = GIB, .pids = 8},
		.site = launch.site,
		.uid_base = BASE,
	};
	idset_add(&lease.grant.cpus, 0);
	idset_add(&lease.grant.mems, 0);
	return 0;
}

static int end(void **state)
{
	launch_done(&launch);
	ledger_close(&l);
	hostfs_close(&fs);
	return teardown(state);
}

static void needs_owners(void)
{
	if (geteuid() != 0)
		skip_because("only root gives files to others");
}

static void assert_data(uint32_t uid, uint32_t gid, unsigned mode)
{
	struct stat st, file;

	assert_int_equal(fstatat(topfd, "data", &st, 0), 0);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(fstatat(topfd, "data/file", &file, 0), 0);
	assert_int_equal(file.st_uid, ALICE);
	assert_int_equal(file.st_mode & 07777, 0600);
}

static struct step give(void)
{
	const struct launch_volume *v = &launch.volumes[0];

	return (struct step){
		.kind = STEP_OWNER,
		.path = (char *)v->source,
		.value = (char *)"fw",
		.uid = BASE + 1000,
		.gid = BASE + 100,
		.dev = v->dev,
		.ino = v->ino,
	};
}

static void given_and_back(void **)
{
	struct step s = give();
	struct err err;

	needs_owners();
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_int_equal(lease.nundo, 1);
	// killed before the step: there is nothing to put back
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_data(ALICE, STAFF, 02751);
	assert_ok(apply_owner(&s, &err), &err);
	assert_data(BASE + 1000, BASE + 100, 02751);
	// what its owner may do: another mode, and another of its ids
	assert_int_equal(fchmodat(topfd, "data", 0777, 0), 0);
	assert_int_equal(fchownat(topfd, "data", BASE + 7, BASE + 8, 0), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_CGROUPS, &err), &err);
	assert_data(BASE + 7, BASE + 8, 0777);
	for (int i = 0; i < 2; i++) {
		assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
		assert_data(ALICE, STAFF, 02751);
	}
}

static void somebody_elses_by_now(void **)
{
	struct step s = give();
	struct err err;

	needs_owners();
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	assert_int_equal(fchownat(topfd, "data", 77, 78, 0), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_data(77, 78, 02751);
}

static bool any_record(const struct owner_record *r, void *arg)
{
	(void)arg;
	return r->range == BASE && str_starts(r->path, top);
}

static bool has_record(struct owner_record *ret)
{
	return owner_record_find(any_record, NULL, ret);
}

// As if the machine had gone down since.
static void cut_power(void)
{
	static const char records[] = "/var/lib/pinfold/given";
	_cleanup_close_ int dir = open(records, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = hostfs_opendir(dir, ".");
	const char *entry;
	unsigned found = 0;
	struct err err;

	while ((entry = hostfs_next(d)) != NULL) {
		_cleanup_free_ char *text = NULL, *other = NULL;

		if (fs_read(dir, entry, 8192, &text, NULL) < 0 || strstr(text, top) == NULL)
			continue;
		other = str_printf("0-0%s", strchr(text, ':'));
		assert_ok(fs_write_atomic(dir, entry, other, strlen(other), 0600, &err), &err);
		found++;
	}
	assert_int_equal(found, 1);
}

// Whoever may rename above it, or the program itself, takes it from nobody by that.
static void renamed(void **)
{
	struct step s = give();
	struct owner_record r;
	struct stat st;
	struct err err;

	needs_owners();
	for (int replaced = 0; replaced < 2; replaced++) {
		lease.nundo = 0;
		assert_ok(owner_note(&l, &lease, &launch, &err), &err);
		assert_ok(apply_owner(&s, &err), &err);
		assert_true(has_record(&r));
		assert_string_equal(r.lease, "fw");
		if (str_eq(r.handle, "-"))
			skip_because("the file system of /tmp has no handles");
		assert_int_equal(mkdirat(topfd, "away", 0700), 0);
		assert_int_equal(renameat(topfd, "data", topfd, "away/moved"), 0);
		if (replaced) {
			assert_int_equal(mkdirat(topfd, "data", 0755), 0);
			assert_int_equal(fchownat(topfd, "data", BASE, BASE, 0), 0);
		}
		assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
		assert_false(has_record(&r));
		if (replaced) {
			assert_int_equal(fstatat(topfd, "data", &st, 0), 0);
			assert_int_equal(st.st_uid, BASE);
			assert_int_equal(unlinkat(topfd, "data", AT_REMOVEDIR), 0);
		}
		assert_int_equal(renameat(topfd, "away/moved", topfd, "data"), 0);
		assert_int_equal(unlinkat(topfd, "away", AT_REMOVEDIR), 0);
		assert_data(ALICE, STAFF, 02751);
	}
	// of what is no more nothing is kept
	lease.nundo = 0;
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	assert_int_equal(unlinkat(topfd, "data/file", 0), 0);
	assert_int_equal(unlinkat(topfd, "data", AT_REMOVEDIR), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_false(has_record(&r));
}

// Whatever is in its path, and whatever that is by now.
static void after_a_power_cut(void **)
{
	static const char *const names[] = {"data", "nl\ndir", "a:b:c\n"};
	struct owner_record r;
	struct err err;

	needs_owners();
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_free_ char *volume = str_printf("%s/%s", top, names[i]);
		struct launch_volume *v = &launch.volumes[0];
		struct step s;

		assert_int_equal(renameat(topfd, "data", topfd, names[i]), 0);
		free((char *)v->source);
		v->source = strdup(volume);
		s = give();
		assert_ok(apply_owner(&s, &err), &err);
		assert_int_equal(chmod(volume, 0777), 0);
		cut_power();
		if (i == 0) { // renamed meanwhile
			assert_int_equal(renameat(topfd, "data", topfd, "moved"), 0);
			free((char *)v->source);
			v->source = str_printf("%s/moved", top);
		}
		lease.nundo = 0;
		assert_ok(owner_note(&l, &lease, &launch, &err), &err);
		assert_false(has_record(&r));
		assert_int_equal(renameat(topfd, i == 0 ? "moved" : names[i], topfd, "data"), 0);
		assert_data(ALICE, STAFF, 02751);
	}
}

// Of a lease that cannot be read the record tells, when it is over.
static void of_a_lease_that_cannot_be_read(void **)
{
	struct step s = give();
	struct owner_record r;
	struct err err;

	needs_owners();
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(lease_write(&l, &lease, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	assert_ok(fs_write_atomic(l.leases, "fw.json", "{\"a\": 1}", 8, 0600, &err), &err);
	lease.nundo = 0;
	assert_fails(owner_note(&l, &lease, &launch, &err), &err, "say whose it is");
	assert_ok(owner_return_unread("other", &err), &err);
	assert_data(BASE + 1000, BASE + 100, 02751);
	assert_ok(owner_return_unread("fw", &err), &err);
	assert_data(ALICE, STAFF, 02751);
	assert_false(has_record(&r));
	// and where that was not done
	assert_ok(apply_owner(&s, &err), &err);
	assert_ok(lease_remove(&l, "fw", &err), &err);
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_data(ALICE, STAFF, 02751);
	assert_false(has_record(&r));
}

// The second time its owner would be the program itself.
static void twice(void **)
{
	char volume[160];
	struct step s = give();
	struct owner_record r;
	struct stat st;
	struct err err;

	needs_owners();
	snprintf(volume, sizeof(volume), "%s:/again:rw,owner", data);
	assert_ok(launch_parse_volume(volume, &launch, &err), &err);
	assert_fails(owner_note(&l, &lease, &launch, &err), &err, ":/again:rw");
	launch.volumes[1].owner = false;
	lease.nundo = 0;
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	// nor is it believed where it says so
	assert_ok(apply_owner(&s, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	assert_int_equal(stat(data, &st), 0);
	assert_false(owner_record_of(st.st_uid, data, topfd, &st, &r));
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_data(ALICE, STAFF, 02751);
}

// What has its name by now keeps its owner, and nothing waits for it: where nothing could be written down.
static void another_directory(void **)
{
	struct step s = give();
	struct stat st;
	struct err err;

	needs_owners();
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	owner_record_remove(BASE, data);
	assert_int_equal(renameat(topfd, "data", topfd, "moved"), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_int_equal(mkdirat(topfd, "other", 0755), 0);
	assert_int_equal(fchownat(topfd, "other", BASE, BASE, 0), 0);
	for (int link = 0; link < 2; link++) {
		if (link)
			assert_int_equal(symlinkat("other", topfd, "data"), 0);
		else
			assert_int_equal(renameat(topfd, "other", topfd, "data"), 0);
		assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
		assert_int_equal(fstatat(topfd, "data", &st, 0), 0);
		assert_int_equal(st.st_uid, BASE);
		assert_fails(apply_owner(&s, &err), &err, "another file is there");
		if (link)
			assert_int_equal(unlinkat(topfd, "data", 0), 0);
		else
			assert_int_equal(renameat(topfd, "data", topfd, "other"), 0);
	}
	// a file in its place
	assert_int_equal(mknodat(topfd, "data", S_IFREG | 0600, 0), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_int_equal(unlinkat(topfd, "data", 0), 0);
	assert_int_equal(fstatat(topfd, "moved", &st, 0), 0);
	assert_int_equal(st.st_uid, BASE + 1000);
	// it is found by that name all the same
	assert_int_equal(symlinkat("moved", topfd, "data"), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_data(ALICE, STAFF, 02751);
}

static void one_at_a_time(void **)
{
	struct lease other = lease;
	struct err err;

	needs_owners();
	strcpy(other.grant.name, "b");
	assert_ok(owner_note(&l, &other, &launch, &err), &err);
	assert_ok(lease_write(&l, &other, &err), &err);
	assert_fails(owner_note(&l, &lease, &launch, &err), &err, "'b' is its owner while it runs");
	assert_int_equal(lease.nundo, 0);
	// from these it has been taken back
	other.draining = true;
	assert_ok(lease_write(&l, &other, &err), &err);
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	other.draining = false;
	other.again = LEASE_WAITING;
	assert_ok(lease_write(&l, &other, &err), &err);
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	// its own, at a further start
	strcpy(other.grant.name, "fw");
	other.again = LEASE_AGAIN;
	assert_ok(lease_write(&l, &other, &err), &err);
	assert_ok(lease_remove(&l, "b", &err), &err);
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
}

static void what_could_not_be_put_back(void **)
{
	// of setfacl -m u:7:rwx: struct posix_acl_xattr_header, and its entries
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} of[5];
	} list = {
		2,
		{{1, 7, UINT32_MAX},
		 {2, 7, 7},
		 {4, 5, UINT32_MAX},
		 {16, 7, UINT32_MAX},
		 {32, 1, UINT32_MAX}},
	};
	struct step s = give();
	struct err err;

	needs_owners();
	assert_int_equal(chown(data, BASE + 65536, 0), 0);
	assert_fails(owner_note(&l, &lease, &launch, &err), &err, "of a workload that is gone");
	assert_int_equal(chown(data, ALICE, STAFF), 0);
	if (setxattr(data, "system.posix_acl_access", &list, sizeof(list), 0) < 0)
		skip_because("no access lists in /tmp");
	assert_fails(owner_note(&l, &lease, &launch, &err), &err, "setfacl -b");
	assert_int_equal(removexattr(data, "system.posix_acl_access"), 0);
	assert_int_equal(chmod(data, 02751), 0);
	// the program's own goes with it
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(apply_owner(&s, &err), &err);
	assert_int_equal(setxattr(data, "system.posix_acl_access", &list, sizeof(list), 0), 0);
	assert_int_equal(setxattr(data, "system.posix_acl_default", &list, sizeof(list), 0), 0);
	assert_ok(undo_lease(&l, &lease, UNDO_FILES, &err), &err);
	assert_data(ALICE, STAFF, 02751);
	assert_true(getxattr(data, "system.posix_acl_access", NULL, 0) < 0);
	assert_true(getxattr(data, "system.posix_acl_default", NULL, 0) < 0);
}

// A lease file may say anything.
static void wrong_notes(void **)
{
	static const char *const rows[] = {
		"",
		"/tmp",
		"0:0:0755:1:/tmp",
		"0:0:0755:1:2:tmp",
		"0:0:0755:1:2:",
		"x:0:0755:1:2:/tmp"};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_fails(owner_return(&lease, rows[i], &err), &err, "no owner of a directory");
}

static void planned(void **)
{
	static const char *const program[] = {"/usr/bin/true", NULL};
	const struct holdings nobody = {0};
	const struct step *found = NULL;
	struct hostfs tree;
	struct host host;
	struct plan plan;
	struct err err;
	char note[256] = "";

	fake_open("two", &tree, &host);
	fake_grant(&host, &nobody, "cpus=1", &lease.grant);
	launch.argv = (char *const *)program;
	launch.inside = "/usr/libexec/pinfold/pinfold-inside";
	launch.uid = 1000;
	launch.gid = 100;
	assert_ok(owner_note(&l, &lease, &launch, &err), &err);
	assert_ok(plan_build(&lease, &launch, &host, &tree, &plan, &err), &err);
	for (unsigned i = 0; i < plan.nsteps; i++) {
		if (plan.steps[i].kind == STEP_OWNER)
			found = &plan.steps[i];
	}
	assert_non_null(found);
	assert_int_equal(found->where, STEP_HOST);
	assert_string_equal(found->path, data);
	assert_int_equal(found->uid, BASE + 1000);
	assert_int_equal(found->gid, BASE + 100);
	assert_int_equal(found->ino, launch.volumes[0].ino);
	assert_true(apply_host_first(&plan));
	for (unsigned i = 0; i < plan.lease.nundo; i++) {
		if (str_eq(plan.lease.undo[i].what, OWNER_NOTE))
			strcpy(note, plan.lease.undo[i].path);
	}
	assert_contains(note, data);
	assert_contains(note, ":2751:");
	for (size_t i = 0; i < json_array_size(plan.notes); i++) {
		const char *text = json_string_value(json_array_get(plan.notes, i));

		if (strstr(text, "is the program's while it runs") != NULL)
			note[0] = '\0';
	}
	assert_string_equal(note, "");
	launch.argv = NULL;
	launch.inside = NULL;
	plan_done(&plan);
	host_done(&host);
	hostfs_close(&tree);
}

#define WITH_DATA(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		WITH_DATA(given_and_back),
		WITH_DATA(somebody_elses_by_now),
		WITH_DATA(renamed),
		WITH_DATA(after_a_power_cut),
		WITH_DATA(of_a_lease_that_cannot_be_read),
		WITH_DATA(twice),
		WITH_DATA(another_directory),
		WITH_DATA(one_at_a_time),
		WITH_DATA(what_could_not_be_put_back),
		WITH_DATA(wrong_notes),
		WITH_DATA(planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
