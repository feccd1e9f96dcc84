// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Each kind of step, carried out.

#include "apply/apply.h"

#include "base/debug.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/write.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static int do_cgroup(const struct step *s, struct err *err)
{
	struct statfs st;

	if (mkdir(s->path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make cgroup '%s'", s->path);
	// In a plain directory limits would be plain files that limit nothing.
	if (statfs(s->path, &st) < 0)
		return err_sys(err, errno, "look at cgroup '%s'", s->path);
	if (st.f_type != CGROUP_SUPER_MAGIC && st.f_type != CGROUP2_SUPER_MAGIC) {
		rmdir(s->path);
		return err_set(
			err,
			EOPNOTSUPP,
			"make cgroup '%s': it is no cgroup, its controller is not mounted there",
			s->path
		);
	}
	return 0;
}

static int do_set(const struct step *s, struct err *err)
{
	_cleanup_close_ int fd = open(s->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0 && (s->hint || (errno == ENOENT && s->optional)))
		return 0;
	if (fd < 0)
		return err_sys(err, errno, "open '%s' to write '%.64s'", s->path, s->value);
	r = write_once(fd, s->value, strlen(s->value));
	if (r == 0 || s->hint)
		return 0;
	// the kernel says no more than that
	if (r == -EINVAL && strstr(s->path, "/cpuset.cpus.exclusive") != NULL)
		return err_set(
			err,
			EBUSY,
			"make CPUs %s exclusive in '%s': another cgroup has them; see cpuset.cpus "
			"of the other cgroups, or leave --partition out",
			s->value,
			s->path
		);
	return err_sys(err, -r, "write '%.64s' to '%s'", s->value, s->path);
}

static int do_give(const struct step *s, struct err *err)
{
	if (lchown(s->path, s->uid, s->gid) < 0)
		return err_sys(err, errno, "give '%s' to %u", s->path, s->uid);
	if (s->mode != 0 && chmod(s->path, s->mode) < 0)
		return err_sys(err, errno, "give '%s' its mode", s->path);
	return 0;
}

static int do_join(const struct step *s, struct err *err)
{
	struct hostfs fs;
	int r;

	if (hostfs_open("/", &fs, err) < 0)
		return -err->code;
	r = cgroup_join(&fs, s->path, err);
	hostfs_close(&fs);
	return r;
}

// The first workload of a link mounts it; owner and mode are set each time.
static int do_link(const struct step *s, struct err *err)
{
	_cleanup_close_ int parent = fs_mkdirs(LINKS_DIR, 0711, err);
	const char *name = strrchr(s->path, '/') + 1;
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_close_ int fd = -1;
	struct stat above, st;

	if (parent < 0)
		return parent;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", s->path);
	fd = openat(parent, name, flags);
	if (fd < 0 || fstat(parent, &above) < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open directory '%s'", s->path);
	if (st.st_dev == above.st_dev) {
		if (mount("pinfold", s->path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, s->value)
		    < 0)
			return err_sys(err, errno, "mount tmpfs on '%s'", s->path);
		scope_close(&fd);
		fd = openat(parent, name, flags);
	}
	if (fd < 0 || fchown(fd, s->uid, s->gid) < 0 || fchmod(fd, s->mode) < 0)
		return err_sys(err, errno, "make directory '%s'", s->path);
	return apply_seen(s->path, err);
}

static int do_touch(const struct step *s, struct err *err)
{
	_cleanup_close_ int fd = open(s->path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	return fd < 0 ? err_sys(err, errno, "make file '%s'", s->path) : 0;
}

static int do_dir(const struct step *s, struct err *err)
{
	if (mkdir(s->path, s->mode) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", s->path);
	if ((s->uid != 0 || s->gid != 0) && lchown(s->path, s->uid, s->gid) < 0)
		return err_sys(err, errno, "give directory '%s' to %u", s->path, s->uid);
	// mkdir(2) makes none whose files are its group's
	if ((s->mode & S_ISGID) != 0 && chmod(s->path, s->mode) < 0)
		return err_sys(err, errno, "give directory '%s' its mode", s->path);
	return 0;
}

static int do_file(const struct step *s, struct err *err)
{
	_cleanup_close_ int fd =
		open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, s->mode);
	int r;

	if (fd < 0)
		return err_sys(err, errno, "make file '%s'", s->path);
	r = write_all(fd, s->value, strlen(s->value));
	return r < 0 ? err_sys(err, -r, "write file '%s'", s->path) : 0;
}

// In one write, so that whoever reads it meanwhile finds the one text or the other. What is left of a longer one are
// empty lines.
static int do_rewrite(const struct step *s, struct err *err)
{
	_cleanup_close_ int fd = open(s->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t len = strlen(s->value), room;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open file '%s' to write over it", s->path);
	room = st.st_size > (off_t)len ? (size_t)st.st_size : len;
	text = malloc(room + 1);
	if (text == NULL)
		return err_oom(err);
	memcpy(text, s->value, len);
	memset(text + len, '\n', room - len);
	r = write_once(fd, text, room);
	return r < 0 ? err_sys(err, -r, "write over file '%s'", s->path) : 0;
}

static int do_symlink(const struct step *s, struct err *err)
{
	if (symlink(s->value, s->path) < 0)
		return err_sys(err, errno, "make link '%s'", s->path);
	return 0;
}

static int do_node(const struct step *s, struct err *err)
{
	if (mknod(s->path, S_IFCHR | s->mode, s->rdev) < 0 || lchown(s->path, s->uid, s->gid) < 0)
		return err_sys(err, errno, "make device node '%s'", s->path);
	return 0;
}

static int do_partition(const struct step *s, struct err *err)
{
	return cgroup_partition(s->path, s->value, err);
}

static int do_devices(const struct step *s, struct err *err)
{
	return cgroup_allow_devices(s->path, s->value, err);
}

typedef int (*step_fn)(const struct step *s, struct err *err);

static const step_fn fns[STEP_KINDS] = {
	[STEP_CGROUP] = do_cgroup,
	[STEP_SET] = do_set,
	[STEP_GIVE] = do_give,
	[STEP_JOIN] = do_join,
	[STEP_LINK] = do_link,
	[STEP_PUBLISH] = apply_publish,
	[STEP_OWNER] = apply_owner,
	[STEP_TOUCH] = do_touch,
	[STEP_DIR] = do_dir,
	[STEP_FILE] = do_file,
	[STEP_SYMLINK] = do_symlink,
	[STEP_NODE] = do_node,
	[STEP_TMPFS] = apply_tmpfs,
	[STEP_HUGETLBFS] = apply_hugetlbfs,
	[STEP_OVERLAY] = apply_overlay,
	[STEP_BIND] = apply_bind,
	[STEP_DETACH_HUGETLBFS] = apply_detach_hugetlbfs,
	[STEP_PARTITION] = do_partition,
	[STEP_DEVICES] = do_devices,
	[STEP_USERNS] = apply_userns,
	[STEP_MODULE] = apply_module,
	[STEP_NETNS] = apply_netns,
	[STEP_NETDEVS] = apply_netdevs,
	[STEP_SYSFS] = apply_sysfs,
	[STEP_REWRITE] = do_rewrite,
	[STEP_VF] = apply_vf,
	[STEP_PROBE] = apply_vf,
};

static int apply_if(
	const struct plan *p, bool (*wanted)(const struct step *, int), int arg, struct err *err
)
{
	mode_t mask = umask(0); // the modes of the plan, exactly
	int r = 0;

	for (unsigned i = 0; r == 0 && i < p->nsteps; i++) {
		const struct step *s = &p->steps[i];
		int64_t begun;

		if (!wanted(s, arg))
			continue;
		begun = debug_time();
		r = fns[s->kind](s, err);
		debug_step(begun, "apply", step_name(s->kind), s->path, r, err);
	}
	umask(mask);
	return r;
}

static bool is_at(const struct step *s, int where)
{
	return s->where == (enum step_where)where;
}

static bool is_limit(const struct step *s, int limits)
{
	bool limit = s->kind == STEP_CGROUP || s->kind == STEP_SET || s->kind == STEP_GIVE
		     || s->kind == STEP_PARTITION || s->kind == STEP_DEVICES;

	return s->where == STEP_HOST && limit == (limits != 0);
}

bool apply_host_first(const struct plan *p)
{
	for (unsigned i = 0; i < p->nsteps; i++) {
		if (is_limit(&p->steps[i], false))
			return true;
	}
	return false;
}

int apply_host(const struct plan *p, bool limits, struct err *err)
{
	return apply_if(p, is_limit, limits, err);
}

int apply_steps(const struct plan *p, enum step_where where, struct err *err)
{
	return apply_if(p, is_at, where, err);
}
