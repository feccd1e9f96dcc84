// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "runtime/update.h"

#include "base/fs.h"
#include "base/jdoc.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/write.h"
#include "grant/change.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int update_check_resources(json_t *doc, const struct grant *g, struct err *err)
{
	const json_t *cpu = json_object_get(doc, "cpu");
	struct idset cpus = grant_all_cpus(g);
	const char *key;
	json_t *value;

	if (change_check_ids(g, "cpus", json_string_value(json_object_get(cpu, "cpus")), &cpus, err)
		    < 0
	    || change_check_ids(
		       g, "mems", json_string_value(json_object_get(cpu, "mems")), &g->mems, err
	       ) < 0)
		return -err->code;
	json_object_foreach (json_object_get(doc, "unified"), key, value) {
		if (str_starts(key, "hugetlb.") || str_starts(key, "cpuset."))
			return err_set(
				err, EBUSY, "update %.64s: grant '%s' says what it is", key, g->name
			);
	}
	json_object_del(doc, "hugepageLimits");
	return 0;
}

static int read_all(int fd, char **ret, size_t *ret_len, struct err *err)
{
	_cleanup_free_ char *text = malloc(JDOC_MAX + 1);
	size_t n = 0;
	ssize_t some;

	if (text == NULL)
		return err_oom(err);
	while (n < JDOC_MAX && (some = read(fd, text + n, JDOC_MAX - n)) != 0) {
		if (some < 0 && errno != EINTR)
			return err_sys(err, errno, "read resources");
		n += some > 0 ? (size_t)some : 0;
	}
	text[n] = '\0';
	*ret = steal_ptr(text);
	*ret_len = n;
	return 0;
}

// Its standard input, as if nobody had read it.
static int put_back(const char *text, struct err *err)
{
	_cleanup_close_ int fd = memfd_create("resources", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : write_all(fd, text, strlen(text));

	if (r < 0)
		return err_sys(err, -r, "keep resources");
	if (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0)
		return err_sys(err, errno, "keep resources");
	return 0;
}

// Kubelet's CPU manager says every few seconds which CPUs are shared by whoever has asked it for none.
static void drop_shared(json_t *doc, const struct grant *g)
{
	json_t *cpu = json_object_get(doc, "cpu");

	if ((g->claim_by & CLAIM_BY_KUBERNETES) == 0)
		return;
	json_object_del(cpu, "cpus");
	json_object_del(cpu, "mems");
}

static int check_document(
	const struct command *c, const struct grant *g, bool input, struct err *err
)
{
	_cleanup_free_ char *text = NULL, *kept = NULL;
	_cleanup_json_ json_t *doc = NULL;
	size_t len;
	int r = input ? read_all(STDIN_FILENO, &text, &len, err)
		      : fs_read_file(c->resources, JDOC_MAX, &text, &len);

	if (r < 0)
		return input ? r : err_sys(err, -r, "read resources '%.200s'", c->resources);
	if (jdoc_parse(text, len, "resources", &doc, err) < 0)
		return -err->code;
	if (!input && json_object_get(doc, "hugepageLimits") != NULL)
		return err_set(
			err, EBUSY, "update hugepageLimits: grant '%s' says what they are", g->name
		);
	if (input)
		drop_shared(doc, g);
	if (update_check_resources(doc, g, err) < 0)
		return -err->code;
	if (!input)
		return 0;
	kept = jdoc_print(doc);
	return kept != NULL ? put_back(kept, err) : err_oom(err);
}

int update_check(const struct command *c, const struct grant *g, struct err *err)
{
	struct idset cpus = grant_all_cpus(g);

	if (change_check_ids(g, "cpus", c->cpus, &cpus, err) < 0
	    || change_check_ids(g, "mems", c->mems, &g->mems, err) < 0)
		return -err->code;
	if (c->resources == NULL)
		return 0;
	return check_document(c, g, str_eq(c->resources, "-"), err);
}
