// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The sections of a configuration, their keys in numbers; what is said in names of other things of the file
// (ports, tables, tasks) still is. Errors have their place.
#pragma once

#include "config/config.h"
#include "config/kind/tasks.h"
#include "config/read/entries.h"

#define TASK_KEYS 64

// A key of a task that names ports, or a table.
struct reference {
	unsigned line;
	const struct key *key;
	const void *value;
};

struct task_section {
	struct conf_task task;	// tx_cores: only on which lines, and how many
	struct target_names to; // of the "tx cores=" at hand
	struct target_names targets[PROTO_COUNT];
	char *remap;		  // "A,B|C" behind the outputs; NULL: nothing
	const struct key *tx_key; // of its outputs; NULL: none
	unsigned tx_line;	  // of the first of them
	unsigned nrefs;
	struct reference refs[TASK_KEYS];
};

struct core_section {
	struct core_section *next;
	unsigned line;
	unsigned nnames; // cores that are like this
	struct core_name names[CONF_CORES];
	char name[KEY_TEXT_MAX]; // "": after the number of the core
	bool master;
	unsigned messages_line; // of its "tx cores="; 0: none
	struct target_names messages;
	unsigned ntasks;
	struct task_section tasks[CONF_TASKS];
};

struct sections {
	const char *file;
	struct conf *conf;	    // [eal options], [defaults], [global] and [port N]
	struct core_section *cores; // in the order of the file
	struct core_section **end;
	unsigned ncores;		     // in all lists so far
	uint64_t seen_defaults, seen_global; // keys so far, by their place in the table
	bool seen_output;		     // [eal options] no-output=
};

// conf gets what needs no further look. *ret is to be released with sections_done, also on failure; it
// points into e.
int sections_read(
	const struct entries *e, struct conf *conf, struct sections *ret, struct err *err
);
void sections_done(struct sections *s);

// The keys that every task takes, into a struct task_section.
extern const struct key task_keys[];
