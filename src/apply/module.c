// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Modules of the kernel, by modprobe(8), which knows what else they need and what the host's administrator forbids.

#include "apply/apply.h"

#include "base/scope.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

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

int apply_module(const struct step *s, struct err *err)
{
	char *argv[] = {(char[]){"modprobe"}, (char[]){"-q"}, (char[]){"--"}, s->path, NULL};
	char *env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, NULL};
	int status = 0, r;
	pid_t pid;

	if (is_there(s->path))
		return 0;
	r = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, env);
	while (r == 0 && waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			r = errno;
	}
	if (s->hint || (r == 0 && is_there(s->path)))
		return 0;
	if (r != 0)
		return err_sys(err, r, "load module '%s' with /sbin/modprobe", s->path);
	return err_set(
		err,
		ENOENT,
		"load module '%s': this kernel has none that may be loaded%s",
		s->path,
		strcmp(s->path, "igb_uio") == 0 ? "; it comes with the package dpdk-kmods-dkms" : ""
	);
}
