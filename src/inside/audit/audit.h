// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// An audit tries each reach out of the container and says of each whether it holds. A property is one
// row of a table; every one is tried in a child of its own with a time limit, so that a signal, a new
// namespace or a hang is an answer too. No attempt has an effect that outlives it, also where
// it succeeds: a control file is opened and not written, a mount lies in a namespace of the child.
#pragma once

#include "inside/audit/given.h"

#include <stdarg.h>

enum verdict {
	AUDIT_NONE, // the child did not get to say: counts as failed
	AUDIT_PASS,
	AUDIT_FAIL,
	AUDIT_SKIP,
};

struct finding {
	enum verdict verdict;
	char text[600]; // what came of it, one line
};

struct audit {
	struct given given;
	// Whether what is left of a grant may be taken for a moment (its last hugepages, processes,
	// memory): nobody else is in the container, or it was asked for.
	bool exhaust;
};

struct property {
	const char *name;  // "cpu-affinity"
	const char *tries; // what is tried, for people
	void (*check)(const struct audit *a, struct finding *f);
	const char *calls; // instead: names of syscalls.c, all are to be refused
	bool machine; // a virtual machine has it too; the rest it does with its own kernel as it likes
};

// Each of the tables ends with a property without a name.
extern const struct property audit_accounts[], audit_cpus[], audit_hugepages[], audit_numa[],
	audit_ipc[], audit_devices[], audit_writes[], audit_pci[], audit_namespaces[],
	audit_calls[], audit_processes[], audit_identity[], audit_limits[], audit_files[],
	audit_modes[], audit_network[], audit_sockets[], audit_streams[];

// The findings of one property are taken together: the first failure stays, the rest is added to it.
void found(struct finding *f, enum verdict v, const char *fmt, ...) printf_like(3, 4);
#define pass(f, ...) found(f, AUDIT_PASS, __VA_ARGS__)
#define fail(f, ...) found(f, AUDIT_FAIL, __VA_ARGS__)
#define skip(f, ...) found(f, AUDIT_SKIP, __VA_ARGS__)

// "a, b, c and 12 more", at most `show` of them; "none" for no names. It is good until the next one.
struct names;
const char *name_list(const struct names *names, size_t show);

// A path in a directory for what is made there and goes at once. It is good until the next one.
const char *audit_path(const char *dir);

// Tries those calls of the table in syscalls.c whose names are in the list, "bpf reboot".
void audit_try_calls(const char *list, struct finding *f);
