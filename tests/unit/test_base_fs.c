// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "scratch.h"

#include "base/fs.h"
#include "base/str.h"
#include "base/write.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*const writers[]
)(int dirfd, const char *name, const char *data, size_t len, mode_t mode, struct err *err) = {
	fs_write_atomic, fs_write_durable, fs_write_fleeting};

static void put(const char *name, const char *text)
{
	struct err err;

	assert_ok(fs_write_atomic(topfd, name, text, strlen(text), 0644, &err), &err);
}

static void assert_holds(int dirfd, const char *path, const char *text)
{
	_cleanup_free_ char *got = NULL;
	size_t len = 0;

	assert_int_equal(fs_read(dirfd, path, 4096, &got, &len), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(got, text);
}

// How many entries the scratch directory has.
static int entries(int dirfd)
{
	_cleanup_closedir_ DIR *d = fdopendir(openat(dirfd, ".", O_RDONLY | O_DIRECTORY));
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	return n;
}

// Runs a test in a mount namespace of its own, in a child: what it mounts goes with it. The child
// returns 0 for success, 77 for "not possible here", else the line that failed.
static void in_mount_namespace(int (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0
		    || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(77);
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip_because("no mount namespace of our own (needs root)");
	if (WEXITSTATUS(status) != 0)
		fail_msg("in the namespace, line %d (of 256) failed", WEXITSTATUS(status));
}

#define CHECK(cond)                             \
	do {                                    \
		if (!(cond))                    \
			return __LINE__ & 0xff; \
	} while (0)

static void links_cannot_leave(void **)
{
	_cleanup_close_ int in = -1;
	struct stat st;

	assert_int_equal(mkdirat(topfd, "in", 0755), 0);
	put("secret", "outside");
	in = openat(topfd, "in", O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(in, "etc", 0755), 0);
	assert_int_equal(symlinkat("/secret", in, "absolute"), 0);
	assert_int_equal(symlinkat("../secret", in, "dotdot"), 0);
	assert_int_equal(symlinkat("../../../../../../../../../../etc/passwd", in, "far"), 0);
	assert_int_equal(symlinkat("/etc/inside", in, "fine"), 0);
	assert_int_equal(symlinkat("loop", in, "loop"), 0);
	assert_int_equal(fs_open_in(in, "absolute", O_RDONLY, 0), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fs_open_in(in, "dotdot", O_RDONLY, 0), -1);
	assert_int_equal(fs_open_in(in, "../secret", O_RDONLY, 0), -1);
	assert_int_equal(fs_open_in(in, "/../secret", O_RDONLY, 0), -1);
	assert_int_equal(fs_open_in(in, "far", O_RDONLY, 0), -1);
	assert_int_equal(fs_open_in(in, "loop", O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	// a link cannot make a file outside either: it comes to be inside
	{
		_cleanup_close_ int fd = fs_open_in(in, "fine", O_WRONLY | O_CREAT, 0640);

		assert_true(fd >= 0);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}
	assert_int_equal(fstatat(in, "etc/inside", &st, 0), 0);
	// below: what leads out is not turned in
	for (int links = 0; links < 2; links++) {
		_cleanup_close_ int fd = fs_open_below(in, "etc/inside", O_RDONLY, 0, links != 0);

		assert_true(fd >= 0);
		assert_int_equal(fs_open_below(in, "../secret", O_RDONLY, 0, links != 0), -1);
		assert_int_equal(errno, EXDEV);
		assert_int_equal(fs_open_below(in, "/etc/inside", O_RDONLY, 0, links != 0), -1);
		assert_int_equal(errno, EXDEV);
		assert_int_equal(fs_open_below(in, "dotdot", O_RDONLY, 0, links != 0), -1);
		assert_int_equal(errno, links != 0 ? EXDEV : ELOOP);
		assert_int_equal(fs_open_below(in, "new/x", O_WRONLY | O_CREAT, 0600, true), -1);
	}
}

static void magic_links_are_refused(void **)
{
	_cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (proc < 0)
		skip_because("no /proc");
	assert_int_equal(fs_open_in(proc, "self/root/etc", O_RDONLY, 0), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(fs_open_in(proc, "self/cwd", O_RDONLY, 0), -1);
	assert_int_equal(fs_open_in(proc, "self/fd/0", O_RDONLY, 0), -1);
	fd = fs_open_in(proc, "self/status", O_RDONLY, 0);
	assert_true(fd >= 0);
}

// A mode without O_CREAT is no mistake, as with open(2).
static void modes_that_are_not_needed(void **)
{
	_cleanup_close_ int dir = fs_open_in(topfd, ".", O_RDONLY | O_DIRECTORY, 0755);
	_cleanup_close_ int file = -1;

	assert_true(dir >= 0);
	put("f", "x");
	file = fs_open_in(topfd, "f", O_RDONLY, 0644);
	assert_true(file >= 0);
}

static void reads_up_to_a_limit(void **)
{
	_cleanup_free_ char *big = malloc(100000);
	char *got = big;
	size_t len = 7;
	struct err err;

	assert_non_null(big);
	memset(big, 'x', 100000);
	put("empty", "");
	put("five", "12345");
	assert_holds(topfd, "empty", "");
	assert_holds(topfd, "five", "12345");
	assert_int_equal(fs_read(topfd, "five", 4, &got, &len), -EFBIG);
	assert_int_equal(fs_read(topfd, "none", 4, &got, &len), -ENOENT);
	assert_int_equal(fs_read(topfd, ".", 4, &got, &len), -EISDIR);
	assert_int_equal(fs_read_system(topfd, "none", 4, &got, &len), -ENOENT);
	assert_int_equal(fs_read_system(topfd, ".", 4, &got, &len), -EISDIR);
	// untouched on failure
	assert_ptr_equal(got, big);
	assert_int_equal(len, 7);
	for (size_t n = 4094; n < 4099; n++) {
		_cleanup_free_ char *back = NULL;

		assert_ok(fs_write_atomic(topfd, "n", big, n, 0600, &err), &err);
		assert_int_equal(fs_read(topfd, "n", n, &back, &len), 0);
		assert_int_equal(len, n);
		assert_int_equal(strlen(back), n);
		assert_int_equal(fs_read(topfd, "n", n - 1, &got, NULL), -EFBIG);
		scope_free(&back);
		assert_int_equal(fs_read_system(topfd, "n", n, &back, &len), 0);
		assert_int_equal(len, n);
		assert_int_equal(fs_read_system(topfd, "n", n - 1, &got, NULL), -EFBIG);
	}
}

// An open FIFO lets its writer go on: whether it was opened can be told from there.
static void only_files_are_opened(void **)
{
	_cleanup_free_ char *got = NULL;
	int status;
	pid_t writer;

	assert_int_equal(mkfifoat(topfd, "fifo", 0600), 0);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0)
		_exit(openat(topfd, "fifo", O_WRONLY) >= 0 ? 1 : 2);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(fs_read(topfd, "fifo", 16, &got, NULL), -EINVAL);
		usleep(5000);
	}
	assert_int_equal(waitpid(writer, &status, WNOHANG), 0);
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(fs_read(topfd, ".", 16, &got, NULL), -EISDIR);
	if (mknodat(topfd, "zero", S_IFCHR | 0600, makedev(1, 5)) == 0)
		assert_int_equal(fs_read(topfd, "zero", 16, &got, NULL), -EINVAL);
	assert_null(got);
}

static void writes_whole_files(void **)
{
	mode_t mask = umask(077);
	struct stat st;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		_cleanup_free_ char *left = str_printf(".a.%d.tmp", (int)getpid());

		put(left, "of a process with our number that was killed");
		assert_ok(writers[i](topfd, "a", "one", 3, 0600, &err), &err);
		assert_ok(writers[i](topfd, "a", "two!", 4, 0644, &err), &err);
		assert_holds(topfd, "a", "two!");
		assert_int_equal(fstatat(topfd, "a", &st, 0), 0);
		// the mode asked for, whatever the umask
		assert_int_equal(st.st_mode & 07777, 0644);
		assert_int_equal(entries(topfd), 1);
		assert_int_equal(unlinkat(topfd, "a", 0), 0);
	}
	umask(mask);
}

static void replaces_a_link_and_not_its_target(void **)
{
	struct stat st;
	struct err err;

	put("target", "old");
	for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
		assert_int_equal(symlinkat("target", topfd, "link"), 0);
		assert_ok(writers[i](topfd, "link", "new", 3, 0600, &err), &err);
		assert_holds(topfd, "target", "old");
		assert_int_equal(fstatat(topfd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(unlinkat(topfd, "link", 0), 0);
	}
}

static void failed_writes_leave_nothing(void **)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/a", "../a"};
	struct err err;

	assert_int_equal(mkdirat(topfd, "dir", 0755), 0);
	assert_int_equal(mkdirat(topfd, "dir/x", 0755), 0);
	for (size_t k = 0; k < ARRAY_LEN(writers); k++) {
		assert_fails(writers[k](topfd, "dir", "x", 1, 0600, &err), &err, "/dir'");
		for (size_t i = 0; i < ARRAY_LEN(bad); i++)
			assert_fails(
				writers[k](topfd, bad[i], "x", 1, 0600, &err), &err, "write '"
			);
		assert_int_equal(entries(topfd), 1);
		assert_int_equal(faccessat(topfd, "dir/x", F_OK, 0), 0);
	}
}

// It sets no errno, which says something of before.
static int short_write(int dir, const char *big)
{
	_cleanup_close_ int fd = openat(dir, "g", O_WRONLY | O_CREAT, 0600);
	int r;

	errno = EEXIST;
	r = write_once(fd, big, 1 << 20);
	if (unlinkat(dir, "g", 0) < 0)
		return __LINE__ & 0xff;
	return r == -EIO && write_all(fd, big, 1 << 20) == -ENOSPC ? 0 : __LINE__ & 0xff;
}

static int full_disk(void)
{
	_cleanup_free_ char *big = calloc(1, 1 << 20), *old = NULL;
	_cleanup_close_ int fd = -1;
	struct err err = {0};

	if (mount("tmpfs", top, "tmpfs", 0, "size=64k") < 0)
		return 77;
	fd = open(top, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && big != NULL);
	CHECK(fs_write_atomic(fd, "f", "before", 6, 0600, &err) == 0);
	CHECK(fs_write_atomic(fd, "f", big, 1 << 20, 0600, &err) == -ENOSPC);
	CHECK(str_starts(err.msg, "write '") && strstr(err.msg, top) != NULL);
	CHECK(strstr(err.msg, "/f': No space left on device") != NULL);
	CHECK(short_write(fd, big) == 0);
	CHECK(entries(fd) == 1);
	CHECK(fs_read(fd, "f", 64, &old, NULL) == 0 && strcmp(old, "before") == 0);
	return 0;
}

static void a_full_disk_keeps_the_old_file(void **)
{
	in_mount_namespace(full_disk);
}

static void writes_control_files(void **)
{
	struct err err;

	put("limit", "");
	assert_ok(fs_write_control(topfd, "limit", "42", &err), &err);
	assert_holds(topfd, "limit", "42");
	assert_fails(
		fs_write_control(topfd, "none", "42", &err),
		&err,
		"open 'none' to write '42': No such"
	);
}

static void makes_directories(void **)
{
	_cleanup_free_ char *path = str_printf("%s//a/b/../c/", top);
	_cleanup_free_ char *blocked = str_printf("%s/file/x", top);
	struct stat st;
	struct err err;

	for (int i = 0; i < 2; i++) {
		int fd = fs_mkdirs(path, 0750, &err);

		assert_ok(fd, &err);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		close(fd);
	}
	assert_int_equal(fstatat(topfd, "a/c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	put("file", "");
	assert_fails(fs_mkdirs(blocked, 0750, &err), &err, "make directory '");
	assert_fails(fs_mkdirs("a/b", 0750, &err), &err, "not an absolute path");
	assert_fails(fs_mkdirs("", 0750, &err), &err, "not an absolute path");
}

static void removes_trees_but_follows_no_link(void **)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/"};
	struct err err;

	put("kept", "x");
	assert_int_equal(mkdirat(topfd, "keep", 0755), 0);
	assert_int_equal(mkdirat(topfd, "keep/sub", 0755), 0);
	assert_int_equal(mkdirat(topfd, "t", 0755), 0);
	assert_int_equal(mkdirat(topfd, "t/a", 0755), 0);
	assert_int_equal(mkdirat(topfd, "t/a/b", 0755), 0);
	assert_int_equal(mknodat(topfd, "t/a/file", S_IFREG | 0400, 0), 0);
	assert_int_equal(symlinkat("../../keep", topfd, "t/a/dir"), 0);
	assert_int_equal(symlinkat("../kept", topfd, "t/file"), 0);
	assert_int_equal(symlinkat("keep", topfd, "link"), 0);
	assert_ok(fs_remove_tree(topfd, "t", &err), &err);
	assert_ok(fs_remove_tree(topfd, "t", &err), &err);
	// of a link, the link
	assert_ok(fs_remove_tree(topfd, "link", &err), &err);
	assert_int_equal(entries(topfd), 2);
	assert_int_equal(faccessat(topfd, "keep/sub", F_OK, 0), 0);
	assert_ok(fs_remove_tree(topfd, "kept", &err), &err);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(fs_remove_tree(topfd, bad[i], &err), &err, "not the name of a file");
	assert_int_equal(faccessat(topfd, "keep/sub", F_OK, 0), 0);
}

static void removes_what_is_deep(void **)
{
	_cleanup_close_ int fd = fcntl(topfd, F_DUPFD_CLOEXEC, 0);
	struct err err;

	for (int i = 0; i < 200; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	assert_ok(fs_remove_tree(topfd, "d", &err), &err);
	assert_int_equal(entries(topfd), 0);
}

// A bind mount has the device number of what is around it; its files are somebody else's.
static int bind_mounts(void)
{
	_cleanup_close_ int fd = -1;
	struct err err = {0};

	CHECK(chdir(top) == 0);
	// topfd is of the namespace before
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdir("t", 0755) == 0 && mkdir("t/m", 0755) == 0 && mkdir("t/z", 0755) == 0);
	CHECK(mkdir("other", 0755) == 0 && mkdir("other/precious", 0755) == 0);
	if (mount("other", "t/m", NULL, MS_BIND, NULL) < 0)
		return 77;
	CHECK(fs_remove_tree(fd, "t", &err) == -EXDEV);
	CHECK(strncmp(err.msg, "remove 't': ", 12) == 0);
	CHECK(access("other/precious", F_OK) == 0);
	// what is no mount went
	CHECK(access("t/z", F_OK) < 0);
	CHECK(umount("t/m") == 0);

	// the tree itself is a mount point
	CHECK(mount("other", "t", NULL, MS_BIND, NULL) == 0);
	CHECK(fs_remove_tree(fd, "t", &err) == -EXDEV);
	CHECK(access("other/precious", F_OK) == 0);
	CHECK(umount("t") == 0);

	// another file system
	CHECK(mount("tmpfs", "t/m", "tmpfs", 0, "size=64k") == 0);
	CHECK(mkdir("t/m/precious", 0755) == 0);
	CHECK(fs_remove_tree(fd, "t", &err) == -EXDEV);
	CHECK(access("t/m/precious", F_OK) == 0);
	CHECK(umount("t/m") == 0 && fs_remove_tree(fd, "t", &err) == 0);
	return 0;
}

static void removes_nothing_behind_a_mount(void **)
{
	in_mount_namespace(bind_mounts);
}

static int here_and_elsewhere(void)
{
	_cleanup_close_ int fd = open(".", O_PATH | O_DIRECTORY);

	CHECK(mkdir("here", 0755) == 0 && mkdir("here/there", 0755) == 0);
	CHECK(symlink("here", "leads") == 0);
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int dir = fs_open_here(fd, "here", O_RDONLY | O_DIRECTORY);
		_cleanup_close_ int sub = fs_open_here(dir, "there", O_PATH);

		CHECK(dir >= 0 && (sub >= 0 || errno == EXDEV));
		CHECK((sub < 0) == (i > 0));
		CHECK(fs_open_here(dir, "..", O_PATH) < 0 && errno == EXDEV);
		CHECK(fs_open_here(fd, "leads", O_PATH) < 0 && errno == ELOOP);
		if (i == 0)
			CHECK(mount("tmpfs", "here/there", "tmpfs", 0, NULL) == 0);
	}
	CHECK(umount("here/there") == 0);
	CHECK(rmdir("here/there") == 0 && rmdir("here") == 0 && unlink("leads") == 0);
	return 0;
}

static void enters_no_other_file_system(void **)
{
	in_mount_namespace(here_and_elsewhere);
}

// The same where there is no openat2(2). In a child: the filter stays.
static int without_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {ARRAY_LEN(code), code};
	static const struct {
		const char *path;
		int in, below, plain; // errno, or 0
	} cases[] = {
		{"dir/file", 0, 0, 0},
		{"dir//file", 0, 0, 0},
		{"./dir/./file", 0, 0, 0},
		{"dir", 0, 0, 0},
		{"dir/", 0, 0, 0},
		{"dir/file/", ENOTDIR, ENOTDIR, ENOTDIR},
		{"/dir/file", 0, EXDEV, EXDEV},
		{"..", EXDEV, EXDEV, EXDEV},
		{"dir/../dir/file", EXDEV, EXDEV, EXDEV},
		{"link", 0, 0, ELOOP},
		{"dirlink/file", 0, 0, ELOOP},
		{"up", EXDEV, EXDEV, ELOOP},
		{"away", EXDEV, EXDEV, ELOOP},
		{"loop", ELOOP, ELOOP, ELOOP},
		{"none", ENOENT, ENOENT, ENOENT},
		{"", ENOENT, ENOENT, ENOENT},
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
	    || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return 77;
	if (mkdirat(topfd, "dir", 0700) < 0 || symlinkat("dir/file", topfd, "link") < 0
	    || symlinkat("dir", topfd, "dirlink") < 0 || symlinkat("../etc", topfd, "up") < 0
	    || symlinkat("/etc", topfd, "away") < 0 || symlinkat("loop", topfd, "loop") < 0)
		return __LINE__ & 0xff;
	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int fd =
			fs_open_below(topfd, "dir/file", O_WRONLY | O_CREAT, 0640, false);

		if (fd < 0 || (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
			return __LINE__ & 0xff;
	}
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *path = cases[i].path;
		_cleanup_close_ int in = fs_open_in(topfd, path, O_RDONLY, 0);
		int in_errno = in < 0 ? errno : 0;
		_cleanup_close_ int below = fs_open_below(topfd, path, O_RDONLY, 0, true);
		int below_errno = below < 0 ? errno : 0;
		_cleanup_close_ int plain = fs_open_below(topfd, path, O_RDONLY, 0, false);
		int plain_errno = plain < 0 ? errno : 0;

		if (in_errno != cases[i].in || below_errno != cases[i].below
		    || plain_errno != cases[i].plain) {
			print_error("'%s': %d %d %d\n", path, in_errno, below_errno, plain_errno);
			return __LINE__ & 0xff;
		}
	}
	return 0;
}

static void walks_without_openat2(void **)
{
	in_mount_namespace(without_openat2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(links_cannot_leave),
		T(magic_links_are_refused),
		T(modes_that_are_not_needed),
		T(reads_up_to_a_limit),
		T(only_files_are_opened),
		T(writes_whole_files),
		T(replaces_a_link_and_not_its_target),
		T(failed_writes_leave_nothing),
		T(a_full_disk_keeps_the_old_file),
		T(writes_control_files),
		T(walks_without_openat2),
		T(makes_directories),
		T(removes_trees_but_follows_no_link),
		T(removes_what_is_deep),
		T(removes_nothing_behind_a_mount),
		T(enters_no_other_file_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
