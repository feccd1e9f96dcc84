// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic bind and unbind.

#include "cli/nic.h"

#include "apply/apply.h"
#include "apply/nic_persist.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/nic_work.h"
#include "grant/nic_use.h"
#include "host/nic.h"
#include "plan/nic.h"

#include <getopt.h>
#include <stdio.h>
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

static int find_all(struct nic_bind *w, char **names, struct err *err)
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
	struct nic_bind *w,
	int (*run)(struct nic_bind *w, char **names, struct err *err)
)
{
	struct err err;
	int r = cli_options(argc, argv, rows, usage, &err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	if (optind == argc)
		return cli_refuse("nic %s: which NIC? see pinfold nic list", argv[0]);
	w->wish.forced = w->force ? UINT64_MAX : 0;
	r = nic_work_open(nic_bind_work(w), &err);
	if (r == 0)
		r = run(w, argv + optind, &err);
	nic_work_close(nic_bind_work(w));
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

// ---- bind

int nic_bind_them(struct nic_bind *w, char **names, struct err *err)
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
	struct nic_bind w = {.wish.driver = "vfio-pci"};
	const struct option_row rows[] = {
		{"driver", .text = &w.wish.driver},
		{"dry-run", .flag = &w.dry},
		{"force", .flag = &w.force},
		{"help", 'h'},
		{"persist", .flag = &w.persist},
		{"unsafe-noiommu", .flag = &w.wish.unsafe_noiommu},
		{0},
	};

	return with_nics(argc, argv, rows, bind_usage, &w, nic_bind_them);
}

// ---- unbind

// What is known of how it was; of one that somebody else has bound, that the kernel may choose.
static int former(
	const struct nic_bind *w, const struct host_pci *nic, struct binding *ret, struct err *err
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

static int forget(const struct nic_bind *w, const char *bdf, const char *how, struct err *err)
{
	if (!w->dry && nic_forget(bdf, err) < 0)
		return -err->code;
	fprintf(stderr,
		"pinfold: NIC %s %s; that it is to be bound at the next boot is forgotten\n",
		bdf,
		how);
	return 0;
}

// One that was taken out, or has another address by now. 1: it was noted, and is not any more.
static int forget_absent(const struct nic_bind *w, const char *name, struct err *err)
{
	char bdf[16];

	if (!w->persist || !w->fs.real || !host_bdf(name, bdf) || host_pci(&w->host, bdf) != NULL
	    || !nic_persists(bdf))
		return 0;
	return forget(w, bdf, "is not there", err) < 0 ? -err->code : 1;
}

// What nic restore could not bind.
static bool is_only_noted(const struct nic_bind *w, const struct host_pci *nic)
{
	struct binding b;
	struct err unused;

	return w->persist && w->fs.real && !host_nic_for_programs(nic->driver)
	       && nic_persists(nic->bdf)
	       && binding_read(&w->ledger, nic->bdf, &b, &unused) == -ENOENT;
}

static int unbind_one(struct nic_bind *w, const struct host_pci *nic, struct err *err)
{
	struct plan p = {0};
	struct binding b;

	if (is_only_noted(w, nic))
		return forget(w, nic->bdf, "is not bound", err);
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

static int unbind_them(struct nic_bind *w, char **names, struct err *err)
{
	unsigned n = 0;
	int r = 0;

	for (unsigned i = 0; names[i] != NULL; i++) {
		r = forget_absent(w, names[i], err);
		if (r < 0)
			return r;
		if (r == 0)
			names[n++] = names[i];
	}
	names[n] = NULL;
	r = find_all(w, names, err);
	for (unsigned i = 0; r == 0 && i < w->wish.n; i++)
		r = unbind_one(w, w->wish.nics[i], err);
	return r;
}

int cmd_nic_unbind(int argc, char **argv)
{
	struct nic_bind w = {0};
	const struct option_row rows[] = {
		{"dry-run", .flag = &w.dry},
		{"help", 'h'},
		{"persist", .flag = &w.persist},
		{0},
	};

	return with_nics(argc, argv, rows, unbind_usage, &w, unbind_them);
}
