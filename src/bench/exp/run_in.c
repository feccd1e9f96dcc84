// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/exp/run_in.h"

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/docker.h"
#include "bench/need.h"
#include "bench/stale_cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define BUILD_MS 60000
#define REMOVE_MS 20000
#define OUTPUT_MS 60000
#define VM_MS 120000
// above the numbers of trials
#define OUTPUT_FIRST 100000

// A program that lies elsewhere than in /usr/bin is a link there: the file takes its place, since a container may have
// something of its own where it was (/tmp, /run).
static int settle(int dir, const char *program, const char *path, struct err *err)
{
	_cleanup_free_ char *here = realpath(program, NULL);

	if (here == NULL || str_eq(here, path))
		return 0;
	if (renameat(dir, here + 1, dir, path + 1) < 0 && errno != ENOENT)
		return err_sys(err, errno, "move '%s' in the image", here);
	return 0;
}

static int build_image(struct bench *b, const char *dir, struct err *err)
{
	const char *const argv[] = {
		b->pinfold,
		"image",
		"build",
		"-o",
		dir,
		"--pmd",
		"null,ring,memif",
		"/bin/echo",
		"/bin/sleep",
		"/bin/cat",
		"/bin/sh",
		b->inside,
		b->drover,
		NULL,
	};
	_cleanup_close_ int fd = -1;

	if (b->inside == NULL)
		return err_set(
			err,
			ENOENT,
			"pinfold-inside is neither beside this program nor in ../libexec/pinfold; "
			"install pinfold anew (make install)"
		);
	if (child_run(b, &(struct child_how){.argv = argv}, BUILD_MS, 0, NULL, NULL, err) < 0)
		return err_wrap(err, "build an image");
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", dir);
	if (settle(fd, b->inside, RUN_IN_INSIDE, err) < 0)
		return -err->code;
	return b->drover != NULL ? settle(fd, b->drover, RUN_IN_DROVER, err) : 0;
}

int run_in_image(struct bench *b, const char **ret, struct err *err)
{
	static char path[512];
	_cleanup_free_ char *dir = bench_path(b, "image");

	if (!str_starts(path, b->work) || access(path, F_OK) < 0) {
		if (build_image(b, dir, err) < 0)
			return -err->code;
		snprintf(path, sizeof(path), "%s", dir);
	}
	*ret = path;
	return 0;
}

// ---- crun: a bundle of its own for each, as `crun spec` makes it

static int write_file(const char *dir, const char *name, const char *text, struct err *err)
{
	_cleanup_close_ int fd = fs_mkdirs(dir, 0700, err);

	return fd < 0 ? -err->code : fs_write_fleeting(fd, name, text, strlen(text), 0600, err);
}

static int bundle(
	struct bench *b,
	const char *dir,
	const char *image,
	const struct run_in_how *how,
	struct err *err
)
{
	const char *const argv[] = {"crun", "spec", NULL};
	_cleanup_free_ char *file = need(str_printf("%s/config.json", dir)), *text = NULL;
	_cleanup_close_ int fd = fs_mkdirs(dir, 0700, err);
	_cleanup_json_ json_t *doc = NULL;
	json_t *args = need(json_array()), *process;

	for (unsigned i = 0; how->program[i] != NULL; i++)
		json_array_append_new(args, json_string(how->program[i]));
	if (fd < 0
	    || (access(file, F_OK) < 0
		&& child_run(
			   b,
			   &(struct child_how){.argv = argv, .dir = dir},
			   REMOVE_MS,
			   0,
			   NULL,
			   NULL,
			   err
		   ) < 0)
	    || jread_file(fd, "config.json", "the bundle's config.json", &doc, err) < 0) {
		json_decref(args);
		return -err->code;
	}
	process = json_object_get(doc, "process");
	json_object_set_new(process, "args", args);
	json_object_set_new(process, "terminal", json_false());
	json_object_set_new(json_object_get(doc, "root"), "path", json_string(image));
	// as podman and docker are told with --cpuset-cpus
	json_object_set_new(
		json_object_get(json_object_get(doc, "linux"), "resources"),
		"cpu",
		json_pack("{s:o}", "cpus", json_sprintf("%d", b->cpu_vnf))
	);
	text = need(json_dumps(doc, JSON_COMPACT));
	return write_file(dir, "config.json", text, err);
}

// ---- commands

static void add(struct run_in *p, const char *word)
{
	unsigned n = 0;

	while (p->argv[n] != NULL)
		n++;
	if (n + 1 < RUN_IN_WORDS)
		p->argv[n] = word;
}

static void add_all(struct run_in *p, const char *const *words)
{
	for (; *words != NULL; words++)
		add(p, *words);
}

// A word that is freed with the start.
static char *hold(struct run_in *p, char *word)
{
	unsigned n = 0;

	while (p->held[n] != NULL)
		n++;
	return p->held[n] = need(word);
}

static void pinfold_words(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	const char *image,
	struct run_in *p
)
{
	add(p, b->pinfold);
	if (how->debug)
		add(p, "--debug");
	add_all(p, (const char *[]){"run", "--name", p->name, "--cpus", NULL});
	add(p, hold(p, str_printf("%d", b->cpu_vnf)));
	add_all(p, (const char *[]){"--image", image, NULL});
	if (e->kind == ENV_VM)
		add_all(p, (const char *[]){"--in", "vm", "--memory", how->memory ?: "256M", NULL});
	if (how->detached)
		add(p, "-d");
	add_all(p, how->option);
	add(p, "--");
	add_all(p, how->program);
}

static void engine_words(
	struct bench *b, const char *engine, const struct run_in_how *how, struct run_in *p
)
{
	const char *const words[] = {
		"run", "--rm", "--name", p->name, "--network", "none", "--cpuset-cpus", NULL};
	const bool podman = str_eq(engine, "podman");

	add(p, engine);
	// else it makes a cgroup that is for all its containers, which nobody here may take away again
	if (podman)
		add(p, "--cgroup-manager=cgroupfs");
	add_all(p, words);
	add(p, hold(p, str_printf("%d", b->cpu_vnf)));
	if (podman) {
		// its own defaults may be more than this machine lets anybody have
		add_all(p,
			(const char *[]
			){"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", NULL});
		add(p, "--cgroup-parent");
		add(p, hold(p, groups_parent()));
	}
	if (how->detached)
		add(p, "--detach");
}

// A path of the image as it is in the environment: on the host there is no image.
static const char *path_in(const struct bench *b, const struct environment *e, const char *path)
{
	if (e->kind != ENV_HOST)
		return path;
	if (str_eq(path, RUN_IN_INSIDE))
		return b->inside;
	return str_eq(path, RUN_IN_DROVER) ? b->drover : path;
}

int run_in_command(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	unsigned number,
	struct run_in *ret,
	struct err *err
)
{
	struct run_in *p = ret; // words point into it
	const char *image, *dir;

	*p = (struct run_in){0};
	snprintf(p->name, sizeof(p->name), "bench-%d-%u", getpid(), number);
	if (!e->present)
		return err_set(err, ENOENT, "%s", e->why);
	if (run_in_image(b, &image, err) < 0)
		return -err->code;
	switch (e->kind) {
	case ENV_HOST:
		p->child.bare = true;
		p->child.cpu = 1 + b->cpu_vnf;
		add(p, path_in(b, e, how->program[0]));
		add_all(p, how->program + 1);
		break;
	case ENV_CONTAINER:
	case ENV_VM:
		pinfold_words(b, e, how, image, p);
		break;
	case ENV_CRUN:
		dir = hold(p, bench_path(b, "bundle"));
		if (bundle(b, dir, image, how, err) < 0) {
			run_in_done(p);
			return -err->code;
		}
		add_all(p, (const char *[]){"crun", "run", "-b", dir, p->name, NULL});
		break;
	case ENV_PODMAN:
		engine_words(b, "podman", how, p);
		add_all(p, (const char *[]){"--rootfs", image, NULL});
		add_all(p, how->program);
		break;
	case ENV_DOCKER:
		if (docker_up(b, err) < 0 || docker_image(b, image, err) < 0)
			return -err->code;
		engine_words(b, "docker", how, p);
		add(p, docker_image_name());
		add_all(p, how->program);
		break;
	case ENV_KINDS:
		break;
	}
	p->child.argv = p->argv;
	return 0;
}

int run_in_output(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	int expect,
	char **ret,
	struct err *err
)
{
	static unsigned number = OUTPUT_FIRST;
	struct run_in p;
	int r;

	if (run_in_command(b, e, how, number++, &p, err) < 0)
		return -err->code;
	r = child_run(b, &p.child, e->kind == ENV_VM ? VM_MS : OUTPUT_MS, expect, ret, NULL, err);
	if (r < 0)
		run_in_remove(b, e, &p);
	run_in_done(&p);
	return r;
}

int run_in_json(
	struct bench *b,
	const struct environment *e,
	const struct run_in_how *how,
	int expect,
	json_t **ret,
	struct err *err
)
{
	_cleanup_free_ char *out = NULL;
	json_t *doc;

	if (run_in_output(b, e, how, expect, &out, err) < 0)
		return -err->code;
	doc = json_loads(out, 0, NULL);
	if (!json_is_object(doc)) {
		_cleanup_free_ char *log = bench_path(b, "run.log");
		char line[400];

		json_decref(doc);
		child_last_line(log, line, sizeof(line));
		return err_set(
			err, EIO, "%s: '%s' printed no JSON: %s", e->name, how->program[0], line
		);
	}
	*ret = doc;
	return 0;
}

void run_in_remove(struct bench *b, const struct environment *e, const struct run_in *p)
{
	const char *const crun[] = {"crun", "delete", "--force", p->name, NULL};
	const char *const podman[] = {"podman", "rm", "--force", "--time", "0", p->name, NULL};
	const char *const docker[] = {"docker", "rm", "--force", p->name, NULL};
	const char *const *argv = e->kind == ENV_CRUN	  ? crun
				  : e->kind == ENV_PODMAN ? podman
				  : e->kind == ENV_DOCKER ? docker
							  : NULL;
	struct err ignored;

	if (argv != NULL)
		child_run(
			b,
			&(struct child_how){.argv = argv, .always = true},
			REMOVE_MS,
			-1,
			NULL,
			NULL,
			&ignored
		);
}

void run_in_done(struct run_in *p)
{
	for (size_t i = 0; i < ARRAY_LEN(p->held); i++)
		free(p->held[i]);
	*p = (struct run_in){0};
}

void run_in_lacks(const struct bench *b, unsigned set, struct reasons *r)
{
	for (unsigned i = 0; i < ENV_KINDS; i++) {
		if (set >> i & 1 && !b->env[i].present)
			lacks(r, "%s: %s", b->env[i].name, b->env[i].why);
	}
	if (set >> ENV_VM & 1 && b->env[ENV_VM].present && b->env[ENV_VM].emulated)
		lacks(r,
		      "vm: no KVM that runs guests: it is emulated (TCG), marked so and never "
		      "compared");
}
