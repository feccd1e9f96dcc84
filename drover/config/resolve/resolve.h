// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the sections of a configuration name is found: ports, tables, tasks.
#pragma once

#include "config/section/section.h"

// Makes the cores of c and finds what their tasks name. lua: that defines tables; NULL: none.
int conf_resolve(
	struct conf *c,
	struct sections *sections,
	struct script *lua,
	const struct conf_overrides *o,
	struct err *err
);
