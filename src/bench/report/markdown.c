// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The report as Markdown.

#include "bench/report/report.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/report/words.h"

#include <math.h>
#include <string.h>

// No bar, no line break, nothing that would be markup or that a terminal would obey.
static void plain(FILE *f, const char *text)
{
	_cleanup_free_ char *copy = need(strdup(text));

	str_plain(copy);
	for (const char *c = copy; *c != '\0'; c++) {
		if (strchr("|\\`*_<>[]", *c) != NULL)
			fputc('\\', f);
		fputc(*c, f);
	}
}

static void cell(FILE *f, const char *text)
{
	fputs("| ", f);
	plain(f, text);
	fputc(' ', f);
}

static void cell_free(FILE *f, char *text)
{
	cell(f, text);
	free(text);
}

static void summary(FILE *f, const struct results *all)
{
	struct words_count c = words_claims(all);
	char *sentence[WORDS_HEADLINES];
	unsigned n = words_headlines(all, sentence);

	for (unsigned i = 0; i < n; i++) {
		fputs("* ", f);
		plain(f, sentence[i]);
		fputc('\n', f);
		free(sentence[i]);
	}
	fputc('\n', f);
	fprintf(f,
		"Of what the paper says: holds today %u, does not %u, inconclusive %u, cannot be "
		"measured here %u.\n\n"
		"| | | in 2015 | here, today | |\n|---|---|---|---|---|\n",
		c.of[CLAIM_HOLDS],
		c.of[CLAIM_FAILS],
		c.of[CLAIM_INCONCLUSIVE],
		c.of[CLAIM_CANNOT]);
	for (unsigned e = 0; e < all->n; e++) {
		for (unsigned i = 0; i < all->of[e].n; i++) {
			const struct row *row = all->of[e].rows[i];
			char *value;

			if (row->claim == CLAIM_NONE)
				continue;
			value = words_value(row);
			cell(f, row->figure);
			cell_free(
				f,
				str_printf(
					"%s%s%s", row->name, *row->env != '\0' ? ", " : "", row->env
				)
			);
			cell_free(f, words_paper(row));
			cell(f, row->claim == CLAIM_CANNOT ? row->reason ?: "" : value);
			cell(f, words_verdict(row));
			fputs("|\n", f);
			free(value);
		}
	}
	fputc('\n', f);
}

static void matrix(FILE *f, const struct result *r)
{
	const char *envs[WORDS_ENVS];
	unsigned n = words_environments(r, envs);

	fputs("| ", f);
	for (unsigned k = 0; k < n; k++)
		cell(f, envs[k]);
	fputs("|\n|---|", f);
	for (unsigned k = 0; k < n; k++)
		fputs("---|", f);
	fputc('\n', f);
	for (unsigned i = 0; i < r->n; i++) {
		const char *name = r->rows[i]->name;
		bool first = true;

		for (unsigned k = 0; k < i; k++)
			first &= !str_eq(r->rows[k]->name, name);
		if (!first)
			continue;
		cell(f, name);
		for (unsigned k = 0; k < n; k++) {
			const struct row *row = result_find(r, name, envs[k]);
			_cleanup_free_ char *value = row != NULL ? words_value(row) : NULL;
			_cleanup_free_ char *paper = row != NULL ? words_paper(row) : NULL;
			const char *verdict = row != NULL ? words_verdict(row) : "";
			bool said = paper != NULL && *paper != '\0';

			cell_free(
				f,
				str_printf(
					"%s%s%s%s%s%s",
					value != NULL && *value != '\0' ? value : "–",
					said ? " (2015: " : "",
					said ? paper : "",
					said ? ")" : "",
					*verdict != '\0' ? ": " : "",
					verdict
				)
			);
		}
		fputs("|\n", f);
	}
	fputc('\n', f);
}

static void list(FILE *f, const struct result *r)
{
	fputs("| | where | here | n | in 2015 | |\n|---|---|---|---|---|---|\n", f);
	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind == ROW_MISSING || row->invalid)
			continue;
		cell(f, row->name);
		cell_free(f, str_printf("%s%s", row->env, row->emulated ? " (emulated CPU)" : ""));
		cell_free(f, words_value(row));
		cell_free(f, row->kind == ROW_FACT ? strdup("") : str_printf("%u", row->value.n));
		cell_free(f, words_paper(row));
		cell(f, words_verdict(row));
		fputs("|\n", f);
	}
	fputc('\n', f);
}

static void missing(FILE *f, const struct result *r, enum bench_size size)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind != ROW_MISSING && !row->invalid)
			continue;
		fputs("* ", f);
		plain(f, row->name);
		fputs(*row->env != '\0' ? ", " : "", f);
		plain(f, row->env);
		fputs(": cannot be measured here, because: ", f);
		plain(f, row->reason ?: "");
		fputc('\n', f);
	}
	if (r->dropped != NULL) {
		fprintf(f, "* a %s run leaves out: ", bench_size_name(size));
		plain(f, r->dropped);
		fputc('\n', f);
	}
	if (r->failed != NULL) {
		fputs("* it ended early: ", f);
		plain(f, r->failed);
		fputc('\n', f);
	}
	fputc('\n', f);
}

void markdown_write(FILE *f, const struct results *all, const struct figures *figures)
{
	const char *key;
	json_t *v;

	fprintf(f,
		"# The paper's figures, on this machine\n\n"
		"Measured by `pinfold bench run --%s` on ",
		bench_size_name(all->size));
	plain(f, json_string_value(json_object_get(all->provenance, "time")) ?: "?");
	fputs(".\n\n## Summary\n\n", f);
	summary(f, all);
	for (unsigned e = 0; e < all->n; e++) {
		const struct result *r = &all->of[e];

		fputs("## ", f);
		plain(f, r->title);
		fputs(r->figure != NULL && *r->figure != '\0' ? ", " : "", f);
		plain(f, r->figure ?: "");
		fputs("\n\n", f);
		plain(f, r->about ?: "");
		fputs("\n\n", f);
		for (unsigned i = 0; i < figures->n; i++) {
			if (figures->of[i].of == r && figures->of[i].svg != NULL)
				fprintf(f, "![](%s)\n\n", figures->of[i].file);
		}
		(words_matrix(r) ? matrix : list)(f, r);
		missing(f, r, all->size);
	}
	fputs("## Set-up\n\n| | |\n|---|---|\n", f);
	json_object_foreach (all->provenance, key, v) {
		cell(f, key);
		cell(f, json_string_value(v) ?: "");
		fputs("|\n", f);
	}
}
