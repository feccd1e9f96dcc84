// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Labels of SELinux. What is mounted for a container has the label of the container's own mounts, or its policy
// lets it have none of it: context= of mount(8).

#include "base/scope.h"
#include "plan/make.h"

#include <string.h>

#define LABEL_MAX 255

// A quote in it would end the option, and begin others.
static bool is_label(const char *s)
{
	static const char known[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:,-";

	return strlen(s) <= LABEL_MAX && strspn(s, known) == strlen(s);
}

int plan_label(struct plan *p, struct err *err)
{
	const json_t *system = json_object_get(p->launch->spec, "linux");
	const char *label = json_string_value(json_object_get(system, "mountLabel"));

	// without SELinux runtimes pass it over too
	if (label == NULL || label[0] == '\0' || !p->host->selinux)
		return 0;
	if (!is_label(label))
		return err_set(
			err, EINVAL, "read config.json: linux.mountLabel '%.64s' is no label", label
		);
	p->mount_label = strdup(label);
	return p->mount_label != NULL ? 0 : err_oom(err);
}

char *plan_labelled(const struct plan *p, enum step_kind kind, char *options)
{
	char *more;

	if (p->mount_label == NULL || options == NULL
	    || (kind != STEP_TMPFS && kind != STEP_HUGETLBFS && kind != STEP_OVERLAY))
		return options;
	more = str_printf("%s,context=\"%s\"", options, p->mount_label);
	free(options);
	return more;
}
