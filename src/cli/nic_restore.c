// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic restore.

#include "cli/nic.h"

#include "apply/nic_persist.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/nic_work.h"
#include "host/nic.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct noted {
	char *bdf, *driver;
	struct nic_persist how;
	const struct host_pci *nic; // NULL: there is none now
};

struct notes {
	struct noted *all;
	unsigned n;
};

static void notes_done(struct notes *t)
{
	for (unsigned i = 0; i < t->n; i++) {
		free(t->all[i].bdf);
		free(t->all[i].driver);
	}
	free(t->all);
}

static int note(
	struct notes *t, const struct host *host, int dir, const char *file, struct err *err
)
{
	_cleanup_free_ char *driver = NULL;
	struct nic_persist how;
	struct noted *more;

	if (!str_starts(file, "pci-") || fs_read(dir, file, 64, &driver, NULL) < 0)
		return 0;
	driver[strcspn(driver, "\n")] = '\0';
	// driverctl's own: other drivers, other devices
	if (!host_nic_for_programs(driver))
		return 0;
	if (nic_persist_how(file + strlen("pci-"), &how, err) < 0)
		return -err->code;
	more = reallocarray(t->all, t->n + 1, sizeof(*more));
	if (more == NULL)
		return err_oom(err);
	t->all = more;
	more[t->n] = (struct noted){.bdf = strdup(file + strlen("pci-")), .how = how};
	if (more[t->n].bdf == NULL)
		return err_oom(err);
	more[t->n].nic = host_pci(host, more[t->n].bdf);
	more[t->n++].driver = steal_ptr(driver);
	return 0;
}

// What shares an IOMMU group is bound to VFIO in one command, or by none.
static bool together(const struct noted *a, const struct noted *b)
{
	return a == b
	       || (a->nic != NULL && b->nic != NULL && a->nic->iommu_group >= 0
		   && a->nic->iommu_group == b->nic->iommu_group && str_eq(a->driver, "vfio-pci")
		   && str_eq(b->driver, "vfio-pci"));
}

// Those of the t->n that go with the first of them. One that cannot be had does not keep the others.
static int restore_some(struct nic_bind *w, struct notes *t, unsigned first, struct err *err)
{
	char *names[GRANT_NICS + 1] = {NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < first; i++) {
		if (together(&t->all[i], &t->all[first]))
			return 0; // done
	}
	if (t->all[first].nic == NULL)
		return err_set(
			err,
			ENODEV,
			"NIC %s is not there, and '" NIC_PERSIST_DIR "/pci-%s' has it bound at "
			"each boot; if it does not come back: pinfold nic unbind --persist %s",
			t->all[first].bdf,
			t->all[first].bdf,
			t->all[first].bdf
		);
	w->wish = (struct nic_wish){
		.driver = t->all[first].driver,
		.unsafe_noiommu = t->all[first].how.unsafe_noiommu, // without a group, so by itself
		.early = true};
	for (unsigned i = first; i < t->n && n < GRANT_NICS; i++) {
		if (!together(&t->all[i], &t->all[first]))
			continue;
		if (t->all[i].how.force)
			w->wish.forced |= UINT64_C(1) << n;
		names[n++] = t->all[i].bdf;
	}
	return nic_bind_them(w, names, err);
}

static int restore_all(struct nic_bind *w, struct err *err)
{
	_cleanup_close_ int dir = open(NIC_PERSIST_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = dir >= 0 ? dir_open(dir, ".", 0) : NULL;
	struct notes t = {0};
	struct dirent *e;
	int r = 0;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		if (note(&t, &w->host, dir, e->d_name, err) < 0) {
			cli_fail(err);
			r = -err->code;
		}
	}
	for (unsigned i = 0; i < t.n; i++) {
		if (restore_some(w, &t, i, err) < 0) {
			cli_fail(err);
			r = -err->code;
		}
	}
	notes_done(&t);
	return r;
}

int cmd_nic_restore(int argc, char **argv)
{
	struct nic_bind w = {0};
	struct err err;
	int vfs, r = cli_simple_options(
			 argc,
			 argv,
			 "Usage: pinfold nic restore\n"
			 "Makes the VFs and binds the NICs that nic vfs --persist and nic bind "
			 "--persist (or\n"
			 "driverctl) have noted, after a reboot.",
			 NULL,
			 &err
		 );

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	// a VF that is to be bound has to be there
	vfs = nic_vfs_restore();
	r = nic_work_open(nic_bind_work(&w), &err);
	if (r < 0)
		cli_fail(&err);
	else
		r = restore_all(&w, &err);
	nic_work_close(nic_bind_work(&w));
	return r < 0 ? STATUS_FAILED : vfs;
}
