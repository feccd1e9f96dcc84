// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The programs of the host that a launch needs: the runtime, of a version that can do it, and inside.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "run/run.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

// crun 0.17 is the first that runs a container with a user namespace on a cgroup path below ours, and
// runc 1.0 the first with the v2 device filter.
static const struct tool {
	const char *name;
	bool runc;
	unsigned major, minor;
} tools[] = {
	{"crun", false, 0, 17},
	{"runc", true, 1, 0},
};

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
			_exit(125);
		// where it cannot be made a start fails for the same reason, and says so
		if (geteuid() == 0)
			apply_scratch(&unused);
		execl(path, path, "--version", NULL);
		_exit(127);
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

static int check_version(const char *path, const char *line, bool *ret_runc, struct err *err)
{
	unsigned maj = 0, min = 0;

	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		char form[32];

		snprintf(form, sizeof(form), "%s version %%u.%%u", tools[i].name);
		if (sscanf(line, form, &maj, &min) != 2)
			continue;
		if (maj < tools[i].major || (maj == tools[i].major && min < tools[i].minor))
			return err_set(
				err,
				EINVAL,
				"runtime '%s' is %s %u.%u, too old: %u.%u or newer is needed",
				path,
				tools[i].name,
				maj,
				min,
				tools[i].major,
				tools[i].minor
			);
		*ret_runc = tools[i].runc;
		return 0;
	}
	return err_set(
		err, EINVAL, "runtime '%s' is neither crun nor runc: it says '%.64s'", path, line
	);
}

// Asking costs a process: what was found is kept for as long as the file is the same.
static int cached_version(const char *path, bool *ret_runc, struct err *err)
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
	    && fs_read(dir, "runtime-version", sizeof(stamp) + sizeof(line), &known, NULL) == 0
	    && str_starts(known, stamp))
		return check_version(path, known + n, ret_runc, err);
	if (ask_version(path, line, sizeof(line), err) < 0
	    || check_version(path, line, ret_runc, err) < 0)
		return -err->code;
	snprintf(stamp + n, sizeof(stamp) - n, "%s", line);
	if (dir >= 0 && geteuid() == 0)
		fs_write_atomic(dir, "runtime-version", stamp, strlen(stamp), 0600, &unsaved);
	return 0;
}

static char *find_runtime(void)
{
	static const char *const dirs[] = {
		"/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin", "/bin"};

	for (size_t t = 0; t < ARRAY_LEN(tools); t++) {
		for (size_t d = 0; d < ARRAY_LEN(dirs); d++) {
			char *path = str_printf("%s/%s", dirs[d], tools[t].name);

			if (path != NULL && access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return NULL;
}

// Beside the program that runs: in a build tree, then where it is installed.
char *launch_find_inside(void)
{
	static const char *const below[] = {"", "../inside/", "../libexec/pinfold/"};
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		_cleanup_free_ char *path = str_printf("%s%spinfold-inside", self, below[i]);
		char *real = path != NULL ? realpath(path, NULL) : NULL;

		if (real != NULL)
			return real;
	}
	return NULL;
}

int launch_find_tools(struct launch *launch, struct err *err)
{
	_cleanup_free_ char *runtime =
		launch->runtime != NULL ? realpath(launch->runtime, NULL) : find_runtime();

	if (runtime == NULL && launch->runtime != NULL)
		return err_sys(err, errno, "find runtime '%s'", launch->runtime);
	if (runtime == NULL)
		return err_set(
			err,
			ENOENT,
			"find crun: neither crun nor runc is installed; install one (apt install "
			"crun)"
		);
	if (cached_version(runtime, &launch->runtime_is_runc, err) < 0)
		return -err->code;
	launch->inside = launch_find_inside();
	if (launch->inside == NULL)
		return err_set(
			err,
			ENOENT,
			"find pinfold-inside beside this program or in ../libexec/pinfold; install "
			"it"
		);
	launch->runtime = steal_ptr(runtime);
	launch->found = true;
	return 0;
}
