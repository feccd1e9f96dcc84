// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Configurations of engines: said twice it is as said once, and taken out it is not there any more.

#include "fuzz.h"

#include "base/str.h"
#include "engine/engine.h"

#define BEGIN "# begin pinfold runtime configure\n"

static const char *const names[] = {"containerd", "crio", "docker", "podman"};

static char *edit(const struct engine *e, const char *text, bool remove)
{
	const struct engine_want want = {
		.runtime = "/usr/bin/pinfold-runtime", .remove = remove, .usual = e->can_be_usual};
	struct err err = {0};
	char *after = NULL;

	if (e->edit(text, "/etc/x", &want, &after, &err) < 0) {
		must_explain(&err);
		return NULL;
	}
	must(after != NULL);
	return after;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	FILE *null = fopen("/dev/null", "w");
	struct err err;

	for (size_t i = 0; i < 4; i++) {
		const struct engine *e = engine_find(names[i], &err);
		_cleanup_free_ char *once = edit(e, text, false), *twice = NULL, *out = NULL;

		if (once == NULL)
			continue;
		must(strstr(once, "pinfold-runtime") != NULL);
		engine_print_change("/etc/x", text, once, null);
		twice = edit(e, once, false);
		must(twice != NULL && str_eq(once, twice));
		out = edit(e, once, true);
		must(out != NULL && !str_starts(out, BEGIN) && strstr(out, "\n" BEGIN) == NULL);
		engine_print_change("/etc/x", once, out, null);
	}
	fclose(null);
	return 0;
}
