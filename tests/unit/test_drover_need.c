// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a configuration needs, as flags and as a document: no EAL runs here.

#include "unit.h"

#include "base/scope.h"
#include "need.h"

#include <stdlib.h>
#include <string.h>

// Of so many ports with these devices.
static void find(struct need *ret, const char *const *devices)
{
	static struct conf c;
	struct err err;

	memset(&c, 0, sizeof(c));
	for (unsigned i = 0; devices[i] != NULL; i++) {
		c.ports[i].used = true;
		strcpy(c.ports[i].device, devices[i]);
	}
	assert_ok(need_devices(&c, ret, &err), &err);
	ret->cpus = 2;
	ret->memory = UINT64_C(96) << 20;
}

static void assert_flags(const struct need *n, const char *like)
{
	_cleanup_free_ char *flags = need_flags(n);

	assert_string_equal(flags, like);
}

static void devices_are_flags(void **)
{
	static const struct {
		const char *devices[4];
		const char *flags;
	} rows[] = {
		{{"null", "ring:x", "pcap:a.pcap"}, ""},
		{{"memif:server:in", "memif:client:out,bsize=9216"},
		 " --link memif:in --link memif:out"},
		{{"memif:server:both,id=1", "memif:server:both,id=2"}, " --link memif:both"},
		{{"memif:server:/run/x.sock", "vhost:/tmp/v.sock"}, ""},
		{{"vhost:/run/pinfold/links/v/vhost.sock,queues=1",
		  "virtio:/run/pinfold/links/w/s"},
		 " --link vhost-user:v --link vhost-user:w"},
		{{"vdev:net_memif0,socket=/run/pinfold/links/m/s,role=client"}, " --link memif:m"},
		{{"memif:server:a;id"}, " --link 'memif:a;id'"},
		{{"3b:00.0", "0000:3b:00.1"}, " --nic 0000:3b:00.0 --nic 0000:3b:00.1"},
		{{"tap:exc0", "tap:exc1,mac=fixed"}, " --kernel-port exc0 --kernel-port exc1"},
		{{"af_packet:eth0", "af_packet:eth1"},
		 " --netdev eth0 --netdev eth1 --cap NET_RAW"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char like[256] = "--cpu-count 2 --memory 96M";
		struct need n;

		find(&n, rows[i].devices);
		assert_flags(&n, strcat(like, rows[i].flags));
		need_done(&n);
	}
}

static void amounts_are_flags(void **)
{
	const char *const none[] = {NULL};
	struct need n;

	find(&n, none);
	n.nsizes = 2;
	n.hugepages[0].size = UINT64_C(2) << 20;
	n.hugepages[0].count = 17;
	n.hugepages[1].size = UINT64_C(1) << 30;
	n.hugepages[1].count = 2;
	n.pids = 160;
	assert_flags(
		&n, "--cpu-count 2 --hugepages 2M=17 --hugepages 1G=2 --memory 96M --pids 160"
	);
	need_done(&n);
}

static void a_document_has_the_same(void **)
{
	static const char *const devices[] = {"memif:server:in", "3b:00.0", NULL};
	json_t *doc, *like;
	struct need n;

	find(&n, devices);
	n.nsizes = 1;
	n.hugepages[0].size = UINT64_C(2) << 20;
	n.hugepages[0].count = 17;
	doc = need_request(&n);
	like = json_pack(
		"{s:i, s:[{s:s, s:i}], s:s, s:[s], s:[s]}",
		"cpu-count",
		2,
		"hugepages",
		"size",
		"2M",
		"count",
		17,
		"memory",
		"96M",
		"nics",
		"0000:3b:00.0",
		"links",
		"memif:in"
	);
	assert_true(json_equal(doc, like));
	json_decref(doc);
	json_decref(like);
	need_done(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_flags),
		cmocka_unit_test(amounts_are_flags),
		cmocka_unit_test(a_document_has_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
