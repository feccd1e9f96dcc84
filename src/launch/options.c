// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The options of a command line that say what is launched, and where.

#include "launch/config.h"
#include "launch/launch.h"

#include "base/scope.h"
#include "base/str.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

const char launch_help[] =
	"\nProgram:\n"
	"  --in container|vm|host  host: the grant's cgroups and views, no other fence\n"
	"  --image DIR|NAME        root file system; without it /usr, /etc and /opt of the host\n"
	"  -v, --volume HOST:TARGET[:MODE[,MODE]]  show a file or directory of the host; MODE: ro, "
	"rw;\n"
	"                          idmap: what its owner has there is the program's; or owner: "
	"the\n"
	"                          directory, not what is in it, is the program's while it runs\n"
	"  -w, --workdir DIR       where the program runs; default: /, --in host without -d here\n"
	"  -e, --env NAME=VALUE    environment\n"
	"  --publish unix:PATH[,group=GROUP]  a socket that the program makes, as "
	"/run/app/ctl.sock, is\n"
	"                          also /run/pinfold/publish/NAME/app/ctl.sock of the host, for "
	"root\n"
	"                          and the group\n"
	"  --config FILE|DIR|URL   a copy that the program finds; CONFIG in its words is the path\n"
	"  --sha256 HEX            what the file or URL before it must have\n"
	"  -u, --user UID[:GID]|NAME  in the container; default 0, which is nobody outside\n"
	"  --hostname NAME         default: the name of the grant\n"
	"  -i, --interactive       keep standard input; else it is /dev/null\n"
	"  -t, --tty               a terminal of its own, also where the caller has none; keys "
	"with -i\n"
	"  -d, --detach            in the background; output goes to pinfold logs\n"
	"  --restart no|on-failure[:N]|always  start it again when it has ended, N times in a row "
	"at most\n"
	"  --runtime PATH          of crun or runc; default: crun, or runc where there is no crun\n"
	"  --apparmor PROFILE|unconfined  default: pinfold-default, where it is loaded\n"
	"  --security-label LABEL  of SELinux, of its processes, as "
	"system_u:system_r:container_t:s0:c1,c2\n"
	"  --allow-missing=LIMIT[,LIMIT]  run without a limit that this host cannot enforce: "
	"cpuset, memory, pids, hugetlb, hugetlb-rsvd or devices\n"
	"  --accel auto|kvm|tcg    of a virtual machine; tcg emulates its CPUs, slowly\n"
	"  --prealloc yes|no       of a virtual machine: take its hugepages at once (default)\n"
	"  --viommu                of a virtual machine: it has an IOMMU, and its NICs vfio-pci\n"
	"  --first                 of a virtual machine: the program is its first process "
	"(systemd)\n";

// Only what a place is asked for by: whether a user's keeper starts it is not for him to say.
static int set_place(const char *s, struct launch *launch, struct err *err)
{
	static const enum site_place known[] = {PLACE_CONTAINER, PLACE_VM, PLACE_HOST};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct site site = site_of(known[i]);

		if (!str_eq(s, site.name))
			continue;
		launch->site = site;
		return 0;
	}
	return err_set(err, EINVAL, "--in '%s': container, vm or host", s);
}

static int set_image(const char *s, struct launch *launch, struct err *err)
{
	// a name without a slash is an image made by pinfold image build
	char *path = strchr(s, '/') != NULL ? realpath(s, NULL)
					    : str_printf("/var/lib/pinfold/images/%s", s);
	struct stat st;

	if (path == NULL || stat(path, &st) < 0) {
		free(path);
		if (errno == ENOENT && strchr(s, '/') == NULL)
			return err_set(
				err,
				ENOENT,
				"image '%s' is not in /var/lib/pinfold/images; see pinfold image "
				"list",
				s
			);
		return err_sys(err, errno, "open image '%s'", s);
	}
	if (!S_ISDIR(st.st_mode)) {
		free(path);
		return err_sys(err, ENOTDIR, "open image '%s'", s);
	}
	launch->image = path;
	return 0;
}

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

int launch_set_hostname(const char *s, struct launch *launch, struct err *err)
{
	if (s[0] == '\0' || strlen(s) > 63 || strspn(s, WORD) != strlen(s))
		return err_set(err, EINVAL, "--hostname '%s': 1 to 63 letters, digits, . and -", s);
	launch->hostname = s;
	return 0;
}

static int set_apparmor(const char *s, struct launch *launch, struct err *err)
{
	if (s[0] == '\0' || strlen(s) > 100 || strspn(s, WORD "_") != strlen(s))
		return err_set(
			err, EINVAL, "--apparmor '%.64s': the name of a profile, or unconfined", s
		);
	launch->apparmor = s;
	return 0;
}

static int set_label(const char *s, struct launch *launch, struct err *err)
{
	if (!launch_is_label(s, 3))
		return err_set(
			err,
			EINVAL,
			"--security-label '%.64s': USER:ROLE:TYPE or USER:ROLE:TYPE:LEVEL, as in "
			"system_u:system_r:container_t:s0:c1,c2",
			s
		);
	launch->label = s;
	return 0;
}

static int set_env(const char *s, struct launch *launch, struct err *err)
{
	return launch_parse_env(s, launch->env, &launch->nenv, err);
}

static int set_workdir(const char *s, struct launch *launch, struct err *err)
{
	if (s[0] != '/')
		return err_set(err, EINVAL, "--workdir '%s': an absolute path", s);
	launch->workdir = s;
	return 0;
}

static int set_accel(const char *s, struct launch *launch, struct err *err)
{
	if (!str_eq(s, "auto") && !str_eq(s, "kvm") && !str_eq(s, "tcg"))
		return err_set(err, EINVAL, "--accel '%.32s': auto, kvm or tcg", s);
	launch->accel = s;
	return 0;
}

static int set_prealloc(const char *s, struct launch *launch, struct err *err)
{
	if (!str_eq(s, "yes") && !str_eq(s, "no"))
		return err_set(err, EINVAL, "--prealloc '%.32s': yes or no", s);
	launch->no_prealloc = str_eq(s, "no");
	return 0;
}

static int set_restart(const char *s, struct launch *launch, struct err *err)
{
	static const char on_failure[] = "on-failure";
	size_t n = strlen(on_failure);
	struct restart r = {.when = RESTART_ON_FAILURE};
	char *end;

	if (str_eq(s, "no") || str_eq(s, "always")) {
		launch->restart =
			(struct restart){.when = str_eq(s, "no") ? RESTART_NO : RESTART_ALWAYS};
		return 0;
	}
	if (str_starts(s, on_failure) && s[n] == ':' && s[n + 1] >= '1' && s[n + 1] <= '9') {
		r.limit = (unsigned)strtoul(s + n + 1, &end, 10);
		n = strlen(s + n + 1) > 6 ? n : (size_t)(end - s);
	}
	if (!str_starts(s, on_failure) || s[n] != '\0')
		return err_set(
			err,
			EINVAL,
			"--restart '%.32s': no, on-failure, on-failure:N (1 to 999999) or always",
			s
		);
	launch->restart = r;
	return 0;
}

// One that is kept as it is, or that is said without a value.
#define TEXT(member) .text = true, .at = offsetof(struct launch, member)
#define FLAG(member) .flag = true, .at = offsetof(struct launch, member)

static const struct {
	const char *name;
	char letter;
	int (*set)(const char *value, struct launch *launch, struct err *err);
	bool text, flag;
	size_t at;
} options[] = {
	{"in", .set = set_place},
	{"image", .set = set_image},
	{"volume", 'v', launch_parse_volume},
	{"env", 'e', set_env},
	{"config", .set = config_ask},
	{"sha256", .set = config_expect},
	{"user", 'u', TEXT(user)},
	{"publish", .set = launch_parse_publish},
	{"workdir", 'w', set_workdir},
	{"hostname", .set = launch_set_hostname},
	{"allow-missing", .set = launch_parse_allow_missing},
	{"runtime", TEXT(runtime)},
	{"apparmor", .set = set_apparmor},
	{"security-label", .set = set_label},
	{"accel", .set = set_accel},
	{"prealloc", .set = set_prealloc},
	{"viommu", FLAG(viommu)},
	{"first", FLAG(first)},
	{"restart", .set = set_restart},
	{"interactive", 'i', FLAG(interactive)},
	{"tty", 't', FLAG(terminal)},
	{"detach", 'd', FLAG(detached)},
};

static int take(const struct option_row *o, const char *value, struct err *err)
{
	size_t i = 0;

	while (!str_eq(options[i].name, o->name))
		i++;
	return options[i].set(value, o->to, err);
}

static bool is_among(const char *const *names, const char *name)
{
	while (*names != NULL && !str_eq(*names, name))
		names++;
	return *names != NULL;
}

void launch_rows(struct option_row *rows, struct launch *launch, const char *const *names)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		void *at = (char *)launch + options[i].at;
		const struct option_row row = {
			.name = options[i].name,
			.letter = options[i].letter,
			.flag = options[i].flag ? at : NULL,
			.text = options[i].text ? at : NULL,
			.take = options[i].set != NULL ? take : NULL,
			.to = launch,
		};

		if (names == NULL || is_among(names, row.name))
			options_add(rows, &row);
	}
}

// Who the files of a volume belong to is said.
static bool any_ids(const struct launch *l)
{
	bool any = false;

	for (unsigned i = 0; i < l->nvolumes; i++)
		any = any || l->volumes[i].idmap || l->volumes[i].owner;
	return any;
}

// "--user and -v", of what is asked for and the site has not. Returns how many.
static unsigned add_refused(const struct launch *l, char *ret, size_t len)
{
	const struct {
		bool asked;
		unsigned what;
		const char *name;
	} all[] = {
		{l->image != NULL, ASK_IMAGE, "--image"},
		{l->nvolumes > 0, ASK_VOLUMES, "-v"},
		{l->config_files != NULL, ASK_CONFIG, "--config"},
		{l->user != NULL, ASK_USER, "--user"},
		{l->hostname != NULL, ASK_HOSTNAME, "--hostname"},
		{l->terminal, ASK_TERMINAL, "-t"},
		{l->runtime != NULL, ASK_RUNTIME, "--runtime"},
		{l->apparmor != NULL, ASK_APPARMOR, "--apparmor"},
		{l->label != NULL, ASK_LABEL, "--security-label"},
		{l->allow_missing != 0, ASK_WAIVER, "--allow-missing"},
		{l->workdir != NULL, ASK_WORKDIR, "--workdir"},
		{any_ids(l), ASK_IDMAP, "idmap or owner of -v"},
		{l->restart.when != RESTART_NO, ASK_RESTART, "--restart"},
		{l->npublished > 0, ASK_PUBLISH, "--publish"},
		{l->accel != NULL, ASK_GUEST, "--accel"},
		{l->no_prealloc, ASK_GUEST, "--prealloc"},
		{l->viommu, ASK_GUEST, "--viommu"},
		{l->first, ASK_GUEST, "--first"},
	};
	unsigned n = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!all[i].asked || (all[i].what & l->site.may) != 0)
			continue;
		str_add(ret, len, " and ", "%s", all[i].name);
		n++;
	}
	return n;
}

int launch_check(const struct launch *l, struct err *err)
{
	char refused[256];
	unsigned n;

	if (l->detached && (l->terminal || l->interactive))
		return err_set(
			err, EINVAL, "-d does not go with -i or -t: nobody would be at the terminal"
		);
	if (l->restart.when != RESTART_NO && (l->terminal || l->interactive))
		return err_set(
			err, EINVAL, "--restart does not go with -i or -t: its input ends with it"
		);
	n = add_refused(l, refused, sizeof(refused));
	if (n > 0)
		return err_set(
			err, EINVAL, "%s %s %s", refused, n == 1 ? "is" : "are", l->site.refusal
		);
	return launch_check_published(l, err);
}
