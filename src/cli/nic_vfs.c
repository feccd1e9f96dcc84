// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic vfs, and what of it outlives a boot: a file for each PF in /etc/pinfold/vfs.d.

#include "cli/nic.h"

#include "apply/apply.h"
#include "base/options.h"
#include "base/scope.h"
#include "cli/cli.h"
#include "cli/nic_work.h"
#include "host/hostfs.h"
#include "ledger/vf_record.h"
#include "plan/nic.h"
#include "plan/vfs.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"Usage: pinfold nic vfs [OPTION...] PF N\n"
	"\n"
	"Makes N virtual functions (SR-IOV) of a NIC, named by PCI address or interface, and\n"
	"sets them; with 0 takes them away. When it has as many already they are only set.\n"
	"VF is a number from 0 on; without it all of them are meant.\n"
	"\n"
	"  --mac VF=ADDRESS           its MAC address\n"
	"  --vlan [VF=]ID             its VLAN, which it does not see; 0: none\n"
	"  --spoof-check [VF=]on|off  it sends from its own MAC address alone\n"
	"  --trust [VF=]on|off        it may set its MAC address and be promiscuous\n"
	"  --persist                  also after a reboot; with 0: no more\n"
	"  --force                    take away those that the host uses, or a grant names\n"
	"  --dry-run                  show the steps, and change nothing\n"
	"  -h, --help                 this text\n";

// As it is said, before it is known how many there are.
struct said {
	bool all;
	struct vf vf;
};

struct work {
	struct nic_work;
	struct vfs_wish wish;
	bool persist;
	unsigned n;
	struct said said[2 * VFS_MAX];
};

static struct nic_work *machine(struct work *w)
{
	return (struct nic_work *)w;
}

// "3=02:00:00:00:00:01"
static int say(const struct option_row *o, const char *text, struct err *err)
{
	struct work *w = o->to;
	const char *key = o->name;
	struct said s = {.vf = NO_VF};
	const char *value = strchr(text, '=');
	char number[8] = "", word[VF_STR];
	uint64_t vf;

	if (value != NULL)
		snprintf(number, sizeof(number), "%.*s", (int)(value - text), text);
	s.all = value == NULL;
	if (s.all && str_eq(key, "mac"))
		return err_set(
			err, EINVAL, "--mac '%.32s': of which VF? as 0=02:00:00:00:00:01", text
		);
	if (!s.all && (host_parse_u64(number, 10, "", &vf) < 0 || vf >= VFS_MAX))
		return err_set(
			err,
			EINVAL,
			"--%s '%.32s': '%s' is no number of a VF, from 0 to %d",
			key,
			text,
			number,
			VFS_MAX - 1
		);
	s.vf.number = s.all ? 0 : (unsigned)vf;
	snprintf(word, sizeof(word), "%s=%.64s", key, s.all ? text : value + 1);
	if (vf_parse_word(word, &s.vf, err) < 0)
		return err_wrap(err, "--%s '%.32s'", key, text);
	if (w->n == ARRAY_LEN(w->said))
		return err_set(err, E2BIG, "--%s: too many settings of VFs", key);
	w->said[w->n++] = s;
	return 0;
}

static int parse_count(struct work *w, const char *text, struct err *err)
{
	uint64_t n;

	if (host_parse_u64(text, 10, "", &n) < 0 || n > VFS_MAX)
		return err_set(
			err,
			EINVAL,
			"nic vfs: '%.32s' is no number of VFs, from 0 to %d",
			text,
			VFS_MAX
		);
	w->wish.count = (unsigned)n;
	return 0;
}

static int parse(int argc, char **argv, struct work *w, struct err *err)
{
	const struct option_row rows[] = {
		{"dry-run", .flag = &w->dry},
		{"force", .flag = &w->wish.force},
		{"help", 'h'},
		{"mac", .take = say, .to = w},
		{"persist", .flag = &w->persist},
		{"spoof-check", .take = say, .to = w},
		{"trust", .take = say, .to = w},
		{"vlan", .take = say, .to = w},
		{0},
	};
	int r = cli_options(argc, argv, rows, usage, err);

	if (r != 0)
		return r;
	if (optind != argc - 2)
		return err_set(
			err, EINVAL, "nic vfs: say a NIC and how many VFs, as nic vfs eth1 4"
		);
	return parse_count(w, argv[optind + 1], err);
}

// ---- what was said, for each VF

static void merge(struct vf *to, const struct vf *from)
{
	if (from->has_mac) {
		to->has_mac = true;
		memcpy(to->mac, from->mac, sizeof(to->mac));
	}
	if (from->vlan >= 0)
		to->vlan = from->vlan;
	if (from->spoof_check >= 0)
		to->spoof_check = from->spoof_check;
	if (from->trust >= 0)
		to->trust = from->trust;
}

// What is said of one goes before what is said of all.
static int settle(struct work *w, struct err *err)
{
	struct vfs_wish *wish = &w->wish;

	for (unsigned i = 0; i < w->n; i++) {
		if (!w->said[i].all && w->said[i].vf.number >= wish->count)
			return err_set(
				err,
				ERANGE,
				"NIC %s: VF %u is to be set, and the first is 0 and %u are wanted",
				wish->pf->bdf,
				w->said[i].vf.number,
				wish->count
			);
	}
	for (unsigned number = 0; w->n > 0 && number < wish->count; number++) {
		struct vf *vf = &wish->set[wish->n];
		bool any = false;

		*vf = NO_VF;
		vf->number = number;
		for (unsigned one = 0; one < 2; one++) {
			for (unsigned i = 0; i < w->n; i++) {
				const struct said *s = &w->said[i];

				if (s->all == (one == 1) || (!s->all && s->vf.number != number))
					continue;
				merge(vf, &s->vf);
				any = true;
			}
		}
		wish->n += any;
	}
	return 0;
}

// ---- after a reboot

static int persist(const struct work *w, struct err *err)
{
	_cleanup_free_ struct vf_record *r = calloc(1, sizeof(*r));
	const struct vfs_wish *wish = &w->wish;

	if (r == NULL)
		return err_oom(err);
	if (wish->count == 0)
		return vf_record_remove(&w->ledger, VFS_KEPT, wish->pf->bdf, err);
	strcpy(r->nic, wish->pf->bdf);
	strcpy(r->pf, wish->pf->bdf);
	r->made = wish->count;
	r->n = wish->n;
	memcpy(r->vfs, wish->set, wish->n * sizeof(r->vfs[0]));
	return vf_record_write(&w->ledger, VFS_KEPT, r, err);
}

static void warn_of_next_boot(const struct work *w)
{
	_cleanup_free_ struct vf_record *r = malloc(sizeof(*r));
	struct err unused;

	if (r != NULL && w->wish.count == 0 && !w->persist
	    && vf_record_read(&w->ledger, VFS_KEPT, w->wish.pf->bdf, r, &unused) == 0)
		fprintf(stderr,
			"pinfold: NIC %s has VFs again at the next boot; --persist forgets that\n",
			w->wish.pf->bdf);
}

// Of one that was taken out, or is another card's address by now. 1: it was kept, and is not any more.
static int forget_absent(const struct work *w, const char *name, struct err *err)
{
	_cleanup_free_ struct vf_record *r = malloc(sizeof(*r));
	const struct host_pci *pf = host_nic_called(&w->host, name);
	struct err unused;
	char bdf[16];

	if (r == NULL)
		return err_oom(err);
	// one that cannot be read is to go, too
	if (!w->persist || w->wish.count > 0 || (pf != NULL && pf->totalvfs > 0)
	    || !host_bdf(pf != NULL ? pf->bdf : name, bdf)
	    || vf_record_read(&w->ledger, VFS_KEPT, bdf, r, &unused) == -ENOENT)
		return 0;
	if (!w->dry && vf_record_remove(&w->ledger, VFS_KEPT, bdf, err) < 0)
		return -err->code;
	fprintf(stderr,
		"pinfold: NIC %s %s; that VFs of it are to be made at the next boot is forgotten\n",
		bdf,
		pf == NULL ? "is not there" : "has no VFs");
	return 1;
}

// ---- the command

static int run(struct work *w, struct err *err)
{
	struct plan p = {0};

	if (vfs_check(&w->wish, &w->host, &w->others, err) < 0)
		return -err->code;
	if (w->dry) {
		plan_vfs(&p, &w->wish, vfs_autoprobe(&w->fs, w->wish.pf->bdf));
		return nic_work_show(&p, err);
	}
	if (nic_vfs(&w->ledger, &w->wish, err) < 0 || (w->persist && persist(w, err) < 0))
		return -err->code;
	warn_of_next_boot(w);
	return 0;
}

int cmd_nic_vfs(int argc, char **argv)
{
	_cleanup_free_ struct work *w = calloc(1, sizeof(*w));
	struct err err;
	int r = w != NULL ? parse(argc, argv, w, &err) : err_oom(&err);

	if (r != 0)
		return r < 0 ? cli_fail(&err) : STATUS_OK;
	r = nic_work_open(machine(w), &err);
	if (r == 0)
		r = forget_absent(w, argv[optind], &err);
	if (r == 0) {
		w->wish.pf = nic_find(&w->host, argv[optind], &err);
		r = w->wish.pf != NULL ? settle(w, &err) : -err.code;
	}
	if (r == 0)
		r = run(w, &err);
	nic_work_close(machine(w));
	return r < 0 ? cli_fail(&err) : STATUS_OK;
}

// One that cannot be had does not keep the others.
static int restore_one(const struct vf_record *r, void *arg, struct err *err)
{
	struct work *w = arg;

	w->wish = (struct vfs_wish){.count = r->made, .n = r->n};
	memcpy(w->wish.set, r->vfs, r->n * sizeof(r->vfs[0]));
	w->wish.pf = host_pci(&w->host, r->nic);
	if (w->wish.pf == NULL)
		err_set(err,
			ENODEV,
			"NIC %s is not there, and '" VFS_KEPT
			"/%s.json' has VFs of it made at each "
			"boot; if it does not come back: pinfold nic vfs --persist %s 0",
			r->nic,
			r->nic,
			r->nic);
	if (w->wish.pf == NULL || run(w, err) < 0) {
		cli_fail(err);
		w->n++;
	}
	return 0;
}

int nic_vfs_restore(void)
{
	_cleanup_free_ struct work *w = calloc(1, sizeof(*w));
	struct err err;
	int r = w != NULL ? nic_work_open(machine(w), &err) : err_oom(&err);
	bool all;

	if (r == 0)
		r = vf_record_each(&w->ledger, VFS_KEPT, restore_one, w, &err);
	all = w != NULL && w->n == 0;
	if (w != NULL)
		nic_work_close(machine(w));
	return r < 0 ? cli_fail(&err) : all ? STATUS_OK : STATUS_FAILED;
}
