// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The figures of tasks and ports as JSON. Counters belong to the lcores that write them and are never
// reset: "clear" remembers where it was done.

#include "report/report.h"

#include "base/scope.h"
#include "port/address.h"
#include "port/counters.h"
#include "text/figure.h"
#include "tsc.h"

#include <math.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <string.h>

#define LINE_MAX_LEN 512

// Where the figures begin.
struct baseline {
	uint64_t tsc; // 0: at the start of traffic
	struct task_counters tasks[PLANE_TASKS];
	struct port_counters ports[CONF_PORTS];
	struct ring_figures {
		uint64_t sent, dropped;
	} rings[PLANE_RINGS];
};

static struct baseline base;
static const struct plane *base_of; // whose baseline it is
// Telemetry answers on a thread a client, and modes expect one reader at a time.
static pthread_mutex_t reader = PTHREAD_MUTEX_INITIALIZER;

void report_lock(void)
{
	pthread_mutex_lock(&reader);
}

void report_unlock(void)
{
	pthread_mutex_unlock(&reader);
}

static uint64_t counter(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static double tsc_ns(uint64_t tsc)
{
	return (double)tsc * 1e9 / (double)tsc_hz();
}

uint64_t report_now(void)
{
	return tsc_clock();
}

static const struct baseline *baseline(const struct plane *p)
{
	static const struct baseline none;

	return base_of == p ? &base : &none;
}

static uint64_t begin_tsc(const struct plane *p)
{
	uint64_t started = counter(&p->started), cleared = baseline(p)->tsc;

	if (started == 0)
		return 0;
	return cleared > started ? cleared : started;
}

uint64_t report_since(const struct plane *p)
{
	// the same for the same beginning, however the TSC's rate is known better and better: who reads it tells by it
	// that figures begin anew
	static uint64_t of, ns;
	uint64_t begin = begin_tsc(p);

	if (begin != of || ns == 0) {
		of = begin;
		ns = tsc_clock() - (uint64_t)tsc_ns(since(rte_rdtsc(), begin));
	}
	return begin != 0 ? ns : 0;
}

// Seconds that the figures are of. After the run the first look stops the clock.
static double seconds(const struct plane *p)
{
	static uint64_t ended;
	uint64_t begin = begin_tsc(p), now = rte_rdtsc();

	if (!__atomic_load_n(&p->quit, __ATOMIC_RELAXED))
		ended = 0;
	else if (ended == 0)
		ended = now;
	return begin == 0 ? 0 : tsc_ns(since(ended != 0 ? ended : now, begin)) / 1e9;
}

// As JSON, or JSON's null when nothing was counted.
static json_t *ratio(double dividend, double divisor)
{
	return divisor > 0 ? json_real(dividend / divisor) : json_null();
}

static json_t *rate(uint64_t count, double s)
{
	return s > 0 ? json_integer(llround((double)count / s)) : json_null();
}

static int put_u64(json_t *object, const char *key, uint64_t value)
{
	return json_object_set_new(object, key, json_integer((json_int_t)value));
}

// Counters since the baseline.
static void read_counters(const struct plane *p, const struct task *t, struct task_counters *ret)
{
	const struct task_counters *c = &t->counters, *b = &baseline(p)->tasks[t->index];

#define SINCE(field) ret->field = since(counter(&c->field), b->field)
	SINCE(rx);
	SINCE(tx);
	SINCE(rx_bytes);
	SINCE(tx_bytes);
	SINCE(bursts);
	SINCE(polls);
	SINCE(busy);
	SINCE(idle);
	for (unsigned i = 0; i < ARRAY_LEN(ret->drops); i++)
		SINCE(drops[i]);
#undef SINCE
}

static const struct plane_lcore *lcore_of(const struct plane *p, const struct task *t)
{
	for (unsigned i = 0; i < p->nlcores; i++) {
		for (unsigned j = 0; j < p->lcores[i].ntasks; j++) {
			if (p->lcores[i].tasks[j] == t)
				return &p->lcores[i];
		}
	}
	return NULL;
}

static int put_who(json_t *o, const struct plane *p, const struct task *t)
{
	const struct plane_lcore *l = lcore_of(p, t);
	bool running = __atomic_load_n(&p->go, __ATOMIC_RELAXED)
		       && !__atomic_load_n(&t->control.stopped, __ATOMIC_RELAXED);
	int failed = 0;

	failed |= json_object_set_new(o, "name", json_string(t->name));
	failed |= json_object_set_new(o, "mode", json_string(t->mode->name));
	if (l != NULL) {
		failed |= put_u64(o, "core", l->conf != NULL ? l->conf->id : l->lcore);
		failed |= put_u64(o, "cpu", l->cpu);
	}
	failed |= put_u64(o, "lcore", t->lcore);
	failed |= json_object_set_new(o, "running", json_boolean(running));
	if (t->mode->keys != NULL && key_find(t->mode->keys, "rate") != NULL)
		failed |= json_object_set_new(o, "rate_pps", figure_number(task_rate(&t->control)));
	return failed;
}

static int put_drops(json_t *o, const struct task *t, const struct task_counters *c)
{
	json_t *drops = json_object();
	int failed = json_object_set_new(o, "drops", drops);

	for (unsigned i = 0; i < ARRAY_LEN(c->drops); i++) {
		const char *name = task_drop_name(t->mode, i);

		if (name == NULL)
			break;
		failed |= put_u64(drops, name, c->drops[i]);
	}
	return failed;
}

static json_t *bytes(const struct task *t, uint64_t n)
{
	return t->mode->blind ? json_null() : json_integer((json_int_t)n);
}

static int put_counters(json_t *o, const struct task *t, const struct task_counters *c, double s)
{
	// a generator receives nothing: its work is what it sends
	uint64_t work = t->mode->wants_rx ? c->rx : c->tx;
	int failed = 0;

	failed |= put_u64(o, "rx", c->rx);
	failed |= put_u64(o, "tx", c->tx);
	failed |= json_object_set_new(o, "rx_bytes", bytes(t, c->rx_bytes));
	failed |= json_object_set_new(o, "tx_bytes", bytes(t, c->tx_bytes));
	failed |= json_object_set_new(o, "rx_pps", rate(c->rx, s));
	failed |= json_object_set_new(o, "tx_pps", rate(c->tx, s));
	failed |= put_u64(o, "packets", work);
	failed |= put_u64(o, "bursts", c->bursts);
	failed |= put_u64(o, "polls", c->polls);
	failed |= put_u64(o, "busy_cycles", c->busy);
	failed |= put_u64(o, "idle_cycles", c->idle);
	failed |=
		json_object_set_new(o, "packets_per_burst", ratio((double)work, (double)c->bursts));
	failed |= json_object_set_new(o, "cycles_per_packet", ratio((double)c->busy, (double)work));
	failed |= json_object_set_new(
		o, "idle_share", ratio((double)c->idle, (double)(c->busy + c->idle))
	);
	return failed;
}

static int put_mode(json_t *o, struct task *t)
{
	char line[LINE_MAX_LEN] = "";
	int failed = 0;

	if (t->mode->report != NULL) {
		json_t *own = json_object();

		if (own == NULL)
			return -1;
		t->mode->report(t, own);
		failed |= json_object_set_new(o, "report", own);
	}
	if (t->mode->verdict != NULL && t->mode->verdict(t, line, sizeof(line)))
		failed |= json_object_set_new(o, "verdict", json_string(line));
	return failed;
}

json_t *report_task_json(struct plane *p, struct task *t)
{
	json_t *o = json_object();
	struct task_counters c;

	if (o == NULL)
		return NULL;
	read_counters(p, t, &c);
	if (put_who(o, p, t) == 0 && put_counters(o, t, &c, seconds(p)) == 0
	    && put_drops(o, t, &c) == 0 && put_mode(o, t) == 0)
		return o;
	json_decref(o);
	return NULL;
}

// What the kernel counts of AF_XDP. Those it dropped are among imissed, oerrors already.
static int put_xdp(json_t *o, const struct xdp_statistics *n, const struct xdp_statistics *b)
{
	json_t *x = json_object();
	int failed = x == NULL;

	failed |= put_u64(x, "rx_dropped", since(n->rx_dropped, b->rx_dropped));
	failed |= put_u64(x, "rx_invalid_descs", since(n->rx_invalid_descs, b->rx_invalid_descs));
	failed |= put_u64(x, "tx_invalid_descs", since(n->tx_invalid_descs, b->tx_invalid_descs));
	failed |= put_u64(x, "rx_ring_full", since(n->rx_ring_full, b->rx_ring_full));
	failed |= json_object_set_new(o, "xdp", x);
	return failed;
}

static int put_port_counters(
	json_t *o, const struct plane_port *p, const struct port_counters *before, double s
)
{
	const struct rte_eth_stats *b = &before->eth;
	struct port_counters now;
	struct rte_eth_stats n;
	int failed = 0;

	if (!port_counters_get(p, &now))
		return 0;
	n = now.eth;
	if (p->xdp.n > 0)
		failed |= put_xdp(o, &now.xdp, &before->xdp);
	failed |= put_u64(o, "ipackets", since(n.ipackets, b->ipackets));
	failed |= put_u64(o, "opackets", since(n.opackets, b->opackets));
	failed |= put_u64(o, "ibytes", since(n.ibytes, b->ibytes));
	failed |= put_u64(o, "obytes", since(n.obytes, b->obytes));
	failed |= put_u64(o, "imissed", since(n.imissed, b->imissed));
	failed |= put_u64(o, "ierrors", since(n.ierrors, b->ierrors));
	failed |= put_u64(o, "oerrors", since(n.oerrors, b->oerrors));
	failed |= put_u64(o, "rx_nombuf", since(n.rx_nombuf, b->rx_nombuf));
	failed |= json_object_set_new(o, "rx_pps", rate(since(n.ipackets, b->ipackets), s));
	failed |= json_object_set_new(o, "tx_pps", rate(since(n.opackets, b->opackets), s));
	failed |= json_object_set_new(o, "rx_bps", rate(8 * since(n.ibytes, b->ibytes), s));
	failed |= json_object_set_new(o, "tx_bps", rate(8 * since(n.obytes, b->obytes), s));
	return failed;
}

static int put_link(json_t *o, const struct plane_port *p)
{
	char mac_text[RTE_ETHER_ADDR_FMT_SIZE] = "";
	struct rte_eth_link link;
	struct rte_ether_addr mac = port_address(p->id);
	int failed = 0;

	if (port_link(p, &link)) {
		failed |= json_object_set_new(
			o, "link", json_string(link.link_status ? "up" : "down")
		);
		if (link.link_status && link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
			failed |= put_u64(o, "link_mbps", link.link_speed);
	}
	rte_ether_format_addr(mac_text, sizeof(mac_text), &mac);
	failed |= json_object_set_new(o, "mac", json_string(mac_text));
	return failed;
}

json_t *report_port_json(struct plane *p, unsigned i)
{
	const struct port_counters *b = &baseline(p)->ports[i];
	const struct plane_port *port = &p->ports[i];
	json_t *o = json_object();
	int failed = o == NULL;

	failed |= json_object_set_new(o, "name", json_string(port->conf->name));
	failed |= json_object_set_new(o, "device", json_string(port->conf->device));
	failed |= put_u64(o, "ethdev", port->id);
	failed |= put_port_counters(o, port, b, seconds(p));
	failed |= put_link(o, port);
	if (failed == 0)
		return o;
	json_decref(o);
	return NULL;
}

// A task with one output counts it with its own counters.
static struct ring_figures ring_figures(const struct plane_ring *r)
{
	const struct task *t = r->from;

	if (t->nout == 1)
		return (struct ring_figures){
			counter(&t->counters.tx), counter(&t->counters.drops[DROP_TX_FULL])};
	return (struct ring_figures){
		counter(&t->out[r->out].sent), counter(&t->out[r->out].dropped)};
}

json_t *report_ring_json(const struct plane *p, unsigned i)
{
	const struct ring_figures *b = &baseline(p)->rings[i];
	const struct plane_ring *r = &p->rings[i];
	struct ring_figures now = ring_figures(r);
	json_t *o = json_object();
	int failed = o == NULL;

	failed |= json_object_set_new(o, "name", json_string(r->name));
	failed |= put_u64(o, "size", rte_ring_get_capacity(r->ring));
	failed |= put_u64(o, "used", rte_ring_count(r->ring));
	failed |= put_u64(o, "sent", since(now.sent, b->sent));
	failed |= put_u64(o, "dropped", since(now.dropped, b->dropped));
	if (failed == 0)
		return o;
	json_decref(o);
	return NULL;
}

json_t *report_all(struct plane *p)
{
	json_t *o = json_object(), *tasks = json_array(), *ports = json_array();
	json_t *rings = json_array();
	struct tsc_rate rate = tsc_rate();
	int failed = o == NULL;

	failed |= json_object_set_new(o, "name", json_string(p->conf->name));
	failed |= json_object_set_new(o, "seconds", json_real(seconds(p)));
	failed |= put_u64(o, "tsc_hz", (uint64_t)(rate.hz + 0.5));
	failed |= json_object_set_new(o, "tsc_error", json_real(rate.error));
	failed |= put_u64(o, "tsc_hz_of_eal", rte_get_tsc_hz());
	for (unsigned i = 0; i < p->ntasks; i++)
		failed |= json_array_append_new(tasks, report_task_json(p, p->tasks[i]));
	for (unsigned i = 0; i < p->nports; i++)
		failed |= json_array_append_new(ports, report_port_json(p, i));
	for (unsigned i = 0; i < p->nrings; i++)
		failed |= json_array_append_new(rings, report_ring_json(p, i));
	failed |= json_object_set_new(o, "tasks", tasks);
	failed |= json_object_set_new(o, "ports", ports);
	failed |= json_object_set_new(o, "rings", rings);
	if (failed == 0)
		return o;
	json_decref(o);
	return NULL;
}

json_t *report_json(struct plane *p)
{
	json_t *o;

	report_lock();
	o = report_all(p);
	report_unlock();
	return o;
}

void report_clear(struct plane *p)
{
	base_of = NULL; // counters as they are, not since the last clear
	for (unsigned i = 0; i < p->ntasks; i++) {
		struct task *t = p->tasks[i];

		read_counters(p, t, &base.tasks[t->index]);
		if (t->mode->clear != NULL)
			t->mode->clear(t);
	}
	for (unsigned i = 0; i < p->nports; i++)
		port_counters_get(&p->ports[i], &base.ports[i]);
	for (unsigned i = 0; i < p->nrings; i++)
		base.rings[i] = ring_figures(&p->rings[i]);
	base.tsc = rte_rdtsc();
	base_of = p;
}
