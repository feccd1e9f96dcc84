// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/tuned.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/tuned_profile.h"

#include <stdio.h>
#include <string.h>

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

// Several may be chosen at once: "balanced mine". Which of them is, or includes, cpu-partitioning.
static void read_profile(const struct hostfs *fs, struct host_tuned *t, struct tuned_profile *p)
{
	char line[sizeof(t->chosen)];

	if (hostfs_line(fs->root, TUNED_ACTIVE, line, sizeof(line)) < 0)
		return;
	snprintf(t->chosen, sizeof(t->chosen), "%s", line);
	str_plain(t->chosen);
	str_foreach (w, line, " \t") {
		tuned_profile_add(p, w);
		if (!p->partitions || t->profile[0] != '\0')
			continue;
		snprintf(t->profile, sizeof(t->profile), "%s", w);
		str_plain(t->profile);
		t->active = is_running(fs);
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

// Also of a profile that is not chosen: as it would be.
static void read_cores(const struct hostfs *fs, struct host_tuned *t, const struct tuned_profile *p)
{
	_cleanup_free_ struct tuned_variables *v = calloc(1, sizeof(*v));
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, TUNED_VARIABLES);
	const struct tuned_variable *cores, *from;
	struct err unused;

	t->installed = f != NULL;
	snprintf(t->file, sizeof(t->file), "%s", TUNED_VARIABLES);
	if (v == NULL)
		return;
	tuned_profile_variables(p, v);
	cores = tuned_variable(v, "isolated_cores");
	from = tuned_variable(&p->written, "include");
	if (cores != NULL)
		snprintf(t->cores, sizeof(t->cores), "%s", cores->value);
	if (cores != NULL || from != NULL)
		snprintf(t->file, sizeof(t->file), "%s", cores != NULL ? cores->file : from->value);
	str_plain(t->cores);
	str_plain(t->file);
	t->known = t->cores[0] == '\0' || idset_parse(t->cores, &t->isolated, &unused) == 0
		   || read_result(fs, &t->isolated);
	if (!t->known || t->cores[0] == '\0')
		t->isolated = (struct idset){0};
}

void host_tuned(const struct hostfs *fs, struct host_tuned *ret)
{
	_cleanup_free_ struct tuned_profile *p = calloc(1, sizeof(*p));
	struct idset unused;

	*ret = (struct host_tuned){0};
	if (p == NULL)
		return;
	*p = (struct tuned_profile){.fs = fs, .guess = read_result(fs, &unused)};
	read_profile(fs, ret, p);
	if (!p->partitions) {
		*p = (struct tuned_profile){.fs = fs};
		tuned_profile_add(p, TUNED_PROFILE);
	}
	read_cores(fs, ret, p);
}

char *host_tuned_cure(
	const struct host_tuned *t, const struct idset *cpus, char ret[static TUNED_CURE_LEN]
)
{
	const char *profiles = t->profile[0] != '\0' ? t->chosen : TUNED_PROFILE;
	struct idset all = t->isolated;
	char list[TUNED_CURE_LEN - 512];

	idset_or(&all, cpus);
	snprintf(
		ret,
		TUNED_CURE_LEN,
		t->known ? "isolated_cores=%s in %s, then tuned-adm profile %s"
			 : "CPUs %s, too, in isolated_cores of %s, then tuned-adm profile %s",
		idset_format(&all, list, sizeof(list)),
		t->file,
		profiles
	);
	return ret;
}
