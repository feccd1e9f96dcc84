// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// System call filters, as the "seccomp" object of config.json (OCI runtime specification, linux.seccomp):
// the default one, one of a file, and the narrowing of one by the other.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// ---- seccomp_calls.c: the one table. docs/seccomp.md is written from it.

#define SECCOMP_ARCHITECTURE "SCMP_ARCH_X86_64" // the only table of calls that is open

// Beside the bits of capabilities: what a grant's --seccomp opens.
#define SECCOMP_AIO (UINT64_C(1) << 63)
// And what QEMU needs beside what any program does.
#define SECCOMP_QEMU (UINT64_C(1) << 62)
// Of commands of devices no more than those of terminals and sockets: a NIC on UIO takes SYS_ADMIN of the host. And
// those of VFIO.
#define SECCOMP_UIO (UINT64_C(1) << 61)
#define SECCOMP_VFIO (UINT64_C(1) << 60)
// What a program asks the kernel beside whose driver of a NIC it works (mlx5).
#define SECCOMP_RDMA (UINT64_C(1) << 59)

// Calls that belong together and why they are there (or are not).
struct seccomp_row {
	const char *calls; // names with one space between them; NULL ends a list
	const char *why;
};

struct seccomp_group {
	const char *name; // NULL ends the list
	const char *why;
	const struct seccomp_row *rows;
	uint64_t needs; // these bits beside the capabilities; 0: always there
};

struct seccomp_compare {
	unsigned argument;
	const char *op;		   // as the OCI specification names it
	uint64_t value, value_two; // of SCMP_CMP_MASKED_EQ: a mask, and what is left under it
};

// Allowed when all the arguments compare so; several lines for a call: any of them.
#define SECCOMP_COMPARES 3
#define SECCOMP_CONDITIONS_MAX 256
struct seccomp_condition {
	const char *call;				   // NULL ends the list
	struct seccomp_compare compares[SECCOMP_COMPARES]; // one without an op ends them
	int cap;					   // only with this capability; -1: always
	const char *when;				   // the condition for a person
	const char *why;
	uint64_t needs, lacks; // SECCOMP_… bits: only with these, and only without these
};

static inline bool seccomp_applies(const struct seccomp_condition *c, uint64_t opened)
{
	return (c->cap < 0 || (opened >> c->cap & 1) != 0) && (opened & c->needs) == c->needs
	       && (opened & c->lacks) == 0;
}

extern const struct seccomp_group seccomp_groups[];
extern const struct seccomp_condition seccomp_conditions[];
extern const struct seccomp_row seccomp_refused[]; // what people ask for, and why it is not there
extern const char seccomp_init_calls[]; // of the runtime's last steps and of pinfold-inside init

// ---- seccomp.c

// The default filter, with what goes with the capabilities (1 << CAP_…) and SECCOMP_… bits. Whatever it does not list
// fails with EPERM. New reference, NULL when memory is out.
json_t *seccomp_default(uint64_t caps);
// The same as text, which is made in a tenth of the time. New string, NULL when memory is out.
char *seccomp_default_text(uint64_t caps);

// The profile's calls under the conditions of `base`, and what pinfold's init needs. Fails when the
// profile allows what base refuses. what: the profile's name in messages.
int seccomp_narrow(
	const json_t *profile, const json_t *base, const char *what, json_t **ret, struct err *err
);

// The names of calls that profile lets through and base does not, or only under conditions. New
// reference to an array of strings.
json_t *seccomp_beyond(const json_t *profile, const json_t *base);

// Fails when the profile refuses a call without which no container starts.
int seccomp_check_init(const json_t *profile, const char *what, struct err *err);

// Name → array of the "args" under which a call is let through; null among them: whatever they are. New
// reference.
json_t *seccomp_open_calls(const json_t *filter);

// How many calls a filter lets through, conditions aside.
unsigned seccomp_count(const json_t *filter);

// The filter with every call that it lets through answered by a listener on a Unix socket instead.
json_t *seccomp_notifying(const json_t *filter, const char *socket_path);

// A filter that allows these calls (an array of names) and the lines of seccomp_conditions that are
// marked (NULL: none): what a recording is written as.
json_t *seccomp_of_calls(const json_t *names, const bool *conditions);

// ---- seccomp_file.c

// An OCI linux.seccomp object, strictly: known keys, known calls, no other architecture, a default that
// refuses, no listener. *ret is a new object with every member spelt out.
int seccomp_check(const json_t *doc, const char *what, json_t **ret, struct err *err);

// Reads FILE (absolute). trusted: it must belong to root and be writable for nobody else. image: a
// directory that it must not lie in, or NULL.
int seccomp_read(const char *path, bool trusted, const char *image, json_t **ret, struct err *err);

// ---- seccomp_print.c: the table for people

json_t *seccomp_table_to_json(uint64_t caps);
void seccomp_print_text(uint64_t caps, FILE *out);
// The part of docs/seccomp.md between its marks.
void seccomp_print_markdown(FILE *out);
