// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/tuned.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

#define PROFILE "cpu-partitioning"

// The choice outlives the daemon: tuned that was switched off, or is not installed any more, moves nothing.
static bool is_running(const struct hostfs *fs)
{
	char path[64], text[64];
	uint64_t pid;

	if (hostfs_u64(fs->root, TUNED_PID, &pid) < 0)
		return false;
	snprintf(path, sizeof(path), "proc/%llu/status", (unsigned long long)pid);
	// its number may be another's by now
	return hostfs_line(fs->root, path, text, sizeof(text)) == 0 && str_eq(text, "Name:\ttuned");
}

// Several may be chosen at once: "cpu-partitioning mine".
static void read_profile(const struct hostfs *fs, struct host_tuned *t)
{
	char line[512], *save = NULL;

	if (hostfs_line(fs->root, TUNED_ACTIVE, line, sizeof(line)) < 0)
		return;
	for (char *w = strtok_r(line, " \t", &save); w != NULL; w = strtok_r(NULL, " \t", &save)) {
		if (!str_starts(w, PROFILE))
			continue;
		snprintf(t->profile, sizeof(t->profile), "%s", w);
		str_plain(t->profile);
		t->active = is_running(fs);
		return;
	}
}

// What is no list of CPUs for us may be one for tuned ("2-19,^4", a mask, a function): what it made of it when the machine
// booted is on the kernel's command line, as a mask of the others.
static bool read_result(const struct hostfs *fs, struct idset *ret)
{
	static const char key[] = "tuned.non_isolcpus=";
	char line[4096], *save = NULL;
	struct idset others;

	if (hostfs_line(fs->root, "proc/cmdline", line, sizeof(line)) < 0
	    || hostfs_idset(fs->root, "sys/devices/system/cpu/online", IDSET_MAX, ret) != 0)
		return false;
	for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (!str_starts(w, key) || host_parse_mask(w + strlen(key), &others) < 0)
			continue;
		idset_andnot(ret, &others);
		return true;
	}
	return false;
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
	t->known = t->cores[0] == '\0' || idset_parse(t->cores, &t->isolated, &unused) == 0
		   || read_result(fs, &t->isolated);
	if (!t->known || t->cores[0] == '\0')
		t->isolated = (struct idset){0};
}

void host_tuned(const struct hostfs *fs, struct host_tuned *ret)
{
	*ret = (struct host_tuned){0};
	read_profile(fs, ret);
	read_cores(fs, ret);
}

char *host_tuned_cure(
	const struct host_tuned *t, const struct idset *cpus, char ret[static TUNED_CURE_LEN]
)
{
	const char *profile = t->profile[0] != '\0' ? t->profile : PROFILE;
	struct idset all = t->isolated;
	char list[TUNED_CURE_LEN - 128];

	idset_or(&all, cpus);
	snprintf(
		ret,
		TUNED_CURE_LEN,
		t->known ? "isolated_cores=%s in " TUNED_VARIABLES ", then tuned-adm profile %s"
			 : "CPUs %s, too, in isolated_cores of " TUNED_VARIABLES
			   ", then tuned-adm profile %s",
		idset_format(&all, list, sizeof(list)),
		profile
	);
	return ret;
}
