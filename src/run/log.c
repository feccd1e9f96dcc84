// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The log of a detached workload, which may not fill the host's disk however much the workload says:
//
//   NAME.log    what came last, at most LOG_BYTES
//   NAME.log.1  what came before, at most LOG_BYTES; older output is gone
//
// and beside each when it was written (log_times.h).
//
// A process of its own writes it, beside the workload, which outlives its supervisor: so do the limit and
// the rate. The log of what a keeper starts is written by a process of root's (keeper/scribe.c).

#include "run/log.h"

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/wait.h"
#include "run/beside.h"
#include "run/log_times.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LAST_WORDS 1000 // milliseconds for what the workload said before it ended

// For appending: what pinfold itself has to say comes from another process.
int log_new_file(int dir, const char *file)
{
	return openat(
		dir, file, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640
	);
}

// The files of a former log, where "aside" they wait.
static const char *const FORMER[][2] = {
	{"", ".former"},
	{".1", ".1.former"},
	{TIMES_END, TIMES_END ".former"},
	{".1" TIMES_END, ".1" TIMES_END ".former"},
};

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

int log_open(const char *name, bool again, struct log *ret, struct err *err)
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
	if (again)
		log.file = openat(
			log.dir, log.name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
		);
	r = log.file >= 0 ? 0 : move_former(&log, true);
	if (r < 0) {
		err_sys(err, -r, "replace log '" LOG_DIR "/%s'", log.name);
		log_close(&log);
		return -err->code;
	}
	log.former = log.file < 0;
	if (log.former)
		log.file = log_new_file(log.dir, log.name);
	if (log.file < 0 || pipe2(fds, O_CLOEXEC) < 0) {
		err_sys(err, errno, "make log '" LOG_DIR "/%s'", log.name);
		log_discard(&log);
		log_close(&log);
		return -err->code;
	}
	log.from = fds[0];
	log.to = fds[1];
	if (!log.former)
		log.times = times_open(log.dir, log.name, log.file, O_RDWR);
	if (log.times < 0)
		log.times = times_make(log.dir, log.name, log.file);
	*ret = log;
	return 0;
}

void log_close(struct log *log)
{
	scope_close(&log->from);
	scope_close(&log->to);
	scope_close(&log->file);
	scope_close(&log->times);
	scope_close(&log->dir);
	free(log->name);
	*log = (struct log)LOG_NONE;
}

int log_start(struct log *log, const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(err, errno, "start a process");
	if (pid == 0) {
		int *const mine[] = {&log->from, &log->file, &log->times, &log->dir};

		prctl(PR_SET_NAME, "pinfold-log");
		if (beside_enter(fs, lease, err) < 0)
			_exit(1);
		beside_detach();
		beside_keep(mine, ARRAY_LEN(mine));
		log_write(log);
		_exit(0);
	}
	log->writer = pid;
	scope_close(&log->from);
	scope_close(&log->file);
	scope_close(&log->times);
	log->from = log->file = log->times = -1;
	return 0;
}

void log_end(struct log *log, const struct ledger *l, const struct lease *lease)
{
	struct err unused;

	scope_close(&log->to);
	log->to = -1;
	if (log->writer <= 0)
		return;
	// what the workload has left behind would keep the pipe open, and is killed by the undo anyway
	cgroup_kill(l, lease, false, LAST_WORDS, &unused);
	if (!wait_for_end(log->writer, NULL, LAST_WORDS)) { // somebody else has the pipe
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
