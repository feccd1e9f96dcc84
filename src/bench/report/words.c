// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/report/words.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <math.h>
#include <string.h>

char *words_number(double v)
{
	double a = fabs(v);

	if (!isfinite(v))
		return need(strdup("?"));
	if (v == rint(v) && a < 1e6)
		return need(str_printf("%.0f", v));
	if (a >= 1e6)
		return need(str_printf("%.3g", v));
	if (a >= 100)
		return need(str_printf("%.0f", v));
	if (a >= 10)
		return need(str_printf("%.1f", v));
	return a >= 1 ? need(str_printf("%.2f", v)) : need(str_printf("%.3g", v));
}

static char *with_unit(const struct row *row, const char *number)
{
	return *row->unit != '\0' ? need(str_printf("%s %s", number, row->unit))
				  : need(strdup(number));
}

char *words_value(const struct row *row)
{
	_cleanup_free_ char *mid = NULL, *low = NULL, *high = NULL, *value = NULL;

	if (row->kind == ROW_FACT)
		return need(strdup(row->text != NULL ? row->text : ""));
	if (row->kind == ROW_MISSING || row->invalid)
		return need(strdup(""));
	mid = words_number(row->value.mid);
	value = with_unit(row, mid);
	if (row->kind == ROW_MEASURED && row->alone && !row->exact)
		return need(str_printf("%s (of this run)", value));
	if (row->exact || !isfinite(row->value.low))
		return steal_ptr(value);
	low = words_number(row->value.low);
	high = words_number(row->value.high);
	return need(str_printf("%s (%s to %s)", value, low, high));
}

char *words_short(const struct row *row)
{
	bool seconds = str_eq(row->unit, "ms") && row->value.mid >= 1000;
	_cleanup_free_ char *number = NULL;

	if (row->kind != ROW_MEASURED || row->invalid)
		return words_value(row);
	number = words_number(seconds ? row->value.mid / 1000 : row->value.mid);
	return seconds ? need(str_printf("%s s", number)) : with_unit(row, number);
}

char *words_difference(const struct row *row)
{
	double mid = row->difference.mid;
	_cleanup_free_ char *number = words_number(mid);

	if (!isfinite(mid))
		return need(strdup(""));
	return need(str_printf("%s%s %s", mid > 0 ? "+" : "", number, row->of_unit ?: ""));
}

char *words_paper(const struct row *row)
{
	_cleanup_free_ char *number = NULL, *value = NULL;

	if (row->paper_words == NULL)
		return need(strdup(""));
	if (!isfinite(row->paper))
		return need(strdup(row->paper_words));
	number = words_number(row->paper);
	value = with_unit(row, number);
	return need(str_printf("%s: %s", value, row->paper_words));
}

const char *words_verdict(const struct row *row)
{
	return row->claim != CLAIM_NONE ? claim_name(row->claim) : verdict_name(row->verdict);
}

const char *words_mark(const struct row *row)
{
	static const char *const marks[CLAIM_END] = {
		[CLAIM_NONE] = "",
		[CLAIM_HOLDS] = "✓",
		[CLAIM_FAILS] = "✗",
		[CLAIM_INCONCLUSIVE] = "?",
		[CLAIM_CANNOT] = "–",
	};

	return marks[row->claim];
}

bool words_matrix(const struct result *r)
{
	unsigned fixed = 0, all = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->rows[i]->kind == ROW_MISSING)
			continue;
		all++;
		fixed += r->rows[i]->env[0] != '\0'
			 && (r->rows[i]->kind == ROW_FACT || r->rows[i]->exact);
	}
	return fixed * 2 > all;
}

unsigned words_environments(const struct result *r, const char *envs[WORDS_ENVS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		unsigned k = 0;

		if (r->rows[i]->env[0] == '\0' || r->rows[i]->kind == ROW_MISSING)
			continue;
		while (k < n && !str_eq(envs[k], r->rows[i]->env))
			k++;
		if (k == n && n < WORDS_ENVS)
			envs[n++] = r->rows[i]->env;
	}
	return n;
}

struct words_count words_claims(const struct results *all)
{
	struct words_count c = {0};

	for (unsigned e = 0; e < all->n; e++) {
		for (unsigned i = 0; i < all->of[e].n; i++)
			c.of[all->of[e].rows[i]->claim]++;
	}
	return c;
}
