// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What scripts may call: arithmetic, text and tables of Lua, and DPPD's makers of addresses. What is
// not here a script cannot do. Left out of Lua's own are, beside all that reaches outside, functions
// that can run for ever within one step (string.rep of nothing, patterns, table.move, metatables).

#include "base/fs.h"
#include "base/scope.h"
#include "config/kind/tasks.h"
#include "lua/private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void push_bytes(lua_State *s, const uint8_t *bytes, int n)
{
	lua_createtable(s, n, 0);
	for (int i = 0; i < n; i++) {
		lua_pushinteger(s, bytes[i]);
		lua_rawseti(s, -2, i + 1);
	}
}

// ip("192.0.2.1"), ip(3221225985): the four bytes.
static int fn_ip(lua_State *s)
{
	uint8_t bytes[4];
	lua_Integer v;

	if (lua_type(s, 1) == LUA_TNUMBER) {
		v = luaL_checkinteger(s, 1);
		luaL_argcheck(s, v >= 0 && v <= UINT32_MAX, 1, "an address has 32 bits");
		for (int i = 0; i < 4; i++)
			bytes[i] = (uint8_t)(v >> (24 - 8 * i));
	} else if (inet_pton(AF_INET, luaL_checkstring(s, 1), bytes) != 1) {
		return luaL_error(s, "'%s' is no IPv4 address", lua_tostring(s, 1));
	}
	push_bytes(s, bytes, 4);
	return 1;
}

// cidr("192.0.2.0/24"): {ip = {192, 0, 2, 0}, depth = 24}.
static int fn_cidr(lua_State *s)
{
	const char *text = luaL_checkstring(s, 1), *slash = strchr(text, '/');
	uint8_t bytes[4];
	char ip[INET_ADDRSTRLEN];
	unsigned long depth;
	char *end;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(ip)
	    || !isdigit((unsigned char)slash[1]))
		return luaL_error(s, "'%s' is no prefix such as 192.0.2.0/24", text);
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = '\0';
	depth = strtoul(slash + 1, &end, 10);
	if (inet_pton(AF_INET, ip, bytes) != 1 || *end != '\0' || depth > 32)
		return luaL_error(s, "'%s' is no prefix such as 192.0.2.0/24", text);
	lua_createtable(s, 0, 2);
	push_bytes(s, bytes, 4);
	lua_setfield(s, -2, "ip");
	lua_pushinteger(s, (lua_Integer)depth);
	lua_setfield(s, -2, "depth");
	return 1;
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

// mac("02:00:00:00:00:01"): the six bytes.
static int fn_mac(lua_State *s)
{
	const char *text = luaL_checkstring(s, 1), *p = text;
	uint8_t bytes[6];

	for (int i = 0; i < 6; i++, p += 3) {
		int high = digit(p[0]), low = high < 0 ? -1 : digit(p[1]);

		if (low < 0 || p[2] != (i < 5 ? ':' : '\0'))
			return luaL_error(s, "'%s' is no MAC address", text);
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	push_bytes(s, bytes, 6);
	return 1;
}

static uint32_t bits(lua_State *s, int arg)
{
	lua_Number v = luaL_checknumber(s, arg);

	luaL_argcheck(s, v >= 0 && v <= UINT32_MAX, arg, "a number of 32 bits");
	return (uint32_t)v;
}

// mask(a, b): the bits that both have.
static int fn_mask(lua_State *s)
{
	lua_pushinteger(s, bits(s, 1) & bits(s, 2));
	return 1;
}

// task_count("1s0-4s0,7s0"): how many tasks the words name.
static int fn_task_count(lua_State *s)
{
	struct target_names t;
	struct err err;

	if (targets_parse(luaL_checkstring(s, 1), &t, &err) < 0)
		return luaL_error(s, "task_count: %s", err.msg);
	lua_pushinteger(s, t.n);
	return 1;
}

static int fn_unsupported(lua_State *s)
{
	return luaL_error(
		s,
		"%s() is DPPD's, and drover has no use for it yet",
		lua_tostring(s, lua_upvalueindex(1))
	);
}

// A regular file below the folder, all of it. NULL: *errnum says why.
static char *read_below(int folder, const char *path, size_t *ret_len, int *errnum)
{
	_cleanup_close_ int fd =
		fs_open_below(folder, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, true);
	_cleanup_free_ char *buf = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n = 1;

	*errnum = errno;
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	*errnum = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	if (!S_ISREG(st.st_mode) || st.st_size > SCRIPT_FILE_MAX)
		return NULL;
	buf = malloc((size_t)st.st_size + 1);
	*errnum = ENOMEM;
	while (buf != NULL && n > 0 && len <= (size_t)st.st_size) {
		n = read(fd, buf + len, (size_t)st.st_size + 1 - len);
		if (n < 0) {
			*errnum = errno;
			return NULL;
		}
		len += (size_t)n;
	}
	*ret_len = len;
	return steal_ptr(buf);
}

// dofile("tables/routes.lua"), from the configuration's folder: what the file returns.
static int fn_dofile(lua_State *s)
{
	const char *path = luaL_checkstring(s, 1), *why;
	const struct script *l = script_of(s);
	int errnum = ENOENT, status;
	size_t len;
	char *text;

	if (l->folder < 0)
		return luaL_error(s, "dofile: the configuration is not in a folder");
	lua_settop(s, 1);
	lua_pushfstring(s, "@%s", path);
	text = read_below(l->folder, path, &len, &errnum);
	if (text == NULL) {
		why = errnum == EXDEV || errnum == ELOOP
			      ? "it is outside of the configuration's folder"
		      : errnum == EINVAL ? "it is no regular file"
					 : strerror(errnum);
		return luaL_error(s, "dofile '%s': %s", path, why);
	}
	status = luaL_loadbufferx(s, text, len, lua_tostring(s, 2), "t");
	free(text);
	if (status != LUA_OK)
		return lua_error(s);
	lua_call(s, 0, LUA_MULTRET);
	return lua_gettop(s) - 2;
}

// Takes away the fields of the table on the stack's top that are not in the list.
static void keep_only(lua_State *s, const char *const *names)
{
	lua_newtable(s);
	for (; *names != NULL; names++) {
		lua_getfield(s, -2, *names);
		lua_setfield(s, -2, *names);
	}
	lua_remove(s, -2);
}

int script_library(lua_State *s)
{
	static const char *const base[] = {
		"assert",
		"error",
		"ipairs",
		"next",
		"pairs",
		"pcall",
		"rawequal",
		"rawget",
		"rawlen",
		"rawset",
		"select",
		"tonumber",
		"tostring",
		"type",
		"xpcall",
		NULL,
	};
	static const char *const string[] = {
		"byte", "char", "format", "len", "lower", "reverse", "sub", "upper", NULL};
	static const char *const table[] = {
		"concat", "insert", "pack", "remove", "sort", "unpack", NULL};
	static const char *const unsupported[] = {
		"ip6",
		"cidr6",
		"val_mask",
		"val_range",
		"bin_read",
		"client_content",
		"server_content",
		NULL,
	};
	static const luaL_Reg own[] = {
		{"ip", fn_ip},
		{"cidr", fn_cidr},
		{"mac", fn_mac},
		{"mask", fn_mask},
		{"task_count", fn_task_count},
		{"dofile", fn_dofile},
		{NULL, NULL},
	};

	// the global table is made anew of what is to be in it
	luaL_requiref(s, LUA_GNAME, luaopen_base, 0);
	keep_only(s, base);
	lua_pushvalue(s, -1);
	lua_setfield(s, -2, LUA_GNAME);
	luaL_setfuncs(s, own, 0);
	for (unsigned i = 0; unsupported[i] != NULL; i++) {
		lua_pushstring(s, unsupported[i]);
		lua_pushcclosure(s, fn_unsupported, 1);
		lua_setfield(s, -2, unsupported[i]);
	}
	luaL_requiref(s, LUA_MATHLIBNAME, luaopen_math, 0);
	lua_setfield(s, -2, LUA_MATHLIBNAME);
	luaL_requiref(s, LUA_TABLIBNAME, luaopen_table, 0);
	keep_only(s, table);
	lua_setfield(s, -2, LUA_TABLIBNAME);
	luaL_requiref(s, LUA_STRLIBNAME, luaopen_string, 0);
	keep_only(s, string);
	// ("x"):upper() looks here
	lua_pushliteral(s, "");
	lua_getmetatable(s, -1);
	lua_pushvalue(s, -3);
	lua_setfield(s, -2, "__index");
	lua_pop(s, 2);
	lua_setfield(s, -2, LUA_STRLIBNAME);
	lua_rawseti(s, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	return 0;
}
