// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// report.html and report.md of a directory of results, and the figures in figures/.
#pragma once

#include "bench/results.h"

#include <stdio.h>

// What became of the figures: none where gnuplot is missing.
struct report_drawn {
	unsigned figures, failed;
	char why[256]; // of the last that failed
};

// Writes them into dir, with the figures that gnuplot can draw.
int report_write(
	const struct results *all, const char *dir, struct report_drawn *ret, struct err *err
);

// ---- of the parts

// A figure: rows of one name and unit, a bar each.
struct figure {
	const struct result *of;
	const char *name, *unit;
	const struct row *rows[24];
	unsigned n;
	bool log;      // its scale is logarithmic
	char file[64]; // below dir: "figures/startup-1.svg"
	char *svg;     // its text; NULL: it was not drawn
};

struct figures {
	struct figure *of;
	unsigned n;
	struct report_drawn drawn;
};

// Which figures there are; draws them with gnuplot into dir/figures. Without gnuplot they have no file, nor has one that it
// cannot draw.
int figures_draw(const struct results *all, const char *dir, struct figures *ret, struct err *err);
void figures_done(struct figures *f);

void html_write(FILE *f, const struct results *all, const struct figures *figures);
void markdown_write(FILE *f, const struct results *all, const struct figures *figures);
