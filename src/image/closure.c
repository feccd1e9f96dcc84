// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "image/closure.h"

#include "base/scope.h"
#include "base/str.h"
#include "image/elf.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define OUTPUT_MAX (1u << 20)

int closure_find(const char *program, char **ret, struct err *err)
{
	const char *path = getenv("PATH") ?: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";
	_cleanup_free_ char *cwd = NULL;

	if (*program == '\0')
		return err_set(err, EINVAL, "find program '': the name is empty");
	if (strchr(program, '/') != NULL) {
		if (access(program, F_OK) < 0)
			return err_sys(err, errno, "find '%s'", program);
		while (str_starts(program, "./"))
			program += 2 + strspn(program + 2, "/");
		cwd = program[0] == '/' ? strdup("") : getcwd(NULL, 0);
		*ret = cwd != NULL ? str_printf("%s%s%s", cwd, *cwd != '\0' ? "/" : "", program)
				   : NULL;
		return *ret != NULL ? 0 : err_oom(err);
	}
	while (*path != '\0') {
		size_t n = strcspn(path, ":");
		_cleanup_free_ char *file = str_printf("%.*s/%s", (int)n, path, program);

		if (file == NULL)
			return err_oom(err);
		if (file[0] == '/' && access(file, X_OK) == 0) {
			*ret = steal_ptr(file);
			return 0;
		}
		path += n + (path[n] == ':');
	}
	return err_set(
		err, ENOENT, "find program '%s': not in PATH; is its package installed?", program
	);
}

static int spawn(char *const argv[], int out, pid_t *ret)
{
	char *const no_environment[] = {NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	int r;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, out, 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn(ret, argv[0], &files, &attr, argv, no_environment);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

int closure_output(char *const argv[], char **ret, struct err *err)
{
	_cleanup_free_ char *buf = malloc(OUTPUT_MAX);
	_cleanup_close_ int r = -1, w = -1;
	int fds[2], status = 0, s;
	size_t len = 0;
	ssize_t n = 1;
	pid_t pid;

	if (buf == NULL)
		return err_oom(err);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "make a pipe");
	r = fds[0];
	w = fds[1];
	s = spawn(argv, w, &pid);
	if (s < 0)
		return err_sys(err, -s, "run '%s'", argv[0]);
	close(steal_fd(&w));
	while (n != 0 && len + 1 < OUTPUT_MAX) {
		n = read(r, buf + len, OUTPUT_MAX - 1 - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno != EINTR)
			break;
	}
	buf[len] = '\0';
	close(steal_fd(&r));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret = steal_ptr(buf);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int missing(const char *file, const char *library, struct err *err)
{
	return err_set(
		err,
		ENOENT,
		"take '%s': its library '%s' is not installed; 'apt-file search %s' names the "
		"package",
		file,
		library,
		library
	);
}

// A line of `ld.so --list`: "\tNAME => PATH (0x...)", "\tNAME => not found" or "\tPATH (0x...)".
static int take_line(struct entries *s, const char *file, char *line, struct err *err)
{
	static const char absent[] = "error while loading shared libraries: ";
	char *name = line + 1, *arrow = strstr(line, " => "), *path = name;

	if (line[0] != '\t') {
		name = strstr(line, absent);
		if (name == NULL)
			return 0;
		name += strlen(absent);
		name[strcspn(name, ":")] = '\0';
		return missing(file, name, err);
	}
	if (arrow != NULL) {
		*arrow = '\0';
		path = arrow + 4;
		if (str_starts(path, "not found"))
			return missing(file, name, err);
	}
	path[strcspn(path, " ")] = '\0';
	// the vDSO has a name and no file
	return *path == '/' ? entries_take(s, path, err) : 0;
}

static int take_libraries(struct entries *s, const char *file, char *loader, struct err *err)
{
	char *const argv[] = {loader, (char *)"--list", (char *)file, NULL};
	_cleanup_free_ char *out = NULL;
	char *save = NULL;
	size_t before = s->n;
	int status = closure_output(argv, &out, err);

	if (status < 0)
		return status;
	for (char *line = strtok_r(out, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (take_line(s, file, line, err) < 0)
			return -err->code;
	if (status != 0)
		return err_set(
			err,
			ENOEXEC,
			"take '%s': '%s --list' failed with status %d; does the program run here?",
			file,
			loader,
			status
		);
	// The list is complete: what these libraries need is on it.
	for (size_t i = before; i < s->n; i++)
		s->v[i].scanned = true;
	return 0;
}

static void tell(void (*note)(const char *line), const char *script, const char *interp)
{
	_cleanup_free_ char *line = str_printf(
		"'%s' is a script: '%s' and its libraries are taken too, but no modules it loads",
		script,
		interp
	);

	if (note != NULL && line != NULL)
		note(line);
}

static int take_interpreter(
	struct entries *s,
	const char *script,
	const struct elf_file *f,
	void (*note)(const char *line),
	struct err *err
)
{
	const char *base = strrchr(f->interp, '/');
	_cleanup_free_ char *found = NULL;
	char name[256];

	if (f->interp[0] != '/')
		return err_set(
			err, ENOEXEC, "take '%s': interpreter '%s' is no path", script, f->interp
		);
	if (entries_take(s, f->interp, err) < 0)
		return err_wrap(err, "take the interpreter of '%s'", script);
	tell(note, script, f->interp);
	if (!str_eq(base, "/env") || f->argument[0] == '\0' || f->argument[0] == '-')
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(f->argument, " \t"), f->argument);
	if (closure_find(name, &found, err) < 0 || entries_take(s, found, err) < 0)
		return err_wrap(err, "take the interpreter of '%s'", script);
	tell(note, script, found);
	return 0;
}

// The loader is run as root to list libraries: only the one this machine runs its programs with.
static int check_loader(const char *file, const char *interp, const char *loader, struct err *err)
{
	char a[PATH_MAX], b[PATH_MAX];

	if (realpath(interp, a) != NULL && realpath(loader, b) != NULL && str_eq(a, b))
		return 0;
	return err_set(
		err,
		ENOEXEC,
		"take '%s': it wants the dynamic loader '%s', this machine's is '%s'",
		file,
		interp,
		loader
	);
}

static int complete_one(
	struct entries *s,
	const char *file,
	char *loader,
	void (*note)(const char *line),
	struct err *err
)
{
	struct elf_file f;

	if (elf_read(file, &f, err) < 0)
		return -err->code;
	if (f.kind == ELF_SCRIPT)
		return take_interpreter(s, file, &f, note, err);
	if (f.kind != ELF_DYNAMIC)
		return 0;
	if (f.interp[0] != '\0'
	    && (check_loader(file, f.interp, loader, err) < 0 || entries_take(s, f.interp, err) < 0
	    ))
		return -err->code;
	return take_libraries(s, file, loader, err);
}

int closure_complete(struct entries *s, void (*note)(const char *line), struct err *err)
{
	char loader[256];

	if (elf_loader(loader, sizeof(loader), err) < 0)
		return -err->code;
	// The set grows and moves while it is walked.
	for (size_t i = 0; i < s->n; i++) {
		_cleanup_free_ char *file = NULL;

		if (s->v[i].link != NULL || s->v[i].scanned)
			continue;
		s->v[i].scanned = true;
		file = strdup(s->v[i].path);
		if (file == NULL)
			return err_oom(err);
		if (complete_one(s, file, loader, note, err) < 0)
			return -err->code;
	}
	return 0;
}
