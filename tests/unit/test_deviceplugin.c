// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What kubelet is offered, and the bytes of the answers, on a made-up ledger.

#include "fake.h"
#include "scratch.h"

#include "api.pb-c.h"
#include "deviceplugin/answer.h"
#include "ledger/ledger.h"

static struct hostfs fs;
static struct ledger ledger;
static struct host host;
static struct catalog catalog;

static int setup_ledger(void **state)
{
	struct err err;

	if (setup(state) < 0 || hostfs_open(top, &fs, &err) < 0 || mkdirat(topfd, "etc", 0755) < 0
	    || mkdirat(topfd, "run", 0755) < 0)
		return -1;
	fake_read("paper", &host);
	return ledger_open(&fs, true, &ledger, &err);
}

static int teardown_ledger(void **state)
{
	catalog_done(&catalog);
	host_done(&host);
	ledger_close(&ledger);
	hostfs_close(&fs);
	return teardown(state);
}

static void define_bare(
	const char *name, unsigned claims, unsigned cpu, unsigned node, unsigned pages
)
{
	struct grant g = {.memory = 64 * MIB2, .pids = 8, .claim_by = claims};
	struct err err;

	snprintf(g.name, sizeof(g.name), "%s", name);
	idset_add(&g.cpus, cpu);
	idset_add(&g.mems, node);
	if (pages > 0)
		g.hugepages[g.nhugepages++] =
			(struct grant_hugepages){.size = MIB2, .count = pages, .node = (int)node};
	assert_ok(definition_write(&ledger, &g, &err), &err);
}

static void define(const char *name, unsigned claims, unsigned cpu, unsigned node, unsigned pages)
{
	char token[TOKEN_STR];
	struct err err;

	define_bare(name, claims, cpu, node, pages);
	assert_ok(token_make(&ledger, name, token, &err), &err);
}

static void look(void)
{
	struct catalog now;
	struct err err;

	assert_ok(catalog_read(&ledger, &host, &catalog, &now, &err), &err);
	catalog_done(&catalog);
	catalog = now;
}

static const struct device *device(const char *resource, const char *name)
{
	const struct resource *r = catalog_find(&catalog, resource);

	return r != NULL ? resource_find(r, name) : NULL;
}

static void names_resources(void **)
{
	static const struct {
		const char *grant, *resource;
	} rows[] = {
		{"fw-1", "fw"},
		{"fw-12", "fw"},
		{"fw", "fw"},
		{"fw-a", "fw-a"},
		{"fw1", "fw1"},
		{"a-b-3", "a-b"},
		{"1", "1"},
		{"12-3", "12"},
		{"fw-", "fw"},
		{"fw._-1", "fw"},
		{"5-", "5"},
	};
	char name[NAME_MAX_LEN + 1];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		catalog_resource_of(rows[i].grant, name);
		assert_string_equal(name, rows[i].resource);
	}
}

static void offers_what_was_made_for_it(void **)
{
	_cleanup_json_ json_t *names = json_pack("[s]", "fw-3");
	struct err err;

	define("fw-1", CLAIM_BY_KUBERNETES, 1, 0, 0);
	define("fw-2", CLAIM_BY_KUBERNETES | CLAIM_BY_ENV, 2, 0, 0);
	define("other", CLAIM_BY_ANNOTATION | CLAIM_BY_CDI, 3, 0, 0);
	// not all of its kind are there yet
	define("fw-3", CLAIM_BY_KUBERNETES, 4, 0, 0);
	assert_ok(definitions_begin(&ledger, names, &err), &err);
	// beginning takes none away that is there; all else asks first
	look();
	assert_int_equal(catalog.n, 1);
	assert_int_equal(catalog.resources[0].n, 2);
	assert_string_equal(device("fw", "fw-1")->why, "");
	assert_ids(&device("fw", "fw-1")->nodes, "0");
	assert_ok(definitions_commit(&ledger, &err), &err);
	look();
	assert_non_null(device("fw", "fw-3"));
}

static void says_what_is_missing(void **)
{
	uint64_t *pages;
	struct err err;

	define("fw-1", CLAIM_BY_KUBERNETES, 1, 0, 10);
	define("fw-2", CLAIM_BY_KUBERNETES, 2, 0, 10);
	define("other", CLAIM_BY_ENV, 3, 0, 10);
	pages = &host.nodes[0].hugepages[host_page_size_index(&host, MIB2)].total;
	*pages = 30;
	look();
	assert_string_equal(device("fw", "fw-2")->why, "");
	// the last of them lacks what is gone
	*pages = 25;
	look();
	assert_string_equal(device("fw", "fw-1")->why, "");
	assert_string_equal(
		device("fw", "fw-2")->why, "hugepages of 2M on node 0 are gone: 5 of 10"
	);
	*pages = 30;
	idset_del(&host.online, 1);
	look();
	assert_string_equal(device("fw", "fw-1")->why, "CPU 1 is offline");
	assert_string_equal(device("fw", "fw-2")->why, "");
	define_bare("fw-4", CLAIM_BY_KUBERNETES, 4, 0, 0);
	look();
	assert_string_equal(device("fw", "fw-4")->why, "it has no token: pinfold cdi generate");
	// one that cannot be read is known as long as it is there
	assert_ok(fs_write_atomic(ledger.defs, "fw-2.json", "{", 1, 0600, &err), &err);
	look();
	assert_string_equal(device("fw", "fw-2")->why, "its definition cannot be read");
	assert_ok(definition_remove(&ledger, "fw-2", &err), &err);
	look();
	assert_null(device("fw", "fw-2"));
}

// ---- bytes

static void lists_devices(void **)
{
	V1beta1__ListAndWatchResponse *m;
	struct bytes b;
	struct err err;

	define("fw-1", CLAIM_BY_KUBERNETES, 1, 0, 0);
	define("fw-2", CLAIM_BY_KUBERNETES, 2, 1, 0);
	idset_del(&host.online, 2);
	look();
	assert_ok(answer_list(catalog_find(&catalog, "fw"), NULL, &b, &err), &err);
	m = v1beta1__list_and_watch_response__unpack(NULL, b.len, b.data);
	assert_non_null(m);
	assert_int_equal(m->n_devices, 2);
	assert_string_equal(m->devices[0]->id, "fw-1");
	assert_string_equal(m->devices[0]->health, "Healthy");
	assert_int_equal(m->devices[0]->topology->nodes[0]->id, 0);
	assert_string_equal(m->devices[1]->health, "Unhealthy");
	v1beta1__list_and_watch_response__free_unpacked(m, NULL);
	free(b.data);
}

static void refuses_what_is_no_request(void **)
{
	uint8_t junk[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0};
	const struct bytes request = {junk, sizeof(junk)};
	struct bytes b;
	struct err err;

	define("fw-1", CLAIM_BY_KUBERNETES, 1, 0, 0);
	look();
	assert_int_equal(
		answer_allocate(catalog_find(&catalog, "fw"), &request, &b, &err), -EINVAL
	);
	assert_int_equal(
		answer_preferred(catalog_find(&catalog, "fw"), &request, &b, &err), -EINVAL
	);
}

// Of four on two nodes: in the order that is preferred, "a,b".
static void assert_prefers(const char *available, const char *must, int size, const char *want)
{
	char *names[8], *musts[8];
	_cleanup_free_ char *copy = strdup(available), *other = strdup(must);
	V1beta1__ContainerPreferredAllocationRequest one =
		V1BETA1__CONTAINER_PREFERRED_ALLOCATION_REQUEST__INIT;
	V1beta1__ContainerPreferredAllocationRequest *list[] = {&one};
	V1beta1__PreferredAllocationRequest m = V1BETA1__PREFERRED_ALLOCATION_REQUEST__INIT;
	V1beta1__PreferredAllocationResponse *answer;
	uint8_t data[512];
	struct bytes request = {data, 0}, b;
	char got[128] = "";
	struct err err;

	one.available = names;
	one.must_include = musts;
	one.allocation_size = size;
	for (char *w = strtok(copy, ","); w != NULL; w = strtok(NULL, ","))
		names[one.n_available++] = w;
	for (char *w = strtok(other, ","); w != NULL; w = strtok(NULL, ","))
		musts[one.n_must_include++] = w;
	m.n_container_requests = 1;
	m.container_requests = list;
	request.len = v1beta1__preferred_allocation_request__pack(&m, data);
	assert_ok(answer_preferred(catalog_find(&catalog, "fw"), &request, &b, &err), &err);
	answer = v1beta1__preferred_allocation_response__unpack(NULL, b.len, b.data);
	assert_non_null(answer);
	for (size_t i = 0; i < answer->container_responses[0]->n_device_ids; i++)
		snprintf(
			got + strlen(got),
			sizeof(got) - strlen(got),
			"%s%s",
			i > 0 ? "," : "",
			answer->container_responses[0]->device_ids[i]
		);
	assert_string_equal(got, want);
	v1beta1__preferred_allocation_response__free_unpacked(answer, NULL);
	free(b.data);
}

static void prefers_one_node(void **)
{
	struct idset nodes[2] = {0};

	define("fw-1", CLAIM_BY_KUBERNETES, 1, 0, 0);
	define("fw-2", CLAIM_BY_KUBERNETES, 2, 0, 0);
	define("fw-3", CLAIM_BY_KUBERNETES, 3, 0, 0);
	define("fw-4", CLAIM_BY_KUBERNETES, 4, 0, 0);
	look();
	idset_add(&nodes[0], 0);
	idset_add(&nodes[1], 1);
	for (unsigned i = 0; i < 4; i++)
		catalog.resources[0].devices[i].nodes = nodes[i >= 3];
	// the node that has the fewest, if they are enough
	assert_prefers("fw-1,fw-2,fw-3,fw-4", "", 1, "fw-4");
	assert_prefers("fw-1,fw-2,fw-3,fw-4", "", 2, "fw-1,fw-2");
	assert_prefers("fw-1,fw-2,fw-3,fw-4", "fw-3", 2, "fw-3,fw-1");
	// none has: the fullest first
	assert_prefers("fw-1,fw-2,fw-3,fw-4", "", 4, "fw-1,fw-2,fw-3,fw-4");
	assert_prefers("fw-1", "", 3, "fw-1");
	assert_prefers("", "", 1, "");
	assert_prefers("fw-1", "", -1, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_ledger, teardown_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_resources),
		TEST(offers_what_was_made_for_it),
		TEST(says_what_is_missing),
		TEST(lists_devices),
		TEST(refuses_what_is_no_request),
		TEST(prefers_one_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
