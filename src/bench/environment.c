// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/environment.h"

#include "base/dir.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/bench.h"
#include "bench/child.h"
#include "bench/docker.h"

#include <fcntl.h>
#include <string.h>

#define VERSION_MS 10000
#define TRY_MS 90000 // with KVM, and then without

// The first line a program prints of its version, less its own name.
static int version_of(
	struct bench *b, const char *const *argv, struct environment *e, struct err *err
)
{
	_cleanup_free_ char *out = NULL;
	const char *v;

	if (child_run(b, &(struct child_how){.argv = argv}, VERSION_MS, 0, &out, NULL, err) < 0)
		return -err->code;
	out[strcspn(out, "\n")] = '\0';
	str_plain(out);
	v = strstr(out, "version ");
	snprintf(e->version, sizeof(e->version), "%s", v != NULL ? v + strlen("version ") : out);
	return 0;
}

static void find_program(
	struct bench *b, struct environment *e, const char *const *argv, const char *missing
)
{
	const char *text;
	struct err err;

	e->present = version_of(b, argv, e, &err) == 0;
	if (e->present)
		return;
	// "docker: ended with …": its name stands before it anyway
	text = str_starts(err.msg, argv[0]) ? err.msg + strlen(argv[0]) : err.msg;
	text += strspn(text, ": ");
	snprintf(e->why, sizeof(e->why), "%.150s", err.code == ENOENT ? missing : text);
}

// A kernel that pinfold host kernel has fetched.
static bool has_kernel(void)
{
	_cleanup_closedir_ DIR *d =
		dir_open(AT_FDCWD, getenv("PINFOLD_GUEST_CACHE") ?: "/var/cache/pinfold-guest", 0);
	struct dirent *e;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		if (str_starts(e->d_name, "linux-"))
			return true;
	}
	return false;
}

// Without one of the two a kernel that has /dev/kvm does not run guests with the hardware's help.
static bool has_kvm(void)
{
	return access("/dev/kvm", R_OK | W_OK) == 0
	       && (access("/sys/module/kvm_intel", F_OK) == 0
		   || access("/sys/module/kvm_amd", F_OK) == 0);
}

static void find_vm(struct bench *b, struct environment *e)
{
	static const char *const argv[] = {"qemu-system-x86_64", "--version", NULL};

	find_program(b, e, argv, "QEMU (qemu-system-x86_64) is not installed");
	if (e->present && !has_kernel()) {
		e->present = false;
		snprintf(
			e->why,
			sizeof(e->why),
			"there is no kernel for guests: pinfold host kernel fetches one"
		);
	}
	e->emulated = !has_kvm();
}

// Where KVM is there, and does not run the guest, pinfold has emulated it: the guest is told.
void environments_try(struct bench *b)
{
	struct environment *e = &b->env[ENV_VM];
	const char *const argv[] = {
		b->pinfold,
		"run",
		"--in",
		"vm",
		"--cpu-count",
		"1",
		"--memory",
		"192M",
		"--",
		"/bin/cat",
		"/run/pinfold/grant.json",
		NULL};
	_cleanup_json_ json_t *doc = NULL;
	_cleanup_free_ char *out = NULL;
	struct err err;

	if (!e->present || e->emulated)
		return;
	e->present =
		child_run(b, &(struct child_how){.argv = argv}, TRY_MS, 0, &out, NULL, &err) == 0;
	if (!e->present) {
		snprintf(e->why, sizeof(e->why), "%.150s", err.msg);
		return;
	}
	doc = json_loads(out, 0, NULL);
	e->emulated = !json_is_false(json_object_get(json_object_get(doc, "machine"), "emulated"));
}

void environments_find(struct bench *b)
{
	static const char *const crun[] = {"crun", "--version", NULL};
	static const char *const podman[] = {"podman", "--version", NULL};
	static const char *const docker[] = {
		"docker", "version", "--format", "{{.Server.Version}}", NULL};
	static const char *const names[ENV_KINDS] = {
		"host", "container", "vm", "crun", "podman", "docker"};

	for (unsigned i = 0; i < ENV_KINDS; i++)
		b->env[i] = (struct environment){.kind = i, .name = names[i]};
	b->env[ENV_HOST].present = true;
	b->env[ENV_CONTAINER].present = geteuid() == 0;
	if (!b->env[ENV_CONTAINER].present)
		snprintf(b->env[ENV_CONTAINER].why, sizeof(b->env[0].why), "it needs root");
	snprintf(b->env[ENV_CONTAINER].version, sizeof(b->env[0].version), "%s", PINFOLD_VERSION);
	find_vm(b, &b->env[ENV_VM]);
	find_program(b, &b->env[ENV_CRUN], crun, "crun is not installed");
	find_program(b, &b->env[ENV_PODMAN], podman, "podman is not installed");
	find_program(b, &b->env[ENV_DOCKER], docker, "docker is not installed");
	if (!b->env[ENV_DOCKER].present)
		docker_could(b, &b->env[ENV_DOCKER]);
}
