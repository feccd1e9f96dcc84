// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The log of a detached workload, which may not fill the host's disk however much the workload says:
//
//   NAME.log    what came last, at most LOG_BYTES
//   NAME.log.1  what came before, at most LOG_BYTES; older output is gone
//
// A process of its own writes it, in the cgroup of the runtime: the workload outlives its supervisor,
// and so does the limit. A keeper writes that of its workloads itself, with log_append.

#include "run/log.h"

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define LOG_BYTES (8l << 20)
#define LAST_WORDS 1000 // milliseconds for what the workload said before it ended

static void nap(long milliseconds)
{
	const struct timespec t = {.tv_nsec = milliseconds * 1000000};

	nanosleep(&t, NULL);
}

// For appending: what pinfold itself has to say comes from another process.
static int new_file(int dir, const char *file)
{
	return openat(
		dir, file, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640
	);
}

// The files of a former log, where "aside" they wait.
static const char *const FORMER[][2] = {{"", ".former"}, {".1", ".1.former"}};

// Moves the files of a log aside, or back, over what is there.
static int move_former(const struct log *log, bool aside)
{
	for (size_t i = 0; i < ARRAY_LEN(FORMER); i++) {
		_cleanup_free_ char *from = str_printf("%s%s", log->name, FORMER[i][!aside]);
		_cleanup_free_ char *to = str_printf("%s%s", log->name, FORMER[i][aside]);

		if (from == NULL || to == NULL)
			return -ENOMEM;
		if (renameat(log->dir, from, log->dir, to) == 0)
			continue;
		if (errno != ENOENT)
			return -errno;
		// of a start that never ended, or the new one itself
		if (unlinkat(log->dir, to, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

int log_open(const char *name, struct log *ret, struct err *err)
{
	struct log log = LOG_NONE;
	int fds[2] = {-1, -1}, r;

	log.dir = fs_mkdirs(LOG_DIR, 0755, err);
	if (log.dir < 0)
		return log.dir;
	log.name = str_printf("%s.log", name);
	if (log.name == NULL) {
		log_close(&log);
		return err_oom(err);
	}
	r = move_former(&log, true);
	if (r < 0) {
		err_sys(err, -r, "replace log '" LOG_DIR "/%s'", log.name);
		log_close(&log);
		return -err->code;
	}
	log.former = true;
	log.file = new_file(log.dir, log.name);
	if (log.file < 0 || pipe2(fds, O_CLOEXEC) < 0) {
		err_sys(err, errno, "make log '" LOG_DIR "/%s'", log.name);
		log_discard(&log);
		log_close(&log);
		return -err->code;
	}
	log.from = fds[0];
	log.to = fds[1];
	*ret = log;
	return 0;
}

void log_close(struct log *log)
{
	scope_close(&log->from);
	scope_close(&log->to);
	scope_close(&log->file);
	scope_close(&log->dir);
	free(log->name);
	*log = (struct log)LOG_NONE;
}

// What cannot be written (a full disk) is lost: the workload must not wait for it.
static void put(int fd, const char *data, size_t len)
{
	while (fd >= 0 && len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

// There is a NAME.log at every moment: the new file takes its place in exchange for the full one. Where
// a file system cannot do that, the full one is lost.
static int rotate(int dir, const char *file, int full)
{
	_cleanup_free_ char *old = str_printf("%s.1", file);
	int fd;

	scope_close(&full);
	if (old == NULL)
		return -1;
	unlinkat(dir, old, 0);
	fd = new_file(dir, old);
	if (fd >= 0 && renameat2(dir, old, dir, file, RENAME_EXCHANGE) < 0)
		renameat(dir, old, dir, file);
	return fd;
}

// Until nobody has the other end of the pipe any more.
static void copy(const struct log *log)
{
	static char buf[65536];
	int fd = log->file;
	long size = 0;

	for (;;) {
		ssize_t n = read(log->from, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		if (size + n > LOG_BYTES) {
			fd = rotate(log->dir, log->name, fd);
			size = 0;
		}
		put(fd, buf, (size_t)n);
		size += n;
	}
}

void log_append(int now, int before, const char *data, size_t len)
{
	struct stat st;
	off_t from = 0;

	if (fstat(now, &st) == 0 && st.st_size + (off_t)len > LOG_BYTES && ftruncate(before, 0) == 0
	    && lseek(before, 0, SEEK_SET) == 0) {
		while (sendfile(before, now, &from, LOG_BYTES) > 0)
			;
		if (ftruncate(now, 0) < 0)
			return; // no more than the limit, whatever is lost
	}
	put(now, data, len);
}

// Keeps nothing of its parent but the log: above all not the ledger's lock.
static void drop_others(struct log *log)
{
	int *const mine[] = {&log->from, &log->file, &log->dir};

	for (size_t i = 0; i < ARRAY_LEN(mine); i++)
		*mine[i] = fcntl(*mine[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < 3; i++) {
		close(i);
		open("/dev/null", O_RDWR);
	}
	close_range(3, 99, 0);
	close_range(103, ~0u, 0);
}

int log_start(struct log *log, const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	_cleanup_free_ char *super = str_printf("%s/super", lease->cgroup);
	pid_t pid;

	if (super == NULL)
		return err_oom(err);
	pid = fork();
	if (pid < 0)
		return err_sys(err, errno, "start a process");
	if (pid == 0) {
		// like everything else of a lease it is found by its cgroup
		if (cgroup_join(fs, super, err) < 0)
			_exit(1);
		drop_others(log);
		copy(log);
		_exit(0);
	}
	log->writer = pid;
	scope_close(&log->from);
	scope_close(&log->file);
	log->from = log->file = -1;
	return 0;
}

void log_end(struct log *log, const struct hostfs *fs, const struct lease *lease)
{
	struct err unused;
	bool ended = false;

	scope_close(&log->to);
	log->to = -1;
	if (log->writer <= 0)
		return;
	// what the workload has left behind would keep the pipe open, and is killed by the undo anyway
	cgroup_kill(fs, lease, false, LAST_WORDS, &unused);
	for (int i = 0; !ended && i < LAST_WORDS; i++) {
		ended = waitpid(log->writer, NULL, WNOHANG) != 0;
		if (!ended)
			nap(1);
	}
	if (!ended) { // somebody else has the pipe
		kill(log->writer, SIGKILL);
		waitpid(log->writer, NULL, 0);
	}
	log->writer = 0;
}

void log_keep(struct log *log)
{
	for (size_t i = 0; log->former && i < ARRAY_LEN(FORMER); i++) {
		_cleanup_free_ char *file = str_printf("%s%s", log->name, FORMER[i][1]);

		if (file != NULL)
			unlinkat(log->dir, file, 0);
	}
	log->former = false;
}

void log_discard(struct log *log)
{
	struct stat st;

	if (!log->former)
		return;
	if (fstatat(log->dir, log->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0) {
		log_keep(log);
		return;
	}
	move_former(log, false);
	log->former = false;
}

// ---- reading

static int copy_rest(int fd, FILE *out, struct err *err)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (fwrite(buf, 1, (size_t)n, out) != (size_t)n)
			return err_set(err, EIO, "write the log");
	}
	fflush(out);
	return n < 0 ? err_sys(err, errno, "read the log") : 0;
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev
	       && x.st_ino == y.st_ino;
}

// Goes on in a new file when the old one has been put away. What is in between, if the workload was
// faster than the reader, is read first.
static int next_file(const char *path, const char *old, int *fd, FILE *out, struct err *err)
{
	_cleanup_close_ int now = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_close_ int before = open(old, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (now < 0 || same_file(now, *fd))
		return 0;
	if (copy_rest(*fd, out, err) < 0)
		return -err->code;
	if (before >= 0 && !same_file(before, *fd) && !same_file(before, now)
	    && copy_rest(before, out, err) < 0)
		return -err->code;
	scope_close(fd);
	*fd = steal_fd(&now);
	return copy_rest(*fd, out, err);
}

// Goes on at the begin of a log that log_append has emptied, after what it put away of it.
static int begin_again(const char *old, int fd, FILE *out, struct err *err)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	_cleanup_close_ int before = -1;
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size >= at)
		return 0;
	before = open(old, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (before >= 0 && lseek(before, at, SEEK_SET) == at && copy_rest(before, out, err) < 0)
		return -err->code;
	return lseek(fd, 0, SEEK_SET) == 0 ? 0 : err_sys(err, errno, "read the log");
}

int log_copy(
	const struct ledger *l,
	const char *name,
	int given,
	log_alive_fn alive,
	FILE *out,
	struct err *err
)
{
	_cleanup_free_ char *path = str_printf(LOG_DIR "/%s.log", name);
	_cleanup_free_ char *old = str_printf(LOG_DIR "/%s.log.1", name);
	_cleanup_close_ int fd = given, before = -1;
	bool last = alive == NULL;

	if (path == NULL || old == NULL)
		return err_oom(err);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(
			err,
			errno,
			"logs of '%s': none; only workloads started with -d have some",
			name
		);
	before = open(old, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (before >= 0 && !same_file(before, fd) && copy_rest(before, out, err) < 0)
		return -err->code;
	for (;;) {
		if (begin_again(old, fd, out, err) < 0 || copy_rest(fd, out, err) < 0
		    || next_file(path, old, &fd, out, err) < 0)
			return -err->code;
		if (last)
			return 0;
		last = !alive(l, name); // once more, for what came before the end
		nap(100);
	}
}
