// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// VFs (SR-IOV) that are made, set and taken away. What is to be put back is on disk first.

#include "apply/apply.h"

#include "apply/vf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/write.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "ledger/vf_record.h"
#include "plan/vfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DEVICES "sys/bus/pci/devices"

// ---- files of a PF

static int write_below(int root, const char *path, const char *value, struct err *err)
{
	_cleanup_close_ int fd = fs_open_in(root, path, O_WRONLY | O_TRUNC, 0);

	int r;

	if (fd < 0)
		return err_sys(err, errno, "open '/%s' to write '%s'", path, value);
	r = write_once(fd, value, strlen(value));
	return r < 0 ? err_sys(err, -r, "write '%s' to '/%s'", value, path) : 0;
}

static unsigned number_of_vfs(const struct hostfs *fs, const char *pf)
{
	char path[80];
	uint64_t n = 0;

	snprintf(path, sizeof(path), DEVICES "/%s/sriov_numvfs", pf);
	return hostfs_u64(fs->root, path, &n) == 0 ? (unsigned)n : 0;
}

// Kernels before 4.12 always offer new VFs to drivers, and have no such file.
bool vfs_autoprobe(const struct hostfs *fs, const char *pf)
{
	char path[80];
	uint64_t on = 0;

	snprintf(path, sizeof(path), DEVICES "/%s/sriov_drivers_autoprobe", pf);
	return hostfs_u64(fs->root, path, &on) == 0 && on == 1;
}

static int probe(unsigned, const char *bdf, void *arg, struct err *)
{
	const struct hostfs *fs = arg;
	struct err unused;

	// one that no driver wants is fine
	write_below(fs->root, "sys/bus/pci/drivers_probe", bdf, &unused);
	return 0;
}

static int set_one(const struct hostfs *fs, const char *pf, const char *text, struct err *err)
{
	_cleanup_free_ struct vf_list *list = malloc(sizeof(*list));
	struct vf want;

	if (list == NULL)
		return err_oom(err);
	if (vf_parse(text, &want, err) < 0 || vf_look(fs, pf, list, err) < 0)
		return -err->code;
	return vf_set(list, &want, err);
}

static int take_step(const struct hostfs *fs, const struct step *s, struct err *err)
{
	const char *pf = strrchr(s->path, '/') + 1;

	if (s->kind == STEP_SET)
		return write_below(fs->root, s->path + 1, s->value, err);
	if (s->kind == STEP_VF)
		return set_one(fs, pf, s->value, err);
	return vf_each(fs, pf, probe, (void *)fs, err);
}

int apply_vf(const struct step *s, struct err *err)
{
	struct hostfs fs;
	int r;

	if (hostfs_open("/", &fs, err) < 0)
		return -err->code;
	r = take_step(&fs, s, err);
	hostfs_close(&fs);
	return r;
}

// ---- who has them

// The kernel waits for whoever has one open when it is to go: it must not be tried. One on UIO goes from under him.
static int check_unused(unsigned, const char *bdf, void *arg, struct err *err)
{
	const struct ledger *l = arg;
	struct grant g = {.nnics = 1};
	char path[80], name[64], group[16];
	uint64_t number;

	snprintf(path, sizeof(path), DEVICES "/%s/driver", bdf);
	if (hostfs_link_name(l->fs.root, path, name, sizeof(name)) < 0
	    || !host_nic_for_programs(name))
		return 0;
	strcpy(g.nics[0].bdf, bdf);
	g.nics[0].uio = host_nic_uio(name);
	if (g.nics[0].uio)
		return nics_check_free(l, &g, err);
	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group", bdf);
	if (hostfs_link_name(l->fs.root, path, group, sizeof(group)) < 0
	    || host_parse_u64(group, 10, "", &number) < 0 || number > INT32_MAX)
		return 0;
	g.nics[0].iommu_group = (int)number;
	return nics_check_free(l, &g, err);
}

// ---- putting back

// New VFs are offered to drivers again: what root makes of that from now on is not to be written over.
static int forget_autoprobe(const struct ledger *l, const struct vf_record *r, struct err *err)
{
	_cleanup_free_ struct vf_record *left = malloc(sizeof(*left));

	if (left == NULL)
		return err_oom(err);
	*left = *r;
	left->autoprobe = false;
	return vf_record_write(l, VFS_DIR, left, err);
}

static int unmake(const struct ledger *l, const struct vf_record *r, struct err *err)
{
	unsigned n = number_of_vfs(&l->fs, r->pf);
	char path[80];

	snprintf(path, sizeof(path), DEVICES "/%s/sriov_drivers_autoprobe", r->pf);
	if (r->autoprobe && !vfs_autoprobe(&l->fs, r->pf)
	    && write_below(l->fs.root, path, "1", err) < 0)
		return -err->code;
	if (n == 0)
		return 0;
	if (n != r->made && r->autoprobe && forget_autoprobe(l, r, err) < 0)
		return -err->code;
	if (n != r->made)
		return err_set(
			err,
			EBUSY,
			"it has %u VFs, and %u were being made: somebody else has been there; "
			"take them away with pinfold nic vfs %s 0, or keep them with pinfold nic "
			"vfs %s %u",
			n,
			r->made,
			r->pf,
			r->pf,
			n
		);
	if (vf_each(&l->fs, r->pf, check_unused, (void *)l, err) < 0)
		return -err->code;
	snprintf(path, sizeof(path), DEVICES "/%s/sriov_numvfs", r->pf);
	return write_below(l->fs.root, path, "0", err);
}

static bool exists(const struct hostfs *fs, const char *bdf)
{
	char path[80];

	snprintf(path, sizeof(path), DEVICES "/%s/vendor", bdf);
	return faccessat(fs->root, path, F_OK, 0) == 0;
}

// Until that is done the record stays.
static int give_back(
	const struct ledger *l, const struct vf_record *r, int64_t limit, struct err *err
)
{
	if (exists(&l->fs, r->nic) && exists(&l->fs, r->pf)) {
		if (r->made > 0 && unmake(l, r, err) < 0)
			return err_wrap(err, "NIC %s", r->pf);
		if (r->made == 0 && vfs_put_back(l, r, limit, err) < 0)
			return -err->code;
	}
	return vf_record_remove(l, VFS_DIR, r->nic, err);
}

// ---- nic vfs

// What there is to be put back, from before. Its `vfs` are those that will be set.
static int look_before(
	const struct ledger *l, const struct vfs_wish *w, struct vf_record *r, struct err *err
)
{
	_cleanup_free_ struct vf_list *list = NULL;

	strcpy(r->nic, w->pf->bdf);
	strcpy(r->pf, w->pf->bdf);
	r->autoprobe = vfs_autoprobe(&l->fs, w->pf->bdf);
	hostfs_boot_id(l->fs.root, r->boot_id);
	if (w->count != w->pf->numvfs) {
		r->made = w->count;
		return 0;
	}
	list = malloc(sizeof(*list));
	if (list == NULL)
		return err_oom(err);
	if (vf_look(&l->fs, w->pf->bdf, list, err) < 0)
		return -err->code;
	for (unsigned i = 0; i < w->n; i++) {
		const struct vf *now = vf_find(list, w->set[i].number);

		if (now != NULL)
			r->vfs[r->n++] = *now;
	}
	return 0;
}

int nic_vfs(const struct ledger *l, const struct vfs_wish *w, struct err *err)
{
	_cleanup_free_ struct vf_record *before = calloc(1, sizeof(*before));
	struct plan p = {0};
	struct err failed;
	int r = 0;

	if (before == NULL)
		return err_oom(err);
	// what was half made is meant to stay, or has gone
	if (w->count == w->pf->numvfs && w->n == 0)
		return vf_record_remove(l, VFS_DIR, w->pf->bdf, err);
	if (look_before(l, w, before, err) < 0
	    || vf_each(&l->fs, w->pf->bdf, check_unused, (void *)l, err) < 0)
		return -err->code;
	// to take them away is one step, after which nothing of them is left to be put back
	if (w->count > 0 && vf_record_write(l, VFS_DIR, before, err) < 0)
		return -err->code;
	plan_vfs(&p, w, before->autoprobe);
	r = p.failed ? err_oom(&failed) : 0;
	for (unsigned i = 0; r == 0 && i < p.nsteps; i++)
		r = take_step(&l->fs, &p.steps[i], &failed);
	plan_done(&p);
	if (r == 0)
		return vf_record_remove(l, VFS_DIR, w->pf->bdf, err);
	if (w->count > 0)
		give_back(l, before, clock_ms() + VFS_RESET_MS, err);
	*err = failed;
	return err_wrap(err, "NIC %s", w->pf->bdf);
}

// ---- what was left

int vfs_return(
	const struct ledger *l, const struct grant *g, unsigned milliseconds, struct err *err
)
{
	int64_t limit = clock_ms() + milliseconds;
	_cleanup_free_ struct vf_record *record = malloc(sizeof(*record));
	struct err first = {0};

	if (record == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < g->nnics; i++) {
		int r = vf_record_read(l, VFS_DIR, g->nics[i].bdf, record, err);

		if (r == 0 && str_eq(record->lease, g->name))
			r = give_back(l, record, limit, err);
		if (r < 0 && r != -ENOENT)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}

// Whoever has taken one of them into use since does not know that they were half made. One whose interface is not to be
// seen has it in another network namespace.
static int check_vfs(
	const struct ledger *l, const struct host *host, const char *pf, struct err *err
)
{
	_cleanup_free_ struct vfs_wish *none = calloc(1, sizeof(*none));
	struct holdings others = {0};
	int r = none != NULL ? ledger_holdings(l, NULL, &others, err) : err_oom(err);

	if (r == 0) {
		none->pf = host_pci(host, pf);
		r = none->pf != NULL ? vfs_check(none, host, &others, err)
				     : err_set(err, ENODEV, "it cannot be looked at");
	}
	holdings_done(&others);
	for (unsigned i = 0; r == 0 && i < host->npci; i++) {
		const struct host_pci *p = &host->pci[i];

		if (str_eq(p->physfn, pf) && p->driver[0] != '\0' && p->netdev[0] == '\0'
		    && !host_nic_for_programs(p->driver))
			r = err_set(
				err, EBUSY, "VF %s (%s) has no interface here", p->bdf, p->driver
			);
	}
	return r;
}

static int check_nobodys(const struct ledger *l, const struct vf_record *r, struct err *err)
{
	struct host host = {0};
	struct err why;
	int f = host_read(&l->fs, HOST_PCI, &host, &why);

	if (f == 0)
		f = netdevs_mark(l, &host, &why);
	if (f == 0)
		f = check_vfs(l, &host, r->pf, &why);
	host_done(&host);
	if (f == 0)
		return 0;
	return err_set(
		err,
		why.code,
		"NIC %s: its %u VFs were being made, and may be somebody's by now: %s; keep them "
		"with pinfold nic vfs %s %u",
		r->pf,
		r->made,
		why.msg,
		r->pf,
		r->made
	);
}

struct collection {
	const struct ledger *l;
	const char *boot_id;
	struct err first;
};

// Goes on: one that resists must not keep the others.
static int collect_one(const struct vf_record *r, void *arg, struct err *err)
{
	struct collection *c = arg;
	int f = 0;

	if (!str_eq(r->boot_id, c->boot_id))
		f = vf_record_remove(c->l, VFS_DIR, r->nic, err);
	else if (r->made > 0 && number_of_vfs(&c->l->fs, r->pf) == r->made && check_nobodys(c->l, r, err) < 0)
		f = -err->code;
	else if (r->lease[0] == '\0' || !lease_exists(c->l, r->lease))
		f = give_back(c->l, r, 0, err); // the next collection tries again
	if (f < 0)
		err_keep(&c->first, err);
	return 0;
}

int vfs_collect(const struct ledger *l, struct err *err)
{
	char boot_id[HOST_BOOT_ID];
	struct collection c = {.l = l, .boot_id = boot_id};

	hostfs_boot_id(l->fs.root, boot_id);
	if (boot_id[0] == '\0')
		return 0;
	if (vf_record_each(l, VFS_DIR, collect_one, &c, err) < 0)
		return -err->code;
	vf_record_sweep(l, VFS_DIR);
	return err_first(&c.first, err);
}
