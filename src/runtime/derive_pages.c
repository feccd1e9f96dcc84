// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Hugepages that an engine gave: by limits, and by file systems of its own.

#include "runtime/derive_parts.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/size.h"
#include "host/mounts.h"
#include "runtime/derive.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#define UNLIMITED UINT64_MAX

static void add_place(const struct mount_line *m, void *arg)
{
	char **text = arg;
	_cleanup_free_ char *before = *text;

	if (before != NULL && str_eq(m->type, "hugetlbfs"))
		*text = str_printf("%s%s\n", before, m->where);
	else
		steal_ptr(before);
}

char *derive_hugetlbfs(const struct hostfs *fs)
{
	char *text = strdup("");

	mounts_each(fs, add_place, &text);
	return text;
}

// How much of a place is the line of them that it lies below, or is; 0: it lies elsewhere. What goes up again may.
static size_t above(const char *mounts, const char *place)
{
	size_t longest = 0;

	for (const char *up = place; (up = strstr(up, "/..")) != NULL; up += 3) {
		if (up[3] == '\0' || up[3] == '/')
			return 0;
	}
	for (const char *line = mounts; line != NULL && *line != '\0';) {
		size_t n = strcspn(line, "\n");

		if (n > longest && strncmp(place, line, n) == 0
		    && (place[n] == '\0' || place[n] == '/'))
			longest = n;
		line += n + (line[n] == '\n');
	}
	return longest > 1 ? longest : 0;
}

bool derive_is_hugetlbfs(const json_t *mount, const char *mounts)
{
	return str_eq(derive_text(mount, "type"), "hugetlbfs")
	       || above(mounts, derive_text(mount, "source")) > 0;
}

// What lies there is asked only when it is of the kernel alone, which no server keeps waiting: a container that has such
// a file system may make links in it.
static bool ask(const struct hostfs *fs, const char *mounts, const char *place, struct statfs *ret)
{
	size_t n = above(mounts, place);
	_cleanup_free_ char *where = strndup(place, n);
	const char *below = place + n + strspn(place + n, "/");
	_cleanup_close_ int top =
		where != NULL ? fs_open_in(fs->root, where, O_PATH | O_DIRECTORY, 0) : -1;
	_cleanup_close_ int fd = -1;

	if (top < 0 || fstatfs(top, ret) < 0 || ret->f_type != HUGETLBFS_MAGIC)
		return false;
	if (*below == '\0')
		return true;
	fd = fs_open_here(top, below, O_PATH);
	return fd >= 0 && fstatfs(fd, ret) == 0 && ret->f_type == HUGETLBFS_MAGIC;
}

// "2MB" of the specification; "2M" of a mount.
static uint64_t page_size(const char *text)
{
	char buf[32];
	uint64_t bytes;
	struct err err;
	size_t n = (size_t)snprintf(buf, sizeof(buf), "%s", text);

	if (n > 1 && n < sizeof(buf) && buf[n - 1] == 'B')
		buf[n - 1] = '\0';
	return size_parse(buf, &bytes, &err) == 0 ? bytes : 0;
}

// The pages of a size that a limit says; UNLIMITED: none does, or it says that there is none (a number beyond 63 bits
// is text here, base/jdoc.h).
static uint64_t limit_of(const json_t *spec, uint64_t size)
{
	const json_t *e;
	size_t i;

	json_array_foreach (
		json_object_get(derive_in(spec, "linux", "resources"), "hugepageLimits"), i, e
	) {
		const json_t *limit = json_object_get(e, "limit");
		json_int_t bytes = json_integer_value(limit);

		if (page_size(derive_text(e, "pageSize")) == size && json_is_integer(limit))
			return bytes > 0 ? (uint64_t)bytes / size : 0;
	}
	return UNLIMITED;
}

bool derive_limits(const json_t *spec, uint64_t size)
{
	return limit_of(spec, size) != UNLIMITED;
}

// An option "NAME=SIZE" of a mount, bytes; 0: it has none that says so.
static uint64_t option_of(const json_t *mount, const char *name)
{
	const size_t n = strlen(name);
	const json_t *e;
	uint64_t bytes;
	struct err err;
	size_t i;

	json_array_foreach (json_object_get(mount, "options"), i, e) {
		const char *s = json_string_value(e);

		if (s != NULL && strncmp(s, name, n) == 0 && s[n] == '='
		    && size_parse(s + n + 1, &bytes, &err) == 0)
			return bytes;
	}
	return 0;
}

struct pages {
	uint64_t size, count; // UNLIMITED
};

// A file system that is mounted already tells itself.
static struct pages pages_of(
	const json_t *mount, const struct host *host, const struct hostfs *fs, const char *mounts
)
{
	struct pages p = {.size = option_of(mount, "pagesize"), .count = UNLIMITED};
	uint64_t bytes = option_of(mount, "size");
	struct statfs st;

	if (!str_eq(derive_text(mount, "type"), "hugetlbfs")) {
		if (!ask(fs, mounts, derive_text(mount, "source"), &st))
			return (struct pages){0};
		p.size = (uint64_t)st.f_bsize;
		// 0, or a negative number that lost its sign: it has no limit
		if (st.f_blocks > 0 && st.f_blocks < UINT32_MAX)
			p.count = st.f_blocks;
		return p;
	}
	if (p.size == 0)
		p.size = host->default_hugepage;
	if (bytes > 0 && p.size > 0)
		p.count = bytes / p.size;
	return p;
}

// The pages of a size that it may take, and whether anything says so; of no mount and no limit none.
static uint64_t pages_given(
	const json_t *spec,
	const struct host *host,
	const struct hostfs *fs,
	const char *mounts,
	uint64_t size
)
{
	uint64_t limit = limit_of(spec, size), sum = 0;
	bool mounted = false;
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(spec, "mounts"), i, e) {
		struct pages p = {0};

		if (derive_is_hugetlbfs(e, mounts))
			p = pages_of(e, host, fs, mounts);
		if (p.size != size)
			continue;
		mounted = true;
		sum = p.count > UNLIMITED - sum ? UNLIMITED : sum + p.count;
	}
	if (limit == UNLIMITED && !mounted)
		return 0;
	return mounted && sum < limit ? sum : limit;
}

static void add_pages(struct grant *g, uint64_t size, int node, uint64_t count)
{
	if (count > 0 && g->nhugepages < GRANT_HUGEPAGES)
		g->hugepages[g->nhugepages++] = (struct grant_hugepages){
			.size = size, .count = count, .node = node, .anon = true};
}

// Which node they come from is the kernel's choice: here the first that have them.
static void spread_pages(struct grant *g, const struct host *host, unsigned index, uint64_t count)
{
	const uint64_t size = host->hugepages[index].size;
	int last = -1;

	idset_foreach (id, &g->mems) {
		const struct host_node *n = host_node(host, (unsigned)id);
		uint64_t some = n != NULL ? n->hugepages[index].total : 0;

		last = id;
		if (some > count)
			some = count;
		add_pages(g, size, id, some);
		count -= some;
	}
	// more than its nodes have
	for (unsigned i = 0; count > 0 && i < g->nhugepages; i++) {
		if (g->hugepages[i].size == size) {
			g->hugepages[i].count += count;
			return;
		}
	}
	if (last >= 0)
		add_pages(g, size, last, count);
}

void derive_pages(
	const json_t *spec, const struct host *host, const struct hostfs *fs, struct grant *g
)
{
	_cleanup_free_ char *mounts = derive_hugetlbfs(fs);

	for (unsigned i = 0; i < host->nsizes; i++) {
		const struct host_hugepages *pool = &host->hugepages[i];
		uint64_t count = pages_given(spec, host, fs, mounts, pool->size);

		if (count == UNLIMITED)
			count = pool->free > pool->reserved ? pool->free - pool->reserved : 0;
		if (count > pool->total)
			count = pool->total;
		spread_pages(g, host, i, count);
	}
}
