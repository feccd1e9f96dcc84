// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The system calls of a keeper. All that it starts inherits the filter, so that lets through what its
// containers may do, what they and the runtime need to get there, and no more. A container's own filter
// comes on top, and what either refuses is refused.

#include "base/jread.h"
#include "base/scope.h"
#include "keeper/keeper.h"
#include "plan/seccomp.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <seccomp.h>
#include <string.h>

// Of the keeper and of crun, beside what a container may do: namespaces, mounts, the container's filter.
static const char *const more[] = {
	"chroot",      "clone",	    "clone3",	 "execveat",	  "fsconfig",	"fsmount",
	"fsopen",      "fspick",    "mount",	 "mount_setattr", "move_mount", "open_tree",
	"openat2",     "prlimit64", "setrlimit", "pivot_root",	  "seccomp",	"setdomainname",
	"sethostname", "setns",	    "umount2",	 "unshare",
};

static int allow(scmp_filter_ctx ctx, const char *call, unsigned n, const struct scmp_arg_cmp *args)
{
	int number = seccomp_syscall_resolve_name(call), r;

	if (number < 0) // not of this processor, or too new for the library
		return 0;
	r = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, number, n, args);
	// the library takes an argument once a rule; a container's own filter is as it should be
	if (r == -EINVAL && n > 0)
		r = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, number, 0, NULL);
	return r == -EEXIST ? 0 : r;
}

// "SCMP_CMP_EQ" and the like, which a profile has only after a check.
static enum scmp_compare comparison(const char *op)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{"SCMP_CMP_NE", SCMP_CMP_NE},
		{"SCMP_CMP_LT", SCMP_CMP_LT},
		{"SCMP_CMP_LE", SCMP_CMP_LE},
		{"SCMP_CMP_EQ", SCMP_CMP_EQ},
		{"SCMP_CMP_GE", SCMP_CMP_GE},
		{"SCMP_CMP_GT", SCMP_CMP_GT},
		{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};

	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		if (str_eq(ops[i].name, op))
			return ops[i].op;
	}
	return SCMP_CMP_EQ;
}

static int allow_when(scmp_filter_ctx ctx, const char *call, const json_t *args)
{
	struct scmp_arg_cmp list[6];
	const json_t *e;
	size_t i;

	if (json_array_size(args) > ARRAY_LEN(list))
		return -E2BIG;
	json_array_foreach (args, i, e)
		list[i] = (struct scmp_arg_cmp){
			.arg = (unsigned)json_integer_value(json_object_get(e, "index")),
			.op = comparison(json_string_value(json_object_get(e, "op"))),
			.datum_a = (scmp_datum_t)json_integer_value(json_object_get(e, "value")),
			.datum_b = (scmp_datum_t)json_integer_value(json_object_get(e, "valueTwo")),
		};
	return allow(ctx, call, (unsigned)json_array_size(args), list);
}

// What a container's filter lets through.
static int allow_profile(scmp_filter_ctx ctx, const json_t *profile)
{
	_cleanup_json_ json_t *open = seccomp_open_calls(profile);
	const json_t *lines, *args;
	const char *call;
	int r = open != NULL ? 0 : -ENOMEM;
	size_t i;

	json_object_foreach (open, call, lines) {
		json_array_foreach (lines, i, args) {
			if (r == 0)
				r = allow_when(ctx, call, args);
		}
	}
	return r;
}

static int fill_default(scmp_filter_ctx ctx, uint64_t caps)
{
	_cleanup_json_ json_t *base = seccomp_default(caps);

	return base != NULL ? allow_profile(ctx, base) : -ENOMEM;
}

// What a keeper does beside that.
static int fill_more(scmp_filter_ctx ctx, const json_t *profile)
{
	const struct scmp_arg_cmp join = SCMP_A0_32(SCMP_CMP_EQ, KEYCTL_JOIN_SESSION_KEYRING);
	const struct scmp_arg_cmp seal = SCMP_A1_32(SCMP_CMP_EQ, F_ADD_SEALS);
	int r = allow_profile(ctx, profile);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(more); i++)
		r = allow(ctx, more[i], 0, NULL);
	if (r == 0) // of an empty input, and of the runtime's copy of itself
		r = allow(ctx, "fcntl", 1, &seal);
	if (r == 0) // the runtime gives each container a keyring
		r = allow(ctx, "keyctl", 1, &join);
	return r;
}

static int confine(uint64_t caps, bool keeper, const json_t *profile, struct err *err)
{
	// as if the kernel did not have them: a runtime does without then
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = ctx != NULL ? 0 : -ENOMEM;

	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	// as the runtime does for a container's: older kernels would slow all its memory down
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	if (r == 0)
		r = fill_default(ctx, caps);
	if (r == 0 && keeper)
		r = fill_more(ctx, profile);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_sys(err, -r, "set the filter of system calls") : 0;
}

int keeper_filter(uint64_t caps, const json_t *profile, struct err *err)
{
	return confine(caps, true, profile, err);
}

int keeper_filter_alone(struct err *err)
{
	return confine(0, false, NULL, err);
}
