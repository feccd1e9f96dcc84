// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/request.h"

#include "base/jread.h"
#include "base/scope.h"
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void cli_print_grant_help(const char *before, const char *after)
{
	printf("%sGrant:\n"
	       "  --grant NAME            a grant made by pinfold grant create\n"
	       "  --from FILE             a request document; flags add to it\n",
	       before);
	request_print_help(stdout);
	fputs(after, stdout);
}

size_t cli_request_options(struct option *longs, size_t n)
{
	size_t i;

	for (i = 0; i < n && request_flag(i) != NULL; i++)
		longs[i] = (struct option){
			request_flag(i), required_argument, NULL, CLI_REQUEST_FLAG + (int)i};
	return i;
}

int cli_set_flag(struct request *req, int index, const char *value, struct err *err)
{
	const char *flag = request_flag((size_t)index), *file = value, *prefix = "";
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

int cli_read_request(const char *path, struct request *ret, struct err *err)
{
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *what = str_printf("request '%s'", path);
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc((1u << 20) + 1);
	size_t n;

	if (what == NULL || text == NULL)
		return err_oom(err);
	if (f == NULL)
		return err_sys(err, errno, "read %s", what);
	n = fread(text, 1, (1u << 20) + 1, f);
	if (jread_parse(text, n, what, &doc, err) < 0)
		return -err->code;
	return request_from_json(doc, what, ret, err);
}

int cli_open_host(struct hostfs *ret, struct err *err)
{
	return hostfs_open(cli_host_tree != NULL ? cli_host_tree : "/", ret, err);
}

static int set_place(const char *s, struct launch *launch, struct err *err)
{
	if (str_eq(s, "container"))
		launch->place = LEASE_CONTAINER;
	else if (str_eq(s, "host"))
		launch->place = LEASE_HOST;
	else
		return err_set(err, EINVAL, "--in '%s': container or host", s);
	return 0;
}

static int set_image(const char *s, struct launch *launch, struct err *err)
{
	// a name without a slash is an image made by pinfold image build
	char *path = strchr(s, '/') != NULL ? realpath(s, NULL)
					    : str_printf("/var/lib/pinfold/images/%s", s);
	struct stat st;

	if (path == NULL || stat(path, &st) < 0) {
		free(path);
		return err_sys(err, errno, "open image '%s'", s);
	}
	if (!S_ISDIR(st.st_mode)) {
		free(path);
		return err_sys(err, ENOTDIR, "open image '%s'", s);
	}
	launch->image = path;
	return 0;
}

static int set_hostname(const char *s, struct launch *launch, struct err *err)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	if (s[0] == '\0' || strlen(s) > 63 || strspn(s, ok) != strlen(s))
		return err_set(err, EINVAL, "--hostname '%s': 1 to 63 letters, digits, . and -", s);
	launch->hostname = s;
	return 0;
}

static int set_apparmor(const char *s, struct launch *launch, struct err *err)
{
	static const char ok[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (s[0] == '\0' || strlen(s) > 100 || strspn(s, ok) != strlen(s))
		return err_set(
			err, EINVAL, "--apparmor '%.64s': the name of a profile, or unconfined", s
		);
	launch->apparmor = s;
	return 0;
}

static int launch_option(int c, const char *value, struct cli_start *s, struct err *err)
{
	switch (c) {
	case 'I':
		return set_place(value, &s->launch, err);
	case 'm':
		return set_image(value, &s->launch, err);
	case 'v':
		return launch_parse_volume(value, &s->launch, err);
	case 'e':
		return launch_parse_env(value, s->launch.env, &s->launch.nenv, err);
	case 'H':
		return set_hostname(value, &s->launch, err);
	case 'M':
		return launch_parse_allow_missing(value, &s->launch, err);
	case 'A':
		return set_apparmor(value, &s->launch, err);
	case 'o':
		s->output = value;
		break;
	case 'u':
		s->user = value;
		break;
	case 'R':
		s->launch.runtime = value;
		break;
	case 'g':
		s->definition = value;
		break;
	case 'F':
		s->format = value;
		break;
	case 'i':
		s->launch.interactive = true;
		break;
	case 't':
		s->launch.terminal = true;
		break;
	case 'd':
		s->launch.detached = true;
		break;
	}
	return 0;
}

static int check_start(const struct cli_start *s, struct err *err)
{
	const struct launch *l = &s->launch;

	if (s->definition != NULL && s->any_request_flag)
		return err_set(
			err,
			EINVAL,
			"--grant %s says all of the grant; leave the other grant flags out",
			s->definition
		);
	if (l->detached && (l->terminal || l->interactive))
		return err_set(
			err, EINVAL, "-d does not go with -i or -t: nobody would be at the terminal"
		);
	if (s->request.kind == GRANT_POOL)
		return err_set(err, EINVAL, "a pool runs nothing; use it with --shared-cpus");
	if (l->place == LEASE_HOST
	    && (l->image != NULL || l->nvolumes > 0 || s->user != NULL || l->hostname != NULL
		|| l->terminal || l->runtime != NULL || l->apparmor != NULL))
		return err_set(
			err,
			EINVAL,
			"--in host runs the program as it is: --image, -v, --user, --hostname, "
			"--runtime, --apparmor and -t are for containers"
		);
	return 0;
}

int cli_parse_start(
	int argc,
	char **argv,
	enum cli_start_kind kind,
	struct cli_start *ret,
	bool *ret_help,
	struct err *err
)
{
	struct option longs[48] = {
		{"help", no_argument, NULL, 'h'},
		{"in", required_argument, NULL, 'I'},
		{"grant", required_argument, NULL, 'g'},
		{"from", required_argument, NULL, 'f'},
		{"image", required_argument, NULL, 'm'},
		{"volume", required_argument, NULL, 'v'},
		{"env", required_argument, NULL, 'e'},
		{"user", required_argument, NULL, 'u'},
		{"hostname", required_argument, NULL, 'H'},
		{"allow-missing", required_argument, NULL, 'M'},
		{"runtime", required_argument, NULL, 'R'},
		{"apparmor", required_argument, NULL, 'A'},
		{"interactive", no_argument, NULL, 'i'},
		{"tty", no_argument, NULL, 't'},
		{"detach", no_argument, NULL, 'd'},
	};
	size_t n = 15;
	const char *shorts = kind == CLI_START_RECORD ? "hv:e:u:itdo:" : "hv:e:u:itd";
	int c;

	*ret_help = false;
	if (kind == CLI_START_RECORD)
		longs[n++] = (struct option){"output", required_argument, NULL, 'o'};
	if (kind == CLI_START_PLAN)
		longs[n++] = (struct option){"format", required_argument, NULL, 'F'};
	cli_request_options(longs + n, ARRAY_LEN(longs) - n - 1);
	optind = 0;
	while ((c = cli_getopt(argc, argv, shorts, longs, err)) != -1) {
		int r = 0;

		if (c == 'h') {
			*ret_help = true;
			return 0;
		}
		if (c == '?')
			return -err->code;
		if (c >= CLI_REQUEST_FLAG) {
			ret->any_request_flag = ret->any_request_flag || c != CLI_REQUEST_FLAG;
			r = cli_set_flag(&ret->request, c - CLI_REQUEST_FLAG, optarg, err);
		} else if (c == 'f') {
			if (ret->any_request_flag)
				return err_set(
					err,
					EINVAL,
					"--from must come before the flags that add to it"
				);
			ret->any_request_flag = true;
			r = cli_read_request(optarg, &ret->request, err);
		} else {
			r = launch_option(c, optarg, ret, err);
		}
		if (r < 0)
			return r;
	}
	ret->launch.argv = argv + optind;
	if (check_start(ret, err) < 0)
		return -err->code;
	return 0;
}
