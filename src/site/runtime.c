// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "site/runtime.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"
#include "site/site.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

// The first that runs a container with a user namespace on a cgroup path below ours.
const struct runtime_kind runtime_crun = {
	.name = "crun",
	.minor = 17,
	.manager = "--cgroup-manager",
	.started = "status",
	.init = "pid",
	.sets_limits = true,
	.usual_v1 = true,
};

// The first with the v2 device filter. It sets limits from outside of the container, which takes
// CAP_SYS_RESOURCE on the host; and what a Go program does between the filter and its exec is calls.
const struct runtime_kind runtime_runc = {
	.name = "runc",
	.major = 1,
	.started = "state.json",
	.init = "init_process_pid",
	.sees_bundle = true,
	.calls_filtered = true,
};

static const struct runtime_kind *const kinds[] = {&runtime_crun, &runtime_runc};

// The runtime's own words to --version, one line: "crun version 1.8.1".
static int ask_version(const char *path, char *line, size_t len, struct err *err)
{
	_cleanup_fclose_ FILE *f = NULL;
	struct err unused;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return err_sys(err, errno, "run '%s --version'", path);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null < 0 || dup2(null, 0) < 0 || dup2(fds[1], 1) < 0 || dup2(null, 2) < 0)
			_exit(STATUS_FAILED);
		// where it cannot be made a start fails for the same reason, and says so
		if (geteuid() == 0)
			runtime_scratch(&unused);
		execl(path, path, "--version", NULL);
		_exit(STATUS_NOT_FOUND);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	if (f == NULL || fgets(line, (int)len, f) == NULL)
		line[0] = '\0';
	while (f != NULL && fgetc(f) != EOF)
		;
	waitpid(pid, &status, 0);
	line[strcspn(line, "\n")] = '\0';
	if (status != 0 || line[0] == '\0')
		return err_set(err, ENOEXEC, "runtime '%s' does not answer --version", path);
	return 0;
}

static int check_version(
	const char *path, const char *line, const struct runtime_kind **ret, struct err *err
)
{
	unsigned maj = 0, min = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct runtime_kind *k = kinds[i];
		char form[32];

		snprintf(form, sizeof(form), "%s version %%u.%%u", k->name);
		if (sscanf(line, form, &maj, &min) != 2)
			continue;
		if (maj < k->major || (maj == k->major && min < k->minor))
			return err_set(
				err,
				EINVAL,
				"runtime '%s' is %s %u.%u, too old: %u.%u or newer is needed",
				path,
				k->name,
				maj,
				min,
				k->major,
				k->minor
			);
		*ret = k;
		return 0;
	}
	return err_set(
		err, EINVAL, "runtime '%s' is neither crun nor runc: it says '%.64s'", path, line
	);
}

// Asking costs a process: what was found is kept for as long as the file is the same.
static int cached_version(const char *path, const struct runtime_kind **ret, struct err *err)
{
	// a first run has no directory yet, and a user's plan may not read it: then it is asked
	_cleanup_close_ int dir = open(RUN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *known = NULL;
	struct err unsaved;
	char stamp[PATH_MAX + 128], line[256];
	struct stat st;
	size_t n;

	if (stat(path, &st) < 0)
		return err_sys(err, errno, "find runtime '%s'", path);
	n = (size_t)snprintf(
		stamp,
		sizeof(stamp),
		"%s %llu %lld.%09ld %lld\n",
		path,
		(unsigned long long)st.st_ino,
		(long long)st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec,
		(long long)st.st_size
	);
	if (dir >= 0
	    && fs_read_system(dir, "runtime-version", sizeof(stamp) + sizeof(line), &known, NULL)
		       == 0
	    && str_starts(known, stamp))
		return check_version(path, known + n, ret, err);
	if (ask_version(path, line, sizeof(line), err) < 0
	    || check_version(path, line, ret, err) < 0)
		return -err->code;
	snprintf(stamp + n, sizeof(stamp) - n, "%s", line);
	if (dir >= 0 && geteuid() == 0)
		fs_write_atomic(dir, "runtime-version", stamp, strlen(stamp), 0600, &unsaved);
	return 0;
}

char *runtime_installed(void)
{
	static const char *const dirs[] = {
		"/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/bin"};

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
			char *path = str_printf("%s/%s", dirs[d], kinds[k]->name);

			if (path != NULL && access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return NULL;
}

void runtime_assume(struct runtime *ret, const struct runtime_kind *kind, const char *path)
{
	*ret = (struct runtime){.kind = kind};
	snprintf(ret->path, sizeof(ret->path), "%s", path);
}

int runtime_missing(struct err *err)
{
	return err_set(
		err, ENOENT, "neither crun nor runc is installed; install one (apt install crun)"
	);
}

int runtime_find(struct runtime *ret, const char *asked, struct err *err)
{
	_cleanup_free_ char *path = asked != NULL ? realpath(asked, NULL) : runtime_installed();
	const struct runtime_kind *kind;

	if (path == NULL && asked != NULL)
		return err_sys(err, errno, "find runtime '%s'", asked);
	if (path == NULL)
		return runtime_missing(err);
	if (strlen(path) >= sizeof(ret->path))
		return err_set(err, ENAMETOOLONG, "use runtime '%s'", path);
	if (cached_version(path, &kind, err) < 0)
		return -err->code;
	runtime_assume(ret, kind, path);
	return 0;
}

void runtime_state_in(const char *dir)
{
	setenv("_LIBCONTAINER_STATEDIR", dir, 1);
}

void runtime_environment(const char *state)
{
	// it needs nothing of ours, and reads some variables (LISTEN_FDS, XDG_…)
	clearenv();
	setenv("PATH", SITE_PATH, 1);
	if (state != NULL)
		runtime_state_in(state);
}

int runtime_scratch(struct err *err)
{
	_cleanup_close_ int dir = fs_mkdirs(FENCE_DIR, 0711, err);

	if (dir < 0 || site_unshare(err) < 0)
		return -err->code;
	if (mount("pinfold", FENCE_DIR, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=1m") < 0)
		return err_sys(err, errno, "mount tmpfs on '" FENCE_DIR "'");
	runtime_state_in(FENCE_DIR);
	return 0;
}
