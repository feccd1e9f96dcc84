// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold-runtime: an OCI runtime for engines, in front of crun or runc. What is none of its business it becomes at
// once, with arguments, descriptors and environment as they are: whoever started it cannot tell.

#include "base/begin.h"
#include "base/fs.h"
#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "runtime/claim.h"
#include "runtime/command.h"
#include "runtime/container.h"
#include "runtime/derive.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FAILED 1 // as runtimes say it

// An engine shows its user what a runtime's log says last, or its standard error.
static void log_error(const struct command *c, const char *msg)
{
	_cleanup_close_ int fd =
		c->log != NULL ? open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
	_cleanup_json_ json_t *line = NULL;
	_cleanup_free_ char *text = NULL;
	time_t now = time(NULL);
	struct tm tm;
	char at[32];

	if (fd < 0)
		return;
	strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	line = json_pack("{s:s, s:s, s:s}", "msg", msg, "level", "error", "time", at);
	text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
	if (c->log_format != NULL && str_eq(c->log_format, "json") && text != NULL)
		dprintf(fd, "%s\n", text);
	else
		dprintf(fd, "%s: %s\n", at, msg);
}

static int fail(const struct command *c, const struct err *err)
{
	char msg[sizeof(err->msg) + 32];

	snprintf(msg, sizeof(msg), "pinfold-runtime: %s", err->msg);
	str_plain(msg);
	fprintf(stderr, "%s\n", msg);
	log_error(c, msg);
	return FAILED;
}

// The config.json that the runtime will read: absolute. -errno.
static int config_of(const struct command *c, char ret[static PATH_MAX])
{
	_cleanup_free_ char *path = c->config != NULL && c->config[0] == '/'
					    ? strdup(c->config)
					    : str_printf(
						    "%s/%s",
						    c->bundle != NULL ? c->bundle : ".",
						    c->config != NULL ? c->config : "config.json"
					    );

	return path == NULL ? -ENOMEM : realpath(path, ret) == NULL ? -errno : 0;
}

static int make_on(
	const struct hostfs *fs,
	const struct below *below,
	const struct command *c,
	int *ret_status,
	struct err *err
)
{
	_cleanup_json_ json_t *spec = NULL;
	_cleanup_free_ char *text = NULL;
	char config[PATH_MAX];
	struct claim claim = {0};
	bool claims;
	size_t len;
	int r;

	// what cannot be read the runtime cannot either, and says so in its own words
	if (config_of(c, config) < 0)
		return 0;
	r = fs_read_file(config, JDOC_MAX, &text, &len);
	// but one that is too large here it does read, and a grant in it would be passed over
	if (r == -EFBIG || r == -E2BIG)
		return err_set(
			err,
			EFBIG,
			"'%s' is larger than %u MiB, and may name a grant",
			config,
			JDOC_MAX >> 20
		);
	if (r < 0)
		return 0;
	claims = claim_possible(text, len);
	// without root nothing can be added to what an engine gave
	if (!claims && (!container_by_root() || !derive_possible(text, len, fs)))
		return 0;
	if (jdoc_parse(text, len, "config.json", &spec, err) < 0)
		return claims ? -err->code : 0;
	// what it was given counts like anybody's: whoever starts it may have written that it is such a container
	if (!claim_is_for_others(spec) && claim_read(spec, &claim, err) < 0)
		return -err->code;
	if (claim.name == NULL && (!container_by_root() || !derive_needed(spec, fs)))
		return 0;
	if (command_is(c, "restore"))
		return err_set(
			err,
			EOPNOTSUPP,
			"restore container '%.200s': one with a grant is made anew",
			c->id != NULL ? c->id : ""
		);
	return container_make(below, c, config, spec, &claim, ret_status, err) < 0 ? -err->code : 1;
}

// 1: made, with the runtime's *ret_status. 0: it claims nothing.
static int make(
	const struct below *below, const struct command *c, int *ret_status, struct err *err
)
{
	struct hostfs fs;
	int r;

	if (hostfs_open("/", &fs, err) < 0)
		return -err->code;
	r = make_on(&fs, below, c, ret_status, err);
	hostfs_close(&fs);
	return r;
}

int main(int, char **argv)
{
	struct below below;
	struct command c;
	struct err err;
	int status = FAILED, r;

	begin_process();
	r = below_find(&below, &err);
	command_read(argv, below.grammar, &c);
	if (r < 0)
		return fail(&c, &err);
	if (command_makes(&c))
		r = make(&below, &c, &status, &err);
	else if (command_is(&c, "delete") && container_has_grant(&c))
		r = container_delete(&below, &c, &status, &err) < 0 ? -err.code : 1;
	else if ((command_is(&c, "update") || command_is(&c, "checkpoint")) && container_has_grant(&c))
		r = container_check(&c, &err);
	if (r > 0)
		return status;
	if (r == 0)
		below_exec(&below, argv, &err);
	return fail(&c, &err);
}
