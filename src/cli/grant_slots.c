// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold grant create --dry-run: how many grants there is room for, what limits them, what is left.

#include "cli/grant.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/host.h"

#include <stdio.h>
#include <string.h>

static json_t *row_of(const struct grant *g, const struct host *host, const struct holdings *all)
{
	struct idset nodes = host_nodes_of(host, &g->cpus),
		     shared = slots_shared_cores(g, host, all);
	_cleanup_json_ json_t *nics = json_array();
	char list[IDSET_STR], note[256] = "";

	for (unsigned i = 0; i < g->nnics; i++)
		json_array_append_new(nics, json_string(g->nics[i].bdf));
	if (idset_count(&nodes) > 1)
		snprintf(note, sizeof(note), "on several nodes");
	if (!idset_empty(&shared))
		snprintf(
			note + strlen(note),
			sizeof(note) - strlen(note),
			"%sshares cores with CPUs %.160s",
			note[0] != '\0' ? "; " : "",
			idset_format(&shared, list, sizeof(list))
		);
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:O, s:s}",
		"name",
		g->name,
		"cpus",
		json_idset(&g->cpus),
		"nodes",
		json_idset(&nodes),
		"hugepages",
		grant_pages_text(g),
		"nics",
		nics,
		"note",
		note
	);
}

// "0000:03:00.0", and how many more.
static void shorten_nics(json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const json_t *nics = json_object_get(row, "nics");
		size_t n = json_array_size(nics);
		json_t *text = n == 0	? json_null()
			       : n == 1 ? json_copy(json_array_get(nics, 0))
					: json_sprintf(
						"%s and %zu more",
						json_string_value(json_array_get(nics, 0)),
						n - 1
					);

		json_object_set_new(row, "nics", text);
	}
}

static void print_text(json_t *doc, const struct slots *s, unsigned most)
{
	static const char *const keys[] = {
		"name", "cpus", "nodes", "hugepages", "nics", "note", NULL};
	json_t *rows = json_object_get(doc, "slots");

	shorten_nics(rows);
	if (s->n > 0)
		cli_print_rows(rows, keys, false);
	printf("%s%u fit%s", s->n > 0 ? "\n" : "", s->n, s->n == 1 ? "s" : "");
	if (s->limit != SLOTS_ALL_FIT)
		printf("; what limits them: %s (%s)", slots_limit_name(s->limit), s->why.msg);
	else if (most == SLOTS_MAX)
		printf("; no more than that may be made at once");
	puts("\n\nWhat is left then:");
	host_free_print(json_object_get(doc, "left"));
}

int grant_slots_show(
	const struct request *req,
	const struct host *host,
	struct holdings *others,
	unsigned most,
	bool local,
	bool json,
	struct err *err
)
{
	_cleanup_json_ json_t *doc = NULL, *rows = json_array();
	unsigned before = others->n;
	struct slots s = {0};
	bool all;

	if (slots_fill(req, host, others, most, local, &s, err) < 0)
		return -err->code;
	for (unsigned i = before; i < others->n; i++)
		json_array_append_new(rows, row_of(&others->held[i].grant, host, others));
	doc = json_pack(
		"{s:s, s:i, s:s?, s:s?, s:O, s:o}",
		"host",
		host->hostname,
		"fit",
		(int)s.n,
		"limit",
		slots_limit_name(s.limit),
		"why",
		s.limit != SLOTS_ALL_FIT ? s.why.msg : NULL,
		"slots",
		rows,
		"left",
		host_free_rows(host, others)
	);
	if (doc == NULL)
		return err_oom(err);
	all = local ? s.n > 0 : s.n == most;
	if (json)
		cli_print_json(doc);
	else
		print_text(doc, &s, most);
	return all ? 0 : 1;
}
