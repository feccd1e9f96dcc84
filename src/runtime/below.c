// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/below.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "site/runtime.h"

#include <string.h>

// Its path. New string, NULL with err set.
static char *find(struct err *err)
{
	static const char *const keys[] = {"runtime", NULL};
	const char *what = "'" BELOW_FILE "'", *path = NULL;
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	char *found;
	size_t len;
	int r = fs_read_file(BELOW_FILE, 4096, &text, &len);

	if (r < 0 && r != -ENOENT && r != -EACCES) {
		err_sys(err, -r, "read %s", what);
		return NULL;
	}
	if (r == 0
	    && (jread_parse(text, len, what, &doc, err) < 0 || jread_keys(doc, what, keys, err) < 0
		|| jread_str(doc, what, "runtime", true, &path, err) < 0))
		return NULL;
	found = path != NULL ? strdup(path) : runtime_installed();
	if (found == NULL && path == NULL)
		err_set(err, ENOENT, "find crun: neither crun nor runc is installed; install one");
	else if (found == NULL)
		err_oom(err);
	return found;
}

static int exec_words(char **words, struct err *err)
{
	_cleanup_free_ char *path = find(err);

	if (path == NULL)
		return -err->code;
	words[0] = path;
	execv(path, words);
	return err_sys(err, errno, "run '%s'", path);
}

static char **copy_of(char *const *argv)
{
	size_t n = 0;
	char **words;

	while (argv[n] != NULL)
		n++;
	words = calloc(n + 1, sizeof(*words));
	if (words != NULL)
		memcpy(words, argv, n * sizeof(*words));
	return words;
}

int below_exec(char *const *argv, struct err *err)
{
	_cleanup_free_ char **words = copy_of(argv);

	return words != NULL ? exec_words(words, err) : err_oom(err);
}

int below_exec_cgroupfs(char *const *argv, struct err *err)
{
	_cleanup_free_ char **words = copy_of(argv);
	bool global = true;
	size_t n = 1;

	if (words == NULL)
		return err_oom(err);
	for (char *const *a = argv + 1; *a != NULL; a++) {
		if (global && str_eq(*a, "--systemd-cgroup"))
			continue;
		if (global && str_starts(*a, "--cgroup-manager")) {
			a += (*a)[strlen("--cgroup-manager")] == '\0' && a[1] != NULL;
			continue;
		}
		global = global && !str_eq(*a, "create") && !str_eq(*a, "run");
		words[n++] = *a;
	}
	words[n] = NULL;
	return exec_words(words, err);
}

int below_site(struct site *site, struct err *err)
{
	_cleanup_free_ char *path = find(err);
	const char *name = path != NULL ? strrchr(path, '/') : NULL;

	if (path == NULL)
		return -err->code;
	if (name == NULL || strlen(path) >= sizeof(site->runtime.path))
		return err_set(err, EINVAL, "use runtime '%s': say its whole path", path);
	// to ask it costs a process
	runtime_assume(
		&site->runtime, str_starts(name, "/runc") ? &runtime_runc : &runtime_crun, path
	);
	return 0;
}
