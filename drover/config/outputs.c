// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where tasks send to: ports, and other tasks through rings.

#include "base/scope.h"
#include "base/str.h"
#include "config/parse.h"
#include "task/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "remap=A,B|C" at the end of p->value, which loses it: the i-th element lists the ports whose CPEs are
// behind output i. Returns how many elements; 0: there is no remap=.
static int cut_remap(
	struct parse *p, const struct ini_item *it, struct conf_task *t, struct err *err
)
{
	char *at = strstr(p->value, " remap="), *save = NULL, buf[HINT_MAX];
	unsigned n = 0;

	if (at == NULL)
		return 0;
	*at = '\0';
	memset(t->remap, CONF_NO_OUTPUT, sizeof(t->remap));
	for (char *item = strtok_r(at + strlen(" remap="), ",", &save); item != NULL;
	     item = strtok_r(NULL, ",", &save), n++) {
		char *inner = NULL;

		for (char *name = strtok_r(item, "|", &inner); name != NULL;
		     name = strtok_r(NULL, "|", &inner)) {
			int port;

			while (*name == ' ')
				name++;
			for (size_t len = strlen(name); len > 0 && name[len - 1] == ' ';)
				name[--len] = '\0';
			port = conf_port_number(p->conf, name);
			if (port < 0)
				return parse_error(
					p,
					it->line,
					err,
					"remap=: no port '%.32s' in any [port N]%s",
					name,
					hint_port(buf, name, p->conf)
				);
			if (t->remap[port] != CONF_NO_OUTPUT)
				return parse_error(
					p, it->line, err, "remap=: '%.32s' is there twice", name
				);
			if (n >= CONF_TARGETS)
				return parse_error(
					p, it->line, err, "remap=: more than %d", CONF_TARGETS
				);
			t->remap[port] = (uint8_t)n;
		}
	}
	if (n == 0)
		return parse_error(p, it->line, err, "remap= names no port");
	t->remapped = true;
	return (int)n;
}

static int keep_link(struct parse *p, unsigned line, const struct target_names *to, struct err *err)
{
	struct link *more = reallocarray(p->links, p->nlinks + 1, sizeof(*more));

	if (more == NULL)
		return err_oom(err);
	p->links = more;
	p->links[p->nlinks++] = (struct link){.line = line, .to = *to};
	return 0;
}

static bool has_outputs(const struct conf_task *t)
{
	bool any = t->tx_ports.n > 0;

	for (unsigned i = 0; i < PROTO_COUNT; i++)
		any = any || t->tx_cores[i].line != 0;
	return any;
}

static int task_targets(
	struct parse *p, const struct ini_item *it, struct conf_task *t, struct err *err
)
{
	struct target_names to;

	if (targets_parse(p->value, &to, err) < 0) {
		err_wrap(err, "%.64s=", it->name);
		return parse_at(p, it->line, err);
	}
	if (t->tx_cores[to.proto].line != 0)
		return parse_error(
			p,
			it->line,
			err,
			"%.64s=: the same protocol has outputs already, on line %u",
			it->name,
			t->tx_cores[to.proto].line
		);
	t->tx_cores[to.proto].line = it->line;
	t->tx_cores[to.proto].n = to.n;
	return keep_link(p, it->line, &to, err);
}

int outputs_key(
	struct parse *p,
	const struct ini_item *it,
	const struct key *key,
	struct conf_task *t,
	struct err *err
)
{
	bool routes = key->role == ROLE_OUTPUTS_BY_ROUTE, cpes = key->role == ROLE_OUTPUTS_BY_CPE;
	bool cores = key->kind == &kind_tasks;
	const char *wants = routes ? "route table" : "user table";
	int remaps = 0;
	unsigned n;

	// several "tx cores=" are of one kind: one for each protocol
	if (has_outputs(t)
	    && !(cores && !routes && !cpes && t->tx_by == TX_TASK && t->tx_ports.n == 0))
		return parse_error(
			p, it->line, err, "%s=: the task has other outputs already", key->name
		);
	if ((routes || cpes)
	    && key_of_role(t->mode->keys, routes ? ROLE_ROUTES : ROLE_USERS) == NULL)
		return parse_error(
			p,
			it->line,
			err,
			"%s=: mode %s has no %s=: write %s=",
			key->name,
			t->mode->name,
			wants,
			cores ? "tx cores" : "tx port"
		);
	t->tx_by = routes ? TX_ROUTES : cpes ? TX_CPES : TX_TASK;
	if (cpes)
		remaps = cut_remap(p, it, t, err);
	if (remaps < 0)
		return remaps;
	if (cores) {
		if (task_targets(p, it, t, err) < 0)
			return -err->code;
		n = t->tx_cores[PROTO_IPV4].n;
	} else {
		if (key_parse(key, p->value, t, err) < 0)
			return parse_at(p, it->line, err);
		if (check_ports(p, it->line, key, &t->tx_ports, err) < 0)
			return -err->code;
		n = t->tx_ports.n;
	}
	if (cpes && cores && remaps == 0)
		return parse_error(
			p,
			it->line,
			err,
			"%s=: add remap= with the port of each, as in 1s0,3s0 remap=cpe0,cpe1",
			key->name
		);
	if (remaps > 0 && n != (unsigned)remaps)
		return parse_error(
			p, it->line, err, "%s=: %u outputs, but remap= has %d", key->name, n, remaps
		);
	return 0;
}

int outputs_check(struct parse *p, const struct conf_task *t, struct err *err)
{
	const struct task_mode *m = t->mode;
	unsigned n = t->tx_ports.n;

	for (unsigned i = 0; i < PROTO_COUNT; i++)
		n += t->tx_cores[i].n;
	if (t->rx_ring && t->rx_ports.n > 0)
		return parse_error(
			p,
			t->line,
			err,
			"a task reads from ports or from rings: rx port= and rx ring= are for two "
			"tasks"
		);
	if (m->wants_rx && t->rx_ports.n == 0 && !t->rx_ring)
		return parse_error(
			p, t->line, err, "mode %s wants an rx port= or rx ring=yes", m->name
		);
	if (!m->wants_rx && (t->rx_ports.n > 0 || t->rx_ring))
		return parse_error(
			p, t->line, err, "mode %s receives nothing: no rx port=", m->name
		);
	if (m->wants_tx && n == 0)
		return parse_error(
			p, t->line, err, "mode %s wants a tx port= or tx cores=", m->name
		);
	if (!m->wants_tx && !m->may_tx && n > 0)
		return parse_error(p, t->line, err, "mode %s sends nothing: no tx port=", m->name);
	if (n > 1 && !m->many_tx)
		return parse_error(
			p,
			t->line,
			err,
			"tx port=: a task of mode %s sends to one port or task, not to %u",
			m->name,
			n
		);
	for (unsigned i = PROTO_IPV4 + 1; i < PROTO_COUNT; i++) {
		if (t->tx_cores[i].line != 0 && !m->by_proto)
			return parse_error(
				p,
				t->tx_cores[i].line,
				err,
				"proto=: mode %s does not tell protocols apart",
				m->name
			);
		if (t->tx_cores[i].line != 0 && t->tx_cores[PROTO_IPV4].line == 0)
			return parse_error(
				p, t->tx_cores[i].line, err, "tx cores=: none for proto=ipv4"
			);
	}
	return 0;
}

const char *task_label(char buf[static TASK_LABEL], const struct conf_core *c, unsigned task)
{
	struct core_name name = {c->id, c->socket, c->hyperthread};
	char core[CORE_NAME_STR];

	snprintf(buf, TASK_LABEL, "task %u of core %s", task, core_name_format(&name, core));
	return buf;
}

static const struct link *find_link(const struct parse *p, unsigned line)
{
	for (size_t i = 0; i < p->nlinks; i++) {
		if (p->links[i].line == line)
			return &p->links[i];
	}
	return NULL;
}

// Finds what a name stands for.
static int resolve(
	struct parse *p,
	unsigned line,
	const struct target_name *name,
	unsigned self,
	struct conf_target *ret,
	struct err *err
)
{
	const struct conf *c = p->conf;
	char buf[TARGET_NAME_STR], label[TASK_LABEL];

	for (unsigned i = 0; i < c->ncores; i++) {
		const struct conf_core *core = &c->cores[i];
		struct core_name other = {core->id, core->socket, core->hyperthread};

		if (name->self ? i != self : !core_name_same(&other, &name->core))
			continue;
		for (unsigned k = 0; k < core->ntasks; k++) {
			if (core->tasks[k].id != name->task)
				continue;
			if (name->kind == TARGET_PACKETS && !core->tasks[k].rx_ring)
				return parse_error(
					p,
					line,
					err,
					"%s takes nothing from rings: add rx ring=yes to it, on "
					"line %u",
					task_label(label, core, name->task),
					core->tasks[k].line
				);
			if (name->kind == TARGET_CONTROL && !core->tasks[k].mode->wants_rx)
				return parse_error(
					p,
					line,
					err,
					"%s, mode %s, receives nothing",
					task_label(label, core, name->task),
					core->tasks[k].mode->name
				);
			*ret = (struct conf_target){(uint16_t)i, (uint8_t)k, name->kind};
			return 0;
		}
		return parse_error(
			p,
			line,
			err,
			"core %.*s of line %u has no task=%u",
			(int)strcspn(target_name_format(name, buf), "t"),
			buf,
			core->line,
			name->task
		);
	}
	return parse_error(
		p,
		line,
		err,
		"no [core %.*s] in the file",
		(int)strcspn(target_name_format(name, buf), "t"),
		buf
	);
}

static int link_task(struct parse *p, unsigned core, struct conf_task *t, struct err *err)
{
	for (unsigned proto = 0; proto < PROTO_COUNT; proto++) {
		struct conf_targets *to = &t->tx_cores[proto];
		const struct link *l = to->line != 0 ? find_link(p, to->line) : NULL;

		for (unsigned i = 0; l != NULL && i < l->to.n; i++) {
			if (resolve(p, to->line, &l->to.list[i], core, &to->list[i], err) < 0)
				return -err->code;
			if (to->list[i].kind == TARGET_MESSAGE)
				return parse_error(
					p,
					to->line,
					err,
					"'m' (messages) is for a core of mode=master"
				);
			for (unsigned k = 0; k < i; k++) {
				if (to->list[k].core == to->list[i].core
				    && to->list[k].task == to->list[i].task)
					return parse_error(
						p, to->line, err, "tx cores=: a task is there twice"
					);
			}
		}
	}
	return 0;
}

static bool is_target(const struct conf *c, unsigned core, unsigned task)
{
	for (unsigned i = 0; i < c->ncores; i++) {
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			const struct conf_targets *to = c->cores[i].tasks[k].tx_cores;

			for (unsigned j = 0; j < PROTO_COUNT; j++) {
				for (unsigned n = 0; n < to[j].n; n++) {
					if (to[j].list[n].core == core
					    && to[j].list[n].task == task)
						return true;
				}
			}
		}
	}
	return false;
}

int outputs_master(struct parse *p, unsigned line, const struct target_names *to, struct err *err)
{
	p->master_line = line;
	return keep_link(p, line, to, err);
}

int outputs_link(struct parse *p, struct err *err)
{
	const struct link *messages = find_link(p, p->master_line);
	struct conf *c = p->conf;
	char label[TASK_LABEL];
	struct conf_target found;

	for (unsigned i = 0; messages != NULL && i < messages->to.n; i++) {
		if (resolve(p, p->master_line, &messages->to.list[i], CONF_CORES, &found, err) < 0)
			return -err->code;
	}
	for (unsigned i = 0; i < c->ncores; i++) {
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			if (link_task(p, i, &c->cores[i].tasks[k], err) < 0)
				return -err->code;
		}
	}
	for (unsigned i = 0; i < c->ncores; i++) {
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			const struct conf_task *t = &c->cores[i].tasks[k];

			if (t->rx_ring && !is_target(c, i, k))
				return parse_error(
					p,
					t->line,
					err,
					"rx ring=yes: no task sends to %s",
					task_label(label, &c->cores[i], t->id)
				);
		}
	}
	return 0;
}
