// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// --publish: sockets that a program makes and that are reached from the host. What is shared is the directory of
// the socket: a socket is there only when the program has made it, and a name in a directory cannot be shared by itself.

#include "launch/launch.h"

#include "base/scope.h"
#include "base/str.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define FORM "write unix:/run/DIR/SOCKET[,group=GROUP]"

static bool is_word(const char *s)
{
	return s[0] != '\0' && s[0] != '.' && strspn(s, WORD) == strlen(s);
}

// By name, or by number where one is given. Of /etc/group alone: pinfold is linked static.
static int find_group(const char *s, uint32_t *ret, struct err *err)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);
	_cleanup_fclose_ FILE *f = NULL;
	const struct group *g;

	if (*end == '\0' && end != s && s[0] != '-' && v < UINT32_MAX) {
		*ret = (uint32_t)v;
		return 0;
	}
	f = fopen("/etc/group", "re");
	while (f != NULL && (g = fgetgrent(f)) != NULL) {
		if (!str_eq(g->gr_name, s))
			continue;
		*ret = g->gr_gid;
		return 0;
	}
	return err_set(
		err,
		ENOENT,
		"--publish: group '%.64s' is not in /etc/group; name another, or its number",
		s
	);
}

static int set_group(const char *s, struct launch *launch, struct err *err)
{
	uint32_t gid;

	if (!str_starts(s, "group="))
		return err_set(err, EINVAL, "--publish: ',%.64s' is unknown; " FORM, s);
	if (find_group(s + strlen("group="), &gid, err) < 0)
		return -err->code;
	if (launch->published_group && launch->published_gid != gid)
		return err_set(
			err, EINVAL, "--publish: one group is for all sockets of a workload"
		);
	launch->published_group = true;
	launch->published_gid = gid;
	return 0;
}

// Each of its names is plain: what is on the way there is made by pinfold.
static bool is_plain(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	char *rest = copy, *word;

	if (copy == NULL || path[0] != '/')
		return false;
	strsep(&rest, "/");
	while ((word = strsep(&rest, "/")) != NULL) {
		if (!is_word(word))
			return false;
	}
	return true;
}

static int check_place(const char *path, struct err *err)
{
	if (str_starts(path, "/var/run/") || str_starts(path, "/var/tmp/"))
		return err_set(
			err,
			EINVAL,
			"--publish 'unix:%.200s': /var/run and /var/tmp are links; say %.200s",
			path,
			path + strlen("/var")
		);
	if (!is_plain(path) || (!str_starts(path, "/run/") && !str_starts(path, "/tmp/"))
	    || strchr(path + strlen("/run/"), '/') == NULL || str_starts(path, RUN_DIR "/"))
		return err_set(
			err,
			EINVAL,
			"--publish 'unix:%.200s': a socket in a directory of its own below /run or "
			"/tmp (not " RUN_DIR "), as unix:/run/app/ctl.sock",
			path
		);
	return 0;
}

int launch_parse_publish(const char *s, struct launch *launch, struct err *err)
{
	static const char scheme[] = "unix:";
	_cleanup_free_ char *dir = strdup(str_starts(s, scheme) ? s + strlen(scheme) : s);
	struct launch_publish *p = &launch->published[launch->npublished];
	char *group = dir != NULL ? strchr(dir, ',') : NULL, *slash;

	if (dir == NULL)
		return err_oom(err);
	if (!str_starts(s, scheme))
		return err_set(
			err,
			EINVAL,
			"--publish '%.200s': " FORM "; a port of TCP is reached over --netdev",
			s
		);
	if (launch->npublished == LAUNCH_PUBLISHED)
		return err_set(err, E2BIG, "--publish: more than %d", LAUNCH_PUBLISHED);
	if (group != NULL)
		*group++ = '\0';
	if (check_place(dir, err) < 0 || (group != NULL && set_group(group, launch, err) < 0))
		return -err->code;
	slash = strrchr(dir, '/');
	p->file = strdup(slash + 1);
	if (p->file == NULL)
		return err_oom(err);
	*slash = '\0';
	p->name = strrchr(dir, '/') + 1;
	p->dir = steal_ptr(dir);
	launch->npublished++;
	return 0;
}

bool launch_publishes_dir(const struct launch *launch, unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		if (str_eq(launch->published[k].dir, launch->published[i].dir))
			return false;
	}
	return true;
}

// True if one is the other, or lies in it.
static bool meet(const char *a, const char *b)
{
	return launch_is_in(a, b) || launch_is_in(b, a);
}

int launch_check_published(const struct launch *l, struct err *err)
{
	for (unsigned i = 0; i < l->npublished; i++) {
		const struct launch_publish *p = &l->published[i];

		for (unsigned k = 0; k < i; k++) {
			const struct launch_publish *q = &l->published[k];
			bool same = str_eq(p->dir, q->dir);

			if (same && str_eq(p->file, q->file))
				return err_set(
					err, EINVAL, "--publish '%s/%s': twice", p->dir, p->file
				);
			if (!same && (str_eq(p->name, q->name) || meet(p->dir, q->dir)))
				return err_set(
					err,
					EINVAL,
					"--publish: '%s' and '%s' would be one directory of the "
					"host, or one in the other; name them otherwise",
					q->dir,
					p->dir
				);
		}
		for (unsigned k = 0; k < l->nvolumes; k++) {
			if (meet(p->dir, launch_place(l->volumes[k].target)))
				return err_set(
					err,
					EINVAL,
					"--publish '%s/%s': volume '%s' would hide it, or be "
					"hidden",
					p->dir,
					p->file,
					l->volumes[k].target
				);
		}
	}
	return 0;
}
