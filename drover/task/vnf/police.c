// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// police: measures a rate with token buckets, and drops or marks what exceeds it (rte_meter): one rate
// and two bursts (srTCM, RFC 2697), or two rates (trTCM, RFC 2698), colour-blind. One meter for all
// packets or, with a user table, one for each subscriber, whom the two tags of a packet or the key of its
// GRE tell.

#include "task/vnf/police_packet.h"

#include "config/table_keys.h"
#include "table/tables.h"
#include "table/users.h"
#include "task/proto/qinq.h"
#include "task/task.h"
#include "tsc.h"

#include <inttypes.h>
#include <jansson.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_meter.h>
#include <stdio.h>

// Bytes of a packet that are not in its buffer: CRC, preamble and gap of Ethernet.
#define OVERHEAD 24
#define RATE_MAX 1000000000000 // bytes a second
#define HEADERS 128	       // bytes that are looked at
#define NOBODY 0

struct police_conf {
	uint32_t sub_mode, overhead, tag;
	uint64_t cir, pir, cbs, pbs, ebs;
	char users[KEY_TEXT_MAX];
	struct key_actions actions;
	uint32_t dscp[COLOURS];
};

enum {
	ONE_RATE = 0,
	TWO_RATES,
};

union meter_state {
	struct rte_meter_srtcm one;
	struct rte_meter_trtcm two;
};

struct police {
	bool two_rates, marks;
	uint8_t become[COLOURS]; // by what the meter found
	uint8_t dscp[COLOURS];	 // shifted; POLICE_KEEP: left as it is. By what it became
	uint16_t stype;
	uint32_t overhead;
	struct rte_meter_srtcm_profile one;
	struct rte_meter_trtcm_profile two;
	struct user_table *users; // NULL: all packets share meters[0]
	union meter_state *meters;
	uint32_t nmeters;
	struct {
		uint64_t packets, bytes;
	} seen[COLOURS], base[COLOURS]; // by what the meter found
};

#define DROPS(DROP)            \
	DROP(GREEN, "green")   \
	DROP(YELLOW, "yellow") \
	DROP(RED, "red")       \
	DROP(UNKNOWN, "unknown subscriber")

TASK_DROP_REASONS(DROPS);
static_assert(DROP_RED == DROP_GREEN + COLOUR_RED, "in the order of the colours");

// ---- whose packet it is

// The number of the subscriber's record.
static uint32_t subscriber(
	const struct police *s, const struct user_live *l, const uint8_t *p, unsigned len
)
{
	uint32_t found = NOBODY, key;
	uint64_t types;
	unsigned at;

	if (len >= QINQ_LEN) {
		memcpy(&types, p + 12, sizeof(types));
		if ((types & QINQ_TYPES_MASK) == qinq_types(s->stype))
			return users_by_tags(l, qinq_tags(types));
	}
	at = police_ip(p, len);
	if (at != 0 && police_key(p, len, at, &key))
		found = users_by_key(l, key);
	return found != NOBODY && l->records[found].used != 0 ? found : NOBODY;
}

// ---- the data path

static __rte_always_inline unsigned colour(
	struct police *s, union meter_state *meter, uint64_t now, uint32_t len
)
{
	if (s->two_rates)
		return rte_meter_trtcm_color_blind_check(&meter->two, &s->two, now, len);
	return rte_meter_srtcm_color_blind_check(&meter->one, &s->one, now, len);
}

static void police_packet(
	struct task *t,
	struct police *s,
	const struct user_live *l,
	struct rte_mbuf *m,
	uint64_t now
)
{
	union meter_state *meter = &s->meters[0];
	uint32_t len = m->pkt_len + s->overhead, who;
	unsigned headers = RTE_MIN(m->pkt_len, (uint32_t)HEADERS), found, becomes, at;
	uint8_t room[HEADERS];
	const uint8_t *p = NULL;

	if (l != NULL || s->marks)
		p = rte_pktmbuf_read(m, 0, headers, room);
	if (l != NULL) {
		who = likely(p != NULL) ? subscriber(s, l, p, headers) : NOBODY;
		if (unlikely(who == NOBODY)) {
			task_drop(t, DROP_UNKNOWN, m);
			return;
		}
		// subscribers that were added since share the meters of others
		meter = &s->meters[likely(who < s->nmeters) ? who : who % s->nmeters];
	}
	found = colour(s, meter, now, len);
	s->seen[found].packets++;
	s->seen[found].bytes += m->pkt_len;
	becomes = s->become[found];
	if (unlikely(becomes == COLOUR_DROP)) {
		task_drop(t, DROP_GREEN + found, m);
		return;
	}
	if (s->dscp[becomes] != POLICE_KEEP && p != NULL) {
		at = police_ip(p, headers);
		if (at != 0)
			police_mark(m, at, s->dscp[becomes]);
	}
	task_put(t, 0, m, &t->put_bytes);
}

static uint16_t poll_police(struct task *t)
{
	struct police *s = t->state;
	const struct user_live *l = s->users != NULL ? users_live(s->users) : NULL;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);
	uint64_t now, bytes = 0;

	if (n == 0)
		return 0;
	now = rte_rdtsc();
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		bytes += m[i]->pkt_len;
		police_packet(t, s, l, m[i], now);
	}
	t->counters.rx_bytes += bytes;
	task_flush(t, 0);
	return n;
}

// ---- the control side

static int wants(bool given, const char *key, const char *sub_mode, struct err *err)
{
	if (given)
		return 0;
	return err_set(err, EINVAL, "%s= is missing, which sub mode=%s wants", key, sub_mode);
}

// rte_meter counts time by EAL's figure of the TSC: a rate that is right by the clock.
static uint64_t by_eal(uint64_t rate)
{
	uint64_t v = (uint64_t)((double)rate * (double)rte_get_tsc_hz() / tsc_rate().hz + 0.5);

	return rate > 0 && v == 0 ? 1 : v;
}

static int profile(struct police *s, const struct police_conf *c, struct err *err)
{
	struct rte_meter_srtcm_params one = {.cir = by_eal(c->cir), .cbs = c->cbs, .ebs = c->ebs};
	struct rte_meter_trtcm_params two = {
		.cir = by_eal(c->cir), .pir = by_eal(c->pir), .cbs = c->cbs, .pbs = c->pbs};
	const char *mode = s->two_rates ? "trtcm" : "srtcm";
	int r;

	if (wants(c->cir > 0, "cir", mode, err) < 0)
		return -err->code;
	if (!s->two_rates && (c->pir > 0 || c->pbs > 0))
		return err_set(err, EINVAL, "pir= and pbs= are of sub mode=trtcm: add it");
	if (s->two_rates && c->ebs > 0)
		return err_set(err, EINVAL, "ebs= is of sub mode=srtcm: remove one of them");
	if (!s->two_rates && wants(c->cbs > 0 || c->ebs > 0, "cbs", mode, err) < 0)
		return -err->code;
	if (s->two_rates
	    && (wants(c->pir > 0, "pir", mode, err) < 0 || wants(c->cbs > 0, "cbs", mode, err) < 0
		|| wants(c->pbs > 0, "pbs", mode, err) < 0))
		return -err->code;
	if (s->two_rates && c->pir < c->cir)
		return err_set(
			err,
			EINVAL,
			"pir=%llu is below cir=%llu",
			(unsigned long long)c->pir,
			(unsigned long long)c->cir
		);
	r = s->two_rates ? rte_meter_trtcm_profile_config(&s->two, &two)
			 : rte_meter_srtcm_profile_config(&s->one, &one);
	return r == 0 ? 0 : err_set(err, -r, "cir= and its like are not accepted by rte_meter");
}

static int make_meters(struct police *s, const struct police_conf *c, int socket, struct err *err)
{
	s->nmeters = 1;
	if (c->users[0] != '\0') {
		if (tables_users(c->users, socket, &s->users, err) < 0)
			return -err->code;
		s->nmeters = users_live(s->users)->n + 1; // from 1
	}
	s->meters = rte_zmalloc_socket(
		"police", s->nmeters * sizeof(*s->meters), RTE_CACHE_LINE_SIZE, socket
	);
	if (s->meters == NULL)
		return err_set(
			err, ENOMEM, "no memory for %u meters; grant more hugepages", s->nmeters
		);
	for (uint32_t i = 0; i < s->nmeters; i++) {
		if (s->two_rates)
			rte_meter_trtcm_config(&s->meters[i].two, &s->two);
		else
			rte_meter_srtcm_config(&s->meters[i].one, &s->one);
	}
	return 0;
}

static void done_police(struct task *t)
{
	struct police *s = t->state;

	rte_free(s->meters);
}

static int fill(struct police *s, const struct police_conf *c, int socket, struct err *err)
{
	s->two_rates = c->sub_mode == TWO_RATES;
	s->overhead = c->overhead;
	for (unsigned i = 0; i < COLOURS; i++) {
		// packets come in green
		bool said = (c->actions.said[COLOUR_GREEN] & 1u << i) != 0;

		s->become[i] = said ? c->actions.become[COLOUR_GREEN][i]
				    : (uint8_t)(i == COLOUR_RED ? COLOUR_DROP : i);
		s->dscp[i] = c->dscp[i] == UINT32_MAX ? POLICE_KEEP : (uint8_t)(c->dscp[i] << 2);
		s->marks = s->marks || s->dscp[i] != POLICE_KEEP;
	}
	if (qinq_stype(c->tag, &s->stype, err) < 0 || profile(s, c, err) < 0)
		return -err->code;
	return make_meters(s, c, socket, err);
}

// The longest untagged frame that its inputs bring.
static uint32_t longest(const struct task *t)
{
	uint16_t mtu, most = RTE_ETHER_MTU;

	for (unsigned i = 0; i < t->nrx; i++) {
		if (t->rx[i].ring == NULL && rte_eth_dev_get_mtu(t->rx[i].port, &mtu) == 0
		    && mtu > most)
			most = mtu;
	}
	return (uint32_t)most + RTE_ETHER_HDR_LEN;
}

// A packet that is longer than a bucket never has room in it, however slowly others come (RFC 2697 and 2698 say
// how large it should be at least).
static void warn_bucket(
	const struct task *t, const char *key, uint64_t bytes, uint32_t wanted, const char *colour
)
{
	if (bytes > 0 && bytes < wanted)
		fprintf(stderr,
			"drover: warning: task '%s': %s=%" PRIu64
			" is less than the longest packet with its overhead=, which is never %s: "
			"say "
			"%s=%" PRIu32 " or more\n",
			t->name,
			key,
			bytes,
			colour,
			key,
			wanted);
}

static int init_police(struct task *t, const void *arg, struct err *err)
{
	const struct police_conf *conf = arg;
	struct police *s = t->state;
	uint32_t wanted;

	t->poll = poll_police;
	if (fill(s, conf, t->socket, err) < 0)
		return -err->code;
	wanted = longest(t) + s->overhead;
	warn_bucket(t, "cbs", conf->cbs, wanted, "green");
	warn_bucket(t, "ebs", conf->ebs, wanted, "yellow");
	warn_bucket(t, "pbs", conf->pbs, wanted, "anything but red");
	return 0;
}

static void report_police(struct task *t, void *object)
{
	static const char *const names[COLOURS] = {"green", "yellow", "red"};
	const struct police *s = t->state;
	char key[16];

	for (unsigned i = 0; i < COLOURS; i++) {
		uint64_t packets = __atomic_load_n(&s->seen[i].packets, __ATOMIC_RELAXED);
		uint64_t bytes = __atomic_load_n(&s->seen[i].bytes, __ATOMIC_RELAXED);

		packets -= s->base[i].packets;
		bytes -= s->base[i].bytes;
		json_object_set_new(object, names[i], json_integer((json_int_t)packets));
		snprintf(key, sizeof(key), "%s_bytes", names[i]);
		json_object_set_new(object, key, json_integer((json_int_t)bytes));
	}
	json_object_set_new(
		object, "meters", json_integer(s->users != NULL ? s->nmeters - 1 : s->nmeters)
	);
}

static void clear_police(struct task *t)
{
	struct police *s = t->state;

	for (unsigned i = 0; i < COLOURS; i++) {
		s->base[i].packets = __atomic_load_n(&s->seen[i].packets, __ATOMIC_RELAXED);
		s->base[i].bytes = __atomic_load_n(&s->seen[i].bytes, __ATOMIC_RELAXED);
	}
}

static void defaults_police(void *arg)
{
	*(struct police_conf *)arg = (struct police_conf){
		.overhead = OVERHEAD,
		.dscp = {UINT32_MAX, UINT32_MAX, UINT32_MAX},
	};
}

static const char *const sub_modes[] = {[ONE_RATE] = "srtcm", [TWO_RATES] = "trtcm", NULL};

#define RATE 1, RATE_MAX
#define SIZE 0, UINT32_MAX

#define KEY_CONF struct police_conf
static const struct key keys[] = {
	KEY_WORD(
		"sub mode",
		sub_mode,
		sub_modes,
		"srtcm (default): green up to cir and cbs, yellow up to ebs; trtcm: red above pir, "
		"else "
		"yellow above cir"
	),
	KEY_U64("cir", cir, RATE, "committed rate in bytes a second"),
	KEY_U64("cbs", cbs, SIZE, "committed burst in bytes"),
	KEY_U64("ebs", ebs, SIZE, "srtcm: excess burst in bytes"),
	KEY_U64("pir", pir, RATE, "trtcm: peak rate in bytes a second"),
	KEY_U64("pbs", pbs, SIZE, "trtcm: peak burst in bytes"),
	KEY_U32("overhead",
		overhead,
		0,
		256,
		"bytes added to each packet; default 24: CRC, preamble and gap"),
	KEY_ACTIONS(
		"police action",
		actions,
		"what becomes of packets that came in as IN and were found to be OUT; they all "
		"come in "
		"green. Default: red is dropped, others stay as they are"
	),
	KEY_U32("dscp green", dscp[0], 0, 63, "written into IPv4 and IPv6 that is green"),
	KEY_U32("dscp yellow", dscp[1], 0, 63, "the same for yellow"),
	KEY_U32("dscp red", dscp[2], 0, 63, "the same for red that is not dropped"),
	KEY_USER_TABLE(
		users,
		"a meter for each subscriber, by the tags or the GRE key; default: one for all"
	),
	KEY_QINQ_TAG(tag, "EtherType of the outer tag; default 0x88a8"),
	{NULL},
};

static struct task_mode police = {
	.name = "police",
	.help = "drops or marks what exceeds a rate, of all packets or of each subscriber",
	.wants_rx = true,
	.wants_tx = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct police_conf),
	.defaults = defaults_police,
	TASK_DROP_NAMES,
	.state_size = sizeof(struct police),
	.puts = true,
	.init = init_police,
	.done = done_police,
	.report = report_police,
	.clear = clear_police,
};
TASK_MODE(police)
