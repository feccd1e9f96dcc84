// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Modules of the kernel, by modprobe(8), which knows what else they need and what the host's administrator forbids.

#include "apply/apply.h"

#include "base/clock.h"
#include "base/scope.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MODPROBE_MILLISECONDS 60000
#define TICK_MILLISECONDS 2

// Loaded, or part of the kernel: a module is called as its file, but for "-".
static bool is_there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%.64s", name);
	for (char *c = path; *c != '\0'; c++) {
		if (*c == '-')
			*c = '_';
	}
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%.64s", name);
	return access(path, F_OK) == 0;
}

// Waits for it so long: one that the kernel does not let go cannot be killed either.
static int modprobe(const char *option, const char *name, struct err *err)
{
	char *argv[] = {
		(char[]){"modprobe"},
		(char[]){"-q"},
		(char *)option,
		(char[]){"--"},
		(char *)name,
		NULL};
	char *env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	int64_t limit = clock_ms() + MODPROBE_MILLISECONDS;
	int status = 0, r;
	pid_t pid, ended;

	r = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, env);
	if (r != 0)
		return err_sys(err, r, "start /sbin/modprobe for '%s'", name);
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
		if (clock_ms() >= limit) {
			kill(pid, SIGKILL);
			nap_ms(TICK_MILLISECONDS);
			waitpid(pid, NULL, WNOHANG);
			return err_set(
				err,
				ETIMEDOUT,
				"module '%s': modprobe has not ended in %d s",
				name,
				MODPROBE_MILLISECONDS / 1000
			);
		}
		nap_ms(TICK_MILLISECONDS);
	}
	return ended < 0 ? err_sys(err, errno, "wait for modprobe of '%s'", name) : status;
}

int apply_module(const struct step *s, struct err *err)
{
	int r;

	if (is_there(s->path))
		return 0;
	r = modprobe("-a", s->path, err);
	if (s->hint || (r >= 0 && is_there(s->path)))
		return 0;
	if (r < 0)
		return err_wrap(err, "load module '%s'", s->path);
	return err_set(
		err,
		ENOENT,
		"load module '%s': this kernel has none that may be loaded%s",
		s->path,
		strcmp(s->path, "igb_uio") == 0 ? "; it comes with the package dpdk-kmods-dkms" : ""
	);
}

int apply_unload(const char *name, struct err *err)
{
	int r = is_there(name) ? modprobe("-r", name, err) : 0;

	if (r < 0)
		return err_wrap(err, "unload module '%s'", name);
	return r > 0 ? err_set(err, EBUSY, "unload module '%s': it is in use", name) : 0;
}
