// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The report as one HTML file that needs no other.

#include "bench/report/report.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"
#include "bench/report/style.h"
#include "bench/report/words.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

// NULL: nothing was said, as in what others have written.
static void text(FILE *f, const char *s)
{
	_cleanup_free_ char *copy = need(strdup(s != NULL ? s : ""));

	str_plain(copy);
	for (const char *c = copy; *c != '\0'; c++) {
		switch (*c) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*c, f);
		}
	}
}

// An element with text in it; label: of the column, for narrow screens, where a row is a card.
static void cell(FILE *f, const char *label, const char *class, const char *s)
{
	fprintf(f, "<td class=\"%s\" data-label=\"", class);
	text(f, label);
	fputs("\">", f);
	text(f, s);
	fputs("</td>", f);
}

static void cell_free(FILE *f, const char *label, const char *class, char *s)
{
	cell(f, label, class, s);
	free(s);
}

static const char *claim_class(enum claim_verdict v)
{
	static const char *const classes[CLAIM_END] = {
		[CLAIM_NONE] = "none",
		[CLAIM_HOLDS] = "holds",
		[CLAIM_FAILS] = "fails",
		[CLAIM_INCONCLUSIVE] = "open",
		[CLAIM_CANNOT] = "cannot",
	};

	return classes[v];
}

static void verdict(FILE *f, const struct row *row)
{
	fputs("<td class=\"verdict\" data-label=\"verdict\">", f);
	if (row->claim != CLAIM_NONE)
		fprintf(f,
			"<span class=\"mark %s\">%s %s</span>",
			claim_class(row->claim),
			words_mark(row),
			claim_name(row->claim));
	else
		text(f, words_verdict(row));
	fputs("</td>", f);
}

// ---- the summary

static void counts(FILE *f, const struct results *all)
{
	static const char *const words[CLAIM_END] = {
		[CLAIM_HOLDS] = "hold today",
		[CLAIM_FAILS] = "do not hold",
		[CLAIM_INCONCLUSIVE] = "inconclusive",
		[CLAIM_CANNOT] = "cannot be measured here",
	};
	struct words_count c = words_claims(all);

	fputs("<p>Of the paper's statements:</p>\n<ul class=\"counts\">", f);
	for (unsigned v = CLAIM_HOLDS; v < CLAIM_END; v++)
		fprintf(f, "<li class=\"%s\"><b>%u</b> %s</li>", claim_class(v), c.of[v], words[v]);
	fputs("</ul>\n", f);
}

static void headlines(FILE *f, const struct results *all)
{
	char *sentence[WORDS_HEADLINES];
	unsigned n = words_headlines(all, sentence);

	fputs(n > 0 ? "<ul class=\"headlines\">" : "", f);
	for (unsigned i = 0; i < n; i++) {
		fputs("<li>", f);
		text(f, sentence[i]);
		fputs("</li>\n", f);
		free(sentence[i]);
	}
	fputs(n > 0 ? "</ul>\n" : "", f);
}

static void summary_row(FILE *f, const struct result *r, const struct row *row)
{
	_cleanup_free_ char *value = words_value(row);

	fprintf(f, "<tr><td data-label=\"of\"><a href=\"#%s\">", r->experiment);
	text(f, row->figure);
	fputs("</a></td>", f);
	cell_free(
		f,
		"what",
		"",
		str_printf("%s%s%s", row->name, *row->env != '\0' ? ", " : "", row->env)
	);
	cell_free(f, "in 2015", "paper", words_paper(row));
	cell(f, "here, today", "", row->claim == CLAIM_CANNOT ? row->reason ?: "" : value);
	verdict(f, row);
	fputs("</tr>\n", f);
}

static void summary(FILE *f, const struct results *all)
{
	const struct result *machine = results_find(all, "machine");

	fputs("<section id=\"summary\"><h2>Summary</h2>\n", f);
	headlines(f, all);
	counts(f, all);
	for (unsigned i = 0; machine != NULL && i < machine->n; i++) {
		const struct row *row = machine->rows[i];

		if (row->kind != ROW_FACT)
			continue;
		fputs("<p class=\"machine\"><b>", f);
		text(f, row->name);
		fputs("</b>: ", f);
		text(f, row->text);
		fputs("</p>\n", f);
	}
	fputs("<table class=\"rows\"><thead><tr><th>of</th><th>what</th><th>in 2015</th><th>here, "
	      "today</th>"
	      "<th>verdict</th></tr></thead><tbody>\n",
	      f);
	for (unsigned e = 0; e < all->n; e++) {
		for (unsigned i = 0; i < all->of[e].n; i++) {
			if (all->of[e].rows[i]->claim != CLAIM_NONE)
				summary_row(f, &all->of[e], all->of[e].rows[i]);
		}
	}
	fputs("</tbody></table></section>\n", f);
}

// ---- an experiment

// As part of an address: everything but letters and digits.
static void encoded(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		if (isalnum((unsigned char)*s) || strchr("-_.~/:;,=()' ", *s) != NULL)
			fputc(*s == '\'' ? '\'' : *s, f);
		else
			fprintf(f, "%%%02X", (unsigned char)*s);
	}
}

static void figures_of(FILE *f, const struct result *r, const struct figures *figures)
{
	bool any = false;

	for (unsigned i = 0; i < figures->n; i++) {
		const struct figure *g = &figures->of[i];

		if (g->of != r || g->svg == NULL)
			continue;
		fputs(any ? "" : "<div class=\"figures\">", f);
		any = true;
		fputs("<figure><figcaption>", f);
		text(f, g->name);
		fputs(g->log ? " (logarithmic scale)" : "", f);
		fputs("</figcaption><img alt=\"", f);
		for (unsigned k = 0; k < g->n; k++) {
			_cleanup_free_ char *value = words_value(g->rows[k]);

			fprintf(f, "%s", k > 0 ? "; " : "");
			text(f, g->rows[k]->env);
			fputs(" ", f);
			text(f, value);
		}
		fputs("\" src=\"data:image/svg+xml;charset=utf-8,", f);
		encoded(f, g->svg);
		fputs("\"></figure>\n", f);
	}
	fputs(any ? "</div>\n" : "", f);
}

static void matrix_cell(FILE *f, const char *env, const struct row *row)
{
	_cleanup_free_ char *value = row != NULL ? words_value(row) : NULL;

	fputs("<td data-label=\"", f);
	text(f, env);
	fputs("\">", f);
	text(f, value != NULL && *value != '\0' ? value : "–");
	if (row != NULL && row->paper_words != NULL) {
		_cleanup_free_ char *paper = words_paper(row);

		fputs("<br><small class=\"paper\">2015: ", f);
		text(f, paper);
		fputs("</small>", f);
	}
	if (row != NULL && row->claim != CLAIM_NONE)
		fprintf(f,
			"<br><span class=\"mark %s\">%s %s</span>",
			claim_class(row->claim),
			words_mark(row),
			claim_name(row->claim));
	fputs("</td>", f);
}

static void matrix(FILE *f, const struct result *r)
{
	const char *envs[WORDS_ENVS];
	unsigned n = words_environments(r, envs);

	fputs("<table class=\"rows\"><thead><tr><th></th>", f);
	for (unsigned k = 0; k < n; k++) {
		fputs("<th>", f);
		text(f, envs[k]);
		fputs("</th>", f);
	}
	fputs("</tr></thead><tbody>\n", f);
	for (unsigned i = 0; i < r->n; i++) {
		const char *name = r->rows[i]->name;
		bool first = true, any = false;

		for (unsigned k = 0; k < i; k++)
			first &= !str_eq(r->rows[k]->name, name);
		for (unsigned k = 0; k < n; k++)
			any |= result_find(r, name, envs[k]) != NULL;
		if (!first || !any)
			continue;
		fputs("<tr>", f);
		cell(f, "", "what", name);
		for (unsigned k = 0; k < n; k++)
			matrix_cell(f, envs[k], result_find(r, name, envs[k]));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

static void remade(FILE *f, const struct row *row)
{
	fprintf(f, "<br><small>%u disturbed trials made again", row->repeated);
	if (row->repeated_why != NULL) {
		fputs(", the last because: ", f);
		text(f, row->repeated_why);
	}
	fputs("</small>", f);
}

static void list_row(FILE *f, const struct row *row)
{
	fputs("<tr>", f);
	cell(f, "", "what", row->name);
	cell_free(
		f, "where", "", str_printf("%s%s", row->env, row->emulated ? " (emulated CPU)" : "")
	);
	fputs("<td class=\"value\" data-label=\"here\">", f);
	{
		_cleanup_free_ char *value = words_value(row);

		text(f, value);
	}
	if (row->kind == ROW_RATIO && isfinite(row->difference.mid)) {
		_cleanup_free_ char *d = words_difference(row);

		fputs("<br><small>that is ", f);
		text(f, d);
		fputs("</small>", f);
	}
	if (row->kind != ROW_FACT && row->text != NULL) {
		fputs("<br><small>", f);
		text(f, row->text);
		fputs("</small>", f);
	}
	if (row->repeated > 0)
		remade(f, row);
	fputs("</td>", f);
	cell_free(
		f,
		"trials",
		"n",
		row->kind == ROW_FACT ? strdup("") : str_printf("%u", row->value.n)
	);
	cell_free(f, "in 2015", "paper", words_paper(row));
	verdict(f, row);
	fputs("</tr>\n", f);
}

static void list(FILE *f, const struct result *r)
{
	fputs("<table class=\"rows\"><thead><tr><th>what</th><th>where</th><th>here (95 % "
	      "interval)</th><th>trials</th>"
	      "<th>in 2015</th><th>verdict</th></tr></thead><tbody>\n",
	      f);
	for (unsigned i = 0; i < r->n; i++) {
		if (r->rows[i]->kind != ROW_MISSING && !r->rows[i]->invalid)
			list_row(f, r->rows[i]);
	}
	fputs("</tbody></table>\n", f);
}

static void missing(FILE *f, const struct result *r, enum bench_size size)
{
	bool any = false;

	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];

		if (row->kind != ROW_MISSING && !row->invalid)
			continue;
		fputs(any ? "" : "<p>Cannot be measured here:</p><ul class=\"missing\">", f);
		any = true;
		fputs("<li>", f);
		text(f, row->name);
		fputs(*row->env != '\0' ? ", " : "", f);
		text(f, row->env);
		fputs(", because: ", f);
		text(f, row->reason);
		fputs("</li>\n", f);
	}
	fputs(any ? "</ul>\n" : "", f);
	if (r->dropped != NULL) {
		fprintf(f, "<p><small>A %s run leaves out: ", bench_size_name(size));
		text(f, r->dropped);
		fputs("</small></p>\n", f);
	}
	if (!r->complete || r->failed != NULL) {
		fputs("<p class=\"stopped\">It was not completed: ", f);
		text(f, r->failed ?: "it was stopped");
		fputs("</p>\n", f);
	}
}

static void experiment(
	FILE *f, const struct result *r, const struct figures *figures, enum bench_size size
)
{
	fprintf(f, "<section id=\"%s\"><h2>", r->experiment);
	if (r->figure != NULL && *r->figure != '\0') {
		text(f, r->figure);
		fputs(": ", f);
	}
	text(f, r->title);
	fputs("</h2>\n<p>", f);
	text(f, r->about);
	fputs("</p>\n", f);
	figures_of(f, r, figures);
	(words_matrix(r) ? matrix : list)(f, r);
	missing(f, r, size);
	fputs("</section>\n", f);
}

static void setup(FILE *f, const struct results *all)
{
	const char *key;
	json_t *v;

	fputs("<section id=\"set-up\"><h2>Set-up</h2>\n<table class=\"setup\"><tbody>\n", f);
	json_object_foreach (all->provenance, key, v) {
		fputs("<tr><th>", f);
		text(f, key);
		fputs("</th><td>", f);
		text(f, json_string_value(v));
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table></section>\n", f);
}

static const char how_to_read[] = "<section id=\"reading\"><h2>How to read it</h2>\n"
				  "<p>A value is the median of its trials, and in brackets is "
				  "where it lies with 95 %, with the 10 % (of memory 5 %) by "
				  "which runs of the same lie apart; what is of this run "
				  "alone has none. Environments were measured in "
				  "turn, and a ratio is of pairs of trials that were made one "
				  "beside the other: <i>no difference</i> is said only "
				  "where the whole interval lies within ±3 %, <i>different</i> "
				  "where it does not hold 1 and this machine can tell it, else "
				  "<i>inconclusive</i>. Of two that are the same, one in twenty "
				  "comparisons says <i>different</i>.</p>\n"
				  "<p>The verdict is about what the paper says. A figure of an "
				  "emulated CPU (TCG) proves that something works, not "
				  "how fast, and is compared with none.</p></section>\n";

void html_write(FILE *f, const struct results *all, const struct figures *figures)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<title>The paper's figures, on this machine</title>\n<style>",
	      f);
	fputs(report_style, f);
	fputs("</style></head><body>\n<header><h1>Containers and virtual machines for network "
	      "functions</h1>\n<p>The "
	      "figures and tables of 2015, measured on this machine by <code>pinfold bench run --",
	      f);
	text(f, bench_size_name(all->size));
	fputs("</code>, ", f);
	text(f, json_string_value(json_object_get(all->provenance, "time")));
	fputs(": ", f);
	text(f, json_string_value(json_object_get(all->provenance, "CPU")));
	fputs(", ", f);
	text(f, json_string_value(json_object_get(all->provenance, "kernel")));
	fputs("</p></header>\n<main>\n", f);
	summary(f, all);
	for (unsigned i = 0; i < all->n; i++)
		experiment(f, &all->of[i], figures, all->size);
	fputs(how_to_read, f);
	setup(f, all);
	fputs("</main></body></html>\n", f);
}
