// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/config.h"

#include "base/scope.h"
#include "base/str.h"
#include "config/resolve/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMPOOL_SIZE (16 << 10)
#define MBUF_SIZE 2048
#define MEMCACHE_SIZE 256

static void scope_conf(struct conf **c)
{
	conf_free(*c);
}

static int parse_text(
	const char *text,
	size_t len,
	const char *name,
	const char *folder,
	const struct conf_overrides *o,
	struct conf **ret,
	struct err *err
)
{
	static const struct conf_overrides none;
	scope_cleanup(scope_conf) struct conf *c = calloc(1, sizeof(*c));
	struct entries entries = {0};
	struct sections sections = {0};
	int r;

	if (c == NULL)
		return err_oom(err);
	if (strlen(name) >= sizeof(c->file))
		return err_set(
			err,
			ENAMETOOLONG,
			"configuration '%.64s…': a path of more than %zu characters",
			name,
			sizeof(c->file) - 1
		);
	strcpy(c->file, name);
	c->mempool_size = MEMPOOL_SIZE;
	c->mbuf_size = MBUF_SIZE;
	c->memcache_size = MEMCACHE_SIZE;
	if (len > INI_FILE_MAX)
		return err_set(err, EFBIG, "%s: more than 1 MiB: this is no configuration", name);
	if (o == NULL)
		o = &none;
	// text → entries → sections → what they name is found
	r = entries_read(text, len, name, folder, o, &entries, err);
	if (r == 0)
		r = sections_read(&entries, c, &sections, err);
	if (r == 0)
		r = conf_resolve(c, &sections, entries.lua, o, err);
	sections_done(&sections);
	entries_done(&entries);
	if (r == 0)
		*ret = steal_ptr(c);
	return r;
}

int conf_parse(
	const char *text,
	size_t len,
	const char *name,
	const struct conf_overrides *o,
	struct conf **ret,
	struct err *err
)
{
	return parse_text(text, len, name, NULL, o, ret, err);
}

// At most max + 1 bytes of a file, or of a pipe.
static int read_file(const char *file, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *buf = malloc(max + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return err_sys(err, errno, "read configuration '%.256s'", file);
	if (buf == NULL)
		return err_oom(err);
	while (n > 0 && len <= max) {
		n = read(fd, buf + len, max + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			return err_sys(err, errno, "read configuration '%.256s'", file);
		else
			len += (size_t)n;
	}
	*ret = steal_ptr(buf);
	*ret_len = len;
	return 0;
}

static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	if (slash == NULL)
		return strdup(".");
	return slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
}

int conf_read(const char *file, const struct conf_overrides *o, struct conf **ret, struct err *err)
{
	_cleanup_free_ char *text = NULL, *folder = folder_of(file);
	size_t len = 0;

	if (folder == NULL)
		return err_oom(err);
	if (read_file(file, INI_FILE_MAX, &text, &len, err) < 0)
		return -err->code;
	return parse_text(text, len, file, folder, o, ret, err);
}

char *conf_folder(const struct conf *c)
{
	return folder_of(c->file);
}

void conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	for (unsigned i = 0; i < c->ncores; i++)
		for (unsigned k = 0; k < c->cores[i].ntasks; k++)
			free(c->cores[i].tasks[k].conf);
	specs_free(&c->specs);
	free(c);
}

int conf_port_number(const struct conf *c, const char *name)
{
	for (int i = 0; i < CONF_PORTS; i++) {
		if (c->ports[i].used && str_eq(c->ports[i].name, name))
			return i;
	}
	return -1;
}
