// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Each kind of step, taken and taken back.

#include "prepare/step.h"

#include "apply/apply.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/idset.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define TRIES 3

// ---- files of the kernel's

static int read_value(const char *path, char *ret, size_t len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, ret, len - 1) : -1;

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int write_value(const char *path, const char *value, struct err *err)
{
	int r = fs_write_value(path, value);

	return r < 0 ? err_sys(err, -r, "write '%.64s' to '%s'", value, path) : 0;
}

static int do_write(const struct prepare_step *s, struct err *err)
{
	return write_value(s->path, s->value, err);
}

static int undo_write(const struct prepare_step *s, struct err *err)
{
	char now[IDSET_STR];
	int r = read_value(s->path, now, sizeof(now));

	// an interrupt whose device is gone, or that could not be moved, or was not yet
	if (r == -ENOENT || (r == 0 && str_eq(now, s->former)))
		return 0;
	return write_value(s->path, s->former, err);
}

// The kernel takes as many as it finds. Memory in pieces it can move together.
static int do_pages(const struct prepare_step *s, struct err *err)
{
	unsigned long want = strtoul(s->value, NULL, 10), have = 0;
	char now[32] = "";

	// never fewer than there are by now
	if (read_value(s->path, now, sizeof(now)) == 0)
		have = strtoul(now, NULL, 10);
	for (int i = 0; i < TRIES && have < want; i++) {
		if (write_value(s->path, s->value, err) < 0)
			return -err->code;
		if (read_value(s->path, now, sizeof(now)) == 0)
			have = strtoul(now, NULL, 10);
		if (have < want)
			fs_write_value("/proc/sys/vm/compact_memory", "1");
	}
	if (have >= want)
		return 0;
	return err_set(
		err,
		ENOMEM,
		"hugepages: only %lu of %lu could be had of '%s': memory is full or in pieces; "
		"free some, or "
		"ask for them on the kernel's command line (--dry-run shows how)",
		have,
		want,
		s->path
	);
}

static int undo_pages(const struct prepare_step *s, struct err *err)
{
	char now[32] = "";

	if (read_value(s->path, now, sizeof(now)) == 0
	    && strtoul(now, NULL, 10) <= strtoul(s->former, NULL, 10))
		return 0;
	return write_value(s->path, s->former, err);
}

// ---- the controller of cgroup v1 that is not mounted

static bool is_mounted(const char *path)
{
	_cleanup_free_ char *up = str_printf("%s/..", path);
	struct stat here, above;

	return up != NULL && stat(path, &here) == 0 && stat(up, &above) == 0
	       && here.st_dev != above.st_dev;
}

static int do_mount(const struct prepare_step *s, struct err *err)
{
	if (mkdir(s->path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", s->path);
	if (is_mounted(s->path))
		return 0;
	if (mount("none", s->path, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, s->value) < 0)
		return err_sys(
			err,
			errno,
			"mount the controller %s on '%s' (it may be in use by cgroup v2)",
			s->value,
			s->path
		);
	return 0;
}

static int undo_mount(const struct prepare_step *s, struct err *err)
{
	_cleanup_free_ char *own = str_printf("%s/pinfold", s->path);

	// the empty parent of all leases
	if (own != NULL)
		rmdir(own);
	if (is_mounted(s->path) && umount2(s->path, UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, errno, "unmount '%s'", s->path);
	if (str_eq(s->former, "none") && rmdir(s->path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove directory '%s'", s->path);
	return 0;
}

// ---- modules

static int do_module(const struct prepare_step *s, struct err *err)
{
	const struct step load = {.path = (char *)s->path};

	return apply_module(&load, err);
}

// What is bound to a driver holds no reference to its module: it would be taken from its driver.
static int check_unbound(const char *driver, struct err *err)
{
	_cleanup_free_ char *path = str_printf("/sys/bus/pci/drivers/%s", driver);
	_cleanup_closedir_ DIR *d = path != NULL ? opendir(path) : NULL;
	struct dirent *e;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		if (strchr(e->d_name, ':') != NULL)
			return err_set(
				err,
				EBUSY,
				"module '%s': %s is bound to it; pinfold nic unbind %s",
				driver,
				e->d_name,
				e->d_name
			);
	}
	return 0;
}

static int undo_module(const struct prepare_step *s, struct err *err)
{
	if (check_unbound(s->path, err) < 0)
		return -err->code;
	return apply_unload(s->path, err);
}

// ---- threads of the kernel

static bool same_thread(const struct prepare_step *s)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct hostfs fs = {.root = root, .real = true};

	return process_start(&fs, (int)strtol(s->path, NULL, 10)) == strtoull(s->start, NULL, 10);
}

static int move_thread(const struct prepare_step *s, const char *list, struct err *err)
{
	struct idset cpus;
	size_t size = CPU_ALLOC_SIZE(IDSET_MAX);
	_cleanup_free_ cpu_set_t *set = calloc(1, size);

	if (set == NULL)
		return err_oom(err);
	if (!same_thread(s))
		return 0;
	if (idset_parse(list, &cpus, err) < 0)
		return -err->code;
	idset_foreach (cpu, &cpus)
		CPU_SET_S((size_t)cpu, size, set);
	if (sched_setaffinity((pid_t)strtol(s->path, NULL, 10), size, set) < 0 && errno != ESRCH)
		return err_sys(err, errno, "move thread %s to CPUs %.64s", s->path, list);
	return 0;
}

static int do_thread(const struct prepare_step *s, struct err *err)
{
	return move_thread(s, s->value, err);
}

static int undo_thread(const struct prepare_step *s, struct err *err)
{
	return move_thread(s, s->former, err);
}

// ----

static const struct {
	const char *name;
	int (*take)(const struct prepare_step *s, struct err *err);
	int (*undo)(const struct prepare_step *s, struct err *err);
	const char *below, *or_below; // where its path is
	bool may_fail;
} kinds[] = {
	{"mount", do_mount, undo_mount, "/sys/fs/cgroup/", NULL, false},
	{"module", do_module, undo_module, "", NULL, false},
	{"pages",
	 do_pages,
	 undo_pages,
	 "/sys/kernel/mm/hugepages/",
	 "/sys/devices/system/node/",
	 false},
	{"write", do_write, undo_write, "/proc/irq/", "/sys/devices/virtual/workqueue/", true},
	{"thread", do_thread, undo_thread, "", NULL, true},
};

static bool may_be(const char *path, size_t which)
{
	const char *other = kinds[which].or_below;

	return strstr(path, "/../") == NULL
	       && (str_starts(path, kinds[which].below)
		   || (other != NULL && str_starts(path, other)));
}

int prepare_step_read(const json_t *j, struct prepare_step *ret, struct err *err)
{
	static const char what[] = "step";
	static const char *const keys[] = {"do", "path", "value", "former", "name", "start", NULL};
	struct prepare_step s = {.name = "", .start = ""};
	size_t i;

	if (jread_keys(j, what, keys, err) < 0 || jread_str(j, what, "do", true, &s.kind, err) < 0
	    || jread_str(j, what, "path", true, &s.path, err) < 0
	    || jread_str(j, what, "value", true, &s.value, err) < 0
	    || jread_str(j, what, "former", true, &s.former, err) < 0
	    || jread_str(j, what, "name", false, &s.name, err) < 0
	    || jread_str(j, what, "start", false, &s.start, err) < 0)
		return -err->code;
	for (i = 0; i < ARRAY_LEN(kinds) && !str_eq(kinds[i].name, s.kind); i++)
		;
	if (i == ARRAY_LEN(kinds) || !may_be(s.path, i))
		return err_set(
			err,
			EINVAL,
			"step '%.32s' of '%.64s': unknown to this version",
			s.kind,
			s.path
		);
	s.which = (int)i;
	*ret = s;
	return 0;
}

bool prepare_step_may_fail(const struct prepare_step *s)
{
	return kinds[s->which].may_fail;
}

int prepare_step_do(const struct prepare_step *s, struct err *err)
{
	return kinds[s->which].take(s, err);
}

int prepare_step_undo(const struct prepare_step *s, struct err *err)
{
	return kinds[s->which].undo(s, err);
}
