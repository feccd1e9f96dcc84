// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Modes of a test's own instead of drover's: those that follow the one for which OWN_MODES stands.
#pragma once

#include "task/task.h"

#include <string.h>

#define OWN_MODES(first)                         \
	const struct task_mode *task_modes(void) \
	{                                        \
		return &(first);                 \
	}

const struct task_mode *task_mode_find(const char *name)
{
	for (const struct task_mode *m = task_modes(); m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0 || (m->alias != NULL && strcmp(m->alias, name) == 0))
			return m;
	}
	return NULL;
}

const char *task_drop_name(const struct task_mode *mode, unsigned reason)
{
	if (reason == 0)
		return "tx full";
	return reason <= mode->ndrops ? mode->drops[reason - 1] : NULL;
}
