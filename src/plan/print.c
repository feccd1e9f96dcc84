// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A plan as JSON and, from that JSON, as text for people.

#include "base/jread.h"
#include "base/scope.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static const char *const names[STEP_KINDS] = {
	[STEP_CGROUP] = "cgroup",	[STEP_SET] = "set",
	[STEP_GIVE] = "give",		[STEP_JOIN] = "join",
	[STEP_LINK] = "link",		[STEP_PUBLISH] = "publish",
	[STEP_TOUCH] = "touch",		[STEP_DIR] = "dir",
	[STEP_FILE] = "file",		[STEP_SYMLINK] = "symlink",
	[STEP_NODE] = "node",		[STEP_TMPFS] = "tmpfs",
	[STEP_HUGETLBFS] = "hugetlbfs", [STEP_OVERLAY] = "overlay",
	[STEP_BIND] = "bind",		[STEP_DETACH_HUGETLBFS] = "detach-hugetlbfs",
	[STEP_PARTITION] = "partition", [STEP_DEVICES] = "devices",
	[STEP_USERNS] = "userns",	[STEP_MODULE] = "module",
	[STEP_NETNS] = "netns",		[STEP_NETDEVS] = "netdevs",
	[STEP_REWRITE] = "rewrite",	[STEP_VF] = "vf",
	[STEP_PROBE] = "probe",		[STEP_SYSFS] = "sysfs",
	[STEP_OWNER] = "owner",
};

const char *step_name(enum step_kind kind)
{
	return names[kind];
}

static const char *step_place(enum step_where where)
{
	static const char *const places[] = {
		[STEP_HOST] = "host",
		[STEP_ENTER] = "enter",
		[STEP_FENCE] = "fence",
	};

	return places[where];
}

static json_t *step_to_json(const struct step *s)
{
	json_t *j = json_pack(
		"{s:s, s:s, s:s}",
		"do",
		names[s->kind],
		"where",
		step_place(s->where),
		"path",
		s->path
	);

	if (s->value[0] != '\0')
		json_object_set_new(j, "value", json_string(s->value));
	if (s->mode != 0)
		json_object_set_new(j, "mode", json_sprintf("%04o", s->mode));
	if (s->uid != 0 || s->gid != 0)
		json_object_set_new(j, "owner", json_sprintf("%u:%u", s->uid, s->gid));
	if (s->rdev != 0)
		json_object_set_new(
			j, "device", json_sprintf("%u:%u", major(s->rdev), minor(s->rdev))
		);
	if (s->readonly)
		json_object_set_new(j, "readonly", json_true());
	if (s->recursive)
		json_object_set_new(j, "recursive", json_true());
	if (s->idmapped)
		json_object_set_new(j, "idmapped", json_true());
	if (s->optional)
		json_object_set_new(j, "optional", json_true());
	if (s->hint)
		json_object_set_new(j, "hint", json_true());
	return j;
}

json_t *plan_to_json(const struct plan *p)
{
	json_t *steps = json_array(), *undo = json_array();
	json_t *doc = json_object();

	for (unsigned i = 0; i < p->nsteps; i++)
		json_array_append_new(steps, step_to_json(&p->steps[i]));
	for (unsigned i = p->lease.nundo; i-- > 0;)
		json_array_append_new(
			undo,
			json_pack(
				"{s:s, s:s}",
				"what",
				p->lease.undo[i].what,
				"path",
				p->lease.undo[i].path
			)
		);
	json_object_set_new(doc, "grant", grant_to_json(&p->lease.grant));
	json_object_set_new(doc, "place", json_string(p->lease.site.name));
	json_object_set_new(doc, "steps", steps);
	json_object_set_new(doc, "command", json_incref(p->argv));
	if (p->oci != NULL)
		json_object_set_new(doc, "oci", plan_config(p));
	json_object_set_new(doc, "undo", undo);
	json_object_set_new(doc, "notes", json_incref(p->notes));
	return doc;
}

#define SHOWN 72 // bytes of a value

// A value on one line, shortened: the whole of it is in the JSON form.
static void print_value(const char *value, FILE *out)
{
	size_t n = strcspn(value, "\n");
	bool more = value[n] != '\0' && value[n + 1] != '\0';
	char line[SHOWN + 1];

	if (n > SHOWN) {
		n = SHOWN;
		more = true;
	}
	snprintf(line, sizeof(line), "%.*s", (int)n, value);
	str_plain(line);
	fprintf(out, "%s%s", line, more ? " …" : "");
}

static void print_step(const json_t *s, size_t number, FILE *out)
{
	const char *extra[] = {"mode", "owner", "device"};

	fprintf(out, "%4zu  %-10s %s", number, json_text(s, "do", ""), json_text(s, "path", ""));
	if (json_text(s, "value", "")[0] != '\0') {
		fputs(str_eq(json_text(s, "do", ""), "bind") ? " ← " : " = ", out);
		print_value(json_text(s, "value", ""), out);
	}
	for (size_t i = 0; i < ARRAY_LEN(extra); i++) {
		if (json_object_get(s, extra[i]) != NULL
		    && !str_eq(json_text(s, extra[i], ""), "0755")
		    && !str_eq(json_text(s, extra[i], ""), "0644"))
			fprintf(out, " %s %s", extra[i], json_text(s, extra[i], ""));
	}
	if (json_is_true(json_object_get(s, "readonly")))
		fputs(" read-only", out);
	if (json_is_true(json_object_get(s, "idmapped")))
		fputs(", of which its owner's files are the program's", out);
	if (json_is_true(json_object_get(s, "optional")))
		fputs(", if it is there", out);
	if (json_is_true(json_object_get(s, "hint")))
		fputs(", if it can be", out);
	fputc('\n', out);
}

// All but the values, of which print_value prints no more than a line.
static void make_plain(json_t *doc)
{
	const char *const parts[] = {"command", "undo", "notes"};
	const char *key;
	json_t *step, *v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++)
		json_plain(json_object_get(doc, parts[i]));
	json_array_foreach (json_object_get(doc, "steps"), i, step) {
		json_object_foreach (step, key, v) {
			if (!str_eq(key, "value"))
				json_plain(v);
		}
	}
}

void plan_print_steps(const struct plan *p, FILE *out)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		_cleanup_json_ json_t *step = step_to_json(&p->steps[i]);

		print_step(step, i + 1, out);
	}
}

void plan_print(const struct plan *p, FILE *out)
{
	_cleanup_json_ json_t *doc = plan_to_json(p);
	const char *wheres[] = {"host", "enter", "fence"};
	const char *titles[] = {
		"on the host; taken back when the workload is gone",
		"by the process that becomes the workload",
		"in a mount namespace of its own; the kernel drops it with the workload",
	};
	json_t *e;
	size_t i;

	make_plain(doc);
	grant_print(&p->lease.grant, out);
	for (size_t w = 0; w < ARRAY_LEN(wheres); w++) {
		size_t number = 0;

		fprintf(out, "\n%s\n", titles[w]);
		json_array_foreach (json_object_get(doc, "steps"), i, e) {
			if (str_eq(json_text(e, "where", ""), wheres[w]))
				print_step(e, ++number, out);
		}
	}
	fputs("\nstart\n     ", out);
	json_array_foreach (json_object_get(doc, "command"), i, e)
		fprintf(out, " %s", json_string_value(e));
	fputs("\n\nundo\n", out);
	json_array_foreach (json_object_get(doc, "undo"), i, e)
		fprintf(out,
			str_eq(json_text(e, "what", ""), "owner") ? "      give back %s %s\n"
								  : "      remove %s %s\n",
			json_text(e, "what", ""),
			json_text(e, "path", ""));
	json_array_foreach (json_object_get(doc, "notes"), i, e)
		fprintf(out, "\nnote: %s\n", json_string_value(e));
}
