// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Why packets are dropped: the reasons that any task has, and how a mode lists its own.
#pragma once

#include <assert.h>
#include <rte_common.h>

#define TASK_DROPS 32 // reasons a mode may have of its own

// Drops that any task can have. Those of a mode follow, by TASK_DROP_REASONS, up to DROP_END.
enum {
	DROP_TX_FULL = 0, // the output took fewer packets than it was offered
	DROP_COMMON
};

// The drop reasons of a mode, DROP_SHORT and so on, and their names, from its list: #define DROPS(DROP) DROP(SHORT, "too short") …
#define TASK_DROP_REASONS(list)                                                      \
	enum {                                                                       \
		DROP_BEFORE = DROP_COMMON - 1,                                       \
		list(TASK_DROP_NUMBER) DROP_END                                      \
	};                                                                           \
	__rte_unused static const char *const drop_names[] = {list(TASK_DROP_NAME)}; \
	static_assert(DROP_END - DROP_COMMON <= TASK_DROPS, "as many as are counted")
#define TASK_DROP_NUMBER(word, name) DROP_##word,
#define TASK_DROP_NAME(word, name) [DROP_##word - DROP_COMMON] = (name),

// Of struct task_mode.
#define TASK_DROP_NAMES .drops = drop_names, .ndrops = DROP_END - DROP_COMMON
