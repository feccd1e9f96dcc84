// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Host ids for containers: a pool of pinfold's own. systemd-nspawn takes 0x00080000 to 0x6fffffff
// (systemd, docs/UIDS-GIDS.md), its foreign range starts at 0x7ffe0000: ours lies between, and above.
//
// None is given out twice in a boot. A file that a container left behind, in a volume for one, is then
// nobody's: no later container has its owner or its group.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/write.h"
#include "host/hostfs.h"
#include "ledger/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOW_FIRST 0x70000000u
#define LOW_RANGES 2048u // to 0x77ffffff
#define HIGH_FIRST 0x80000000u
#define HIGH_RANGES 32767u // to 0xfffeffff
#define RANGES (LOW_RANGES + HIGH_RANGES)
#define LINK_FIRST 0x78000000u
#define LINK_GROUPS 0x4000000u	// to 0x7bffffff
#define OWNER_FIRST 0x7c000000u // one a range

#define IDS_NAME "ids"
#define IDS_FORMAT 1
#define IDS_BYTES 256

static uint32_t range_first(unsigned n)
{
	return n < LOW_RANGES ? LOW_FIRST + n * IDS_PER_LEASE
			      : HIGH_FIRST + (n - LOW_RANGES) * IDS_PER_LEASE;
}

// RANGES: it is none of the pool's.
static unsigned range_of(uint32_t first)
{
	if (first >= HIGH_FIRST)
		return LOW_RANGES + (first - HIGH_FIRST) / IDS_PER_LEASE;
	if (first >= LOW_FIRST && first < LINK_FIRST)
		return (first - LOW_FIRST) / IDS_PER_LEASE;
	return RANGES;
}

bool ids_pooled(uint32_t id)
{
	return range_of(id) < RANGES;
}

uint32_t ids_namespace_owner(uint32_t range)
{
	return OWNER_FIRST + range_of(range);
}

// ---- what has been given out since the boot

struct given {
	uint64_t ranges, links; // that many, from the first on
};

static int given_read(const struct ledger *l, struct given *ret, struct err *err)
{
	static const char *const keys[] = {"format", "boot-id", "ranges", "links", NULL};
	static const char what[] = "'" RUN_DIR "/" IDS_NAME ".json'";
	_cleanup_close_ int dir = fs_open_in(l->fs.root, RUN_DIR, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	const char *written = "";
	struct given g = {0};
	uint64_t format = 0;
	char boot[HOST_BOOT_ID];
	size_t len;
	int r;

	*ret = g;
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open '" RUN_DIR "'");
	r = fs_read_system(dir, IDS_NAME ".json", 4096, &text, &len);
	// empty: whoever made it was killed before anything was given out
	if (r == -ENOENT || (r == 0 && len == 0))
		return 0;
	r = r < 0 ? err_sys(err, -r, "read %s", what) : jread_parse(text, len, what, &doc, err);
	// nobody knows what was given out then: no more is
	if (r < 0 || jread_keys(doc, what, keys, err) < 0
	    || jread_u64(doc, what, "format", true, IDS_FORMAT, &format, err) < 0
	    || jread_str(doc, what, "boot-id", true, &written, err) < 0
	    || jread_u64(doc, what, "ranges", true, RANGES, &g.ranges, err) < 0
	    || jread_u64(doc, what, "links", true, LINK_GROUPS, &g.links, err) < 0)
		return err_wrap(err, "ids (they are counted anew after a reboot)");
	hostfs_boot_id(l->fs.root, boot); // "": RUN_DIR is of this boot
	if (str_eq(boot, written))
		*ret = g;
	return 0;
}

// In place, and in one write that every text fits alike: to replace the file by another costs milliseconds
// where /run is on a disk (ext4 writes the new one out first), and a start is no longer than twenty.
static int given_write(const struct ledger *l, const struct given *g, struct err *err)
{
	_cleanup_close_ int dir = fs_open_in(l->fs.root, RUN_DIR, O_RDONLY | O_DIRECTORY, 0);
	_cleanup_close_ int fd = -1;
	char text[IDS_BYTES + 1], boot[HOST_BOOT_ID];
	int r;

	hostfs_boot_id(l->fs.root, boot);
	snprintf(
		text,
		sizeof(text),
		"{\"format\": %d, \"boot-id\": \"%s\", \"ranges\": %llu, \"links\": %llu}",
		IDS_FORMAT,
		boot,
		(unsigned long long)g->ranges,
		(unsigned long long)g->links
	);
	memset(text + strlen(text), ' ', IDS_BYTES - 1 - strlen(text));
	text[IDS_BYTES - 1] = '\n';
	if (dir >= 0)
		fd = openat(
			dir, IDS_NAME ".json", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600
		);
	r = fd < 0 ? -errno : write_once(fd, text, IDS_BYTES);
	return r < 0 ? err_sys(err, -r, "write '" RUN_DIR "/" IDS_NAME ".json'") : 0;
}

int ids_take(const struct ledger *l, const struct lease *lease, struct err *err)
{
	const struct grant *g = &lease->grant;
	struct given before, now;

	if (given_read(l, &before, err) < 0)
		return -err->code;
	now = before;
	if (range_of(lease->uid_base) < RANGES && range_of(lease->uid_base) >= now.ranges)
		now.ranges = range_of(lease->uid_base) + 1;
	for (unsigned i = 0; i < g->nlinks; i++) {
		if (g->links[i].gid >= LINK_FIRST + now.links)
			now.links = g->links[i].gid - LINK_FIRST + 1;
	}
	if (now.ranges == before.ranges && now.links == before.links)
		return 0;
	return given_write(l, &now, err);
}

// ---- ranges

struct taken {
	bool range[RANGES];
};

static int take_lease(const struct lease *lease, void *arg, struct err *err)
{
	struct taken *t = arg;

	(void)err;
	if (range_of(lease->uid_base) < RANGES)
		t->range[range_of(lease->uid_base)] = true;
	return 0;
}

// Marks a range for what a line "name:first:count" of /etc/subuid or /etc/subgid takes of it.
static int take_subids(
	const struct ledger *l, const char *path, unsigned from, struct taken *t, struct err *err
)
{
	_cleanup_free_ char *text = NULL;
	int r = fs_read_system(l->fs.root, path, 1u << 20, &text, NULL);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_sys(err, -r, "read '/%s', which says whose ids are whose", path);
	str_foreach (line, text, "\n") {
		unsigned long long first, count;

		if (sscanf(line, "%*[^:]:%llu:%llu", &first, &count) != 2
		    || first + count <= range_first(from))
			continue;
		for (unsigned i = from; i < RANGES && range_first(i) < first + count; i++) {
			if (first < (unsigned long long)range_first(i) + IDS_PER_LEASE)
				t->range[i] = true;
		}
	}
	return 0;
}

int ids_choose_range(const struct ledger *l, uint32_t *ret, struct err *err)
{
	static struct taken t;
	struct given given;

	t = (struct taken){0};
	if (given_read(l, &given, err) < 0 || lease_each(l, take_lease, &t, err) < 0
	    || (given.ranges < RANGES
		&& (take_subids(l, "etc/subuid", (unsigned)given.ranges, &t, err) < 0
		    || take_subids(l, "etc/subgid", (unsigned)given.ranges, &t, err) < 0)))
		return -err->code;
	for (unsigned i = (unsigned)given.ranges; i < RANGES; i++) {
		if (!t.range[i]) {
			*ret = range_first(i);
			return 0;
		}
	}
	return err_set(
		err,
		EBUSY,
		"user ids: each of the %u ranges was given out since the boot, or /etc/subuid has "
		"it; a reboot makes them free",
		RANGES
	);
}

// ---- groups of links

struct link_search {
	const char *name;
	uint32_t found; // group of the link in a lease, 0: in none
	uint32_t next;	// above all that leases have
};

static int search_link(const struct lease *lease, void *arg, struct err *err)
{
	struct link_search *s = arg;

	(void)err;
	for (unsigned i = 0; i < lease->grant.nlinks; i++) {
		const struct grant_link *k = &lease->grant.links[i];

		if (str_eq(k->name, s->name))
			s->found = k->gid;
		if (k->gid >= s->next && k->gid < LINK_FIRST + LINK_GROUPS)
			s->next = k->gid + 1;
	}
	return 0;
}

int ids_choose_link_groups(const struct ledger *l, struct grant *g, struct err *err)
{
	struct link_search s;
	struct given given;

	if (g->nlinks == 0)
		return 0;
	if (given_read(l, &given, err) < 0)
		return -err->code;
	s.next = LINK_FIRST + (uint32_t)given.links;
	for (unsigned i = 0; i < g->nlinks; i++) {
		s.name = g->links[i].name;
		s.found = 0;
		if (lease_each(l, search_link, &s, err) < 0)
			return -err->code;
		if (s.found == 0 && s.next >= LINK_FIRST + LINK_GROUPS)
			return err_set(
				err,
				EBUSY,
				"link '%s': each group id was given out since the boot; a reboot "
				"makes them free",
				g->links[i].name
			);
		g->links[i].gid = s.found != 0 ? s.found : s.next++;
	}
	return 0;
}
