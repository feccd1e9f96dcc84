// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The options of a command line that say what is launched, and where.

#include "launch/launch.h"

#include "base/scope.h"
#include "base/str.h"

#include <string.h>
#include <sys/stat.h>

const char launch_help[] =
	"\nProgram:\n"
	"  --in container|host     host: the grant's cgroups and views, no other fence\n"
	"  --image DIR|NAME        root file system; without it /usr, /etc and /opt of the host\n"
	"  -v HOST:TARGET[:ro]     show a file or directory of the host\n"
	"  -e NAME=VALUE           environment\n"
	"  -u, --user UID[:GID]|NAME  in the container; default 0, which is nobody outside\n"
	"  --hostname NAME         default: the name of the grant\n"
	"  -i                      keep standard input; else it is /dev/null\n"
	"  -t                      a terminal of its own, also where the caller has none; keys "
	"with -i\n"
	"  -d                      in the background; output goes to pinfold logs\n"
	"  --runtime PATH          crun or runc; default: the first that is installed\n"
	"  --apparmor PROFILE|unconfined  default: pinfold-default, where it is loaded\n"
	"  --allow-missing=LIMIT[,LIMIT]  run without a limit that this host cannot enforce\n";

static const struct option options[] = {
	{"in", required_argument, NULL, 'I'},
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

size_t launch_options(struct option *longs, size_t n)
{
	size_t i;

	for (i = 0; i < n && i < ARRAY_LEN(options); i++)
		longs[i] = options[i];
	return i;
}

// Only what a place is asked for by: whether a user's keeper starts it is not for him to say.
static int set_place(const char *s, struct launch *launch, struct err *err)
{
	static const enum site_place known[] = {PLACE_CONTAINER, PLACE_HOST};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct site site = site_of(known[i]);

		if (!str_eq(s, site.name))
			continue;
		launch->site = site;
		return 0;
	}
	return err_set(err, EINVAL, "--in '%s': container or host", s);
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

int launch_set_hostname(const char *s, struct launch *launch, struct err *err)
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

bool launch_option(struct launch *l, int c, const char *value, int *ret, struct err *err)
{
	*ret = 0;
	switch (c) {
	case 'I':
		*ret = set_place(value, l, err);
		return true;
	case 'm':
		*ret = set_image(value, l, err);
		return true;
	case 'v':
		*ret = launch_parse_volume(value, l, err);
		return true;
	case 'e':
		*ret = launch_parse_env(value, l->env, &l->nenv, err);
		return true;
	case 'H':
		*ret = launch_set_hostname(value, l, err);
		return true;
	case 'M':
		*ret = launch_parse_allow_missing(value, l, err);
		return true;
	case 'A':
		*ret = set_apparmor(value, l, err);
		return true;
	case 'u':
		l->user = value;
		return true;
	case 'R':
		l->runtime = value;
		return true;
	case 'i':
		l->interactive = true;
		return true;
	case 't':
		l->terminal = true;
		return true;
	case 'd':
		l->detached = true;
		return true;
	}
	return false;
}

static unsigned asked(const struct launch *l)
{
	return (l->image != NULL ? ASK_IMAGE : 0) | (l->nvolumes > 0 ? ASK_VOLUMES : 0)
	       | (l->user != NULL ? ASK_USER : 0) | (l->hostname != NULL ? ASK_HOSTNAME : 0)
	       | (l->terminal ? ASK_TERMINAL : 0) | (l->runtime != NULL ? ASK_RUNTIME : 0)
	       | (l->apparmor != NULL ? ASK_APPARMOR : 0)
	       | (l->allow_missing != 0 ? ASK_WAIVER : 0);
}

int launch_check(const struct launch *l, struct err *err)
{
	if (l->detached && (l->terminal || l->interactive))
		return err_set(
			err, EINVAL, "-d does not go with -i or -t: nobody would be at the terminal"
		);
	if ((asked(l) & ~l->site.may) != 0)
		return err_set(err, EINVAL, "%s", l->site.refusal);
	return 0;
}
