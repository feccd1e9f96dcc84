// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Engines that are installed: whether they can name a grant, and what their system call profile refuses. Their files are
// read, and nothing of theirs is started.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_MAX (1u << 20)
#define DOCKER_FILE "etc/docker/daemon.json"
#define CDI_FILE "etc/cdi/pinfold.json" // of grants that are made for it
#define DPKG "var/lib/dpkg/status"
#define VERSION(major, minor) ((major)*1000u + (minor))

static const struct engine_files {
	const char *name, *program, *config, *also;
	const char *packages[3]; // of Debian's, and the maker's own
	// versions that take CDI devices when they are told to, and that do by themselves; 0: not known here
	unsigned cdi, cdi_usual;
} engines[] = {
	{"docker",
	 "usr/bin/dockerd",
	 DOCKER_FILE,
	 NULL,
	 {"docker.io", "docker-ce", NULL},
	 VERSION(25, 0),
	 VERSION(28, 2)},
	{"podman",
	 "usr/bin/podman",
	 "etc/containers/containers.conf",
	 "etc/containers/containers.conf.d/50-pinfold.conf",
	 {"podman", NULL},
	 VERSION(4, 1),
	 VERSION(4, 1)},
	{"containerd", "usr/bin/containerd", "etc/containerd/config.toml", NULL, {NULL}, 0, 0},
	{"crio",
	 "usr/bin/crio",
	 "etc/crio/crio.conf",
	 "etc/crio/crio.conf.d/50-pinfold.conf",
	 {NULL},
	 0,
	 0},
};

bool doctor_has_engine(const struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		if (doctor_exists(d, engines[i].program))
			return true;
	}
	return false;
}

static char *text_of(const struct doctor *d, const char *path)
{
	char *text = NULL;

	return path != NULL && fs_read(d->fs->root, path, CONFIG_MAX, &text, NULL) == 0 ? text
											: NULL;
}

static bool names_ours(const struct doctor *d, const struct engine_files *e)
{
	_cleanup_free_ char *text = text_of(d, e->config), *also = text_of(d, e->also);

	return (text != NULL && strstr(text, "pinfold-runtime") != NULL)
	       || (also != NULL && strstr(also, "pinfold-runtime") != NULL);
}

// Grants for containers of engines (docs/engines.md) need pinfold-runtime named there.
static void look_at_name(struct doctor *d, const struct engine_files *e)
{
	bool named = names_ours(d, e);

	doctor_find(
		d,
		VERDICT_PASS,
		"engines",
		named ? "%s knows pinfold-runtime"
		      : "%s is there, and its containers have no grants: pinfold-runtime "
			"is not among its runtimes",
		e->name
	);
	doctor_read(d, e->also != NULL ? "/%s, /%s" : "/%s", e->config, e->also);
	if (!named)
		doctor_cure(d, "pinfold runtime configure %s", e->name);
}

static bool is_package(const struct engine_files *e, const char *line)
{
	for (size_t i = 0; e->packages[i] != NULL; i++) {
		size_t n = strlen(e->packages[i]);

		if (strncmp(line, e->packages[i], n) == 0 && line[n] == '\n')
			return true;
	}
	return false;
}

// As dpkg has it, "5:24.0.7-1"; false: it has none of its packages.
static bool version_of(
	const struct doctor *d,
	const struct engine_files *e,
	char *ret,
	size_t len,
	unsigned *number
)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(d->fs->root, DPKG);
	bool ours = false, installed = false;
	char line[1024];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned major, minor;
		const char *colon;

		if (str_starts(line, "Package: ")) {
			ours = is_package(e, line + strlen("Package: "));
			installed = false;
		}
		if (str_starts(line, "Status: "))
			installed = strstr(line, " installed") != NULL;
		if (!ours || !installed || !str_starts(line, "Version: "))
			continue;
		snprintf(ret, len, "%.*s", (int)strcspn(line + 9, "\n"), line + 9);
		colon = strchr(ret, ':');
		if (sscanf(colon != NULL ? colon + 1 : ret, "%u.%u", &major, &minor) != 2)
			return false;
		*number = VERSION(major, minor);
		return true;
	}
	return false;
}

static json_t *docker_config(const struct doctor *d)
{
	_cleanup_free_ char *text = text_of(d, DOCKER_FILE);
	json_t *doc = NULL;
	struct err unused;

	if (text != NULL)
		jread_parse(text, strlen(text), DOCKER_FILE, &doc, &unused);
	return doc;
}

static void cure_cdi(struct doctor *d, const struct engine_files *e, bool new_enough)
{
	if (!new_enough)
		doctor_cure(
			d,
			"%s %u.%u or newer, or grants with --claim-by=env (Docker) or "
			"annotation",
			e->name,
			e->cdi / 1000,
			e->cdi % 1000
		);
	else if (doctor_exists(d, e->config))
		doctor_cure(
			d,
			"\"features\": {\"cdi\": true} in /%s, then: systemctl restart docker",
			e->config
		);
	else
		doctor_cure(
			d,
			"echo '{\"features\": {\"cdi\": true}}' > /%s && systemctl restart docker",
			e->config
		);
}

// Grants that are made with --claim-by=cdi are devices of that kind. Where there are none nobody misses it.
static void look_at_cdi(struct doctor *d, const struct engine_files *e)
{
	bool docker = str_eq(e->config, DOCKER_FILE), wanted = doctor_exists(d, CDI_FILE);
	_cleanup_json_ json_t *doc = docker ? docker_config(d) : NULL;
	const json_t *said = json_object_get(json_object_get(doc, "features"), "cdi");
	bool known, on;
	char version[64] = "not known";
	unsigned number = 0;

	known = version_of(d, e, version, sizeof(version), &number);
	if (!known && said == NULL) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"cdi",
			"whether %s takes CDI devices: dpkg does not tell its version",
			e->name
		);
		doctor_read(d, "/" DPKG);
		return;
	}
	on = said != NULL ? json_is_true(said) && (!known || number >= e->cdi)
			  : number >= e->cdi_usual;
	doctor_find(
		d,
		on || !wanted ? VERDICT_PASS : VERDICT_WARN,
		"cdi",
		on	 ? "%s takes CDI devices"
		: wanted ? "%s takes no CDI devices, and /" CDI_FILE " has grants that are some"
			 : "%s takes no CDI devices, and no grant is one",
		e->name
	);
	doctor_read(
		d,
		docker ? "/" DPKG ", version: %s; /%s, features.cdi: %s" : "/" DPKG ", version: %s",
		version,
		e->config,
		said == NULL	     ? "not said"
		: json_is_true(said) ? "true"
				     : "false"
	);
	if (!on && wanted)
		cure_cdi(d, e, !known || number >= e->cdi);
}

// The value of a word of TOML that stands alone on its line, where it is a string; "": it is not said.
static void toml_string(const char *text, const char *key, char *ret, size_t len)
{
	_cleanup_free_ char *copy = text != NULL ? strdup(text) : NULL;

	ret[0] = '\0';
	if (copy == NULL)
		return;
	str_foreach (line, copy, "\n") {
		const char *at = line + strspn(line, " \t");
		size_t n = strlen(key);

		if (strncmp(at, key, n) != 0)
			continue;
		at += n + strspn(at + n, " \t");
		if (*at++ != '=')
			continue;
		at += strspn(at, " \t");
		if (*at == '"' || *at == '\'')
			snprintf(ret, len, "%.*s", (int)strcspn(at + 1, "\"'"), at + 1);
	}
}

// Where the profile of its containers is, or "unconfined"; "": in the program itself.
static void profile_of(const struct doctor *d, const struct engine_files *e, char *ret, size_t len)
{
	static const char *const podman_files[] = {
		"etc/containers/containers.conf", "usr/share/containers/containers.conf"};
	static const char *const podman_profiles[] = {
		"/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"};
	_cleanup_json_ json_t *doc = docker_config(d);
	const char *said = json_string_value(json_object_get(doc, "seccomp-profile"));

	ret[0] = '\0';
	if (str_eq(e->name, "docker")) {
		if (said != NULL && !str_eq(said, "builtin"))
			snprintf(ret, len, "%s", said);
		return;
	}
	for (size_t i = 0; ret[0] == '\0' && i < ARRAY_LEN(podman_files); i++) {
		_cleanup_free_ char *text = text_of(d, podman_files[i]);

		toml_string(text, "seccomp_profile", ret, len);
	}
	for (size_t i = 0; ret[0] == '\0' && i < ARRAY_LEN(podman_profiles); i++) {
		if (doctor_exists(d, podman_profiles[i] + 1))
			snprintf(ret, len, "%s", podman_profiles[i]);
	}
}

// Docker's own profile has them for containers with CAP_SYS_NICE, which lets a program do far more.
static enum doctor_calls calls_of(
	const struct doctor *d, const struct engine_files *e, const char *path
)
{
	_cleanup_free_ char *text = path[0] == '/' ? text_of(d, path + 1) : NULL;

	if (str_eq(path, "unconfined"))
		return CALLS_ALLOWED;
	if (path[0] == '\0')
		return str_eq(e->name, "docker") ? CALLS_UNSAID : CALLS_UNKNOWN;
	return text != NULL ? doctor_calls(text) : CALLS_UNKNOWN;
}

// EAL finds out with them on which node its memory is, and does not start without; over a newer libnuma (2.0.19) it
// takes memory of any node, and does not say so.
static void look_at_calls(struct doctor *d, const struct engine_files *e)
{
	static const char *const found[] = {
		[CALLS_ALLOWED] = "%s's containers may call get_mempolicy and set_mempolicy",
		[CALLS_UNSAID] = "%s's containers may not call get_mempolicy and set_mempolicy: "
				 "EAL does not start, or takes memory of any node",
		[CALLS_REFUSED] = "%s's profile refuses get_mempolicy or set_mempolicy, also to "
				  "containers with a grant: EAL does not start",
		[CALLS_UNKNOWN] = "%s's profile of system calls is not in a file that can be read",
	};
	char path[256];
	enum doctor_calls calls;
	bool ours;

	profile_of(d, e, path, sizeof(path));
	calls = calls_of(d, e, path);
	ours = calls == CALLS_UNSAID && names_ours(d, e);
	doctor_find(
		d,
		calls == CALLS_UNKNOWN		 ? VERDICT_SKIP
		: calls == CALLS_ALLOWED || ours ? VERDICT_PASS
						 : VERDICT_WARN,
		"numa-calls",
		ours ? "of %s's containers those with a grant may call get_mempolicy and "
		       "set_mempolicy"
		     : found[calls],
		e->name
	);
	doctor_read(
		d,
		path[0] != '\0' ? "/%s, %s" : "/%s: no profile is named",
		str_eq(e->name, "docker") ? e->config : "etc/containers",
		path
	);
	if (calls == CALLS_UNSAID && !ours)
		doctor_cure(
			d, "pinfold runtime configure %s # lets containers with a grant", e->name
		);
	else if (calls == CALLS_REFUSED)
		doctor_cure(
			d,
			"take get_mempolicy and set_mempolicy out of what %s refuses, or allow "
			"them",
			path
		);
}

void doctor_engines(struct doctor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		const struct engine_files *e = &engines[i];

		if (!doctor_exists(d, e->program))
			continue;
		look_at_name(d, e);
		if (e->cdi == 0)
			continue;
		look_at_cdi(d, e);
		look_at_calls(d, e);
	}
}
