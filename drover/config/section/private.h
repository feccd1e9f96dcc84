// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to drover/config/section.
#pragma once

#include "config/hint.h"
#include "config/location.h"
#include "config/section/section.h"

static inline struct location place(const struct sections *s, unsigned line)
{
	return (struct location){s->file, line};
}

// A section: keys[0] is the header, its keys follow, n in all.
int read_eal(struct sections *s, const struct entry *keys, size_t n, struct err *err);
int read_defaults(struct sections *s, const struct entry *keys, size_t n, struct err *err);
int read_global(struct sections *s, const struct entry *keys, size_t n, struct err *err);
int read_port(struct sections *s, const struct entry *keys, size_t n, struct err *err);
int read_core(struct sections *s, const struct entry *keys, size_t n, struct err *err);

// keys[0] is of the command line, in place of what [defaults] or [global] say.
int read_given(struct sections *s, const struct entry *keys, size_t n, struct err *err);

// Keys of a section that is one table. seen: a bit for each so far.
int read_keys(
	const struct entry *keys,
	size_t n,
	const struct key *table,
	void *base,
	uint64_t *seen,
	struct err *err
);

// The keys of a task, n in all, from what is said behind task=N.
int read_task(
	struct sections *s,
	const struct entry *const *keys,
	unsigned n,
	struct task_section *t,
	struct err *err
);

// Outputs: one key of a task, and all of them at its end: what its mode can do with them.
int read_outputs(
	const struct entry *e, const struct key *key, struct task_section *t, struct err *err
);
int check_outputs(struct sections *s, const struct conf_task *t, struct err *err);

// What a section [core LIST] may say beside the keys of its tasks and modes.
extern const char *const core_words[];
