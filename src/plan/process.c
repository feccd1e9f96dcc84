// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A process of a container: its command, environment and rights.

#include "base/jread.h"
#include "base/scope.h"
#include "plan/make.h"

#include <stdio.h>

json_t *process_args(
	const struct site *site,
	const char *command,
	bool terminal,
	const char *const *more,
	char *const *argv
)
{
	json_t *args = json_pack("[s, s]", INSIDE, command);

	for (unsigned i = 0; i < site->njoins; i++) {
		json_array_append_new(args, json_string("--join-fd"));
		json_array_append_new(args, json_sprintf("%u", (unsigned)site->join_fd + i));
	}
	// the supervisor reads there whether the program could be executed
	json_array_append_new(args, json_string("--status-fd"));
	json_array_append_new(args, json_sprintf("%d", site->status_fd));
	// and sends input and output there: the runtime, which would keep them open, does not get them
	if (!terminal)
		json_array_append_new(args, json_string("--streams"));
	for (; more != NULL && *more != NULL; more++)
		json_array_append_new(args, json_string(*more));
	json_array_append_new(args, json_string("--"));
	for (; *argv != NULL; argv++)
		json_array_append_new(args, json_string(*argv));
	return args;
}

unsigned process_user(
	const struct site *site,
	uint32_t uid,
	uint32_t gid,
	char buf[static 32],
	const char *ret[static PROCESS_USER]
)
{
	if (!site_has(site, SITE_GUEST))
		return 0;
	snprintf(buf, 16, "%u", uid);
	snprintf(buf + 16, 16, "%u", gid);
	ret[0] = "--uid";
	ret[1] = buf;
	ret[2] = "--gid";
	ret[3] = buf + 16;
	return PROCESS_USER;
}

json_t *process_env(
	const struct site *site,
	const char *hostname,
	bool terminal,
	unsigned nenv,
	const char *const *more
)
{
	json_t *env = json_array();

	for (const char *const *e = site->environment; *e != NULL; e++)
		json_array_append_new(env, json_string(*e));
	if (hostname != NULL)
		json_array_append_new(env, json_sprintf("HOSTNAME=%s", hostname));
	if (terminal)
		json_array_append_new(env, json_string("TERM=xterm"));
	for (unsigned i = 0; i < nenv; i++)
		json_array_append_new(env, json_string(more[i]));
	return env;
}

// The sockets of links must be writable for the group that both ends share.
mode_t process_umask(const struct grant *g)
{
	return g->nlinks > 0 ? 0002 : 0022;
}

json_t *process_of(
	const struct lease *lease,
	const struct host_limits *limits,
	bool terminal,
	uint32_t uid,
	uint32_t gid,
	const char *cwd,
	json_t *args,
	json_t *env
)
{
	const struct grant *g = &lease->grant;
	json_t *groups = json_array(), *doc;

	for (unsigned i = 0; i < g->nlinks; i++)
		json_array_append_new(groups, json_integer((int)(PLAN_LINK_GID + i)));
	doc = json_pack(
		"{s:b, s:{s:i, s:i, s:i, s:o}, s:o, s:o, s:s, s:o, s:b}",
		"terminal",
		terminal,
		"user",
		"uid",
		(int)plan_id(lease, uid),
		"gid",
		(int)plan_id(lease, gid),
		"umask",
		(int)process_umask(g),
		"additionalGids",
		groups,
		"args",
		args,
		"env",
		env,
		"cwd",
		cwd != NULL ? cwd : "/",
		"capabilities",
		rights_capabilities(g),
		"noNewPrivileges",
		1
	);
	if (lease->site.runtime.kind->sets_limits)
		json_object_set_new(
			doc, "rlimits", plan_rlimits_json(g, limits, lease->site.locked)
		);
	return doc;
}

int process_check_text(const char *what, const char *s, struct err *err)
{
	_cleanup_json_ json_t *j = json_string(s);

	return j != NULL ? 0 : err_set(err, EINVAL, "%s '%.64s' is not UTF-8", what, s);
}

int process_check(char *const *argv, unsigned nenv, const char *const *env, struct err *err)
{
	int r = 0;

	for (char *const *a = argv; r == 0 && *a != NULL; a++)
		r = process_check_text("argument", *a, err);
	for (unsigned i = 0; r == 0 && i < nenv; i++)
		r = process_check_text("environment", env[i], err);
	return r;
}
