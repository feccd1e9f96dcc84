// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs that somebody uses. A descriptor outlives the lease that opened it where it was passed on, as memory does;
// no cgroup counts it. The kernel gives a VFIO group to one at a time; UIO it gives to any number, so all descriptors
// of the machine are looked at.

#include "apply/apply.h"
#include "apply/rdma.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/rdma.h"
#include "host/uio.h"
#include "host/vfio.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 4 // by their addresses; of more the number is told

_Static_assert(GRANT_NICS <= 64, "a bit for each");

static bool is_in(uint64_t nics, unsigned i)
{
	return (nics & UINT64_C(1) << i) != 0;
}

static unsigned uio_of(
	const struct grant *g,
	uint64_t nics,
	const char *bdfs[static GRANT_NICS],
	unsigned which[static GRANT_NICS]
)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->nnics; i++) {
		if (!g->nics[i].uio || !is_in(nics, i))
			continue;
		which[n] = i;
		bdfs[n++] = g->nics[i].bdf;
	}
	return n;
}

static bool seen(unsigned nic, int, void *arg)
{
	*(uint64_t *)arg |= UINT64_C(1) << nic;
	return true;
}

// One look for all of them. What there was no time for is in use.
static int uio_in_use(
	const struct hostfs *fs, const struct grant *g, uint64_t *nics, struct err *err
)
{
	const char *bdfs[GRANT_NICS];
	unsigned which[GRANT_NICS], n = uio_of(g, UINT64_MAX, bdfs, which);
	uint64_t used = 0;
	int r = n > 0 ? host_uio_users(fs, bdfs, n, seen, &used, err) : 0;

	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		if (r > 0 || is_in(used, i))
			*nics |= UINT64_C(1) << which[i];
	}
	return 0;
}

int nics_in_use(const struct hostfs *fs, const struct grant *g, uint64_t *ret, struct err *err)
{
	uint64_t nics = 0;

	for (unsigned i = 0; i < g->nnics; i++) {
		bool vfio = g->nics[i].iommu_group >= 0;
		int r = vfio ? host_vfio_in_use(fs, g->nics[i].iommu_group, err) : 0;

		if (r < 0)
			return r;
		if (r > 0)
			nics |= UINT64_C(1) << i;
	}
	if (uio_in_use(fs, g, &nics, err) < 0)
		return -err->code;
	*ret = nics;
	return 0;
}

int nics_held(const struct hostfs *fs, const struct lease *lease, uint64_t *ret, struct err *err)
{
	struct grant g = lease->grant;

	for (unsigned i = 0; lease->site.place == PLACE_GIVEN && i < g.nnics; i++)
		g.nics[i].uio = false;
	return nics_in_use(fs, &g, ret, err);
}

char *nics_text(const struct grant *g, uint64_t nics, char buf[static NICS_STR])
{
	unsigned all = (unsigned)__builtin_popcountll(nics), shown = 0;
	int n = snprintf(buf, NICS_STR, "NIC%s", all == 1 ? "" : "s");

	for (unsigned i = 0; i < g->nnics && shown < SHOWN; i++) {
		if (is_in(nics, i))
			n += snprintf(
				buf + n,
				NICS_STR - (size_t)n,
				"%s %s",
				shown++ == 0 ? "" : ",",
				g->nics[i].bdf
			);
	}
	if (all > shown)
		snprintf(buf + n, NICS_STR - (size_t)n, " and %u more", all - shown);
	return buf;
}

// ---- who uses them

struct users {
	const struct ledger *l;
	char *text;
	size_t len;
};

static void add_user(struct users *u, const char *who)
{
	if (strstr(u->text, who) == NULL)
		str_add(u->text, u->len, ", ", "%s", who);
}

// The lease in whose cgroup the process is.
static bool lease_of(const struct ledger *l, int pid, char ret[static NAME_MAX_LEN + 1])
{
	static const char top[] = "/pinfold";
	_cleanup_free_ char *path = str_printf("proc/%d/cgroup", pid);
	_cleanup_free_ char *text = NULL;

	if (path == NULL || fs_read_system(l->fs.root, path, 1u << 16, &text, NULL) < 0)
		return false;
	for (const char *at = text; (at = strstr(at, top)) != NULL; at += strlen(top)) {
		const char *name = at + strlen(top) + 1;
		size_t n = strcspn(name, "/\n");

		if ((name[-1] != '/' && name[-1] != '-') || n > NAME_MAX_LEN)
			continue;
		snprintf(ret, NAME_MAX_LEN + 1, "%.*s", (int)n, name);
		if (lease_exists(l, ret))
			return true;
	}
	return false;
}

static void add_process(int pid, void *arg)
{
	struct users *u = arg;
	_cleanup_free_ char *path = str_printf("proc/%d/comm", pid);
	_cleanup_free_ char *comm = NULL;
	char name[NAME_MAX_LEN + 1], who[96];

	if (lease_of(u->l, pid, name)) {
		snprintf(who, sizeof(who), "'%s'", name);
	} else {
		if (path == NULL || fs_read_system(u->l->fs.root, path, 64, &comm, NULL) < 0)
			return; // it has ended
		comm[strcspn(comm, "\n")] = '\0';
		str_plain(comm);
		snprintf(who, sizeof(who), "process %d (%s)", pid, comm);
	}
	add_user(u, who);
}

static bool add_of_uio(unsigned, int pid, void *arg)
{
	add_process(pid, arg);
	return false;
}

void nics_users(const struct ledger *l, const struct grant *g, uint64_t nics, char *buf, size_t len)
{
	struct users u = {.l = l, .text = buf, .len = len};
	const char *bdfs[GRANT_NICS];
	unsigned which[GRANT_NICS], n = uio_of(g, nics, bdfs, which);
	struct err unused;

	buf[0] = '\0';
	for (unsigned i = 0; i < g->nnics; i++) {
		if (is_in(nics, i) && !g->nics[i].uio)
			host_vfio_users(&l->fs, g->nics[i].iommu_group, add_process, &u);
	}
	host_uio_users(&l->fs, bdfs, n, add_of_uio, &u, &unused);
	str_plain(buf); // it may be cut in the middle of a character
}

// ---- those whose driver stays

// Its interface, which its InfiniBand device goes with. NULL: it is gone.
static const struct grant_netdev *interface_of(
	const struct hostfs *fs, const struct grant *g, const char *bdf
)
{
	for (unsigned i = 0; i < g->nnetdevs; i++) {
		_cleanup_free_ char *path =
			str_printf("sys/bus/pci/devices/%s/net/%s", bdf, g->netdevs[i].name);
		_cleanup_close_ int dir = path != NULL ? hostfs_dir(fs->root, path) : -1;

		if (g->netdevs[i].rdma && dir >= 0)
			return &g->netdevs[i];
	}
	return NULL;
}

static int kernel_users(struct users *u, const char *name, struct err *err)
{
	char user[RDMA_USER], who[RDMA_USER + 16];
	int r = u->l->fs.real ? rdma_kernel_user(name, user) : 0;

	if (r < 0)
		return err_sys(err, -r, "see who has InfiniBand device '%s'", name);
	if (r == 0)
		return 0;
	snprintf(who, sizeof(who), "the kernel (%s)", user);
	add_user(u, who);
	return 0;
}

// The kernel does not refuse to move it: it takes it from whoever has it.
static int check_beside(
	const struct ledger *l, const struct grant *g, const char *bdf, struct err *err
)
{
	const struct grant_netdev *netdev = interface_of(&l->fs, g, bdf);
	struct host_pci nic = {0};
	struct host_rdma rdma;
	char text[512] = "";
	struct users u = {.l = l, .text = text, .len = sizeof(text)};
	int r;

	if (netdev != NULL && netdev->force)
		return 0;
	snprintf(nic.bdf, sizeof(nic.bdf), "%s", bdf);
	snprintf(nic.path, sizeof(nic.path), "bus/pci/devices/%s", bdf);
	if (host_rdma_find(&l->fs, &nic, &rdma, err) < 0 || kernel_users(&u, rdma.name, err) < 0)
		return -err->code;
	r = host_uverbs_users(&l->fs, rdma.rdev, add_of_uio, &u, err);
	if (r < 0)
		return r;
	if (r > 0)
		add_user(&u, "somebody, perhaps: there was no time to look at all");
	if (text[0] == '\0')
		return 0;
	str_plain(text);
	return err_set(
		err,
		EBUSY,
		"NIC %s: its InfiniBand device '%s' is in use by %s; end that first, or say "
		"--netdev %s,force",
		bdf,
		rdma.name,
		text,
		netdev != NULL ? netdev->name : "NAME"
	);
}

int nics_check_free(const struct ledger *l, const struct grant *g, struct err *err)
{
	char text[NICS_STR], users[512];
	uint64_t nics = 0;

	for (unsigned i = 0; i < g->nnics; i++) {
		if (g->nics[i].bifurcated && check_beside(l, g, g->nics[i].bdf, err) < 0)
			return -err->code;
	}
	if (nics_in_use(&l->fs, g, &nics, err) < 0)
		return -err->code;
	if (nics == 0)
		return 0;
	nics_users(l, g, nics, users, sizeof(users));
	return err_set(
		err,
		EBUSY,
		"%s: in use by %s; end that first",
		nics_text(g, nics, text),
		users[0] != '\0' ? users : "a program outside of pinfold that cannot be seen"
	);
}
