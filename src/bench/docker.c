// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/docker.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/child.h"
#include "bench/need.h"
#include "bench/stale_cgroups.h"

#include <string.h>
#include <sys/stat.h>

#define UP_MS 30000
#define ASK_MS 5000
#define IMPORT_MS 60000

static pid_t daemon_pid;

// Where a daemon and its shims make sockets, whatever they are told: its own has others mounted there.
static const char *const places[] = {"/run/containerd", "/run/docker"};
static bool made[ARRAY_LEN(places)];

static bool runs(struct bench *b, const char *const *argv, char **ret_out)
{
	struct err unused;

	return child_run(b, &(struct child_how){.argv = argv}, ASK_MS, 0, ret_out, NULL, &unused)
	       == 0;
}

bool docker_could(struct bench *b, struct environment *e)
{
	static const char *const client[] = {"docker", "--version", NULL};
	static const char *const server[] = {"dockerd", "--version", NULL};
	static const char *const below[] = {"containerd", "--version", NULL};
	_cleanup_free_ char *out = NULL;
	const char *v;

	if (geteuid() != 0 || !runs(b, client, NULL) || !runs(b, below, NULL)
	    || !runs(b, server, &out))
		return false;
	out[strcspn(out, "\n,")] = '\0';
	str_plain(out);
	v = strstr(out, "version ");
	snprintf(
		e->version,
		sizeof(e->version),
		"%.30s, with a daemon of its own",
		v != NULL ? v + strlen("version ") : out
	);
	e->present = e->own = true;
	e->why[0] = '\0';
	return true;
}

static int begin(struct bench *b, struct child *ret, struct err *err)
{
	_cleanup_free_ char *dir = bench_path(b, "docker"), *log = bench_path(b, "dockerd.log"),
			    *host = need(str_printf("unix://%s/docker.sock", dir)),
			    *data = need(str_printf("%s/data", dir)),
			    *exec = need(str_printf("%s/exec", dir)),
			    *pid = need(str_printf("%s/pid", dir)), *parent = groups_parent();
	const char *const argv[] = {
		"unshare",
		"--mount",
		"sh",
		"-ec",
		"for d in /run/containerd /run/docker; do mount -t tmpfs none $d; done; exec "
		"dockerd "
		"\"$@\"",
		"sh",
		"--host",
		host,
		"--data-root",
		data,
		"--exec-root",
		exec,
		"--pidfile",
		pid,
		"--cgroup-parent",
		parent,
		"--bridge",
		"none",
		"--iptables=false",
		"--ip-forward=false",
		"--exec-opt",
		"native.cgroupdriver=cgroupfs",
		NULL,
	};
	_cleanup_close_ int fd = fs_mkdirs(dir, 0700, err);

	if (fd < 0)
		return -err->code;
	if (setenv("DOCKER_HOST", host, 1) < 0)
		return err_oom(err);
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		made[i] |= mkdir(places[i], 0711) == 0;
	return child_start(b, &(struct child_how){.argv = argv, .log = log}, ret, err);
}

int docker_up(struct bench *b, struct err *err)
{
	static const char *const ask[] = {"docker", "version", NULL};
	_cleanup_free_ char *log = bench_path(b, "dockerd.log");
	int64_t until = clock_ms() + UP_MS;
	struct child c;
	char line[400];

	if (!b->env[ENV_DOCKER].own || docker_daemon(b) != 0)
		return 0;
	bench_say(b, "docker: its daemon starts");
	if (begin(b, &c, err) < 0)
		return -err->code;
	daemon_pid = c.pid;
	while (!runs(b, ask, NULL)) {
		if (bench_check(err) < 0)
			return -err->code;
		if (child_runs(b, &c) && clock_ms() < until) {
			bench_pause(50);
			continue;
		}
		child_last_line(log, line, sizeof(line));
		child_stop(b, &c, ASK_MS);
		return err_set(err, EIO, "docker: its daemon does not start: %s", line);
	}
	return 0;
}

pid_t docker_daemon(const struct bench *b)
{
	return daemon_pid != 0 && child_known(b, daemon_pid) ? daemon_pid : 0;
}

// ---- the image

static bool imported;

const char *docker_image_name(void)
{
	static char name[40];

	snprintf(name, sizeof(name), "pinfold-bench-%d", (int)getpid());
	return name;
}

static void forget_image(struct bench *b)
{
	const char *const argv[] = {"docker", "rmi", "--force", docker_image_name(), NULL};
	struct err unused;

	(void)child_run(
		b, &(struct child_how){.argv = argv, .always = true}, UP_MS, -1, NULL, NULL, &unused
	);
	imported = false;
}

int docker_image(struct bench *b, const char *dir, struct err *err)
{
	static const char line[] = "tar -C \"$1\" -c . | docker import - \"$2\" >/dev/null";
	const char *const argv[] = {"sh", "-c", line, "sh", dir, docker_image_name(), NULL};

	if (imported)
		return 0;
	imported = true;
	if (child_run(b, &(struct child_how){.argv = argv}, IMPORT_MS, 0, NULL, NULL, err) < 0) {
		forget_image(b);
		return err_wrap(err, "give docker the image");
	}
	return 0;
}

void docker_done(struct bench *b)
{
	// with a daemon of its own its directories go
	if (imported && b->env[ENV_DOCKER].present && !b->env[ENV_DOCKER].own)
		forget_image(b);
	imported = false;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (made[i])
			rmdir(places[i]); // if it is empty
		made[i] = false;
	}
}
