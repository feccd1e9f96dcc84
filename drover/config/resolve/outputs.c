// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tasks that others send to.

#include "base/str.h"
#include "config/resolve/private.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>

// An element of "remap=": "B|C", the ports whose CPEs are behind output n.
static int remap_one(
	struct conf *c, struct task_section *t, char *item, unsigned n, struct err *err
)
{
	char buf[HINT_MAX];

	str_foreach (name, item, "|") {
		int port;

		while (*name == ' ')
			name++;
		for (size_t len = strlen(name); len > 0 && name[len - 1] == ' ';)
			name[--len] = '\0';
		port = conf_port_number(c, name);
		if (port < 0)
			return error_at(
				place(c, t->tx_line),
				err,
				"remap=: no port '%.32s' in any [port N]%s",
				name,
				hint_port(buf, name, c)
			);
		if (t->task.remap[port] != CONF_NO_OUTPUT)
			return error_at(
				place(c, t->tx_line), err, "remap=: '%.32s' is there twice", name
			);
		if (n >= CONF_TARGETS)
			return error_at(
				place(c, t->tx_line), err, "remap=: more than %d", CONF_TARGETS
			);
		t->task.remap[port] = (uint8_t)n;
	}
	return 0;
}

int resolve_remap(struct conf *c, struct task_section *t, struct err *err)
{
	bool cores = t->task.tx_ports.n == 0;
	unsigned outputs = cores ? t->task.tx_cores[PROTO_IPV4].n : t->task.tx_ports.n, n = 0;
	const char *key = t->tx_key->name;

	if (t->remap == NULL && cores)
		return error_at(
			place(c, t->tx_line),
			err,
			"%s=: add remap= with the port of each, as in 1s0,3s0 remap=cpe0,cpe1",
			key
		);
	if (t->remap == NULL)
		return 0;
	t->task.remapped = true;
	memset(t->task.remap, CONF_NO_OUTPUT, sizeof(t->task.remap));
	str_foreach (item, t->remap, ",") {
		if (remap_one(c, t, item, n++, err) < 0)
			return -err->code;
	}
	if (n == 0)
		return error_at(place(c, t->tx_line), err, "remap= names no port");
	if (n != outputs)
		return error_at(
			place(c, t->tx_line),
			err,
			"%s=: %u outputs, but remap= has %u",
			key,
			outputs,
			n
		);
	return 0;
}

// "task 1 of core 3s0"
#define LABEL 48

static const char *label(char buf[static LABEL], const struct conf_core *c, unsigned task)
{
	struct core_name name = {c->id, c->socket, c->hyperthread};
	char core[CORE_NAME_STR];

	snprintf(buf, LABEL, "task %u of core %s", task, core_name_format(&name, core));
	return buf;
}

// Finds what a name stands for.
static int resolve(
	const struct conf *c,
	unsigned line,
	const struct target_name *name,
	unsigned self,
	struct conf_target *ret,
	struct err *err
)
{
	char buf[TARGET_NAME_STR], text[LABEL];

	for (unsigned i = 0; i < c->ncores; i++) {
		const struct conf_core *core = &c->cores[i];
		struct core_name other = {core->id, core->socket, core->hyperthread};

		if (name->self ? i != self : !core_name_same(&other, &name->core))
			continue;
		for (unsigned k = 0; k < core->ntasks; k++) {
			if (core->tasks[k].id != name->task)
				continue;
			if (name->kind == TARGET_PACKETS && !core->tasks[k].rx_ring)
				return error_at(
					place(c, line),
					err,
					"%s takes nothing from rings: add rx ring=yes to it, on "
					"line %u",
					label(text, core, name->task),
					core->tasks[k].line
				);
			if (name->kind == TARGET_CONTROL && !core->tasks[k].mode->wants_rx)
				return error_at(
					place(c, line),
					err,
					"%s, mode %s, receives nothing",
					label(text, core, name->task),
					core->tasks[k].mode->name
				);
			*ret = (struct conf_target){(uint16_t)i, (uint8_t)k, name->kind};
			return 0;
		}
		return error_at(
			place(c, line),
			err,
			"core %.*s of line %u has no task=%u",
			(int)strcspn(target_name_format(name, buf), "t"),
			buf,
			core->line,
			name->task
		);
	}
	return error_at(
		place(c, line),
		err,
		"no [core %.*s] in the file",
		(int)strcspn(target_name_format(name, buf), "t"),
		buf
	);
}

static int resolve_task(
	const struct conf *c,
	unsigned core,
	struct conf_task *t,
	const struct target_names names[PROTO_COUNT],
	struct err *err
)
{
	for (unsigned proto = 0; proto < PROTO_COUNT; proto++) {
		struct conf_targets *to = &t->tx_cores[proto];

		for (unsigned i = 0; i < to->n; i++) {
			if (resolve(c, to->line, &names[proto].list[i], core, &to->list[i], err)
			    < 0)
				return -err->code;
			if (to->list[i].kind == TARGET_MESSAGE)
				return error_at(
					place(c, to->line),
					err,
					"'m' (messages) is for a core of mode=master"
				);
			for (unsigned k = 0; k < i; k++) {
				if (to->list[k].core == to->list[i].core
				    && to->list[k].task == to->list[i].task)
					return error_at(
						place(c, to->line),
						err,
						"tx cores=: a task is there twice"
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

static int check_rings(const struct conf *c, struct err *err)
{
	char text[LABEL];

	for (unsigned i = 0; i < c->ncores; i++) {
		for (unsigned k = 0; k < c->cores[i].ntasks; k++) {
			const struct conf_task *t = &c->cores[i].tasks[k];

			if (t->rx_ring && !is_target(c, i, k))
				return error_at(
					place(c, t->line),
					err,
					"rx ring=yes: no task sends to %s",
					label(text, &c->cores[i], t->id)
				);
		}
	}
	return 0;
}

int resolve_outputs(struct conf *c, const struct core_section *sections, struct err *err)
{
	struct conf_target found;
	unsigned core = 0;

	for (const struct core_section *s = sections; s != NULL; s = s->next) {
		for (unsigned i = 0; i < s->messages.n; i++) {
			if (resolve(c,
				    s->messages_line,
				    &s->messages.list[i],
				    CONF_CORES,
				    &found,
				    err)
			    < 0)
				return -err->code;
		}
		// the cores of a section follow each other
		for (unsigned i = 0; i < s->nnames; i++, core++) {
			for (unsigned k = 0; k < s->ntasks; k++) {
				if (resolve_task(
					    c,
					    core,
					    &c->cores[core].tasks[k],
					    s->tasks[k].targets,
					    err
				    )
				    < 0)
					return -err->code;
			}
		}
	}
	return check_rings(c, err);
}
