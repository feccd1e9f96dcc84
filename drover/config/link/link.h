// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the sections of a configuration name is found: ports, tables, tasks.
#pragma once

#include "config/section/section.h"

// lua: that defines tables; NULL: none. Takes over what sections have allocated for the modes of their tasks
// where it is of use.
int conf_link(
	struct conf *c,
	struct sections *sections,
	struct script *lua,
	const struct conf_overrides *o,
	struct err *err
);
