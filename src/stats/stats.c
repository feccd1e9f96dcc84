// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "stats/packets.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>

struct taking {
	const struct ledger *l;
	const char *name;
	struct stats *s;
};

static int take_one(const struct lease *lease, void *arg, struct err *err)
{
	struct taking *t = arg;
	struct stats *s = t->s;
	struct stats_workload *more;
	struct err unused;

	if (t->name != NULL && !str_eq(t->name, lease->grant.name))
		return 0;
	if (lease->again == LEASE_WAITING || lease_life(t->l, lease, &unused) <= 0)
		return 0;
	more = reallocarray(s->workloads, s->n + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	s->workloads = more;
	more = &s->workloads[s->n];
	*more = (struct stats_workload){.lease = *lease};
	s->n++;
	return stats_read_cgroup(&t->l->fs, more, err);
}

int stats_take(const struct ledger *l, const char *name, struct stats *ret, struct err *err)
{
	struct taking t = {l, name, ret};
	struct err passed;
	int r;

	*ret = (struct stats){.at = clock_ns()};
	r = lease_each(l, take_one, &t, &passed);
	if (host_ticks(&l->fs, &ret->ticks, &ret->nticks, err) < 0)
		return -err->code;
	packets_ask(l, ret);
	if (r < 0)
		*err = passed;
	return r;
}

void stats_done(struct stats *s)
{
	free(s->workloads);
	free(s->ticks);
	*s = (struct stats){0};
}
