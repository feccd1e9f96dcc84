// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/results.h"

#include "base/fs.h"
#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION 1

const char *const results_machine_keys[] = {
	"kernel",
	"command line",
	"CPU",
	"machine",
	"CPUs online",
	"CPUs isolated",
	"CPUs nohz_full",
	"frequency governor",
	"memory",
	"NUMA nodes",
	"cgroups",
	"pinning",
	"second machine",
	"accelerator",
	NULL,
};

void results_done(struct results *r)
{
	for (unsigned i = 0; i < r->n; i++)
		result_done(&r->of[i]);
	free(r->of);
	json_decref(r->provenance);
	*r = (struct results){0};
}

struct result *results_find(const struct results *all, const char *experiment)
{
	for (unsigned i = 0; i < all->n; i++) {
		if (str_eq(all->of[i].experiment, experiment))
			return &all->of[i];
	}
	return NULL;
}

// An experiment that this program does not know comes last.
static unsigned order_of(const struct result *r)
{
	const struct experiment *e = experiment_find(r->experiment);

	return e != NULL ? e->order : ~0u;
}

void results_put(struct results *all, struct result *r)
{
	struct result *old = results_find(all, r->experiment);
	unsigned at = all->n;

	if (old != NULL) {
		result_done(old);
		*old = *r;
	} else {
		all->of = need(reallocarray(all->of, all->n + 1, sizeof(*all->of)));
		for (; at > 0 && order_of(&all->of[at - 1]) > order_of(r); at--)
			all->of[at] = all->of[at - 1];
		all->of[at] = *r;
		all->n++;
	}
	*r = (struct result){0};
}

json_t *results_to_json(const struct results *all)
{
	json_t *doc = need(json_object()), *list = need(json_array());

	json_object_set_new(doc, "version", json_integer(VERSION));
	json_object_set_new(doc, "size", json_string(bench_size_name(all->size)));
	json_object_set(doc, "set-up", all->provenance);
	for (unsigned i = 0; i < all->n; i++)
		json_array_append_new(list, result_to_json(&all->of[i]));
	json_object_set_new(doc, "experiments", list);
	return doc;
}

static int read_setup(const json_t *doc, const char *what, struct results *all, struct err *err)
{
	json_t *setup = json_object_get(doc, "set-up"), *v;
	const char *key;

	if (!json_is_object(setup))
		return err_set(err, EINVAL, "%s: 'set-up' is no object", what);
	json_object_foreach (setup, key, v) {
		if (!json_is_string(v))
			return err_set(err, EINVAL, "%s: '%s' of 'set-up' is no text", what, key);
	}
	all->provenance = json_incref(setup);
	return 0;
}

int results_from_json(const json_t *doc, const char *what, struct results *ret, struct err *err)
{
	static const char *const keys[] = {"version", "size", "set-up", "experiments", NULL};
	scope_cleanup(results_done) struct results all = {0};
	json_t *list = NULL, *v;
	const char *size = NULL;
	uint64_t version = 0;
	size_t i;

	if (jread_u64(doc, what, "version", true, UINT32_MAX, &version, err) < 0)
		return -err->code;
	if (version != VERSION)
		return err_set(
			err,
			EINVAL,
			"%s: it has version %u, and this pinfold reads %d",
			what,
			(unsigned)version,
			VERSION
		);
	if (jread_keys(doc, what, keys, err) < 0
	    || jread_str(doc, what, "size", true, &size, err) < 0
	    || jread_array(doc, what, "experiments", &list, err) < 0
	    || read_setup(doc, what, &all, err) < 0)
		return -err->code;
	if (!bench_size_find(size, &all.size))
		return err_set(err, EINVAL, "%s: 'size' is none of brief, quick, full", what);
	json_array_foreach (list, i, v) {
		scope_cleanup(result_done) struct result r = {0};

		if (result_from_json(v, &r, err) < 0)
			return err_wrap(err, "%s", what);
		results_put(&all, &r);
	}
	*ret = all;
	all = (struct results){0};
	return 0;
}

int results_read(const char *dir, struct results *ret, struct err *err)
{
	_cleanup_free_ char *path = NULL, *real = NULL, *text = NULL, *what = NULL;
	_cleanup_json_ json_t *doc = NULL;
	json_error_t why;
	struct stat st;
	size_t len = 0;
	int r;

	path = stat(dir, &st) == 0 && !S_ISDIR(st.st_mode)
		       ? need(strdup(dir))
		       : need(str_printf("%s/%s", dir, RESULTS_FILE));
	what = need(str_printf("results '%s'", path));
	real = realpath(path, NULL);
	r = real != NULL ? fs_read_file(real, JDOC_MAX, &text, &len) : -errno;
	if (r == -EINVAL || r == -EISDIR)
		return err_set(err, -r, "read %s: it is no regular file", what);
	if (r < 0)
		return err_sys(err, -r, "read %s", what);
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (doc == NULL)
		return err_set(
			err,
			EINVAL,
			"read %s: line %d: %s%s",
			what,
			why.line,
			why.text,
			json_error_code(&why) == json_error_premature_end_of_input
				? ": it is cut off: copy it once more"
				: ""
		);
	if (!json_is_object(doc))
		return err_set(err, EINVAL, "read %s: it is no JSON object", what);
	return results_from_json(doc, what, ret, err);
}

int results_write(const char *dir, const struct results *all, struct err *err)
{
	_cleanup_json_ json_t *doc = results_to_json(all);
	_cleanup_free_ char *text = need(json_dumps(doc, JSON_INDENT(1) | JSON_REAL_PRECISION(6)));
	_cleanup_free_ char *line = need(str_printf("%s\n", text));
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "write results into '%s'", dir);
	if (fs_write_atomic(fd, RESULTS_FILE, line, strlen(line), 0644, err) < 0)
		return err_wrap(err, "in '%s'", dir);
	return 0;
}
