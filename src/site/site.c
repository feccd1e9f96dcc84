// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "site/site.h"

#include "base/scope.h"
#include "base/status.h"
#include "base/str.h"

#include <sched.h>
#include <sys/mount.h>

static const char *const container_environment[] = {
	"PATH=" SITE_PATH,
	"HOME=/tmp",
	"XDG_RUNTIME_DIR=/run",
	"PINFOLD_GRANT=" GRANT_FILE,
	"container=pinfold",
	NULL,
};

// More than the caller's, which a program on the bare host has.
static const char *const host_environment[] = {"PINFOLD_GRANT=" GRANT_FILE, NULL};

static const struct site sites[PLACES] = {
	[PLACE_CONTAINER] =
		{
			.place = PLACE_CONTAINER,
			.name = "container",
			.has = SITE_LEASE | SITE_FENCE | SITE_CONTAINER | SITE_IDS | SITE_USERNS
			       | SITE_PAGES | SITE_NODES | SITE_SUPERVISOR,
			.may = ~(unsigned)ASK_GUEST,
			.refusal = "for --in vm",
			.state = RUNTIME_DIR,
			.starts = "init",
			.execs = "init",
			.manager = "cgroupfs",
			.pages = FENCE_DIR "/huge",
			.nodes = FENCE_DIR "/vfio",
			.layers = "",
			.environment = container_environment,
			.status_fd = 3,
			.join_fd = 4,
		},
	[PLACE_HOST] =
		{
			.place = PLACE_HOST,
			.name = "host",
			.has = SITE_LEASE | SITE_FENCE | SITE_PAGES | SITE_HOST_FILES
			       | SITE_SUPERVISOR,
			.may = ASK_WAIVER | ASK_CONFIG | ASK_RESTART | ASK_WORKDIR,
			.refusal = "not for --in host, which runs the program as it is",
			.pages = FENCE_DIR "/huge",
			.environment = host_environment,
			.status_fd = -1,
		},
	[PLACE_KEEPER] =
		{
			.place = PLACE_KEEPER,
			.name = "keeper",
			.has = SITE_LEASE | SITE_PEN | SITE_DIVIDED | SITE_IDS,
			.may = ASK_RIGHTS,
			.pages = PEN_DIR "/huge",
			.nodes = PEN_DIR "/vfio",
			.layers = PEN_ROOT,
			.status_fd = -1,
		},
	[PLACE_KEPT] =
		{
			.place = PLACE_KEPT,
			.name = "keeper",
			.has = SITE_FENCE | SITE_CONTAINER | SITE_BELOW,
			.may = ~(unsigned
			)(ASK_RUNTIME | ASK_APPARMOR | ASK_LABEL | ASK_WAIVER | ASK_GUEST
			  | ASK_CONFIG | ASK_RESTART | ASK_WORKDIR | ASK_IDMAP | ASK_PUBLISH),
			.refusal = "root's; a keeper has what root gave it",
			.state = PEN_DIR "/state",
			.starts = "init",
			.execs = "init",
			.manager = "disabled",
			.pages = PEN_DIR "/huge",
			.nodes = PEN_DIR "/vfio",
			.layers = PEN_ROOT,
			.environment = container_environment,
			.status_fd = 3,
			.join_fd = 4,
		},
	[PLACE_VM] =
		{
			.place = PLACE_VM,
			.name = "vm",
			.has = SITE_LEASE | SITE_FENCE | SITE_CONTAINER | SITE_IDS | SITE_USERNS
			       | SITE_PAGES | SITE_NODES | SITE_SUPERVISOR | SITE_GUEST,
			.may = ~(unsigned
			)(ASK_RIGHTS | ASK_APPARMOR | ASK_LABEL | ASK_WORKDIR | ASK_IDMAP
			  | ASK_PUBLISH),
			.refusal = "for containers, not --in vm",
			.state = RUNTIME_DIR,
			.manager = "cgroupfs",
			.pages = FENCE_DIR "/huge",
			.nodes = FENCE_DIR "/vfio",
			.layers = "",
			.starts = "machine",
			.execs = "attach",
			// QEMU's own: code it translates, buffers, a thread for each file request
			.memory = UINT64_C(224) << 20,
			.pids = 128,
			.environment = container_environment,
			.status_fd = 3,
			.join_fd = 4,
		},
	[PLACE_ENGINE] =
		{
			.place = PLACE_ENGINE,
			.name = "engine",
			.has = SITE_LEASE | SITE_FENCE | SITE_SPEC | SITE_PAGES | SITE_NODES,
			.refusal = "asked of the engine",
			.pages = FENCE_DIR "/huge",
			.nodes = FENCE_DIR "/vfio",
			.status_fd = -1,
		},
	[PLACE_GIVEN] =
		{
			.place = PLACE_GIVEN,
			.name = "given",
			.has = SITE_FENCE | SITE_SPEC,
			.refusal = "asked of the engine",
			.status_fd = -1,
		},
};

struct site site_of(enum site_place place)
{
	return sites[place];
}

int site_named(const char *name, struct site *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
		if (!str_eq(name, sites[i].name))
			continue;
		*ret = sites[i];
		return 0;
	}
	return -EINVAL;
}

int site_unshare(struct err *err)
{
	// slave: what the host unmounts later is unmounted here too, and nothing goes back
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, errno, "make a mount namespace");
	return 0;
}

int site_exec_failed(const struct site *s, int error)
{
	return site_has(s, SITE_CONTAINER) ? STATUS_FAILED : status_of_exec(error);
}
