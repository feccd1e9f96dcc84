// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-runtime: command lines, what an engine gave a container, and what it may change.

#include "fake.h"

#include "runtime/claim.h"
#include "runtime/command.h"
#include "runtime/derive.h"
#include "runtime/derive_parts.h"
#include "runtime/update.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>

// ---- command lines

static struct command read_as(enum grammar grammar, const char *line)
{
	static char copy[512];
	static char *argv[32];
	char *save = NULL;
	struct command c;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w != NULL && argc < 31;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	command_read(argv, grammar, &c);
	return c;
}

static struct command read_words(const char *line)
{
	return read_as(GRAMMAR_ARGP, line);
}

static void reads_commands(void **)
{
	struct command c = read_words(
		"rt --root /r --log=/l --log-format json --systemd-cgroup create --bundle /b "
		"--pid-file /p --no-pivot x"
	);

	assert_string_equal(c.name, "create");
	assert_string_equal(c.root, "/r");
	assert_string_equal(c.log, "/l");
	assert_string_equal(c.bundle, "/b");
	assert_string_equal(c.pid_file, "/p");
	assert_string_equal(c.id, "x");
	assert_false(c.detached);
	assert_true(command_makes(&c));
	c = read_words("rt run -b /b -d x");
	assert_true(c.detached);
	assert_string_equal(c.id, "x");
	// a beginning is enough for crun
	c = read_words("rt --roo /a update --cpuset-c 3 x");
	assert_string_equal(c.root, "/a");
	assert_string_equal(c.cpus, "3");
	assert_string_equal(c.id, "x");
	c = read_words("rt run --det --bun=/b x");
	assert_true(c.detached);
	assert_string_equal(c.bundle, "/b");
	c = read_words("rt update --memory 100 --cpuset-cpus=1-2 -r - x");
	assert_string_equal(c.id, "x");
	assert_string_equal(c.cpus, "1-2");
	assert_string_equal(c.resources, "-");
	c = read_words("rt checkpoint --image-path /i --leave-running x");
	assert_string_equal(c.id, "x");
	assert_false(command_makes(&c));
	c = read_words("rt delete --force x");
	assert_string_equal(c.id, "x");
	c = read_words("rt");
	assert_null(c.name);
	c = read_words("rt --root");
	assert_null(c.name);
	// letters in one word
	c = read_words("rt run -db /b x");
	assert_true(c.detached);
	assert_string_equal(c.bundle, "/b");
	assert_string_equal(c.id, "x");
	c = read_words("rt run -db/b -- x");
	assert_string_equal(c.bundle, "/b");
	assert_string_equal(c.id, "x");
	// what runc would take for --bundle
	c = read_words("rt create -bundle x");
	assert_string_equal(c.bundle, "undle");
	assert_string_equal(c.id, "x");
	// nothing behind the container is an option
	c = read_words("rt create x --bundle /b");
	assert_string_equal(c.id, "x");
	assert_null(c.bundle);
}

static void reads_commands_of_runc(void **)
{
	static const struct {
		const char *line, *root, *bundle, *id;
		bool detached;
	} rows[] = {
		{"rt -root /r -log=/l create -bundle /b x", "/r", "/b", "x"},
		{"rt --root=/r create -b=/b x", "/r", "/b", "x"},
		{"rt create x -b /b", NULL, "/b", "x"},
		{"rt create x --bundle=/b -no-pivot", NULL, "/b", "x"},
		{"rt create -- x --bundle /b", NULL, NULL, "x"},
		{"rt create -bundle -- x", NULL, "--", "x"},
		{"rt run -detach -b /b x", NULL, "/b", "x", true},
		{"rt run --detach=false -b /b x", NULL, "/b", "x"},
		{"rt run -d=T x", NULL, NULL, "x", true},
		// it knows no beginnings of names, and no letters in one word
		{"rt run --bund x", NULL, NULL, "x"},
		{"rt run -db x", NULL, NULL, "x"},
		{"rt -debug -systemd-cgroup create -b /b x", NULL, "/b", "x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command c = read_as(GRAMMAR_GO, rows[i].line);

		assert_true(command_makes(&c));
		assert_string_equal(c.id, rows[i].id);
		assert_int_equal(c.detached, rows[i].detached);
		assert_true((c.root == NULL) == (rows[i].root == NULL));
		assert_true(c.root == NULL || str_eq(c.root, rows[i].root));
		assert_true((c.bundle == NULL) == (rows[i].bundle == NULL));
		assert_true(c.bundle == NULL || str_eq(c.bundle, rows[i].bundle));
	}
	struct command c = read_as(GRAMMAR_GO, "rt update x -cpuset-cpus 3 --resources -");

	assert_string_equal(c.id, "x");
	assert_string_equal(c.cpus, "3");
	assert_string_equal(c.resources, "-");
}

static void leaves_out_who_manages_cgroups(void **)
{
	static const struct {
		enum grammar grammar;
		const char *line, *kept;
	} rows[] = {
		{GRAMMAR_ARGP,
		 "rt --root /r --systemd-cgroup --cgroup-manager systemd create --bundle /b x",
		 "rt --root /r create --bundle /b x"},
		{GRAMMAR_ARGP,
		 "rt --cgroup-m=systemd --sys create --systemd-cgroup",
		 "rt create --systemd-cgroup"},
		{GRAMMAR_ARGP,
		 "rt --log --systemd-cgroup run x",
		 "rt --log --systemd-cgroup run x"},
		{GRAMMAR_GO, "rt -systemd-cgroup=true -root /r run x", "rt -root /r run x"},
		{GRAMMAR_GO, "rt --systemd-cgroup", "rt"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *kept[32], line[256] = "";

		command_without_manager(
			read_as(rows[i].grammar, rows[i].line).argv, rows[i].grammar, kept
		);
		for (size_t n = 0; kept[n] != NULL; n++) {
			strcat(line, n > 0 ? " " : "");
			strcat(line, kept[n]);
		}
		assert_string_equal(line, rows[i].kept);
	}
}

// ---- claims

#define ANNOTATED(list) "{\"annotations\": {" list "}}"
#define WITH_ENV(list) "{\"process\": {\"env\": [" list "]}}"
#define MOUNTED(name) "{\"mounts\": [{\"source\": \"/run/pinfold/cdi/" name "\"}]}"
#define HOOK(args) "{\"path\": \"/dev/null/pinfold-runtime\", \"args\": [" args "]}"
#define HOOKED(list) "{\"hooks\": {\"createRuntime\": [" list "]}}"

static void reads_claims(void **)
{
	static const struct {
		const char *text, *name;
		enum grant_claim way;
		const char *token;
	} rows[] = {
		{"{}", NULL, 0},
		{ANNOTATED("\"dev.pinfold.grant\": \"fw\""), "fw", CLAIM_BY_ANNOTATION},
		{ANNOTATED("\"dev.pinfold.grant:kubernetes\": \"fw\""), "fw", CLAIM_BY_KUBERNETES},
		{WITH_ENV("\"PINFOLD_GRANT=fw\""), "fw", CLAIM_BY_ENV},
		{HOOKED("{\"path\": \"/x\"}, " HOOK("\"x\", \"fw\"")), "fw", CLAIM_BY_CDI},
		{HOOKED(HOOK("\"x\", \"fw\", \"abc\"")), "fw", CLAIM_BY_KUBERNETES, "abc"},
		{ANNOTATED("\"dev.pinfold.token:kubernetes\": \"abc\", "
			   "\"dev.pinfold.grant:kubernetes\": \"fw\""),
		 "fw",
		 CLAIM_BY_KUBERNETES,
		 "abc"},
		// it is no claim, and says nothing of others
		{ANNOTATED("\"dev.pinfold.token:kubernetes\": \"abc\""), NULL, 0},
		{ANNOTATED("\"dev.pinfold.token:kubernetes\": \"abc\", "
			   "\"dev.pinfold.grant\": \"fw\""),
		 "fw",
		 CLAIM_BY_ANNOTATION},
		{HOOKED("{\"path\": \"/dev/null/x\", \"args\": [\"x\", \"fw\"]}"), NULL, 0},
		// of two that agree what says more about who asks, in any order
		{ANNOTATED("\"dev.pinfold.grant\": \"fw\", \"dev.pinfold.grant:kubernetes\": \"fw\""
		 ),
		 "fw",
		 CLAIM_BY_KUBERNETES},
	};
	static const char *const refused[] = {
		ANNOTATED("\"dev.pinfold.grant\": \"fw\", \"dev.pinfold.grant:kubernetes\": \"x\""),
		ANNOTATED("\"dev.pinfold.gramt\": \"fw\""),
		ANNOTATED("\"dev.pinfold.grant:swarm\": \"fw\""),
		ANNOTATED("\"dev.pinfold.grant:kubernetes\": 1"),
		ANNOTATED("\"dev.pinfold.grant\": \"../fw\""),
		WITH_ENV("\"PINFOLD_GRANT=a\", \"DOCKER_RESOURCE_PINFOLD=b\""),
		HOOKED(HOOK("\"x\", \"a\"") "," HOOK("\"x\", \"b\"")),
		HOOKED(HOOK("\"x\"")),
		HOOKED(HOOK("\"x\", 7")),
		// who may mount a path of the host
		MOUNTED("fw"),
	};
	struct claim claim;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *doc = json_loads(rows[i].text, 0, NULL);

		assert_ok(claim_read(doc, &claim, &err), &err);
		assert_int_equal(claim.way, rows[i].way);
		assert_true(
			rows[i].name == NULL ? claim.name == NULL : str_eq(claim.name, rows[i].name)
		);
		assert_true(
			rows[i].token == NULL ? claim.token == NULL
					      : str_eq(claim.token, rows[i].token)
		);
		json_decref(doc);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		json_t *doc = json_loads(refused[i], 0, NULL);

		assert_fails(claim_read(doc, &claim, &err), &err, "");
		json_decref(doc);
	}
}

// ---- what an engine gave

struct scene {
	struct hostfs fs;
	struct host host;
	struct grant grant;
};

static bool derives(struct scene *s, const char *kind, const char *text)
{
	json_t *spec = json_loads(text, 0, NULL);
	struct grant again;
	struct err err;
	json_t *doc;
	bool needed;

	assert_non_null(spec);
	fake_open(kind, &s->fs, &s->host);
	needed = derive_needed(spec, &s->fs);
	assert_ok(derive_grant(spec, &s->host, &s->fs, &s->grant, &err), &err);
	json_decref(spec);
	// a lease with it can be read again
	strcpy(s->grant.name, "ctr-x");
	doc = grant_to_json(&s->grant);
	assert_ok(grant_from_json(doc, "lease", &again, &err), &err);
	assert_memory_equal(&again.hugepages, &s->grant.hugepages, sizeof(again.hugepages));
	json_decref(doc);
	return needed;
}

static void done(struct scene *s)
{
	host_done(&s->host);
	hostfs_close(&s->fs);
}

#define LIMITS(cpu, pages) \
	"{\"linux\": {\"resources\": {\"cpu\": {" cpu "}, \"hugepageLimits\": [" pages "]}}}"
#define PAGES(size, limit) "{\"pageSize\": \"" size "\", \"limit\": " limit "}"

static void takes_limits_of_hugepages(void **)
{
	char text[IDSET_STR];
	struct scene s;

	assert_true(
		derives(&s,
			"paper",
			LIMITS("\"cpus\": \"2-3\", \"mems\": \"0\"",
			       PAGES("2MB", "33554432") "," PAGES("1GB", "2147483648")))
	);
	assert_string_equal(idset_format(&s.grant.cpus, text, sizeof(text)), "2-3");
	assert_true(idset_empty(&s.grant.shared_cpus));
	assert_string_equal(idset_format(&s.grant.mems, text, sizeof(text)), "0");
	assert_int_equal(grant_pages(&s.grant, MIB2, 0, true, true), 16);
	assert_int_equal(grant_pages(&s.grant, GIB, 0, true, true), 2);
	// no mount of pinfold's is for them
	assert_int_equal(grant_pages(&s.grant, MIB2, -1, true, false), 0);
	assert_int_equal(s.grant.memory, s.host.mem_total);
	done(&s);
}

static void takes_little_memory_and_no_limit(void **)
{
	struct scene s;

	assert_true(derives(
		&s,
		"paper",
		"{\"linux\": {\"resources\": {\"memory\": {\"limit\": 4096}, \"pids\": {\"limit\": "
		"-1}, \"hugepageLimits\": [" PAGES("2MB", "9223372036854771712") "]}}}"
	));
	assert_int_equal(s.grant.memory, 4096);
	assert_int_equal(grant_pages(&s.grant, MIB2, -1, true, true), 512);
	done(&s);
}

static void takes_none_without_hugepages_or_devices(void **)
{
	char text[IDSET_STR];
	struct scene s;

	assert_false(derives(&s, "paper", LIMITS("\"cpus\": \"2-3\"", "")));
	done(&s);
	assert_false(derives(&s, "paper", LIMITS("", PAGES("2MB", "0") "," PAGES("1GB", "0"))));
	// CPUs that nobody chose are everybody's
	assert_true(idset_empty(&s.grant.cpus));
	assert_string_equal(idset_format(&s.grant.shared_cpus, text, sizeof(text)), "0-47");
	assert_int_equal(s.grant.nhugepages, 0);
	done(&s);
	assert_false(derives(&s, "paper", "{}"));
	done(&s);
}

static void spreads_pages_over_nodes(void **)
{
	struct scene s;

	assert_true(derives(&s, "paper", LIMITS("", PAGES("2MB", "629145600"))));
	assert_int_equal(grant_pages(&s.grant, MIB2, 0, true, true), 256);
	assert_int_equal(grant_pages(&s.grant, MIB2, 1, true, true), 44);
	done(&s);
	// more than the node has, and than the machine
	assert_true(derives(&s, "paper", LIMITS("\"mems\": \"1\"", PAGES("2MB", "2097152000"))));
	assert_int_equal(grant_pages(&s.grant, MIB2, 1, true, true), 512);
	done(&s);
}

static void takes_mounts(void **)
{
	struct scene s;

	assert_true(derives(
		&s,
		"paper",
		"{\"mounts\": [{\"destination\": \"/h\", \"type\": \"hugetlbfs\", \"options\": "
		"[\"pagesize=2M\", \"size=64M\"]}]}"
	));
	assert_int_equal(grant_pages(&s.grant, MIB2, -1, true, true), 32);
	done(&s);
	// a limit below
	assert_true(derives(
		&s,
		"paper",
		"{\"mounts\": [{\"destination\": \"/h\", \"type\": \"hugetlbfs\", \"options\": "
		"[\"size=64M\"]}], \"linux\": {\"resources\": {\"hugepageLimits\": [" PAGES(
			"2MB", "8388608"
		) "]}}}"
	));
	assert_int_equal(grant_pages(&s.grant, MIB2, -1, true, true), 4);
	done(&s);
	// one that nobody limits: what is free
	assert_true(derives(
		&s, "paper", "{\"mounts\": [{\"destination\": \"/h\", \"type\": \"hugetlbfs\"}]}"
	));
	assert_int_equal(grant_pages(&s.grant, MIB2, -1, true, true), 512);
	done(&s);
}

// The pages that a mount of what is at that place gives, on this machine.
static uint64_t pages_at(const struct host *host, const struct hostfs *fs, const char *place)
{
	json_t *spec = json_pack(
		"{s:[{s:s, s:s, s:s}]}",
		"mounts",
		"destination",
		"/h",
		"type",
		"bind",
		"source",
		place
	);
	struct grant g = {0};

	assert_non_null(spec);
	idset_add(&g.mems, 0);
	derive_pages(spec, host, fs, &g);
	json_decref(spec);
	return g.nhugepages > 0 ? grant_pages(&g, MIB2, -1, true, true) : 0;
}

// A path that only begins as that of a hugetlbfs does; and links there, which a container can have made.
static void asks_no_other_file_system(void **)
{
	char top[] = "/tmp/pinfold-unit-XXXXXX", options[] = "pagesize=2M,size=8M";
	_cleanup_free_ char *link = NULL, *dir = NULL, *up = NULL;
	struct hostfs fs;
	struct host host;
	struct err err;
	struct scene s;
	bool linked;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0
	    || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip_because("it mounts: needs root");
	assert_non_null(mkdtemp(top));
	if (mount("pinfold", top, "hugetlbfs", 0, options) < 0) {
		rmdir(top);
		skip_because("no hugetlbfs of 2 MiB here");
	}
	link = str_printf("%s/link", top);
	dir = str_printf("%s/dir", top);
	up = str_printf("%s/dir/../../%s", top, strrchr(top, '/') + 1);
	assert_int_equal(mkdir(dir, 0755), 0);
	linked = symlink(dir, link) == 0; // Linux 6.1 has none that work
	fake_open("paper", &s.fs, &host);
	hostfs_close(&s.fs);
	assert_ok(hostfs_open("/", &fs, &err), &err);
	assert_int_equal(pages_at(&host, &fs, top), 4);
	assert_int_equal(pages_at(&host, &fs, dir), 4);
	if (linked)
		assert_int_equal(pages_at(&host, &fs, link), 0);
	assert_int_equal(pages_at(&host, &fs, up), 0);
	hostfs_close(&fs);
	host_done(&host);
	umount2(top, MNT_DETACH);
	rmdir(top);
}

#define NODE(path, type, major, minor)                                                             \
	"{\"path\": \"" path "\", \"type\": \"" type "\", \"major\": " major ", \"minor\": " minor \
	"}"
#define DEVICES(list) "{\"linux\": {\"devices\": [" list "]}}"

// By what they are, and not by what they are called.
static void takes_devices(void **)
{
	static const char *const taken[] = {
		DEVICES(NODE("/dev/vfio/vfio", "c", "10", "196") "," NODE(
			"/dev/vfio/31", "c", "240", "1"
		) "," NODE("/dev/null", "c", "1", "3")),
		DEVICES(NODE("/dev/mine", "c", "240", "1")),
		DEVICES(NODE("/dev/vfio/30", "u", "240", "1")),
		DEVICES(NODE("/x", "c", "240", "1") "," NODE("/y", "c", "240", "1")),
	};
	static const char *const none[] = {
		DEVICES(NODE("/dev/vfio/vfio", "c", "10", "196")),
		DEVICES(NODE("/dev/vfio/31", "c", "1", "3")),
		DEVICES(NODE("/dev/uio0", "c", "1", "3")),
		DEVICES(NODE("/dev/vfio/31", "b", "240", "1")),
		DEVICES("{\"path\": \"/dev/vfio/31\", \"major\": 240, \"minor\": 1}"),
		// numbers that are none
		DEVICES(NODE(
			"/dev/vfio/31", "c", "-1", "99999999999"
		) ", 7, {\"path\": \"/dev/vfio/30\", \"type\": \"c\"}"),
	};
	struct scene s;

	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		assert_true(derives(&s, "paper", taken[i]));
		assert_int_equal(s.grant.nnics, 1);
		assert_string_equal(s.grant.nics[0].bdf, "0000:03:00.1");
		assert_int_equal(s.grant.nics[0].iommu_group, 31);
		assert_true(derive_possible(taken[i], strlen(taken[i]), &s.fs));
		done(&s);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_false(derives(&s, "paper", none[i]));
		assert_int_equal(s.grant.nnics, 0);
		done(&s);
	}
}

// Whatever its IOMMU group: what it is driven by has none.
static void takes_devices_of_uio(void **)
{
	struct scene s;

	assert_true(derives(&s, "mlx5", DEVICES(NODE("/dev/uio0", "c", "245", "0"))));
	assert_int_equal(s.grant.nnics, 1);
	assert_string_equal(s.grant.nics[0].bdf, "0000:5f:00.0");
	assert_true(s.grant.nics[0].uio);
	assert_int_equal(s.grant.nics[0].iommu_group, -1);
	done(&s);
}

static void refuses_what_is_no_list(void **)
{
	json_t *spec = json_loads(LIMITS("\"cpus\": \"x-\"", ""), 0, NULL);
	struct scene s;
	struct err err;

	fake_open("paper", &s.fs, &s.host);
	assert_fails(derive_grant(spec, &s.host, &s.fs, &s.grant, &err), &err, "config.json");
	json_decref(spec);
	done(&s);
}

// ---- updates

static void keeps_updates_true(void **)
{
	static const char *const fine[] = {
		"{}",
		"{\"memory\": {\"limit\": 1}}",
		"{\"cpu\": {\"cpus\": \"2-3\", \"mems\": \"0\", \"shares\": 7}}",
		"{\"cpu\": {\"cpus\": \"\"}, \"hugepageLimits\": [" PAGES("2MB", "0") "]}",
		"[]",
	};
	static const char *const refused[] = {
		"{\"cpu\": {\"cpus\": \"2\"}}",
		"{\"cpu\": {\"cpus\": \"2-4\"}}",
		"{\"cpu\": {\"cpus\": \"x\"}}",
		"{\"cpu\": {\"mems\": \"1\"}}",
		"{\"unified\": {\"hugetlb.2MB.rsvd.max\": \"max\"}}",
	};
	struct grant g = {.name = "fw"};
	struct err err;

	idset_add(&g.cpus, 2);
	idset_add(&g.shared_cpus, 3);
	idset_add(&g.mems, 0);
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		json_t *doc = json_loads(fine[i], 0, NULL);

		assert_ok(update_check_resources(doc, &g, &err), &err);
		assert_null(json_object_get(doc, "hugepageLimits"));
		json_decref(doc);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		json_t *doc = json_loads(refused[i], 0, NULL);

		assert_fails(update_check_resources(doc, &g, &err), &err, "grant 'fw'");
		json_decref(doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_commands),
		cmocka_unit_test(reads_commands_of_runc),
		cmocka_unit_test(leaves_out_who_manages_cgroups),
		cmocka_unit_test(reads_claims),
		cmocka_unit_test(takes_limits_of_hugepages),
		cmocka_unit_test(takes_little_memory_and_no_limit),
		cmocka_unit_test(takes_none_without_hugepages_or_devices),
		cmocka_unit_test(spreads_pages_over_nodes),
		cmocka_unit_test(takes_mounts),
		cmocka_unit_test(asks_no_other_file_system),
		cmocka_unit_test(takes_devices),
		cmocka_unit_test(takes_devices_of_uio),
		cmocka_unit_test(refuses_what_is_no_list),
		cmocka_unit_test(keeps_updates_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
