// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/scope.h"
#include "base/str.h"
#include "grant/caps.h"
#include "inside/files.h"
#include "inside/show.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define STATUS "/proc/self/status"
#define DEV_DEPTH 4

// What every container has, by number (Documentation/admin-guide/devices.txt): by name it could be anything.
static bool ordinary(const struct stat *st)
{
	const unsigned n = minor(st->st_rdev);

	if (!S_ISCHR(st->st_mode))
		return false;
	switch (major(st->st_rdev)) {
	case 1: // null, zero, full, random, urandom
		return n == 3 || n == 5 || (n >= 7 && n <= 9);
	case 5: // tty, console, ptmx
		return n <= 2;
	default: // terminals
		return major(st->st_rdev) >= 136 && major(st->st_rdev) <= 143;
	}
}

static bool may_open(const char *path)
{
	struct statvfs vfs;

	if (statvfs(path, &vfs) < 0 || (vfs.f_flag & ST_NODEV) != 0)
		return false;
	return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0
	       || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

static void devices_below(const char *dir, unsigned depth, struct names *found)
{
	_cleanup_names_ struct names entries = names_of_dir(dir, "");

	for (size_t i = 0; i < entries.n; i++) {
		char path[1024];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, entries.v[i]);
		if (lstat(path, &st) < 0 || ordinary(&st))
			continue;
		if (S_ISDIR(st.st_mode) && depth > 1)
			devices_below(path, depth - 1, found);
		else if ((S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && may_open(path))
			names_add(found, path);
	}
}

struct names device_nodes(void)
{
	struct names found = {0};

	devices_below("/dev", DEV_DEPTH, &found);
	names_sort(&found);
	return found;
}

void show_devices(struct out *o)
{
	_cleanup_names_ struct names found = device_nodes();

	out_strings(o, "devices", found.v, found.n);
}

void show_netdevs(struct out *o)
{
	// not /sys/class/net first, which may be that of another network namespace
	_cleanup_names_ struct names names = names_of_netdevs();

	if (names.n == 0)
		names = names_of_dir("/sys/class/net", "");
	out_strings(o, "netdevs", names.v, names.n);
}

struct names capabilities_in(const char *field)
{
	struct names names = {0};
	char buf[64];
	uint64_t mask;

	mask = strtoull(value_of(STATUS, field, buf, sizeof(buf)), NULL, 16);
	for (unsigned bit = 0; bit < 64; bit++) {
		if ((mask >> bit & 1) == 0)
			continue;
		if (bit < CAPS_MAX)
			snprintf(buf, sizeof(buf), "CAP_%s", cap_name(bit));
		else
			snprintf(buf, sizeof(buf), "CAP_%u", bit);
		names_add(&names, buf);
	}
	return names;
}

void show_capabilities(struct out *o)
{
	static const struct {
		const char *key, *field;
	} sets[] = {
		{"effective", "CapEff"},
		{"permitted", "CapPrm"},
		{"inheritable", "CapInh"},
		{"bounding", "CapBnd"},
		{"ambient", "CapAmb"},
	};

	out_object(o, "capabilities");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		_cleanup_names_ struct names names = capabilities_in(sets[i].field);

		out_strings(o, sets[i].key, names.v, names.n);
	}
	out_end(o);
}

static uint64_t lines_of(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	uint64_t n = 0;
	int c;

	while (f != NULL && (c = getc(f)) != EOF)
		n += c == '\n';
	return n;
}

static uint64_t count_processes(void)
{
	_cleanup_names_ struct names all = names_of_dir("/proc", "");
	uint64_t n = 0;

	for (size_t i = 0; i < all.n; i++)
		n += isdigit((unsigned char)all.v[i][0]) != 0;
	return n;
}

// The lines of a map with single blanks: "0 100000 65536".
static void out_id_map(struct out *o, const char *key, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_names_ struct names lines = {0};
	unsigned long long inside, outside, count;

	while (f != NULL && fscanf(f, "%llu %llu %llu", &inside, &outside, &count) == 3) {
		char buf[96];

		snprintf(buf, sizeof(buf), "%llu %llu %llu", inside, outside, count);
		names_add(&lines, buf);
	}
	out_strings(o, key, lines.v, lines.n);
}

void show_self(struct out *o)
{
	char buf[256];

	value_of(STATUS, "NoNewPrivs", buf, sizeof(buf));
	out_bool(o, "no_new_privs", str_eq(buf, "1"));
	out_u64(o, "seccomp", strtoull(value_of(STATUS, "Seccomp", buf, sizeof(buf)), NULL, 10));
	out_object(o, "ids");
	out_u64(o, "uid", getuid());
	out_u64(o, "gid", getgid());
	out_u64(o, "euid", geteuid());
	out_u64(o, "egid", getegid());
	out_id_map(o, "uid_map", "/proc/self/uid_map");
	out_id_map(o, "gid_map", "/proc/self/gid_map");
	out_end(o);
	if (gethostname(buf, sizeof(buf)) < 0)
		buf[0] = '\0';
	out_str(o, "hostname", buf);
	out_u64(o, "mounts", lines_of("/proc/self/mountinfo"));
	out_u64(o, "processes", count_processes());
	out_bool(o, "root_writable", faccessat(AT_FDCWD, "/", W_OK, AT_EACCESS) == 0);
}
