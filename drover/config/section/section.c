// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "config/section/section.h"

#include "base/scope.h"
#include "config/section/private.h"

#include <stdlib.h>

// In the order in which they are read, wherever they are in the file: tasks want to know the defaults.
static const struct {
	enum ini_section section;
	int (*read)(struct sections *s, const struct entry *keys, size_t n, struct err *err);
} all[] = {
	{INI_EAL, read_eal},
	{INI_DEFAULTS, read_defaults},
	{INI_GLOBAL, read_global},
	{INI_GIVEN, read_given},
	{INI_PORT, read_port},
	{INI_CORE, read_core},
};

int sections_read(const struct entries *e, struct conf *conf, struct sections *ret, struct err *err)
{
	const struct entry *list = e->ini.list;

	*ret = (struct sections){.file = e->file, .conf = conf};
	ret->end = &ret->cores;
	for (size_t k = 0; k < ARRAY_LEN(all); k++) {
		for (size_t i = 0, end; i < e->ini.n; i = end) {
			for (end = i + 1; end < e->ini.n && !list[end].header;)
				end++;
			if (list[i].section == all[k].section
			    && all[k].read(ret, &list[i], end - i, err) < 0)
				return -err->code;
		}
	}
	return 0;
}

void sections_done(struct sections *s)
{
	while (s->cores != NULL) {
		struct core_section *core = s->cores;

		for (unsigned i = 0; i < core->ntasks; i++)
			free(core->tasks[i].task.conf);
		s->cores = core->next;
		free(core);
	}
}
