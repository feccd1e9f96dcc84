// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Private to drover/config: what the parts of the reader share. Functions set err without a place;
// who knows the line puts it in front with parse_at.
#pragma once

#include "config/config.h"
#include "config/hint.h"
#include "config/ini.h"
#include "config/kind/tasks.h"
#include "config/vars.h"

struct script;

// A "tx cores=" of the file, until all of its cores are known.
struct link {
	unsigned line;
	struct target_names to;
};

struct parse {
	struct conf *conf;
	struct ini ini;
	struct vars vars;
	const struct conf_overrides *overrides; // never NULL
	uint64_t seen_global, seen_defaults;	// keys of the section so far, by place in the table
	bool seen_output;			// [eal options] no-output=
	bool carries[CONF_PORTS];		// some task names the port
	char qinq_tag[KEY_TEXT_MAX];		// [defaults] qinq tag=, for modes with such a key
	struct script *lua;			// NULL: the file has no [lua]
	struct link *links;
	size_t nlinks;
	unsigned master_line;  // of its "tx cores="; 0: it has none
	const char *folder;    // of the file; NULL: read from memory, no other file is to be read
	char value[VALUE_MAX]; // the value at hand, variables replaced
};

// Puts "FILE:LINE: " before what err says. Returns -err->code.
int parse_at(const struct parse *p, unsigned line, struct err *err);
// Sets err to "FILE:LINE: …"; line 0: "FILE: …". Returns -EINVAL.
int parse_error(const struct parse *p, unsigned line, struct err *err, const char *fmt, ...)
	printf_like(4, 5);

// Replaces the variables of text into p->value.
int parse_expand(struct parse *p, unsigned line, const char *text, struct err *err);

// One "name=value" of a section described by a table, into base. seen: a bit for each key so far.
int parse_key(
	struct parse *p,
	const struct ini_item *item,
	const struct key *table,
	void *base,
	uint64_t *seen,
	struct err *err
);

// "; did you mean 'X'?" among the names of the ports; when none is near, some of them.
const char *hint_port(char buf[static HINT_MAX], const char *word, const struct conf *c);

// Sections. items[0] is the header, the keys follow, n in all.
int parse_lua(struct parse *p, struct err *err); // all [lua] of the file
int parse_eal(struct parse *p, const struct ini_item *items, size_t n, struct err *err);
int parse_defaults(struct parse *p, const struct ini_item *items, size_t n, struct err *err);
int parse_global(struct parse *p, const struct ini_item *items, size_t n, struct err *err);
// -D of a name with a blank: a key of [defaults] or [global], in place of what the file says.
int parse_given(struct parse *p, struct err *err);
int parse_port(struct parse *p, const struct ini_item *items, size_t n, struct err *err);
int parse_core(struct parse *p, const struct ini_item *items, size_t n, struct err *err);

// After all [port N]: names are unique, devices given on the command line are in place.
int ports_name(struct parse *p, struct err *err);

// The keys that every task takes, into a struct conf_task.
extern const struct key conf_task_keys[];
// What a section [core LIST] may say beside the keys of its tasks and modes.
extern const char *const core_words[];

// The lines of a task, kept until its mode is known.
#define TASK_KEYS 64
struct pending {
	unsigned n;
	const struct ini_item *items[TASK_KEYS];
};

// The task is complete: finds its mode, and fills it and t->conf (to be freed, also on failure).
int task_finish(
	struct parse *p, const struct pending *pending, struct conf_task *t, struct err *err
);

// After all cores: what one task says and others of the same tables want to know.
void tasks_share(struct conf *c);

void conf_core_done(struct conf_core *core);

// Outputs. A value of "tx cores=" and its like is kept as it is named; after all cores it is resolved.
int outputs_key(
	struct parse *p,
	const struct ini_item *it,
	const struct key *key,
	struct conf_task *t,
	struct err *err
);
// "tx cores=" of the master: the tasks must be there.
int outputs_master(struct parse *p, unsigned line, const struct target_names *to, struct err *err);
// The task is complete: what its mode can do with its inputs and outputs.
int outputs_check(struct parse *p, const struct conf_task *t, struct err *err);
// After all cores: tasks that are named are there and take packets from rings, and the reverse.
int outputs_link(struct parse *p, struct err *err);
// "task 1 of core 3s0"
#define TASK_LABEL 48
const char *task_label(char buf[static TASK_LABEL], const struct conf_core *c, unsigned task);

// Names in a list of ports must be those of sections; marks them as carrying traffic.
int check_ports(
	struct parse *p,
	unsigned line,
	const struct key *key,
	const struct key_names *names,
	struct err *err
);
