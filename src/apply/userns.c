// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Making a user namespace whose owner is not root, and which is found at a path.

#include "apply/apply.h"
#include "apply/ns_maker.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

// What there may be of each in the namespace, whoever asks for it: /proc/sys/user/max_…. A runtime makes
// namespaces of its own in it, once for each container.
static const struct {
	const char *name, *value;
} maxima[] = {
	{"cgroup_namespaces", "32"},
	{"fanotify_groups", "0"},
	{"fanotify_marks", "0"},
	{"inotify_instances", "128"},
	{"inotify_watches", "65536"},
	{"ipc_namespaces", "32"},
	{"mnt_namespaces", "32"},
	{"net_namespaces", "32"},
	{"pid_namespaces", "32"},
	{"time_namespaces", "0"},
	{"user_namespaces", "0"},
	{"uts_namespaces", "32"},
};

// Limits of who makes a namespace that the kernel keeps as the namespace's.
static const struct {
	const char *name;
	int resource;
} kept[] = {
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
};

static const char doing[] = "make user namespace";

struct want {
	uint32_t owner;
	char uid_map[128], gid_map[4096];
	rlim_t limits[ARRAY_LEN(kept)];
	bool limited[ARRAY_LEN(kept)];
};

static bool parse_limit(const char *word, struct want *w)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		size_t n = strlen(kept[i].name);
		unsigned long long value;

		if (strncmp(word, kept[i].name, n) != 0 || sscanf(word + n, "=%llu", &value) != 1)
			continue;
		w->limits[i] = value;
		w->limited[i] = true;
		return true;
	}
	return false;
}

// "uid=0:1879048192:65536 gid=… RLIMIT_…=VALUE …", as plan/userns.c writes it.
static int parse(const struct step *s, struct want *ret, struct err *err)
{
	_cleanup_free_ char *copy = strdup(s->value);
	struct want w = {.owner = s->uid};

	if (copy == NULL)
		return err_oom(err);
	str_foreach (word, copy, " ") {
		bool uid = str_starts(word, "uid=");
		char *map = uid ? w.uid_map : w.gid_map;
		size_t room = uid ? sizeof(w.uid_map) : sizeof(w.gid_map), used = strlen(map);
		unsigned long long inside, outside, count;

		if ((uid || str_starts(word, "gid="))
		    && sscanf(word + 4, "%llu:%llu:%llu", &inside, &outside, &count) == 3
		    && snprintf(map + used, room - used, "%llu %llu %llu\n", inside, outside, count)
			       < (int)(room - used))
			continue;
		if (parse_limit(word, &w))
			continue;
		return err_set(err, EINVAL, "%s: '%s' is not understood", doing, word);
	}
	*ret = w;
	return 0;
}

// A kernel without one of the files has no such limit, nor what it would limit.
static int set_maxima(struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		char path[64];
		int r;

		snprintf(path, sizeof(path), "/proc/sys/user/max_%s", maxima[i].name);
		r = fs_write_value(path, maxima[i].value);
		if (r < 0 && r != -ENOENT)
			return err_sys(err, -r, "%s: write '%s'", doing, path);
	}
	return 0;
}

// As the owner, whose limits the namespace keeps. It gives up no capability: without them some kernels
// let nobody make a namespace.
static int enter(const void *arg, struct err *err)
{
	const struct want *w = arg;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const struct rlimit l = {w->limits[i], w->limits[i]};

		if (w->limited[i] && setrlimit((__rlimit_resource_t)kept[i].resource, &l) < 0)
			return err_sys(err, errno, "%s: set %s", doing, kept[i].name);
	}
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0
	    || setresuid((uid_t)-1, w->owner, (uid_t)-1) < 0 || unshare(CLONE_NEWUSER) < 0)
		return err_sys(err, errno, "%s", doing);
	return set_maxima(err);
}

// Begun by the supervisor, for the child that it forks next.
static struct maker maker;

static const struct step *find_step(const struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		if (p->steps[i].kind == STEP_USERNS)
			return &p->steps[i];
	}
	return NULL;
}

int apply_userns_begin(const struct plan *p, struct err *err)
{
	const struct step *s = find_step(p);
	struct want w;

	if (s == NULL)
		return 0;
	if (parse(s, &w, err) < 0)
		return -err->code;
	return maker_begin(&maker, enter, &w, err);
}

void apply_userns_end(void)
{
	maker_end(&maker);
}

int apply_userns(const struct step *s, struct err *err)
{
	struct want w;

	if (maker.pid == 0)
		return err_set(err, ESRCH, "%s: it was not begun", doing);
	if (parse(s, &w, err) < 0 || maker_wait(&maker, doing, err) < 0
	    || maker_map(&maker, doing, "uid_map", w.uid_map, err) < 0
	    || maker_map(&maker, doing, "gid_map", w.gid_map, err) < 0)
		return -err->code;
	return maker_keep(&maker, "user", "user", s->path, err);
}
