// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Runs a command and all it starts under ptrace(2), and counts the system calls by which each process
// changes the machine. Lists them, or kills just before one of them: what is left then is what a crash
// at that point leaves. The command under test needs no hook for it.
//
//   killat -l FILE -- COMMAND...       undisturbed; a line for each call: ROLE N ALIVE NAME RESULT PATH
//   killat -k ROLE:N -v WHO -- COMMAND...  WHO: roles with commas between them, or "all"
//   -s SECONDS: that it may take, 40 if not said
//
// A role is the way from the command to a process: 0 is the command itself, 0.1 its second child. ALIVE:
// how many processes and threads there are at the call. With -f it is over when the command itself has
// ended, and what that started goes on by itself. Exit status: -l: the command's; -k: 0 when the
// call was reached, 3 when not.

#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <getopt.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define LIMIT_SECONDS 40
#define TASKS 256
#define NOT_REACHED 3

struct call {
	long nr;
	const char *name;
	int path; // the argument that is a path, -1: none
};

// What changes files, mounts, processes or signals them. Writes are told apart by what they write to.
static const struct call calls[] = {
	{SYS_mkdir, "mkdir", 0},
	{SYS_mkdirat, "mkdirat", 1},
	{SYS_rmdir, "rmdir", 0},
	{SYS_unlink, "unlink", 0},
	{SYS_unlinkat, "unlinkat", 1},
	{SYS_rename, "rename", 1},
	{SYS_renameat, "renameat", 3},
	{SYS_renameat2, "renameat2", 3},
	{SYS_symlink, "symlink", 1},
	{SYS_symlinkat, "symlinkat", 2},
	{SYS_link, "link", 1},
	{SYS_linkat, "linkat", 3},
	{SYS_mknod, "mknod", 0},
	{SYS_mknodat, "mknodat", 1},
	{SYS_chmod, "chmod", 0},
	{SYS_fchmodat, "fchmodat", 1},
	{SYS_fchmod, "fchmod", -1},
	{SYS_chown, "chown", 0},
	{SYS_lchown, "lchown", 0},
	{SYS_fchown, "fchown", -1},
	{SYS_fchownat, "fchownat", 1},
	{SYS_ftruncate, "ftruncate", -1},
	{SYS_mount, "mount", 1},
	{SYS_umount2, "umount2", 0},
	{SYS_move_mount, "move_mount", 3},
	{SYS_mount_setattr, "mount_setattr", 1},
	{SYS_pivot_root, "pivot_root", 0},
	{SYS_unshare, "unshare", -1},
	{SYS_setns, "setns", -1},
	{SYS_clone, "clone", -1},
	{SYS_clone3, "clone3", -1},
	{SYS_fork, "fork", -1},
	{SYS_vfork, "vfork", -1},
	{SYS_execve, "execve", 0},
	{SYS_kill, "kill", -1},
	{SYS_pidfd_send_signal, "pidfd_send_signal", -1},
	{SYS_flock, "flock", -1},
	{SYS_sched_setaffinity, "sched_setaffinity", -1},
	{SYS_open, "open", 0},
	{SYS_openat, "openat", 1},
	{SYS_openat2, "openat2", 1},
	{SYS_write, "write", -1},
	{SYS_sendto, "sendto", -1}, // of netlink
	{SYS_pwrite64, "pwrite64", -1},
	{SYS_exit_group, "exit_group", -1},
};

struct task {
	pid_t pid;
	char role[64]; // "": its parent's event has not come yet
	unsigned children, count;
	unsigned alive;		 // tasks when the call began
	bool waits;		 // stopped until its role is known
	const struct call *call; // being executed, to be listed with its result
	char path[256];
};

static struct task tasks[TASKS];
static unsigned ntasks;

static FILE *list; // NULL: kill
static const char *kill_role, *victims;
static unsigned kill_at;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "killat: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static struct task *find(pid_t pid)
{
	for (unsigned i = 0; i < ntasks; i++) {
		if (tasks[i].pid == pid)
			return &tasks[i];
	}
	if (ntasks == TASKS) {
		errno = E2BIG;
		die("processes");
	}
	tasks[ntasks] = (struct task){.pid = pid};
	return &tasks[ntasks++];
}

static void forget(struct task *t)
{
	*t = tasks[--ntasks];
}

// What fails here has been killed meanwhile: waitpid tells.
static void go_on(const struct task *t, int sig)
{
	ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)(uintptr_t)sig);
}

static void read_string(pid_t pid, uint64_t at, char *to, size_t room)
{
	struct iovec here = {to, room - 1}, there = {(void *)(uintptr_t)at, room - 1};
	// not across the end of a page, behind which there may be nothing
	size_t page = 4096 - at % 4096;
	ssize_t n;

	if (there.iov_len > page)
		there.iov_len = page;
	n = process_vm_readv(pid, &here, 1, &there, 1, 0);
	to[n > 0 ? n : 0] = '\0';
	for (char *c = to; *c != '\0'; c++) {
		if (*c <= ' ')
			*c = '?';
	}
}

// A file that others see. Not a pipe, a socket, a memfd or a device.
static bool writes_file(pid_t pid, uint64_t fd, char *to, size_t room)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
	n = readlink(link, to, room - 1);
	to[n > 0 ? n : 0] = '\0';
	return to[0] == '/' && !str_starts(to, "/dev/") && !str_starts(to, "/memfd:");
}

static bool creates(const struct call *c, pid_t pid, const uint64_t *args)
{
	uint64_t flags = args[c->nr == SYS_open ? 1 : 2];

	if (c->nr == SYS_openat2) {
		struct open_how how = {0};
		struct iovec here = {&how, sizeof(how)};
		struct iovec there = {(void *)(uintptr_t)args[2], sizeof(how)};

		if (process_vm_readv(pid, &here, 1, &there, 1, 0) != sizeof(how))
			return false;
		flags = how.flags;
	}
	return (flags & (O_CREAT | O_TRUNC)) != 0;
}

static bool is_netlink(pid_t pid, uint64_t address)
{
	sa_family_t family = AF_UNSPEC;
	struct iovec here = {&family, sizeof(family)};
	struct iovec there = {(void *)(uintptr_t)address, sizeof(family)};

	return address != 0
	       && process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)sizeof(family)
	       && family == AF_NETLINK;
}

static const struct call *changes(struct task *t, uint64_t nr, const uint64_t *args)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		const struct call *c = &calls[i];

		if (c->nr != (long)nr)
			continue;
		t->path[0] = '\0';
		if (c->path >= 0)
			read_string(t->pid, args[c->path], t->path, sizeof(t->path));
		if ((nr == SYS_open || nr == SYS_openat || nr == SYS_openat2)
		    && !creates(c, t->pid, args))
			return NULL;
		if ((nr == SYS_write || nr == SYS_pwrite64)
		    && !writes_file(t->pid, args[0], t->path, sizeof(t->path)))
			return NULL;
		if (nr == SYS_sendto && !is_netlink(t->pid, args[4]))
			return NULL;
		return c;
	}
	return NULL;
}

static bool is_victim(const char *role)
{
	size_t n = strlen(role);

	if (str_eq(victims, "all"))
		return true;
	for (const char *v = victims; v != NULL; v = strchr(v, ',')) {
		v += *v == ',';
		if (strncmp(v, role, n) == 0 && (v[n] == ',' || v[n] == '\0'))
			return true;
	}
	return false;
}

// The others go on by themselves. One that a signal has just been taken from gets it.
static void let_go(const struct task *t, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event != 0 || sig == (SIGTRAP | 0x80))
		sig = 0;
	ptrace(PTRACE_DETACH, t->pid, NULL, (void *)(uintptr_t)sig);
}

// The caller of this is one of the victims, or is stopped at a call.
static _Noreturn void kill_victims(const struct task *caller)
{
	unsigned left = 0;
	int status;

	for (unsigned i = 0; i < ntasks; i++) {
		struct task *t = &tasks[i];

		left++;
		if (is_victim(t->role)) {
			kill(t->pid, SIGKILL);
		} else if (t == caller || t->waits) {
			left--;
			ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
			t->pid = 0;
		} else {
			ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL);
		}
	}
	while (left > 0) {
		pid_t pid = waitpid(-1, &status, __WALL);
		struct task *t;

		if (pid < 0)
			break;
		t = find(pid);
		if (t->role[0] == '\0' && WIFSTOPPED(status)) { // born just now
			let_go(t, status);
			t->pid = 0;
			continue;
		}
		if (WIFSTOPPED(status) && is_victim(t->role))
			continue;
		if (WIFSTOPPED(status))
			let_go(t, status);
		t->pid = 0;
		left--;
	}
	exit(0);
}

static void at_call(struct task *t)
{
	struct __ptrace_syscall_info info;
	const struct call *c;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (t->call != NULL && list != NULL)
			fprintf(list,
				"%s %u %u %s %lld %s\n",
				t->role,
				t->count,
				t->alive,
				t->call->name,
				(long long)info.exit.rval,
				t->path);
		t->call = NULL;
		return;
	}
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	c = changes(t, info.entry.nr, info.entry.args);
	if (c == NULL)
		return;
	// the first exec is this program's own
	if (t->count == 0 && str_eq(t->role, "0") && c->nr != SYS_execve)
		return;
	t->count++;
	t->alive = ntasks;
	t->call = c;
	if (list == NULL && str_eq(t->role, kill_role) && t->count == kill_at)
		kill_victims(t);
	if (c->nr == SYS_exit_group && list != NULL) // does not return
		fprintf(list, "%s %u %u exit_group 0 \n", t->role, t->count, t->alive);
}

static void born(struct task *parent)
{
	unsigned long pid;
	char role[sizeof(parent->role)];
	struct task *t;

	if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0)
		return;
	snprintf(role, sizeof(role), "%.56s.%u", parent->role, parent->children++);
	t = find((pid_t)pid);
	strcpy(t->role, role);
	if (t->waits) {
		t->waits = false;
		go_on(t, 0);
	}
}

// One report of waitpid about a process that has not ended.
static void stopped(pid_t pid, int status)
{
	struct task *t = find(pid);
	int sig = WSTOPSIG(status), event = status >> 16;

	if (sig == (SIGTRAP | 0x80)) {
		at_call(t);
		go_on(t, 0);
	} else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		ptrace(PTRACE_LISTEN, pid, NULL, NULL); // stopped by a signal: let it be
	} else if (event == PTRACE_EVENT_STOP && t->role[0] == '\0') {
		t->waits = true;
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		born(t); // may move the table's end, not this entry
		go_on(find(pid), 0);
	} else {
		go_on(t, event != 0 ? 0 : sig);
	}
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK
			     | PTRACE_O_TRACECLONE;
	struct task *t;
	int hold[2];
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0) {
		char c;

		close(hold[1]);
		if (read(hold[0], &c, 1) != 1)
			_exit(125);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	t = find(pid);
	strcpy(t->role, "0");
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0
	    || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		die("trace");
	if (write(hold[1], "x", 1) != 1)
		die("write");
	close(hold[0]);
	close(hold[1]);
	return pid;
}

int main(int argc, char **argv)
{
	int c, status, result = 125;
	unsigned seconds = LIMIT_SECONDS;
	bool first_only = false;
	pid_t first, pid;
	char *colon;

	while ((c = getopt(argc, argv, "+fl:k:v:s:")) != -1) {
		if (c == 'l') {
			list = fopen(optarg, "we");
			if (list == NULL)
				die(optarg);
		} else if (c == 'k' && (colon = strchr(optarg, ':')) != NULL) {
			*colon = '\0';
			kill_role = optarg;
			kill_at = (unsigned)atoi(colon + 1);
		} else if (c == 'f') {
			first_only = true;
		} else if (c == 's') {
			seconds = (unsigned)atoi(optarg);
		} else if (c == 'v') {
			victims = optarg;
		} else {
			return 125;
		}
	}
	if (optind == argc || (list == NULL && (kill_role == NULL || victims == NULL)))
		return 125;
	alarm(seconds);
	first = start(argv + optind);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			stopped(pid, status);
			continue;
		}
		if (pid == first)
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		forget(find(pid));
		if (pid == first && first_only)
			break;
	}
	if (list != NULL && fclose(list) != 0)
		die("list");
	return list != NULL ? result : NOT_REACHED;
}
