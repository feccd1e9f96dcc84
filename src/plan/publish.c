// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Directories of a container whose sockets are reached from the host. They lie on a file system of their own, so that
// what is written there fills none of the host's, under a directory that the container does not see: who of the host
// may pass there is not for it to say, and links that it makes are followed by nobody.

#include "base/scope.h"
#include "plan/make.h"

#include <string.h>
#include <sys/un.h>

// Room for the files that EAL has beside its sockets.
#define PUBLISH_OPTIONS "size=8m,nr_inodes=256,mode=0700"

static int check_length(const char *top, const struct launch_publish *s, struct err *err)
{
	const struct sockaddr_un to;
	size_t n = strlen(top) + strlen(s->name) + strlen(s->file) + 2;

	if (n < sizeof(to.sun_path))
		return 0;
	return err_set(
		err,
		ENAMETOOLONG,
		"--publish '%s/%s': '%s/%s/%s' of the host is longer than the %zu that a socket's "
		"path may have; shorten a name",
		s->dir,
		s->file,
		top,
		s->name,
		s->file,
		sizeof(to.sun_path) - 1
	);
}

int plan_publish(struct plan *p, struct err *err)
{
	const struct launch *l = p->launch;
	const bool group = l->published_group;
	const uint32_t gid = group ? l->published_gid : 0;
	_cleanup_free_ char *top = str_printf(PUBLISH_DIR "/%s", p->lease.grant.name);
	struct step *s;

	if (l->npublished == 0)
		return 0;
	if (top == NULL)
		return err_oom(err);
	if (lease_note(&p->lease, "publish", top, err) < 0)
		return -err->code;
	s = plan_step(p, STEP_PUBLISH, STEP_HOST, strdup(top), strdup(PUBLISH_OPTIONS));
	s->mode = group ? 0710 : 0700;
	s->gid = gid;
	for (unsigned i = 0; i < l->npublished; i++) {
		if (check_length(top, &l->published[i], err) < 0)
			return -err->code;
		plan_note(
			p,
			"'%s/%s' is '%s/%s/%s' of the host while it runs, for root%s: what answers "
			"there is the program",
			l->published[i].dir,
			l->published[i].file,
			top,
			l->published[i].name,
			l->published[i].file,
			group ? " and the group" : ""
		);
		if (!launch_publishes_dir(l, i))
			continue;
		s = plan_step(
			p, STEP_DIR, STEP_HOST, str_printf("%s/%s", top, l->published[i].name), NULL
		);
		// what is made there is the group's
		s->mode = group ? 02755 : 0755;
		s->uid = p->lease.uid_base + plan_uid(p);
		s->gid = group ? gid : p->lease.uid_base + plan_gid(p);
	}
	return 0;
}
