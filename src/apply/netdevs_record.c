// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/netdevs.h"

#include "base/jread.h"
#include "base/scope.h"
#include "host/hostfs.h"
#include "ledger/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD "netdevs"

bool netdev_record_of_this_boot(const struct hostfs *fs, const struct netdev_record *r)
{
	char now[HOST_BOOT_ID];

	hostfs_boot_id(fs->root, now);
	return now[0] == '\0' || r->boot_id[0] == '\0' || str_eq(r->boot_id, now);
}

static json_t *write_addresses(const struct link *l)
{
	_cleanup_json_ json_t *list = json_array();

	for (unsigned i = 0; i < l->naddresses; i++) {
		const struct link_address *a = &l->addresses[i];

		if (json_array_append_new(
			    list,
			    json_pack(
				    "{s:s, s:s, s:s, s:i, s:i}",
				    "address",
				    a->local,
				    "peer",
				    a->peer,
				    "broadcast",
				    a->broadcast,
				    "prefix",
				    (int)a->prefix,
				    "scope",
				    (int)a->scope
			    )
		    )
		    < 0)
			return NULL;
	}
	return steal_ptr(list);
}

static json_t *write_altnames(const struct link *l)
{
	_cleanup_json_ json_t *list = json_array();

	for (unsigned i = 0; i < l->naltnames; i++) {
		if (json_array_append_new(list, json_string(l->altnames[i])) < 0)
			return NULL;
	}
	return steal_ptr(list);
}

// NULL: there is no memory, or a name is no UTF-8.
static json_t *write_link(const struct link *l)
{
	char mac[2 * LINK_MAC + 1] = "";

	for (unsigned i = 0; i < l->mac_len; i++)
		snprintf(mac + (size_t)2 * i, 3, "%02x", l->mac[i]);
	return json_pack(
		"{s:s, s:I, s:s, s:I, s:s, s:s, s:I, s:I, s:s, s:o, s:o}",
		"netdev",
		l->name,
		"inode",
		(json_int_t)l->inode,
		"device",
		l->device,
		"lower",
		(json_int_t)l->lower,
		"lower-device",
		l->lower_device,
		"rdma",
		l->rdma,
		"flags",
		(json_int_t)l->flags,
		"mtu",
		(json_int_t)l->mtu,
		"mac",
		mac,
		"altnames",
		write_altnames(l),
		"addresses",
		write_addresses(l)
	);
}

int netdev_record_write(int dir, const struct netdev_record *r, struct err *err)
{
	json_t *list = json_array();
	_cleanup_json_ json_t *doc =
		json_pack("{s:s, s:o}", "boot-id", r->boot_id, "netdevs", list);

	if (doc == NULL)
		return err_oom(err);
	for (unsigned i = 0; i < r->n; i++) {
		// one that is not written down would not come back
		if (json_array_append_new(list, write_link(&r->was[i])) < 0)
			return err_set(
				err,
				EILSEQ,
				"netdev '%s': it cannot be written down; give it names in UTF-8",
				r->was[i].name
			);
	}
	return files_write(dir, RECORD, doc, false, err);
}

bool netdev_record_exists(int dir)
{
	return faccessat(dir, RECORD ".json", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int netdev_record_remove(int dir, struct err *err)
{
	return files_remove(dir, RECORD, err);
}

static int read_address(const json_t *doc, const char *what, struct link *l, struct err *err)
{
	static const char *const keys[] = {"address", "peer", "broadcast", "prefix", "scope", NULL};
	struct link_address a = {0};
	uint64_t prefix = 0, scope = 0;

	if (l->naddresses == LINK_ADDRESSES)
		return err_set(err, E2BIG, "read %s: too many addresses", what);
	if (jread_keys(doc, what, keys, err) < 0
	    || jread_text(doc, what, "address", true, a.local, sizeof(a.local), err) < 0
	    || jread_text(doc, what, "peer", true, a.peer, sizeof(a.peer), err) < 0
	    || jread_text(doc, what, "broadcast", true, a.broadcast, sizeof(a.broadcast), err) < 0
	    || jread_u64(doc, what, "prefix", true, 128, &prefix, err) < 0
	    || jread_u64(doc, what, "scope", true, 255, &scope, err) < 0)
		return -err->code;
	a.family = strchr(a.local, ':') != NULL ? AF_INET6 : AF_INET;
	a.prefix = (unsigned)prefix;
	a.scope = (unsigned)scope;
	l->addresses[l->naddresses++] = a;
	return 0;
}

static int read_mac(const char *text, const char *what, struct link *l, struct err *err)
{
	size_t n = strlen(text);

	if (n % 2 != 0 || n > (size_t)2 * LINK_MAC || strspn(text, "0123456789abcdef") != n)
		return err_set(err, EINVAL, "read %s: 'mac' is no address", what);
	for (size_t i = 0; i < n / 2; i++) {
		unsigned byte = 0;

		sscanf(text + 2 * i, "%2x", &byte);
		l->mac[i] = (unsigned char)byte;
	}
	l->mac_len = (unsigned)(n / 2);
	return 0;
}

static int read_lists(const json_t *doc, const char *what, struct link *l, struct err *err)
{
	json_t *names = NULL, *addresses = NULL, *e;
	size_t i;

	if (jread_array(doc, what, "altnames", &names, err) < 0
	    || jread_array(doc, what, "addresses", &addresses, err) < 0)
		return -err->code;
	json_array_foreach (names, i, e) {
		const char *s = json_string_value(e);

		if (s == NULL || strlen(s) >= LINK_ALTNAME || l->naltnames == LINK_ALTNAMES)
			return err_set(err, EINVAL, "read %s: 'altnames' are no names", what);
		strcpy(l->altnames[l->naltnames++], s);
	}
	json_array_foreach (addresses, i, e) {
		if (read_address(e, what, l, err) < 0)
			return -err->code;
	}
	return 0;
}

static int read_link(const json_t *doc, const char *what, struct link *ret, struct err *err)
{
	static const char *const keys[] = {
		"netdev",
		"inode",
		"device",
		"lower",
		"lower-device",
		"rdma",
		"flags",
		"mtu",
		"mac",
		"altnames",
		"addresses",
		NULL};
	uint64_t flags = 0, mtu = 0;
	const char *mac = NULL;
	struct link l = {0};

	if (jread_keys(doc, what, keys, err) < 0
	    || jread_text(doc, what, "netdev", true, l.name, sizeof(l.name), err) < 0
	    || jread_u64(doc, what, "inode", true, INT64_MAX, &l.inode, err) < 0
	    || jread_text(doc, what, "device", true, l.device, sizeof(l.device), err) < 0
	    || jread_u64(doc, what, "lower", false, INT64_MAX, &l.lower, err) < 0
	    || jread_text(
		       doc, what, "lower-device", false, l.lower_device, sizeof(l.lower_device), err
	       ) < 0
	    || jread_text(doc, what, "rdma", false, l.rdma, sizeof(l.rdma), err) < 0
	    || jread_u64(doc, what, "flags", true, UINT32_MAX, &flags, err) < 0
	    || jread_u64(doc, what, "mtu", true, UINT32_MAX, &mtu, err) < 0
	    || jread_str(doc, what, "mac", true, &mac, err) < 0 || read_mac(mac, what, &l, err) < 0
	    || read_lists(doc, what, &l, err) < 0)
		return -err->code;
	l.flags = (unsigned)flags;
	l.mtu = (unsigned)mtu;
	*ret = l;
	return 0;
}

int netdev_record_read(int dir, struct netdev_record *ret, struct err *err)
{
	static const char what[] = "what netdevs were";
	static const char *const keys[] = {"boot-id", "netdevs", NULL};
	_cleanup_json_ json_t *doc = NULL;
	struct netdev_record r = {0};
	json_t *list = NULL, *e;
	size_t i;

	if (files_read(dir, RECORD, "record", &doc, err) < 0)
		return -err->code;
	if (jread_keys(doc, what, keys, err) < 0
	    || jread_text(doc, what, "boot-id", false, r.boot_id, sizeof(r.boot_id), err) < 0
	    || jread_array(doc, what, "netdevs", &list, err) < 0)
		return -err->code;
	if (list == NULL)
		return err_set(err, EINVAL, "read %s: 'netdevs' is missing", what);
	json_array_foreach (list, i, e) {
		if (r.n == GRANT_NETDEVS)
			return err_set(err, E2BIG, "read %s: too many", what);
		if (read_link(e, what, &r.was[r.n], err) < 0)
			return -err->code;
		r.n++;
	}
	*ret = r;
	return 0;
}
