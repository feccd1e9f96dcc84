// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "engine/engine.h"

#include "base/scope.h"
#include "base/str.h"

#include <string.h>

// Podman and CRI-O read all files of a directory: one of them is pinfold's alone.
static int own_file(const struct engine_want *want, char *text, char **ret, struct err *err)
{
	if (want->remove) {
		free(text);
		text = strdup("");
	}
	*ret = text;
	return text != NULL ? 0 : err_oom(err);
}

#define HEAD "# Written by pinfold runtime configure.\n"

static int edit_podman(
	const char *, const char *, const struct engine_want *want, char **ret, struct err *err
)
{
	return own_file(
		want,
		str_printf(
			HEAD "[engine.runtimes]\n" ENGINE_RUNTIME " = [\"%s\"]\n", want->runtime
		),
		ret,
		err
	);
}

static int edit_crio(
	const char *, const char *, const struct engine_want *want, char **ret, struct err *err
)
{
	return own_file(
		want,
		str_printf(
			HEAD "[crio.runtime.runtimes." ENGINE_RUNTIME "]\nruntime_path = \"%s\"\n"
			     "runtime_type = \"oci\"\nruntime_root = \"/run/crun\"\n",
			want->runtime
		),
		ret,
		err
	);
}

static const struct engine engines[] = {
	{
		"containerd",
		"/etc/containerd/config.toml",
		"systemctl restart containerd",
		false,
		engine_edit_containerd,
	},
	{
		"crio",
		"/etc/crio/crio.conf.d/50-pinfold.conf",
		"systemctl restart crio",
		false,
		edit_crio,
	},
	{
		"docker",
		"/etc/docker/daemon.json",
		"systemctl reload docker",
		true,
		engine_edit_docker,
	},
	{"podman", "/etc/containers/containers.conf.d/50-pinfold.conf", NULL, false, edit_podman},
};

const struct engine *engine_find(const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		if (str_eq(engines[i].name, name))
			return &engines[i];
	}
	err_set(err, EINVAL, "engine '%.32s': containerd, crio, docker or podman", name);
	return NULL;
}

// The end of the line.
static const char *line_end(const char *s)
{
	const char *end = strchr(s, '\n');

	return end != NULL ? end + 1 : s + strlen(s);
}

static void print_lines(char mark, const char *from, const char *to, FILE *out)
{
	while (from < to) {
		const char *end = line_end(from);

		fprintf(out, "%c%.*s", mark, (int)(end - from), from);
		if (end[-1] != '\n')
			fputc('\n', out);
		from = end;
	}
}

// What changes is in one place.
void engine_print_change(const char *file, const char *before, const char *after, FILE *out)
{
	const char *b = before, *a = after, *b_end = b + strlen(b), *a_end = a + strlen(a);

	if (str_eq(before, after))
		return;
	for (const char *e; *b != '\0' && *a != '\0'; a += e - b, b = e) {
		e = line_end(b);
		if (strncmp(b, a, (size_t)(e - b)) != 0 || e[-1] != '\n')
			break;
	}
	while (b_end > b && a_end > a) {
		const char *p = b_end - 1, *q = a_end - 1;

		while (p > b && p[-1] != '\n')
			p--;
		while (q > a && q[-1] != '\n')
			q--;
		if (b_end - p != a_end - q || strncmp(p, q, (size_t)(b_end - p)) != 0)
			break;
		b_end = p;
		a_end = q;
	}
	fprintf(out,
		"--- %s\n+++ %s\n",
		before[0] != '\0' ? file : "/dev/null",
		after[0] != '\0' ? file : "/dev/null");
	print_lines('-', b, b_end, out);
	print_lines('+', a, a_end, out);
}
