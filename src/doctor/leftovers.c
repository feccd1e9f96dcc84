// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files that DPDK and SPDK programs left behind, and such programs that run beside all grants. Whoever uses a file of
// theirs has it locked: /proc/locks (proc(5)).

#include "base/scope.h"
#include "base/str.h"
#include "doctor/doctor.h"
#include "host/hostfs.h"
#include "host/mounts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LOCKS 4096 // as many of those lines are looked at

struct locks {
	unsigned n;
	struct {
		unsigned maj, min;
		unsigned long long inode;
		int pid;
	} held[LOCKS];
};

// "1: FLOCK  ADVISORY  READ 4711 00:2c:12345 0 EOF", with "->" for one that waits.
static void read_locks(const struct hostfs *fs, struct locks *ret)
{
	_cleanup_fclose_ FILE *f = hostfs_fopen(fs->root, "proc/locks");
	char line[256];

	ret->n = 0;
	while (f != NULL && ret->n < LOCKS && fgets(line, sizeof(line), f) != NULL) {
		unsigned n = ret->n;

		if (sscanf(line,
			   "%*d: %*s %*s %*s %d %x:%x:%llu",
			   &ret->held[n].pid,
			   &ret->held[n].maj,
			   &ret->held[n].min,
			   &ret->held[n].inode)
		    == 4)
			ret->n++;
	}
}

// Who has it locked, 0: nobody, -1: somebody of another namespace.
static int holder(const struct locks *l, const struct stat *st)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->held[i].maj == major(st->st_dev) && l->held[i].min == minor(st->st_dev)
		    && l->held[i].inode == st->st_ino)
			return l->held[i].pid > 0 ? l->held[i].pid : -1;
	}
	return 0;
}

struct scan {
	struct doctor *d;
	struct locks locks;
};

#define MAP "map_"

// "rtemap_0" of EAL with its default prefix, "spdk0map_3", "PREFIXmap_0".
static bool is_map_file(const char *name)
{
	const char *map = strstr(name, MAP), *number = map != NULL ? map + strlen(MAP) : "";

	return *number != '\0' && strspn(number, "0123456789") == strlen(number);
}

static void look_at_mount(const struct mount_line *m, void *arg)
{
	struct scan *s = arg;
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *stem = NULL, *word = NULL;
	unsigned stale = 0, all = 0;
	char first[256] = "";
	const char *name;

	if (!str_eq(m->type, "hugetlbfs") || str_starts(m->where, "/run/pinfold/"))
		return;
	dir = hostfs_opendir(s->d->fs->root, m->where);
	while (dir != NULL && (name = hostfs_next(dir)) != NULL) {
		struct stat st;

		if (!is_map_file(name) || fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0
		    || !S_ISREG(st.st_mode))
			continue;
		all++;
		if (holder(&s->locks, &st) != 0)
			continue;
		if (stale++ == 0)
			snprintf(first, sizeof(first), "%s", name);
	}
	doctor_find(
		s->d,
		stale > 0 ? VERDICT_WARN : VERDICT_PASS,
		"map-files",
		"%s: %u of %u files of hugepages are left by programs that have ended%s%s",
		m->where,
		stale,
		all,
		stale > 0 ? ", as " : "",
		first
	);
	doctor_read(s->d, "%s/*map_*, /proc/locks", m->where);
	if (stale == 0)
		return;
	// up to their numbers; whoever made them chose the name
	stem = str_printf(
		"%s/%.*s", m->where, (int)(strstr(first, MAP) + strlen(MAP) - first), first
	);
	word = stem != NULL ? str_quote(stem) : NULL;
	if (word != NULL)
		doctor_cure(s->d, "rm %s*", word);
}

// The runtime directories of programs outside of all grants: /var/run/dpdk/PREFIX, whose file "config" the program
// keeps locked.
static void look_at_programs(struct scan *s)
{
	_cleanup_closedir_ DIR *dir = hostfs_opendir(s->d->fs->root, "run/dpdk");
	unsigned alive = 0, dead = 0;
	const char *prefix;

	while (dir != NULL && (prefix = hostfs_next(dir)) != NULL) {
		_cleanup_free_ char *path = str_printf("%s/config", prefix);
		struct stat st;
		int pid;

		if (path == NULL || fstatat(dirfd(dir), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		pid = holder(&s->locks, &st);
		if (pid == 0) {
			dead++;
			continue;
		}
		alive++;
		doctor_find(
			s->d,
			VERDICT_WARN,
			"programs",
			"process %d is a DPDK program (prefix '%s') outside of all grants: its "
			"CPUs "
			"and pages are in no ledger",
			pid,
			prefix
		);
		doctor_read(s->d, "/run/dpdk/%s/config, /proc/locks", prefix);
		doctor_cure(s->d, "start it with: pinfold run --in host ...");
	}
	if (alive > 0)
		return;
	doctor_find(s->d, VERDICT_PASS, "programs", "no DPDK program runs outside of all grants");
	doctor_read(s->d, "/run/dpdk: %u directories of programs that have ended", dead);
}

void doctor_leftovers(struct doctor *d)
{
	struct scan *s scope_cleanup(scope_free) = calloc(1, sizeof(*s));

	if (!doctor_wants_pages(d) || s == NULL)
		return;
	if (!d->fs->real || !d->root) {
		doctor_find(
			d,
			VERDICT_SKIP,
			"map-files",
			d->fs->real
				? "whose files and locks are there needs root: sudo pinfold doctor"
				: "a copy of a machine's files has no locks"
		);
		return;
	}
	s->d = d;
	read_locks(d->fs, &s->locks);
	mounts_each(d->fs, look_at_mount, s);
	look_at_programs(s);
}
