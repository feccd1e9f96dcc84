// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs as an option: an address, or what a NIC has to be.

#include "base/hint.h"
#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "grant/options.h"
#include "host/host.h"

#include <stdio.h>
#include <string.h>

// "8086"
static int parse_id(const char *what, const char *s, unsigned *ret, struct err *err)
{
	if (strlen(s) != 4 || strspn(s, "0123456789abcdefABCDEF") != 4)
		return err_set(
			err, EINVAL, "%s '%.16s': not four hexadecimal digits, as 8086", what, s
		);
	*ret = (unsigned)strtoul(s, NULL, 16);
	return 0;
}

// Whether an interface may be called so.
static bool is_netdev(const char *s)
{
	struct err err;

	return interface_check_name("netdev", s, &err) == 0;
}

// One of "driver=e1000e", "vendor=8086", "device=10d3", "node=1", "pf=3b:00.0", "count=2".
static int parse_word(struct nic_select *s, const char *word, struct err *err)
{
	static const char *const keys[] = {
		"driver", "vendor", "device", "node", "pf", "count", "bind", "unsafe-uio", NULL};
	const char *value = strchr(word, '=');
	size_t n = value != NULL ? (size_t)(value++ - word) : 0;
	char key[32], buf[HINT_MAX];
	uint64_t v;

	if (n == strlen("driver") && str_starts(word, "driver=")) {
		if (*value == '\0' || strlen(value) >= sizeof(s->driver))
			return err_set(err, EINVAL, "driver '%.64s' is no name of a driver", value);
		strcpy(s->driver, value);
		return 0;
	}
	if (n == strlen("vendor") && str_starts(word, "vendor="))
		return parse_id("vendor", value, &s->vendor, err);
	if (n == strlen("device") && str_starts(word, "device="))
		return parse_id("device", value, &s->device, err);
	if (n == strlen("pf") && str_starts(word, "pf=")) {
		if (!host_bdf(value, s->pf))
			return err_set(err, EINVAL, "pf '%.32s' is not a PCI address", value);
		return 0;
	}
	if (n == strlen("node") && str_starts(word, "node=")) {
		if (option_parse_number("node", value, 0, HOST_NODES - 1, &v, err) < 0)
			return -err->code;
		s->node = (unsigned)v;
		s->on_node = true;
		return 0;
	}
	if (n == strlen("count") && str_starts(word, "count=")) {
		if (option_parse_number("count", value, 1, GRANT_NICS, &v, err) < 0)
			return -err->code;
		s->count = (unsigned)v;
		return 0;
	}
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(word, "="), word);
	return err_set(
		err,
		EINVAL,
		"'%.32s' is none of driver=, vendor=, device=, node=, pf=, count=, bind and "
		"unsafe-uio%s",
		word,
		hint(buf, key, keys)
	);
}

static int add_nic(struct terms *t, const struct grant_nic *nic, struct err *err)
{
	for (unsigned i = 0; nic->bdf[0] != '\0' && i < t->nnics; i++) {
		if (str_eq(t->nics[i].bdf, nic->bdf))
			return err_set(err, EINVAL, "NIC '%s' is asked for twice", nic->bdf);
	}
	if (t->nnics == GRANT_NICS)
		return err_set(err, E2BIG, "NICs: more than %d", GRANT_NICS);
	t->nics[t->nnics++] = *nic;
	return 0;
}

static int parse_nic(const struct reading *r, const char *text, struct err *err)
{
	struct grant_nic nic = {.iommu_group = -1, .select.count = 1};
	struct nic_select *s = &nic.select;
	char buf[sizeof(s->text)];
	bool first = true, which = false;

	if (text[0] == '\0' || strlen(text) >= sizeof(buf))
		return err_set(err, EINVAL, "NIC '%.64s': empty or too long", text);
	strcpy(buf, text);
	strcpy(s->text, text);
	str_foreach (w, buf, ",") {
		if (str_eq(w, "bind"))
			nic.bind = true;
		else if (str_eq(w, "unsafe-uio"))
			nic.uio = true;
		else if (first && host_bdf(w, nic.bdf)) {
			*s = (struct nic_select){0};
			which = true;
		} else if (first && is_netdev(w)) {
			*s = (struct nic_select){0};
			strcpy(s->netdev, w);
			which = true;
		} else if (nic.bdf[0] != '\0' || s->netdev[0] != '\0' || strchr(w, '=') == NULL)
			return err_set(
				err,
				EINVAL,
				"NIC '%.64s' is not a PCI address as 0000:3b:00.0, nor the name of "
				"an interface, nor what a NIC has to be as "
				"driver=ice,node=1,count=2; see pinfold nic list",
				text
			);
		else if (parse_word(s, w, err) < 0)
			return err_wrap(err, "NIC '%.64s'", text);
		else
			which = true;
		first = false;
	}
	if (!which)
		return err_set(
			err,
			EINVAL,
			"NIC '%.64s': say which, by its address or by what it has to be; count=1 "
			"is any",
			text
		);
	if (nic.uio && (nic.bdf[0] == '\0' || nic.bind))
		return err_set(
			err,
			EINVAL,
			"NIC '%.64s': unsafe-uio is for one NIC, by its address, that is bound to "
			"uio_pci_generic or igb_uio already",
			text
		);
	return add_nic(r->all, &nic, err);
}

static int read_nic(const struct reading *r, const json_t *e, struct err *err)
{
	static const char *const keys[] = {
		"pci", "iommu-group", "bind", "unsafe-uio", "bifurcated", NULL};
	struct grant_nic nic = {.iommu_group = -1};
	const char *bdf = NULL;
	uint64_t group = 0;

	if (jread_keys(e, r->what, keys, err) < 0
	    || jread_str(e, r->what, "pci", true, &bdf, err) < 0
	    || jread_bool(e, r->what, "unsafe-uio", &nic.uio, err) < 0
	    || jread_bool(e, r->what, "bifurcated", &nic.bifurcated, err) < 0
	    || jread_u64(
		       e,
		       r->what,
		       "iommu-group",
		       !nic.uio && !nic.bifurcated,
		       INT32_MAX,
		       &group,
		       err
	       ) < 0
	    || jread_bool(e, r->what, "bind", &nic.bind, err) < 0)
		return -err->code;
	if ((nic.uio || nic.bifurcated)
	    && (nic.uio == nic.bifurcated || nic.bind || json_object_get(e, "iommu-group") != NULL))
		return err_set(
			err,
			EINVAL,
			"read %s: NIC '%.32s' has unsafe-uio or bifurcated, and so neither bind "
			"nor "
			"iommu-group nor the other of them",
			r->what,
			bdf
		);
	if (!host_bdf(bdf, nic.bdf))
		return err_set(err, EINVAL, "read %s: NIC '%.32s' is no PCI address", r->what, bdf);
	if (!nic.uio && !nic.bifurcated)
		nic.iommu_group = (int)group;
	return add_nic(r->all, &nic, err) < 0 ? err_wrap(err, "read %s", r->what) : 0;
}

static json_t *write_nic(const struct row *, const void *all, unsigned i)
{
	const struct grant_nic *nic = &((const struct terms *)all)->nics[i];
	json_t *o = json_pack("{s:s}", "pci", nic->bdf);

	if (nic->uio || nic->bifurcated)
		json_object_set_new(o, nic->uio ? "unsafe-uio" : "bifurcated", json_true());
	else
		json_object_set_new(o, "iommu-group", json_integer(nic->iommu_group));
	if (nic->bind)
		json_object_set_new(o, "bind", json_true());
	return o;
}

static const char *nic_text(const struct row *, const void *all, unsigned i, char *buf)
{
	const struct grant_nic *nic = &((const struct terms *)all)->nics[i];
	const char *bind = nic->bind ? ", bound for the lease" : "";

	if (nic->uio)
		snprintf(buf, IDSET_STR, "%s (UIO, unsafe)", nic->bdf);
	else if (nic->bifurcated)
		snprintf(buf, IDSET_STR, "%s (beside its kernel driver)", nic->bdf);
	else
		snprintf(buf, IDSET_STR, "%s (IOMMU group %d%s)", nic->bdf, nic->iommu_group, bind);
	return buf;
}

const struct option_type option_nics = {
	.parse = parse_nic,
	.element = read_nic,
	.objects = OPTION_GRANT,
	.write = write_nic,
	.text = nic_text,
	.schema = "nics"};
