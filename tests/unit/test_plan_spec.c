// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Plans for containers of engines: what becomes of their config.json, and what is made beside it.

#include "fake.h"

#include "ledger/ledger.h"
#include "plan/plan.h"

#include <sys/sysmacros.h>

#define LABEL "system_u:object_r:container_file_t:s0:c1,c2"
#define PROCESS_LABEL "system_u:system_r:container_t:s0:c1,c2"
#define SPEC(process, linux_part)                                                                \
	"{\"ociVersion\": \"1.0.2\", \"x-unknown\": 7, \"process\": {\"args\": [\"/x\"]" process \
	"}, \"mounts\": [], \"linux\": {\"x-other\": [1]" linux_part "}}"

struct scene {
	struct hostfs fs;
	struct host host;
	struct lease lease;
	struct launch launch;
	json_t *spec;
	struct plan plan;
};

static void prepare(const char *text, struct scene *s)
{
	static char *const argv[] = {(char *)LAUNCH_CONTAINER, (char *)"c", NULL};
	const struct holdings nobody = {0};

	*s = (struct scene){.spec = json_loads(text, 0, NULL)};
	assert_non_null(s->spec);
	fake_open("two", &s->fs, &s->host);
	fake_grant(&s->host, &nobody, "cpus=1 hugepages=2M=4 memory=64M", &s->lease.grant);
	s->launch = (struct launch){
		.argv = argv,
		.site = fake_site(PLACE_ENGINE),
		.inside = "/usr/libexec/pinfold/pinfold-inside",
		.spec = s->spec,
		.config = "/b/config.json",
	};
}

static int build(struct scene *s, struct err *err)
{
	return plan_build(&s->lease, &s->launch, &s->host, &s->fs, &s->plan, err);
}

static void make(const char *text, struct scene *s)
{
	struct err err;

	prepare(text, s);
	assert_ok(build(s, &err), &err);
}

static void done(struct scene *s)
{
	plan_done(&s->plan);
	json_decref(s->spec);
	host_done(&s->host);
	hostfs_close(&s->fs);
}

static const json_t *at(const json_t *doc, const char *outer, const char *inner)
{
	return json_object_get(json_object_get(doc, outer), inner);
}

static void assert_text(const json_t *doc, const char *outer, const char *inner, const char *text)
{
	const char *s = json_string_value(at(doc, outer, inner));

	assert_non_null(s);
	assert_string_equal(s, text);
}

static void keeps_what_the_engine_wrote(void **)
{
	struct scene s;

	make(SPEC(", \"selinuxLabel\": \"" PROCESS_LABEL
		  "\", \"env\": [\"A=1\", \"PINFOLD_GRANT=x\"]",
		  ", \"mountLabel\": \"" LABEL "\", \"resources\": {\"hugepageLimits\": [], "
		  "\"cpu\": {\"cpus\": \"1\", \"shares\": 7}}"),
	     &s);
	assert_int_equal(json_integer_value(json_object_get(s.plan.oci, "x-unknown")), 7);
	assert_int_equal(json_array_size(at(s.plan.oci, "linux", "x-other")), 1);
	assert_text(s.plan.oci, "process", "selinuxLabel", PROCESS_LABEL);
	assert_text(s.plan.oci, "linux", "mountLabel", LABEL);
	assert_text(s.plan.oci, "linux", "cgroupsPath", "/pinfold/x/box/c");
	const json_t *resources = at(s.plan.oci, "linux", "resources");

	assert_null(json_object_get(resources, "hugepageLimits"));
	assert_text(resources, "cpu", "cpus", "1");
	assert_int_equal(json_integer_value(at(resources, "cpu", "shares")), 7);
	const json_t *env = at(s.plan.oci, "process", "env");

	assert_int_equal(json_array_size(env), 2);
	assert_string_equal(json_string_value(json_array_get(env, 1)), "PINFOLD_GRANT=" GRANT_FILE);
	// the engine's own is another
	assert_string_equal(
		json_string_value(json_array_get(at(s.spec, "process", "env"), 1)),
		"PINFOLD_GRANT=x"
	);
	done(&s);
}

static bool mounts(const struct step *step)
{
	return step->kind == STEP_TMPFS || step->kind == STEP_HUGETLBFS
	       || step->kind == STEP_OVERLAY;
}

static unsigned labelled(const struct plan *p, unsigned *ret_all)
{
	unsigned n = 0;

	*ret_all = 0;
	for (unsigned i = 0; i < p->nsteps; i++) {
		bool has = strstr(p->steps[i].value, ",context=\"" LABEL "\"") != NULL;

		assert_true(!has || mounts(&p->steps[i]));
		n += has;
		*ret_all += mounts(&p->steps[i]);
	}
	return n;
}

static void labels_what_it_mounts(void **)
{
	static const enum site_place places[] = {PLACE_ENGINE, PLACE_GIVEN};
	static const char text[] = SPEC("", ", \"mountLabel\": \"" LABEL "\"");

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct scene s;
		struct err err;
		unsigned all;

		prepare(text, &s);
		s.host.selinux = true;
		s.launch.site = fake_site(places[i]);
		assert_ok(build(&s, &err), &err);
		unsigned n = labelled(&s.plan, &all);

		assert_int_equal(n, all);
		// a tmpfs and an overlay; and where pinfold gives the pages a hugetlbfs
		assert_int_equal(all, places[i] == PLACE_ENGINE ? 3 : 2);
		done(&s);
	}
}

static void labels_nothing_without_selinux(void **)
{
	static const char *const rows[] = {
		SPEC("", ", \"mountLabel\": \"" LABEL "\""), // the host has none
		SPEC("", ", \"mountLabel\": \"\""),
		SPEC("", ""),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene s;
		struct err err;
		unsigned all;

		prepare(rows[i], &s);
		s.host.selinux = i > 0;
		assert_ok(build(&s, &err), &err);
		assert_int_equal(labelled(&s.plan, &all), 0);
		for (unsigned k = 0; k < s.plan.nsteps; k++)
			assert_null(strstr(s.plan.steps[k].value, "context="));
		done(&s);
	}
}

static void refuses_what_is_no_label(void **)
{
	static const char *const rows[] = {
		"a:b:c:s0\\\",size=100%,mode=\\\"0777", "a b", "a\\n", "a\\\\"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text =
			str_printf(SPEC("", ", \"mountLabel\": \"%s\""), rows[i]);
		struct scene s;
		struct err err;

		prepare(text, &s);
		s.host.selinux = true;
		assert_fails(build(&s, &err), &err, "linux.mountLabel");
		done(&s);
	}
}

// In a user namespace its runtime makes none, and binds those.
static void makes_nodes_for_user_namespaces(void **)
{
	static const struct {
		const char *namespaces;
		unsigned n;
	} rows[] = {
		{"{\"type\": \"pid\"}", 1},
		{"{\"type\": \"pid\"}, {\"type\": \"user\"}", 6},
		{"{\"type\": \"user\", \"path\": \"/proc/7/ns/user\"}", 6},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text =
			str_printf(SPEC("", ", \"namespaces\": [%s]"), rows[i].namespaces);
		struct scene s;
		unsigned made = 0, bound = 0;

		make(text, &s);
		for (unsigned k = 0; k < s.plan.nsteps; k++) {
			made += s.plan.steps[k].kind == STEP_NODE;
			bound += s.plan.steps[k].kind == STEP_BIND && s.plan.steps[k].rdev != 0;
			if (s.plan.steps[k].kind == STEP_NODE && rows[i].n == 1)
				assert_int_equal(s.plan.steps[k].rdev, makedev(1, 3));
		}
		assert_int_equal(made, rows[i].n);
		assert_int_equal(bound, rows[i].n);
		done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_what_the_engine_wrote),
		cmocka_unit_test(labels_what_it_mounts),
		cmocka_unit_test(labels_nothing_without_selinux),
		cmocka_unit_test(refuses_what_is_no_label),
		cmocka_unit_test(makes_nodes_for_user_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
