// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Nothing of the limits of whoever calls pinfold reaches a container.

#include "base/scope.h"
#include "run/run.h"

#include <sys/resource.h>

// Those that rights_limits does not name. config.json could not say it: its numbers end below that.
static const int unlimited[] = {
	RLIMIT_AS, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_RSS, RLIMIT_RTTIME};

int run_limit(const struct right_limit *limits, unsigned n, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(unlimited); i++) {
		struct rlimit l = {RLIM_INFINITY, RLIM_INFINITY};

		if (setrlimit((__rlimit_resource_t)unlimited[i], &l) == 0
		    || getrlimit((__rlimit_resource_t)unlimited[i], &l) < 0)
			continue;
		// a hard one stays where nobody here may raise it
		l.rlim_cur = l.rlim_max;
		setrlimit((__rlimit_resource_t)unlimited[i], &l);
	}
	for (unsigned i = 0; i < n; i++) {
		const struct rlimit l = {limits[i].soft, limits[i].hard};

		if (setrlimit((__rlimit_resource_t)limits[i].resource, &l) < 0)
			return err_sys(err, errno, "set %s", limits[i].name);
	}
	return 0;
}
