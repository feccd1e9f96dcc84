// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Where engines put containers, in version 2: one has the controllers that each directory above it passes on
// (Documentation/admin-guide/cgroup-v2.rst). systemd knows no hugetlb, and passes it on nowhere by itself.

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/cgroup.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

// Directories whose children are containers, or, where they are slices, of which some are.
static const char *const parents[] = {
	"docker",
	"libpod_parent",
	"system.slice",
	"machine.slice",
	"kubepods",
	"kubepods/burstable",
	"kubepods/besteffort",
	"kubepods.slice",
	"kubepods.slice/kubepods-burstable.slice",
	"kubepods.slice/kubepods-besteffort.slice",
};

// What engines call a container's directory: a number, alone or between such words.
static bool is_container(const char *name)
{
	static const char *const words[] = {
		"docker-",
		"libpod-",
		"crio-",
		"cri-containerd-",
		"pod",
		"kubepods-pod",
		"kubepods-burstable-pod",
		"kubepods-besteffort-pod"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_starts(name, words[i]))
			return true;
	}
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static bool has_containers(const struct doctor *d, const char *path)
{
	_cleanup_closedir_ DIR *dir = hostfs_opendir(d->fs->root, path);
	const char *name;

	while (dir != NULL && (name = hostfs_next(dir)) != NULL) {
		char child[512], unused[1024];

		snprintf(child, sizeof(child), "%s/%s/cgroup.subtree_control", path, name);
		if (is_container(name)
		    && hostfs_line(d->fs->root, child, unused, sizeof(unused)) == 0)
			return true;
	}
	return false;
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += n) {
		if ((at == text || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	}
	return false;
}

// What is not passed on there, as "cpuset hugetlb". False: there is no such directory.
static bool missing_in(const struct doctor *d, const char *path, char ret[static 128])
{
	char file[400], text[1024];

	snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
	ret[0] = '\0';
	if (hostfs_line(d->fs->root, file, text, sizeof(text)) < 0)
		return false;
	for (size_t i = 0; i < HOST_CONTROLLERS; i++) {
		const struct host_controller *c = &host_controllers[i];

		if ((c->bit & HOST_CG_LIMITS) != 0 && (d->host->cgroup.controllers & c->bit) != 0
		    && !has_word(text, c->name))
			str_add(ret, 128, " ", "%s", c->name);
	}
	return true;
}

// Appends what makes one directory pass on what it does not yet.
static void cure_of(const struct doctor *d, const char *path, char *ret, size_t len)
{
	_cleanup_free_ char *word = str_quote(path);
	char missing[128], add[160] = "";

	missing_in(d, path, missing);
	str_foreach (name, missing, " ")
		str_add(add, sizeof(add), " ", "+%s", name);
	if (add[0] != '\0' && word != NULL)
		str_add(ret, len, " && ", "echo '%s' > %s/cgroup.subtree_control", add, word);
}

// From the root down, since a directory can pass on only what it has.
static void cure(struct doctor *d, const char *parent)
{
	const char *top = d->host->cgroup.mount;
	char path[400], text[1024] = "";
	char *end = path + strlen(top);

	snprintf(path, sizeof(path), "%s/%s", top, parent);
	for (char kept = '/'; kept != '\0'; end += strcspn(end + 1, "/") + 1) {
		kept = *end;
		*end = '\0';
		cure_of(d, path, text, sizeof(text));
		*end = kept;
	}
	doctor_cure(d, "%s", text);
}

void doctor_cgroups_below(struct doctor *d)
{
	const char *top = d->host->cgroup.mount;

	if (d->host->cgroup.version != HOST_CGROUP_V2)
		return;
	for (size_t i = 0; i < ARRAY_LEN(parents); i++) {
		char path[400], missing[128];

		snprintf(path, sizeof(path), "%s/%s", top, parents[i]);
		if (!missing_in(d, path, missing) || !has_containers(d, path))
			continue;
		doctor_find(
			d,
			missing[0] == '\0' ? VERDICT_PASS : VERDICT_WARN,
			"of-containers",
			missing[0] == '\0' ? "containers in /%s have all of them"
					   : "containers in /%s are not limited by: %s",
			parents[i],
			missing
		);
		doctor_read(d, "%s/cgroup.subtree_control", path);
		if (missing[0] != '\0')
			cure(d, parents[i]);
	}
}
