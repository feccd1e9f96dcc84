// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A directory of the host whose owner is the program of a workload while that runs: for file systems that cannot show
// other ids (idmap.c). Only the directory itself has another owner, and nothing is walked through. Its former owner and
// mode are in the lease before, and are put back when nobody of the workload is left.

#include "apply/apply.h"
#include "apply/owner_record.h"

#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

// Of an undo: "UID:GID:MODE:DEVICE:INODE:/PATH", all but the mode decimal.
struct former {
	unsigned uid, gid, mode;
	unsigned long long dev, ino;
	const char *path;
};

static int former_parse(const char *row, struct former *ret)
{
	int n = 0;

	if (sscanf(row,
		   "%u:%u:%o:%llu:%llu:%n",
		   &ret->uid,
		   &ret->gid,
		   &ret->mode,
		   &ret->dev,
		   &ret->ino,
		   &n)
		    != 5
	    || n == 0 || row[n] != '/')
		return -EINVAL;
	ret->path = row + n;
	return 0;
}

// Whoever owns a directory may give others rights in it that chmod(2) does not take back.
static const char *const lists[] = {"system.posix_acl_access", "system.posix_acl_default"};

// What is open with O_PATH has its attributes and its mode by this name alone.
static const char *name_of(int fd, char buf[static 32])
{
	snprintf(buf, 32, "/proc/self/fd/%d", fd);
	return buf;
}

static bool has_lists(int fd)
{
	char name[32];
	bool has = false;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		has = has || getxattr(name_of(fd, name), lists[i], NULL, 0) > 0;
	return has;
}

// What the program made of it as its owner goes first: as long as it is the owner, this is done again.
static int put_back(int fd, const struct former *f, struct err *err)
{
	char name[32];

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (removexattr(name_of(fd, name), lists[i]) < 0 && errno != ENODATA
		    && errno != EOPNOTSUPP)
			return err_sys(err, errno, "take the access list off '%s'", f->path);
	}
	if (chmod(name_of(fd, name), f->mode) < 0
	    || fchownat(fd, "", f->uid, f->gid, AT_EMPTY_PATH) < 0)
		return err_sys(
			err, errno, "give '%s' back to %u:%u: chown it", f->path, f->uid, f->gid
		);
	return 0;
}

// ---- before

struct search {
	const char *name; // of the lease that is to have it
	uint64_t dev, ino;
	char holder[NAME_MAX_LEN + 1];
};

static int search_owner(const struct lease *lease, void *arg, struct err *err)
{
	struct search *s = arg;
	struct former f;

	(void)err;
	// of one that drains or waits it has been put back
	if (str_eq(lease->grant.name, s->name) || lease->draining || lease->again == LEASE_WAITING)
		return 0;
	for (unsigned i = 0; i < lease->nundo; i++) {
		if (str_eq(lease->undo[i].what, OWNER_NOTE)
		    && former_parse(lease->undo[i].path, &f) == 0 && f.dev == s->dev
		    && f.ino == s->ino)
			strcpy(s->holder, lease->grant.name);
	}
	return 0;
}

static int check_free(
	const struct ledger *l,
	const struct lease *lease,
	const struct launch_volume *v,
	const struct stat *st,
	struct err *err
)
{
	struct search s = {.name = lease->grant.name, .dev = st->st_dev, .ino = st->st_ino};
	struct err unreadable;

	// one that cannot be read keeps no other from starting: its range would be found below
	lease_each(l, search_owner, &s, &unreadable);
	if (s.holder[0] != '\0')
		return err_set(
			err,
			EBUSY,
			"volume '%s': '%s' is its owner while it runs; pinfold stop %s, or give "
			"this one another directory",
			v->source,
			s.holder,
			s.holder
		);
	return 0;
}

// One that a workload which is gone had is given back first; in a plan that is only looked at, as if it were. In this boot
// one may have it whose lease cannot be read.
static int take_back(
	const struct ledger *l,
	int fd,
	const struct launch_volume *v,
	bool look,
	struct stat *st,
	struct err *err
)
{
	struct owner_record was;
	struct former f;

	if (!ids_pooled(st->st_uid))
		return 0;
	if (!owner_record_of(st->st_uid, v->source, fd, st, &was)
	    || (was.this_boot && lease_exists(l, was.lease)))
		return err_set(
			err,
			EINVAL,
			"volume '%s': its owner is %u, of a workload that is gone (a power cut?); "
			"say whose it is: chown USER:GROUP '%s'",
			v->source,
			st->st_uid,
			v->source
		);
	f = (struct former){.uid = was.uid, .gid = was.gid, .mode = was.mode, .path = v->source};
	if (!look && put_back(fd, &f, err) < 0)
		return -err->code;
	if (!look) {
		event_log(
			"volume '%s': given back to %u:%u, whose it was before '%s' had it, which "
			"is gone",
			v->source,
			was.uid,
			was.gid,
			was.lease
		);
		owner_record_remove(st->st_uid, was.path);
	}
	st->st_uid = was.uid;
	st->st_gid = was.gid;
	st->st_mode = (st->st_mode & S_IFMT) | was.mode;
	return 0;
}

static int note(
	const struct ledger *l,
	struct lease *lease,
	const struct launch_volume *v,
	bool look_only,
	struct err *err
)
{
	const struct step look = {
		.path = (char *)v->target,
		.value = (char *)v->source,
		.dev = v->dev,
		.ino = v->ino,
	};
	_cleanup_close_ int fd = apply_open_source(&look, err);
	_cleanup_free_ char *row = NULL;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "volume '%s': look whose it is", v->source);
	if (check_free(l, lease, v, &st, err) < 0 || take_back(l, fd, v, look_only, &st, err) < 0)
		return -err->code;
	if (has_lists(fd))
		return err_set(
			err,
			EINVAL,
			"volume '%s': it has an access list, which its next owner could change; "
			"take that off: setfacl -b '%s'",
			v->source,
			v->source
		);
	row = str_printf(
		"%u:%u:%04o:%llu:%llu:%s",
		st.st_uid,
		st.st_gid,
		st.st_mode & 07777,
		(unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino,
		v->source
	);
	if (row == NULL)
		return err_oom(err);
	if (strlen(row) >= sizeof(lease->undo[0].path))
		return err_set(
			err,
			ENAMETOOLONG,
			"volume '%s': too long for a note of its owner; bind it to a shorter path",
			v->source
		);
	return lease_note(lease, OWNER_NOTE, row, err);
}

// The second time it would be written down as the workload's own. A bind of it is the same directory.
static int check_once(const struct launch *launch, unsigned n, struct err *err)
{
	const struct launch_volume *v = &launch->volumes[n];

	for (unsigned i = 0; i < n; i++) {
		const struct launch_volume *o = &launch->volumes[i];

		if (o->owner && o->dev == v->dev && o->ino == v->ino)
			return err_set(
				err,
				EINVAL,
				"volume '%s': '%s' is the same directory; owner once is enough: "
				"write %s:%s:rw",
				v->source,
				o->source,
				v->source,
				v->target
			);
	}
	return 0;
}

int owner_note(
	const struct ledger *l, struct lease *lease, const struct launch *launch, struct err *err
)
{
	for (unsigned i = 0; i < launch->nvolumes; i++) {
		const struct launch_volume *v = &launch->volumes[i];

		if (v->owner
		    && (check_once(launch, i, err) < 0 || note(l, lease, v, launch->look, err) < 0))
			return -err->code;
	}
	return 0;
}

// ---- while it runs

int apply_owner(const struct step *s, struct err *err)
{
	_cleanup_close_ int fd = -1;
	struct step look = *s;
	struct stat st;

	look.value = s->path;
	fd = apply_open_source(&look, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "volume '%s': look whose it is", s->path);
	if (owner_record_write(s->uid, s->value, s->path, fd, &st, err) < 0)
		return -err->code;
	if (fchownat(fd, "", s->uid, s->gid, AT_EMPTY_PATH) < 0)
		return err_sys(
			err,
			errno,
			"volume '%s': give it to the program; where its file system cannot, leave "
			"owner out and open the directory to all (chmod 1777)",
			s->path
		);
	return 0;
}

// ---- after

// Who may rename on the way there, or in there, may have given it another path.
static int find(const struct former *f, uint32_t range)
{
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	fd = fs_open_in(root, f->path, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return -1;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
		return steal_fd(&fd);
	return owner_record_open(range, f->path);
}

// 1: it is not known where it is now.
static int give_back(const char *name, uint32_t range, const struct former *f, struct err *err)
{
	_cleanup_close_ int fd = find(f, range);
	struct stat st;

	if (fd < 0 && errno == ESTALE) {
		event_log("'%s': volume '%s' was removed, and is nobody's", name, f->path);
		return 0;
	}
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, errno, "give '%s' back to %u:%u", f->path, f->uid, f->gid);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != f->dev || st.st_ino != f->ino) {
		event_log(
			"'%s': volume '%s' is not there any more, to be given back; look where it "
			"is now (find -inum %llu), and: chown %u:%u",
			name,
			f->path,
			f->ino,
			f->uid,
			f->gid
		);
		return 1;
	}
	// not given yet, back already, or somebody else's by now
	if (st.st_uid - range >= IDS_PER_LEASE)
		return 0;
	return put_back(fd, f, err);
}

int owner_return(const struct lease *lease, const char *row, struct err *err)
{
	struct former f;
	int r;

	if (former_parse(row, &f) < 0)
		return err_set(err, EINVAL, "undo '%s': no owner of a directory", row);
	r = give_back(lease->grant.name, lease->uid_base, &f, err);
	if (r == 0)
		owner_record_remove(lease->uid_base, f.path);
	return r < 0 ? r : 0;
}

struct unread {
	const char *lease;
	struct err first;
};

static bool return_one(const struct owner_record *r, void *arg)
{
	struct unread *u = arg;
	const struct former f = {
		.uid = r->uid,
		.gid = r->gid,
		.mode = r->mode,
		.dev = r->dev,
		.ino = r->ino,
		.path = r->path,
	};
	struct err err;
	int n;

	if (!r->this_boot || !str_eq(r->lease, u->lease))
		return false;
	n = give_back(u->lease, r->range, &f, &err);
	if (n < 0)
		err_keep(&u->first, &err);
	if (n == 0)
		owner_record_remove(r->range, r->path);
	return false; // and the others
}

int owner_return_unread(const char *lease, struct err *err)
{
	struct unread u = {.lease = lease};
	struct owner_record unused;

	owner_record_find(return_one, &u, &unused);
	return err_first(&u.first, err);
}
