// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/request.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/wrap.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void cli_print_grant_help(const char *before, bool named, const char *after)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return;
	fprintf(out,
		"%sGrant:\n%s"
		"  --from FILE             a request document; flags add to it\n",
		before,
		named ? "  --grant NAME            a grant made by pinfold grant create\n" : "");
	request_print_help(out);
	fputs(after, out);
	if (fclose(out) == 0)
		wrap_print(text);
}

int cli_set_flag(struct request *req, const char *flag, const char *value, struct err *err)
{
	const char *file = value, *prefix = "";
	_cleanup_free_ char *path = NULL, *full = NULL;

	if (!str_eq(flag, "seccomp") || str_eq(value, "default") || str_eq(value, "aio"))
		return request_set_flag(req, flag, value, err);
	if (str_starts(value, "strict:")) {
		prefix = "strict:";
		file = value + strlen(prefix);
	}
	path = realpath(file, NULL);
	if (path == NULL)
		return err_sys(
			err,
			errno,
			"--seccomp '%s': find '%s' (default, aio, strict:FILE or FILE)",
			value,
			file
		);
	full = str_printf("%s%s", prefix, path);
	return full != NULL ? request_set_flag(req, flag, full, err) : err_oom(err);
}

int cli_take_flag(const struct option_row *o, const char *value, struct err *err)
{
	return request_set_flag(o->to, o->name, value, err);
}

static int take_document(const struct option_row *o, const char *path, struct err *err)
{
	struct cli_wanted *w = o->to;
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *what = str_printf("request '%s'", path);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc((1u << 20) + 1);
	size_t n;

	if (w->any)
		return err_set(err, EINVAL, "--from must come before the flags that add to it");
	if (what == NULL || text == NULL)
		return err_oom(err);
	if (f == NULL)
		return err_sys(err, errno, "read %s", what);
	n = fread(text, 1, (1u << 20) + 1, f);
	if (jread_parse(text, n, what, &doc, err) < 0)
		return -err->code;
	w->any = true;
	return request_from_json(doc, what, &w->request, err);
}

static int take_wanted(const struct option_row *o, const char *value, struct err *err)
{
	struct cli_wanted *w = o->to;

	w->any = w->any || !w->not_for_name || !str_eq(o->name, "name");
	return cli_set_flag(&w->request, o->name, value, err);
}

void cli_flag_rows(struct option_row *rows, option_take *take, void *to)
{
	for (size_t i = 0; request_flag(i) != NULL; i++)
		options_add(rows, &(struct option_row){request_flag(i), .take = take, .to = to});
}

void cli_wanted_rows(struct option_row *rows, struct cli_wanted *w)
{
	options_add(rows, &(struct option_row){"from", .take = take_document, .to = w});
	cli_flag_rows(rows, take_wanted, w);
}

int cli_open_host(struct hostfs *ret, struct err *err)
{
	return hostfs_open(cli_host_tree != NULL ? cli_host_tree : "/", ret, err);
}

// Whoever is not root has his keeper start it.
static int choose_site(struct cli_start *s, enum cli_start_kind kind, struct err *err)
{
	struct site kept = site_of(PLACE_KEPT);

	if (kind != CLI_START_RUN || s->definition == NULL || geteuid() == 0)
		return 0;
	if (s->launch.site.place != PLACE_CONTAINER)
		return err_set(err, EPERM, "--in %s is %s", s->launch.site.name, kept.refusal);
	s->launch.site = kept;
	return 0;
}

static int check_start(const struct cli_start *s, enum cli_start_kind kind, struct err *err)
{
	if (s->definition != NULL && s->any)
		return err_set(
			err,
			EINVAL,
			"--grant %s says all of the grant; leave the other grant flags out",
			s->definition
		);
	if (kind == CLI_START_RECORD && s->launch.restart.when != RESTART_NO)
		return err_set(err, EINVAL, "record runs the program once, without --restart");
	if (s->request.kind == GRANT_POOL)
		return err_set(err, EINVAL, "a pool runs nothing; use it with --shared-cpus");
	return launch_check(&s->launch, err);
}

// Of one that asks for no CPU and has an option of ours behind its program: that was not meant.
static int check_order(
	const struct cli_start *s, char *const *argv, const struct option_row *rows, struct err *err
)
{
	const struct request *req = &s->request;
	char *const *program = s->launch.argv;

	if (s->definition != NULL || !idset_empty(&req->cpus) || req->cpu_count > 0
	    || req->shared_pool[0] != '\0' || program[0] == NULL)
		return 0;
	for (size_t i = 1; program[i] != NULL; i++) {
		size_t len = strcspn(program[i], "=");

		for (const struct option_row *o = rows; o->name != NULL; o++) {
			if (str_starts(program[i], "--") && strlen(o->name) + 2 == len
			    && strncmp(program[i] + 2, o->name, len - 2) == 0)
				return err_set(
					err,
					EINVAL,
					"%s: '--%s' stands after the program '%.64s' and is the "
					"program's; options of pinfold come before it",
					argv[0],
					o->name,
					program[0]
				);
		}
	}
	return 0;
}

int cli_parse_start(
	int argc, char **argv, enum cli_start_kind kind, struct cli_start *ret, struct err *err
)
{
	struct option_row rows[OPTIONS_MAX + 1] = {
		{"help", 'h'}, {"grant", .text = &ret->definition}};
	int r;

	ret->launch.site = site_of(PLACE_CONTAINER);
	ret->not_for_name = true;
	launch_rows(rows, &ret->launch, NULL);
	if (kind == CLI_START_RECORD)
		options_add(rows, &(struct option_row){"output", 'o', .text = &ret->output});
	if (kind == CLI_START_PLAN)
		options_add(rows, &(struct option_row){"format", .text = &ret->format});
	cli_wanted_rows(rows, (struct cli_wanted *)ret);
	r = cli_read_options(argc, argv, false, rows, err);
	if (r != 0)
		return r;
	ret->launch.argv = argv + optind;
	if (check_order(ret, argv, rows, err) < 0 || choose_site(ret, kind, err) < 0)
		return -err->code;
	return check_start(ret, kind, err);
}
