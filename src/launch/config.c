// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "launch/config.h"

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "launch/fetch.h"
#include "launch/launch.h"

#include <fcntl.h>
#include <limits.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>

#define WORD "CONFIG" // of the command line, for the path
#define DEPTH 8	      // of directories
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+"

static bool is_url(const char *s)
{
	return strstr(s, "://") != NULL;
}

static bool is_name(const char *s, size_t n)
{
	return n > 0 && n <= 128 && s[0] != '.' && strspn(s, NAME_CHARS) >= n;
}

// What comes after the last slash, without a query.
static char *name_of_url(const char *url)
{
	const char *path = strchr(strstr(url, "://") + 3, '/');
	size_t n = path != NULL ? strcspn(path, "?#") : 0, from = n;

	while (from > 0 && path[from - 1] != '/')
		from--;
	return path != NULL && is_name(path + from, n - from) ? strndup(path + from, n - from)
							      : strdup("config");
}

static int look(const char *s, char **ret_path, char **ret_name, struct err *err)
{
	_cleanup_free_ char *path = realpath(s, NULL);
	const char *name;

	if (path == NULL)
		return err_sys(err, errno, "--config '%s': find it", s);
	name = strrchr(path, '/') + 1;
	if (!is_name(name, strlen(name)))
		return err_set(
			err,
			EINVAL,
			"--config '%s': a name of letters, digits, ., _, - and +, please",
			s
		);
	*ret_name = strdup(name);
	if (*ret_name == NULL)
		return err_oom(err);
	*ret_path = steal_ptr(path);
	return 0;
}

int config_ask(const char *s, struct launch *launch, struct err *err)
{
	struct config *c = launch->config_files;
	unsigned i;

	if (c == NULL)
		c = launch->config_files = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_oom(err);
	if (c->n == CONFIG_MAX)
		return err_set(err, E2BIG, "--config: more than %d", CONFIG_MAX);
	i = c->n;
	c->asked[i].source = s;
	if (!is_url(s) && look(s, &c->asked[i].path, &c->asked[i].name, err) < 0)
		return -err->code;
	if (is_url(s) && !str_starts(s, "http://") && !str_starts(s, "https://"))
		return err_set(
			err,
			EPROTONOSUPPORT,
			"--config '%s': a file, a directory, or a URL of http or https",
			s
		);
	if (is_url(s))
		c->asked[i].name = name_of_url(s);
	if (c->asked[i].name == NULL)
		return err_oom(err);
	c->n++;
	for (unsigned k = 0; k < i; k++) {
		if (str_eq(c->asked[k].name, c->asked[i].name))
			return err_set(
				err,
				EEXIST,
				"--config '%s': '%s' is called '%s', too",
				s,
				c->asked[k].source,
				c->asked[i].name
			);
	}
	return 0;
}

int config_expect(const char *s, struct launch *launch, struct err *err)
{
	struct config *c = launch->config_files;

	if (c == NULL || c->n == 0)
		return err_set(err, EINVAL, "--sha256: it is said after the --config it is of");
	if (strlen(s) != 64 || strspn(s, "0123456789abcdefABCDEF") != 64)
		return err_set(err, EINVAL, "--sha256 '%.80s': 64 hexadecimal digits", s);
	c->asked[c->n - 1].sha256 = s;
	return 0;
}

// ---- reading

// Of a text in UTF-8: a plan is shown, as JSON too.
static bool is_text(const char *s, size_t n)
{
	json_t *j = memchr(s, '\0', n) == NULL ? json_stringn(s, n) : NULL;

	json_decref(j);
	return j != NULL;
}

// Takes text over.
static int keep(struct config *c, const char *name, char *text, size_t n, struct err *err)
{
	_cleanup_free_ char *owned = text;

	if (c->nfiles == CONFIG_FILES || n > CONFIG_BYTES - c->bytes)
		return err_set(
			err,
			E2BIG,
			"--config: at most %d files of %u MiB in all; show a directory with -v "
			"DIR:DIR:ro",
			CONFIG_FILES,
			CONFIG_BYTES >> 20
		);
	if (!is_text(text, n))
		return err_set(
			err,
			EINVAL,
			"--config '%s': it is no text in UTF-8; show it with -v FILE:FILE:ro",
			name
		);
	c->files[c->nfiles].name = strdup(name);
	if (c->files[c->nfiles].name == NULL)
		return err_oom(err);
	c->files[c->nfiles++].text = steal_ptr(owned);
	c->bytes += n;
	return 0;
}

// One that is not: nobody knows what is in its place.
static int check_sum(
	const char *source, const char *want, const char *text, size_t n, struct err *err
)
{
	char sum[SHA256_DIGEST_STRING_LENGTH];

	if (want == NULL)
		return 0;
	SHA256Data((const uint8_t *)text, n, sum);
	if (strcasecmp(sum, want) == 0)
		return 0;
	return err_set(err, EBADMSG, "--config '%s': its SHA-256 is %s", source, sum);
}

static int read_tree(
	struct config *c, int top, const char *below, const char *name, int depth, struct err *err
);

static int read_entry(
	struct config *c, int top, const char *path, const char *name, int depth, struct err *err
)
{
	// links lead nowhere but below the directory that was asked for
	_cleanup_close_ int fd = fs_open_in(top, path, O_PATH, 0);
	char *text = NULL;
	struct stat st;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "--config: open '%s'", name);
	if (S_ISDIR(st.st_mode))
		return read_tree(c, top, path, name, depth + 1, err);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "--config: '%s' is neither file nor directory", name);
	r = fs_read(top, path, CONFIG_BYTES, &text, &n);
	return r < 0 ? err_sys(err, -r, "--config: read '%s'", name) : keep(c, name, text, n, err);
}

static int read_tree(
	struct config *c, int top, const char *below, const char *name, int depth, struct err *err
)
{
	_cleanup_closedir_ DIR *d = dir_take(fs_open_in(top, below, O_RDONLY | O_DIRECTORY, 0));
	struct dirent *e;

	if (d == NULL)
		return err_sys(err, errno, "--config: open '%s'", name);
	if (depth > DEPTH)
		return err_set(err, ELOOP, "--config: '%s' is too deep", name);
	while ((e = dir_next(d)) != NULL) {
		_cleanup_free_ char *path = str_printf("%s/%s", below, e->d_name);
		_cleanup_free_ char *inner = str_printf("%s/%s", name, e->d_name);

		if (path == NULL || inner == NULL)
			return err_oom(err);
		if (e->d_name[0] == '.') // an editor's, or a repository's
			continue;
		if (read_entry(c, top, path, inner, depth, err) < 0)
			return -err->code;
	}
	return 0;
}

static int read_path(struct config *c, unsigned i, struct err *err)
{
	const char *path = c->asked[i].path, *sum = c->asked[i].sha256;
	unsigned before = c->nfiles;
	_cleanup_close_ int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	if (top >= 0 && sum != NULL)
		return err_set(
			err, EISDIR, "--config '%s': --sha256 is of a file", c->asked[i].source
		);
	if (top >= 0 && read_tree(c, top, ".", c->asked[i].name, 0, err) < 0)
		return -err->code;
	if (top >= 0)
		return c->nfiles > before ? 0
					  : err_set(
						  err,
						  ENOENT,
						  "--config '%s': there is no file in it",
						  c->asked[i].source
					  );
	r = fs_read_file(path, CONFIG_BYTES, &text, &n);
	if (r < 0)
		return err_sys(err, -r, "--config '%s': read it", c->asked[i].source);
	if (check_sum(c->asked[i].source, sum, text, n, err) < 0)
		return -err->code;
	return keep(c, c->asked[i].name, steal_ptr(text), n, err);
}

static int read_url(struct config *c, unsigned i, struct err *err)
{
	const char *url = c->asked[i].source;
	_cleanup_free_ char *text = NULL;
	size_t n;

	if (fetch_url(url, CONFIG_BYTES, CONFIG_SECONDS, &text, &n, err) < 0)
		return err_wrap(err, "--config '%s'", url);
	if (check_sum(url, c->asked[i].sha256, text, n, err) < 0)
		return -err->code;
	return keep(c, c->asked[i].name, steal_ptr(text), n, err);
}

// ---- what the program is told

static char *replaced(const char *word, const char *path)
{
	size_t n = strlen(WORD);

	if (!str_starts(word, WORD) || (word[n] != '\0' && word[n] != '/'))
		return strdup(word);
	return str_printf("%s%s", path, word + n);
}

static int tell(struct launch *launch, struct config *c, struct err *err)
{
	_cleanup_free_ char *path = str_printf("%s/%s", c->dir, c->asked[0].name);
	size_t n = 0;

	while (launch->argv[n] != NULL)
		n++;
	c->env = path != NULL ? str_printf("PINFOLD_CONFIG=%s", path) : NULL;
	c->argv = calloc(n + 1, sizeof(*c->argv));
	if (c->env == NULL || c->argv == NULL)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		c->argv[i] = replaced(launch->argv[i], path);
		if (c->argv[i] == NULL)
			return err_oom(err);
	}
	launch->argv = c->argv;
	return launch_parse_env(c->env, launch->env, &launch->nenv, err);
}

int config_read(struct launch *launch, struct err *err)
{
	struct config *c = launch->config_files;

	for (unsigned i = 0; c != NULL && i < c->n; i++) {
		int r = c->asked[i].path != NULL ? read_path(c, i, err) : read_url(c, i, err);

		if (r < 0)
			return r;
	}
	if (c == NULL)
		return 0;
	c->dir = site_has(&launch->site, SITE_HOST_FILES) ? FENCE_DIR "/own/config" : CONFIG_DIR;
	return tell(launch, c, err);
}

void config_done(struct config *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->n; i++) {
		free(c->asked[i].path);
		free(c->asked[i].name);
	}
	for (unsigned i = 0; i < c->nfiles; i++) {
		free(c->files[i].name);
		free(c->files[i].text);
	}
	for (size_t i = 0; c->argv != NULL && c->argv[i] != NULL; i++)
		free(c->argv[i]);
	free(c->argv);
	free(c->env);
	free(c);
}
