// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where a task sends to, as it is named: ports, and other tasks through rings.

#include "config/section/private.h"
#include "task/task.h"

#include <string.h>

static bool has_outputs(const struct conf_task *t)
{
	bool any = t->tx_ports.n > 0;

	for (unsigned i = 0; i < PROTO_COUNT; i++)
		any = any || t->tx_cores[i].line != 0;
	return any;
}

// The "tx cores=" at hand, of one protocol.
static int keep_targets(const struct entry *e, struct task_section *section, struct err *err)
{
	struct conf_targets *to = &section->task.tx_cores[section->to.proto];

	if (to->line != 0)
		return error_at(
			e->at,
			err,
			"%.64s=: the same protocol has outputs already, on line %u",
			e->name,
			to->line
		);
	to->line = e->at.line;
	to->n = section->to.n;
	section->targets[section->to.proto] = section->to;
	return 0;
}

int read_outputs(
	const struct entry *e, const struct key *key, struct task_section *section, struct err *err
)
{
	bool routes = key->role == ROLE_OUTPUTS_BY_ROUTE, cpes = key->role == ROLE_OUTPUTS_BY_CPE;
	bool cores = key->kind == &kind_tasks;
	struct conf_task *t = &section->task;
	char *remap = cpes ? strstr(e->value, " remap=") : NULL;

	// several "tx cores=" are of one kind: one for each protocol
	if (has_outputs(t)
	    && !(cores && !routes && !cpes && t->tx_by == TX_TASK && t->tx_ports.n == 0))
		return error_at(e->at, err, "%s=: the task has other outputs already", key->name);
	if ((routes || cpes)
	    && key_of_role(t->mode->keys, routes ? ROLE_ROUTES : ROLE_USERS) == NULL)
		return error_at(
			e->at,
			err,
			"%s=: mode %s has no %s=: write %s=",
			key->name,
			t->mode->name,
			routes ? "route table" : "user table",
			cores ? "tx cores" : "tx port"
		);
	t->tx_by = routes ? TX_ROUTES : cpes ? TX_CPES : TX_TASK;
	section->tx_key = key;
	section->tx_line = e->at.line;
	if (remap != NULL) {
		*remap = '\0';
		section->remap = remap + strlen(" remap=");
	}
	if (key_parse(key, e->value, section, err) < 0)
		return wrap_at(e->at, err);
	return cores ? keep_targets(e, section, err) : 0;
}

int check_outputs(struct sections *s, const struct conf_task *t, struct err *err)
{
	const struct task_mode *m = t->mode;
	unsigned n = t->tx_ports.n;

	for (unsigned i = 0; i < PROTO_COUNT; i++)
		n += t->tx_cores[i].n;
	if (t->rx_ring && t->rx_ports.n > 0)
		return error_at(
			place(s, t->line),
			err,
			"a task reads from ports or from rings: rx port= and rx ring= are for two "
			"tasks"
		);
	if (m->wants_rx && t->rx_ports.n == 0 && !t->rx_ring)
		return error_at(
			place(s, t->line), err, "mode %s wants an rx port= or rx ring=yes", m->name
		);
	if (!m->wants_rx && (t->rx_ports.n > 0 || t->rx_ring))
		return error_at(
			place(s, t->line), err, "mode %s receives nothing: no rx port=", m->name
		);
	if (m->wants_tx && n == 0)
		return error_at(
			place(s, t->line), err, "mode %s wants a tx port= or tx cores=", m->name
		);
	if (!m->wants_tx && !m->may_tx && n > 0)
		return error_at(
			place(s, t->line), err, "mode %s sends nothing: no tx port=", m->name
		);
	if (n > 1 && !m->many_tx)
		return error_at(
			place(s, t->line),
			err,
			"tx port=: a task of mode %s sends to one port or task, not to %u",
			m->name,
			n
		);
	for (unsigned i = PROTO_IPV4 + 1; i < PROTO_COUNT; i++) {
		if (t->tx_cores[i].line != 0 && !m->by_proto)
			return error_at(
				place(s, t->tx_cores[i].line),
				err,
				"proto=: mode %s does not tell protocols apart",
				m->name
			);
		if (t->tx_cores[i].line != 0 && t->tx_cores[PROTO_IPV4].line == 0)
			return error_at(
				place(s, t->tx_cores[i].line), err, "tx cores=: none for proto=ipv4"
			);
	}
	return 0;
}
