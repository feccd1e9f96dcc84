// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/compare_runs.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <errno.h>
#include <math.h>
#include <string.h>

const char *change_name(enum change c)
{
	static const char *const names[CHANGE_END] = {
		[CHANGE_SAME] = "same",
		[CHANGE_BETTER] = "better",
		[CHANGE_WORSE] = "worse",
		[CHANGE_WORDS] = "changed",
		[CHANGE_INCONCLUSIVE] = "inconclusive",
		[CHANGE_ONLY_A] = "only in A",
		[CHANGE_ONLY_B] = "only in B",
	};

	return names[c];
}

// It has a figure or words.
static bool has(const struct row *row)
{
	return row != NULL && row->kind != ROW_MISSING && !row->invalid
	       && (row->kind == ROW_FACT || isfinite(row->value.mid));
}

static enum change direction(const struct row *row, double ratio)
{
	return (ratio > 1) == row->less ? CHANGE_WORSE : CHANGE_BETTER;
}

static void figures(struct compared *c)
{
	const struct row *a = c->a, *b = c->b;

	if (a->exact && b->exact) {
		double ratio = a->value.mid == b->value.mid ? 1 : b->value.mid / a->value.mid;

		c->ratio = (struct interval){.mid = ratio, .low = ratio, .high = ratio, .n = 1};
	} else {
		c->ratio = stats_apart(b->samples, b->n, a->samples, a->n);
	}
	switch (stats_verdict(&c->ratio)) {
	case VERDICT_SAME:
		c->change = CHANGE_SAME;
		break;
	case VERDICT_DIFFERENT:
		c->change = direction(a, c->ratio.mid);
		break;
	default:
		c->change = CHANGE_INCONCLUSIVE;
	}
}

static void judge(struct compared *c)
{
	c->ratio = (struct interval){.mid = NAN, .low = NAN, .high = NAN};
	if (!has(c->a) || !has(c->b))
		c->change = has(c->a) ? CHANGE_ONLY_A : CHANGE_ONLY_B;
	else if (c->a->kind == ROW_FACT || c->b->kind == ROW_FACT)
		c->change = c->a->kind == c->b->kind && str_eq(c->a->text ?: "", c->b->text ?: "")
				    ? CHANGE_SAME
				    : CHANGE_WORDS;
	else if (c->a->emulated != c->b->emulated)
		c->change = CHANGE_INCONCLUSIVE;
	else
		figures(c);
}

struct found {
	struct compared *of;
	unsigned n;
};

static void add(struct found *f, const char *experiment, const struct row *a, const struct row *b)
{
	if (!has(a) && !has(b))
		return;
	f->of = need(reallocarray(f->of, f->n + 1, sizeof(*f->of)));
	f->of[f->n] = (struct compared){.experiment = experiment, .a = a, .b = b};
	judge(&f->of[f->n++]);
}

static const struct row *twin(
	const struct results *all, const char *experiment, const struct row *row
)
{
	const struct result *r = results_find(all, experiment);

	return r != NULL ? result_find(r, row->name, row->env) : NULL;
}

unsigned results_compare(const struct results *a, const struct results *b, struct compared **ret)
{
	struct found f = {0};

	for (unsigned e = 0; e < a->n; e++) {
		const struct result *r = &a->of[e];

		for (unsigned i = 0; i < r->n; i++)
			add(&f, r->experiment, r->rows[i], twin(b, r->experiment, r->rows[i]));
	}
	for (unsigned e = 0; e < b->n; e++) {
		const struct result *r = &b->of[e];

		for (unsigned i = 0; i < r->n; i++) {
			if (twin(a, r->experiment, r->rows[i]) == NULL)
				add(&f, r->experiment, NULL, r->rows[i]);
		}
	}
	*ret = f.of;
	return f.n;
}

int fail_on_parse(const char *text, struct fail_on *ret, struct err *err)
{
	_cleanup_free_ char *copy = need(strdup(text));
	struct fail_on f = {0};

	str_foreach (w, copy, ",") {
		char *end = NULL;

		if (str_eq(w, "worse")) {
			f.worse = true;
		} else if (str_starts(w, "worse=")) {
			f.worse = true;
			f.percent = strtod(w + strlen("worse="), &end);
			if (end == w + strlen("worse=") || *end != '\0' || !(f.percent >= 0)
			    || f.percent > 1e6)
				return err_set(
					err,
					EINVAL,
					"--fail-on '%s': a number of percent is wanted",
					w
				);
		} else if (str_eq(w, "changed")) {
			f.changed = true;
		} else if (str_eq(w, "missing")) {
			f.missing = true;
		} else {
			return err_set(
				err,
				EINVAL,
				"--fail-on '%s': say worse, worse=PERCENT, changed or missing",
				w
			);
		}
	}
	if (!f.worse && !f.changed && !f.missing)
		return err_set(
			err, EINVAL, "--fail-on: say worse, worse=PERCENT, changed or missing"
		);
	*ret = f;
	return 0;
}

bool fail_on_matches(const struct fail_on *f, const struct compared *c)
{
	double by = f->percent / 100;

	switch (c->change) {
	case CHANGE_WORSE:
		return f->worse
		       && (c->a->less ? c->ratio.low > 1 + by : c->ratio.high < 1 / (1 + by));
	case CHANGE_WORDS:
		return f->changed;
	case CHANGE_ONLY_A:
		return f->missing;
	default:
		return false;
	}
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *side(const struct row *row)
{
	if (!has(row))
		return json_null();
	return row->kind == ROW_FACT ? json_string(row->text ?: "") : number(row->value.mid);
}

json_t *compared_to_json(const struct compared *c)
{
	const struct row *any = c->a != NULL ? c->a : c->b;

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s}",
		"experiment",
		c->experiment,
		"name",
		any->name,
		"environment",
		any->env,
		"unit",
		any->unit,
		"a",
		side(c->a),
		"b",
		side(c->b),
		"ratio",
		number(c->ratio.mid),
		"low",
		number(c->ratio.low),
		"high",
		number(c->ratio.high),
		"change",
		change_name(c->change)
	);
}
