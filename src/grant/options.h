// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a row of options.def says, and what a type does with it.
#pragma once

#include "grant/grant.h"

// The documents that a row stands in.
enum option_form {
	OPTION_REQUEST = 1,
	OPTION_GRANT = 2,
};

struct row {
	const char *name;      // of the flag, without its dashes; NULL: there is none
	const char *key;       // in documents; NULL: as the flag
	const char *grant_key; // in a grant; NULL: as in a request
	const struct option_type *type;
	unsigned forms;
	size_t offset, size;	  // of the field, in struct request and in struct grant
	size_t length;		  // of a list: where its length is
	uint64_t min, max, usual; // of numbers; usual: what a grant has that says nothing
	const char *const *words; // NULL-terminated; the first is what saying nothing means
	const char *wrong;	  // after a word that is none of them
	const char *noun;	  // of names: "a pool"
	const char *arg, *help;	  // of the flag; help is the description in the schema too
	const char *label; // of its line in the text of a plan; NULL: it continues the last line
	const char *shown; // its value there, as "%s"; NULL: not shown
	const char *none;  // the value when there is none
	bool always;	   // a grant says it also when it is nothing
	bool required;	   // a grant that does not say it is refused
	bool of_pool;	   // a pool has it, too
};

// What is being read, and where it comes from.
struct reading {
	const struct row *row;
	void *all;	 // the request or the grant
	const char *who; // for messages: "--cpus", "'cpus'"
	enum option_form form;
	const json_t *doc; // NULL: a flag
	const char *what, *key;
};

// Where a type has no other function, a document has the text of the flag; of a list an array of them.
struct option_type {
	int (*parse)(const struct reading *r, const char *text, struct err *err); // a list appends
	int (*read)(const struct reading *r, struct err *err);
	// Of a list: whether its elements are objects, in which documents, and how one is read.
	bool list;
	unsigned objects;
	int (*element)(const struct reading *r, const json_t *e, struct err *err);
	// A list is asked for its elements one by one. A new reference.
	json_t *(*write)(const struct row *o, const void *all, unsigned i);
	// For people. Returns buf or what lasts longer.
	const char *(*text
	)(const struct row *o, const void *all, unsigned i, char buf[static IDSET_STR]);
	const char *schema; // name of its definition in data/schemas; NULL: made from the row
};

// types.c: one value; lists.c: several, and the owner
extern const struct option_type option_name, option_text, option_word, option_number, option_size,
	option_list, option_shared, option_seccomp;
extern const struct option_type option_hugepages, option_nics, option_links, option_ports,
	option_netdevs, option_caps, option_claims, option_owner;

static inline void *option_at(const struct row *o, const void *all)
{
	return (char *)all + o->offset;
}

// A field of one byte (bool), four (unsigned, enum) or eight.
void option_set_number(const struct row *o, void *all, uint64_t v);
int option_parse_number(
	const char *who,
	const char *text,
	uint64_t min,
	uint64_t max,
	uint64_t *ret,
	struct err *err
);

// ---- port_option.c: what options of interfaces have in common; what: "kernel port"

int interface_check_name(const char *what, const char *name, struct err *err);
// "192.0.2.1/24", "mtu=1400". form: what else may be said, for messages.
int interface_parse_word(
	struct grant_interface *p, const char *word, const char *form, struct err *err
);
// All words of it are read; text: the whole option.
int interface_check(const struct grant_interface *p, const char *text, struct err *err);
// ",192.0.2.1/24,mtu=1400", appended. Returns how much is in buf.
int interface_text(const struct grant_interface *p, char *buf, size_t len, int n);

// ---- options.c: what goes through all rows

// True if the request says what no pool has.
bool options_beyond_pool(const struct request *req);
// Fills in what is usual where nothing was said.
void options_usual(struct grant *g);
// The rows one by one, then NULL.
const struct row *option_row(size_t index);
// Its key, NULL if it is not in that document.
const char *option_key(const struct row *o, enum option_form form);
