// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a process may do, in config.json: capabilities and the limits that go with them, AppArmor.

#include "fake.h"

#include "base/jread.h"
#include "grant/caps.h"
#include "plan/plan.h"
#include "plan/seccomp.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const program[] = {"/usr/bin/true", NULL};

static void build(const char *flags, struct launch *launch, struct plan *ret)
{
	static struct hostfs fs;
	static struct host host;
	const struct holdings nobody = {0};
	static struct lease lease;
	struct err err;

	memset(&lease, 0, sizeof(lease));
	fake_open("two", &fs, &host);
	fake_grant(&host, &nobody, flags, &lease.grant);
	lease.uid_base = 0x70000000;
	launch->argv = (char *const *)program;
	launch->site = fake_site(PLACE_CONTAINER);
	launch->inside = "/usr/libexec/pinfold/pinfold-inside";
	assert_ok(plan_build(&lease, launch, &host, &fs, ret, &err), &err);
	host_done(&host);
	hostfs_close(&fs);
}

static bool noted(const struct plan *p, const char *words)
{
	json_t *note;
	size_t i;

	json_array_foreach (p->notes, i, note) {
		if (strstr(json_string_value(note), words) != NULL)
			return true;
	}
	return false;
}

static json_int_t rlimit(const struct plan *p, const char *type)
{
	const json_t *list = json_object_get(json_object_get(p->oci, "process"), "rlimits"), *e;
	size_t i;

	json_array_foreach (list, i, e) {
		if (str_eq(json_string_value(json_object_get(e, "type")), type))
			return json_integer_value(json_object_get(e, "hard"));
	}
	return -1;
}

static void capabilities_are_in_every_set(void **)
{
	static const char *const sets[] = {
		"bounding", "effective", "inheritable", "permitted", "ambient"};
	struct launch launch = {.uid = 1000};
	struct plan p;

	build("cpus=1 cap=NET_RAW cap=CAP_CHOWN", &launch, &p);
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		const json_t *caps = json_object_get(
			json_object_get(json_object_get(p.oci, "process"), "capabilities"), sets[i]
		);

		assert_int_equal(json_array_size(caps), 2);
		assert_string_equal(json_string_value(json_array_get(caps, 0)), "CAP_CHOWN");
		assert_string_equal(json_string_value(json_array_get(caps, 1)), "CAP_NET_RAW");
	}
	assert_true(noted(&p, "capability NET_RAW: raw and packet sockets"));
	assert_true(noted(&p, "capability CHOWN: "));
	plan_done(&p);
}

static void none_without_being_named(void **)
{
	struct launch launch = {0};
	struct plan p;

	build("cpus=1", &launch, &p);
	assert_int_equal(
		json_array_size(json_object_get(
			json_object_get(json_object_get(p.oci, "process"), "capabilities"),
			"bounding"
		)),
		0
	);
	assert_false(noted(&p, "capability"));
	// every one that is not unlimited is said: nothing of the caller's is inherited
	assert_int_equal(rlimit(&p, "RLIMIT_CORE"), 1);
	assert_int_equal(rlimit(&p, "RLIMIT_MEMLOCK"), 512 << 20);
	assert_int_equal(rlimit(&p, "RLIMIT_MSGQUEUE"), 819200);
	assert_int_equal(rlimit(&p, "RLIMIT_NICE"), 0);
	assert_int_equal(rlimit(&p, "RLIMIT_NOFILE"), 65536);
	assert_int_equal(rlimit(&p, "RLIMIT_NPROC"), 128 + 64);
	assert_int_equal(rlimit(&p, "RLIMIT_RTPRIO"), 0);
	assert_int_equal(rlimit(&p, "RLIMIT_SIGPENDING"), 4096);
	assert_int_equal(rlimit(&p, "RLIMIT_STACK"), 64 << 20);
	plan_done(&p);
}

// In a user namespace the kernel asks the limits, so these capabilities set them.
static void limits_go_with_capabilities(void **)
{
	struct launch launch = {0};
	struct plan p;

	build("cpus=1 hugepages=2M=40 memory=256M cap=IPC_LOCK cap=SYS_NICE", &launch, &p);
	assert_int_equal(rlimit(&p, "RLIMIT_MEMLOCK"), (256 + 80) << 20);
	assert_int_equal(rlimit(&p, "RLIMIT_RTPRIO"), 49);
	assert_int_equal(rlimit(&p, "RLIMIT_NICE"), 40);
	plan_done(&p);
}

static void a_listener_is_in_the_filter(void **)
{
	struct launch launch = {.seccomp_listener = "/run/pinfold/record-1.sock"};
	_cleanup_json_ json_t *config = NULL;
	const json_t *filter;
	struct plan p;

	build("cpus=1", &launch, &p);
	config = plan_config(&p);
	filter = json_object_get(json_object_get(config, "linux"), "seccomp");
	assert_string_equal(
		json_string_value(json_object_get(filter, "listenerPath")), launch.seccomp_listener
	);
	assert_int_equal(seccomp_count(filter), 0);
	plan_done(&p);
}

static void every_capability_is_decided(void **)
{
	unsigned granted = 0, cap;
	struct err err;

	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		assert_string_not_equal(cap_name(i), "?");
		if (cap_parse(cap_name(i), &cap, &err) == 0) {
			assert_int_equal(cap, i);
			assert_string_not_equal(cap_opens(i), "?");
			granted++;
		} else {
			assert_contains(err.msg, "is not granted to anybody: ");
		}
	}
	assert_int_equal(granted, 13);
	assert_fails(cap_parse("NET_RWA", &cap, &err), &err, "did you mean 'NET_RAW'");
	assert_fails(cap_parse("", &cap, &err), &err, "unknown");
	assert_fails(cap_parse("SYS_ADMIN", &cap, &err), &err, "undoes the view");
}

// ---- AppArmor

static void put(int dir, const char *path, const char *text)
{
	char *copy = strdup(path);

	for (char *c = strchr(copy, '/'); c != NULL; c = strchr(c + 1, '/')) {
		*c = '\0';
		mkdirat(dir, copy, 0755);
		*c = '/';
	}
	free(copy);
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void apparmor_of_a_host(void **)
{
	static const char profiles[] = "sys/kernel/security/apparmor/profiles";
	static const char enabled[] = "sys/module/apparmor/parameters/enabled";
	char top[] = "/tmp/apparmor-XXXXXX";
	_cleanup_free_ char *command = NULL;
	struct hostfs fs;
	struct err err;
	int dir;

	assert_non_null(mkdtemp(top));
	dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_ok(hostfs_open(top, &fs, &err), &err);
	assert_int_equal(host_apparmor(&fs, "pinfold-default"), HOST_APPARMOR_OFF);
	put(dir, enabled, "N\n");
	put(dir, profiles, "pinfold-default (enforce)\n");
	assert_int_equal(host_apparmor(&fs, "pinfold-default"), HOST_APPARMOR_OFF);
	put(dir, enabled, "Y\n");
	assert_int_equal(host_apparmor(&fs, "pinfold-default"), HOST_APPARMOR_READY);
	assert_int_equal(host_apparmor(&fs, "pinfold"), HOST_APPARMOR_NO_PROFILE);
	assert_int_equal(host_apparmor(&fs, "default"), HOST_APPARMOR_NO_PROFILE);
	put(dir, profiles, "other (enforce)\npinfold-default (complain)\n");
	assert_int_equal(host_apparmor(&fs, "pinfold-default"), HOST_APPARMOR_NO_PROFILE);
	put(dir, profiles, "a//pinfold-default (enforce)\nb (kill)\n");
	assert_int_equal(host_apparmor(&fs, "pinfold-default"), HOST_APPARMOR_NO_PROFILE);
	assert_int_equal(host_apparmor(&fs, "b"), HOST_APPARMOR_READY);
	assert_int_equal(unlinkat(dir, profiles, 0), 0);
	assert_int_equal(host_apparmor(&fs, "b"), HOST_APPARMOR_NO_PROFILE);
	hostfs_close(&fs);
	close(dir);
	command = str_printf("rm -r '%s'", top);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_are_in_every_set),
		cmocka_unit_test(none_without_being_named),
		cmocka_unit_test(limits_go_with_capabilities),
		cmocka_unit_test(a_listener_is_in_the_filter),
		cmocka_unit_test(every_capability_is_decided),
		cmocka_unit_test(apparmor_of_a_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
