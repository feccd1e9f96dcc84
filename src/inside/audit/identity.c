// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Who this process is for the kernel.

#include "base/str.h"
#include "grant/caps.h"
#include "inside/audit/audit.h"
#include "inside/files.h"
#include "inside/show.h"

#include <stdio.h>
#include <string.h>

#define STATUS "/proc/self/status"

static void capabilities(const struct audit *a, struct finding *f)
{
	static const struct {
		const char *field, *name;
	} sets[] = {
		{"CapEff", "effective"},
		{"CapPrm", "permitted"},
		{"CapInh", "inheritable"},
		{"CapBnd", "bounding"},
		{"CapAmb", "ambient"},
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		_cleanup_names_ struct names names = capabilities_in(sets[i].field), more = {0};
		struct err err;
		unsigned cap;

		for (size_t k = 0; k < names.n; k++) {
			if (cap_parse(names.v[k] + strlen("CAP_"), &cap, &err) < 0
			    || !cap_has(a->given.caps, cap))
				names_add(&more, names.v[k]);
		}
		if (more.n > 0)
			fail(f, "%s: %s", sets[i].name, name_list(&more, 2));
	}
	if (f->verdict == AUDIT_NONE && a->given.caps != 0)
		pass(f, "all five have what is granted, and no more");
	else if (f->verdict == AUDIT_NONE)
		pass(f, "all five are empty");
}

static void status(const char *field, const char *want, struct finding *f)
{
	char value[64];

	value_of(STATUS, field, value, sizeof(value));
	if (str_eq(value, want))
		pass(f, "%s is %s", field, value);
	else
		fail(f, "%s is %s, not %s", field, value[0] != '\0' ? value : "unknown", want);
}

static void no_new_privs(const struct audit *, struct finding *f)
{
	status("NoNewPrivs", "1", f);
}

static void seccomp(const struct audit *, struct finding *f)
{
	status("Seccomp", "2", f); // 2: a filter
}

// Of the ids here, where do they lead in the namespace above?
static void map(const char *what, const char *path, struct finding *f)
{
	FILE *file = fopen(path, "re");
	unsigned long long inside, outside, count;
	unsigned lines = 0;

	while (file != NULL && fscanf(file, "%llu %llu %llu", &inside, &outside, &count) == 3) {
		if (outside == 0)
			fail(f,
			     "%s %llu is %s 0 outside%s",
			     what,
			     inside,
			     what,
			     count == 4294967295ULL ? ": there is no user namespace" : "");
		else if (lines == 0)
			pass(f, "%s %llu is %llu outside", what, inside, outside);
		lines++;
	}
	if (file != NULL)
		fclose(file);
	if (lines == 0)
		fail(f, "%s cannot be read", path);
}

static void ids(const struct audit *, struct finding *f)
{
	map("user", "/proc/self/uid_map", f);
	map("group", "/proc/self/gid_map", f);
}

const struct property audit_identity[] = {
	{"capabilities", "read its capability sets", capabilities},
	{"no-new-privs", "read whether a program can gain privileges", no_new_privs},
	{"seccomp", "read whether system calls are filtered", seccomp},
	{"user", "read who its users and groups are outside", ids},
	{0},
};
