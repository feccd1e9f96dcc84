// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/read/ini.h"

#include "base/str.h"
#include "config/hint.h"
#include "config/printable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const section_names[] = {
	[INI_EAL] = "eal options",
	[INI_VARIABLES] = "variables",
	[INI_DEFAULTS] = "defaults",
	[INI_GLOBAL] = "global",
	[INI_LUA] = "lua",
	[INI_PORT] = "port",
	[INI_CORE] = "core",
	NULL,
};

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && end[-1] == ' ')
		*--end = '\0';
	while (*s == ' ')
		s++;
	return s;
}

// word: the name's first.
static int bad_section(const char *word, const char *rest, struct err *err)
{
	char name[128], buf[HINT_MAX];

	snprintf(name, sizeof(name), "%.60s%s%.60s", word, rest[0] != '\0' ? " " : "", rest);
	if (hint(buf, name, section_names)[0] == '\0')
		hint(buf, word, section_names);
	return err_set(err, EINVAL, "unknown section [%s]%s", name, buf);
}

// "[name argument]". Only port and core take an argument.
static int parse_header(char *s, struct entry *ret, struct err *err)
{
	char *end = strchr(s, ']'), *arg;

	if (end == NULL)
		return err_set(err, EINVAL, "'%.64s' has no ']' at its end", s);
	if (end[1] != '\0')
		return err_set(err, EINVAL, "'%.64s' behind the section's ']'", trim(end + 1));
	*end = '\0';
	s = trim(s + 1);
	ret->header = true;
	ret->name = s;
	ret->value = s + strlen(s);
	for (unsigned i = 0; section_names[i] != NULL; i++) {
		ret->section = (enum ini_section)i;
		if (i != INI_PORT && i != INI_CORE && key_name_eq(s, section_names[i]))
			return 0;
	}
	arg = s + strcspn(s, " ");
	if (*arg != '\0')
		*arg++ = '\0';
	ret->value = trim(arg);
	for (unsigned i = INI_PORT; i <= INI_CORE; i++) {
		ret->section = (enum ini_section)i;
		if (strcasecmp(s, section_names[i]) == 0)
			return 0;
	}
	return bad_section(s, ret->value, err);
}

static int parse_pair(char *s, struct entry *ret, struct err *err)
{
	char *eq = strchr(s, '=');

	ret->header = false;
	if (eq == NULL && ret->section == INI_EAL && str_starts(s, "--")) { // a flag
		ret->name = s;
		ret->value = s + strlen(s);
		return 0;
	}
	if (eq == NULL)
		return err_set(err, EINVAL, "'%.64s' is no name=value: the '=' is missing", s);
	*eq = '\0';
	ret->name = trim(s);
	ret->value = trim(eq + 1);
	if (ret->name[0] == '\0')
		return err_set(err, EINVAL, "no name before '='");
	return 0;
}

int ini_add(struct ini *ini, const struct entry *e, struct err *err)
{
	if (ini->n == ini->room) {
		size_t room = ini->room == 0 ? 64 : ini->room * 2;
		struct entry *more = reallocarray(ini->list, room, sizeof(*more));

		if (more == NULL)
			return err_oom(err);
		ini->list = more;
		ini->room = room;
	}
	ini->list[ini->n++] = *e;
	return 0;
}

// A line of Lua: comments are those of the dialect (';', but not in a string) and Lua's own.
static int lua_line(struct ini *ini, char *s, struct location at, struct err *err)
{
	struct entry item = {.at = at, .section = INI_LUA, .name = s, .value = s + strlen(s)};
	char quote = '\0';

	for (char *c = s; *c != '\0'; c++) {
		if (quote != '\0' && *c == '\\' && c[1] != '\0')
			c++;
		else if (quote != '\0')
			quote = *c == quote ? '\0' : quote;
		else if (*c == '"' || *c == '\'')
			quote = *c;
		else if (*c == '-' && c[1] == '-')
			break;
		else if (*c == ';')
			*c-- = '\0';
	}
	s = trim(s);
	if (*s == '\0')
		return 0;
	if (!printable(s))
		return err_set(err, EINVAL, "'%.64s' holds a control character or is not UTF-8", s);
	return ini_add(ini, &item, err);
}

// One line, NUL-terminated in place.
static int parse_line(struct ini *ini, char *s, struct location at, struct err *err)
{
	struct entry item = {.at = at};

	for (char *p = s; *p != '\0'; p++) {
		if (*p == '\t' || (*p == '\r' && p[1] == '\0'))
			*p = ' ';
	}
	s = trim(s);
	if (ini->n > 0 && ini->list[ini->n - 1].section == INI_LUA && *s != '[')
		return lua_line(ini, s, at, err);
	if (*s == '#')
		return 0;
	s[strcspn(s, ";")] = '\0';
	s = trim(s);
	if (*s == '\0')
		return 0;
	if (!printable(s))
		return err_set(err, EINVAL, "'%.64s' holds a control character or is not UTF-8", s);
	if (*s == '[') {
		if (parse_header(s, &item, err) < 0)
			return -err->code;
	} else {
		if (ini->n == 0)
			return err_set(err, EINVAL, "'%.64s' stands before the first [section]", s);
		item.section = ini->list[ini->n - 1].section;
		if (parse_pair(s, &item, err) < 0)
			return -err->code;
	}
	return ini_add(ini, &item, err);
}

static int parse_lines(struct ini *ini, size_t len, const char *file, struct err *err)
{
	static const char bom[] = "\xef\xbb\xbf";
	char *s = ini->text, *end = s + len;
	struct location at = {file, 0};

	if (str_starts(s, bom))
		s += strlen(bom);
	while (s < end) {
		char *eol = memchr(s, '\n', (size_t)(end - s));

		at.line++;
		if (eol == NULL)
			eol = end;
		*eol = '\0';
		if (strlen(s) != (size_t)(eol - s))
			return error_at(at, err, "a NUL byte: this is no text file");
		if (eol - s > INI_LINE_MAX)
			return error_at(
				at,
				err,
				"the line is longer than %d bytes: put parts of it into "
				"[variables]",
				INI_LINE_MAX
			);
		if (parse_line(ini, s, at, err) < 0)
			return wrap_at(at, err);
		s = eol + 1;
	}
	return 0;
}

int ini_parse(const char *text, size_t len, const char *file, struct ini *ret, struct err *err)
{
	struct ini ini = {.text = malloc(len + 1)};

	if (ini.text == NULL)
		return err_oom(err);
	if (len > 0)
		memcpy(ini.text, text, len);
	ini.text[len] = '\0';
	if (parse_lines(&ini, len, file, err) < 0) {
		ini_done(&ini);
		return -err->code;
	}
	*ret = ini;
	return 0;
}

void ini_done(struct ini *ini)
{
	for (size_t i = 0; i < ini->n; i++)
		free(ini->list[i].own);
	free(ini->list);
	free(ini->text);
	*ini = (struct ini){0};
}
