// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// pinfold nic list.

#include "cli/nic.h"

#include "apply/apply.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/request.h"
#include "grant/nic_use.h"
#include "host/nic.h"

#include <stdio.h>
#include <string.h>

// "" is null.
static json_t *text(const char *s)
{
	return *s != '\0' ? json_string(s) : json_null();
}

static json_t *id_and_name(unsigned id, const char *name)
{
	return json_pack("{s:o, s:o}", "id", json_sprintf("%04x", id), "name", text(name));
}

// The other functions of its IOMMU group, whatever they are.
static json_t *group_of(const struct host *h, const struct host_pci *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; p->iommu_group >= 0 && i < h->npci; i++) {
		if (&h->pci[i] != p && h->pci[i].iommu_group == p->iommu_group)
			json_array_append_new(list, json_string(h->pci[i].bdf));
	}
	return list;
}

static json_t *vfs_of(const struct host *h, const struct host_pci *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < h->npci; i++) {
		if (str_eq(h->pci[i].physfn, p->bdf))
			json_array_append_new(list, json_string(h->pci[i].bdf));
	}
	return list;
}

// Whoever has its interface, or one on top of it, by --netdev.
static json_t *lent(const struct ledger *l, const char *bdf)
{
	struct netdev_holder holder;

	if (!netdevs_holder(l, bdf, &holder))
		return json_null();
	return json_pack("{s:s, s:s}", "netdev", holder.netdev, "grant", holder.lease);
}

static json_t *nic_json(
	const struct hostfs *fs,
	const struct ledger *l,
	const struct host *h,
	const struct holdings *all,
	const struct host_pci *p
)
{
	const struct holding *grant = nic_holder(all, p->bdf);
	char vendor[HOST_PCI_NAME], device[HOST_PCI_NAME];
	struct host_nic n;
	json_t *o = json_object();

	host_nic_look(fs, p, &n);
	host_pci_names(p, vendor, device);
	json_object_set_new(o, "nic", json_string(p->bdf));
	json_object_set_new(o, "vendor", id_and_name(p->vendor, vendor));
	json_object_set_new(o, "device", id_and_name(p->device, device));
	json_object_set_new(o, "driver", text(p->driver));
	json_object_set_new(o, "driver_override", text(n.override));
	json_object_set_new(o, "iommu_group", json_int_or_null(p->iommu_group));
	json_object_set_new(o, "group_members", group_of(h, p));
	json_object_set_new(o, "node", json_int_or_null(p->node));
	json_object_set_new(o, "netdev", text(p->netdev));
	json_object_set_new(o, "mac", text(n.mac));
	json_object_set_new(o, "link", text(n.link));
	json_object_set_new(o, "speed", json_int_or_null(n.speed));
	json_object_set_new(o, "rdma", text(n.rdma));
	json_object_set_new(o, "uverbs", text(n.uverbs));
	json_object_set_new(o, "part_of", text(p->upper));
	json_object_set_new(o, "address", json_boolean(p->addressed));
	json_object_set_new(o, "default_route", json_boolean(p->default_route));
	json_object_set_new(o, "grant", grant != NULL ? text(grant->grant.name) : json_null());
	json_object_set_new(o, "in_use", json_boolean(grant != NULL && grant->live));
	json_object_set_new(o, "lent", lent(l, p->bdf));
	json_object_set_new(o, "physfn", text(p->physfn));
	json_object_set_new(o, "totalvfs", json_integer(p->totalvfs));
	json_object_set_new(o, "vfs", vfs_of(h, p));
	return o;
}

// Who would miss it.
static json_t *held_by(const json_t *nic)
{
	const json_t *to = json_object_get(nic, "lent");

	if (*json_text(nic, "grant", "") != '\0')
		return json_sprintf(
			"grant %s%s",
			json_text(nic, "grant", ""),
			json_is_true(json_object_get(nic, "in_use")) ? ", in use" : ""
		);
	if (json_is_object(to))
		return json_sprintf(
			"netdev %s of %s", json_text(to, "netdev", ""), json_text(to, "grant", "")
		);
	if (json_is_true(json_object_get(nic, "default_route")))
		return json_string("default route");
	if (*json_text(nic, "part_of", "") != '\0')
		return json_sprintf("port of %s", json_text(nic, "part_of", ""));
	if (json_is_true(json_object_get(nic, "address")))
		return json_string("address");
	return json_null();
}

// "up 10000", "82599ES 10-Gigabit, VF of 0000:03:00.0".
static json_t *row_of(const json_t *nic)
{
	static const char *const same[] = {"nic", "driver", "node", "netdev"};
	const json_t *speed = json_object_get(nic, "speed");
	size_t vfs = json_array_size(json_object_get(nic, "vfs")),
	       others = json_array_size(json_object_get(nic, "group_members"));
	json_t *row = json_object(), *device = json_object_get(nic, "device");
	char vf[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		json_object_set(row, same[i], json_object_get(nic, same[i]));
	json_object_set(row, "group", json_object_get(nic, "iommu_group"));
	if (others > 0)
		json_object_set_new(
			row,
			"group",
			json_sprintf(
				"%d and %zu more",
				(int)json_integer_value(json_object_get(nic, "iommu_group")),
				others
			)
		);
	if (json_is_integer(speed))
		json_object_set_new(
			row,
			"link",
			json_sprintf(
				"%s %d", json_text(nic, "link", ""), (int)json_integer_value(speed)
			)
		);
	else
		json_object_set(row, "link", json_object_get(nic, "link"));
	json_object_set_new(row, "held_by", held_by(nic));
	if (*json_text(nic, "physfn", "") != '\0')
		snprintf(vf, sizeof(vf), ", VF of %s", json_text(nic, "physfn", ""));
	else if (vfs > 0)
		snprintf(vf, sizeof(vf), ", %zu VFs", vfs);
	json_object_set_new(
		row,
		"device",
		json_sprintf(
			"%s%s",
			*json_text(device, "name", "") != '\0' ? json_text(device, "name", "")
							       : json_text(device, "id", ""),
			vf
		)
	);
	return row;
}

static void print_text(const json_t *nics)
{
	static const char *const keys[] = {
		"nic", "driver", "group", "node", "netdev", "link", "held_by", "device", NULL};
	_cleanup_json_ json_t *rows = json_array();
	const json_t *nic;
	size_t i;

	json_array_foreach (nics, i, nic)
		json_array_append_new(rows, row_of(nic));
	cli_print_rows(rows, keys, false);
}

struct reading {
	const struct ledger *l;
	struct holdings *all;
};

static int add_lease(const struct lease *lease, void *arg, struct err *err)
{
	return holdings_add(((struct reading *)arg)->all, &lease->grant, true, err);
}

static int add_definition(const struct grant *g, void *arg, struct err *err)
{
	struct reading *r = arg;

	return lease_exists(r->l, g->name) ? 0 : holdings_add(r->all, g, false, err);
}

static void not_every_grant(const struct err *err)
{
	fprintf(stderr, "pinfold: not every grant that has a NIC is known: %s\n", err->msg);
}

// What cannot be read is told, and the rest is shown: leases are root's to read.
static void read_holdings(const struct ledger *l, struct holdings *ret)
{
	struct err errs[2] = {0};
	struct reading reading = {.l = l, .all = ret};

	lease_each(l, add_lease, &reading, &errs[0]);
	definition_each(l, add_definition, &reading, &errs[1]);
	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		if (errs[i].code != 0)
			not_every_grant(&errs[i]);
	}
}

int cmd_nic_list(int argc, char **argv)
{
	_cleanup_json_ json_t *nics = json_array();
	struct holdings all = {0};
	bool json = false;
	struct ledger l = {.defs = -1, .leases = -1, .lock = -1};
	struct hostfs fs;
	struct host h;
	struct err err, untold;
	int r = cli_simple_options(argc, argv, "Usage: pinfold nic list [--json]", &json, &err);

	if (r > 0)
		return STATUS_OK;
	if (r == 0)
		r = cli_open_host(&fs, &err);
	if (r < 0)
		return cli_fail(&err);
	r = host_read(&fs, HOST_PCI, &h, &err);
	if (r == 0) {
		l.fs = fs;
		if (ledger_open(&fs, false, &l, &untold) == 0)
			read_holdings(&l, &all);
		else
			not_every_grant(&untold);
		for (unsigned i = 0; i < h.npci; i++) {
			if (host_pci_is_nic(&h.pci[i]))
				json_array_append_new(nics, nic_json(&fs, &l, &h, &all, &h.pci[i]));
		}
		holdings_done(&all);
		host_done(&h);
	}
	ledger_close(&l);
	hostfs_close(&fs);
	if (r < 0)
		return cli_fail(&err);
	if (json)
		cli_print_json(nics);
	else
		print_text(nics);
	return STATUS_OK;
}
