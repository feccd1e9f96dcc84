// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The parts of a launch: tools on the host, user, volumes, the program in its root.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "run/run.h"

#include <ctype.h>
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

void launch_done(struct launch *launch)
{
	if (launch->found) {
		free((char *)launch->runtime);
		free((char *)launch->inside);
	}
	for (unsigned i = 0; i < launch->nvolumes; i++) {
		free((char *)launch->volumes[i].source);
		free((char *)launch->volumes[i].target);
	}
	free((char *)launch->image);
	*launch = (struct launch){0};
}

// ---- the program

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
	if (str_starts(path, RUN_DIR "/inside"))
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

int launch_check_program(const struct launch *launch, const struct hostfs *fs, struct err *err)
{
	static const char *const path[] = {
		"/usr/local/sbin",
		"/usr/local/bin",
		"/usr/sbin",
		"/usr/bin",
		"/sbin",
		"/bin",
	};
	const char *name = launch->argv[0], *where = launch->image != NULL ? launch->image : NULL;
	int r = -ENOENT;

	if (str_eq(name, RUN_DIR "/inside"))
		return 0;
	if (name[0] == '/')
		r = look(launch, fs, name);
	else if (strchr(name, '/') != NULL)
		return err_set(
			err,
			ENOENT,
			"run '%s': name the program by its absolute path in the container, or "
			"without a slash",
			name
		);
	for (size_t i = 0; name[0] != '/' && r == -ENOENT && i < ARRAY_LEN(path); i++) {
		_cleanup_free_ char *full = str_printf("%s/%s", path[i], name);

		if (full == NULL)
			return err_oom(err);
		r = look(launch, fs, full);
	}
	if (r == 0)
		return 0;
	if (r == -EACCES)
		return err_set(
			err,
			EACCES,
			"run '%s': it is no program (not a file that may be executed)",
			name
		);
	if (where != NULL)
		return err_set(
			err,
			ENOENT,
			"run '%s': there is no such program in image '%s'; see pinfold image build",
			name,
			where
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

// ---- user, volumes, limits

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
	char *save = NULL;

	if (root < 0 || fs_read(root, "etc/passwd", 1u << 20, &text, NULL) < 0)
		return err_set(
			err, ENOENT, "user '%s': no /etc/passwd in the root; give a number", name
		);
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
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

int launch_parse_user(
	const char *s, struct launch *launch, const struct hostfs *fs, struct err *err
)
{
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
	if (mode != NULL && !str_eq(mode, "ro") && !str_eq(mode, "rw"))
		return err_set(err, EINVAL, "volume '%s': '%s' is neither ro nor rw", s, mode);
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
	v->readonly = mode != NULL && str_eq(mode, "ro");
	v->target = strdup(target);
	v->source = steal_ptr(source);
	if (v->target == NULL)
		return err_oom(err);
	launch->nvolumes++;
	return 0;
}

int launch_parse_allow_missing(const char *s, struct launch *launch, struct err *err)
{
	static const struct {
		const char *name;
		unsigned bits;
	} limits[] = {
		{"cpuset", HOST_CG_CPUSET},
		{"memory", HOST_CG_MEMORY},
		{"pids", HOST_CG_PIDS},
		// without the controller there are no reservations either
		{"hugetlb", HOST_CG_HUGETLB | HOST_CG_HUGETLB_RSVD},
		{"hugetlb-rsvd", HOST_CG_HUGETLB_RSVD},
		{"devices", HOST_CG_DEVICES},
	};
	_cleanup_free_ char *copy = strdup(s);
	char *save = NULL;

	if (copy == NULL)
		return err_oom(err);
	for (char *word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(limits) && !str_eq(limits[i].name, word); i++)
			;
		if (i == ARRAY_LEN(limits))
			return err_set(
				err,
				EINVAL,
				"--allow-missing: unknown limit '%.32s'; known: cpuset, memory, "
				"pids, hugetlb, "
				"hugetlb-rsvd, devices",
				word
			);
		launch->allow_missing |= limits[i].bits;
	}
	return 0;
}
