// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/claim.h"

#include "base/scope.h"
#include "base/str.h"
#include "site/site.h"

#include <string.h>

#define PREFIX "dev.pinfold."

// Swarm hands generic resources on as DOCKER_RESOURCE_KIND=NAME.
static const struct {
	const char *variable;
	const char *where;
} variables[] = {
	{"PINFOLD_GRANT=", "environment PINFOLD_GRANT"},
	{"DOCKER_RESOURCE_PINFOLD=", "environment DOCKER_RESOURCE_PINFOLD"},
};

bool claim_possible(const char *text, size_t len)
{
	// the words may be written with escapes
	static const char *const words[] = {PREFIX, "PINFOLD", CDI_HOOK, CDI_DIR "/", "\\u"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (memmem(text, len, words[i], strlen(words[i])) != NULL)
			return true;
	}
	return false;
}

static int take(
	struct claim *c,
	const char *name,
	enum grant_claim way,
	const char *token,
	const char *where,
	struct err *err
)
{
	if (name_check("a grant", name, err) < 0)
		return err_wrap(err, "%s", where);
	if (c->name != NULL && !str_eq(c->name, name))
		return err_set(
			err,
			EINVAL,
			"%s names grant '%s', %s '%s': name one",
			c->where,
			c->name,
			where,
			name
		);
	// of two that agree the first, which says more about who asks
	if (c->name == NULL)
		*c = (struct claim){.name = name, .way = way, .token = token, .where = where};
	return 0;
}

// First what says most about who asks.
static const struct {
	const char *key, *where;
	enum grant_claim way;
} annotations[] = {
	{CLAIM_ANNOTATION_KUBERNETES,
	 "annotation " CLAIM_ANNOTATION_KUBERNETES,
	 CLAIM_BY_KUBERNETES},
	{CLAIM_ANNOTATION, "annotation " CLAIM_ANNOTATION, CLAIM_BY_ANNOTATION},
};

static bool is_known(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++) {
		if (str_eq(annotations[i].key, key))
			return true;
	}
	return str_eq(key, CLAIM_ANNOTATION_TOKEN);
}

static int read_annotations(const json_t *doc, struct claim *c, struct err *err)
{
	const json_t *all = json_object_get(doc, "annotations");
	const char *token = json_string_value(json_object_get(all, CLAIM_ANNOTATION_TOKEN));
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)all, key, value) {
		if (str_starts(key, PREFIX) && !is_known(key))
			return err_set(
				err,
				EINVAL,
				"annotation '%.64s' is none of pinfold's; write " CLAIM_ANNOTATION,
				key
			);
	}
	for (size_t i = 0; i < ARRAY_LEN(annotations); i++) {
		value = json_object_get(all, annotations[i].key);
		if (value == NULL)
			continue;
		if (!json_is_string(value))
			return err_set(err, EINVAL, "%s is no text", annotations[i].where);
		if (take(c,
			 json_string_value(value),
			 annotations[i].way,
			 annotations[i].way == CLAIM_BY_KUBERNETES ? token : NULL,
			 annotations[i].where,
			 err)
		    < 0)
			return -err->code;
	}
	return 0;
}

static int read_environment(const json_t *doc, struct claim *c, struct err *err)
{
	const json_t *env = json_object_get(json_object_get(doc, "process"), "env");
	json_t *e;
	size_t i;

	json_array_foreach ((json_t *)env, i, e) {
		const char *s = json_string_value(e);

		for (size_t k = 0; s != NULL && k < ARRAY_LEN(variables); k++) {
			size_t n = strlen(variables[k].variable);

			// what a container of pinfold's own has there is no name
			if (!str_starts(s, variables[k].variable) || str_eq(s + n, GRANT_FILE))
				continue;
			if (take(c, s + n, CLAIM_BY_ENV, NULL, variables[k].where, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

bool claim_is_for_others(const json_t *doc)
{
	static const char *const keys[] = {
		"io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *type = json_string_value(
			json_object_get(json_object_get(doc, "annotations"), keys[i])
		);

		if (type != NULL && str_eq(type, "sandbox"))
			return true;
	}
	return false;
}

// Whoever starts a container may let it mount paths of the host.
static int refuse_mounts(const json_t *doc, struct err *err)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(doc, "mounts"), i, e) {
		const char *source = json_string_value(json_object_get(e, "source"));

		if (source != NULL && str_starts(source, CDI_DIR "/"))
			return err_set(
				err,
				EPERM,
				"a mount of '%.100s' claims no grant; if its CDI device is older "
				"than this "
				"pinfold: pinfold cdi generate",
				source
			);
	}
	return 0;
}

static int read_devices(const json_t *doc, struct claim *c, struct err *err)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(doc, "hooks"), CDI_HOOKS), i, e) {
		const char *path = json_string_value(json_object_get(e, "path"));
		const json_t *args = json_object_get(e, "args");
		const char *name = json_string_value(json_array_get(args, 1));
		const char *token = json_string_value(json_array_get(args, 2));

		if (path == NULL || !str_eq(path, CDI_HOOK))
			continue;
		if (take(c,
			 name != NULL ? name : "",
			 token != NULL ? CLAIM_BY_KUBERNETES : CLAIM_BY_CDI,
			 token,
			 "CDI device",
			 err)
		    < 0)
			return -err->code;
	}
	return 0;
}

int claim_read(const json_t *doc, struct claim *ret, struct err *err)
{
	struct claim c = {0};

	// first what says most about who asks
	if (refuse_mounts(doc, err) < 0 || read_devices(doc, &c, err) < 0
	    || read_annotations(doc, &c, err) < 0 || read_environment(doc, &c, err) < 0)
		return -err->code;
	*ret = c;
	return 0;
}

int claim_check(
	const struct claim *c, const struct ledger *l, const struct grant *g, struct err *err
)
{
	char token[TOKEN_STR];

	if (g->owner_uid != 0)
		return err_set(err, EPERM, "grant '%s' belongs to user %u", g->name, g->owner_uid);
	if ((g->claim_by & c->way) == 0)
		return err_set(
			err,
			EPERM,
			"grant '%s' is not made to be claimed by %s: pinfold grant create "
			"--claim-by=%s",
			g->name,
			c->where,
			c->way == CLAIM_BY_CDI		? "cdi"
			: c->way == CLAIM_BY_KUBERNETES ? "kubernetes"
			: c->way == CLAIM_BY_ENV	? "env"
							: "annotation"
		);
	if (c->way != CLAIM_BY_KUBERNETES)
		return 0;
	if (token_read(l, g->name, token, err) < 0)
		return -err->code;
	if (c->token == NULL || !token_equal(c->token, token))
		return err_set(
			err,
			EPERM,
			"grant '%s': %s comes without the token that pinfold-device-plugin gives "
			"kubelet; if kubelet chose it, make the pod anew",
			g->name,
			c->where
		);
	return 0;
}
