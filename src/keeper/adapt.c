// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "keeper/keeper.h"
#include "plan/plan.h"

#include <string.h>

// What a keeper takes of a plan's steps: not the cgroups, which root made, nor what a user namespace
// may not mount or make; root's nodes are over those of its /dev.
static bool kept(const struct step *s)
{
	return s->where == STEP_FENCE && s->kind != STEP_HUGETLBFS && s->kind != STEP_NODE
	       && s->kind != STEP_DETACH_HUGETLBFS && s->kind != STEP_USERNS
	       && !(s->kind == STEP_BIND && s->rdev != 0);
}

// A directory of the host, from where root has bound it for layers.
static int move_layer(struct step *s)
{
	char *moved;

	if (s->kind != STEP_OVERLAY || !str_starts(s->path, BOX_DIR "/root/"))
		return 0;
	moved = str_printf(PLAN_SHOWN PEN_ROOT "%s", s->value + strlen(PLAN_SHOWN));
	if (moved == NULL)
		return -1;
	free(s->value);
	s->value = moved;
	return 0;
}

static int keep_steps(struct plan *p)
{
	unsigned n = 0;
	int r = 0;

	for (unsigned i = 0; i < p->nsteps; i++) {
		struct step *s = &p->steps[i];

		if (!kept(s)) {
			free(s->path);
			free(s->value);
			continue;
		}
		// the kernel binds nothing out of a mount that has others below it, which a less
		// privileged namespace could look under
		if (s->kind == STEP_BIND)
			s->recursive = true;
		if (move_layer(s) < 0)
			r = -1;
		p->steps[n++] = *s;
	}
	p->nsteps = n;
	return r;
}

// "/run/pinfold/box/huge/2M" → "/run/pinfold/pen/huge/2M".
static int move_source(json_t *mount)
{
	static const char *const made[] = {"/huge/", "/vfio/"};
	const char *source = json_string_value(json_object_get(mount, "source"));

	if (source == NULL || !str_starts(source, BOX_DIR "/"))
		return 0;
	source += strlen(BOX_DIR);
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		if (str_starts(source, made[i]))
			return json_object_set_new(
				mount, "source", json_sprintf(PEN_DIR "%s", source)
			);
	}
	return 0;
}

static int adapt_config(struct plan *p, bool apparmor)
{
	json_t *linux_part = json_object_get(p->oci, "linux"), *e;
	size_t i;

	// the container's init enters the cgroup that root made for it, whose limits are the grant's
	json_object_del(linux_part, "cgroupsPath");
	json_object_del(linux_part, "resources");
	json_t *namespaces = json_object_get(linux_part, "namespaces");

	// below the keeper's user namespace, whose limits hold for all that is made in it
	json_array_foreach (namespaces, i, e)
		json_object_del(e, "path");
	// it is in a namespace of them that the runtime inherits (part.c)
	json_array_foreach (namespaces, i, e) {
		if (str_eq(json_string_value(json_object_get(e, "type")), "cgroup")) {
			json_array_remove(namespaces, i);
			break;
		}
	}
	// only root may read which profiles are loaded: it did when it started the keeper
	if (apparmor
	    && json_object_set_new(
		       json_object_get(p->oci, "process"),
		       "apparmorProfile",
		       json_string(APPARMOR_PROFILE)
	       ) < 0)
		return -1;
	json_array_foreach (json_object_get(p->oci, "mounts"), i, e) {
		if (move_source(e) < 0)
			return -1;
	}
	for (unsigned k = 0; k < p->nsteps; k++) {
		struct step *s = &p->steps[k];
		char *text;

		if (s->kind != STEP_FILE || !str_eq(s->path, BOX_DIR "/bundle/config.json"))
			continue;
		text = json_dumps(p->oci, JSON_COMPACT);
		if (text == NULL)
			return -1;
		free(s->value);
		s->value = text;
		return 0;
	}
	return -1; // a plan without a bundle is none of a container
}

static int adapt_command(struct plan *p)
{
	json_t *e;
	size_t i;

	json_array_foreach (p->argv, i, e) {
		const char *word = json_string_value(e);

		const char *other = str_eq(word, RUNTIME_DIR) ? PEN_DIR "/state"
				    : str_eq(word, "--cgroup-manager=cgroupfs")
					    ? "--cgroup-manager=disabled"
					    : NULL;

		if (other != NULL && json_array_set_new(p->argv, i, json_string(other)) < 0)
			return -1;
	}
	return 0;
}

int keeper_adapt(struct plan *p, bool apparmor, struct err *err)
{
	return keep_steps(p) < 0 || adapt_config(p, apparmor) < 0 || adapt_command(p) < 0
		       ? err_oom(err)
		       : 0;
}
