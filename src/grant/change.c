// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "grant/change.h"

#include "base/scope.h"
#include "base/str.h"
#include "grant/choose.h"

struct grant change_of(const struct grant *g, const struct grant_change *c)
{
	struct grant to = *g;

	if (c->memory != 0)
		to.memory = c->memory;
	if (c->pids != 0)
		to.pids = c->pids;
	return to;
}

int change_check(
	const struct grant *g,
	const struct grant_change *c,
	const struct host *host,
	struct err *err
)
{
	const struct grant to = change_of(g, c);

	if (g->kind == GRANT_POOL)
		return err_set(
			err,
			EINVAL,
			"update '%s': it is a pool, which has CPUs and no memory or processes",
			g->name
		);
	if (c->memory != 0 && check_memory(&to, host, err) < 0)
		return err_wrap(err, "update '%s'", g->name);
	return 0;
}

int change_check_ids(
	const struct grant *g,
	const char *what,
	const char *asked,
	const struct idset *granted,
	struct err *err
)
{
	struct idset set = {0};
	char text[IDSET_STR];

	if (asked == NULL || asked[0] == '\0')
		return 0;
	if (idset_parse(asked, &set, err) == 0 && idset_equal(&set, granted))
		return 0;
	return err_set(
		err,
		EBUSY,
		"update %s to %.64s: grant '%s' has %s for good: its programs have counted them; "
		"end "
		"them and make the grant anew",
		what,
		asked,
		g->name,
		idset_format(granted, text, sizeof(text))
	);
}

// Why an option stays. What is not listed is a property of the grant that nothing can take back.
static const struct {
	const char *option, *why;
} stays[] = {
	{"cap", "a process that runs can be given no rights"},
	{"hugepages", "they are mounted and reserved, and its programs have taken them"},
	{"kernel-port", "its network was made with its interfaces"},
	{"link", "their directories and groups were given to it at its start"},
	{"name", "its cgroup, its log and its peers go by it"},
	{"netdev", "its network was made with its interfaces"},
	{"nic", "its programs have opened the devices"},
	{"on-offline", "whoever watches it has read it at its start"},
	{"partition", "its cgroup was made so"},
	{"seccomp", "a filter of system calls can only be narrowed, by the program itself"},
};

int change_check_option(
	const struct grant *g, const char *option, const char *value, struct err *err
)
{
	const char *why = "its programs have counted the CPUs";

	if (str_eq(option, "memory") || str_eq(option, "pids"))
		return 0;
	if (str_eq(option, "cpus"))
		return change_check_ids(g, option, value, &g->cpus, err);
	if (str_eq(option, "mems"))
		return change_check_ids(g, option, value, &g->mems, err);
	for (size_t i = 0; i < ARRAY_LEN(stays); i++) {
		if (str_eq(stays[i].option, option))
			why = stays[i].why;
	}
	return err_set(
		err,
		EBUSY,
		"update '%s': --%s stays as long as the grant: %s; end what uses it and make the "
		"grant "
		"anew. What can change is --memory and --pids",
		g->name,
		option,
		why
	);
}
