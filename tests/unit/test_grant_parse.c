// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Requests and grants as text: flags and documents.

#include "fake.h"
#include "grant/options.h"

static int parse_request(const char *text, struct request *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;

	if (jread_parse(text, strlen(text), "request 'x'", &doc, err) < 0)
		return -err->code;
	return request_from_json(doc, "request 'x'", ret, err);
}

static int parse_grant(const char *text, struct grant *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;

	if (jread_parse(text, strlen(text), "grant 'x'", &doc, err) < 0)
		return -err->code;
	return grant_from_json(doc, "grant 'x'", ret, err);
}

static void all_flags(void **)
{
	struct request req = fake_request(
		"name=vnf-1 cpu-count=4 near=eth0 shared-cpus=control mems=0-1 memory=2G pids=9 "
		"hugepages=2M=64@0,anon hugepages=1G=2 nic=3B:00.1 link=memif:a"
	);

	assert_string_equal(req.name, "vnf-1");
	assert_int_equal(req.cpu_count, 4);
	assert_string_equal(req.near, "eth0");
	assert_string_equal(req.shared_pool, "control");
	assert_false(req.isolated);
	assert_ids(&req.mems, "0-1");
	assert_int_equal(req.memory, 2 * GIB);
	assert_int_equal(req.pids, 9);
	assert_int_equal(req.nhugepages, 2);
	assert_int_equal(req.hugepages[0].size, MIB2);
	assert_int_equal(req.hugepages[0].count, 64);
	assert_int_equal(req.hugepages[0].node, 0);
	assert_true(req.hugepages[0].anon);
	assert_int_equal(req.hugepages[1].node, -1);
	assert_false(req.hugepages[1].anon);
	assert_string_equal(req.nics[0].bdf, "0000:3b:00.1");
	assert_string_equal(req.links[0].kind, "memif");
	assert_string_equal(req.links[0].name, "a");
}

// A value that is refused, and words of the message.
static const struct bad_flag {
	const char *flag, *value, *words;
} bad_flags[] = {
	{"name", "", "1 to 48 of a-z"},
	{"name", "../x", "1 to 48 of a-z"},
	{"name", "-x", "the first a letter or digit"},
	{"cpus", "", "the list is empty"},
	{"cpus", "3-1", "--cpus: read list '3-1'"},
	{"cpus", "0,,1", "as in 0-3,8"},
	{"cpus", "99999", "below 8192"},
	{"cpu-count", "0", "not a whole number from 1"},
	{"cpu-count", "-1", "--cpu-count '-1'"},
	{"cpu-count", "8193", "to 8192"},
	{"cpu-count", "1x", "not a whole number"},
	{"near", "", "empty or too long"},
	{"shared-cpus", "A", "1 to 48 of a-z"},
	{"partition", "", "the only kind is isolated"},
	{"partition", "root", "partition 'root'"},
	{"on-offline", "", "freeze, stop or warn"},
	{"on-offline", "kill", "on-offline 'kill'"},
	{"mems", "x", "--mems"},
	{"mems", "", "the list is empty"},
	{"hugepages", "2M", "write SIZE=COUNT"},
	{"hugepages", "40", "did you mean '2M=40'?"},
	{"memory", "0", "'0': no size above 0"},
	{"memory", "0G", "'0G': no size above 0"},
	{"hugepages", "2M=0", "not a whole number from 1"},
	{"hugepages", "2M=4@", "node"},
	{"hugepages", "2M=4@1024", "from 1 to 1023"},
	{"hugepages", "2M=4@0,foo", "'foo' is neither fs nor anon"},
	{"hugepages", "2X=4", "hugepages '2X=4': read size '2X'"},
	{"hugepages", "2M=99999999999999999999", "not a whole number"},
	{"memory", "lots", "--memory: read size 'lots'"},
	{"memory", "1.5G", "not a number"},
	{"memory", "99999999999T", "it is too large"},
	{"pids", "0", "from 1 to 4194304"},
	{"nic", "a-name-too-long0", "NIC 'a-name-too-long0' is not a PCI address"},
	{"nic", "eth\xff", "nor the name of an interface"},
	{"nic", "-eth0", "nor the name of an interface"},
	{"nic", "eth0,node=1", "nor the name of an interface"},
	{"nic", "node=1,eth0", "is not a PCI address"},
	{"nic", "3b:00.8", "not a PCI address"},
	{"nic", "3b:20.0", "not a PCI address"},
	{"nic", " 3b:00.0", "not a PCI address"},
	{"nic", "0x3b:00.0", "not a PCI address"},
	{"nic", "-1:00.0", "not a PCI address"},
	{"nic", "0000:3b:00.0 ", "see pinfold nic list"},
	{"nic", "3b:00.0,node=1", "not a PCI address"},
	{"nic", "", "empty"},
	{"nic", "nodes=1", "did you mean 'node'"},
	{"nic", "nod=0000000001", "did you mean 'node'"},
	{"nic", "driver=", "no name of a driver"},
	{"nic", "vendor=x86", "four hexadecimal digits"},
	{"nic", "node=1024", "from 0 to 1023"},
	{"nic", "pf=eth0", "not a PCI address"},
	{"nic", "node=0,count=65", "from 1 to 64"},
	{"link", "a", "write memif:NAME or vhost-user:NAME"},
	{"link", "vhost:a", "write memif:NAME or vhost-user:NAME"},
	{"link", "memif:", "1 to 48 of a-z"},
	{"link", "memif:a/b", "1 to 48 of a-z"},
	{"link", "memif:,server", "1 to 48 of a-z"},
	{"link", "memif:a,server", "server and packed are for vhost-user"},
	{"link", "vhost-user:a,", "'' is neither server nor packed"},
	{"link", "vhost-user:a,packed,serve", "'serve' is neither server nor packed"},
	{"cap", "SYS_ADMIN", "is not granted to anybody"},
	{"cap", "CAP_BPF", "is not granted to anybody"},
	{"cap", "net_raw", "unknown"},
	{"cap", "", "unknown"},
	{"seccomp", "", "write default, aio, strict:FILE or FILE"},
	{"seccomp", "strict:", "write default, aio, strict:FILE or FILE"},
	{"seccomp", "x.json", "absolute path"},
	{"seccomp", "strict:x.json", "absolute path"},
	{"seccomp", "/a\nb", "printable"},
};

static void refused_flags(void **)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_flags); i++) {
		const struct bad_flag *b = &bad_flags[i];
		struct request req = {0};
		struct err err;

		assert_fails(request_set_flag(&req, b->flag, b->value, &err), &err, b->words);
	}
}

static void too_many(void **)
{
	struct request req = {0};
	char value[64];
	struct err err;

	assert_int_equal(request_set_flag(&req, "no-such", "1", &err), -ENOENT);
	for (unsigned i = 0; i < GRANT_NICS; i++) {
		snprintf(value, sizeof(value), "%02x:00.0", i);
		assert_ok(request_set_flag(&req, "nic", value, &err), &err);
	}
	assert_fails(request_set_flag(&req, "nic", "00:00.0", &err), &err, "asked for twice");
	assert_fails(request_set_flag(&req, "nic", "f0:00.0", &err), &err, "NICs: more than 64");
	for (unsigned i = 0; i < GRANT_LINKS; i++) {
		snprintf(value, sizeof(value), "memif:l%u", i);
		assert_ok(request_set_flag(&req, "link", value, &err), &err);
	}
	assert_fails(request_set_flag(&req, "link", "memif:l0", &err), &err, "asked for twice");
	assert_fails(request_set_flag(&req, "link", "memif:x", &err), &err, "more than 32");
	for (unsigned i = 0; i < GRANT_HUGEPAGES; i++) {
		snprintf(value, sizeof(value), "2M=1@%u", i);
		assert_ok(request_set_flag(&req, "hugepages", value, &err), &err);
	}
	assert_fails(request_set_flag(&req, "hugepages", "2M=9@0", &err), &err, "add the counts");
	assert_fails(request_set_flag(&req, "hugepages", "2M=9", &err), &err, "more than 32");
}

static void assert_same_request(const struct request *a, const struct request *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->cpu_count, b->cpu_count);
	assert_string_equal(a->near, b->near);
	assert_string_equal(a->shared_pool, b->shared_pool);
	assert_true(idset_equal(&a->cpus, &b->cpus) && idset_equal(&a->mems, &b->mems));
	assert_int_equal(a->memory, b->memory);
	assert_int_equal(a->pids, b->pids);
	assert_int_equal(a->nhugepages, b->nhugepages);
	for (unsigned i = 0; i < a->nhugepages; i++) {
		assert_int_equal(a->hugepages[i].size, b->hugepages[i].size);
		assert_int_equal(a->hugepages[i].count, b->hugepages[i].count);
		assert_int_equal(a->hugepages[i].node, b->hugepages[i].node);
		assert_int_equal(a->hugepages[i].anon, b->hugepages[i].anon);
	}
	assert_int_equal(a->nnics, b->nnics);
	for (unsigned i = 0; i < a->nnics; i++)
		assert_string_equal(a->nics[i].bdf, b->nics[i].bdf);
	assert_int_equal(a->nlinks, b->nlinks);
	for (unsigned i = 0; i < a->nlinks; i++)
		assert_string_equal(a->links[i].name, b->links[i].name);
}

// A document says the same as flags.
static void request_document(void **)
{
	static const char text[] =
		"{\"kind\": \"workload\", \"name\": \"vnf-1\", \"cpu-count\": 4, \"near\": "
		"\"eth0\","
		" \"shared-cpus\": \"control\", \"mems\": \"0-1\", \"memory\": \"2G\", \"pids\": 9,"
		" \"hugepages\": [{\"size\": \"2M\", \"count\": 64, \"node\": 0, \"kind\": "
		"\"anon\"},"
		" {\"size\": \"1G\", \"count\": 2}], \"nics\": [\"3B:00.1\"], \"links\": "
		"[\"memif:a\"]}";
	struct request flags = fake_request(
		"name=vnf-1 cpu-count=4 near=eth0 shared-cpus=control mems=0-1 memory=2G pids=9 "
		"hugepages=2M=64@0,anon hugepages=1G=2 nic=3b:00.1 link=memif:a"
	);
	struct request req = {0};
	struct err err;

	assert_ok(parse_request(text, &req, &err), &err);
	assert_same_request(&req, &flags);
	assert_ok(parse_request("{\"kind\": \"pool\", \"cpus\": \"1\"}", &req, &err), &err);
	assert_int_equal(req.kind, GRANT_POOL);
	assert_ok(parse_request("{\"partition\": \"isolated\"}", &req, &err), &err);
	flags = fake_request("partition=isolated");
	assert_true(req.isolated && flags.isolated);
	assert_ok(parse_request("{\"on-offline\": \"warn\"}", &req, &err), &err);
	flags = fake_request("on-offline=warn");
	assert_true(req.on_offline == OFFLINE_WARN && flags.on_offline == OFFLINE_WARN);
	assert_ok(parse_request("{}", &req, &err), &err);
	assert_int_equal(req.kind, GRANT_WORKLOAD);
}

static const struct bad_text {
	const char *text, *words;
} bad_requests[] = {
	{"[]", "not a JSON object"},
	{"{", "line 1"},
	{"{\"cpus\": \"1\", \"cpus\": \"2\"}", "duplicate"},
	{"{\"cpu\": \"1\"}", "unknown key 'cpu'; did you mean 'cpus'?"},
	{"{\"cpus\": 1}", "'cpus' is not a string"},
	{"{\"cpus\": \"1-\"}", "request 'x'"},
	{"{\"kind\": \"vm\"}", "kind 'vm' is neither workload nor pool"},
	{"{\"cpu-count\": 0}", "'cpu-count' is 0"},
	{"{\"cpu-count\": -1}", "not a whole number"},
	{"{\"cpu-count\": 1.5}", "not a whole number"},
	{"{\"pids\": 0}", "'pids' is 0"},
	{"{\"memory\": 1024}", "'memory' is not a string"},
	{"{\"hugepages\": \"2M=4\"}", "'hugepages' is not an array"},
	{"{\"hugepages\": [\"2M=4\"]}", "an entry is not an object"},
	{"{\"hugepages\": [{\"size\": \"2M\"}]}", "'count' is missing"},
	{"{\"hugepages\": [{\"size\": \"2M\", \"count\": 0}]}", "the count is 0"},
	{"{\"hugepages\": [{\"size\": \"2M\", \"count\": 1, \"nodes\": 0}]}",
	 "did you mean 'node'"},
	{"{\"nics\": [1]}", "'nics': an entry is not a string"},
	{"{\"nics\": [\"eth0:1\"]}", "not a PCI address"},
	{"{\"links\": [\"tap:a\"]}", "write memif:NAME or vhost-user:NAME"},
};

static void refused_requests(void **)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_requests); i++) {
		struct request req;
		struct err err;

		assert_fails(
			parse_request(bad_requests[i].text, &req, &err), &err, bad_requests[i].words
		);
	}
}

static void grant_round_trip(void **)
{
	static const char *const flags[] = {
		"cpus=1",
		"cpus=1 on-offline=stop",
		"cpu-count=6 near=82:00.0 hugepages=1G=20 hugepages=2M=8,anon memory=12292K",
		"cpu-count=2 nic=03:00.0 nic=03:00.1 link=memif:a link=memif:b pids=4194304",
	};
	const struct holdings nobody = {0};
	struct host h;
	struct err err;

	fake_read("paper", &h);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		struct request req = fake_request(flags[i]);
		_cleanup_json_ json_t *doc = NULL;
		_cleanup_free_ char *text = NULL;
		struct grant g, again;

		assert_ok(grant_resolve(&req, &h, &nobody, &g, &err), &err);
		doc = grant_to_json(&g);
		text = json_dumps(doc, 0);
		assert_non_null(text);
		assert_ok(parse_grant(text, &again, &err), &err);
		assert_same_grant(&g, &again);
	}
	host_done(&h);
}

#define GOOD                                                                                     \
	"\"format\": 1, \"name\": \"a\", \"cpus\": \"1\", \"mems\": \"0\", \"memory\": \"1G\", " \
	"\"pids\": 1"

static const struct bad_text bad_grants[] = {
	{"{}", "'format' is missing"},
	{"{\"format\": 1}", "'name' is missing"},
	{"{" GOOD ", \"x\": 1}", "unknown key 'x'"},
	{"{\"format\": 2, \"name\": \"a\"}", "'format'"},
	{"{\"format\": 0, \"name\": \"a\", \"cpus\": \"1\", \"mems\": \"0\", \"memory\": \"1G\","
	 " \"pids\": 1}",
	 "'format' is not 1"},
	{"{\"format\": 1, \"name\": \"a\", \"cpus\": \"1\", \"mems\": \"0\", \"memory\": \"1G\","
	 " \"pids\": 0}",
	 "'pids' is 0"},
	{"{" GOOD ", \"shared-cpus\": \"2\"}", "'shared-cpus' without 'shared-pool'"},
	{"{" GOOD ", \"shared-pool\": \"p\"}", "'shared-cpus' is missing"},
	{"{" GOOD ", \"shared-pool\": \"../p\", \"shared-cpus\": \"2\"}", "a pool"},
	{"{" GOOD ", \"hugepages\": [{\"size\": \"2M\", \"count\": 1}]}", "'node' is missing"},
	{"{" GOOD ", \"hugepages\": [{\"size\": \"2M\", \"count\": 1, \"node\": 1024}]}",
	 "to 1023"},
	{"{" GOOD ", \"nics\": [\"3b:00.0\"]}", "'pci' is missing"},
	{"{" GOOD ", \"nics\": [{\"pci\": \"3b:00.0\"}]}", "'iommu-group' is missing"},
	{"{" GOOD ", \"nics\": [{\"pci\": \"3b:00.0\", \"iommu-group\": -1}]}", "whole number"},
	{"{" GOOD ", \"nics\": [{\"pci\": \"3b:00.0\", \"unsafe-uio\": true, \"iommu-group\": 1}]}",
	 "neither bind nor iommu-group"},
	{"{" GOOD ", \"nics\": [{\"pci\": \"3b:00.0\", \"unsafe-uio\": true, \"bind\": true}]}",
	 "neither bind nor iommu-group"},
	{"{" GOOD ", \"nics\": [{\"pci\": \"3b:00.0\", \"unsafe-uio\": false}]}",
	 "'iommu-group' is missing"},
	{"{" GOOD ", \"links\": [{\"kind\": \"tap\", \"name\": \"a\"}]}",
	 "write memif:NAME or vhost-user:NAME"},
	{"{" GOOD ", \"links\": [{\"kind\": \"memif\"}]}", "'name' is missing"},
	{"{" GOOD ", \"links\": [{\"kind\": \"vhost-user\", \"name\": \"a,server\"}]}",
	 "1 to 48 of a-z"},
	{"{" GOOD ", \"links\": [{\"kind\": \"memif\", \"name\": \"a\", \"packed\": true}]}",
	 "are for vhost-user"},
	{"{" GOOD ", \"links\": [{\"kind\": \"mem\", \"name\": \"if:a\"}]}", "memif:NAME"},
	{"{" GOOD ", \"partition\": \"root\"}", "the only kind is isolated"},
	{"{" GOOD ", \"on-offline\": \"no\"}", "freeze, stop or warn"},
	{"{" GOOD ", \"kind\": \"slot\"}", "neither workload nor pool"},
};

static void refused_grants(void **)
{
	struct grant g;
	struct err err;

	assert_ok(parse_grant("{" GOOD "}", &g, &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(bad_grants); i++)
		assert_fails(parse_grant(bad_grants[i].text, &g, &err), &err, bad_grants[i].words);
}

// What a field without a row would leave behind; small ones in the padding the compiler cannot see.
static void every_field_has_a_row(void **)
{
	static struct request req;
	static struct grant g;
	const size_t end = offsetof(struct request, near) + sizeof(req.near);
	const size_t grant_end = offsetof(struct grant, owner_gid) + sizeof(g.owner_gid);
	const struct row *o;

	memset(&req, 0xff, sizeof(req));
	memset(&g, 0xff, sizeof(g));
	for (size_t i = 0; (o = option_row(i)) != NULL; i++) {
		if ((o->forms & OPTION_REQUEST) != 0)
			memset(option_at(o, &req), 0, o->size);
		if ((o->forms & OPTION_GRANT) != 0)
			memset(option_at(o, &g), 0, o->size);
		if (o->length != 0) {
			memset((char *)&req + o->length, 0, sizeof(unsigned));
			memset((char *)&g + o->length, 0, sizeof(unsigned));
		}
	}
	g.owner_gid = 0; // of the row of owner_uid
	__builtin_clear_padding(&req);
	__builtin_clear_padding(&g);
	// the compiler clears what is between the fields, but not what is behind the last one
	assert_in_range(sizeof(req) - end, 0, 7);
	for (size_t i = 0; i < end; i++)
		assert_int_equal(((const char *)&req)[i], 0);
	assert_in_range(sizeof(g) - grant_end, 0, 7);
	for (size_t i = 0; i < grant_end; i++)
		assert_int_equal(((const char *)&g)[i], 0);
}

// A row says all that flags, documents and people need of it.
static void every_row_is_whole(void **)
{
	const struct row *o;

	for (size_t i = 0; (o = option_row(i)) != NULL; i++) {
		assert_true(
			option_key(o, OPTION_REQUEST) != NULL || option_key(o, OPTION_GRANT) != NULL
		);
		assert_true(o->help != NULL || o->type == &option_hugepages);
		assert_true(o->name == NULL || (o->arg != NULL && o->type->parse != NULL));
		assert_true(o->words == NULL || o->wrong != NULL);
		assert_true(o->max == 0 || (o->min > 0 && o->min <= o->max));
		assert_true(o->usual == 0 || o->max == 0 || o->usual <= o->max);
		assert_true(o->shown == NULL || strstr(o->shown, "%s") != NULL);
		assert_true(
			option_key(o, OPTION_GRANT) == NULL || o->type->write != NULL
			|| o->type->text != NULL
		);
	}
}

// What the kernel would refuse, or would give without a word.
static void interfaces(void **)
{
	static const char name[] = "the first none of '.' and '-', and is not lo, all or default";
	static const char nobodys[] = "is no address of an interface";
	static const struct {
		const char *text, *said;
	} never[] = {
		{"x,name=all", name},
		{"x,name=default", name},
		{"-x", name},
		{"..a", name},
		{"x,", "nothing follows a comma"},
		{"x,,force", "nothing follows a comma"},
		{"x,127.0.0.1/8", nobodys},
		{"x,0.0.0.0/8", nobodys},
		{"x,224.0.0.1/24", nobodys},
		{"x,255.255.255.255/32", nobodys},
		{"x,::1/128", nobodys},
		{"x,ff02::1/64", nobodys},
		{"x,mtu=1279,2001:db8::9/64", "'2001:db8::9/64' takes an MTU of 1280 at least"},
	};
	static const char *const good[] = {
		"x,240.0.0.1/8,255.0.0.1/8,mtu=68",
		"x,::2/64,fe80::1/64,mtu=1280",
		"a.b-c,10.0.0.1/8"};
	struct grant_netdev n;
	struct grant_port p;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		assert_fails(grant_netdev_parse(never[i].text, &n, &err), &err, never[i].said);
		if (strstr(never[i].text, "name=") == NULL
		    && strstr(never[i].text, "force") == NULL)
			assert_fails(
				grant_port_parse(never[i].text, &p, &err), &err, never[i].said
			);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_ok(grant_netdev_parse(good[i], &n, &err), &err);
		assert_ok(grant_port_parse(good[i], &p, &err), &err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_flags),
		cmocka_unit_test(refused_flags),
		cmocka_unit_test(too_many),
		cmocka_unit_test(request_document),
		cmocka_unit_test(refused_requests),
		cmocka_unit_test(grant_round_trip),
		cmocka_unit_test(refused_grants),
		cmocka_unit_test(every_field_has_a_row),
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
