// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A generator in a test's own process: made of words, its packets one by one, its figures.
#pragma once

#include "unit.h"

#include "drover_rig.h"
#include "tsc.h"

#include <jansson.h>
#include <rte_cycles.h>

static struct rig rig;

static inline int start(void **)
{
	rig_start(&rig);
	return 0;
}

// "key=value\nkey=value\n" as a configuration says it. False: one is refused, see err.
static inline bool say(void *conf, const char *text, struct err *err)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy;

	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *value = strchr(line, '=');
		const struct key *k;

		if (value == NULL)
			continue;
		*value++ = '\0';
		k = key_find(task_mode_find("gen")->keys, line);
		if (k == NULL)
			fail_msg("no key '%s'", line);
		if (key_parse(k, value, conf, err) < 0)
			return false;
	}
	return true;
}

static inline struct task *make(const char *text)
{
	_cleanup_free_ void *conf = rig_conf("gen");
	struct err err = {0};
	struct task *t = say(conf, text, &err) ? rig_task(&rig, "gen", conf, &err) : NULL;

	if (t == NULL)
		fail_msg("%s: %s", text, err.msg);
	return t;
}

static inline struct rte_mbuf *next(struct task *t)
{
	const uint64_t begin = rte_rdtsc(), limit = 10 * tsc_hz();
	struct rte_mbuf *m = NULL;

	while (rte_rdtsc() - begin < limit) {
		if (rte_ring_dequeue(rig.ring, (void **)&m) == 0)
			return m;
		t->poll(t);
	}
	fail_msg("no packet comes");
	return NULL;
}

static inline void end(struct task *t)
{
	rig_drain(&rig);
	rig_done(t);
}

static inline json_t *report(struct task *t)
{
	json_t *o = json_object();

	t->mode->report(t, o);
	return o;
}

static inline double number(struct task *t, const char *key)
{
	json_t *o = report(t), *v = json_object_get(o, key);
	double n = json_number_value(v);

	if (!json_is_number(v))
		fail_msg("no number '%s'", key);
	json_decref(o);
	return n;
}

// A large packet takes the time of as many small ones as there are bytes in it: what was due by then is
// sent or behind, and so are its bytes.
