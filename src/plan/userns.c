// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The user namespace of a container, which is made before the runtime starts: the kernel charges what it
// counts for each user (inotify instances, pending signals, message queues, locked memory) to the id that
// made the namespace too, and to the limits that this one had. A runtime would make it as root.

#include "base/scope.h"
#include "plan/make.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void add(char *text, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void add(char *text, size_t len, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, len - n, fmt, ap);
	va_end(ap);
}

void plan_userns(struct plan *p)
{
	const struct grant *g = &p->lease.grant;
	const uint32_t base = p->lease.uid_base;
	struct right_limit all[HOST_RLIMITS];
	unsigned n = plan_rlimits(g, &p->host->limits, p->lease.site.locked, all);
	char text[512 + GRANT_LINKS * 48] = "";

	add(text, sizeof(text), "uid=0:%u:%u gid=0:%u:%u", base, IDS_PER_LEASE, base, IDS_PER_LEASE
	);
	for (unsigned i = 0; i < g->nlinks; i++)
		add(text, sizeof(text), " gid=%u:%u:1", PLAN_LINK_GID + i, g->links[i].gid);
	for (unsigned i = 0; i < n; i++) {
		// those that the kernel keeps as limits of the namespace
		if (all[i].resource == RLIMIT_MEMLOCK || all[i].resource == RLIMIT_MSGQUEUE
		    || all[i].resource == RLIMIT_NPROC || all[i].resource == RLIMIT_SIGPENDING)
			add(text,
			    sizeof(text),
			    " %s=%llu",
			    all[i].name,
			    (unsigned long long)all[i].hard);
	}
	plan_fence_step(p, STEP_USERNS, strdup(PLAN_USERNS), strdup(text))->uid =
		ids_namespace_owner(base);
}
