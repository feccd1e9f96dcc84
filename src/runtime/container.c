// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/container.h"

#include "apply/apply.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"
#include "runtime/child.h"
#include "runtime/update.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ID_MAX 200
#define SECONDS_TO_TELL 10
#define FIRST_USER_NAMESPACE \
	0xEFFFFFFDu // its inode, PROC_USER_INIT_INO of Linux' include/linux/proc_ns.h

// ---- which it is

uint64_t container_mark(const char *text)
{
	return str_hash(text);
}

// Of two state directories containers may have the same name.
int container_file(const struct command *c, char **ret, struct err *err)
{
	static const char known[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
	const char *id = c->id != NULL ? c->id : "";

	if (id[0] == '\0' || id[0] == '.' || strspn(id, known) != strlen(id) || strlen(id) > ID_MAX)
		return err_set(
			err,
			EINVAL,
			"container '%.64s': with a grant its name has letters, digits, _, +, - and "
			".",
			id
		);
	*ret = str_printf(
		ENGINES_DIR "/%s-%016llx", id, (unsigned long long)container_mark(c->root)
	);
	return *ret != NULL ? 0 : err_oom(err);
}

bool container_by_root(void)
{
	struct stat st;

	return geteuid() == 0 && stat("/proc/self/ns/user", &st) == 0
	       && st.st_ino == FIRST_USER_NAMESPACE;
}

bool container_has_grant(const struct command *c)
{
	_cleanup_free_ char *file = NULL;
	struct err unused;

	return container_file(c, &file, &unused) == 0 && access(file, F_OK) == 0;
}

// The lease that its file names may be another container's by now, which took the grant when this one had ended.
static int read_lease(const struct ledger *l, const char *file, struct lease *ret, struct err *err)
{
	_cleanup_free_ char *name = NULL;
	int r = fs_read_file(file, 4096, &name, NULL);

	if (r < 0)
		return err_sys(err, -r, "read '%s'", file);
	r = lease_read(l, name, ret, err);
	if (r == 0 && !lease_notes(ret, CONTAINER_NOTE, file))
		r = err_set(err, ENOENT, "lease '%s' is another container's", name);
	return r;
}

// Its lease, with the ledger open; -ENOENT: it has none.
static int open_lease(
	const char *file,
	bool lock,
	struct hostfs *fs,
	struct ledger *l,
	struct lease *ret,
	struct err *err
)
{
	int r;

	if (access(file, F_OK) < 0)
		return err_sys(err, errno, "read '%s'", file);
	if (hostfs_open("/", fs, err) < 0)
		return -err->code;
	r = ledger_open(fs, true, l, err);
	if (r == 0) {
		r = lock ? ledger_lock(l, err) : 0;
		if (r == 0)
			r = read_lease(l, file, ret, err);
		if (r < 0)
			ledger_close(l);
	}
	if (r < 0)
		hostfs_close(fs);
	return r;
}

static void close_lease(struct hostfs *fs, struct ledger *l)
{
	ledger_close(l);
	hostfs_close(fs);
}

static int refuse(const struct command *c, const char *file, const char *verb, struct err *err)
{
	struct hostfs fs;
	struct ledger l;
	struct lease lease;
	struct err unused;
	int r = open_lease(file, false, &fs, &l, &lease, &unused);

	err_set(err,
		EOPNOTSUPP,
		"%s container '%s': it has grant '%s', whose devices and memory are of this "
		"machine",
		verb,
		c->id,
		r == 0 ? lease.grant.name : "");
	if (r == 0)
		close_lease(&fs, &l);
	return -err->code;
}

int container_check(const struct command *c, struct err *err)
{
	_cleanup_free_ char *file = NULL;
	struct hostfs fs;
	struct ledger l;
	struct lease lease;
	int r;

	if (container_file(c, &file, err) < 0)
		return -err->code;
	if (command_is(c, "checkpoint"))
		return refuse(c, file, "checkpoint", err);
	if (!command_is(c, "update"))
		return 0;
	r = open_lease(file, false, &fs, &l, &lease, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r; // it has ended
	r = update_check(c, &lease.grant, err);
	close_lease(&fs, &l);
	return r;
}

// ---- delete

// Starts the runtime's own command about it, as "delete --force ID"; out: what it prints to, -1: as here.
static pid_t start_below(
	const struct below *below,
	const struct command *c,
	const char *verb,
	const char *flag,
	int out
)
{
	const char *words[] = {
		"",
		c->root != NULL ? "--root" : NULL,
		c->root,
		verb,
		flag,
		c->id,
	};
	char *argv[ARRAY_LEN(words) + 1];
	pid_t child = fork();
	struct err unused;
	size_t n = 0;

	if (child != 0)
		return child;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i] != NULL)
			argv[n++] = (char *)words[i];
	}
	argv[n] = NULL;
	if (out >= 0)
		alarm(SECONDS_TO_TELL); // stays with what it becomes
	if (out < 0 || dup2(out, STDOUT_FILENO) >= 0)
		below_exec(below, argv, &unused);
	_exit(STATUS_FAILED);
}

void container_unmake(const struct below *below, const struct command *c)
{
	pid_t child = start_below(below, c, "delete", "--force", -1);

	if (child > 0)
		waitpid(child, NULL, 0);
}

int container_process(const struct below *below, const struct command *c, int *ret, struct err *err)
{
	_cleanup_close_ int state = memfd_create("state", MFD_CLOEXEC);
	_cleanup_json_ json_t *doc = NULL;
	pid_t child = state < 0 ? -1 : start_below(below, c, "state", NULL, state);
	int status = 0;

	if (child < 0)
		return err_sys(err, errno, "start a process");
	if (waitpid(child, &status, 0) == child && status == 0 && lseek(state, 0, SEEK_SET) == 0)
		doc = json_loadfd(state, 0, NULL);
	*ret = (int)json_integer_value(json_object_get(doc, "pid"));
	return *ret > 0 ? 0
			: err_set(
				err, EINVAL, "%s state %s: it tells no process", below->path, c->id
			);
}

int container_delete(
	const struct below *below, const struct command *c, int *ret_status, struct err *err
)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_close_ int signals = -1;
	struct ledger l;
	struct lease lease;
	struct hostfs fs;
	sigset_t old;
	pid_t child;
	int r;

	if (container_file(c, &file, err) < 0)
		return -err->code;
	signals = child_signals(&old);
	child = signals >= 0 ? fork() : -1;
	if (child < 0)
		return err_sys(err, errno, "start a process");
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		below_exec(below, c->argv, err);
		_exit(STATUS_FAILED);
	}
	*ret_status = child_wait(child, signals);
	r = open_lease(file, true, &fs, &l, &lease, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (*ret_status == 0 || !lease_in_use(&l, &lease)) {
		r = lease_end(&l, &lease, NULL, err);
		// what it passed on is used, or a NIC cannot be given back: it drains, which pinfold ps shows
		r = r > 0 ? 0 : r;
	}
	close_lease(&fs, &l);
	return r;
}
