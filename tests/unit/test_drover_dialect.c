// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The DPPD dialect beyond single tasks: rings between tasks, tables from Lua. Modes are the test's own:
// no EAL runs here.

#include "own_modes.h"
#include "unit.h"

#include "config/config.h"
#include "config/kind/tasks.h"
#include "config/table_keys.h"
#include "lua/lua.h"
#include "task/task.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- modes

struct worker_conf {
	char routes[KEY_TEXT_MAX], users[KEY_TEXT_MAX], cpes[KEY_TEXT_MAX];
	uint32_t age, tag;
};

#define KEY_CONF struct worker_conf
static const struct key worker_keys[] = {
	KEY_ROUTE_TABLE(routes),
	KEY_USER_TABLE(users, NULL),
	KEY_CPE_TABLE(cpes, NULL),
	KEY_CPE_TIMEOUT(age, NULL),
	KEY_QINQ_TAG(tag, 0),
	{NULL},
};

static struct task_mode worker = {
	.name = "worker",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.keys = worker_keys,
	.conf_size = sizeof(struct worker_conf),
};
static struct task_mode lb = {
	.name = "lb",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.by_proto = true,
	.next = &worker};
static struct task_mode none = {
	.name = "none", .alias = "nop", .wants_rx = true, .wants_tx = true, .next = &lb};

OWN_MODES(none)

// ---- names of tasks

static void names(const char *text, const char *want)
{
	struct target_names t;
	char all[1024] = "", one[TARGET_NAME_STR];
	struct err err = {0};

	if (targets_parse(text, &t, &err) < 0)
		fail_msg("'%s': %s", text, err.msg);
	for (unsigned i = 0; i < t.n; i++) {
		strcat(all, i > 0 ? " " : "");
		strcat(all, target_name_format(&t.list[i], one));
		strcat(all,
		       t.list[i].kind == TARGET_CONTROL	  ? "p"
		       : t.list[i].kind == TARGET_MESSAGE ? "m"
							  : "");
	}
	if (t.has_proto)
		sprintf(all + strlen(all), " proto %d", t.proto);
	assert_string_equal(all, want);
}

static void reads_names_of_tasks(void **)
{
	names("1s0", "1s0t0");
	names("1s0ht3", "1s0ht3");
	names("(3s0-4s0,3s0h-4s0h)t1", "3s0t1 4s0t1 3s0ht1 4s0ht1");
	names("(3s0,4)t0p proto=arp", "3s0t0p 4t0p proto 1");
	names("2,(3-4)t2,5t1 proto=ipv6", "2t0 3t2 4t2 5t1 proto 2");
	names("3s0t0-3s0t2", "3s0t0 3s0t1 3s0t2");
	names("3s0t1-5s0t1", "3s0t1 4s0t1 5s0t1");
	names("1s0,2s0 task=3 proto=ipv4", "1s0t3 2s0t3 proto 0");
	names("selft1", "selft1");
	names("(5s1)t0m", "5s1t0m");
}

static void refuses_names(void **)
{
	static const char *const bad[] = {
		"",
		"x",
		"1s0t",
		"1s0t16",
		"(1s0",
		"(1s0)t",
		"1s0,",
		"4s0-3s0",
		"1s0-2s1",
		"1s0t0-2s0t1",
		"1s0 proto=ip",
		"1s0 task=",
		"1s0 task=16",
		"1s0 more",
		"1s0t1x",
		"()t1",
		"((1))t1",
		"1s0-2s0h",
		"1-65",
		"1s0 proto=ipv44",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct target_names t;
		struct err err = {0};

		if (targets_parse(bad[i], &t, &err) == 0)
			fail_msg("'%s' is taken", bad[i]);
		assert_true(err.msg[0] != '\0');
	}
}

// ---- topologies

#define PORTS "[port 0]\nname=a\ndevice=null\n[port 1]\nname=b\ndevice=null\n" // 6 lines
#define SINK "rx ring=yes\ntx port=b\n"

static struct conf *parsed(const char *text)
{
	struct conf *c = NULL;
	struct err err = {0};

	if (conf_parse(text, strlen(text), "t.cfg", NULL, &c, &err) < 0)
		fail_msg("%s", err.msg);
	return c;
}

static void links_tasks(void **)
{
	struct conf *c =
		parsed("[global]\nmp rings=yes\nshuffle=yes\nunique mempool per socket=yes\n"
		       "[defaults]\nqinq tag=0xa888\nmemcache size=128\n"
		       "[variables]\n$wk=3s0-4s0,3s0h-4s0h\n" PORTS
		       "[core 0s0]\ntask=0\nmode=master\ntx cores=(${wk})t0m\n"
		       "[core 1s0]\nname=LB\ntask=0\nmode=lb\nrx port=a\ndrop=no\nring size=1024\n"
		       "tx cores=(${wk})t0 proto=ipv4\ntx cores=(${wk})t0p proto=arp\n"
		       "[core $wk]\ntask=0\nmode=worker\nrx ring=yes\ntx cores=${self}t1\n"
		       "ctrl path polling frequency=50\nuser table=x.csv\ncpe table timeout ms=7\n"
		       "task=1\nmode=worker\nqinq tag=0x8100\nuser table=x.csv\n" SINK);
	const struct conf_task *t = &c->cores[1].tasks[0];

	assert_int_equal(c->ncores, 6);
	assert_true(c->cores[0].master);
	assert_int_equal(c->memcache_size, 128);
	assert_true(c->mp_rings && c->shuffle && c->pool_per_socket);
	assert_int_equal(t->ring_size, 1024);
	assert_int_equal(t->tx_cores[PROTO_IPV4].n, 4);
	assert_int_equal(t->tx_cores[PROTO_ARP].n, 4);
	assert_int_equal(t->tx_cores[PROTO_IPV6].n, 0);
	assert_int_equal(t->tx_cores[PROTO_IPV4].list[3].core, 5);
	assert_int_equal(t->tx_cores[PROTO_IPV4].list[3].kind, TARGET_PACKETS);
	assert_int_equal(t->tx_cores[PROTO_ARP].list[0].kind, TARGET_CONTROL);
	for (unsigned i = 2; i < 6; i++) {
		const struct worker_conf *w = c->cores[i].tasks[1].conf;

		t = c->cores[i].tasks;
		assert_true(t[0].rx_ring && t[1].rx_ring);
		assert_int_equal(t[0].ctrl_frequency, 50);
		// ${self} is each core by itself
		assert_int_equal(t[0].tx_cores[PROTO_IPV4].list[0].core, i);
		assert_int_equal(t[0].tx_cores[PROTO_IPV4].list[0].task, 1);
		// [defaults], unless the task says it
		assert_int_equal(((const struct worker_conf *)t[0].conf)->tag, 0xa888);
		assert_int_equal(w->tag, 0x8100);
		// of the task with the same user table
		assert_int_equal(w->age, 7);
	}
	conf_free(c);
}

static void reads_remap(void **)
{
	struct conf *c = parsed(PORTS "[core 1]\ntask=0\nmode=worker\nrx port=a\n"
				      "tx cores from cpe table=2,3t1 remap=b,a\n"
				      "[core 2]\ntask=0\nmode=none\n" SINK
				      "[core 3]\ntask=1\nmode=none\n" SINK);
	const struct conf_task *t = c->cores[0].tasks;

	assert_int_equal(t->tx_by, TX_CPES);
	assert_true(t->remapped);
	assert_int_equal(t->remap[0], 1);
	assert_int_equal(t->remap[1], 0);
	assert_int_equal(t->remap[2], CONF_NO_OUTPUT);
	assert_int_equal(t->tx_cores[PROTO_IPV4].list[1].core, 2);
	assert_int_equal(t->tx_cores[PROTO_IPV4].list[1].task, 0); // its place, not its id
	conf_free(c);
	c = parsed(PORTS "[core 1]\ntask=0\nmode=worker\nrx port=a\n"
			 "tx ports from routing table=b,a\n");
	assert_int_equal(c->cores[0].tasks[0].tx_by, TX_ROUTES);
	assert_int_equal(c->cores[0].tasks[0].tx_ports.n, 2);
	conf_free(c);
}

static const struct {
	const char *text;
	unsigned line;
	const char *words;
} bad[] = {
#define LB "[core 1]\ntask=0\nmode=lb\nrx port=a\n" // lines 7 to 10
	{PORTS LB "tx cores=2\n", 11, "no [core 2] in the file"},
	{PORTS LB "tx cores=2t1\n[core 2]\ntask=0\nmode=none\n" SINK,
	 11,
	 "core 2 of line 12 has no task=1"},
	{PORTS LB "tx cores=2\n[core 2]\ntask=0\nmode=none\nrx port=b\ntx port=b\n",
	 11,
	 "task 0 of core 2 takes nothing from rings: add rx ring=yes to it, on line 14"},
	{PORTS LB "tx port=b\n[core 2]\ntask=0\nmode=none\n" SINK,
	 14,
	 "rx ring=yes: no task sends to task 0 of core 2"},
	{PORTS LB "tx cores=1s\n", 11, "tx cores=: '1s': tasks are written"},
	{PORTS LB "tx cores=2m\n", 11, "'m' behind the tasks"},
	{PORTS LB "tx cores=2t0m\n[core 2]\ntask=0\nmode=none\n" SINK,
	 11,
	 "'m' (messages) is for a core of mode=master"},
	{PORTS LB "tx cores=2,2\n[core 2]\ntask=0\nmode=none\n" SINK, 11, "a task is there twice"},
	{PORTS LB "tx cores=2\ntx cores=3\n", 12, "has outputs already, on line 11"},
	{PORTS LB "tx cores=2 proto=arp\n", 11, "tx cores=: none for proto=ipv4"},
	{PORTS LB "tx cores=2\ntx port=b\n", 12, "tx port=: the task has other outputs already"},
	{PORTS LB "tx ports from routing table=b\n",
	 11,
	 "mode lb has no route table=: write tx port="},
	{PORTS LB "tx cores from cpe table=2\n", 11, "mode lb has no user table=: write tx cores="},
	{PORTS LB "tx port=b\nrx ring=yes\n", 9, "reads from ports or from rings"},
	{PORTS LB "tx port=b\nring size=31\n", 12, "ring size=31: wants number 32.."},
	{PORTS LB "tx port=b\nring size2=32\n", 12, "did you mean 'ring size'?"},
	{PORTS "[core 1]\ntask=0\nmode=none\nrx port=a\ntx cores=2,3\n",
	 9,
	 "to one port or task, not to 2"},
	{PORTS "[core 1]\ntask=0\nmode=worker\nrx port=a\ntx cores=2\ntx cores=2 proto=arp\n",
	 12,
	 "proto=: mode worker does not tell protocols apart"},
#define WK "[core 1]\ntask=0\nmode=worker\nrx port=a\n"
	{PORTS WK "tx cores from cpe table=2,3\n", 11, "add remap= with the port of each"},
	{PORTS WK "tx cores from cpe table=2,3 remap=a\n", 11, "2 outputs, but remap= has 1"},
	{PORTS WK "tx cores from cpe table=2 remap=c\n", 11, "remap=: no port 'c' in any"},
	{PORTS WK "tx cores from cpe table=2 remap=a|a\n", 11, "remap=: 'a' is there twice"},
	{PORTS WK "route table=lpm4\ntx port=b\n", 11, "no such table: define it in [lua]"},
	{"[lua]\nx=1\n" PORTS WK "route table=lpm4\ntx port=b\n",
	 13,
	 "[lua] defines no such table"},
	{"[lua]\nlpm4={\n}\n" PORTS WK "route table=lpm4\ntx port=b\n",
	 14,
	 "next_hops: a nil where"},
	{PORTS "[core 0]\nmode=master\ntx cores=(3)t0m\n" LB "tx port=b\n", 9, "no [core 3]"},
};

static void refuses_topologies(void **)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct conf *c = NULL;
		struct err err = {0};
		char at[32];

		if (conf_parse(bad[i].text, strlen(bad[i].text), "t", NULL, &c, &err) == 0)
			fail_msg("taken:\n%s", bad[i].text);
		snprintf(at, sizeof(at), "t:%u: ", bad[i].line);
		if (strncmp(err.msg, at, strlen(at)) != 0 || strstr(err.msg, bad[i].words) == NULL)
			fail_msg("'%s' is not '%s… %s'", err.msg, at, bad[i].words);
	}
}

// ---- Lua

static struct script *script(const char *text)
{
	struct script *s = NULL;
	struct err err = {0};

	assert_int_equal(script_make(NULL, &s, &err), 0);
	if (script_run(s, text, strlen(text), "t", &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void reads_tables(void **)
{
	struct script *s = script(
		"lpm4 = {next_hops = {{id = 0, port_id = 1, ip = ip('192.0.2.1'),\n"
		" mac = mac('02:00:00:00:00:0a'), mpls = 0x112}, {id = 7, port_id = 0,\n"
		" ip = ip(3221225985), mac = mac('02:00:00:00:00:0b')}},\n"
		" routes = {{cidr = cidr('198.51.100.77/24'), next_hop_id = 7},\n"
		" {cidr = {ip = ip('10.0.0.0'), depth = 8}, next_hop_id = 0}}}\n"
		"users = {}\n"
		"for i = 1, 2^10 do users[i] = {gre_id = i, svlan_id = mask(i, 0x300) / 2^8,\n"
		" cvlan_id = mask(i, 0xff), user_id = i} end\n"
		"cpes = {{dest_id = 1, gre_id = 5, svlan_id = 0, cvlan_id = 5,\n"
		" cidr = cidr('192.168.0.8/30'), mac = mac('00:00:01:00:00:07'), user_id = 0}}\n"
		"wk = '5s1-9s1,5s1h-9s1h' name = 'BNG (' .. task_count(wk) .. ' workers)' n = 2^4\n"
	);
	struct specs specs = {0};
	struct err err = {0};
	const struct spec *t;
	char text[64];

	assert_int_equal(script_table(s, SCRIPT_ROUTES, "lpm4", &specs, &err), 0);
	assert_int_equal(script_table(s, SCRIPT_ROUTES, "lpm4", &specs, &err), 0);
	assert_int_equal(script_table(s, SCRIPT_USERS, "users", &specs, &err), 0);
	assert_int_equal(script_table(s, SCRIPT_CPES, "cpes", &specs, &err), 0);
	t = specs_find(&specs, "lpm4");
	assert_int_equal(t->routes->nhops, 2);
	assert_int_equal(t->routes->hops[0].mpls, 0x112);
	assert_int_equal(t->routes->hops[0].port, 1);
	assert_int_equal(t->routes->hops[0].mac[5], 0x0a);
	assert_int_equal(t->routes->hops[1].ip, 0xc0000201);
	assert_int_equal(t->routes->nroutes, 2);
	assert_int_equal(t->routes->routes[0].ip, 0xc6336400); // bits behind the prefix are gone
	assert_int_equal(t->routes->routes[0].hop, 7);
	t = specs_find(&specs, "users");
	assert_int_equal(t->users->n, 1024);
	assert_int_equal(t->users->list[0x2ff - 1].svlan, 2);
	assert_int_equal(t->users->list[0x2ff - 1].cvlan, 0xff);
	t = specs_find(&specs, "cpes");
	assert_int_equal(t->cpes->n, 4);
	assert_int_equal(t->cpes->list[3].ip, 0xc0a8000b);
	assert_true(script_text(s, "name", text, sizeof(text)));
	assert_string_equal(text, "BNG (10 workers)");
	assert_true(script_text(s, "n", text, sizeof(text)));
	assert_string_equal(text, "16");
	assert_false(script_text(s, "users", text, sizeof(text)));
	assert_false(script_text(s, "missing", text, sizeof(text)));
	assert_false(script_text(s, "name", text, 16));
	specs_free(&specs);
	script_done(s);
}

static void uses_text_of_lua(void **)
{
	struct conf *c = parsed("[global]\nname=$name\n[lua]\nname = \"x;y\" .. 1+1 ; a comment\n"
				"if name == nil then\n  name = 1\nend\n" PORTS
				"[core 1]\ntask=0\nmode=none\nrx port=${p}\ntx port=b\n"
				"[lua]\np = 'a'\n");

	assert_string_equal(c->name, "x;y2");
	assert_string_equal(c->cores[0].tasks[0].rx_ports.name[0], "a");
	conf_free(c);
}

#define HOP "{id=0, port_id=0, ip=ip('1.1.1.1'), mac=mac('02:00:00:00:00:01')}"

static void refuses_tables(void **)
{
	static const struct {
		const char *text;
		enum script_kind kind;
		const char *words;
	} wrong[] = {
		{"t=5", SCRIPT_USERS, "a number where a table is wanted"},
		{"t={5}", SCRIPT_USERS, "entry 1: a number where a table is wanted"},
		{"t={{gre_id=1}}", SCRIPT_USERS, "entry 1: field 'svlan_id' is missing"},
		{"t={x={gre_id=1.5}}", SCRIPT_USERS, "entry 'x': gre_id: wants a whole number"},
		{"t={{gre_id=-1}}", SCRIPT_USERS, "gre_id: wants a whole number 0..4294967295"},
		{"t={{gre_id=0/0}}", SCRIPT_USERS, "gre_id: wants a whole number"},
		{"t={{gre_id='1'}}", SCRIPT_USERS, "gre_id: wants a whole number"},
		{"t={{gre_id=1,svlan_id=4096}}",
		 SCRIPT_USERS,
		 "svlan_id: wants a whole number 0..4095"},
		{"t={{gre_ib=1}}", SCRIPT_USERS, "unknown field 'gre_ib'; did you mean 'gre_id'?"},
		{"t={[true]={}}", SCRIPT_USERS, "an entry: field 'gre_id' is missing"},
		{"t={routes={}}", SCRIPT_ROUTES, "next_hops: a nil where"},
		{"t={next_hops={" HOP "," HOP "},routes={}}",
		 SCRIPT_ROUTES,
		 "entry 2: hop 0 is there twice"},
		{"t={next_hops={" HOP
		 "},routes={{cidr={ip=ip('1.0.0.0'),depth=33},next_hop_id=0}}}",
		 SCRIPT_ROUTES,
		 "routes: entry 1: cidr: depth: wants a whole number 0..32"},
		{"t={next_hops={" HOP "},routes={{cidr=cidr('1.0.0.0/8'),next_hop_id=1}}}",
		 SCRIPT_ROUTES,
		 "1"},
		{"t={next_hops={{id=0,port_id=0,ip='1.1.1.1'}}}",
		 SCRIPT_ROUTES,
		 "ip: wants an address"},
		{"t={{dest_id=0,gre_id=0,mac={1,2,3,4,5,256},cidr=cidr('1.0.0.0/8')}}",
		 SCRIPT_CPES,
		 "mac: wants a MAC address"},
		{"t={{dest_id=0,gre_id=0,mac=mac('02:00:00:00:00:01'),cidr=cidr('1.0.0.0/1')}}",
		 SCRIPT_CPES,
		 "more than"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct script *s = script(wrong[i].text);
		struct specs specs = {0};
		struct err err = {0};

		if (script_table(s, wrong[i].kind, "t", &specs, &err) == 0)
			fail_msg("taken: %s", wrong[i].text);
		if (strstr(err.msg, wrong[i].words) == NULL)
			fail_msg("'%s' is not '%s'", err.msg, wrong[i].words);
		specs_free(&specs);
		script_done(s);
	}
}

// What must not be there, and loops that must end.
static void confines_scripts(void **)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"x = io.open('/etc/passwd')",
		 "t:1: [lua]: attempt to index a nil value (global 'io')"},
		{"\nos.exit(1)", "t:2: [lua]: attempt to index a nil value (global 'os')"},
		{"require 'os'", "nil value (global 'require')"},
		{"load('x=1')()", "nil value (global 'load')"},
		{"string.dump(ip)", "field 'dump'"},
		{"('x'):rep(2^40)", "method 'rep'"},
		{"string.rep('', 2^60)", "field 'rep'"},
		{"table.move({}, 1, 2^60, 2)", "field 'move'"},
		{"setmetatable({}, {})", "global 'setmetatable'"},
		{"debug.getregistry()", "global 'debug'"},
		{"coroutine.wrap(ip)()", "global 'coroutine'"},
		{"dofile('x.lua')", "the configuration is not in a folder"},
		{"while true do end", "more than 500 million steps"},
		{"while true do pcall(function() while true do end end) end", "million steps"},
		{"local t = {} while true do t[#t + 1] = {} end", "more than 512 MiB of memory"},
		{"s = 'x' while true do s = s .. s end", "more than 512 MiB of memory"},
		{"local function f() return f() + 1 end f()", "stack overflow"},
		{"error({})", "an error that is no text"},
		{"error('\\27[2J')", "?[2J"},
		{"mac('0:0:0:0:0:0')", "is no MAC address"},
		{"ip('1.2.3')", "is no IPv4 address"},
		{"ip(-1)", "an address has 32 bits"},
		{"cidr('1.2.3.4')", "is no prefix"},
		{"cidr('1.2.3.4/33')", "is no prefix"},
		{"mask(1)", "number expected"},
		{"task_count('x')", "task_count: 'x': tasks are written"},
		{"ip6('::1')", "ip6() is DPPD's, and drover has no use for it yet"},
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct script *s = NULL;
		struct err err = {0};

		assert_int_equal(script_make(NULL, &s, &err), 0);
		if (script_run(s, wrong[i].text, strlen(wrong[i].text), "t", &err) == 0)
			fail_msg("taken: %s", wrong[i].text);
		if (strstr(err.msg, wrong[i].words) == NULL)
			fail_msg("%s: '%s' is not '%s'", wrong[i].text, err.msg, wrong[i].words);
		script_done(s);
	}
}

static void put_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

// dofile stays below the folder, and takes text only.
static void reads_files_below(void **)
{
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"dofile('../secret.lua')", "outside of the configuration's folder"},
		{"dofile('/etc/hostname')", "outside of the configuration's folder"},
		{"dofile('link.lua')", "outside of the configuration's folder"},
		{"dofile('none.lua')", "t:1: [lua]: dofile 'none.lua': No such file"},
		{"dofile('.')", "it is no regular file"},
		{"dofile('fifo')", "it is no regular file"},
		{"dofile('code.lua')", "attempt to load a binary chunk"},
		{"\ndofile('wrong.lua')", "wrong.lua:2:"},
		{"dofile('again.lua')", "stack overflow"},
	};
	char top[] = "/tmp/test_drover_XXXXXX", folder[64], path[128];
	struct script *s = NULL;
	struct err err = {0};
	char text[32];

	assert_non_null(mkdtemp(top));
	snprintf(folder, sizeof(folder), "%s/conf", top);
	assert_int_equal(mkdir(folder, 0700), 0);
	put_file(top, "secret.lua", "x = 1");
	put_file(folder, "good.lua", "return {a = 'it works'}, 2");
	put_file(folder, "code.lua", "\x1bLuaS");
	put_file(folder, "wrong.lua", "x = 1\nx = = 2");
	put_file(folder, "again.lua", "dofile('again.lua')");
	snprintf(path, sizeof(path), "%s/link.lua", folder);
	assert_int_equal(symlink("../secret.lua", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(script_make(folder, &s, &err), 0);
		assert_true(script_run(s, wrong[i].text, strlen(wrong[i].text), "t", &err) < 0);
		if (strstr(err.msg, wrong[i].words) == NULL)
			fail_msg("%s: '%s' is not '%s'", wrong[i].text, err.msg, wrong[i].words);
		script_done(s);
	}
	assert_int_equal(script_make(folder, &s, &err), 0);
	assert_int_equal(script_run(s, "t, n = dofile('good.lua') a = t.a", 33, "t", &err), 0);
	assert_true(script_text(s, "a", text, sizeof(text)));
	assert_string_equal(text, "it works");
	assert_true(script_text(s, "n", text, sizeof(text)));
	script_done(s);
	snprintf(path, sizeof(path), "rm -r %s", top);
	assert_int_equal(system(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_names_of_tasks),
		cmocka_unit_test(refuses_names),
		cmocka_unit_test(links_tasks),
		cmocka_unit_test(reads_remap),
		cmocka_unit_test(refuses_topologies),
		cmocka_unit_test(reads_tables),
		cmocka_unit_test(uses_text_of_lua),
		cmocka_unit_test(refuses_tables),
		cmocka_unit_test(confines_scripts),
		cmocka_unit_test(reads_files_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
