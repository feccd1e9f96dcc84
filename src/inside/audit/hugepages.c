// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// More hugepages than granted, by each way there is to take them. One page more than the whole grant is
// asked for at once: a limit refuses that without giving any, so the program beside is not disturbed.
// Only pages without a reservation have to be taken one by one.

#include "base/scope.h"
#include "base/size.h"
#include "inside/audit/audit.h"
#include "inside/child.h"
#include "inside/files.h"
#include "inside/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SMALLEST_SHIFT 16 // of the page sizes of any architecture: 64 KiB
#define LARGEST_SHIFT 34  // 16 GiB
#define TOUCH_MAX (UINT64_C(2) << 30)
#define LEN_MAX (UINT64_C(1) << 46)
#define SECONDS 8

// One way: to get `len` bytes in pages of 2^shift. 0, or errno. Nothing is held when it returns.
typedef int (*way_fn)(unsigned shift, uint64_t len);

static int map(uint64_t len, int flags, int fd)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, len);
	return 0;
}

static int anonymous(unsigned shift, uint64_t len)
{
	int size = (int)(shift << MAP_HUGE_SHIFT);

	return map(len, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size, -1);
}

static int shared(unsigned shift, uint64_t len)
{
	int size = (int)(shift << MAP_HUGE_SHIFT);

	return map(len, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | size, -1);
}

// The pages are filled in only after they were reserved.
static int populate(unsigned shift, uint64_t len)
{
	int size = (int)(shift << MAP_HUGE_SHIFT);

	if (len > TOUCH_MAX)
		return anonymous(shift, len);
	return map(len, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE | size, -1);
}

static int memfd(unsigned shift, uint64_t len)
{
	_cleanup_close_ int fd =
		memfd_create("audit", MFD_CLOEXEC | MFD_HUGETLB | shift << MAP_HUGE_SHIFT);

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0)
		return errno;
	return map(len, MAP_SHARED, fd);
}

static int sysv(unsigned shift, uint64_t len)
{
	int size = (int)(shift << MAP_HUGE_SHIFT);
	int id = shmget(IPC_PRIVATE, len, IPC_CREAT | SHM_HUGETLB | size | 0600);

	if (id < 0)
		return errno;
	shmctl(id, IPC_RMID, NULL);
	return 0;
}

// A size the kernel does not have is EINVAL (or ENOENT). Without a reservation nothing is taken.
static bool has_size(unsigned shift)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE;

	return map(UINT64_C(1) << shift, flags | (int)(shift << MAP_HUGE_SHIFT), -1) == 0;
}

static bool one_more(const struct audit *a, unsigned shift, uint64_t *ret_pages, uint64_t *ret_len)
{
	*ret_pages = given_pages(&a->given, UINT64_C(1) << shift) + 1;
	return !__builtin_mul_overflow(*ret_pages, UINT64_C(1) << shift, ret_len)
	       && *ret_len <= LEN_MAX;
}

static void by(const struct audit *a, way_fn way, struct finding *f)
{
	for (unsigned shift = SMALLEST_SHIFT; shift <= LARGEST_SHIFT; shift++) {
		char size[SIZE_STR];
		uint64_t pages, len;
		int r;

		if (!has_size(shift) || !one_more(a, shift, &pages, &len))
			continue;
		size_format(UINT64_C(1) << shift, size);
		r = way(shift, len);
		if (r == 0)
			fail(f, "got %llu × %s", (unsigned long long)pages, size);
		else
			pass(f,
			     "%llu × %s refused: %s",
			     (unsigned long long)pages,
			     size,
			     strerrorname_np(r) ?: "?");
	}
	if (f->verdict == AUDIT_NONE)
		pass(f, "this kernel has no hugepages");
}

#define BY(way)                                                        \
	static void by_##way(const struct audit *a, struct finding *f) \
	{                                                              \
		by(a, way, f);                                         \
	}

BY(anonymous)
BY(shared)
BY(populate)
BY(memfd)
BY(sysv)

// ---- files

struct files {
	const struct audit *audit;
	struct finding *finding;
	unsigned seen, written;
};

// A new file without a name, on a hugetlbfs.
static int new_file(const char *dir)
{
	const char *path = audit_path(dir);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		unlink(path);
	return fd;
}

static unsigned log2_of(uint64_t v)
{
	return (unsigned)__builtin_ctzll(v);
}

static void file_in(const struct mntent *m, void *arg)
{
	struct files *x = arg;
	_cleanup_close_ int fd = -1;
	uint64_t pages, len;
	struct statfs st;
	int r;

	if (!str_eq(m->mnt_type, "hugetlbfs") || statfs(m->mnt_dir, &st) < 0)
		return;
	x->seen++;
	fd = new_file(m->mnt_dir);
	if (fd < 0 || !one_more(x->audit, log2_of((uint64_t)st.f_bsize), &pages, &len))
		return;
	x->written++;
	r = ftruncate(fd, (off_t)len) < 0 ? errno : map(len, MAP_SHARED, fd);
	if (r == 0)
		fail(x->finding, "got %llu pages in %s", (unsigned long long)pages, m->mnt_dir);
	else
		pass(x->finding,
		     "%llu pages in %s refused: %s",
		     (unsigned long long)pages,
		     m->mnt_dir,
		     strerrorname_np(r) ?: "?");
}

static void by_file(const struct audit *a, struct finding *f)
{
	struct files x = {.audit = a, .finding = f};

	own_mounts_each(file_in, &x);
	if (x.seen == 0)
		pass(f, "no hugetlbfs is mounted");
	else if (x.written == 0)
		pass(f, "no file can be made in the %u hugetlbfs mounted", x.seen);
}

// ---- without a reservation: the touch fails, or nothing does

struct touching {
	const struct audit *audit;
	unsigned shift;
	uint64_t pages, len;
	int fd; // -1: anonymous
};

// result: errno of mmap, 0 when every page could be touched. Over the limit the child gets SIGBUS.
static void touch(const void *arg, void *result)
{
	const struct touching *t = arg;
	int flags = t->fd >= 0 ? MAP_SHARED
			       : MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB
					 | (int)(t->shift << MAP_HUGE_SHIFT);
	char *p = mmap(NULL, t->len, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, t->fd, 0);

	*(int *)result = p == MAP_FAILED ? errno : 0;
	for (uint64_t i = 0; p != MAP_FAILED && i < t->pages; i++)
		*(volatile char *)(p + (i << t->shift)) = 1;
}

static void touch_more(struct touching *t, const char *what, struct finding *f)
{
	char size[SIZE_STR];
	int error = 0, r;

	size_format(UINT64_C(1) << t->shift, size);
	// What nothing of is granted takes nothing from the program: then it can always be tried.
	if (t->pages > 1 && !t->audit->exhaust) {
		skip(f,
		     "%s of %s: not tried, it would take what is left of the grant for a moment "
		     "(--all)",
		     what,
		     size);
		return;
	}
	if (t->len > TOUCH_MAX) {
		skip(f,
		     "%s of %s: not tried, %llu pages take too long",
		     what,
		     size,
		     (unsigned long long)t->pages);
		return;
	}
	r = child_run(touch, t, &error, sizeof(error), SECONDS);
	if (r == 0 && error == 0)
		fail(f, "touched %llu × %s %s", (unsigned long long)t->pages, size, what);
	else if (r == 0)
		pass(f, "%s of %s refused: %s", what, size, strerrorname_np(error) ?: "?");
	else if (r == SIGBUS || r == SIGKILL)
		pass(f,
		     "touching %llu × %s %s ended with SIG%s",
		     (unsigned long long)t->pages,
		     size,
		     what,
		     sigabbrev_np(r));
	else
		fail(f, "%s of %s could not be tried (%d)", what, size, r);
}

static void touch_file(const struct mntent *m, void *arg)
{
	struct files *x = arg;
	_cleanup_close_ int fd = -1;
	struct touching t = {.audit = x->audit};
	struct statfs st;

	if (!str_eq(m->mnt_type, "hugetlbfs") || statfs(m->mnt_dir, &st) < 0)
		return;
	fd = new_file(m->mnt_dir);
	t.shift = log2_of((uint64_t)st.f_bsize);
	t.fd = fd;
	if (fd < 0 || !one_more(x->audit, t.shift, &t.pages, &t.len)
	    || ftruncate(fd, (off_t)t.len) < 0)
		return;
	touch_more(&t, "in a file", x->finding);
}

static void by_noreserve(const struct audit *a, struct finding *f)
{
	struct files x = {.audit = a, .finding = f};

	for (unsigned shift = SMALLEST_SHIFT; shift <= LARGEST_SHIFT; shift++) {
		struct touching t = {.audit = a, .shift = shift, .fd = -1};

		if (has_size(shift) && one_more(a, shift, &t.pages, &t.len))
			touch_more(&t, "anonymously", f);
	}
	own_mounts_each(touch_file, &x);
	if (f->verdict == AUDIT_NONE)
		pass(f, "this kernel has no hugepages");
}

// ---- what is mounted

static void judge_mount(const struct mntent *m, void *arg)
{
	struct files *x = arg;
	const struct given *g = &x->audit->given;
	struct statfs st;
	bool given = false;

	if (!str_eq(m->mnt_type, "hugetlbfs"))
		return;
	x->seen++;
	for (unsigned i = 0; i < g->nmounts; i++)
		given = given || str_eq(g->mounts[i].path, m->mnt_dir);
	if (statfs(m->mnt_dir, &st) < 0) {
		pass(x->finding, "%s cannot be reached", m->mnt_dir);
	} else if (!given) {
		_cleanup_names_ struct names files = names_of_dir(m->mnt_dir, "");

		fail(x->finding, "%s is not of the grant, with %zu files", m->mnt_dir, files.n);
	} else if (st.f_blocks == 0) {
		fail(x->finding, "%s has no size", m->mnt_dir);
	} else if (st.f_blocks > given_pages(g, (uint64_t)st.f_bsize)) {
		fail(x->finding,
		     "%s has %llu pages, more than granted",
		     m->mnt_dir,
		     (unsigned long long)st.f_blocks);
	} else {
		pass(x->finding,
		     "%s has %llu pages and is of the grant",
		     m->mnt_dir,
		     (unsigned long long)st.f_blocks);
	}
}

static void mounted(const struct audit *a, struct finding *f)
{
	struct files x = {.audit = a, .finding = f};

	own_mounts_each(judge_mount, &x);
	if (x.seen == 0)
		pass(f, "no hugetlbfs is mounted");
}

const struct property audit_hugepages[] = {
	{"huge-mounts",
	 "look for hugetlbfs that are somebody else's or without a size",
	 mounted,
	 .machine = true},
	{"huge-file", "map a page more than granted of a hugetlbfs file", by_file, .machine = true},
	{"huge-anonymous",
	 "map a page more than granted with MAP_HUGETLB",
	 by_anonymous,
	 .machine = true},
	{"huge-shared", "map a page more than granted with MAP_SHARED", by_shared, .machine = true},
	{"huge-populate",
	 "map a page more than granted with MAP_POPULATE",
	 by_populate,
	 .machine = true},
	{"huge-memfd", "map a page more than granted of a memfd", by_memfd, .machine = true},
	{"huge-sysv", "shmget a page more than granted with SHM_HUGETLB", by_sysv, .machine = true},
	{"huge-noreserve",
	 "touch a page more than granted with MAP_NORESERVE",
	 by_noreserve,
	 .machine = true},
	{0},
};
