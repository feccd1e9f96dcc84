// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "table/file.h"

#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_LIMIT (UINT64_C(1) << 30)
#define SHOWN 40 // characters of a wrong line in a message

// One line, what is left of it.
struct cursor {
	const char *at, *end;
};

// A decimal number up to max, and the character that must follow (0: the end of the line).
static bool number(struct cursor *c, uint64_t max, char then, uint32_t *ret)
{
	const char *s = c->at;
	uint64_t v = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
		v = v * 10 + (uint64_t)(*c->at++ - '0');
		if (v > max)
			return false;
	}
	if (c->at == s || (*s == '0' && c->at > s + 1))
		return false;
	*ret = (uint32_t)v;
	if (then == '\0')
		return c->at == c->end;
	return c->at < c->end && *c->at++ == then;
}

static bool address(struct cursor *c, char then, uint32_t *ret)
{
	uint32_t part[4];

	for (unsigned i = 0; i < 4; i++) {
		if (!number(c, 255, i < 3 ? '.' : then, &part[i]))
			return false;
	}
	*ret = part[0] << 24 | part[1] << 16 | part[2] << 8 | part[3];
	return true;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool mac(struct cursor *c, uint8_t *ret)
{
	if (c->end - c->at < 18)
		return false;
	for (unsigned i = 0; i < 6; i++, c->at += 3) {
		int high = hex(c->at[0]), low = hex(c->at[1]);

		if (high < 0 || low < 0 || c->at[2] != (i < 5 ? ':' : ','))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool word(struct cursor *c, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, name, len) != 0)
		return false;
	c->at += len;
	return true;
}

static int wrong(const struct cursor *line, const char *form, struct err *err)
{
	char shown[SHOWN + 1];
	size_t n = 0;

	for (const char *s = line->at; s < line->end && n < SHOWN; s++)
		shown[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
	shown[n] = '\0';
	return err_set(err, EINVAL, "'%s' is not %s", shown, form);
}

static int parse_hop(struct cursor c, struct spec *s, struct err *err)
{
	struct cursor line = {c.at - 4, c.end};
	struct hop hop = {0};
	uint32_t port;

	if (!number(&c, UINT32_MAX, ',', &hop.id) || !address(&c, ',', &hop.ip) || !mac(&c, hop.mac)
	    || !number(&c, UINT32_MAX, ',', &hop.mpls) || !number(&c, UINT16_MAX, '\0', &port))
		return wrong(&line, "hop,ID,ADDRESS,MAC,LABEL,PORT", err);
	hop.port = (uint16_t)port;
	return spec_routes(s) != NULL ? routes_add_hop(s->routes, &hop, err) : err_oom(err);
}

static int parse_route(struct cursor c, struct spec *s, struct err *err)
{
	struct cursor line = {c.at - 6, c.end};
	struct route route = {0};
	uint32_t depth;

	if (!address(&c, '/', &route.ip) || !number(&c, 32, ',', &depth)
	    || !number(&c, UINT32_MAX, '\0', &route.hop))
		return wrong(&line, "route,PREFIX/DEPTH,HOP", err);
	route.depth = (uint8_t)depth;
	return spec_routes(s) != NULL ? routes_add(s->routes, &route, err) : err_oom(err);
}

static int parse_user(struct cursor c, struct spec *s, struct err *err)
{
	struct cursor line = {c.at - 5, c.end};
	uint32_t svlan, cvlan;
	struct user user;

	if (!number(&c, SPEC_VLANS - 1, ',', &svlan) || !number(&c, SPEC_VLANS - 1, ',', &cvlan)
	    || !number(&c, UINT32_MAX, '\0', &user.gre_id))
		return wrong(&line, "user,SVLAN,CVLAN,GRE-ID (tags are 0 to 4095)", err);
	user.svlan = (uint16_t)svlan;
	user.cvlan = (uint16_t)cvlan;
	return spec_users(s) != NULL ? users_add(s->users, &user, err) : err_oom(err);
}

static int parse_cpe(struct cursor c, struct spec *s, struct err *err)
{
	struct cursor line = {c.at - 4, c.end};
	struct cpe cpe = {0};
	uint32_t port;

	if (!number(&c, UINT32_MAX, ',', &cpe.gre_id) || !address(&c, ',', &cpe.ip)
	    || !mac(&c, cpe.mac) || !number(&c, UINT16_MAX, '\0', &port))
		return wrong(&line, "cpe,GRE-ID,ADDRESS,MAC,PORT", err);
	cpe.port = (uint16_t)port;
	return spec_cpes(s) != NULL ? cpes_add(s->cpes, &cpe, err) : err_oom(err);
}

static int parse_line(struct cursor c, struct spec *s, struct err *err)
{
	if (c.at == c.end || *c.at == '#')
		return 0;
	if (word(&c, "route,"))
		return parse_route(c, s, err);
	if (word(&c, "user,"))
		return parse_user(c, s, err);
	if (word(&c, "cpe,"))
		return parse_cpe(c, s, err);
	if (word(&c, "hop,"))
		return parse_hop(c, s, err);
	return wrong(&c, "hop,… route,… user,… or cpe,…", err);
}

int table_parse(const char *text, size_t len, const char *name, struct spec *s, struct err *err)
{
	const char *at = text, *end = text + len;

	for (unsigned line = 1; at < end; line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (stop == NULL)
			stop = end;
		if (parse_line((struct cursor){at, stop}, s, err) < 0)
			return err_wrap(err, "%s:%u", name, line);
		at = stop + 1;
	}
	return 0;
}

int table_read(const char *folder, const char *path, struct spec *s, struct err *err)
{
	_cleanup_close_ int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	struct stat st;
	void *text;
	int r;

	if (dir >= 0)
		fd = fs_open_below(dir, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, false);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return err_set(
			err,
			errno,
			"open table '%s': it must be a file below '%s', without symbolic links",
			path,
			folder
		);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open table '%s' in '%s'", path, folder);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_LIMIT)
		return err_set(
			err,
			S_ISREG(st.st_mode) ? EFBIG : EINVAL,
			"table '%s' is %s",
			path,
			S_ISREG(st.st_mode) ? "larger than 1 GiB" : "not a regular file"
		);
	if (st.st_size == 0)
		return 0;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (text == MAP_FAILED)
		return err_sys(err, errno, "read table '%s'", path);
	r = table_parse(text, (size_t)st.st_size, path, s, err);
	munmap(text, (size_t)st.st_size);
	return r;
}
