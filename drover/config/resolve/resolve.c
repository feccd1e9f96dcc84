// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/resolve/resolve.h"

#include "base/scope.h"
#include "config/resolve/private.h"
#include "lua/lua.h"
#include "task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- tables

// A table that Lua defines under that name is brought into numbers. A path names a file, which is read
// when the tables are made.
static int resolve_table(
	struct conf *c, struct script *lua, const struct reference *r, struct err *err
)
{
	static const enum script_kind kinds[] = {
		[ROLE_ROUTES] = SCRIPT_ROUTES,
		[ROLE_USERS] = SCRIPT_USERS,
		[ROLE_CPES] = SCRIPT_CPES,
	};
	const char *name = r->value;

	if (strchr(name, '/') != NULL
	    || (strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".csv") == 0))
		return 0;
	if (lua == NULL)
		return error_at(
			place(c, r->line),
			err,
			"%s=%.64s: no such table: define it in [lua], as %.64s = dofile(\"FILE\"), "
			"or name a file.csv",
			r->key->name,
			name,
			name
		);
	if (script_table(lua, kinds[r->key->role], name, &c->specs, err) < 0) {
		err_wrap(err, "%s=%.64s", r->key->name, name);
		return wrap_at(place(c, r->line), err);
	}
	return 0;
}

static const char *users_of(const struct conf_task *t)
{
	const struct key *key = key_of_role(t->mode->keys, ROLE_USERS);

	return key != NULL ? (const char *)t->conf + key->offset : "";
}

// DPPD's files say it where CPEs are learned, and it counts where they are looked up.
static void resolve_timeouts(struct conf *c)
{
	const struct conf_task *all[CONF_CORES], *said;
	unsigned n = 0;

	for (unsigned i = 0; i < c->ncores * CONF_TASKS; i++) {
		const struct conf_core *core = &c->cores[i / CONF_TASKS];

		said = &core->tasks[i % CONF_TASKS];
		if (i % CONF_TASKS < core->ntasks && said->cpe_timeout != 0 && n < ARRAY_LEN(all))
			all[n++] = said;
	}
	for (unsigned i = 0; n > 0 && i < c->ncores * CONF_TASKS; i++) {
		struct conf_core *core = &c->cores[i / CONF_TASKS];
		struct conf_task *t = &core->tasks[i % CONF_TASKS];
		const struct key *key;

		if (i % CONF_TASKS >= core->ntasks || t->cpe_timeout != 0)
			continue;
		key = key_of_role(t->mode->keys, ROLE_CPE_TIMEOUT);
		for (unsigned k = 0; key != NULL && k < n; k++) {
			if (strcmp(users_of(all[k]), users_of(t)) != 0)
				continue;
			*(uint32_t *)((char *)t->conf + key->offset) = all[k]->cpe_timeout;
			break;
		}
	}
}

// ---- tasks and cores

static int resolve_task(struct conf *c, struct task_section *t, struct script *lua, struct err *err)
{
	for (unsigned i = 0; i < t->nrefs; i++) {
		const struct reference *r = &t->refs[i];
		int ret = r->key->kind == &kind_ports
				  ? resolve_names(c, r->line, r->key->name, r->value, err)
				  : resolve_table(c, lua, r, err);

		if (ret < 0)
			return ret;
	}
	if (resolve_names(
		    c, t->tx_line, t->tx_key != NULL ? t->tx_key->name : "", &t->task.tx_ports, err
	    )
	    < 0)
		return -err->code;
	return t->task.tx_by == TX_CPES ? resolve_remap(c, t, err) : 0;
}

// A core like its section says, under its own name.
static int add_core(
	struct conf *c,
	const struct core_section *like,
	const struct core_name *name,
	struct err *err
)
{
	struct conf_core *core = &c->cores[c->ncores++];
	char buf[CORE_NAME_STR];

	*core = (struct conf_core){
		.line = like->line,
		.id = name->id,
		.socket = name->socket,
		.hyperthread = name->hyperthread,
		.master = like->master,
	};
	strcpy(core->name, like->name);
	if (core->name[0] == '\0')
		snprintf(core->name, sizeof(core->name), "core%s", core_name_format(name, buf));
	for (unsigned i = 0; i < like->ntasks; i++) {
		const struct conf_task *t = &like->tasks[i].task;
		size_t size = t->mode->conf_size + 1;
		void *conf = malloc(size);

		if (conf == NULL)
			return err_oom(err);
		core->tasks[core->ntasks] = *t;
		core->tasks[core->ntasks++].conf = memcpy(conf, t->conf, size);
	}
	return 0;
}

static int resolve_cores(struct conf *c, const struct core_section *sections, struct err *err)
{
	unsigned tasks = 0;

	for (const struct core_section *s = sections; s != NULL; s = s->next) {
		for (unsigned i = 0; i < s->nnames; i++) {
			if (add_core(c, s, &s->names[i], err) < 0)
				return -err->code;
		}
		tasks += s->ntasks;
	}
	if (tasks == 0)
		return error_at(
			place(c, 0), err, "no core has a task: add [core 1] with task=0 and mode="
		);
	return 0;
}

int conf_resolve(
	struct conf *c,
	struct sections *sections,
	struct script *lua,
	const struct conf_overrides *o,
	struct err *err
)
{
	if (resolve_ports(c, o, err) < 0)
		return -err->code;
	for (struct core_section *s = sections->cores; s != NULL; s = s->next) {
		for (unsigned i = 0; i < s->ntasks; i++) {
			if (resolve_task(c, &s->tasks[i], lua, err) < 0)
				return -err->code;
		}
	}
	if (resolve_cores(c, sections->cores, err) < 0
	    || resolve_outputs(c, sections->cores, err) < 0 || resolve_devices(c, o, err) < 0)
		return -err->code;
	resolve_timeouts(c);
	return 0;
}
