// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/below.h"

#include "base/begin.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "site/runtime.h"

#include <string.h>

static int find(char **ret, struct err *err)
{
	static const char *const keys[] = {"runtime", NULL};
	const char *what = "'" BELOW_FILE "'", *path = NULL;
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = fs_read_file(BELOW_FILE, 4096, &text, &len);

	if (r < 0 && r != -ENOENT && r != -EACCES)
		return err_sys(err, -r, "read %s", what);
	if (r == 0
	    && (jread_parse(text, len, what, &doc, err) < 0 || jread_keys(doc, what, keys, err) < 0
		|| jread_str(doc, what, "runtime", true, &path, err) < 0))
		return -err->code;
	*ret = path != NULL ? strdup(path) : runtime_installed();
	if (*ret == NULL && path == NULL)
		return runtime_missing(err);
	return *ret != NULL ? 0 : err_oom(err);
}

int below_find(struct below *ret, struct err *err)
{
	const char *name;

	*ret = (struct below){.kind = &runtime_crun};
	if (find(&ret->path, err) < 0)
		return -err->code;
	name = strrchr(ret->path, '/');
	// to ask it costs a process
	if (str_starts(name != NULL ? name + 1 : ret->path, runtime_runc.name))
		*ret = (struct below){ret->path, &runtime_runc, GRAMMAR_GO};
	return 0;
}

static int exec_words(const struct below *b, char **words, struct err *err)
{
	words[0] = b->path;
	begin_undo();
	execv(b->path, words);
	return err_sys(err, errno, "run '%s'", b->path);
}

static size_t count(char *const *argv)
{
	size_t n = 0;

	while (argv[n] != NULL)
		n++;
	return n;
}

int below_exec(const struct below *b, char *const *argv, struct err *err)
{
	size_t n = count(argv);
	_cleanup_free_ char **words = calloc(n + 1, sizeof(*words));

	if (words == NULL)
		return err_oom(err);
	memcpy(words, argv, n * sizeof(*words));
	return exec_words(b, words, err);
}

int below_exec_cgroupfs(const struct below *b, char *const *argv, struct err *err)
{
	_cleanup_free_ char **words = calloc(count(argv) + 1, sizeof(*words));

	if (words == NULL)
		return err_oom(err);
	command_without_manager(argv, b->grammar, words);
	return exec_words(b, words, err);
}

int below_site(const struct below *b, struct site *site, struct err *err)
{
	if (b->path[0] != '/' || strlen(b->path) >= sizeof(site->runtime.path))
		return err_set(err, EINVAL, "use runtime '%s': say its whole path", b->path);
	runtime_assume(&site->runtime, b->kind, b->path);
	return 0;
}
