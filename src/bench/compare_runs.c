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

// Whether what is compared is worse in B by its sign.
static enum change direction(const struct compared *c)
{
	if (c->a->neutral || c->b->neutral)
		return CHANGE_WORDS;
	return (c->difference.mid > 0) == c->a->less ? CHANGE_WORSE : CHANGE_BETTER;
}

static enum verdict exact(struct compared *c)
{
	double a = c->a->value.mid, b = c->b->value.mid, ratio = a == b ? 1 : b / a;

	if (isfinite(ratio))
		c->ratio = (struct interval){.mid = ratio, .low = ratio, .high = ratio, .n = 1};
	c->difference = (struct interval){.mid = b - a, .low = b - a, .high = b - a, .n = 1};
	return a == b ? VERDICT_SAME : VERDICT_DIFFERENT;
}

static enum verdict figures(struct compared *c)
{
	const struct row *a = c->a, *b = c->b;
	struct comparison found;

	if (a->exact && b->exact)
		return exact(c);
	found = stats_apart(
		b->samples, b->n, a->samples, a->n, fmax(row_between(a), row_between(b))
	);
	c->ratio = found.ratio;
	c->difference = found.difference;
	return found.verdict;
}

static enum change change_of(const struct compared *c, enum verdict v)
{
	return v == VERDICT_SAME	? CHANGE_SAME
	       : v == VERDICT_DIFFERENT ? direction(c)
					: CHANGE_INCONCLUSIVE;
}

static bool same_unit(const struct compared *c)
{
	return str_eq(c->a->unit ?: "", c->b->unit ?: "");
}

// Figures of another unit, as another version of pinfold may have, are no more than other words.
static bool is_words(const struct compared *c)
{
	return c->a->kind == ROW_FACT || c->b->kind == ROW_FACT || !same_unit(c);
}

static bool same_words(const struct compared *c)
{
	return c->a->kind == c->b->kind && same_unit(c)
	       && str_eq(c->a->text ?: "", c->b->text ?: "");
}

// Whether the two lie as near as their own intervals let them: of a measurement that is repeated 95 % do.
static void agreement(struct compared *c)
{
	const struct interval *a = &c->a->value, *b = &c->b->value;
	double by = b->mid - a->mid, own, other;

	if (is_words(c)) {
		c->told = true;
		c->agree = same_words(c);
		return;
	}
	c->told = isfinite(a->low) && isfinite(a->high) && isfinite(b->low) && isfinite(b->high);
	own = by > 0 ? a->high - a->mid : a->mid - a->low;
	other = by > 0 ? b->mid - b->low : b->high - b->mid;
	c->agree = c->told && fabs(by) <= hypot(own, other);
}

static void judge(struct compared *c)
{
	const struct interval none = {.mid = NAN, .low = NAN, .high = NAN};
	bool alone;

	c->ratio = c->difference = none;
	if (!has(c->a) || !has(c->b)) {
		c->change = has(c->a) ? CHANGE_ONLY_A : CHANGE_ONLY_B;
		return;
	}
	alone = c->a->alone || c->b->alone;
	if (is_words(c))
		c->change = same_words(c) ? CHANGE_SAME : CHANGE_WORDS;
	else if (c->a->emulated != c->b->emulated)
		c->change = CHANGE_INCONCLUSIVE;
	else
		c->change = change_of(c, figures(c));
	if (alone && c->change != CHANGE_SAME)
		c->change = CHANGE_INCONCLUSIVE;
	if (!alone && c->a->emulated == c->b->emulated)
		agreement(c);
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

static int read_percent(const char *word, const char *text, double *ret, struct err *err)
{
	char *end = NULL;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0) || v > 1e6)
		return err_set(err, EINVAL, "--fail-on '%s': a number of percent is wanted", word);
	*ret = v;
	return 0;
}

// "WHAT" or "WHAT=PERCENT". 0: it is another word.
static int with_percent(
	const char *word, const char *what, bool *ret, double *ret_percent, struct err *err
)
{
	size_t n = strlen(what);

	if (!str_starts(word, what) || (word[n] != '\0' && word[n] != '='))
		return 0;
	*ret = true;
	*ret_percent = 0;
	return word[n] == '=' && read_percent(word, word + n + 1, ret_percent, err) < 0 ? -err->code
											: 1;
}

int fail_on_parse(const char *text, struct fail_on *ret, struct err *err)
{
	_cleanup_free_ char *copy = need(strdup(text));
	struct fail_on f = *ret;
	unsigned words = 0;

	str_foreach (w, copy, ",") {
		int r = with_percent(w, "worse", &f.worse, &f.percent, err);

		words++;
		if (r == 0)
			r = with_percent(w, "values", &f.values, &f.values_percent, err);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (str_eq(w, "changed"))
			f.changed = true;
		else if (str_eq(w, "missing"))
			f.missing = true;
		else
			return err_set(
				err,
				EINVAL,
				"--fail-on '%s': say worse, values (either with =PERCENT), changed "
				"or missing",
				w
			);
	}
	if (words == 0)
		return err_set(
			err, EINVAL, "--fail-on: say worse, values, changed or missing, or several"
		);
	*ret = f;
	return 0;
}

// Worse by more than that share, with 95 %. More than nothing is more than any share of it.
static bool worse_by(const struct compared *c, double share)
{
	bool less = c->a->less;

	if (isfinite(c->ratio.mid))
		return less ? c->ratio.low > 1 + share : c->ratio.high < 1 / (1 + share);
	share *= fabs(c->a->value.mid);
	return less ? c->difference.low > share : c->difference.high < -share;
}

bool fail_on_matches(const struct fail_on *f, const struct compared *c)
{
	bool value = c->a != NULL && c->a->kind == ROW_MEASURED && !c->a->exact;

	switch (c->change) {
	case CHANGE_WORSE:
		return (value ? f->values : f->worse)
		       && worse_by(c, (value ? f->values_percent : f->percent) / 100);
	case CHANGE_WORDS:
		return f->changed;
	case CHANGE_ONLY_A:
		return f->missing;
	default:
		return false;
	}
}

unsigned results_remarks(
	const struct results *a, const struct results *b, char *ret[COMPARE_REMARKS]
)
{
	unsigned n = 0;

	if (a->size != b->size)
		ret[n++] = need(str_printf(
			"A is a %s run and B a %s one: their trials are not the same",
			bench_size_name(a->size),
			bench_size_name(b->size)
		));
	for (const char *const *key = results_machine_keys; *key != NULL && n < COMPARE_REMARKS;
	     key++) {
		const char *x = json_string_value(json_object_get(a->provenance, *key)) ?: "";
		const char *y = json_string_value(json_object_get(b->provenance, *key)) ?: "";

		if (!str_eq(x, y))
			ret[n++] = need(str_printf(
				"the set-ups differ: %s: '%.200s' of A, '%.200s' of B", *key, x, y
			));
	}
	return n;
}

unsigned compared_agree(const struct compared *c, unsigned n, unsigned *ret_of)
{
	unsigned agree = 0;

	*ret_of = 0;
	for (unsigned i = 0; i < n; i++) {
		*ret_of += c[i].told;
		agree += c[i].agree;
	}
	return agree;
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

static json_t *row_to_json(const struct compared *c)
{
	const struct row *any = c->a != NULL ? c->a : c->b;

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o}",
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
		"difference",
		number(c->difference.mid),
		"change",
		change_name(c->change),
		"agrees",
		c->told ? json_boolean(c->agree) : json_null()
	);
}

json_t *compared_to_json(
	const struct results *a, const struct results *b, const struct compared *c, unsigned n
)
{
	json_t *notes = need(json_array()), *rows = need(json_array());
	char *remarks[COMPARE_REMARKS];
	unsigned nremarks = results_remarks(a, b, remarks), agree, of;

	for (unsigned i = 0; i < nremarks; i++) {
		json_array_append_new(notes, json_string(remarks[i]));
		free(remarks[i]);
	}
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(rows, need(row_to_json(&c[i])));
	agree = compared_agree(c, n, &of);
	return need(json_pack(
		"{s:i, s:i, s:o, s:o}",
		"agree",
		(int)agree,
		"of",
		(int)of,
		"notes",
		notes,
		"rows",
		rows
	));
}
