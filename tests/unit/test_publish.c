// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// --publish: what is refused, where a socket is found on the host, and what takes it back.

#include "fake.h"

#include "apply/apply.h"
#include "launch/launch.h"
#include "plan/plan.h"

static const char *const program[] = {"/usr/bin/true", NULL};

// What is wrong with options of a command line, NULL-terminated; NULL: nothing.
static const char *wrong(const char *const *published, const char *volume, struct err *err)
{
	struct launch l = {.site = site_of(PLACE_CONTAINER)};
	int r = 0;

	for (; r == 0 && *published != NULL; published++)
		r = launch_parse_publish(*published, &l, err);
	if (r == 0 && volume != NULL)
		r = launch_parse_volume(volume, &l, err);
	if (r == 0)
		r = launch_check(&l, err);
	launch_done(&l);
	return r < 0 ? err->msg : NULL;
}

static void refused(const char *first, const char *second, const char *volume, const char *words)
{
	const char *const list[] = {first, second, NULL};
	struct err err;
	const char *why = wrong(list, volume, &err);

	if (why == NULL || strstr(why, words) == NULL)
		fail_msg("'%s': '%s' is not like '%s'", first, why, words);
}

// What the runtime mounts and starts there is no volume's.
static void places_of_volumes(void **)
{
	static const char *const whole[] = {
		"/run",
		"/run/pinfold",
		"/run/pinfold/inside",
		"/var/run",
		"/var/run/pinfold/grant.json",
		"/proc",
		"/proc/self",
		"/sys",
		"/sys/class",
		"/dev",
	};
	static const char *const fine[] = {
		"/run/app", "/run/pinfolds", "/var/run/app", "/dev/shm", "/procs"};
	const char *const none[] = {NULL};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(whole) + ARRAY_LEN(fine); i++) {
		bool bad = i < ARRAY_LEN(whole);
		_cleanup_free_ char *volume =
			str_printf("/usr:%s:ro", bad ? whole[i] : fine[i - ARRAY_LEN(whole)]);
		const char *why = wrong(none, volume, &err);

		if ((why != NULL) != bad || (bad && strstr(why, "has its own") == NULL))
			fail_msg("'%s': '%s'", volume, why != NULL ? why : "");
	}
}

static void bad_words(void **)
{
	static const char *const places[] = {
		"unix:",
		"unix:run/app/x",
		"unix:/run/x",
		"unix:/tmp/x",
		"unix:/run/app/",
		"unix:/run//x",
		"unix:/run/../etc/x",
		"unix:/run/app/../x",
		"unix:/run/./x",
		"unix:/run/app/.x",
		"unix:/run/app/a b",
		"unix:/run/app/\x1b",
		"unix:/run/pinfold/x",
		"unix:/run/pinfold/links/x",
		"unix:/etc/app/x",
		"unix:/runs/app/x",
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		refused(places[i], NULL, NULL, "in a directory of its own below /run or /tmp");
	refused("/run/app/x", NULL, NULL, "write unix:/run/DIR/SOCKET");
	refused("tcp:8080", NULL, NULL, "over --netdev");
	refused("unix:/var/run/app/x", NULL, NULL, "say /run/app/x");
	refused("unix:/run/app/x,mode=0777", NULL, NULL, "',mode=0777' is unknown");
	refused("unix:/run/app/x,group=", NULL, NULL, "group '' is not in /etc/group");
	refused("unix:/run/app/x,group=-1", NULL, NULL, "group '-1'");
	refused("unix:/run/app/x,group=4294967295", NULL, NULL, "group '4294967295'");
}

static void what_does_not_go_together(void **)
{
	struct err err;

	refused("unix:/run/app/x", "unix:/run/app/x", NULL, "twice");
	refused("unix:/run/app/x", "unix:/tmp/app/y", NULL, "would be one directory");
	refused("unix:/run/app/x", "unix:/run/app/sub/y", NULL, "one in the other");
	refused("unix:/run/app/sub/x", "unix:/run/app/y", NULL, "one in the other");
	refused("unix:/run/app/x,group=7", "unix:/run/b/y,group=8", NULL, "one group is for all");
	refused("unix:/tmp/app/x", NULL, "/usr:/tmp:ro", "volume '/tmp' would hide it");
	refused("unix:/run/app/x", NULL, "/usr:/var/run/app:ro", "would hide it");
	refused("unix:/run/app/x", NULL, "/usr:/run/app/y:ro", "or be hidden");
	for (size_t i = 0; i < 2; i++) {
		const char *const fine[] = {
			"unix:/run/app/x,group=7", "unix:/run/app/y", "unix:/tmp/b/x", NULL};

		assert_null(wrong(fine, i == 0 ? "/usr:/run/apps:ro" : NULL, &err));
	}
}

static void only_in_containers_of_root(void **)
{
	static const enum site_place places[] = {PLACE_HOST, PLACE_VM, PLACE_KEPT};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct launch l = {.site = site_of(places[i])};

		assert_ok(launch_parse_publish("unix:/run/app/x", &l, &err), &err);
		assert_fails(launch_check(&l, &err), &err, "--publish");
		launch_done(&l);
	}
}

struct scene {
	struct hostfs fs;
	struct host host;
	struct lease lease;
	struct launch launch;
	struct plan plan;
};

static void prepare(const char *flags, struct scene *s)
{
	const struct holdings nobody = {0};

	memset(s, 0, sizeof(*s));
	fake_open("two", &s->fs, &s->host);
	fake_grant(&s->host, &nobody, flags, &s->lease.grant);
	s->lease.uid_base = 0x70000000;
	s->launch.argv = (char *const *)program;
	s->launch.site = fake_site(PLACE_CONTAINER);
	s->launch.inside = "/usr/libexec/pinfold/pinfold-inside";
	s->launch.uid = 1000;
	s->launch.gid = 100;
}

static void done(struct scene *s)
{
	plan_done(&s->plan);
	launch_done(&s->launch);
	host_done(&s->host);
	hostfs_close(&s->fs);
}

static const struct step *find(const struct scene *s, enum step_kind kind, const char *path)
{
	for (unsigned i = 0; i < s->plan.nsteps; i++) {
		if (s->plan.steps[i].kind == kind && str_eq(s->plan.steps[i].path, path))
			return &s->plan.steps[i];
	}
	return NULL;
}

// The source of what is mounted at a place of the container, NULL: nothing is.
static const char *mounted(const struct scene *s, const char *target)
{
	const json_t *m;
	size_t i;

	json_array_foreach (json_object_get(s->plan.oci, "mounts"), i, m) {
		if (str_eq(json_string_value(json_object_get(m, "destination")), target))
			return json_string_value(json_object_get(m, "source"));
	}
	return NULL;
}

static json_int_t umask_of(const struct scene *s)
{
	const json_t *user = json_object_get(json_object_get(s->plan.oci, "process"), "user");

	return json_integer_value(json_object_get(user, "umask"));
}

static void steps(void **)
{
	const struct step *t, *bind;
	struct scene s;
	struct err err;

	prepare("cpus=1", &s);
	assert_ok(launch_parse_publish("unix:/run/app/ctl.sock", &s.launch, &err), &err);
	assert_ok(launch_parse_publish("unix:/run/app/two", &s.launch, &err), &err);
	assert_ok(launch_parse_publish("unix:/tmp/b/x", &s.launch, &err), &err);
	assert_ok(plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err);
	assert_true(lease_notes(&s.plan.lease, "publish", "/run/pinfold/publish/x"));
	t = find(&s, STEP_PUBLISH, "/run/pinfold/publish/x");
	assert_non_null(t);
	assert_int_equal(t->where, STEP_HOST);
	assert_int_equal(t->mode, 0700);
	assert_int_equal(t->gid, 0);
	assert_non_null(strstr(t->value, "size="));
	assert_non_null(strstr(t->value, "nr_inodes="));
	t = find(&s, STEP_DIR, "/run/pinfold/publish/x/app");
	assert_non_null(t);
	assert_int_equal(t->uid, 0x70000000 + 1000);
	assert_int_equal(t->gid, 0x70000000 + 100);
	assert_int_equal(t->mode, 0755);
	// one for both of its sockets
	assert_string_equal(mounted(&s, "/run/app"), FENCE_DIR "/in/publish-0");
	assert_string_equal(mounted(&s, "/tmp/b"), FENCE_DIR "/in/publish-2");
	assert_null(find(&s, STEP_BIND, FENCE_DIR "/in/publish-1"));
	bind = find(&s, STEP_BIND, FENCE_DIR "/in/publish-0");
	assert_non_null(bind);
	assert_string_equal(bind->value, "/run/pinfold/publish/x/app");
	assert_false(bind->readonly);
	assert_int_equal(umask_of(&s), 0022);
	done(&s);
}

static void of_a_group(void **)
{
	const struct step *t;
	struct scene s;
	struct err err;

	prepare("cpus=1", &s);
	assert_ok(launch_parse_publish("unix:/run/app/x,group=4711", &s.launch, &err), &err);
	assert_ok(plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err);
	t = find(&s, STEP_PUBLISH, "/run/pinfold/publish/x");
	assert_int_equal(t->mode, 0710);
	assert_int_equal(t->uid, 0);
	assert_int_equal(t->gid, 4711);
	t = find(&s, STEP_DIR, "/run/pinfold/publish/x/app");
	assert_int_equal(t->mode, 02755);
	assert_int_equal(t->uid, 0x70000000 + 1000);
	assert_int_equal(t->gid, 4711);
	assert_int_equal(umask_of(&s), 0002);
	done(&s);
}

static void without(void **)
{
	struct scene s;
	struct err err;

	prepare("cpus=1", &s);
	assert_ok(plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err), &err);
	for (unsigned i = 0; i < s.plan.nsteps; i++)
		assert_null(strstr(s.plan.steps[i].path, "publish"));
	assert_false(lease_notes(&s.plan.lease, "publish", "/run/pinfold/publish/x"));
	done(&s);
}

// Where a client of the host could not name it.
static void long_names(void **)
{
	struct scene s;
	struct err err;

	prepare("cpus=1", &s);
	assert_ok(
		launch_parse_publish(
			"unix:/run/a/"
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xx"
			"xxxxxxxx",
			&s.launch,
			&err
		),
		&err
	);
	assert_fails(
		plan_build(&s.lease, &s.launch, &s.host, &s.fs, &s.plan, &err),
		&err,
		"longer than the 107 that a socket's path may have"
	);
	done(&s);
}

// A lease file may say anything.
static void undoes_its_own(void **)
{
	static const char *const others[] = {
		"/etc",
		"/run/pinfold/publish",
		"/run/pinfold/publish/",
		"/run/pinfold/publish/.",
		"/run/pinfold/publish/..",
		"/run/pinfold/publish/x/app",
		"/run/pinfold/links/x",
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_fails(publish_end(others[i], &err), &err, "not below /run/pinfold/publish");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_of_volumes),
		cmocka_unit_test(bad_words),
		cmocka_unit_test(what_does_not_go_together),
		cmocka_unit_test(only_in_containers_of_root),
		cmocka_unit_test(steps),
		cmocka_unit_test(of_a_group),
		cmocka_unit_test(without),
		cmocka_unit_test(long_names),
		cmocka_unit_test(undoes_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
