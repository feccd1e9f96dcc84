// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Grants as devices of CDI (Container Device Interface, tags.cncf.io/container-device-interface, SPEC.md). A device
// is a hook, for which neither images nor those who start containers have words; it cannot be run. pinfold-runtime
// takes it as the grant's name, and with any other runtime the container does not start.

#include "engine/engine.h"

#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#define VERSION_HOOKS "0.3.0"
#define VERSION_DIGITS "0.5.0" // names of devices may begin with a digit

// token: of a device that kubelet hands out, which nobody else can name; NULL: of one that is named by its grant.
static int add_device(json_t *devices, const char *grant, const char *token, struct err *err)
{
	json_t *hook = json_pack(
		"{s:s, s:s, s:[s, s, s*]}",
		"hookName",
		CDI_HOOKS,
		"path",
		CDI_HOOK,
		"args",
		"pinfold-runtime",
		grant,
		token
	);
	json_t *name = token != NULL ? json_sprintf("%s:%s", grant, token) : json_string(grant);
	json_t *device =
		json_pack("{s:o, s:{s:[o]}}", "name", name, "containerEdits", "hooks", hook);

	return json_array_append_new(devices, device) < 0 ? err_oom(err) : 0;
}

struct listing {
	const struct ledger *ledger;
	json_t *devices;
};

// Of its pattern for names of devices; one that does not match makes all of a file invalid.
bool cdi_can_name(const char *grant)
{
	size_t n = strlen(grant);

	return n > 0 && isalnum((unsigned char)grant[0]) && isalnum((unsigned char)grant[n - 1]);
}

static int add_grant(const struct grant *g, void *arg, struct err *err)
{
	const struct listing *list = arg;
	char token[TOKEN_STR];

	if ((g->claim_by & CLAIM_BY_CDI) != 0 && cdi_can_name(g->name)
	    && add_device(list->devices, g->name, NULL, err) < 0)
		return -err->code;
	if ((g->claim_by & CLAIM_BY_KUBERNETES) == 0)
		return 0;
	if (token_make(list->ledger, g->name, token, err) < 0)
		return -err->code;
	return add_device(list->devices, g->name, token, err);
}

static bool begins_with_digit(const json_t *devices)
{
	const json_t *e;
	size_t i;

	json_array_foreach ((json_t *)devices, i, e) {
		const char *name = json_string_value(json_object_get(e, "name"));

		if (name != NULL && strchr("0123456789", name[0]) != NULL)
			return true;
	}
	return false;
}

int cdi_document(const struct ledger *l, json_t **ret, struct err *err)
{
	_cleanup_json_ json_t *devices = json_array();
	struct listing list = {.ledger = l, .devices = devices};

	if (definition_each(l, add_grant, &list, err) < 0)
		return -err->code;
	// a document without devices is none
	*ret = json_array_size(devices) == 0
		       ? json_null()
		       : json_pack(
			       "{s:s, s:s, s:O}",
			       "cdiVersion",
			       begins_with_digit(devices) ? VERSION_DIGITS : VERSION_HOOKS,
			       "kind",
			       CDI_KIND,
			       "devices",
			       devices
		       );
	return *ret != NULL ? 0 : err_oom(err);
}

int cdi_refresh(const struct ledger *l, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;

	if (cdi_document(l, &doc, err) < 0)
		return -err->code;
	if (json_is_null(doc) && access(CDI_FILE, F_OK) < 0)
		return 0;
	text = json_is_null(doc) ? strdup("") : jdoc_print_lines(doc);
	return text != NULL ? engine_write(CDI_FILE, "", text, CDI_MODE, err) : err_oom(err);
}
