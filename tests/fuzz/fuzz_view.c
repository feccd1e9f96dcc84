// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Files of /proc with any content: no processor that is not granted is left, and nothing is made up.

#include "fuzz.h"

#include "host/hostfs.h"
#include "view/view.h"

static void must_be_granted(const char *text, const struct idset *mine)
{
	for (const char *block = text; block != NULL && *block != '\0';) {
		const char *end = strstr(block, "\n\n");
		char line[64];
		unsigned id;

		snprintf(line, sizeof(line), "%.63s", block);
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "processor : %u", &id) == 1)
			must(idset_has(mine, id));
		block = end != NULL ? end + 2 : NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);
	_cleanup_free_ char *once = NULL;
	_cleanup_free_ char *twice = NULL;
	_cleanup_free_ char *idle = NULL;
	_cleanup_free_ char *again = NULL;
	struct idset mine = {0};

	idset_add(&mine, 1);
	idset_add(&mine, 13);
	once = view_filter_cpuinfo(text, &mine);
	must(once != NULL && strlen(once) <= strlen(text));
	must_be_granted(once, &mine);
	twice = view_filter_cpuinfo(once, &mine);
	must(twice != NULL && strcmp(once, twice) == 0);
	idle = view_idle_stat(text, &mine);
	must(idle != NULL && str_starts(idle, "cpu  0 ") && strstr(idle, "\ncpu13 0 ") != NULL);
	again = view_idle_stat(idle, &mine);
	must(again != NULL && strcmp(idle, again) == 0);
	must(host_meminfo(text, "MemTotal") % 1024 == 0);
	return 0;
}
