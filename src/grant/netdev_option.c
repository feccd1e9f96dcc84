// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Interfaces of the host as an option: "veth0,name=eth0,192.0.2.1/24,mtu=1400".

#include "grant/options.h"

#include "base/scope.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(((struct grant_netdev *)0)->name) == IFNAMSIZ, "a name of the kernel's");

static int parse_word(struct grant_netdev *n, const char *word, struct err *err)
{
	if (str_eq(word, "force")) {
		n->force = true;
		return 0;
	}
	if (str_eq(word, "rdma")) {
		n->rdma = true;
		return 0;
	}
	if (str_eq(word, "xdp"))
		return err_set(
			err,
			EOPNOTSUPP,
			"AF_XDP is not for containers: DPDK 22.11 loads its BPF program itself, "
			"which takes SYS_ADMIN of the host; use net_af_packet with --cap NET_RAW"
		);
	if (!str_starts(word, "name="))
		return interface_parse_word(
			&n->has, word, "name=NEW, ADDRESS/PREFIX, mtu=N or force", err
		);
	word += strlen("name=");
	if (interface_check_name("name", word, err) < 0)
		return -err->code;
	strcpy(n->inside, word);
	return 0;
}

// In the container no two interfaces have one name.
static int check_names(const struct terms *t, const struct grant_netdev *n, struct err *err)
{
	for (unsigned i = 0; i < t->nnetdevs; i++) {
		if (str_eq(t->netdevs[i].name, n->name))
			return err_set(err, EINVAL, "netdev '%s' is asked for twice", n->name);
		if (str_eq(t->netdevs[i].inside, n->inside))
			return err_set(
				err,
				EINVAL,
				"netdev '%s': '%s' is called %s in the container already; say "
				"another name=",
				n->name,
				t->netdevs[i].name,
				n->inside
			);
	}
	return 0;
}

static int parse_netdev(const struct reading *r, const char *text, struct err *err)
{
	struct terms *t = r->all;
	struct grant_netdev n = {0};
	char buf[512], *save = NULL, *word;

	if (strlen(text) >= sizeof(buf))
		return err_set(err, EINVAL, "netdev '%.64s': too long", text);
	strcpy(buf, text);
	word = strtok_r(buf, ",", &save);
	if (interface_check_name("netdev", word != NULL ? word : "", err) < 0)
		return -err->code;
	strcpy(n.name, word);
	strcpy(n.inside, word);
	while ((word = strtok_r(NULL, ",", &save)) != NULL) {
		if (parse_word(&n, word, err) < 0)
			return err_wrap(err, "netdev '%s'", n.name);
	}
	if (interface_check(&n.has, text, err) < 0)
		return err_wrap(err, "netdev '%s'", n.name);
	if (check_names(t, &n, err) < 0)
		return -err->code;
	if (t->nnetdevs == GRANT_NETDEVS)
		return err_set(err, E2BIG, "netdevs: more than %d", GRANT_NETDEVS);
	t->netdevs[t->nnetdevs++] = n;
	return 0;
}

char *grant_netdev_text(const struct grant_netdev *n, char buf[static GRANT_NETDEV_STR])
{
	int at = snprintf(buf, GRANT_NETDEV_STR, "%s", n->name);

	if (!str_eq(n->inside, n->name))
		at += snprintf(buf + at, GRANT_NETDEV_STR - (size_t)at, ",name=%s", n->inside);
	at = interface_text(&n->has, buf, GRANT_NETDEV_STR, at);
	snprintf(
		buf + at,
		GRANT_NETDEV_STR - (size_t)at,
		"%s%s",
		n->force ? ",force" : "",
		n->rdma ? ",rdma" : ""
	);
	return buf;
}

int grant_netdev_parse(const char *text, struct grant_netdev *ret, struct err *err)
{
	struct terms t = {0};
	struct reading r = {.all = &t};

	if (parse_netdev(&r, text, err) < 0)
		return -err->code;
	*ret = t.netdevs[0];
	return 0;
}

_Static_assert(IDSET_STR >= GRANT_NETDEV_STR, "room for the text of one");

static const char *netdev_text(const struct row *, const void *all, unsigned i, char *buf)
{
	return grant_netdev_text(&((const struct terms *)all)->netdevs[i], buf);
}

const struct option_type option_netdevs = {
	.parse = parse_netdev, .text = netdev_text, .schema = "netdevs"};
