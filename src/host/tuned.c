// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/tuned.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

#define PROFILE "cpu-partitioning"

// Several may be active at once: "cpu-partitioning mine".
static void read_active(const struct hostfs *fs, struct host_tuned *t)
{
	char line[512], *save = NULL;

	if (hostfs_line(fs->root, TUNED_ACTIVE, line, sizeof(line)) < 0)
		return;
	for (char *w = strtok_r(line, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
		if (!str_starts(w, PROFILE))
			continue;
		snprintf(t->profile, sizeof(t->profile), "%s", w);
		str_plain(t->profile);
		t->active = true;
		return;
	}
}

// "isolated_cores = 2-3,6", the last one; "#" before others.
static void read_cores(const struct hostfs *fs, struct host_tuned *t)
{
	static const char key[] = "isolated_cores";
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, TUNED_VARIABLES);
	char line[1024];
	struct err unused;

	t->installed = f != NULL;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *s = line + strspn(line, " \t");

		if (!str_starts(s, key))
			continue;
		s += strlen(key);
		s += strspn(s, " \t");
		if (*s++ != '=')
			continue;
		s += strspn(s, " \t");
		s[strcspn(s, " \t\n#")] = '\0';
		snprintf(t->cores, sizeof(t->cores), "%s", s);
		str_plain(t->cores);
	}
	if (idset_parse(t->cores, &t->isolated, &unused) < 0)
		t->isolated = (struct idset){0};
}

void host_tuned(const struct hostfs *fs, struct host_tuned *ret)
{
	*ret = (struct host_tuned){0};
	read_active(fs, ret);
	read_cores(fs, ret);
}

char *host_tuned_cure(
	const struct host_tuned *t, const struct idset *cpus, char ret[static TUNED_CURE_LEN]
)
{
	struct idset all = t->isolated;
	char list[TUNED_CURE_LEN - 128];

	idset_or(&all, cpus);
	snprintf(
		ret,
		TUNED_CURE_LEN,
		"isolated_cores=%s in " TUNED_VARIABLES ", then tuned-adm profile %s",
		idset_format(&all, list, sizeof(list)),
		t->active ? t->profile : PROFILE
	);
	return ret;
}
