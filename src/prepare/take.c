// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "prepare/prepare.h"

#include "base/debug.h"
#include "base/jread.h"
#include "base/scope.h"
#include "prepare/step.h"

static void add_failure(json_t *list, const struct prepare_step *s, const struct err *why)
{
	json_array_append_new(
		list,
		json_pack(
			"{s:s, s:s}",
			"name",
			s->name[0] != '\0' ? s->name : s->path,
			"why",
			why->msg
		)
	);
}

// Backwards. Those that fail are added to `failed` and stay in `left`.
static unsigned undo_all(const json_t *steps, json_t *failed, json_t *left)
{
	unsigned n = 0;

	for (size_t i = json_array_size(steps); i-- > 0;) {
		json_t *j = json_array_get(steps, i);
		int64_t begun = debug_time();
		struct prepare_step s = {.kind = "", .path = "", .name = ""};
		struct err why;
		int r = prepare_step_read(j, &s, &why);

		if (r == 0)
			r = prepare_step_undo(&s, &why);
		debug_step(begun, "undo", s.kind, s.path, r, &why);
		n += r == 0;
		if (r == 0)
			continue;
		add_failure(failed, &s, &why);
		json_array_insert(left, 0, j);
	}
	return n;
}

int prepare_take(const struct ledger *l, const json_t *steps, json_t *unmovable, struct err *err)
{
	_cleanup_json_ json_t *noted = NULL, *all = NULL, *taken = json_array();
	const json_t *j;
	size_t i;
	int r = 0;

	if (prepared_read(l, &noted, err) < 0)
		return -err->code;
	all = prepared_with(noted, steps);
	if (prepared_write(l, all, err) < 0)
		return -err->code;
	json_array_foreach ((json_t *)steps, i, j) {
		int64_t begun = debug_time();
		struct prepare_step s = {.kind = "", .path = "", .name = ""};

		r = prepare_step_read(j, &s, err);
		if (r == 0)
			r = prepare_step_do(&s, err);
		debug_step(begun, "prepare", s.kind, s.path, r, err);
		if (r < 0 && !prepare_step_may_fail(&s)) {
			json_array_append(taken, (json_t *)j); // half of it may be
			break;
		}
		if (r < 0)
			add_failure(unmovable, &s, err);
		else
			json_array_append(taken, (json_t *)j);
		r = 0;
	}
	json_decref(all);
	if (r < 0) {
		_cleanup_json_ json_t *failed = json_array(), *left = json_array();
		struct err unused;

		undo_all(taken, failed, left);
		all = prepared_with(noted, left);
		prepared_write(l, all, &unused);
		return r;
	}
	all = prepared_with(noted, taken);
	return prepared_write(l, all, err);
}

int prepare_undo(const struct ledger *l, json_t *failed, unsigned *ret, struct err *err)
{
	_cleanup_json_ json_t *noted = NULL, *left = json_array();

	if (prepared_read(l, &noted, err) < 0)
		return -err->code;
	*ret = undo_all(noted, failed, left);
	return prepared_write(l, left, err);
}
