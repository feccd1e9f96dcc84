// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Scripts of a configuration: whatever they do they end, reach nothing, and what they define is a table
// in which every number is in its range, or an error of one line.

#include "fuzz.h"

#include "base/scope.h"
#include "config/printable.h"
#include "lua/lua.h"
#include "table/spec.h"
#include "task/task.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// the reader of configurations is linked, and asks for modes
const struct task_mode *task_modes(void)
{
	return NULL;
}

const struct task_mode *task_mode_find(const char *name)
{
	(void)name;
	return NULL;
}

const char *task_drop_name(const struct task_mode *mode, unsigned reason)
{
	(void)mode;
	(void)reason;
	return NULL;
}

static void must_hold(const struct spec *s)
{
	for (size_t i = 0; s->routes != NULL && i < s->routes->nhops; i++) {
		const struct hop *h = &s->routes->hops[i];

		must(h->id < SPEC_HOPS && h->mpls < SPEC_LABELS && h->port < SPEC_HOP_PORTS);
		must((h->mac[0] & 1) == 0);
	}
	for (size_t i = 0; s->routes != NULL && i < s->routes->nroutes; i++) {
		const struct route *r = &s->routes->routes[i];

		must(r->depth <= 32 && r->hop < SPEC_HOPS);
		must(r->depth == 32 || (r->ip & (UINT32_MAX >> r->depth)) == 0);
	}
	for (size_t i = 0; s->users != NULL && i < s->users->n; i++)
		must(s->users->list[i].svlan < SPEC_VLANS && s->users->list[i].cvlan < SPEC_VLANS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum script_kind kinds[] = {SCRIPT_ROUTES, SCRIPT_USERS, SCRIPT_CPES};
	struct script *s = NULL;
	struct err err = {0};
	char text[256];

	must(script_make(NULL, &s, &err) == 0);
	if (script_run(s, (const char *)data, len, "f", &err) < 0) {
		must(strncmp(err.msg, "f:", 2) == 0 && printable(err.msg));
		script_done(s);
		return 0;
	}
	if (script_text(s, "t", text, sizeof(text)))
		must(printable(text));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct specs specs = {0};

		if (script_table(s, kinds[i], "t", &specs, &err) < 0)
			must(err.msg[0] != '\0' && printable(err.msg));
		else
			must_hold(specs_find(&specs, "t"));
		specs_free(&specs);
	}
	script_done(s);
	return 0;
}
