// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [lua]: all of its lines are one script, run before anything else is read. Its strings and numbers can
// be used like variables, its tables are named by tasks.

#include "base/scope.h"
#include "config/parse.h"
#include "lua/lua.h"

#include <stdlib.h>
#include <string.h>

// In the place of every other line of the file is an empty one, so that Lua counts as the file does.
static char *script(const struct ini *ini, size_t *ret_len)
{
	size_t room = 1, len = 0;
	unsigned line = 1;
	char *text;

	for (size_t i = 0; i < ini->n; i++) {
		if (ini->items[i].section == INI_LUA && !ini->items[i].header)
			room += strlen(ini->items[i].name) + 1;
	}
	if (room == 1)
		return NULL;
	text = malloc(room + ini->items[ini->n - 1].line);
	for (size_t i = 0; text != NULL && i < ini->n; i++) {
		const struct ini_item *it = &ini->items[i];

		if (it->section != INI_LUA || it->header)
			continue;
		for (; line < it->line; line++)
			text[len++] = '\n';
		memcpy(text + len, it->name, strlen(it->name));
		len += strlen(it->name);
	}
	*ret_len = len;
	return text;
}

static bool more(void *arg, const char *name, size_t len, char *ret)
{
	char word[64];

	if (len >= sizeof(word))
		return false;
	memcpy(word, name, len);
	word[len] = '\0';
	return script_text(arg, word, ret, VALUE_MAX);
}

int parse_lua(struct parse *p, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;

	text = script(&p->ini, &len);
	if (text == NULL)
		return 0;
	if (script_make(p->folder, &p->lua, err) < 0)
		return err_wrap(err, "%s", p->conf->file);
	p->vars.more = more;
	p->vars.more_arg = p->lua;
	return script_run(p->lua, text, len, p->conf->file, err);
}
