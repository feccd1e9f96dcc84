// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tab. 2, §3.4: how much disk an image takes, and what an instance of it adds.

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/need.h"
#include "bench/reasons.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define MB 1e6
#define DEPTH 24

// Bytes that a tree takes on disk; a file of several names counts as often as it has names in it.
static double taken(int parent, const char *name, unsigned depth)
{
	_cleanup_closedir_ DIR *d = depth < DEPTH ? dir_open(parent, name, O_NOFOLLOW) : NULL;
	double sum = 0;
	struct dirent *e;
	struct stat st;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		sum += (double)st.st_blocks * 512;
		if (S_ISDIR(st.st_mode))
			sum += taken(dirfd(d), e->d_name, depth + 1);
	}
	return sum;
}

static struct row *size(
	struct result *r, const char *name, const struct environment *e, double bytes
)
{
	struct row *row = result_measured(r, name, e, "MB");

	row->less = true;
	row_exact(row, bytes / MB);
	return row;
}

static int images(struct bench *b, struct result *r, struct err *err)
{
	const struct environment *container = &b->env[ENV_CONTAINER];
	_cleanup_free_ char *small = bench_path(b, "small");
	const char *const argv[] = {b->pinfold, "image", "build", "-o", small, "/bin/sleep", NULL};
	const char *image;
	struct row *row;

	if (run_in_image(b, &image, err) < 0
	    || child_run(b, &(struct child_how){.argv = argv}, 60000, 0, NULL, NULL, err) < 0)
		return -err->code;
	row = size(r, "image of a DPDK function (drover)", container, taken(AT_FDCWD, image, 0));
	row_figure(row, "Tab. 2");
	row_paper(
		row,
		84.98,
		"base images: Debian 7 84.98 MB, Ubuntu 14.04 188.3, CentOS 7 229.6, Fedora 21 "
		"250.2; mostly below 250"
	);
	row_claim(row, CLAIM_BELOW, 250);
	row = size(r, "image of one program (sleep)", container, taken(AT_FDCWD, small, 0));
	row_figure(row, "Tab. 2");
	return 0;
}

// What the directories of images and of what runs have more while an instance runs, by its own word.
static int instance(struct bench *b, const struct environment *e, double *ret, struct err *err)
{
	// it writes where it may, and looks how much its root has
	static const struct run_in_how how = {
		.program = {"/bin/sh", "-c", "echo x > /tmp/x; echo x > /usr/x && echo written"},
		.option = {"--hugepages", "2M=8"},
	};
	_cleanup_free_ char *out = NULL;
	const char *image;
	double before;

	if (run_in_image(b, &image, err) < 0)
		return -err->code;
	before = taken(AT_FDCWD, image, 0);
	if (run_in_output(b, e, &how, -1, &out, err) < 0)
		return -err->code;
	*ret = taken(AT_FDCWD, image, 0) - before;
	return 0;
}

static int instances(struct bench *b, struct result *r, struct err *err)
{
	static const enum env_kind kinds[] = {ENV_CONTAINER, ENV_VM};
	static const char name[] = "what an instance adds to its image";

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct environment *e = &b->env[kinds[i]];
		struct row *row;
		double more;

		if (bench_check(err) < 0)
			return -err->code;
		bench_say(b, "disk: an instance, %s", e->name);
		if (!e->present) {
			result_missing(r, name, e, "%s", e->why);
			continue;
		}
		if (instance(b, e, &more, err) < 0) {
			result_missing(r, name, e, "%s", err->msg);
			continue;
		}
		row = size(r, name, e, more);
		row_figure(row, "§3.4");
		if (kinds[i] == ENV_VM)
			continue;
		row_paper(row, 0, "with the root read-only an instance adds no disk at all");
		row_claim_is(row, more == 0 ? CLAIM_HOLDS : CLAIM_FAILS);
	}
	return bench_check(err);
}

// The host's own files as the root, for which there is no image at all.
static int host_root(struct bench *b, struct result *r, struct err *err)
{
	_cleanup_free_ char *cpu = need(str_printf("%d", b->cpu_vnf));
	_cleanup_free_ char *name = need(str_printf("bench-%d-root", getpid()));
	const char *const argv[] = {
		b->pinfold,
		"run",
		"--name",
		name,
		"--cpus",
		cpu,
		"--",
		"/bin/sh",
		"-c",
		"echo x > /usr/x || echo read-only",
		NULL,
	};
	_cleanup_free_ char *out = NULL;
	struct row *row;
	bool fixed;

	if (child_run(b, &(struct child_how){.argv = argv}, 60000, 0, &out, NULL, err) < 0) {
		result_missing(r, "without an image", &b->env[ENV_CONTAINER], "%s", err->msg);
		return bench_check(err);
	}
	fixed = strstr(out, "read-only") != NULL;
	row = result_fact(r, "without an image", &b->env[ENV_CONTAINER]);
	row_figure(row, "§3.4");
	row_text(
		row,
		"%s",
		fixed ? "the host's /usr, /etc and /opt, read-only: no disk at all"
		      : "the host's /usr could be written"
	);
	row_paper(
		row,
		NAN,
		"the host's root file system, read-only: absolutely no disk space overhead"
	);
	row_claim_is(row, fixed ? CLAIM_HOLDS : CLAIM_FAILS);
	return 0;
}

static void guest(struct bench *b, struct result *r)
{
	const struct environment *vm = &b->env[ENV_VM];
	const char *cache = getenv("PINFOLD_GUEST_CACHE") ?: "/var/cache/pinfold-guest";
	struct row *row, *ratio;

	if (!vm->present) {
		result_missing(r, "image of a DPDK function (drover)", vm, "%s", vm->why);
		return;
	}
	row = size(r, "kernel, modules and initramfs of a guest", vm, taken(AT_FDCWD, cache, 0));
	row_paper(
		row,
		1100,
		"a minimal CentOS 7 install takes 1.1 GB; here a guest has a kernel, and the "
		"container's image"
	);
	ratio = result_find(r, "image of a DPDK function (drover)", "container");
	row = size(
		r,
		"image of a DPDK function (drover)",
		vm,
		(ratio != NULL && ratio->n > 0 ? ratio->samples[0] * MB : 0) + row->samples[0] * MB
	);
	row_text(row, "the image and what a guest needs beside it");
	row_paper(row, 1100, "a minimal CentOS 7 install: 1.1 GB");
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	bench_say(b, "disk: images");
	if (images(b, r, err) < 0 || host_root(b, r, err) < 0 || instances(b, r, err) < 0)
		return -err->code;
	guest(b, r);
	result_missing(
		r,
		"images of Docker Hub today",
		NULL,
		"a benchmark fetches nothing from the network"
	);
	return 0;
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, 1u << ENV_CONTAINER | 1u << ENV_VM, r);
	return b->env[ENV_CONTAINER].present && b->inside != NULL;
}

static const struct experiment disk = {
	.name = "disk",
	.figure = "Tab. 2",
	.title = "Disk footprint",
	.about = "What images take on disk, what an instance adds to its image, and what there is "
		 "to add where the root is "
		 "the host's own, read-only.",
	.seconds = {20, 20},
	.order = 15,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(disk);
