// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Whether the program of a launch is there, in the root that it will have: better said in a line before
// the start than by the runtime after it.

#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "launch/launch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

// The root of a path as the container will see it: a volume, the image, or the host's own directories
// that are shown. Returns the descriptor of the root and the path below it.
static int root_of(
	const struct launch *launch,
	const struct hostfs *fs,
	const char *path,
	const char **ret_below
)
{
	static const char *const shown[] = {
		"/usr/", "/etc/", "/opt/", "/bin/", "/sbin/", "/lib/", "/lib64/"};
	const struct launch_volume *best = NULL;

	for (unsigned i = 0; i < launch->nvolumes; i++) {
		const struct launch_volume *v = &launch->volumes[i];
		size_t n = strlen(v->target);

		if (strncmp(path, v->target, n) == 0 && (path[n] == '/' || path[n] == '\0')
		    && (best == NULL || n > strlen(best->target)))
			best = v;
	}
	if (best != NULL) {
		*ret_below = path + strlen(best->target);
		if (**ret_below == '\0')
			*ret_below = ".";
		return open(best->source, O_PATH | O_CLOEXEC);
	}
	*ret_below = path;
	if (launch->image != NULL)
		return fs_open_in(fs->root, launch->image, O_PATH | O_DIRECTORY, 0);
	if (str_starts(path, INSIDE))
		return open("/", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		if (str_starts(path, shown[i]))
			return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	errno = ENOENT;
	return -1;
}

// 0, or -errno of why the path is no program in the container.
static int look(const struct launch *launch, const struct hostfs *fs, const char *path)
{
	const char *below;
	_cleanup_close_ int root = root_of(launch, fs, path, &below);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (root < 0)
		return -ENOENT;
	if (str_eq(below, ".")) // a volume that is the program itself
		fd = steal_fd(&root);
	else
		fd = fs_open_in(root, below, O_PATH, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : -EACCES;
	if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
		return -EACCES;
	return 0;
}

// Of a name without a slash, as execvp(3) looks for it.
static int look_along(const struct launch *launch, const struct hostfs *fs, const char *name)
{
	char path[] = SITE_PATH, *save = NULL;
	int r = -ENOENT;

	for (char *dir = strtok_r(path, ":", &save); dir != NULL && r == -ENOENT;
	     dir = strtok_r(NULL, ":", &save)) {
		_cleanup_free_ char *full = str_printf("%s/%s", dir, name);

		r = full != NULL ? look(launch, fs, full) : -ENOMEM;
	}
	return r;
}

int launch_check_program(
	const struct launch *launch, const struct hostfs *fs, int *ret_status, struct err *err
)
{
	const char *name = launch->argv[0];
	bool absolute = name[0] == '/';
	int r;

	if (str_eq(name, INSIDE))
		return 0;
	if (!absolute && strchr(name, '/') != NULL) {
		*ret_status = STATUS_NOT_FOUND;
		return err_set(
			err,
			ENOENT,
			"run '%s': name the program by its absolute path in the container, or "
			"without a slash",
			name
		);
	}
	r = absolute ? look(launch, fs, name) : look_along(launch, fs, name);
	if (r == 0)
		return 0;
	if (r == -EACCES) {
		*ret_status = STATUS_CANNOT_RUN;
		return err_set(
			err,
			EACCES,
			"run '%s': it is no program (not a file that may be executed)",
			name
		);
	}
	if (r != -ENOENT)
		return err_sys(err, -r, "look for '%s'", name);
	*ret_status = STATUS_NOT_FOUND;
	if (launch->image != NULL)
		return err_set(
			err,
			ENOENT,
			"run '%s': there is no such program in image '%s'; see pinfold image build",
			name,
			launch->image
		);
	if (absolute && fs->real && access(name, X_OK) == 0)
		return err_set(
			err,
			ENOENT,
			"run '%s': it is on the host, of which the container has /usr, /etc and "
			"/opt "
			"(its /tmp and /run are its own); show it with -v %s:/opt/PROGRAM:ro and "
			"run "
			"/opt/PROGRAM",
			name,
			name
		);
	return err_set(
		err,
		ENOENT,
		"run '%s': there is no such program in the container (of the host it has /usr, "
		"/etc and "
		"/opt); install it there, or show its directory with -v DIR:DIR:ro",
		name
	);
}
