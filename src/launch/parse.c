// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The words of a command line that say what is launched: user, volumes, limits that may be missing.

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "launch/config.h"
#include "launch/launch.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define LABEL_MAX 255
#define PASSWD_MAX (1u << 20)

static int parse_id(const char *s, size_t len, uint32_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > 9)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return -EINVAL;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v >= IDS_PER_LEASE)
		return -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

bool launch_is_label(const char *s, unsigned parts)
{
	static const char known[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:,-";

	if (strlen(s) > LABEL_MAX || strspn(s, known) != strlen(s) || strstr(s, "::") != NULL)
		return false;
	if (s[0] == ':' || s[0] == '\0' || s[strlen(s) - 1] == ':')
		return false;
	for (const char *c = s; *c != '\0'; c++)
		parts -= parts > 1 && *c == ':';
	return parts <= 1;
}

int launch_parse_ids(const char *s, uint32_t *uid, uint32_t *gid)
{
	size_t n = strcspn(s, ":");
	uint32_t u = 0, g;
	int r = parse_id(s, n, &u);

	g = u;
	if (r == 0 && s[n] == ':')
		r = parse_id(s + n + 1, strlen(s + n + 1), &g);
	if (r < 0)
		return r;
	*uid = u;
	*gid = g;
	return 0;
}

static int user_of_passwd(
	const char *name, struct launch *launch, const struct hostfs *fs, struct err *err
)
{
	_cleanup_close_ int root =
		launch->image != NULL ? fs_open_in(fs->root, launch->image, O_PATH | O_DIRECTORY, 0)
				      : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r = root < 0 ? -errno : fs_read(root, "etc/passwd", PASSWD_MAX, &text, NULL);

	if (r < 0)
		return err_set(
			err,
			-r,
			r == -EINVAL || r == -EISDIR
				? "user '%s': /etc/passwd of the root is not a file; give a number"
			: r == -EFBIG
				? "user '%s': /etc/passwd of the root is longer than 1 MiB; give a "
				  "number"
				: "user '%s': no /etc/passwd in the root; give a number",
			name
		);
	str_foreach (line, text, "\n") {
		unsigned uid, gid;
		size_t n = strlen(name);

		if (strncmp(line, name, n) != 0 || line[n] != ':'
		    || sscanf(line + n, ":%*[^:]:%u:%u:", &uid, &gid) != 2)
			continue;
		if (uid >= IDS_PER_LEASE || gid >= IDS_PER_LEASE)
			break;
		launch->uid = uid;
		launch->gid = gid;
		return 0;
	}
	return err_set(
		err, ENOENT, "user '%s' is not in /etc/passwd of the root; give a number", name
	);
}

int launch_find_user(struct launch *launch, const struct hostfs *fs, struct err *err)
{
	const char *s = launch->user;

	if (s == NULL)
		return 0;
	if (!isdigit((unsigned char)s[0]))
		return user_of_passwd(s, launch, fs, err);
	if (launch_parse_ids(s, &launch->uid, &launch->gid) < 0)
		return err_set(
			err,
			EINVAL,
			"user '%s': write UID or UID:GID, each below %u, or a name",
			s,
			IDS_PER_LEASE
		);
	return 0;
}

int launch_parse_env(
	const char *s, const char *env[static LAUNCH_LISTS], unsigned *n, struct err *err
)
{
	if (strchr(s, '=') == NULL || s[0] == '=')
		return err_set(err, EINVAL, "-e '%s': write NAME=VALUE", s);
	if (*n == LAUNCH_LISTS)
		return err_set(err, E2BIG, "-e: more than %d", LAUNCH_LISTS);
	env[(*n)++] = s;
	return 0;
}

// "ro", "rw", "idmap", "owner", with commas.
static int parse_modes(char *modes, const char *volume, struct launch_volume *v, struct err *err)
{
	bool said = false;

	if (modes[0] == '\0')
		return err_set(
			err,
			EINVAL,
			"volume '%s': some of ro, rw, idmap and owner at its end",
			volume
		);
	for (char *m; (m = strsep(&modes, ",")) != NULL;) {
		if (str_eq(m, "idmap")) {
			v->idmap = true;
			continue;
		}
		if (str_eq(m, "owner")) {
			v->owner = true;
			continue;
		}
		if (!str_eq(m, "ro") && !str_eq(m, "rw"))
			return err_set(
				err,
				EINVAL,
				"volume '%s': '%s' is none of ro, rw, idmap and owner",
				volume,
				m
			);
		if (said && v->readonly != str_eq(m, "ro"))
			return err_set(err, EINVAL, "volume '%s': both ro and rw", volume);
		v->readonly = str_eq(m, "ro");
		said = true;
	}
	if (v->owner && (v->idmap || v->readonly))
		return err_set(
			err,
			EINVAL,
			"volume '%s': owner is for a directory that is written, and needs no "
			"idmap: write rw,owner",
			volume
		);
	return 0;
}

bool launch_is_in(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0
	       && (path[n] == '\0' || path[n] == '/' || str_eq(top, "/"));
}

// /var/run and /var/tmp are links in a container.
const char *launch_place(const char *target)
{
	return launch_is_in(target, "/var/run") || launch_is_in(target, "/var/tmp")
		       ? target + strlen("/var")
		       : target;
}

// What pinfold and the runtime have there: the program that begins the container, with rights that it gives up, is started by
// its path. /proc and /sys are as a whole of that kind; of /dev programs get what they want.
static int check_target(const char *volume, const char *target, struct err *err)
{
	static const char *const own[] = {"/dev", "/proc", "/sys", RUN_DIR};
	const char *place = launch_place(target);

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (launch_is_in(own[i], place) || (i > 0 && launch_is_in(place, own[i])))
			return err_set(
				err,
				EPERM,
				"volume '%s': a container has its own '%s'; choose another place, "
				"as /data",
				volume,
				own[i]
			);
	}
	return 0;
}

// Whose root's commands trust what is there, and whose files are the kernel's own.
static int check_given(
	const char *volume, const char *source, int fd, const struct stat *st, struct err *err
)
{
	static const char *const own[] = {
		"/etc/pinfold", "/run/pinfold", "/var/lib/pinfold", "/var/log/pinfold"};
	static const unsigned kernels[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		BPF_FS_MAGIC,
	};
	struct statfs fs = {0};
	struct stat dev;
	bool kernel =
		stat("/dev", &dev) == 0 && dev.st_dev == st->st_dev && launch_is_in(source, "/dev");

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (launch_is_in(source, own[i]) || launch_is_in(own[i], source))
			return err_set(
				err,
				EPERM,
				"volume '%s': '%s' is pinfold's own, which only root may write: "
				"give another directory, or bind this one ro",
				volume,
				own[i]
			);
	}
	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, errno, "volume '%s': look at '%s'", volume, source);
	for (size_t i = 0; i < ARRAY_LEN(kernels); i++)
		kernel = kernel || (unsigned)fs.f_type == kernels[i];
	if (kernel)
		return err_set(
			err,
			EPERM,
			"volume '%s': what is in '%s' is the kernel's, and given to no program: "
			"give another directory, or bind this one ro",
			volume,
			source
		);
	return 0;
}

int launch_parse_volume(const char *s, struct launch *launch, struct err *err)
{
	struct launch_volume *v = &launch->volumes[launch->nvolumes];
	_cleanup_free_ char *copy = strdup(s);
	_cleanup_free_ char *source = NULL;
	_cleanup_close_ int fd = -1;
	char *target, *mode, self[64];
	struct stat st;

	if (copy == NULL)
		return err_oom(err);
	if (launch->nvolumes == LAUNCH_LISTS)
		return err_set(err, E2BIG, "volumes: more than %d", LAUNCH_LISTS);
	target = strchr(copy, ':');
	if (target == NULL)
		return err_set(err, EINVAL, "volume '%s': write HOST:TARGET or HOST:TARGET:ro", s);
	*target++ = '\0';
	mode = strchr(target, ':');
	if (mode != NULL)
		*mode++ = '\0';
	v->readonly = v->idmap = v->owner = false;
	if (mode != NULL && parse_modes(mode, s, v, err) < 0)
		return -err->code;
	if (target[0] != '/' || str_eq(target, "/") || strstr(target, "//") != NULL
	    || strstr(target, "/./") != NULL || strstr(target, "/../") != NULL
	    || target[strlen(target) - 1] == '/' || target[strlen(target) - 1] == '.')
		return err_set(
			err,
			EINVAL,
			"volume '%s': the target must be an absolute path without . and .. that is "
			"not /",
			s
		);
	if (check_target(s, target, err) < 0)
		return -err->code;
	// One look, whose path and identity belong together: whoever may rename on the way there could
	// have a second one see something else.
	fd = open(copy, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "volume '%s': find '%s'", s, copy);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	source = realpath(self, NULL);
	if (source == NULL)
		return err_sys(err, errno, "volume '%s': find '%s'", s, copy);
	v->dev = st.st_dev;
	v->ino = st.st_ino;
	v->directory = S_ISDIR(st.st_mode);
	if (v->owner && !v->directory)
		return err_set(
			err,
			ENOTDIR,
			"volume '%s': owner is for directories, and '%s' is none; chown it",
			s,
			source
		);
	if ((v->owner || (v->idmap && !v->readonly)) && check_given(s, source, fd, &st, err) < 0)
		return -err->code;
	v->target = strdup(target);
	v->source = steal_ptr(source);
	if (v->target == NULL)
		return err_oom(err);
	launch->nvolumes++;
	return 0;
}

const struct launch_limit launch_limits[LAUNCH_LIMITS] = {
	{"cpuset", HOST_CG_CPUSET, "cpuset"},
	{"memory", HOST_CG_MEMORY, "memory"},
	{"pids", HOST_CG_PIDS, "pids"},
	{"hugetlb", HOST_CG_HUGETLB, "hugetlb"},
	{"hugetlb-rsvd", HOST_CG_HUGETLB_RSVD, "hugetlb"},
	{"devices", HOST_CG_DEVICES, "devices"},
};

int launch_parse_allow_missing(const char *s, struct launch *launch, struct err *err)
{
	_cleanup_free_ char *copy = strdup(s);

	if (copy == NULL)
		return err_oom(err);
	str_foreach (word, copy, ",") {
		char known[128] = "";
		size_t i;

		for (i = 0; i < LAUNCH_LIMITS && !str_eq(launch_limits[i].name, word); i++)
			str_add(known, sizeof(known), ", ", "%s", launch_limits[i].name);
		if (i == LAUNCH_LIMITS)
			return err_set(
				err,
				EINVAL,
				"--allow-missing: unknown limit '%.32s'; known: %s",
				word,
				known
			);
		launch->allow_missing |= launch_limits[i].bit;
		// without the controller there are no reservations either
		if (launch_limits[i].bit == HOST_CG_HUGETLB)
			launch->allow_missing |= HOST_CG_HUGETLB_RSVD;
	}
	return 0;
}

void launch_done(struct launch *launch)
{
	if (launch->found)
		free((char *)launch->inside);
	for (unsigned i = 0; i < launch->nvolumes; i++) {
		free((char *)launch->volumes[i].source);
		free((char *)launch->volumes[i].target);
	}
	for (unsigned i = 0; i < launch->npublished; i++) {
		free((char *)launch->published[i].dir);
		free((char *)launch->published[i].file);
	}
	free((char *)launch->image);
	config_done(launch->config_files);
	*launch = (struct launch){0};
}
