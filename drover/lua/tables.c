// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tables of DPPD's form brought into numbers: routes with their next hops, subscribers, CPEs.

#include "base/str.h"
#include "config/config.h"
#include "config/hint.h"
#include "config/printable.h"
#include "lua/private.h"
#include "table/spec.h"

#include <errno.h>
#include <stdio.h>

// A conversion under way: the entry at hand is on the stack's top.
struct convert {
	enum script_kind kind;
	const char *name;
	struct spec *spec;
	struct err *err;
	int result;
};

// "entry 3", "entry 'x'"; for messages.
#define ENTRY_STR 64
static const char *entry(lua_State *s, int key, char buf[static ENTRY_STR])
{
	if (lua_isinteger(s, key))
		snprintf(buf, ENTRY_STR, "entry %lld", (long long)lua_tointeger(s, key));
	else if (lua_type(s, key) == LUA_TSTRING && printable(lua_tostring(s, key)))
		snprintf(buf, ENTRY_STR, "entry '%.40s'", lua_tostring(s, key));
	else
		snprintf(buf, ENTRY_STR, "an entry");
	return buf;
}

// The entry has no other fields than these.
static int check_fields(lua_State *s, const char *const *names, struct err *err)
{
	char buf[HINT_MAX];

	if (!lua_istable(s, -1))
		return err_set(err, EINVAL, "a %s where a table is wanted", luaL_typename(s, -1));
	for (lua_pushnil(s); lua_next(s, -2) != 0; lua_pop(s, 1)) {
		const char *name = lua_type(s, -2) == LUA_TSTRING ? lua_tostring(s, -2) : "";
		bool known = false;

		for (unsigned i = 0; names[i] != NULL; i++)
			known = known || str_eq(names[i], name);
		if (known)
			continue;
		if (!printable(name))
			name = "?";
		lua_pop(s, 2);
		return err_set(
			err, EINVAL, "unknown field '%.40s'%s", name, hint(buf, name, names)
		);
	}
	return 0;
}

// A whole number of a field. need: it must be there, else *ret stays.
static int number(
	lua_State *s, const char *name, bool need, uint64_t max, uint32_t *ret, struct err *err
)
{
	int type = lua_getfield(s, -1, name);
	lua_Number v = lua_tonumber(s, -1);

	lua_pop(s, 1);
	if (type == LUA_TNIL && !need)
		return 0;
	if (type == LUA_TNIL)
		return err_set(err, EINVAL, "field '%s' is missing", name);
	if (type != LUA_TNUMBER || !(v >= 0 && v <= (lua_Number)max)
	    || v != (lua_Number)(uint64_t)v)
		return err_set(
			err,
			EINVAL,
			"%s: wants a whole number 0..%llu",
			name,
			(unsigned long long)max
		);
	*ret = (uint32_t)v;
	return 0;
}

// n bytes of a field, as ip() and mac() make them.
static int bytes(lua_State *s, const char *name, bool need, int n, uint8_t *ret, struct err *err)
{
	int type = lua_getfield(s, -1, name),
	    ok = type == LUA_TTABLE && lua_rawlen(s, -1) == (size_t)n;

	if (type == LUA_TNIL && !need) {
		lua_pop(s, 1);
		return 0;
	}
	for (int i = 0; ok && i < n; i++) {
		lua_Integer v;

		lua_rawgeti(s, -1, i + 1);
		v = lua_tointegerx(s, -1, &ok);
		ok = ok && v >= 0 && v <= 255;
		ret[i] = (uint8_t)v;
		lua_pop(s, 1);
	}
	lua_pop(s, 1);
	if (type == LUA_TNIL)
		return err_set(err, EINVAL, "field '%s' is missing", name);
	if (!ok)
		return err_set(
			err,
			EINVAL,
			"%s: wants %s",
			name,
			n == 4 ? "an address, as ip(\"192.0.2.1\")"
			       : "a MAC address, as mac(\"02:00:00:00:00:01\")"
		);
	return 0;
}

static int address(lua_State *s, bool need, uint32_t *ret, struct err *err)
{
	uint8_t b[4] = {0};

	if (bytes(s, "ip", need, 4, b, err) < 0)
		return -err->code;
	*ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return 0;
}

// cidr = {ip = …, depth = …}. Bits behind the prefix do not count.
static int prefix(lua_State *s, uint32_t *ip, uint32_t *depth, struct err *err)
{
	static const char *const fields[] = {"ip", "depth", NULL};
	int type = lua_getfield(s, -1, "cidr"), r;

	if (type == LUA_TNIL) {
		lua_pop(s, 1);
		return err_set(err, EINVAL, "field 'cidr' is missing");
	}
	r = check_fields(s, fields, err);
	if (r == 0)
		r = address(s, true, ip, err);
	if (r == 0)
		r = number(s, "depth", true, 32, depth, err);
	lua_pop(s, 1);
	if (r < 0)
		return err_wrap(err, "cidr");
	*ip &= *depth == 0 ? 0 : ~UINT32_C(0) << (32 - *depth);
	return 0;
}

// Calls one for every entry of the table on the stack's top, its index first in messages.
static int each(
	lua_State *s, struct convert *c, int (*one)(lua_State *, struct convert *), const char *what
)
{
	char buf[ENTRY_STR];

	if (!lua_istable(s, -1))
		return err_set(
			c->err, EINVAL, "%sa %s where a table is wanted", what, luaL_typename(s, -1)
		);
	for (lua_pushnil(s); lua_next(s, -2) != 0; lua_pop(s, 1)) {
		if (one(s, c) < 0) {
			err_wrap(c->err, "%s%s", what, entry(s, -2, buf));
			lua_pop(s, 2);
			return -c->err->code;
		}
	}
	return 0;
}

static int one_hop(lua_State *s, struct convert *c)
{
	static const char *const fields[] = {"id", "port_id", "ip", "mac", "mpls", NULL};
	struct err *err = c->err;
	struct hop hop = {0};
	uint32_t port = 0;

	if (check_fields(s, fields, err) < 0
	    || number(s, "id", true, SPEC_HOPS - 1, &hop.id, err) < 0
	    || number(s, "port_id", true, SPEC_HOP_PORTS - 1, &port, err) < 0
	    || address(s, true, &hop.ip, err) < 0 || bytes(s, "mac", true, 6, hop.mac, err) < 0
	    || number(s, "mpls", false, SPEC_LABELS - 1, &hop.mpls, err) < 0)
		return -err->code;
	hop.port = (uint16_t)port;
	return routes_add_hop(c->spec->routes, &hop, err);
}

static int one_route(lua_State *s, struct convert *c)
{
	static const char *const fields[] = {"cidr", "next_hop_id", NULL};
	struct err *err = c->err;
	struct route route = {0};
	uint32_t depth = 0;

	if (check_fields(s, fields, err) < 0 || prefix(s, &route.ip, &depth, err) < 0
	    || number(s, "next_hop_id", true, SPEC_HOPS - 1, &route.hop, err) < 0)
		return -err->code;
	route.depth = (uint8_t)depth;
	return routes_add(c->spec->routes, &route, err);
}

static int all_routes(lua_State *s, struct convert *c)
{
	static const char *const fields[] = {"next_hops", "routes", NULL};
	int r;

	if (check_fields(s, fields, c->err) < 0)
		return -c->err->code;
	lua_getfield(s, -1, "next_hops");
	r = each(s, c, one_hop, "next_hops: ");
	lua_pop(s, 1);
	if (r < 0)
		return r;
	lua_getfield(s, -1, "routes");
	r = each(s, c, one_route, "routes: ");
	lua_pop(s, 1);
	return r < 0 ? r : routes_check(c->spec->routes, c->err);
}

// user_id is DPPD's number of a subscriber in its traffic shaper, which drover has not: checked, unused.
static int one_user(lua_State *s, struct convert *c)
{
	static const char *const fields[] = {"gre_id", "svlan_id", "cvlan_id", "user_id", NULL};
	uint32_t svlan = 0, cvlan = 0, id = 0;
	struct err *err = c->err;
	struct user user = {0};

	if (check_fields(s, fields, err) < 0
	    || number(s, "gre_id", true, UINT32_MAX, &user.gre_id, err) < 0
	    || number(s, "svlan_id", true, SPEC_VLANS - 1, &svlan, err) < 0
	    || number(s, "cvlan_id", true, SPEC_VLANS - 1, &cvlan, err) < 0
	    || number(s, "user_id", false, UINT32_MAX, &id, err) < 0)
		return -err->code;
	user.svlan = (uint16_t)svlan;
	user.cvlan = (uint16_t)cvlan;
	return users_add(c->spec->users, &user, err);
}

// A CPE for each address of its prefix. The tags are those of its subscriber.
static int one_cpe(lua_State *s, struct convert *c)
{
	static const char *const fields[] = {
		"dest_id", "gre_id", "svlan_id", "cvlan_id", "cidr", "mac", "user_id", NULL};
	uint32_t port = 0, depth = 0, unused = 0;
	struct err *err = c->err;
	struct cpe cpe = {0};
	uint64_t n;

	if (check_fields(s, fields, err) < 0
	    || number(s, "dest_id", true, CONF_PORTS - 1, &port, err) < 0
	    || number(s, "gre_id", true, UINT32_MAX, &cpe.gre_id, err) < 0
	    || number(s, "svlan_id", false, SPEC_VLANS - 1, &unused, err) < 0
	    || number(s, "cvlan_id", false, SPEC_VLANS - 1, &unused, err) < 0
	    || number(s, "user_id", false, UINT32_MAX, &unused, err) < 0
	    || bytes(s, "mac", true, 6, cpe.mac, err) < 0 || prefix(s, &cpe.ip, &depth, err) < 0)
		return -err->code;
	cpe.port = (uint16_t)port;
	n = UINT64_C(1) << (32 - depth);
	if (n > SPEC_ENTRIES)
		return err_set(err, E2BIG, "cidr: more than %u addresses", SPEC_ENTRIES);
	for (; n > 0; n--, cpe.ip++) {
		if (cpes_add(c->spec->cpes, &cpe, err) < 0)
			return -err->code;
	}
	return 0;
}

// Runs protected: whatever Lua finds wrong, or is short of, ends the conversion.
static int convert(lua_State *s)
{
	struct convert *c = lua_touserdata(s, 1);

	luaL_checkstack(s, 32, NULL);
	if (lua_getglobal(s, c->name) == LUA_TNIL) {
		c->result = err_set(c->err, ENOENT, "[lua] defines no such table");
		return 0;
	}
	switch (c->kind) {
	case SCRIPT_ROUTES:
		c->result = all_routes(s, c);
		break;
	case SCRIPT_USERS:
		c->result = each(s, c, one_user, "");
		break;
	case SCRIPT_CPES:
		c->result = each(s, c, one_cpe, "");
		break;
	}
	return 0;
}

int script_table(
	struct script *l,
	enum script_kind kind,
	const char *name,
	struct specs *ret,
	struct err *err
)
{
	struct convert c = {.kind = kind, .name = name, .err = err, .result = -EINVAL};
	const void *part;
	int r;

	if (specs_get(ret, name, &c.spec, err) < 0)
		return -err->code;
	if (kind == SCRIPT_ROUTES  ? c.spec->routes != NULL
	    : kind == SCRIPT_USERS ? c.spec->users != NULL
				   : c.spec->cpes != NULL)
		return 0;
	part = kind == SCRIPT_ROUTES  ? (const void *)spec_routes(c.spec)
	       : kind == SCRIPT_USERS ? (const void *)spec_users(c.spec)
				      : (const void *)spec_cpes(c.spec);
	if (part == NULL)
		return err_oom(err);
	err_set(err, EINVAL, "[lua] fails on it");
	lua_pushcfunction(l->state, convert);
	lua_pushlightuserdata(l->state, &c);
	r = lua_pcall(l->state, 1, 0, 0);
	lua_settop(l->state, 0);
	if (r == LUA_ERRMEM)
		return err_set(
			err,
			ENOMEM,
			"[lua] wants more than %u MiB of memory",
			SCRIPT_MEMORY_MAX >> 20
		);
	return r == LUA_OK ? c.result : -err->code;
}
