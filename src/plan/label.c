// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Labels of SELinux. What is mounted for a container has the label of the container's own mounts, or its policy
// lets it have none of it: context= of mount(8).

#include "base/scope.h"
#include "plan/make.h"

#include <string.h>

// As engines have it for the files of a container whose processes have that label.
static char *files_of(const char *label)
{
	size_t user = strcspn(label, ":");
	const char *level = label;

	for (int i = 0; i < 3 && level != NULL; i++) {
		level = strchr(level, ':');
		level += level != NULL;
	}
	return str_printf(
		"%.*s:object_r:container_file_t%s%s",
		(int)user,
		label,
		level != NULL ? ":" : "",
		level != NULL ? level : ""
	);
}

static int own_label(struct plan *p, struct err *err)
{
	const char *label = p->launch->label;

	if (!p->host->selinux)
		return err_set(
			err,
			ENOTSUP,
			"--security-label %s: SELinux has no policy on this host; leave the option "
			"out",
			label
		);
	p->mount_label = files_of(label);
	if (p->mount_label == NULL)
		return err_oom(err);
	plan_note(p, "SELinux: processes are %s, its mounts %s", label, p->mount_label);
	return 0;
}

int plan_label(struct plan *p, struct err *err)
{
	const json_t *system = json_object_get(p->launch->spec, "linux");
	const char *label = json_string_value(json_object_get(system, "mountLabel"));

	if (p->launch->label != NULL)
		return own_label(p, err);
	// without SELinux runtimes pass it over too
	if (label == NULL || label[0] == '\0' || !p->host->selinux)
		return 0;
	if (!launch_is_label(label, 1))
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
