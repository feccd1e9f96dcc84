// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/config.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "config/parse.h"
#include "lua/lua.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMPOOL_SIZE (16 << 10)
#define MBUF_SIZE 2048
#define MEMCACHE_SIZE 256

int parse_at(const struct parse *p, unsigned line, struct err *err)
{
	return err_wrap(err, "%s:%u", p->conf->file, line);
}

int parse_error(const struct parse *p, unsigned line, struct err *err, const char *fmt, ...)
{
	char msg[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (line == 0)
		return err_set(err, EINVAL, "%s: %s", p->conf->file, msg);
	return err_set(err, EINVAL, "%s:%u: %s", p->conf->file, line, msg);
}

int parse_expand(struct parse *p, unsigned line, const char *text, struct err *err)
{
	return vars_expand(&p->vars, text, p->value, err) < 0 ? parse_at(p, line, err) : 0;
}

// -D name=value: there before the file's own, which then count for nothing.
static int given_vars(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < p->overrides->nvars; i++) {
		const char *name = p->overrides->vars[i].name, *value = p->overrides->vars[i].value;
		struct var *v = vars_find(&p->vars, name, strlen(name));

		if (!ini_text_ok(value))
			return parse_error(
				p,
				0,
				err,
				"-D %.64s=: the value holds a control character or is not UTF-8",
				name
			);
		// a key of a section: see parse_given
		if (strchr(name, ' ') != NULL)
			continue;
		if (v != NULL)
			v->value = value;
		else if (vars_add(&p->vars, name, value, 0, err) < 0)
			return err_wrap(err, "%s: -D", p->conf->file);
	}
	return 0;
}

static int parse_var(struct parse *p, const struct ini_item *it, struct err *err)
{
	struct var *v;

	if (it->name[0] != '$')
		return parse_error(
			p, it->line, err, "'%.64s': a variable is written $name=value", it->name
		);
	v = vars_find(&p->vars, it->name + 1, strlen(it->name + 1));
	if (v != NULL && v->line != 0)
		return parse_error(
			p,
			it->line,
			err,
			"variable $%s is there twice, first on line %u",
			v->name,
			v->line
		);
	if (v != NULL) {
		// given on the command line, and known to the file
		v->line = it->line;
		v->used = true;
		return 0;
	}
	if (vars_add(&p->vars, it->name + 1, it->value, it->line, err) < 0)
		return parse_at(p, it->line, err);
	return 0;
}

static int parse_vars(struct parse *p, struct err *err)
{
	if (given_vars(p, err) < 0)
		return -err->code;
	for (size_t i = 0; i < p->ini.n; i++) {
		const struct ini_item *it = &p->ini.items[i];

		if (it->section == INI_VARIABLES && !it->header && parse_var(p, it, err) < 0)
			return -err->code;
	}
	// what is wrong with a variable is said where it is defined, used or not
	for (unsigned i = 0; i < p->vars.n; i++) {
		struct var *v = &p->vars.v[i];
		bool used = v->used;
		int r;

		v->busy = true;
		r = vars_expand(&p->vars, v->value, p->value, err);
		v->busy = false;
		v->used = used;
		if (r < 0 && v->line == 0)
			return err_wrap(err, "%s: -D %.64s=", p->conf->file, v->name);
		if (r < 0)
			return parse_at(p, v->line, err);
	}
	return 0;
}

// A misspelt -D would change nothing, in silence.
static int check_given(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < p->vars.n; i++) {
		const struct var *v = &p->vars.v[i];
		const char *names[VARS_MAX + 1] = {0};
		char buf[HINT_MAX];
		unsigned n = 0;

		if (v->used || v->line != 0)
			continue;
		for (unsigned j = 0; j < p->vars.n; j++) {
			if (p->vars.v[j].line != 0)
				names[n++] = p->vars.v[j].name;
		}
		return parse_error(
			p,
			0,
			err,
			"-D %.64s=: the file has no such variable%s",
			v->name,
			hint(buf, v->name, names)
		);
	}
	return 0;
}

// Every section of one kind, in order of the file. Keys of the kinds in between are left alone.
static int parse_sections(
	struct parse *p,
	enum ini_section kind,
	int (*parse)(struct parse *, const struct ini_item *, size_t, struct err *),
	struct err *err
)
{
	const struct ini_item *items = p->ini.items;

	for (size_t i = 0, end; i < p->ini.n; i = end) {
		for (end = i + 1; end < p->ini.n && !items[end].header;)
			end++;
		if (items[i].section == kind && parse(p, &items[i], end - i, err) < 0)
			return -err->code;
	}
	return 0;
}

static int check_devices(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *port = &p->conf->ports[i];

		if (p->carries[i] && port->device[0] == '\0' && !p->overrides->no_devices)
			return parse_error(
				p,
				port->line,
				err,
				"port '%s' has tasks but no device: add device= here, or start "
				"with "
				"--port %s=DEVICE",
				port->name,
				port->name
			);
	}
	return 0;
}

static int check_tasks(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < p->conf->ncores; i++) {
		if (p->conf->cores[i].ntasks > 0)
			return 0;
	}
	return parse_error(p, 0, err, "no core has a task: add [core 1] with task=0 and mode=");
}

// Ports come before cores, which name them, in whatever order the file has them.
static int parse_all(struct parse *p, struct err *err)
{
	if (parse_lua(p, err) < 0 || parse_vars(p, err) < 0
	    || parse_sections(p, INI_EAL, parse_eal, err) < 0
	    || parse_sections(p, INI_DEFAULTS, parse_defaults, err) < 0
	    || parse_sections(p, INI_GLOBAL, parse_global, err) < 0 || parse_given(p, err) < 0
	    || parse_sections(p, INI_PORT, parse_port, err) < 0 || ports_name(p, err) < 0
	    || parse_sections(p, INI_CORE, parse_core, err) < 0 || check_tasks(p, err) < 0
	    || outputs_link(p, err) < 0 || check_devices(p, err) < 0)
		return -err->code;
	tasks_share(p->conf);
	return check_given(p, err);
}

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
	struct parse p = {.conf = c, .overrides = o != NULL ? o : &none, .folder = folder};
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
	if (ini_parse(text, len, &p.ini, err) < 0) {
		// "LINE: …", or out of memory
		char msg[sizeof(err->msg)];

		memcpy(msg, err->msg, sizeof(msg));
		return err_set(err, err->code, err->code == ENOMEM ? "%s: %s" : "%s:%s", name, msg);
	}
	r = parse_all(&p, err);
	ini_done(&p.ini);
	script_done(p.lua);
	free(p.links);
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
		conf_core_done(&c->cores[i]);
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
