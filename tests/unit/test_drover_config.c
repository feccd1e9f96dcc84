// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover's configuration reader, with modes of the test's own: no EAL runs here.

#include "any_keys.h"
#include "own_modes.h"
#include "unit.h"

#include "config/config.h"
#include "config/kind/core_names.h"
#include "config/read/ini.h"
#include "task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// ---- modes

static const struct key mac_keys[] = {
	{.name = "dst mac", .kind = &kind_mac, .help = "destination"},
	{.name = "src mac", .kind = &kind_mac, .offset = sizeof(struct key_mac), .help = "source"},
	{NULL},
};

static void all_defaults(void *conf)
{
	((struct any_conf *)conf)->u32 = 64;
}

static const char *const all_drops[] = {"too short"};

static struct task_mode none = {
	.name = "none",
	.alias = "nop",
	.help = "nothing",
	.wants_rx = true,
	.wants_tx = true,
};
static struct task_mode lat = {
	.name = "lat",
	.help = "measures",
	.wants_rx = true,
	.next = &none,
};
static struct task_mode l2fwd = {
	.name = "l2fwd",
	.help = "rewrites",
	.wants_rx = true,
	.wants_tx = true,
	.keys = mac_keys,
	.conf_size = 2 * sizeof(struct key_mac),
	.next = &lat,
};
static struct task_mode gen = {
	.name = "gen",
	.help = "sends",
	.wants_tx = true,
	.keys = any_keys,
	.conf_size = sizeof(struct any_conf),
	.defaults = all_defaults,
	.drops = all_drops,
	.ndrops = 1,
	.next = &l2fwd,
};

OWN_MODES(gen)

// ---- what is right

static struct conf *parsed(const char *text, const struct conf_overrides *o)
{
	struct conf *c = NULL;
	struct err err;

	assert_ok(conf_parse(text, strlen(text), "t.cfg", o, &c, &err), &err);
	assert_non_null(c);
	return c;
}

#define PORTS "[port 0]\nname=if0\ndevice=null\n[port 1]\nname=if1\ndevice=null\n"

static void reads_a_dppd_file(void **)
{
	static const char text[] = ";; a comment\n"
				   "# another\n"
				   "[eal options]\n"
				   "-n=4 ; force number of memory channels\n"
				   "no-output=no ; disable DPDK debug output\n"
				   "eal=-r 2 --log-level=lib.eal:debug --iova-mode va\n"
				   "--single-file-segments\n"
				   "--match-allocations= ; the same\n"
				   "\n"
				   "[port 0]\n"
				   "name=if0\n"
				   "mac=hardware\n"
				   "device=memif:server:/run/x,rsize=11\n"
				   "[ PORT  3 ]\r\n"
				   "  Name =\tif 3 \r\n"
				   "mac=50:00:00:00:00:04\r\n"
				   "RX  desc=1K\r\n"
				   "tx desc=0x200\r\n"
				   "mtu=9000\npromiscuous=no\nlsc=no\ndevice=null\n"
				   "[variables]\n"
				   "$wk=3s0-5s0,3s0h\n"
				   "[defaults]\n"
				   "mempool size=8K\n"
				   "[global]\n"
				   "start time=5\n"
				   "duration time=1.5s\n"
				   "name=NOP forwarding (4x)\n"
				   "mbuf size=4K\n"
				   "[core 0s0]\n"
				   "mode=master\n"
				   "[core $wk]\n"
				   "name=nop\n"
				   "task=0\n"
				   "rx port=if0 , if 3\n"
				   "mode=nop\n"
				   "tx port=if 3\n"
				   "drop=no\n"
				   "task=1\n"
				   "mode=l2fwd\n"
				   "sub mode=l2\n"
				   "rx port=if 3\n"
				   "tx port=if0\n"
				   "dst mac=packet\n"
				   "[core 7]\n"
				   "task=15\n"
				   "mode=lat\n"
				   "rx port=if0";
	struct conf *c = parsed(text, NULL);

	assert_string_equal(c->file, "t.cfg");
	assert_string_equal(c->name, "NOP forwarding (4x)");
	assert_int_equal(c->start_time, 5000000000);
	assert_int_equal(c->duration, 1500000000);
	assert_int_equal(c->mempool_size, 8192);
	assert_int_equal(c->mbuf_size, 4096);
	assert_int_equal(c->neal, 8);
	assert_string_equal(c->eal[0], "-n4");
	assert_string_equal(c->eal[1], "-r");
	assert_string_equal(c->eal[2], "2");
	assert_string_equal(c->eal[3], "--log-level=lib.eal:debug");
	assert_string_equal(c->eal[5], "va");
	assert_string_equal(c->eal[6], "--single-file-segments");
	assert_string_equal(c->eal[7], "--match-allocations");

	assert_true(c->ports[0].used && c->ports[3].used && !c->ports[1].used);
	assert_string_equal(c->ports[0].device, "memif:server:/run/x,rsize=11");
	assert_int_equal(c->ports[0].mac.word, MAC_HARDWARE);
	assert_true(c->ports[0].promiscuous);
	assert_string_equal(c->ports[3].name, "if 3");
	assert_int_equal(c->ports[3].mac.addr[5], 4);
	assert_int_equal(c->ports[3].rx_desc, 1024);
	assert_int_equal(c->ports[3].tx_desc, 512);
	assert_int_equal(c->ports[3].mtu, 9000);
	assert_false(c->ports[3].promiscuous);
	assert_int_equal(conf_port_number(c, "if 3"), 3);
	assert_int_equal(conf_port_number(c, "port1"), -1);

	assert_int_equal(c->ncores, 6);
	assert_true(c->cores[0].master);
	assert_string_equal(c->cores[0].name, "core0s0");
	assert_int_equal(c->cores[1].id, 3);
	assert_int_equal(c->cores[3].id, 5);
	assert_true(c->cores[4].hyperthread && c->cores[4].id == 3 && c->cores[4].socket == 0);
	assert_int_equal(c->cores[5].socket, -1);
	assert_string_equal(c->cores[5].name, "core7");
	for (unsigned i = 1; i < 5; i++) {
		const struct conf_task *t = c->cores[i].tasks;

		assert_string_equal(c->cores[i].name, "nop");
		assert_int_equal(c->cores[i].ntasks, 2);
		assert_ptr_equal(t[0].mode, &none);
		assert_int_equal(t[0].rx_ports.n, 2);
		assert_string_equal(t[0].rx_ports.name[1], "if 3");
		assert_false(t[0].drop);
		assert_true(t[1].drop);
		assert_int_equal(((struct key_mac *)t[1].conf)->word, MAC_PACKET);
		assert_ptr_not_equal(t[1].conf, c->cores[i == 1 ? 2 : 1].tasks[1].conf);
	}
	assert_int_equal(c->cores[1].tasks[0].line, 38);
	assert_int_equal(c->cores[5].tasks[0].id, 15);
	conf_free(c);
	conf_free(NULL);
}

static void reads_every_type(void **)
{
	struct conf *c =
		parsed(PORTS
		       "[core 1]\ntask=0\nmode=gen\ntx port=if0\n"
		       "PKT  Size=1K\nbps=1250M\nflag=Yes\ntext=a = b, c\n"
		       "src mac=0A-0b-0c-0d-0e-ff\nsrc ip=10.1.2.3\nrate=14.88 Mpps\nperiod=20us\n"
		       "pkt inline=00 01 0203 fF\nmirror port=if1,if0\n"
		       "task=1\nmode=gen\ntx port=if0\n",
		       NULL);
	const struct any_conf *a = c->cores[0].tasks[0].conf, *b = c->cores[0].tasks[1].conf;
	static const uint8_t mac[] = {10, 11, 12, 13, 14, 255}, bytes[] = {0, 1, 2, 3, 255};

	assert_int_equal(a->u32, 1024);
	assert_int_equal(a->u64, 1250000000);
	assert_true(a->flag);
	assert_string_equal(a->text, "a = b, c");
	assert_int_equal(a->mac.word, MAC_ADDRESS);
	assert_memory_equal(a->mac.addr, mac, 6);
	assert_int_equal(a->ip, 0x0a010203);
	assert_int_equal(a->rate.pps, 14880000);
	assert_int_equal(a->time, 20000);
	assert_int_equal(a->bytes.len, 5);
	assert_memory_equal(a->bytes.data, bytes, 5);
	assert_int_equal(a->to.n, 2);
	assert_string_equal(a->to.name[0], "if1");
	assert_int_equal(b->u32, 64);
	conf_free(c);
}

static void variables_and_overrides(void **)
{
	static const char text[] = "[port 0]\nname=$p\n[port 1]\nname=b\ndevice=ring:$p${p}x\n"
				   "[variables]\n$p=${x}0\n$x=if\n$size=64\n$unused=\n"
				   "[core $n]\ntask=0\nmode=gen\ntx port=$p\npkt size=$size\n";
	const struct conf_overrides o = {
		.nvars = 3,
		.vars = {{"size", "100"}, {"n", "1-2"}, {"size", "${h}8"}},
		.nports = 1,
		.ports = {{"if0", "pcap:x"}},
	};
	const struct conf_overrides more = {
		.nvars = 3,
		.vars = {{"size", "${h}8"}, {"h", "12"}, {"n", "4"}},
		.nports = 1,
		.ports = {{"if0", "pcap:y"}},
	};
	struct conf *c = NULL;
	struct err err;

	assert_fails(
		conf_parse(text, strlen(text), "t.cfg", &o, &c, &err),
		&err,
		"t.cfg:9: no variable $h"
	);
	c = parsed(text, &more);
	assert_string_equal(c->ports[0].name, "if0");
	assert_string_equal(c->ports[0].device, "pcap:y");
	assert_string_equal(c->ports[1].device, "ring:if0if0x");
	assert_int_equal(((struct any_conf *)c->cores[0].tasks[0].conf)->u32, 128);
	assert_int_equal(c->cores[0].id, 4);
	conf_free(c);
}

static void wrong_overrides(void **)
{
	static const char text[] = "[variables]\n$rate=1\n" PORTS
				   "[core 1]\ntask=0\nmode=gen\ntx port=if0\nrate=$rate\n";
	static const struct {
		struct conf_overrides o;
		const char *words;
	} bad[] = {
		{{.nvars = 1, .vars = {{"rat", "2"}}},
		 "t.cfg: -D rat=: the file has no such variable; did you mean 'rate'?"},
		{{.nvars = 1, .vars = {{"a b", "2"}}},
		 "t.cfg: -D 'a b=': no such key in [defaults] or [global]"},
		{{.nvars = 1, .vars = {{"mempool sizee", "2"}}}, "did you mean 'mempool size'?"},
		{{.nvars = 1, .vars = {{"start time", "x"}}}, "-D 'start time=': "},
		{{.nvars = 1, .vars = {{"a-b", "2"}}}, "t.cfg: -D: 'a-b' is no name of a variable"},
		{{.nvars = 1, .vars = {{"rate", "\x1b[2J"}}}, "control character"},
		{{.nvars = 1, .vars = {{"rate", "$rate"}}}, "is defined by itself"},
		{{.nvars = 1, .vars = {{"rate", "fast"}}}, "t.cfg:13: rate=fast: wants packets"},
		{{.nports = 1, .ports = {{"if9", "null"}}}, "did you mean 'if0'?"},
		{{.nports = 1, .ports = {{"zzzzzz", "null"}}}, "there is 'if0', 'if1'"},
		{{.nports = 1, .ports = {{"if0", ""}}}, "--port if0=: a device is text"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct conf *c = NULL;
		struct err err;

		assert_fails(
			conf_parse(text, strlen(text), "t.cfg", &bad[i].o, &c, &err),
			&err,
			bad[i].words
		);
		assert_null(c);
	}
}

// ---- what is wrong

#define CORE "[core 1]\ntask=0\nmode=none\nrx port=if0\ntx port=if1\n" // 5 lines
#define GEN "[core 1]\ntask=0\nmode=gen\ntx port=if0\n"		       // 4 lines

struct bad {
	const char *text;
	unsigned line; // 0: of no line
	const char *words;
};

static const struct bad bad_lines[] = {
	{"name=x\n", 1, "'name=x' stands before the first [section]"},
	{"\n[prot 0]\n", 2, "unknown section [prot 0]; did you mean 'port'?"},
	{"[defualts]\n", 1, "unknown section [defualts]; did you mean 'defaults'?"},
	{"[eal option]\n", 1, "did you mean 'eal options'?"},
	{"[global 1]\n", 1, "unknown section [global 1]"},
	{"[]\n", 1, "unknown section []"},
	{"[global\n", 1, "has no ']'"},
	{"[global] x\n", 1, "'x' behind the section's ']'"},
	{"[lua]\nx = {\n", 2, "[lua]: unexpected symbol near <eof>"},
	{"[global]\nname\n", 2, "'name' is no name=value: the '=' is missing"},
	{"[global]\n = x\n", 2, "no name before '='"},
	{"[global]\nname=a\x01z\n", 2, "control character"},
	{"[global]\nname=a\rz\n", 2, "control character"},
	{"[global]\nname=\xff\n", 2, "not UTF-8"},
	{"[global]\nname=\xc2\x9b\n", 2, "control character"},
	{"[global]\nname=\xed\xa0\x80\n", 2, "not UTF-8"},
	{"[global]\nname=\xe2\x82\n", 2, "not UTF-8"},
};

static const struct bad bad_tables[] = {
	{"[global]\nstrat time=5\n",
	 2,
	 "unknown key 'strat time' in [global]; did you mean 'start"},
	{"[global]\nshufle=yes\n", 2, "unknown key 'shufle' in [global]; did you mean 'shuffle'?"},
	{"[global]\nname=\n", 2, "name=: wants text"},
	{"[global]\nname=a\nNAME=b\n", 3, "name= is there twice"},
	{"[global]\nname=a\n[defaults]\n[global]\nname=b\n", 5, "name= is there twice"},
	{"[global]\nstart time=5x\n", 2, "start time=5x: wants time"},
	{"[global]\nstart time=-1\n", 2, "wants time"},
	{"[global]\nstart time=0.5ns\n", 2, "wants time"},
	{"[global]\nstart time=99999999999\n", 2, "wants time"},
	{"[global]\nmbuf size=1\n", 2, "mbuf size=1: wants number 256..65280"},
	{"[defaults]\nmempool size=2G\n", 2, "mempool size=2G: wants number 64..16777216"},
	{"[defaults]\nmempool size=1KK\n", 2, "wants number"},
	{"[port 32]\n", 1, "[port 32]: ports are [port 0] to [port 31]"},
	{"[port]\n", 1, "[port ]: ports are"},
	{"[port 1 2]\n", 1, "[port 1 2]: ports are"},
	{"[port 0]\n[port 1]\n[port 0]\n", 3, "[port 0] is there twice, first on line 1"},
	{"[port 0]\nrx dsc=1\n", 2, "unknown key 'rx dsc' in [port]; did you mean 'rx desc'?"},
	{"[port 0]\nrx_ring=x\n", 2, "unknown key 'rx_ring' in [port]"},
	{"[port 0]\nmac=packet\n", 1, "port 'port0': mac= wants an address, or hardware"},
	{"[port 0]\nmac=1:2:3:4:5:6\n", 2, "wants MAC address"},
	{"[port 0]\nmac=02:00:00:00:00:0\n", 2, "wants MAC address"},
	{"[port 0]\nmac=02:00:00:00-00:00\n", 2, "wants MAC address"},
	{"[port 0]\nmac=02:00:00:00:00:00:00\n", 2, "wants MAC address"},
	{"[port 0]\nmac=ff:ff:ff:ff:ff:ff\n", 1, "group's address"},
	{"[port 0]\nmtu=12\n", 2, "mtu=12: wants number 68..65535"},
	{"[port 0]\npromiscuous=maybe\n", 2, "promiscuous=maybe: wants yes|no"},
	{"[port 0]\nname=a,b\n", 1, "port name 'a,b'"},
	{"[port 0]\nname=0123456789012345678901234567890x\n", 1, "at most 31 characters"},
	{"[port 0]\nname=a\n\n[port 1]\nname=a\n",
	 4,
	 "port name 'a' is there twice, first on line 1"},
	{"[port 1]\n[port 0]\nname=port1\n",
	 2,
	 "port name 'port1' is there twice, first on line 1"},
	{"[eal options]\nno-ouput=no\n",
	 2,
	 "unknown key 'no-ouput' in [eal options]; did you mean"},
	{"[eal options]\nno-output=1\n", 2, "wants yes|no"},
	{"[eal options]\n-l=1,2\n", 2, "EAL's -l is not for the configuration: the grant says it"},
	{"[eal options]\n-c=3\n", 2, "the grant says it"},
	{"[eal options]\n--lcores=1\n", 2, "EAL's --lcores is not for the configuration"},
	{"[eal options]\neal=-n 4 --file-pre=x\n", 2, "EAL's --file-pre=x is not"},
	{"[eal options]\neal=--no-pci\n", 2, "the grant says it"},
	{"[eal options]\neal=--socket-mem 64\n", 2, "the grant says it"},
	{"[eal options]\neal=-a00:01.0\n", 2, "the grant says it"},
	{"[eal options]\neal=-vl1\n", 2, "EAL's '-vl1' is not passed on"},
	{"[eal options]\neal=--trace-dir=/etc\n",
	 2,
	 "EAL's '--trace-dir=/etc' is not passed on; these"},
	{"[eal options]\n--trace=lib.eal\n", 2, "is not passed on"},
	{"[eal options]\n-d=/tmp/x.so\n", 2, "EAL's -d is not for the configuration"},
	{"[eal options]\neal=-n 4 -d/tmp/x.so\n", 2, "EAL's -d/tmp/x.so is not"},
	{"[eal options]\n--syslog=daemon\n", 2, "is not passed on"},
	{"[eal options]\n--mbuf-pool-ops-name=x\n", 2, "is not passed on"},
	{"[eal options]\n--vfio-vf-token=x\n", 2, "is not passed on"},
	{"[eal options]\n--no-such=x\n", 2, "--log-level, --match-allocations"},
	{"[eal options]\n--log-leve=8\n", 2, "is not passed on"},
	{"[eal options]\n--lcor=1\n", 2, "the grant says it"},
	{"[eal options]\neal=--\n", 2, "is no option of EAL"},
	{"[eal options]\neal=4 -n\n", 2, "an option begins with '-'"},
	{"[eal options]\n-n=\n", 2, "-n= has no value"},
	{"[eal options]\n-n\n", 2, "the '=' is missing"},
	{"[eal options]\n--single-file-segments=yes\n", 2, "EAL's flag has no value"},
	{"[eal options]\n--iova-mode\n", 2, "has no value"},
	{"[eal options]\n-n 4=1\n", 2, "one option a line"},
};

static const struct bad bad_cores[] = {
	{PORTS, 0, "no core has a task"},
	{PORTS "[core 0]\nmode=master\n", 0, "no core has a task"},
	{"[core]\n", 1, "cores '': names are 3, 3s0"},
	{"[core x]\n", 1, "cores 'x': names are"},
	{"[core 1-]\n", 1, "names are"},
	{"[core 1,,2]\n", 1, "names are"},
	{"[core 1s0-3s1]\n", 1, "a range stays on one socket"},
	{"[core 1s0-3s0h]\n", 1, "a range stays on one socket"},
	{"[core 3-1]\n", 1, "runs backwards"},
	{"[core 0-200]\n", 1, "more than 128 cores"},
	{"[core 9999999999]\n", 1, "names are"},
	{"[core 1-3,2]\n", 1, "core 2 is in the list twice"},
	{PORTS CORE "[core 1]\n", 12, "core 1 is there twice, first on line 7"},
	{PORTS CORE "[core 1s0]\n", 12, "core 1s0 is there twice, first on line 7"},
	{PORTS "[core 1]\nname=x\n", 7, "the core has no task="},
	{PORTS "[core 1]\nname=x\nname=y\ntask=0\n", 9, "name= is there twice"},
	{PORTS "[core 1]\nmode=none\n", 8, "mode=none before task=N"},
	{PORTS "[core 1]\nrx port=if0\n", 8, "rx port= before task=N"},
	{PORTS "[core 1]\ntsak=0\n", 8, "unknown key 'tsak' before task=N; did you mean 'task'?"},
	{PORTS "[core 1]\ntask=16\n", 8, "task=16: tasks are 0 to 15"},
	{PORTS "[core 1]\ntask=\n", 8, "task=: tasks are 0 to 15"},
	{PORTS "[core 1]\ntask=0\n\n[core 2]\n", 8, "task=0 has no mode="},
	{PORTS CORE "task=0\n", 12, "task=0 is there twice"},
	{PORTS CORE "drop=no\ndrop=no\n", 13, "drop= is there twice, first on line 12"},
	{PORTS "[core 1]\ntask=0\nmode=l2fwdd\n",
	 9,
	 "unknown mode 'l2fwdd'; did you mean 'l2fwd'?"},
	{PORTS "[core 1]\ntask=0\nmode=nob\n", 9, "did you mean 'nop'?"},
	{PORTS "[core 1]\ntask=0\nmode=zzzzzzz\n",
	 9,
	 "unknown mode 'zzzzzzz'; `drover modes` lists"},
	{PORTS "[core 1]\ntask=1\nmode=master\n", 8, "mode=master takes no other keys: 'task'"},
	{PORTS "[core 1]\nmode=master\nrx port=if0\n", 9, "mode=master takes no other keys: 'rx"},
	{PORTS "[core 1]\nmode=master\ntask=0\ntask=0\n", 10, "task= is there twice"},
	{PORTS "[core 1]\nmode=master\ntx cores=2\n", 9, "sends messages, as in (1s0)t0m"},
	{PORTS "[core 1-2]\nmode=master\n", 7, "mode=master: one core, not 2"},
	{PORTS "[core 1]\nmode=master\n[core 2]\nmode=master\n", 9, "a second mode=master"},
	{PORTS "[core 1]\ntask=0\nmode=gen\ntx port=if0,if1\n",
	 9,
	 "tx port=: a task of mode gen sends to one port or task, not to 2"},
	{PORTS CORE "sub mode=l3\n", 12, "drover's modes have no sub modes"},
	{PORTS CORE "rx prot=if0\n",
	 12,
	 "unknown key 'rx prot' for mode none; did you mean 'rx port'?"},
	{PORTS "[core 1]\ntask=0\ndst mac=no\nmode=none\n",
	 9,
	 "unknown key 'dst mac' for mode none"},
	{PORTS "[core 1]\ntask=0\nmode=none\ntx port=if1\n", 9, "mode none wants an rx port="},
	{PORTS "[core 1]\ntask=0\nmode=none\nrx port=if1\n", 9, "mode none wants a tx port="},
	{PORTS "[core 1]\ntask=0\nmode=lat\nrx port=if\n",
	 10,
	 "no port 'if' in any [port N]; did you"},
	{"[core 1]\ntask=0\nmode=lat\nrx port=if\n", 4, "rx port=: no port 'if' in any [port N]"},
	{PORTS "[core 1]\ntask=0\nmode=lat\nrx port=if0,,if1\n", 10, "an empty name in the list"},
	{PORTS "[core 1]\ntask=0\nmode=lat\nrx port=if0,if0\n", 10, "'if0' is there twice"},
	{PORTS GEN "mirror port=if2\n", 11, "mirror port=: no port 'if2'"},
	{"[port 0]\nname=if0\n\n" GEN,
	 1,
	 "port 'if0' has tasks but no device: add device= here, or"},
	{"[port 0]\nname=if0\n\n" GEN, 1, "--port if0=DEVICE"},
	{PORTS GEN "pkt size=59\n", 11, "pkt size=59: wants number 60..2048"},
	{PORTS GEN "pkt size=2049\n", 11, "wants number 60..2048"},
	{PORTS GEN "pkt size=0x\n", 11, "wants number"},
	{PORTS GEN "pkt size=18446744073709551680\n", 11, "wants number"},
	{PORTS GEN "bps=18446744073709551615K\n", 11, "wants number"},
	{PORTS GEN "src ip=1.2.3\n", 11, "wants IPv4 address"},
	{PORTS GEN "min bulk size=1\n", 11, "; a generator sends what is due"},
	{PORTS GEN "Max  Bulk Size=1\n", 11, "; burst= is the most"},
	{PORTS GEN "rate=10Mbps\n", 11, "rate=10Mbps: wants packets a second"},
	{PORTS GEN "rate=0.09\n", 11, "wants packets"},
	{PORTS GEN "rate=2000Gpps\n", 11, "wants packets"},
	{PORTS GEN "rate=1.\n", 11, "wants packets"},
	{PORTS GEN "pkt inline=00 1\n", 11, "pkt inline=: '1' in it is not two hexadecimal digits"},
	{PORTS GEN "pkt inline=0x00\n", 11, "'0x00' in it"},
};

static const struct bad bad_variables[] = {
	{"[variables]\nwk=1\n", 2, "'wk': a variable is written $name=value"},
	{"[variables]\n$=1\n", 2, "'' is no name of a variable"},
	{"[variables]\n$a-b=1\n", 2, "'a-b' is no name of a variable"},
	{"[variables]\n$a=1\n$a=2\n", 3, "variable $a is there twice, first on line 2"},
	{"[variables]\n$a=$a\n", 2, "variable $a is defined by itself"},
	{"[variables]\n$a=$b\n$b=x${a}\n", 2, "is defined by itself"},
	{"[variables]\n$a=$bb\n$bc=1\n", 2, "no variable $bb; did you mean 'bc'?"},
	{"[variables]\n$a=${b\n", 2, "'}' is missing"},
	{"[variables]\n$a=5 $ \n", 2, "no name of a variable behind '$'"},
	{"[global]\nname=$nam\n[variables]\n$name=x\n",
	 2,
	 "no variable $nam; did you mean 'name'?"},
	{"[core $wk]\n", 1, "no variable $wk"},
	{"[port ${n]\n", 1, "'}' is missing"},
};

static void check_bad(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct conf *c = NULL;
		char place[32];
		struct err err;

		snprintf(
			place,
			sizeof(place),
			bad[i].line == 0 ? "t.cfg: " : "t.cfg:%u: ",
			bad[i].line
		);
		if (conf_parse(bad[i].text, strlen(bad[i].text), "t.cfg", NULL, &c, &err) == 0)
			fail_msg("taken: %s", bad[i].text);
		assert_null(c);
		assert_contains(err.msg, bad[i].words);
		if (strncmp(err.msg, place, strlen(place)) != 0)
			fail_msg("'%s' is not at %s", err.msg, place);
	}
}

static void refuses(void **)
{
	check_bad(bad_lines, ARRAY_LEN(bad_lines));
	check_bad(bad_tables, ARRAY_LEN(bad_tables));
	check_bad(bad_cores, ARRAY_LEN(bad_cores));
	check_bad(bad_variables, ARRAY_LEN(bad_variables));
}

static void has_limits(void **)
{
	static const char nul[] = "[global]\nna\0me=x\n";
	_cleanup_free_ char *big = malloc(INI_FILE_MAX + 2);
	struct conf *c = NULL;
	struct err err;
	size_t n;

	assert_non_null(big);
	memset(big, '\n', INI_FILE_MAX + 2);
	assert_fails(
		conf_parse(big, INI_FILE_MAX + 1, "t", NULL, &c, &err), &err, "t: more than 1 MiB"
	);
	assert_fails(
		conf_parse(big, INI_FILE_MAX, "t", NULL, &c, &err), &err, "no core has a task"
	);
	memset(big, ';', INI_LINE_MAX + 1);
	assert_fails(
		conf_parse(big, INI_LINE_MAX + 1, "t", NULL, &c, &err), &err, "t:1: the line is"
	);
	assert_fails(conf_parse(big, INI_LINE_MAX, "t", NULL, &c, &err), &err, "no core");
	assert_fails(
		conf_parse(nul, sizeof(nul) - 1, "t", NULL, &c, &err), &err, "t:2: a NUL byte"
	);
	assert_fails(conf_parse(NULL, 0, "t", NULL, &c, &err), &err, "no core has a task");

	// variables of variables of nothing: many replacements, no text
	n = (size_t)sprintf(big, "[variables]\n$v0=\n");
	for (unsigned i = 1; i < 12; i++)
		n += (size_t
		)sprintf(big + n, "$v%u=$v%u$v%u$v%u$v%u\n", i, i - 1, i - 1, i - 1, i - 1);
	assert_fails(conf_parse(big, n, "t", NULL, &c, &err), &err, "variables within variables");
	n = (size_t)sprintf(big, "[variables]\n$v0=1\n");
	for (unsigned i = 1; i < 18; i++)
		n += (size_t)sprintf(big + n, "$v%u=$v%u\n", i, i - 1);
	assert_fails(
		conf_parse(big, n, "t", NULL, &c, &err), &err, "t:19: variable $v0: variables"
	);
	n = (size_t)sprintf(big, "[variables]\n");
	for (unsigned i = 0; i < 257; i++)
		n += (size_t)sprintf(big + n, "$v%u=\n", i);
	assert_fails(
		conf_parse(big, n, "t", NULL, &c, &err), &err, "t:258: more than 256 variables"
	);
	n = (size_t)sprintf(big, "[variables]\n$a=%0800d\n$b=$a$a$a$a$a$a$a$a$a$a$a\n", 0);
	assert_fails(
		conf_parse(big, n, "t", NULL, &c, &err), &err, "t:3: the value has more than 8191"
	);
	// small in the file
	n = (size_t)sprintf(big, "[variables]\n$a=%0800d\n$b=$a$a$a$a$a$a$a$a$a$a\n[global]\n", 0);
	for (unsigned i = 0; i < 8400; i++)
		n += (size_t)sprintf(big + n, "k=$b\n");
	assert_fails(
		conf_parse(big, n, "t", NULL, &c, &err), &err, "t:8393: more than 64 MiB with all"
	);
	n = (size_t)sprintf(big, PORTS GEN);
	for (unsigned i = 0; i < 65; i++)
		n += (size_t)sprintf(big + n, "k%u=\n", i);
	assert_fails(conf_parse(big, n, "t", NULL, &c, &err), &err, "more than 64 keys in a task");
	n = (size_t)sprintf(big, PORTS GEN "text=%0128d\n", 0);
	assert_fails(conf_parse(big, n, "t", NULL, &c, &err), &err, "t:11: text=");
	n = (size_t)sprintf(big, "[eal options]\neal=");
	for (unsigned i = 0; i < 33; i++)
		n += (size_t)sprintf(big + n, "-n4 ");
	assert_fails(conf_parse(big, n, "t", NULL, &c, &err), &err, "t:2: more than 32 words");
	n = (size_t)sprintf(big, PORTS GEN "pkt inline=%03030d\n", 0);
	assert_fails(conf_parse(big, n, "t", NULL, &c, &err), &err, "1515 bytes, wants 1..1514");
	n = (size_t)sprintf(big, PORTS GEN "pkt inline=%03028d\n", 0);
	assert_ok(conf_parse(big, n, "t", NULL, &c, &err), &err);
	conf_free(c);
	memset(big, 'x', 256);
	big[256] = '\0';
	c = NULL;
	assert_fails(conf_parse("", 0, big, NULL, &c, &err), &err, "a path of more than 255");
	assert_null(c);
}

static void fills_a_machine(void **)
{
	char text[8192];
	size_t n = (size_t)sprintf(text, PORTS "[core 0-127]\n");
	struct conf *c;

	for (unsigned i = 0; i < CONF_TASKS; i++)
		n += (size_t)sprintf(text + n, "task=%u\nmode=gen\ntx port=if0\n", i);
	c = parsed(text, NULL);
	assert_int_equal(c->ncores, CONF_CORES);
	assert_int_equal(c->cores[127].ntasks, CONF_TASKS);
	assert_int_equal(((struct any_conf *)c->cores[127].tasks[15].conf)->u32, 64);
	assert_string_equal(c->cores[127].name, "core127");
	conf_free(c);
}

static void reads_files(void **)
{
	static const char *const names[] = {"none", "l2fwd", "both-ways", "gen-lat"};
	const char *source = getenv("PINFOLD_SOURCE");
	struct conf *c = NULL;
	struct err err;

	assert_fails(conf_read("/no/such/file", NULL, &c, &err), &err, "'/no/such/file': No such");
	assert_fails(
		conf_read("/", NULL, &c, &err), &err, "read configuration '/': Is a directory"
	);
	assert_fails(conf_read("/dev/zero", NULL, &c, &err), &err, "more than 1 MiB");
	if (source == NULL)
		skip_because("PINFOLD_SOURCE does not say where the examples are");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct conf_overrides o = {.nports = 2};
		char path[256];

		snprintf(path, sizeof(path), "%s/data/drover/%s.cfg", source, names[i]);
		// without devices the file stops at the first port that lacks one, and names it
		assert_fails(conf_read(path, NULL, &c, &err), &err, "has tasks but no device");
		for (unsigned j = 0; j < 2; j++) {
			static const char *const ports[][2] = {
				{"in", "out"}, {"in", "out"}, {"left", "right"}, {"out", "back"}};

			o.ports[j].port = ports[i][j];
			o.ports[j].device = "null";
		}
		assert_ok(conf_read(path, &o, &c, &err), &err);
		assert_string_equal(c->file, path);
		assert_true(c->cores[0].master);
		conf_free(c);
		c = NULL;
	}
}

// ---- keys by themselves

static void documents_types(void **)
{
	static const struct key keys[] = {
		{.kind = &kind_u32, .min = 1, .max = 65535},
		{.kind = &kind_u64},
		{.kind = &kind_u32, .min = 7},
		{.kind = &kind_bool},
		{.kind = &kind_mac}};
	static const char *const texts[] = {
		"number 1..65535",
		"number",
		"number from 7",
		"yes|no",
		"MAC address, hw, packet or no"};
	char buf[160];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_string_equal(key_type_text(&keys[i], buf, sizeof(buf)), texts[i]);
	assert_ptr_equal(key_find(any_keys, "SRC   ip"), &any_keys[5]);
	assert_null(key_find(any_keys, "srcip"));
	assert_null(key_find(NULL, "a"));
}

static void failure_leaves_the_value(void **)
{
	for (const struct key *k = any_keys; k->name != NULL; k++) {
		struct any_conf a, b;
		struct err err;

		if (k->kind == &kind_text)
			continue;
		memset(&a, 0x5a, sizeof(a));
		memset(&b, 0x5a, sizeof(b));
		assert_fails(key_parse(k, "?,", &a, &err), &err, k->name);
		assert_fails(key_parse(k, "", &a, &err), &err, k->name);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

// What conf_print_modes prints, through a file.
static void printed(const char *name, bool json, char *ret, size_t len)
{
	struct err err;
	FILE *f = tmpfile();
	int out = dup(STDOUT_FILENO);
	size_t n;

	assert_non_null(f);
	assert_true(out >= 0);
	fflush(stdout);
	assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
	assert_ok(conf_print_modes(name, json, &err), &err);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	rewind(f);
	n = fread(ret, 1, len - 1, f);
	ret[n] = '\0';
	fclose(f);
}

static void prints_modes(void **)
{
	char text[16384];
	struct err err;

	printed(NULL, false, text, sizeof(text));
	assert_contains(text, "mode=none (or nop): nothing\n  wants an input and an output\n");
	assert_contains(text, "  pkt size=\n      number 60..2048\n      a number\n");
	assert_contains(text, "  drops: tx full, too short\n");
	assert_contains(text, "Every task also takes\n  rx port=\n");
	printed(NULL, true, text, sizeof(text));
	assert_contains(text, "\"alias\": \"nop\"");
	assert_contains(text, "\"max\": 2048");
	assert_contains(text, "\"too short\"");
	assert_contains(text, "\"task_keys\"");
	printed("nop", false, text, sizeof(text));
	assert_contains(text, "mode=none (or nop): nothing\n");
	assert_null(strstr(text, "  pkt size=\n"));
	assert_fails(
		conf_print_modes("nope", false, &err), &err, "no mode 'nope'; did you mean 'none'?"
	);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_dppd_file),
		cmocka_unit_test(reads_every_type),
		cmocka_unit_test(variables_and_overrides),
		cmocka_unit_test(wrong_overrides),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(fills_a_machine),
		cmocka_unit_test(reads_files),
		cmocka_unit_test(documents_types),
		cmocka_unit_test(failure_leaves_the_value),
		cmocka_unit_test(prints_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
