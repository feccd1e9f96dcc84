// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic bind, unbind and restore.

#include "cli/nic.h"

#include "apply/apply.h"
#include "apply/nic_persist.h"
#include "base/dir.h"
#include "base/fs.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/nic_work.h"
#include "grant/nic_use.h"
#include "host/nic.h"
#include "plan/nic.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char bind_usage[] =
	"Usage: pinfold nic bind [--driver NAME] [--persist] [--force] [--dry-run] NIC...\n"
	"\n"
	"Binds NICs, named by PCI address or interface, to a driver for programs.\n"
	"\n"
	"  --driver NAME      vfio-pci (default), uio_pci_generic or igb_uio\n"
	"  --persist          also after a reboot\n"
	"  --force            though the host has an address on it or is reached through it\n"
	"  --unsafe-noiommu   to vfio-pci without an IOMMU: the program can then read and write\n"
	"                     all of the host's memory\n"
	"  --dry-run          show the steps, and change nothing\n"
	"  -h, --help         this text\n";

static const char unbind_usage[] = "Usage: pinfold nic unbind [--persist] [--dry-run] NIC...\n"
				   "\n"
				   "Gives NICs back to the drivers they had.\n"
				   "\n"
				   "  --persist   forget that it is to be bound after a reboot\n"
				   "  --dry-run   show the steps, and change nothing\n"
				   "  -h, --help  this text\n";

struct work {
	struct nic_work;
	struct nic_wish wish;
	bool persist, force;
};

static struct nic_work *machine(struct work *w)
{
	return (struct nic_work *)w;
}

static int find_all(struct work *w, char **names, struct err *err)
{
	struct nic_wish *wish = &w->wish;

	for (; *names != NULL; names++) {
		const struct host_pci *p = nic_find(&w->host, *names, err);

		if (p == NULL)
			return -err->code;
		for (unsigned i = 0; i < wish->n; i++) {
			if (wish->nics[i] == p)
				return err_set(err, EINVAL, "NIC %s is named twice", p->bdf);
		}
		if (wish->n == GRANT_NICS)
			return err_set(err, E2BIG, "NICs: more than %d", GRANT_NICS);
		wish->nics[wish->n++] = p;
	}
	return 0;
}

// A command that does something with the NICs that are named.
static int with_nics(
	int argc,
	char **argv,
	const struct option_row *rows,
	const char *usage,
	struct work *w,
	int (*run)(struct work *w, char **names, struct err *err)
)
{
	struct err err;
	int r = cli_options(argc, argv, rows, usage, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind == argc)
		return cli_refuse("nic %s: which NIC? see pinfold nic list", argv[0]);
	w->wish.forced = w->force ? UINT64_MAX : 0;
	r = nic_work_open(machine(w), &err);
	if (r == 0)
		r = run(w, argv + optind, &err);
	nic_work_close(machine(w));
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

// ---- bind

static int bind_them(struct work *w, char **names, struct err *err)
{
	const struct nic_wish *wish = &w->wish;

	if (find_all(w, names, err) < 0 || nic_check(wish, &w->host, &w->fs, &w->others, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < wish->n; i++) {
		if (wish->nics[i]->iommu_group < 0 && str_eq(wish->driver, "vfio-pci"))
			fprintf(stderr,
				"pinfold: WARNING: no IOMMU confines NIC %s: its program can read "
				"and write all of this host's memory\n",
				wish->nics[i]->bdf);
	}
	if (!w->dry)
		return nics_bind(&w->ledger, &w->host, wish, w->persist, err);
	for (unsigned i = 0; i < wish->n; i++) {
		struct plan p = {0};

		if (str_eq(wish->nics[i]->driver, wish->driver))
			continue;
		plan_nic_bind(&p, wish->nics[i], wish->driver, wish->unsafe_noiommu);
		if (nic_work_show(&p, err) < 0)
			return -err->code;
	}
	return 0;
}

int cmd_nic_bind(int argc, char **argv)
{
	struct work w = {.wish.driver = "vfio-pci"};
	const struct option_row rows[] = {
		{"driver", .text = &w.wish.driver},
		{"dry-run", .flag = &w.dry},
		{"force", .flag = &w.force},
		{"help", 'h'},
		{"persist", .flag = &w.persist},
		{"unsafe-noiommu", .flag = &w.wish.unsafe_noiommu},
		{0},
	};

	return with_nics(argc, argv, rows, bind_usage, &w, bind_them);
}

// ---- unbind

// What is known of how it was; of one that somebody else has bound, that the kernel may choose.
static int former(
	const struct work *w, const struct host_pci *nic, struct binding *ret, struct err *err
)
{
	int r = binding_read(&w->ledger, nic->bdf, ret, err);

	if (r != -ENOENT)
		return r;
	if (!host_nic_for_programs(nic->driver))
		return err_set(
			err,
			EINVAL,
			"NIC %s is not bound to a driver for programs, but to %s",
			nic->bdf,
			nic->driver[0] != '\0' ? nic->driver : "none"
		);
	*ret = (struct binding){.kept = true, .probe = true};
	strcpy(ret->bdf, nic->bdf);
	strcpy(ret->driver, nic->driver);
	strcpy(ret->boot_id, w->host.boot_id);
	return 0;
}

static int unbind_one(struct work *w, const struct host_pci *nic, struct err *err)
{
	struct plan p = {0};
	struct binding b;

	if (former(w, nic, &b, err) < 0 || nic_check_idle(nic, "NIC", &w->others, err) < 0
	    || host_nic_check_vfs(nic, err) < 0)
		return -err->code;
	if (w->dry) {
		plan_nic_return(&p, nic, &b);
		return nic_work_show(&p, err);
	}
	// first: who is killed has not said that it is to be bound at the next boot
	if ((w->persist && nic_forget(nic->bdf, err) < 0) || nic_return(&w->ledger, &b, err) < 0)
		return -err->code;
	if (nic_persists(nic->bdf))
		fprintf(stderr,
			"pinfold: NIC %s is bound again at the next boot; --persist forgets that\n",
			nic->bdf);
	return 0;
}

static int unbind_them(struct work *w, char **names, struct err *err)
{
	int r = find_all(w, names, err);

	for (unsigned i = 0; r == 0 && i < w->wish.n; i++)
		r = unbind_one(w, w->wish.nics[i], err);
	return r;
}

int cmd_nic_unbind(int argc, char **argv)
{
	struct work w = {0};
	const struct option_row rows[] = {
		{"dry-run", .flag = &w.dry},
		{"help", 'h'},
		{"persist", .flag = &w.persist},
		{0},
	};

	return with_nics(argc, argv, rows, unbind_usage, &w, unbind_them);
}

// ---- restore

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
static int restore_some(struct work *w, struct notes *t, unsigned first, struct err *err)
{
	char *names[GRANT_NICS + 1] = {NULL};
	unsigned n = 0;

	for (unsigned i = 0; i < first; i++) {
		if (together(&t->all[i], &t->all[first]))
			return 0; // done
	}
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
	return bind_them(w, names, err);
}

static int restore_all(struct work *w, struct err *err)
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
	struct work w = {0};
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
	r = nic_work_open(machine(&w), &err);
	if (r < 0)
		cli_fail(&err);
	else
		r = restore_all(&w, &err);
	nic_work_close(machine(&w));
	return r < 0 ? STATUS_FAILED : vfs;
}
