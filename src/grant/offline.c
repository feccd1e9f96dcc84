// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What becomes of a workload when all of its CPUs, or all of its nodes, are taken off the machine.

#include "base/scope.h"
#include "grant/parts.h"

static const char *const names[] = {
	[OFFLINE_FREEZE] = "freeze",
	[OFFLINE_STOP] = "stop",
	[OFFLINE_WARN] = "warn",
};

const char *grant_offline_name(enum grant_offline o)
{
	return names[o];
}

int part_set_offline(enum grant_offline *ret, const char *value, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq(names[i], value)) {
			*ret = (enum grant_offline)i;
			return 0;
		}
	}
	return err_set(err, EINVAL, "on-offline '%.32s': freeze, stop or warn", value);
}
