// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// PCI functions that were not granted. Everybody may read the first 64 bytes of a configuration; what
// lies behind, writing, and the memory of a device are for who drives it.

#include "base/dir.h"
#include "base/scope.h"
#include "inside/audit/audit.h"
#include "inside/files.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PUBLIC_BYTES 64
#define DEPTH_MAX 10

struct functions {
	const struct given *given;
	struct names others, reached;
	unsigned granted;
};

static bool address(const char *s)
{
	static const char form[] = "xxxx:xx:xx.x";
	size_t i = 0;

	for (; form[i] != '\0' && s[i] != '\0'; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)s[i]) : s[i] != form[i])
			return false;
	return form[i] == s[i];
}

static bool granted(const struct given *g, const char *pci)
{
	for (unsigned i = 0; i < g->nnics; i++)
		if (str_eq(g->nics[i].pci, pci))
			return true;
	return false;
}

static bool can_open(int dir, const char *name, int flags)
{
	_cleanup_close_ int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0;
}

static void try_function(struct functions *x, int dir, const char *pci)
{
	_cleanup_close_ int config = -1;
	char byte[1], word[320];

	if (granted(x->given, pci)) {
		x->granted++;
		return;
	}
	for (size_t i = 0; i < x->others.n; i++)
		if (str_eq(x->others.v[i], pci))
			return;
	names_add(&x->others, pci);
	config = openat(dir, "config", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (config >= 0 && pread(config, byte, 1, PUBLIC_BYTES) == 1) {
		snprintf(word, sizeof(word), "%s config read", pci);
		names_add(&x->reached, word);
	}
	if (can_open(dir, "config", O_RDWR)) {
		snprintf(word, sizeof(word), "%s config open to write", pci);
		names_add(&x->reached, word);
	}
	for (int bar = 0; bar < 6; bar++) {
		char name[16];

		snprintf(name, sizeof(name), "resource%d", bar);
		if (!can_open(dir, name, O_RDWR))
			continue;
		snprintf(word, sizeof(word), "%s %s open", pci, name);
		names_add(&x->reached, word);
		break;
	}
}

// The tree of real devices, or a directory of links into it.
static void walk(struct functions *x, int parent, const char *name, unsigned depth, bool links)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (links ? 0 : O_NOFOLLOW);
	int fd = openat(parent, name, flags);
	_cleanup_closedir_ DIR *d = dir_take(fd);
	struct dirent *e;

	while ((e = dir_next(d)) != NULL) {
		bool function = address(e->d_name);
		_cleanup_close_ int dir = -1;

		if (!function && !(depth == DEPTH_MAX && str_starts(e->d_name, "pci")))
			continue;
		dir = function ? openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		if (dir >= 0)
			try_function(x, dir, e->d_name);
		if (!links && depth > 1)
			walk(x, fd, e->d_name, depth - 1, false);
	}
}

// The older way in: files of /proc/bus/pci/BUS/DEVICE.FUNCTION, without the domain.
static void proc_bus(struct functions *x)
{
	_cleanup_names_ struct names buses = names_of_dir("/proc/bus/pci", "");

	for (size_t i = 0; i < buses.n; i++) {
		char dir[PATH_MAX];

		snprintf(dir, sizeof(dir), "/proc/bus/pci/%s", buses.v[i]);
		_cleanup_names_ struct names files = names_of_dir(dir, "");
		for (size_t k = 0; k < files.n; k++) {
			char path[PATH_MAX + 300];

			snprintf(path, sizeof(path), "%s/%s", dir, files.v[k]);
			if (can_open(AT_FDCWD, path, O_RDWR))
				names_add(&x->reached, path);
		}
	}
}

static void functions(const struct audit *a, struct finding *f)
{
	struct functions x = {.given = &a->given};

	walk(&x, AT_FDCWD, "/sys/bus/pci/devices", 1, true);
	walk(&x, AT_FDCWD, "/sys/devices", DEPTH_MAX, false);
	proc_bus(&x);
	if (x.reached.n > 0)
		fail(f, "%s", name_list(&x.reached, 5));
	else if (x.others.n > 0)
		pass(f,
		     "%zu are seen, and can be neither read past their public header nor written",
		     x.others.n);
	else
		pass(f, "no other function is there");
	names_done(&x.others);
	names_done(&x.reached);
}

const struct property audit_pci[] = {
	{"pci-functions", "open configuration and memory of PCI functions not granted", functions},
	{0},
};
