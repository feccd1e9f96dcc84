// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Another program in a workload that runs. It lands on the shared CPUs of the grant, if there are any:
// those do not poll.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "plan/plan.h"
#include "run/child.h"
#include "run/run.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATUS_FD 3 // the first that a runtime hands on
#define STATUS_WORD "3"
#define RUNTIME_NAPS 1000 // of 10 ms
#define PROCESS_FD_MIN 64 // above those that a caller has still to put in their places

int exec_first_join(const struct exec_request *req)
{
	return STATUS_FD + (req->started_fd > 0 ? 1 : 0);
}

static json_t *arguments(const struct lease *lease, const struct exec_request *req)
{
	json_t *args = json_array();
	char cpus[IDSET_STR];

	idset_format(&lease->grant.shared_cpus, cpus, sizeof(cpus));
	// our init says 126 and 127 as container tools do, which the runtime's exec does not. It becomes
	// the program: a workload that has taken its processes leaves none to fork, but the kernel lets a
	// process be moved to where the limit is reached.
	json_array_append_new(args, json_string(RUN_DIR "/inside"));
	json_array_append_new(args, json_string("init"));
	json_array_append_new(args, json_string("--become"));
	plan_join_args(args, (unsigned)exec_first_join(req), req->njoins);
	if (req->started_fd > 0) {
		json_array_append_new(args, json_string("--status-fd"));
		json_array_append_new(args, json_string(STATUS_WORD));
	}
	if (cpus[0] != '\0') {
		json_array_append_new(args, json_string("--cpus"));
		json_array_append_new(args, json_string(cpus));
	}
	json_array_append_new(args, json_string("--"));
	for (char *const *a = req->argv; *a != NULL; a++)
		json_array_append_new(args, json_string(*a));
	return args;
}

// A file of the memory that says which process is meant: the options of crun's exec know no groups.
static int process_file(
	const struct lease *lease,
	const struct exec_request *req,
	const struct host_limits *limits,
	struct err *err
)
{
	_cleanup_close_ int fd = -1;
	_cleanup_json_ json_t *doc = NULL;
	uint32_t uid = lease->uid, gid = lease->gid;
	int file;

	if (plan_check_text(req->argv, req->nenv, req->env, err) < 0)
		return -err->code;
	if (req->user != NULL && launch_parse_ids(req->user, &uid, &gid) < 0)
		return err_set(
			err,
			EINVAL,
			"user '%s': write UID or UID:GID, each below %u",
			req->user,
			IDS_PER_LEASE
		);
	doc = plan_process(
		&lease->grant,
		lease->runc ? NULL : limits,
		req->terminal,
		uid,
		gid,
		arguments(lease, req),
		plan_env(NULL, req->terminal, req->nenv, req->env)
	);
	if (doc == NULL)
		return err_oom(err);
	fd = memfd_create("process", MFD_CLOEXEC);
	if (fd < 0 || json_dumpfd(doc, fd, JSON_COMPACT) < 0)
		return err_sys(err, fd < 0 ? errno : EIO, "write down the process to start");
	// the runtime opens it by its name here, and does not hand it on
	file = fcntl(fd, F_DUPFD, PROCESS_FD_MIN);
	return file >= 0 ? file : err_sys(err, errno, "hand on a file");
}

// crun lets the program go before it has written down that it runs. What a workload that ended leaves
// missing, its directory or all of it, is for the runtime to say.
static void wait_for_runtime(const struct lease *lease, const char *state)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	_cleanup_free_ char *dir = str_printf("%s/%s", state, lease->grant.name);
	_cleanup_free_ char *file = str_printf("%s/%s", dir, lease->runc ? "state.json" : "status");

	for (unsigned i = 0; i < RUNTIME_NAPS && dir != NULL && file != NULL
			     && access(file, F_OK) < 0 && access(dir, F_OK) == 0;
	     i++)
		nanosleep(&nap, NULL);
}

int exec_command(
	const struct lease *lease,
	const struct exec_request *req,
	const struct host_limits *limits,
	const char *state,
	bool cgroups,
	struct exec_command *ret,
	struct err *err
)
{
	int fd = process_file(lease, req, limits, err);
	const char **w = ret->words;

	if (fd < 0)
		return fd;
	wait_for_runtime(lease, state);
	// runc's exec has its caller's
	umask(plan_umask(&lease->grant));
	snprintf(ret->process, sizeof(ret->process), "/proc/self/fd/%d", fd);
	*w++ = lease->runtime;
	*w++ = "--root";
	*w++ = state;
	if (!lease->runc)
		*w++ = cgroups ? "--cgroup-manager=cgroupfs" : "--cgroup-manager=disabled";
	*w++ = "exec";
	snprintf(
		ret->preserve,
		sizeof(ret->preserve),
		"--preserve-fds=%u",
		(req->started_fd > 0 ? 1 : 0) + req->njoins
	);
	*w++ = ret->preserve;
	*w++ = "--process";
	*w++ = ret->process;
	*w++ = lease->grant.name;
	*w = NULL;
	return 0;
}

// Enters the mount namespace of a process; negative: none was found, or why not.
static int enter_mounts(const struct lease *lease, int process, struct err *err)
{
	_cleanup_close_ int fd = process; // a pidfd: not whoever has its number by now

	if (fd == -ESRCH)
		return err_set(
			err, ESRCH, "exec in '%s': it has no process any more", lease->grant.name
		);
	if (fd < 0)
		return err_sys(err, -fd, "look for processes of '%s'", lease->grant.name);
	if (setns(fd, CLONE_NEWNS) < 0)
		return err_sys(err, errno, "enter the mount namespace of '%s'", lease->grant.name);
	return 0;
}

// A process in another mount namespace: the runtime. The writer of a log is in its cgroup too.
static bool is_elsewhere(int pid, void *arg)
{
	const ino_t *here = arg;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return stat(path, &st) == 0 && st.st_ino != *here;
}

// runc wants to see the bundle, which lies on the workload's private tmpfs.
static int enter_runtime(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	_cleanup_free_ char *super = str_printf("%s/super", lease->cgroup);
	struct stat st;

	if (super == NULL)
		return err_oom(err);
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return err_sys(err, errno, "look at '/proc/self/ns/mnt'");
	return enter_mounts(
		lease, cgroup_open_process(fs, super, false, is_elsewhere, &st.st_ino), err
	);
}

// Enters the cgroups and the mount namespace of a workload on the bare host.
static int enter_bare(const struct hostfs *fs, const struct lease *lease, struct err *err)
{
	int process = cgroup_open_process(fs, lease->cgroup, true, NULL, NULL);

	if (process >= 0 && cgroup_join_box(fs, lease, err) < 0) {
		close(process);
		return -err->code;
	}
	return enter_mounts(lease, process, err);
}

// What the program gets of this process: its environment on the bare host; in a container nothing but
// what the runtime needs. Standard input is empty unless asked for.
static int prepare(
	const struct hostfs *fs,
	const struct lease *lease,
	const struct exec_request *req,
	struct err *err
)
{
	if (lease->place == LEASE_HOST) {
		if (enter_bare(fs, lease, err) < 0)
			return -err->code;
		putenv((char *)"PINFOLD_GRANT=" RUN_DIR "/grant.json");
		for (unsigned i = 0; i < req->nenv; i++)
			putenv((char *)req->env[i]);
	} else {
		clearenv();
		putenv((char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
		if ((lease->runc ? enter_runtime(fs, lease, err) : apply_scratch(err)) < 0)
			return -err->code;
	}
	if (!req->interactive && !req->terminal) {
		_cleanup_close_ int empty = empty_input();

		if (empty < 0 || dup2(empty, STDIN_FILENO) < 0)
			return err_sys(err, errno, "make an empty input");
	}
	return 0;
}

int exec_in_workload(
	struct ledger *l, const struct exec_request *req, int *ret_status, struct err *err
)
{
	char *const *words = req->argv;
	struct exec_command command;
	struct offline o;
	struct lease lease;
	char line[OFFLINE_LINE];
	int r;

	*ret_status = 125;
	r = lease_read(l, req->name, &lease, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r < 0 || !lease_in_use(l, &lease))
		return err_set(err, ENOENT, "'%s' does not run; see pinfold ps", req->name);
	if (lease.place == LEASE_KEEPER)
		return err_set(
			err,
			EPERM,
			"exec in '%s': it belongs to user %u; as root: setpriv --reuid %u --regid "
			"%u "
			"--clear-groups pinfold exec ...",
			req->name,
			lease.grant.owner_uid,
			lease.grant.owner_uid,
			lease.grant.owner_gid
		);
	offline_look(&l->fs, &lease, &o);
	if (o.frozen) { // the program would be too, before it had begun
		offline_say(&o, line, sizeof(line));
		return err_set(err, EAGAIN, "exec in '%s': %s", req->name, line);
	}
	if (words[0] == NULL)
		return err_set(err, EINVAL, "exec in '%s': no program given", req->name);
	if (lease.place == LEASE_CONTAINER) {
		struct right_limit all[HOST_RLIMITS];
		struct host_limits limits;

		host_read_limits(&l->fs, &limits);
		if (exec_command(&lease, req, &limits, RUNTIME_DIR, true, &command, err) < 0
		    || run_limit(all, rights_limits(&lease.grant, &limits, all), err) < 0)
			return -err->code;
		words = (char *const *)command.words;
	}
	if (prepare(&l->fs, &lease, req, err) < 0)
		return -err->code;
	// last: the ledger may have that descriptor
	if (req->started_fd > 0
	    && (req->started_fd == STATUS_FD ? fcntl(STATUS_FD, F_SETFD, 0)
					     : dup2(req->started_fd, STATUS_FD))
		       < 0)
		return err_sys(err, errno, "exec in '%s': hand on a pipe", req->name);
	// in its place: signals, job control and the exit status are then the program's
	execvp(words[0], words);
	*ret_status = errno == ENOENT ? 127 : 126;
	return err_sys(err, errno, "run '%s'", words[0]);
}
