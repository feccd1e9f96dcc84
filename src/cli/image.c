// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold image: root file systems for containers.

#include "cli/image.h"

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define BIGGEST 8

static const char help[] =
	"Usage: pinfold image build -o NAME|DIR [--pmd LIST|all|none] [--add FILE]... [--replace] "
	"PROGRAM...\n"
	"       pinfold image list [--json] [NAME|DIR...]\n"
	"       pinfold image remove NAME|DIR...\n"
	"\n"
	"A root file system from what is installed here: programs, and the libraries they need.\n"
	"\n"
	"  -o, --output NAME|DIR  a name stands for " IMAGE_DIR "/NAME\n"
	"  --pmd LIST             drivers for a DPDK program, as in net_null,memif; default: "
	"buses,\n"
	"                         virtual devices and common NICs\n"
	"  --add FILE             also this file, at the place it has here\n"
	"  --replace              an image that exists already is replaced\n"
	"\n"
	"An image in which a workload runs is neither removed nor replaced. list also names what "
	"a build or a removal that was killed has left, and remove takes that away.\n";

static void note(const char *line)
{
	fprintf(stderr, "pinfold: note: %s\n", line);
}

// A name without a slash is an image in the usual place. *ret is to be freed.
int image_path(const char *name, char **ret, struct err *err)
{
	char *path;

	if (strchr(name, '/') == NULL && name_check("an image", name, err) < 0)
		return -err->code;
	path = strchr(name, '/') != NULL ? strdup(name) : str_printf(IMAGE_DIR "/%s", name);
	if (path == NULL)
		return err_oom(err);
	*ret = path;
	return 0;
}

static char *megabytes(json_int_t bytes, char *buf, size_t len)
{
	snprintf(buf, len, "%.1f MB", (double)bytes / 1e6);
	return buf;
}

// What an image or a file name says, for a terminal. To be freed.
static char *shown(const json_t *text)
{
	char *s = strdup(json_string_value(text) ?: "");

	if (s != NULL)
		str_plain(s);
	return s;
}

static int by_bytes(const void *a, const void *b)
{
	json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "bytes"));
	json_int_t y = json_integer_value(json_object_get(*(json_t *const *)b, "bytes"));

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_built(const char *path, const json_t *manifest)
{
	const json_t *files = json_object_get(manifest, "files");
	size_t n = json_array_size(files), i;
	_cleanup_free_ json_t **sorted = calloc(n + 1, sizeof(json_t *));
	char buf[32];
	json_t *f;

	printf("%s: %s in %zu files\n",
	       path,
	       megabytes(json_integer_value(json_object_get(manifest, "bytes")), buf, sizeof(buf)),
	       n);
	if (sorted == NULL)
		return;
	json_array_foreach ((json_t *)files, i, f)
		sorted[i] = f;
	qsort(sorted, n, sizeof(json_t *), by_bytes);
	for (i = 0; i < n && i < BIGGEST; i++) {
		_cleanup_free_ char *file = shown(json_object_get(sorted[i], "path"));

		printf("%10s  %s\n",
		       megabytes(
			       json_integer_value(json_object_get(sorted[i], "bytes")),
			       buf,
			       sizeof(buf)
		       ),
		       file != NULL ? file : "");
	}
}

// With the signals blocked that people stop a build with: it ends at the next file, cleans up, and
// the signal does its work afterwards.
static int build_blocked(const struct image_request *req, json_t **ret, struct err *err)
{
	sigset_t stop, old;
	int r;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, &old);
	r = image_build(req, ret, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

// There is room for as many as there are words.
struct files {
	char **list;
	size_t n;
};

static int take_file(const struct option_row *o, const char *value, struct err *)
{
	struct files *f = o->to;

	f->list[f->n++] = (char *)value;
	return 0;
}

static int build_options(
	int argc,
	char **argv,
	struct image_request *req,
	char **add,
	const char **output,
	struct err *err
)
{
	struct files files = {.list = add};
	const struct option_row rows[] = {
		{"output", 'o', .text = output},
		{"pmd", .text = &req->pmds},
		{"add", .take = take_file, .to = &files},
		{"replace", .flag = &req->replace},
		{0},
	};

	if (cli_options(argc, argv, rows, NULL, err) < 0)
		return -err->code;
	if (*output == NULL)
		return err_set(err, EINVAL, "image build: say where with -o NAME or -o DIR");
	if (optind >= argc)
		return err_set(err, EINVAL, "image build: no program given");
	req->nadd = files.n;
	req->programs = argv + optind;
	req->nprograms = (size_t)(argc - optind);
	return 0;
}

static int build(int argc, char **argv)
{
	_cleanup_free_ char **add = calloc((size_t)argc + 1, sizeof(char *));
	struct image_users users;
	const struct image_guard guard = IMAGE_GUARD(users);
	struct image_request req = {.add = add, .note = note, .guard = &guard};
	_cleanup_json_ json_t *manifest = NULL;
	_cleanup_free_ char *path = NULL;
	const char *output = NULL;
	struct err err;

	if (add == NULL) {
		err_oom(&err);
		return cli_fail(&err);
	}
	if (build_options(argc, argv, &req, add, &output, &err) < 0
	    || image_path(output, &path, &err) < 0)
		return cli_fail(&err);
	req.dir = path;
	if (build_blocked(&req, &manifest, &err) < 0)
		return cli_fail(&err);
	print_built(path, manifest);
	return STATUS_OK;
}

// One row of the list. A damaged manifest is an error of its own.
static int add_row(json_t *rows, const char *name, const char *path, struct err *err)
{
	_cleanup_free_ char *program = NULL, *abi = NULL;
	_cleanup_json_ json_t *m = NULL;
	char buf[32];

	if (image_manifest(path, &m, err) < 0)
		return -err->code;
	program = shown(json_array_get(json_object_get(m, "programs"), 0));
	abi = shown(json_object_get(json_object_get(m, "dpdk"), "abi"));
	if (program == NULL || abi == NULL)
		return err_oom(err);
	if (json_array_append_new(
		    rows,
		    json_pack(
			    "{s:s, s:s, s:I, s:i, s:s*, s:s, s:s}",
			    "name",
			    name,
			    "size",
			    megabytes(
				    json_integer_value(json_object_get(m, "bytes")),
				    buf,
				    sizeof(buf)
			    ),
			    "bytes",
			    json_integer_value(json_object_get(m, "bytes")),
			    "files",
			    (int)json_array_size(json_object_get(m, "files")),
			    "dpdk",
			    abi[0] != '\0' ? abi : NULL,
			    "program",
			    program,
			    "path",
			    path
		    )
	    )
	    < 0)
		return err_oom(err);
	return 0;
}

// The images in the usual place; a directory without a manifest is none.
static int add_all(json_t *rows, struct err *err)
{
	struct dirent **entries = NULL;
	int n = scandir(IMAGE_DIR, &entries, NULL, alphasort), r = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = str_printf(IMAGE_DIR "/%s", entries[i]->d_name);

		if (path == NULL)
			r = err_oom(err);
		else if (r == 0 && entries[i]->d_name[0] != '.') {
			r = add_row(rows, entries[i]->d_name, path, err);
			if (r == -ENOENT || r == -ENOTDIR)
				r = 0;
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int add_leftovers(const char *name, void *arg)
{
	_cleanup_free_ char *path = str_printf(IMAGE_DIR "/.%s.pinfold", name);

	if (path != NULL)
		json_array_append_new(
			arg,
			json_pack("{s:s, s:s, s:b}", "name", name, "path", path, "leftovers", true)
		);
	return 0;
}

static void print_notes(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach ((json_t *)rows, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));

		if (json_is_true(json_object_get(row, "leftovers")))
			printf("%s: a build or a removal that was killed has left files; "
			       "pinfold image remove %s\n",
			       name,
			       name);
	}
}

static int list(int argc, char **argv)
{
	static const char *const keys[] = {"name", "size", "files", "dpdk", "program", NULL};
	_cleanup_json_ json_t *rows = json_array();
	bool json = false;
	const struct option_row options[] = {{"json", .flag = &json}, {0}};
	struct err err;
	int r = cli_options(argc, argv, options, NULL, &err);

	if (r == 0 && optind >= argc) {
		r = add_all(rows, &err);
		image_leftovers(IMAGE_DIR, add_leftovers, rows);
	}
	for (int i = optind; i < argc && r == 0; i++) {
		_cleanup_free_ char *path = NULL;

		r = image_path(argv[i], &path, &err);
		if (r == 0)
			r = add_row(rows, argv[i], path, &err);
	}
	if (r < 0)
		return cli_fail(&err);
	cli_print_rows(rows, keys, json);
	if (!json)
		print_notes(rows);
	return STATUS_OK;
}

int cmd_image(int argc, char **argv)
{
	static const struct command commands[] = {
		{"build", build}, {"list", list}, {"remove", cmd_image_remove}, {0}};

	return cli_group(&(struct group){"image", help, NULL, commands}, argc, argv);
}
