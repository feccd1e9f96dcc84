// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/result.h"

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char *const kinds[ROW_KINDS] = {"measured", "ratio", "fact", "missing"};

// Six digits: more than anything here is measured with.
static json_t *number(double v)
{
	char text[32];

	if (!isfinite(v))
		return json_null();
	snprintf(text, sizeof(text), "%.6g", v);
	v = strtod(text, NULL);
	return fabs(v) < 1e15 && v == rint(v) ? json_integer((json_int_t)v) : json_real(v);
}

static double number_of(const json_t *v)
{
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static json_t *interval_to_json(const struct interval *v)
{
	return json_pack(
		"{s:o, s:o, s:o, s:i}",
		"value",
		number(v->mid),
		"low",
		number(v->low),
		"high",
		number(v->high),
		"n",
		(int)v->n
	);
}

static void set_words(json_t *row, const char *key, const char *words)
{
	if (words != NULL && *words != '\0')
		json_object_set_new(row, key, json_string(words));
}

static void set_flag(json_t *row, const char *key, bool value)
{
	if (value)
		json_object_set_new(row, key, json_true());
}

static json_t *row_to_json(const struct row *r)
{
	json_t *row = need(json_object());

	json_object_set_new(row, "kind", json_string(kinds[r->kind]));
	json_object_set_new(row, "name", json_string(r->name));
	set_words(row, "environment", r->env);
	set_words(row, "figure", r->figure);
	set_words(row, "unit", r->unit);
	set_flag(row, "emulated", r->emulated);
	set_flag(row, "exact", r->exact);
	set_flag(row, "less-is-better", r->less);
	set_flag(row, "neither-is-better", r->neutral);
	set_flag(row, "of-this-run", r->alone);
	if (r->n > 0) {
		json_t *samples = need(json_array());

		for (unsigned i = 0; i < r->n; i++)
			json_array_append_new(samples, number(r->samples[i]));
		json_object_set_new(row, "samples", samples);
		json_object_set_new(row, "interval", interval_to_json(&r->value));
	}
	if (r->kind == ROW_RATIO) {
		json_object_set_new(row, "difference", interval_to_json(&r->difference));
		set_words(row, "of-unit", r->of_unit);
	}
	set_words(row, "verdict", verdict_name(r->verdict));
	set_words(row, "text", r->text);
	set_flag(row, "invalid", r->invalid);
	set_words(row, "reason", r->reason);
	if (r->repeated > 0)
		json_object_set_new(row, "repeated", json_integer(r->repeated));
	set_words(row, "repeated-because", r->repeated_why);
	if (r->paper_words != NULL) {
		json_t *paper = need(json_object());

		if (isfinite(r->paper))
			json_object_set_new(paper, "value", number(r->paper));
		set_words(paper, "words", r->paper_words);
		json_object_set_new(row, "paper", paper);
	}
	set_words(row, "claim", claim_name(r->claim));
	return row;
}

json_t *result_to_json(const struct result *r)
{
	json_t *doc = need(json_object()), *rows = need(json_array());

	json_object_set_new(doc, "experiment", json_string(r->experiment));
	json_object_set_new(doc, "title", json_string(r->title));
	set_words(doc, "figure", r->figure);
	set_words(doc, "about", r->about);
	json_object_set_new(doc, "complete", json_boolean(r->complete));
	json_object_set_new(doc, "seconds", number(r->seconds));
	set_words(doc, "dropped", r->dropped);
	set_words(doc, "failed", r->failed);
	for (unsigned i = 0; i < r->n; i++)
		json_array_append_new(rows, row_to_json(r->rows[i]));
	json_object_set_new(doc, "rows", rows);
	return doc;
}

// ---- reading

static int words_of(const json_t *o, const char *what, const char *key, char **ret, struct err *err)
{
	const char *s = NULL;

	if (jread_str(o, what, key, false, &s, err) < 0)
		return -err->code;
	if (s != NULL)
		*ret = need(strdup(s));
	return 0;
}

// The word's place in the list; 0 where nothing is said.
static int read_word(
	const json_t *o,
	const char *what,
	const char *key,
	const char *(*name)(unsigned),
	unsigned n,
	unsigned *ret,
	struct err *err
)
{
	const char *word = NULL;

	if (jread_str(o, what, key, false, &word, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < n; i++) {
		if (str_eq(name(i), word ?: "")) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, EINVAL, "%s: '%s' is no word for '%s'", what, word, key);
}

static const char *claim_at(unsigned i)
{
	return claim_name(i);
}

static const char *verdict_at(unsigned i)
{
	return verdict_name(i);
}

static int read_kind(const json_t *o, const char *what, enum row_kind *ret, struct err *err)
{
	const char *word = NULL;

	if (jread_str(o, what, "kind", true, &word, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < ROW_KINDS; i++) {
		if (str_eq(kinds[i], word)) {
			*ret = i;
			return 0;
		}
	}
	return err_set(err, EINVAL, "%s: there is no kind of row '%s'", what, word);
}

static int read_words(const json_t *o, const char *what, struct row *row, struct err *err)
{
	const struct {
		const char *key;
		char **where;
	} words[] = {
		{"environment", &row->env},
		{"figure", &row->figure},
		{"unit", &row->unit},
		{"of-unit", &row->of_unit},
		{"text", &row->text},
		{"reason", &row->reason},
		{"repeated-because", &row->repeated_why},
	};
	unsigned verdict = 0, claim = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words_of(o, what, words[i].key, words[i].where, err) < 0)
			return -err->code;
	}
	if (read_word(o, what, "verdict", verdict_at, VERDICT_END, &verdict, err) < 0
	    || read_word(o, what, "claim", claim_at, CLAIM_END, &claim, err) < 0)
		return -err->code;
	row->verdict = verdict;
	row->claim = claim;
	row->env = row->env ?: need(strdup(""));
	row->figure = row->figure ?: need(strdup(""));
	row->unit = row->unit ?: need(strdup(""));
	return 0;
}

// null where there was no figure.
static int read_number(
	const json_t *v, const char *what, const char *key, double *ret, struct err *err
)
{
	if (!json_is_number(v) && !json_is_null(v))
		return err_set(err, EINVAL, "%s: '%s' is no number", what, key);
	*ret = number_of(v);
	return 0;
}

static int read_interval(
	const json_t *o, const char *what, const char *key, struct interval *ret, struct err *err
)
{
	static const char *const keys[] = {"value", "low", "high", "n", NULL};
	const json_t *v = json_object_get(o, key);
	uint64_t n = 0;

	*ret = (struct interval){.mid = NAN, .low = NAN, .high = NAN};
	if (v == NULL)
		return 0;
	if (!json_is_object(v))
		return err_set(err, EINVAL, "%s: '%s' is no object", what, key);
	if (jread_keys(v, what, keys, err) < 0
	    || read_number(json_object_get(v, "value"), what, "value", &ret->mid, err) < 0
	    || read_number(json_object_get(v, "low"), what, "low", &ret->low, err) < 0
	    || read_number(json_object_get(v, "high"), what, "high", &ret->high, err) < 0
	    || jread_u64(v, what, "n", true, UINT32_MAX, &n, err) < 0)
		return -err->code;
	ret->n = (unsigned)n;
	return 0;
}

static int read_figures(const json_t *o, const char *what, struct row *row, struct err *err)
{
	json_t *samples = NULL, *v;
	size_t i;

	if (jread_array(o, what, "samples", &samples, err) < 0)
		return -err->code;
	json_array_foreach (samples, i, v) {
		double sample;

		if (read_number(v, what, "samples", &sample, err) < 0)
			return -err->code;
		row_sample(row, sample);
	}
	if (read_interval(o, what, "interval", &row->value, err) < 0)
		return -err->code;
	return read_interval(o, what, "difference", &row->difference, err);
}

static int read_paper(const json_t *o, const char *what, struct row *row, struct err *err)
{
	static const char *const keys[] = {"value", "words", NULL};
	const json_t *paper = json_object_get(o, "paper"), *v = json_object_get(paper, "value");

	row->paper = NAN;
	if (paper == NULL)
		return 0;
	if (!json_is_object(paper))
		return err_set(err, EINVAL, "%s: 'paper' is no object", what);
	if (jread_keys(paper, what, keys, err) < 0
	    || (v != NULL && read_number(v, what, "value", &row->paper, err) < 0))
		return -err->code;
	return words_of(paper, what, "words", &row->paper_words, err);
}

static int read_row(const json_t *o, const char *experiment, struct row *row, struct err *err)
{
	static const char *const keys[] = {
		"kind",
		"name",
		"environment",
		"figure",
		"unit",
		"emulated",
		"exact",
		"less-is-better",
		"samples",
		"interval",
		"difference",
		"of-unit",
		"verdict",
		"text",
		"invalid",
		"reason",
		"repeated",
		"repeated-because",
		"paper",
		"claim",
		"neither-is-better",
		"of-this-run",
		NULL,
	};
	_cleanup_free_ char *what = need(str_printf("a row of '%s'", experiment));
	uint64_t repeated = 0;

	if (!json_is_object(o))
		return err_set(err, EINVAL, "%s: it is no object", what);
	if (jread_keys(o, what, keys, err) < 0 || read_kind(o, what, &row->kind, err) < 0
	    || words_of(o, what, "name", &row->name, err) < 0 || read_words(o, what, row, err) < 0
	    || jread_bool(o, what, "emulated", &row->emulated, err) < 0
	    || jread_bool(o, what, "exact", &row->exact, err) < 0
	    || jread_bool(o, what, "less-is-better", &row->less, err) < 0
	    || jread_bool(o, what, "neither-is-better", &row->neutral, err) < 0
	    || jread_bool(o, what, "of-this-run", &row->alone, err) < 0
	    || jread_bool(o, what, "invalid", &row->invalid, err) < 0
	    || jread_u64(o, what, "repeated", false, UINT32_MAX, &repeated, err) < 0)
		return -err->code;
	if (row->name == NULL)
		return err_set(err, EINVAL, "%s: it has no name", what);
	row->repeated = (unsigned)repeated;
	if (read_figures(o, what, row, err) < 0)
		return -err->code;
	return read_paper(o, what, row, err);
}

static int read_rows(const json_t *rows, struct result *r, struct err *err)
{
	size_t i;
	json_t *o;

	json_array_foreach ((json_t *)rows, i, o) {
		struct row *row = need(calloc(1, sizeof(*row)));

		r->rows = need(reallocarray(r->rows, r->n + 1, sizeof(*r->rows)));
		r->rows[r->n++] = row;
		if (read_row(o, r->experiment, row, err) < 0)
			return -err->code;
	}
	return 0;
}

int result_from_json(const json_t *doc, struct result *ret, struct err *err)
{
	static const char *const keys[] = {
		"experiment",
		"title",
		"figure",
		"about",
		"complete",
		"seconds",
		"dropped",
		"failed",
		"rows",
		NULL,
	};
	const char *what = "results of an experiment";
	scope_cleanup(result_done) struct result r = {0};
	json_t *rows = NULL;

	if (!json_is_object(doc))
		return err_set(err, EINVAL, "%s: no object", what);
	if (jread_keys(doc, what, keys, err) < 0
	    || words_of(doc, what, "experiment", &r.experiment, err) < 0
	    || words_of(doc, what, "title", &r.title, err) < 0
	    || words_of(doc, what, "figure", &r.figure, err) < 0
	    || words_of(doc, what, "about", &r.about, err) < 0
	    || words_of(doc, what, "dropped", &r.dropped, err) < 0
	    || words_of(doc, what, "failed", &r.failed, err) < 0
	    || jread_bool(doc, what, "complete", &r.complete, err) < 0
	    || jread_array(doc, what, "rows", &rows, err) < 0)
		return -err->code;
	if (r.experiment == NULL || r.title == NULL)
		return err_set(err, EINVAL, "%s: 'experiment' or 'title' is missing", what);
	// files are named by it
	if (name_check("an experiment", r.experiment, err) < 0)
		return -err->code;
	if (!json_is_number(json_object_get(doc, "seconds")))
		return err_set(err, EINVAL, "%s: 'seconds' is no number", what);
	r.seconds = number_of(json_object_get(doc, "seconds"));
	if (read_rows(rows, &r, err) < 0)
		return -err->code;
	*ret = r;
	r = (struct result){0};
	return 0;
}
