// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §3.9: what a function in a container loses to what others do in theirs.

#include "base/clock.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/net/control.h"
#include "bench/net/process.h"
#include "bench/net/sides.h"

#include <string.h>
#include <sys/stat.h>

#define BEGIN_MS 700 // until a neighbour has begun in earnest
#define END_MS 10000
#define WORDS 28

// Routes with a table of 8 MiB at random, on one core: what it reads lies in the caches that a machine shares.
static const struct function function_hungry = {
	.name = "l3fwd by itself",
	.vnf = "[lua]\n"
	       "hop = {id = 0, port_id = 0, ip = ip(\"192.0.2.1\"), mac = "
	       "mac(\"02:00:00:00:00:01\"),\n"
	       "  mpls = 0}\n"
	       "routes = {next_hops = {hop}, routes = {{cidr = cidr(\"64.0.0.0/2\"), next_hop_id = "
	       "0}}}\n"
	       "[port 0]\n"
	       "name=out\n"
	       "device=null\n"
	       "[defaults]\n"
	       "mempool size=8K\n"
	       "[core 0]\n"
	       "mode=master\n"
	       "[core 1]\n"
	       "name=worker\n"
	       "task=0\n"
	       "mode=gen\n"
	       "tx cores=1t1\n"
	       "random=dst ip:64.0.0.0-126.255.255.255\n"
	       "task=1\n"
	       "mode=routing\n"
	       "rx ring=yes\n"
	       "tx ports from routing table=out\n"
	       "route table=routes\n",
	.pages = 96,
};

// More than anybody is granted, again and again.
static const char hunger[] = "[port 0]\n"
			     "name=a\n"
			     "device=null\n"
			     "[defaults]\n"
			     "mempool size=1M\n"
			     "[core 0]\n"
			     "mode=master\n"
			     "[core 1]\n"
			     "name=forward\n"
			     "task=0\n"
			     "mode=none\n"
			     "rx port=a\n"
			     "tx port=a\n";

static const char flood[] = "[port 0]\n"
			    "name=a\n"
			    "device=ring:flood\n"
			    "[defaults]\n"
			    "mempool size=4K\n"
			    "[core 0]\n"
			    "mode=master\n"
			    "[core 1]\n"
			    "name=flood\n"
			    "task=0\n"
			    "mode=gen\n"
			    "tx port=a\n"
			    "pkt size=1514\n"
			    "task=1\n"
			    "mode=lat\n"
			    "rx port=a\n";

static const struct neighbour {
	const char *name;
	const char *config; // at /cfg
	const char *shell;  // NULL: there is no neighbour
} neighbours[] = {
	{"alone", NULL, NULL},
	{"memory bandwidth",
	 NULL,
	 "while :; do dd if=/dev/zero of=/dev/null bs=64M count=200 2>/dev/null; done"},
	{"hugepage hunger", hunger, "while :; do /drover/drover check /cfg >/dev/null 2>&1; done"},
	{"fork bomb", NULL, "bomb() { bomb | bomb & }; bomb 2>/dev/null; while :; do :; done"},
	{"packet flood", flood, "exec /drover/drover run /cfg"},
};

enum {
	RATE,
	CYCLES,
	SHARE,
	VALUES
};

struct settings {
	double seconds;
};

// Beside the function, on the other CPU.
static int start(
	struct bench *b,
	const struct neighbour *n,
	unsigned number,
	struct child *ret,
	struct err *err
)
{
	_cleanup_free_ char *name = need(str_printf("bench-%d-%u-noise", (int)getpid(), number)),
			    *cpu = need(str_printf("%d", b->cpu_tester)),
			    *log = bench_path(b, "%u-noise.log", number),
			    *config = bench_path(b, "%u-noise.cfg", number),
			    *drovers = need(strdup(b->drover)), *show = NULL,
			    *show_config = need(str_printf("%s:/cfg:ro", config));
	const char *argv[WORDS];
	unsigned at = 0;
	FILE *f = fopen(config, "we");

	if (f == NULL)
		return err_sys(err, errno, "write '%s'", config);
	fputs(n->config ?: "", f);
	if (fclose(f) != 0 || chmod(config, 0644) < 0)
		return err_sys(err, errno, "write '%s'", config);
	*strrchr(drovers, '/') = '\0';
	show = need(str_printf("%s:/drover:ro", drovers));
	for (const char *const *word = (const char *const[]
	     ){b->pinfold,
	       "run",
	       "--name",
	       name,
	       "--cpus",
	       cpu,
	       "--hugepages",
	       "2M=32",
	       "-v",
	       show,
	       "-v",
	       show_config,
	       "--",
	       "/bin/sh",
	       "-c",
	       n->shell,
	       NULL};
	     *word != NULL;
	     word++)
		argv[at++] = *word;
	argv[at] = NULL;
	return child_start(b, &(struct child_how){.argv = argv, .log = log}, ret, err);
}

static int read_function(
	struct compare *c, struct rig *rig, struct trial *t, struct child *noise, struct err *err
)
{
	const struct settings *s = c->arg;
	struct rig_drover *d = &rig->vnf;
	_cleanup_json_ json_t *stats = NULL;
	const json_t *task = NULL, *v;
	int64_t began = clock_ns(), ran = process_ran_ns(d->pid);
	const char *name;
	double ns, packets;

	if (control_tell(d->control, d->what, json_pack("{s:s}", "request", "clear"), err) < 0)
		return -err->code;
	if (!bench_pause((unsigned)(1e3 * s->seconds)))
		return bench_check(err);
	if (control_ask(d->control, d->what, json_pack("{s:s}", "request", "stats"), &stats, err)
	    < 0)
		return -err->code;
	ran = process_ran_ns(d->pid) - ran;
	t->value[SHARE] = 100 * (double)ran / (double)(clock_ns() - began);
	if (noise->pid == 0 && t->value[SHARE] < 100 * WINDOW_ENOUGH)
		return err_set(
			err, EAGAIN, "alone it had only %.0f %% of its CPU", t->value[SHARE]
		);
	if (noise->pid != 0 && !child_runs(rig->b, noise))
		return err_set(
			err, EAGAIN, "the neighbour has ended with status %d", noise->status
		);
	json_object_foreach (json_object_get(stats, "tasks"), name, v) {
		if (str_eq(json_string_value(json_object_get(v, "mode")) ?: "", "routing"))
			task = v;
	}
	ns = json_number_value(json_object_get(stats, "time_ns"))
	     - json_number_value(json_object_get(stats, "since_ns"));
	packets = json_number_value(json_object_get(task, "packets"));
	if (packets <= 0 || ns <= 0)
		return err_set(err, EAGAIN, "%s forwards nothing", d->what);
	t->value[RATE] = packets / ns * 1e3;
	t->value[CYCLES] = json_number_value(json_object_get(task, "busy_cycles")) / packets;
	return 0;
}

static int measure(struct compare *c, struct rig *rig, struct trial *t, struct err *err)
{
	const struct neighbour *n = &neighbours[t->side];
	struct child noise = {0};
	int r = n->shell != NULL ? start(rig->b, n, t->number, &noise, err) : 0;

	if (r == 0 && !bench_pause(BEGIN_MS))
		r = bench_check(err);
	if (r == 0)
		r = read_function(c, rig, t, &noise, err);
	if (noise.pid != 0)
		child_stop(rig->b, &noise, END_MS);
	return r;
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	static const struct frame_size none = {0};
	struct settings s = {.seconds = b->size != BENCH_FULL ? 0.5 : 2};
	struct environment env[ARRAY_LEN(neighbours)];
	struct compare c = {
		.what = "l3fwd in a container",
		.function = &function_hungry,
		.size = &none,
		.nsides = ARRAY_LEN(neighbours),
		.nvalues = VALUES,
		.value =
			{
				[RATE] = {.name = "packets", .unit = "Mpps", .ratio = true},
				[SHARE] = {.name = "share of its CPU", .unit = "%"},
				[CYCLES] =
					{.name = "a packet",
					 .unit = "cycles",
					 .less = true,
					 .ratio = true},
			},
		.rounds = compare_rounds(b, 10, 14),
		.measure = measure,
		.arg = &s,
	};

	for (size_t i = 0; i < ARRAY_LEN(neighbours); i++) {
		env[i] = b->env[ENV_CONTAINER];
		env[i].name = neighbours[i].name;
		c.side[i].env = &env[i];
	}
	return compare_run(b, r, &c, err);
}

static const struct experiment experiment = {
	.name = "neighbours",
	.figure = "§3.9",
	.title = "What noisy neighbours cost a function",
	.about = "A router in a container, on one CPU with a table that needs the caches, while a "
		 "container on "
		 "another CPU fills memory, asks for more hugepages than it may have, forks as "
		 "often as it "
		 "can, or moves packets as fast as it can.",
	.dropped[BENCH_QUICK] = "long trials",
	.seconds = {100, 330},
	.order = 55,
	.lacks = rig_lacks,
	.run = run,
};
EXPERIMENT(experiment);
