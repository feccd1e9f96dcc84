// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Bars of what was measured, one a row, with their intervals and the paper's figure beside them, drawn by gnuplot.

#include "bench/report/report.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/need.h"
#include "bench/report/words.h"
#include "bench/work_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define MOST 8	      // figures of an experiment
#define LOG_FROM 20.0 // a scale is logarithmic from such a ratio of the largest to the smallest on
#define SVG_MAX (1u << 20)
#define WIDTH 500
#define BAR 34

// A value that has a bar.
static bool drawable(const struct row *row)
{
	return row->kind == ROW_MEASURED && !row->invalid && isfinite(row->value.mid)
	       && row->value.mid > 0;
}

static void add_row(struct figure *f, const struct row *row)
{
	if (f->n < ARRAY_LEN(f->rows))
		f->rows[f->n++] = row;
}

static struct figure *figure_of(struct figures *all, unsigned from, const struct row *row)
{
	for (unsigned i = from; i < all->n; i++) {
		if (str_eq(all->of[i].name, row->name) && str_eq(all->of[i].unit, row->unit))
			return &all->of[i];
	}
	return NULL;
}

// Whether its rows are compared: that is what is looked at first.
static bool compared(const struct result *r, const struct figure *f)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->rows[i]->kind == ROW_RATIO && str_eq(r->rows[i]->name, f->name))
			return true;
	}
	return false;
}

static void gather(struct figures *all, const struct result *r)
{
	unsigned from = all->n, kept = from, others;

	for (unsigned i = 0; i < r->n; i++) {
		const struct row *row = r->rows[i];
		struct figure *f;

		if (!drawable(row) || row->env[0] == '\0')
			continue;
		f = figure_of(all, from, row);
		if (f == NULL) {
			all->of = need(reallocarray(all->of, all->n + 1, sizeof(*all->of)));
			f = &all->of[all->n++];
			*f = (struct figure){.of = r, .name = row->name, .unit = row->unit};
		}
		add_row(f, row);
	}
	// one bar shows nothing, and counts are read in the table
	for (unsigned i = from; i < all->n; i++) {
		if (all->of[i].n >= 2 && !all->of[i].rows[0]->exact)
			all->of[kept++] = all->of[i];
	}
	all->n = kept;
	others = kept = from;
	for (unsigned i = from; i < all->n; i++)
		others += compared(r, &all->of[i]);
	others = others - from < MOST ? MOST - (others - from) : 0;
	for (unsigned i = from; i < all->n; i++) {
		bool first = compared(r, &all->of[i]);

		if (kept - from < MOST && (first || others > 0)) {
			others -= !first;
			all->of[kept++] = all->of[i];
		}
	}
	all->n = kept;
}

static void scale(struct figure *f)
{
	double least = INFINITY, most = 0;

	for (unsigned i = 0; i < f->n; i++) {
		const struct row *row = f->rows[i];

		least = fmin(least, row->value.mid);
		most = fmax(most, row->value.mid);
		if (isfinite(row->paper) && row->paper > 0) {
			least = fmin(least, row->paper);
			most = fmax(most, row->paper);
		}
	}
	f->log = most / least > LOG_FROM;
}

// Text of gnuplot's in single quotes: in double ones it would run what stands in backquotes.
static void quoted(FILE *g, const char *text)
{
	_cleanup_free_ char *copy = need(strdup(text));

	str_plain(copy);
	fputc('\'', g);
	for (const char *c = copy; *c != '\0'; c++) {
		if (*c == '\'')
			fputc('\'', g);
		fputc(*c, g);
	}
	fputc('\'', g);
}

static void labels(FILE *g, const struct figure *f)
{
	fputs("set ytics (", g);
	for (unsigned i = 0; i < f->n; i++) {
		fputs(i > 0 ? ", " : "", g);
		quoted(g, f->rows[i]->env);
		fprintf(g, " %u", f->n - i);
	}
	fputs(") scale 0\n", g);
}

// Bars, of the emulated or of the others: boxes from `base` to the value.
static unsigned bars(FILE *g, const struct figure *f, bool emulated, double base)
{
	unsigned n = 0;

	fprintf(g, "$%s << EOD\n", emulated ? "emulated" : "bars");
	for (unsigned i = 0; i < f->n; i++) {
		const struct row *row = f->rows[i];
		double low = isfinite(row->value.low) ? fmax(row->value.low, base) : row->value.mid;
		double high = isfinite(row->value.high) ? row->value.high : row->value.mid;

		if (row->emulated != emulated)
			continue;
		n++;
		fprintf(g,
			"%g %u %g %g %g %g %g %g\n",
			row->value.mid,
			f->n - i,
			base,
			row->value.mid,
			f->n - i - 0.32,
			f->n - i + 0.32,
			low,
			high);
	}
	fputs("EOD\n", g);
	return n;
}

static unsigned papers(FILE *g, const struct figure *f)
{
	unsigned n = 0;

	fputs("$paper << EOD\n", g);
	for (unsigned i = 0; i < f->n; i++) {
		if (!isfinite(f->rows[i]->paper) || f->rows[i]->paper <= 0)
			continue;
		n++;
		fprintf(g, "%g %u\n", f->rows[i]->paper, f->n - i);
	}
	fputs("EOD\n", g);
	return n;
}

static double base_of(const struct figure *f)
{
	double least = INFINITY;

	if (!f->log)
		return 0;
	for (unsigned i = 0; i < f->n; i++) {
		least = fmin(least, f->rows[i]->value.mid);
		if (isfinite(f->rows[i]->value.low) && f->rows[i]->value.low > 0)
			least = fmin(least, f->rows[i]->value.low);
		if (isfinite(f->rows[i]->paper) && f->rows[i]->paper > 0)
			least = fmin(least, f->rows[i]->paper);
	}
	return pow(10, floor(log10(least)));
}

// Colours of Okabe and Ito, which the colour-blind tell apart; what is emulated is pale, and the paper's figure a diamond.
static void script(FILE *g, const struct figure *f, const char *file)
{
	static const struct {
		const char *data, *how;
	} parts[] = {
		{"bars",
		 "using 1:2:3:4:5:6 with boxxyerror fs solid 1 noborder lc rgb '#0072B2' title "
		 "'measured here'"},
		{"emulated",
		 "using 1:2:3:4:5:6 with boxxyerror fs pattern 4 border lc rgb '#56B4E9' lc rgb "
		 "'#56B4E9' title "
		 "'here, emulated CPU: not comparable'"},
		{"bars",
		 "using 1:2:7:8 with xerrorbars pt 0 lw 1.6 lc rgb '#222222' title '95 % "
		 "interval'"},
		{"emulated", "using 1:2:7:8 with xerrorbars pt 0 lw 1.6 lc rgb '#222222' notitle"},
		{"paper",
		 "using 1:2 with points pt 13 ps 1.3 lc rgb '#D55E00' title 'the paper, 2015'"},
	};
	double base = base_of(f);
	unsigned n[ARRAY_LEN(parts)];
	const char *sep = "plot ";

	fprintf(g,
		"set terminal svg size %d,%u dynamic noenhanced font 'sans-serif,13' background "
		"'white'\n"
		"set output ",
		WIDTH,
		110 + BAR * f->n);
	quoted(g, file);
	fputs("\nset encoding utf8\nset border 1 lc rgb '#555555'\nset tics nomirror\n"
	      "set grid xtics lt 1 lc rgb '#dddddd' lw 0.7\n"
	      "set key at screen 0.01,0.99 left top Left reverse vertical maxrows 2 samplen 1.5 "
	      "font ',11'\n"
	      "set tmargin 3.2\nset xlabel ",
	      g);
	quoted(g, *f->unit != '\0' ? f->unit : " ");
	fprintf(g, "\nset yrange [0.4:%g]\nset xrange [%g:*]\n", f->n + 0.6, base);
	if (f->log)
		fputs("set logscale x\nset format x '%g'\n", g);
	labels(g, f);
	n[0] = n[2] = bars(g, f, false, base);
	n[1] = n[3] = bars(g, f, true, base);
	n[4] = papers(g, f);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (n[i] == 0)
			continue;
		fprintf(g, "%s$%s %s", sep, parts[i].data, parts[i].how);
		sep = ", ";
	}
	fputc('\n', g);
}

// ---- gnuplot

static int plot(const char *program, struct err *err)
{
	const char *const argv[] = {"gnuplot", program, NULL};
	struct bench b = {0};
	int r = child_run(
		&b, &(struct child_how){.argv = argv, .log = "/dev/null"}, 20000, 0, NULL, NULL, err
	);

	children_stop(&b);
	free(b.children);
	return r;
}

static bool has_gnuplot(void)
{
	static const char *const argv[] = {"gnuplot", "--version", NULL};
	struct bench b = {0};
	struct err ignored;
	int r = child_run(
		&b,
		&(struct child_how){.argv = argv, .log = "/dev/null"},
		20000,
		0,
		NULL,
		NULL,
		&ignored
	);

	children_stop(&b);
	free(b.children);
	return r == 0;
}

// dir may be what others sent, with links of theirs in it: nothing is written there but whole files, in place of what
// they named so. gnuplot has `work`, which nobody else has.
static int draw(struct figure *f, unsigned number, const char *work, int figures, struct err *err)
{
	_cleanup_free_ char *file = need(str_printf("%s/figure.svg", work));
	_cleanup_free_ char *program = need(str_printf("%s/plot", work));
	_cleanup_free_ char *svg = NULL;
	_cleanup_fclose_ FILE *g = fopen(program, "we");
	size_t len = 0;
	int r;

	snprintf(f->file, sizeof(f->file), "figures/%.40s-%u.svg", f->of->experiment, number);
	if (g == NULL)
		return err_sys(err, errno, "write '%s'", program);
	scale(f);
	script(g, f, file);
	fclose(steal_ptr(g));
	r = plot(program, err);
	if (r < 0)
		return err_wrap(err, "draw '%s'", f->file);
	r = fs_read_file(file, SVG_MAX, &svg, &len);
	unlink(file); // the next one that fails is not to find it
	if (r < 0)
		return err_sys(err, -r, "draw '%s': read '%s'", f->file, file);
	if (fs_write_atomic(figures, f->file + strlen("figures/"), svg, len, 0644, err) < 0)
		return -err->code;
	f->svg = steal_ptr(svg);
	return 0;
}

static int draw_all(
	struct figures *f, const char *dir, int dirfd, const char *work, struct err *err
)
{
	_cleanup_close_ int fd = -1;
	const struct result *of = NULL;
	unsigned number = 0;
	struct err why;

	if (mkdirat(dirfd, "figures", 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s/figures'", dir);
	fd = openat(dirfd, "figures", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return err_set(
			err,
			ENOTDIR,
			"'%s/figures' is no directory, or a link to one: remove it",
			dir
		);
	if (fd < 0)
		return err_sys(err, errno, "open '%s/figures'", dir);
	for (unsigned i = 0; i < f->n; i++) {
		number = f->of[i].of == of ? number + 1 : 1;
		of = f->of[i].of;
		// a report without a figure says all the same
		if (draw(&f->of[i], number, work, fd, &why) < 0) {
			f->drawn.failed++;
			snprintf(f->drawn.why, sizeof(f->drawn.why), "%.250s", why.msg);
		} else {
			f->drawn.figures++;
		}
	}
	return 0;
}

int figures_draw(const struct results *all, const char *dir, struct figures *ret, struct err *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scope_cleanup(work_dir_remove) struct work_dir work = {0};
	scope_cleanup(figures_done) struct figures f = {0};

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", dir);
	for (unsigned i = 0; i < all->n; i++)
		gather(&f, &all->of[i]);
	if (has_gnuplot()
	    && (work_dir_make(&work, err) < 0 || draw_all(&f, dir, fd, work.path, err) < 0))
		return -err->code;
	*ret = f;
	f = (struct figures){0};
	return 0;
}

void figures_done(struct figures *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->of[i].svg);
	free(f->of);
	*f = (struct figures){0};
}
