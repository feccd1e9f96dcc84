// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Rows, as experiments fill them; result_json.c writes and reads them.

#include "bench/result.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/need.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

const char *claim_name(enum claim_verdict v)
{
	static const char *const names[CLAIM_END] = {
		[CLAIM_NONE] = "",
		[CLAIM_HOLDS] = "holds today",
		[CLAIM_FAILS] = "does not",
		[CLAIM_INCONCLUSIVE] = "inconclusive",
		[CLAIM_CANNOT] = "cannot be measured here",
	};

	return names[v];
}

static void row_free(struct row *row)
{
	free(row->name);
	free(row->env);
	free(row->figure);
	free(row->unit);
	free(row->samples);
	free(row->of_unit);
	free(row->text);
	free(row->reason);
	free(row->repeated_why);
	free(row->paper_words);
	free(row);
}

void result_done(struct result *r)
{
	for (unsigned i = 0; i < r->n; i++)
		row_free(r->rows[i]);
	free(r->rows);
	free(r->experiment);
	free(r->title);
	free(r->figure);
	free(r->about);
	free(r->dropped);
	free(r->failed);
	*r = (struct result){0};
}

static struct row *add(struct result *r, const char *name, const char *env, enum row_kind kind)
{
	struct row *row = need(calloc(1, sizeof(*row)));

	*row = (struct row){
		.kind = kind,
		.name = need(strdup(name)),
		.env = need(strdup(env)),
		.figure = need(strdup(r->figure != NULL ? r->figure : "")),
		.unit = need(strdup("")),
		.paper = NAN,
		.value = {NAN, NAN, NAN, 0},
		.difference = {NAN, NAN, NAN, 0},
	};
	r->rows = need(reallocarray(r->rows, r->n + 1, sizeof(*r->rows)));
	r->rows[r->n++] = row;
	return row;
}

static struct row *add_of(
	struct result *r, const char *name, const struct environment *env, enum row_kind kind
)
{
	struct row *row = add(r, name, env != NULL ? env->name : "", kind);

	row->emulated = env != NULL && env->emulated;
	return row;
}

struct row *result_measured(
	struct result *r, const char *name, const struct environment *env, const char *unit
)
{
	struct row *row = add_of(r, name, env, ROW_MEASURED);

	free(row->unit);
	row->unit = need(strdup(unit));
	return row;
}

struct row *result_fact(struct result *r, const char *name, const struct environment *env)
{
	return add_of(r, name, env, ROW_FACT);
}

// New text in place of the old.
static void set_text(char **where, const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	need(text);
	free(*where);
	*where = text;
}

struct row *result_missing(
	struct result *r, const char *name, const struct environment *env, const char *why, ...
)
{
	struct row *row = add_of(r, name, env, ROW_MISSING);
	va_list ap;

	va_start(ap, why);
	set_text(&row->reason, why, ap);
	va_end(ap);
	return row;
}

void row_sample(struct row *row, double value)
{
	row->samples = need(reallocarray(row->samples, row->n + 1, sizeof(*row->samples)));
	row->samples[row->n++] = value;
}

void row_exact(struct row *row, double value)
{
	row->exact = true;
	row_sample(row, value);
}

void row_text(struct row *row, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(&row->text, fmt, ap);
	va_end(ap);
}

void row_invalid(struct row *row, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(&row->reason, fmt, ap);
	va_end(ap);
	row->invalid = true;
}

void row_figure(struct row *row, const char *figure)
{
	free(row->figure);
	row->figure = need(strdup(figure));
}

void row_alone(struct row *row)
{
	row->alone = true;
}

void row_doubt(struct row *row, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_text(&row->text, fmt, ap);
	va_end(ap);
	if (row->kind == ROW_RATIO)
		row->verdict = VERDICT_INCONCLUSIVE;
}

void row_paper(struct row *row, double value, const char *fmt, ...)
{
	va_list ap;

	row->paper = value;
	va_start(ap, fmt);
	set_text(&row->paper_words, fmt, ap);
	va_end(ap);
}

// ---- what follows from the samples

// A row without figures says why where it has not said so.
static void because(struct row *row, const char *fmt, ...) printf_like(2, 3);

static void because(struct row *row, const char *fmt, ...)
{
	va_list ap;

	if (row->reason != NULL)
		return;
	va_start(ap, fmt);
	set_text(&row->reason, fmt, ap);
	va_end(ap);
}

double row_between(const struct row *row)
{
	if (row->kind != ROW_MEASURED || row->exact)
		return 0;
	return str_eq(row->unit, "MiB") ? RESULT_BETWEEN_MEMORY : RESULT_BETWEEN;
}

void row_settle(struct row *row)
{
	if (row->kind != ROW_MEASURED)
		return;
	row->value = stats_median(row->samples, row->n);
	if (row->alone)
		row->value.low = row->value.high = NAN;
	else if (row->exact)
		row->value.low = row->value.high = row->value.mid;
	else
		row->value = stats_widen(row->value, row_between(row));
	if (row->value.n == 0) {
		row->invalid = true;
		because(row, row->n > 0 ? "no trial gave a figure" : "no trial was made");
	}
}

void result_settle(struct result *r)
{
	for (unsigned i = 0; i < r->n; i++)
		row_settle(r->rows[i]);
}

// Why there can be no ratio of the two; NULL: there can. buf holds it.
static const char *apart(const struct row *a, const struct row *b, char *buf, size_t len)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct row *one = i == 0 ? a : b;

		if (one->kind == ROW_MISSING || one->invalid) {
			// a reason may begin with who says it
			if (str_starts(one->reason, one->env))
				snprintf(buf, len, "%s", one->reason);
			else
				snprintf(buf, len, "%s: %s", one->env, one->reason);
			return buf;
		}
	}
	if (a->emulated != b->emulated) {
		snprintf(
			buf,
			len,
			"the CPU of '%s' is emulated here (TCG): its figures prove function, not "
			"speed, and are not "
			"compared with others",
			a->emulated ? a->env : b->env
		);
		return buf;
	}
	return NULL;
}

// How far the same lay apart, as a share.
static double width(const struct row *again)
{
	double low = 1 - again->value.low, high = again->value.high - 1;

	return isfinite(low) && isfinite(high) ? fmax(low, high) : 0;
}

// What cannot be told apart when the same is measured twice, in the unit that a ratio is of, as a share.
static double told_apart(const struct result *r, const char *unit)
{
	const char *name = str_eq(unit, "ms") ? RESULT_AGAIN_START : RESULT_AGAIN_SPEED;
	const struct row *again =
		r->machine != NULL ? result_find(r->machine, name, RESULT_AGAIN) : NULL;
	double most = again != NULL && again->kind == ROW_RATIO ? width(again) : 0;

	for (unsigned i = 0; i < r->n; i++) {
		again = r->rows[i];
		if (again->kind == ROW_RATIO && str_starts(again->env, RESULT_TWICE "/")
		    && str_eq(again->of_unit, unit))
			most = fmax(most, width(again));
	}
	return most;
}

static void limit(const struct result *r, struct row *row)
{
	double least = told_apart(r, row->of_unit), by = fabs(log(row->value.mid));

	if (row->verdict == VERDICT_DIFFERENT && by < log(1 + least)
	    && !str_starts(row->env, RESULT_TWICE "/"))
		row_doubt(
			row,
			"less than this machine can tell apart: the same, measured twice, differs "
			"by up to %.1f %%",
			100 * least
		);
}

static void ratio_of_pairs(struct row *row, const struct row *a, const struct row *b)
{
	unsigned n = a->n < b->n ? a->n : b->n;
	struct comparison c = stats_pairs(a->samples, b->samples, n);

	for (unsigned i = 0; i < n; i++)
		row_sample(row, a->samples[i] / b->samples[i]);
	row->value = c.ratio;
	row->difference = c.difference;
	row->verdict = c.verdict;
}

// Sizes and counts: either equal or not.
static void ratio_exact(struct row *row, const struct row *a, const struct row *b)
{
	double x = a->value.mid, y = b->value.mid, ratio = x == y ? 1 : x / y;

	row->exact = true;
	row_sample(row, ratio);
	row->value = (struct interval){.mid = ratio, .low = ratio, .high = ratio, .n = 1};
	row->difference = (struct interval){.mid = x - y, .low = x - y, .high = x - y, .n = 1};
	row->verdict = x == y ? VERDICT_SAME : VERDICT_DIFFERENT;
}

// Why pairs have none.
static const char *no_ratio(const struct row *a, const struct row *b)
{
	for (unsigned i = 0; i < a->n && i < b->n; i++) {
		if (isfinite(a->samples[i]) && isfinite(b->samples[i]))
			return "a value of 0 has no ratio to another";
	}
	return "no round has a valid trial of both";
}

struct row *result_ratio(
	struct result *r, const char *name, const struct row *a, const struct row *b
)
{
	_cleanup_free_ char *env = need(str_printf("%s/%s", a->env, b->env));
	char buf[640];
	const char *why;
	struct row *row;

	row_settle((struct row *)a);
	row_settle((struct row *)b);
	why = apart(a, b, buf, sizeof(buf));
	row = add(r, name != NULL ? name : a->name, env, why != NULL ? ROW_MISSING : ROW_RATIO);
	row->less = a->less;
	row->of_unit = need(strdup(b->unit));
	row->repeated = a->repeated + b->repeated;
	if (a->repeated_why != NULL || b->repeated_why != NULL)
		row->repeated_why = need(strdup(a->repeated_why ?: b->repeated_why));
	row_figure(row, a->figure);
	if (why != NULL) {
		row->reason = need(strdup(why));
		return row;
	}
	row->emulated = a->emulated;
	if (a->exact && b->exact)
		ratio_exact(row, a, b);
	else
		ratio_of_pairs(row, a, b);
	if (!isfinite(row->value.mid)) {
		row->kind = ROW_MISSING;
		because(row, "%s", no_ratio(a, b));
	} else if (!row->exact) {
		limit(r, row);
	}
	return row;
}

// A statement about a ratio to 1 says the same as the ratio's verdict.
static enum claim_verdict claim_of_verdict(const struct row *row, enum claim_kind kind)
{
	bool about = kind == CLAIM_ABOUT, less = row->value.mid < 1;

	switch (row->verdict) {
	case VERDICT_SAME:
		return about ? CLAIM_HOLDS : CLAIM_FAILS;
	case VERDICT_DIFFERENT:
		// different, and by how much is not said
		if (about)
			return row->value.high < 1 - STATS_SAME || row->value.low > 1 + STATS_SAME
				       ? CLAIM_FAILS
				       : CLAIM_INCONCLUSIVE;
		return less == (kind == CLAIM_BELOW) ? CLAIM_HOLDS : CLAIM_FAILS;
	default:
		return CLAIM_INCONCLUSIVE;
	}
}

void row_claim(struct row *row, enum claim_kind kind, double bound)
{
	double low = kind == CLAIM_ABOUT ? bound * (1 - STATS_SAME) : bound;
	double high = kind == CLAIM_ABOUT ? bound * (1 + STATS_SAME) : bound;
	const struct interval *v = &row->value;
	bool below, above;

	row_settle(row);
	if (row->kind == ROW_MISSING || row->invalid || !isfinite(v->mid)) {
		because(row, "it has no figure");
		row->claim = CLAIM_CANNOT;
		return;
	}
	if (!isfinite(v->low) || !isfinite(v->high)) {
		row->claim = CLAIM_INCONCLUSIVE;
		return;
	}
	if (row->kind == ROW_RATIO && bound == 1) {
		row->claim = claim_of_verdict(row, kind);
		return;
	}
	below = v->high < low;
	above = v->low > high;
	switch (kind) {
	case CLAIM_BELOW:
		row->claim = below ? CLAIM_HOLDS : above ? CLAIM_FAILS : CLAIM_INCONCLUSIVE;
		break;
	case CLAIM_ABOVE:
		row->claim = above ? CLAIM_HOLDS : below ? CLAIM_FAILS : CLAIM_INCONCLUSIVE;
		break;
	case CLAIM_ABOUT:
		row->claim = below || above			? CLAIM_FAILS
			     : v->low >= low && v->high <= high ? CLAIM_HOLDS
								: CLAIM_INCONCLUSIVE;
		break;
	}
}

void row_claim_is(struct row *row, enum claim_verdict verdict)
{
	row->claim = verdict;
}

struct row *result_find(const struct result *r, const char *name, const char *env)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (str_eq(r->rows[i]->name, name) && str_eq(r->rows[i]->env, env))
			return r->rows[i];
	}
	return NULL;
}
