// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Cgroups that engines leave behind, empty, when their containers have ended.
#pragma once

// What is there already stays.
void groups_look(void);

// What came since goes, if nothing is in it.
void groups_remove(void);

// A parent for the containers of a daemon, as engines name it; one for each benchmark. To be freed.
char *groups_parent(void);
