// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "plane.h"

#include <stdio.h>
#include <string.h>

// With drop=no an lcore waits for whoever empties its output. Where lcores would wait for each other in
// a circle, all would stand still for ever once every ring is full: nobody waits there.
void plane_break_circles(struct plane *p)
{
	static bool reach[CONF_CORES + 1][CONF_CORES + 1]; // by number of the lcore
	bool any = false;

	memset(reach, 0, sizeof(reach));
	for (unsigned i = 0; i < p->nrings; i++) {
		const struct plane_ring *r = &p->rings[i];

		if (r->from->keep)
			reach[r->from->lcore][r->to->lcore] = true;
	}
	for (unsigned k = 0; k <= p->nlcores; k++) {
		for (unsigned i = 0; i <= p->nlcores; i++) {
			for (unsigned j = 0; reach[i][k] && j <= p->nlcores; j++)
				reach[i][j] = reach[i][j] || reach[k][j];
		}
	}
	for (unsigned i = 0; i < p->nrings; i++) {
		const struct plane_ring *r = &p->rings[i];
		struct task *from = p->tasks[r->from->index];

		if (!from->keep || !reach[r->to->lcore][from->lcore])
			continue;
		from->out[r->out].no_wait = true;
		any = true;
	}
	if (any)
		fprintf(stderr,
			"drover: warning: %s: cores would wait for each other in a circle; drop=no "
			"does not hold for the rings between them\n",
			p->conf->file);
}
