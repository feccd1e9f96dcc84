// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// §3.9: what a program can get out of, as pinfold audit tries it, in each environment with the same grant.

#include "base/fs.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/reasons.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

// A file of the image that has what the container was granted, for those whose runtime knows of no grant.
#define GRANT "/grant.json"

static void total(
	struct result *r,
	const char *name,
	const struct environment *e,
	const json_t *doc,
	const char *key
)
{
	struct row *row = result_measured(r, name, e, "");

	row_exact(row, json_number_value(json_object_get(doc, key)));
	row->less = str_eq(key, "failed");
	row->neutral = str_eq(key, "skipped");
}

// The names of those that do not hold.
static void failures(struct result *r, const struct environment *e, const json_t *doc)
{
	json_t *list = json_object_get(doc, "properties"), *p;
	struct row *row = result_fact(r, "what does not hold", e);
	char all[2000] = "";
	size_t i;

	json_array_foreach (list, i, p) {
		if (!str_eq(json_string_value(json_object_get(p, "verdict")) ?: "", "FAIL"))
			continue;
		str_add(all,
			sizeof(all),
			", ",
			"%.40s",
			json_string_value(json_object_get(p, "name")) ?: "?");
	}
	row_text(row, "%s", *all != '\0' ? all : "all hold");
}

static void show(struct result *r, const struct environment *e, const json_t *doc)
{
	const int open = (int)json_integer_value(json_object_get(doc, "failed"));
	struct row *row;

	total(r, "properties that hold", e, doc, "passed");
	total(r, "properties that do not", e, doc, "failed");
	total(r, "properties not tried", e, doc, "skipped");
	failures(r, e, doc);
	if (e->kind == ENV_HOST)
		return;
	row = result_fact(r, "ways out that are open", e);
	if (open == 0)
		row_text(row, "none was found");
	else
		row_text(row, "%d of those that were tried", open);
	if (e->kind == ENV_VM) {
		// what it finds open is the guest's own kernel, not the host's
		row_paper(row, __builtin_nan(""), "virtual machines: mature security models");
		row_text(
			row,
			"it has its own kernel to itself: the audit is of what a container is "
			"denied"
		);
		return;
	}
	row_paper(row, __builtin_nan(""), "containers: not mature and complex");
	row_claim_is(row, open == 0 ? CLAIM_FAILS : CLAIM_HOLDS);
}

// An audit that tried nothing found nothing open, either.
static int tried(const json_t *doc, struct err *err)
{
	json_t *passed = json_object_get(doc, "passed"), *failed = json_object_get(doc, "failed");

	if (!json_is_integer(passed) || !json_is_integer(failed))
		return err_set(err, EPROTO, "the audit does not say how many properties hold");
	if (json_integer_value(passed) + json_integer_value(failed) == 0)
		return err_set(err, ENODATA, "the audit tried nothing");
	return 0;
}

static int put_grant(struct bench *b, const struct run_in_how *container, struct err *err)
{
	struct run_in_how how = *container;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int fd = -1;
	const char *image;

	memcpy(how.program,
	       (const char *[4]){"/bin/cat", "/run/pinfold/grant.json"},
	       4 * sizeof(char *));
	if (run_in_image(b, &image, err) < 0
	    || run_in_output(b, &b->env[ENV_CONTAINER], &how, 0, &text, err) < 0)
		return -err->code;
	fd = open(image, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fs_write_fleeting(fd, GRANT + 1, text, strlen(text), 0644, err);
}

static int audit(
	struct bench *b,
	const struct environment *e,
	struct run_in_how how,
	json_t **ret,
	struct err *err
)
{
	_cleanup_free_ char *grant = NULL;
	const char *image;

	if (e->kind != ENV_CONTAINER && e->kind != ENV_VM) {
		if (run_in_image(b, &image, err) < 0)
			return -err->code;
		grant = e->kind == ENV_HOST ? str_printf("%s" GRANT, image) : strdup(GRANT);
		how.program[3] = "--grant";
		how.program[4] = grant;
	}
	return run_in_json(b, e, &how, -1, ret, err);
}

static int run(struct bench *b, struct result *r, struct err *err)
{
	static const struct run_in_how how = {
		.program = {RUN_IN_INSIDE, "audit", "--json"},
		.option = {"--hugepages", "2M=16"},
	};

	if (put_grant(b, &how, err) < 0)
		return -err->code;
	for (unsigned k = 0; k < ENV_KINDS; k++) {
		const struct environment *e = &b->env[k];
		_cleanup_json_ json_t *doc = NULL;

		if (bench_check(err) < 0)
			return -err->code;
		bench_say(b, "isolation: %s", e->name);
		if (!e->present)
			result_missing(r, "properties that hold", e, "%s", e->why);
		else if (audit(b, e, how, &doc, err) < 0 || tried(doc, err) < 0)
			result_missing(r, "properties that hold", e, "%s", err->msg);
		else
			show(r, e, doc);
	}
	return bench_check(err);
}

static bool lacking(const struct bench *b, struct reasons *r)
{
	run_in_lacks(b, ~0u, r);
	return b->env[ENV_CONTAINER].present && b->inside != NULL;
}

static const struct experiment isolation = {
	.name = "isolation",
	.figure = "§3.9",
	.title = "Isolation",
	.about = "pinfold audit in each environment, with what the container was granted: which "
		 "ways out of it are closed.",
	.seconds = {30, 30},
	.order = 50,
	.lacks = lacking,
	.run = run,
};
EXPERIMENT(isolation);
