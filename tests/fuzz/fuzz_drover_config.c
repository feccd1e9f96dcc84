// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A configuration is refused with a place and a reason, or everything in it holds what it promises.

#include "../unit/any_keys.h"
#include "../unit/own_modes.h"
#include "fuzz.h"

#include "config/config.h"
#include "config/table_keys.h"
#include "task/task.h"

#include <stdbool.h>

// A task that uses all a topology has.
struct tables {
	char routes[KEY_TEXT_MAX], users[KEY_TEXT_MAX], cpes[KEY_TEXT_MAX];
	uint32_t age, tag;
};

#define KEY_CONF struct tables
static const struct key table_keys[] = {
	KEY_ROUTE_TABLE(routes),
	KEY_USER_TABLE(users, NULL),
	KEY_CPE_TABLE(cpes, NULL),
	KEY_CPE_TIMEOUT(age, NULL),
	KEY_QINQ_TAG(tag, NULL),
	{NULL},
};

static struct task_mode lb = {
	.name = "lb",
	.help = "shares out",
	.wants_rx = true,
	.wants_tx = true,
	.many_tx = true,
	.by_proto = true,
	.keys = table_keys,
	.conf_size = sizeof(struct tables),
};

static struct task_mode none = {
	.name = "none",
	.alias = "nop",
	.help = "forwards",
	.wants_rx = true,
	.wants_tx = true,
	.next = &lb,
};
static struct task_mode gen = {
	.name = "gen",
	.help = "sends",
	.wants_tx = true,
	.keys = any_keys,
	.conf_size = sizeof(struct any_conf),
	.next = &none,
};

OWN_MODES(gen)

static void must_be_text(const char *s, size_t room)
{
	must(memchr(s, '\0', room) != NULL);
	for (; *s != '\0'; s++)
		must((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void must_be_ports(const struct conf *c, const struct key_names *names)
{
	must(names->n <= KEY_NAMES_MAX);
	for (unsigned i = 0; i < names->n; i++) {
		int at = conf_port_number(c, names->name[i]);

		must_be_text(names->name[i], KEY_NAME_MAX);
		must(at >= 0 && c->ports[at].device[0] != '\0');
	}
}

static void must_be_fields(const struct key_vary *v)
{
	must(v->n <= KEY_VARY_MAX);
	for (unsigned i = 0; i < v->n; i++) {
		const struct key_vary_field *f = &v->field[i];

		must(f->field < FIELD_END && f->from <= f->to);
		must(f->field != FIELD_NONE || (f->len >= 1 && f->len <= 4));
		must(f->placed || i + 1 == v->n);
		must(!f->range || f->step > 0);
		must(!f->carry || (i > 0 && v->field[i - 1].range));
	}
}

static void must_be_any(const struct conf *c, const struct any_conf *a)
{
	unsigned weights = 0;

	must(a->u32 == 0 || (a->u32 >= 60 && a->u32 <= 2048));
	must_be_text(a->text, sizeof(a->text));
	must(a->mac.word <= MAC_NO && a->bytes.len <= KEY_BYTES_MAX);
	must_be_ports(c, &a->to);
	must(a->word <= 1);
	for (unsigned i = 0; i < COLOURS * COLOURS; i++)
		must(a->actions.become[i / COLOURS][i % COLOURS] <= COLOUR_DROP);
	must(a->pos <= 2048 || a->pos == KEY_POS_END);
	must_be_fields(&a->vary);
	must(a->imix.n <= KEY_IMIX_MAX);
	for (unsigned i = 0; i < a->imix.n; i++) {
		must(a->imix.of[i].size >= 60 && a->imix.of[i].size <= 2048);
		weights += a->imix.of[i].weight;
		must(a->imix.of[i].weight > 0 && weights <= KEY_IMIX_WEIGHTS);
	}
}

static void must_be_task(const struct conf *c, const struct conf_task *t)
{
	must(t->id < CONF_TASKS && t->line > 0 && t->mode != NULL && t->conf != NULL);
	must_be_ports(c, &t->rx_ports);
	must_be_ports(c, &t->tx_ports);
	must((t->tx_ports.n > 0) != (t->tx_cores[PROTO_IPV4].n > 0));
	must(t->mode == &gen || t->rx_ring != (t->rx_ports.n > 0));
	for (unsigned p = 0; p < PROTO_COUNT; p++) {
		must(t->tx_cores[p].n <= CONF_TARGETS);
		for (unsigned i = 0; i < t->tx_cores[p].n; i++) {
			const struct conf_target *to = &t->tx_cores[p].list[i];

			must(to->core < c->ncores && to->task < c->cores[to->core].ntasks);
			must(to->kind == TARGET_CONTROL
			     || c->cores[to->core].tasks[to->task].rx_ring);
		}
	}
	for (unsigned i = 0; t->remapped && i < CONF_PORTS; i++)
		must(t->remap[i] == CONF_NO_OUTPUT
		     || t->remap[i] < t->tx_ports.n + t->tx_cores[PROTO_IPV4].n);
	if (t->mode == &gen)
		must_be_any(c, t->conf);
}

static void must_hold(const struct conf *c)
{
	unsigned tasks = 0;

	must(c->neal <= CONF_EAL && c->ncores <= CONF_CORES);
	must_be_text(c->name, sizeof(c->name));
	for (unsigned i = 0; i < c->neal; i++) {
		must_be_text(c->eal[i], sizeof(c->eal[i]));
		must(strncmp(c->eal[i], "-l", 2) != 0 && strncmp(c->eal[i], "--vd", 4) != 0);
	}
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		if (!c->ports[i].used)
			continue;
		must_be_text(c->ports[i].name, KEY_NAME_MAX);
		must_be_text(c->ports[i].device, KEY_TEXT_MAX);
		must(conf_port_number(c, c->ports[i].name) == (int)i);
	}
	for (unsigned i = 0; i < c->ncores; i++) {
		const struct conf_core *core = &c->cores[i];

		must_be_text(core->name, sizeof(core->name));
		must(core->ntasks <= CONF_TASKS && core->master == (core->ntasks == 0));
		for (unsigned j = 0; j < core->ntasks; j++)
			must_be_task(c, &core->tasks[j]);
		tasks += core->ntasks;
	}
	must(tasks > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	// what begins with this line is read with these overrides
	static const char marker[] = ";given\n";
	static const struct conf_overrides given = {
		.nvars = 1,
		.vars = {{"given", "1$x"}},
		.nports = 1,
		.ports = {{"if0", "null"}},
	};
	bool with = len >= strlen(marker) && memcmp(data, marker, strlen(marker)) == 0;
	// of exactly its size: a read past its end shows
	_cleanup_free_ char *s = malloc(len > 0 ? len : 1);
	struct conf *c = NULL;
	struct err err = {0};

	must(s != NULL);
	if (len > 0)
		memcpy(s, data, len);
	if (conf_parse(s, len, "f", with ? &given : NULL, &c, &err) < 0) {
		must_explain(&err);
		must(c == NULL && strncmp(err.msg, "f:", 2) == 0);
		return 0;
	}
	must_hold(c);
	conf_free(c);
	return 0;
}
