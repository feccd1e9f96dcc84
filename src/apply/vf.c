// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "apply/vf.h"

#include "apply/netlink.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

// ---- what they are

// "on", "off", and all ones where the driver does not tell.
static int as_switch(uint32_t v)
{
	return v == 0 || v == 1 ? (int)v : -1;
}

static void take_vlan(const struct rtattr *list, struct vf *v)
{
	struct netlink_list inner = netlink_inner(list);
	struct ifla_vf_vlan_info info;
	const struct rtattr *a = netlink_next(&inner);

	if (a == NULL || RTA_PAYLOAD(a) < sizeof(info))
		return;
	memcpy(&info, RTA_DATA(a), sizeof(info));
	v->vlan = (int)info.vlan;
	v->qos = (int)info.qos;
	v->protocol = ntohs(info.vlan_proto);
}

// Numbers are told with each of its parts.
static bool take_vf(const struct rtattr *info, struct vf *ret)
{
	struct netlink_list inner = netlink_inner(info);
	struct vf v = NO_VF;
	const struct rtattr *a;
	bool known = false;

	while ((a = netlink_next(&inner)) != NULL) {
		unsigned type = a->rta_type & ~(unsigned)NLA_F_NESTED;
		struct ifla_vf_mac mac;
		struct ifla_vf_spoofchk on; // and struct ifla_vf_trust, the same

		if (type == IFLA_VF_MAC && RTA_PAYLOAD(a) >= sizeof(mac)) {
			memcpy(&mac, RTA_DATA(a), sizeof(mac));
			memcpy(v.mac, mac.mac, sizeof(v.mac));
			v.number = mac.vf;
			v.has_mac = known = true;
		} else if (type == IFLA_VF_VLAN_LIST) {
			take_vlan(a, &v);
		} else if ((type == IFLA_VF_SPOOFCHK || type == IFLA_VF_TRUST) && RTA_PAYLOAD(a) >= sizeof(on)) {
			memcpy(&on, RTA_DATA(a), sizeof(on));
			*(type == IFLA_VF_TRUST ? &v.trust : &v.spoof_check) =
				as_switch(on.setting);
		}
	}
	*ret = v;
	return known;
}

int vf_take(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = NLMSG_DATA(h);
	struct netlink_list list = netlink_list(h, sizeof(*i));
	struct vf_list *l = arg;
	const struct rtattr *a;

	l->index = (unsigned)i->ifi_index;
	l->none = true;
	while ((a = netlink_next(&list)) != NULL) {
		unsigned type = a->rta_type & ~(unsigned)NLA_F_NESTED;
		struct netlink_list inner = netlink_inner(a);

		// an interface of that name in another network namespace is another's; kernels before 5.14 do not tell
		if (type == IFLA_PARENT_DEV_NAME && RTA_PAYLOAD(a) > 0
		    && strncmp(RTA_DATA(a), l->pf, RTA_PAYLOAD(a)) != 0)
			return -ENODEV;
		if (type != IFLA_VFINFO_LIST)
			continue;
		// is there, and perhaps empty, of each driver that can tell: of a VF in reset it does not
		l->none = false;
		while ((a = netlink_next(&inner)) != NULL && l->n < VFS_MAX) {
			if (take_vf(a, &l->vfs[l->n]))
				l->n++;
		}
	}
	return 0;
}

static int netdev_of(const struct hostfs *fs, const char *pf, char ret[static 16])
{
	_cleanup_free_ char *path = str_printf("sys/bus/pci/devices/%s/net", pf);
	_cleanup_closedir_ DIR *d = path != NULL ? hostfs_opendir(fs->root, path) : NULL;
	const char *name;

	ret[0] = '\0';
	while (d != NULL && (name = hostfs_next(d)) != NULL) {
		if (strlen(name) < 16 && (ret[0] == '\0' || strcmp(name, ret) < 0))
			strcpy(ret, name);
	}
	return ret[0] != '\0' ? 0 : -ENODEV;
}

int vf_look(const struct hostfs *fs, const char *pf, struct vf_list *ret, struct err *err)
{
	_cleanup_close_ int socket = netlink_open(NETLINK_ROUTE);
	struct netlink_message m;
	char netdev[16];
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->pf = pf;
	if (netdev_of(fs, pf, netdev) < 0)
		return err_set(
			err,
			ENODEV,
			"NIC %s has no network interface here, which knows its VFs; one that is in "
			"another network namespace has to come back",
			pf
		);
	netlink_begin(&m, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
	netlink_put_text(&m, IFLA_IFNAME, netdev);
	netlink_put_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	r = socket < 0 ? socket : netlink_ask(socket, &m, vf_take, ret);
	return r < 0 ? err_sys(err, -r, "NIC %s (%s): ask about its VFs", pf, netdev) : 0;
}

const struct vf *vf_find(const struct vf_list *list, unsigned number)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (list->vfs[i].number == number)
			return &list->vfs[i];
	}
	return NULL;
}

// ---- what they are to be

static int send_part(unsigned index, unsigned type, const void *data, size_t len)
{
	_cleanup_close_ int socket = netlink_open(NETLINK_ROUTE);
	struct netlink_message m;
	struct ifinfomsg *i = netlink_begin(&m, RTM_SETLINK, NLM_F_ACK, sizeof(*i));
	struct rtattr *list, *info;

	if (socket < 0)
		return socket;
	i->ifi_index = (int)index;
	list = netlink_nest(&m, IFLA_VFINFO_LIST);
	info = netlink_nest(&m, IFLA_VF_INFO);
	netlink_put(&m, type, data, len);
	netlink_nest_end(&m, info);
	netlink_nest_end(&m, list);
	return netlink_ask(socket, &m, NULL, NULL);
}

static int set_mac(const struct vf_list *list, const struct vf *want)
{
	struct ifla_vf_mac mac = {.vf = want->number};

	memcpy(mac.mac, want->mac, sizeof(want->mac));
	return send_part(list->index, IFLA_VF_MAC, &mac, sizeof(mac));
}

static int set_vlan(const struct vf_list *list, const struct vf *want)
{
	struct ifla_vf_vlan vlan = {
		.vf = want->number,
		.vlan = (uint32_t)want->vlan,
		.qos = want->qos > 0 ? (uint32_t)want->qos : 0};
	struct {
		struct rtattr head;
		struct ifla_vf_vlan_info info;
	} one = {
		{sizeof(one), IFLA_VF_VLAN_INFO},
		{vlan.vf, vlan.vlan, vlan.qos, htons((uint16_t)want->protocol)}};

	// the form that every kernel and driver knows, where it can say it
	if (want->protocol <= 0 || want->protocol == ETH_P_8021Q)
		return send_part(list->index, IFLA_VF_VLAN, &vlan, sizeof(vlan));
	return send_part(list->index, IFLA_VF_VLAN_LIST | NLA_F_NESTED, &one, sizeof(one));
}

static int set_switch(const struct vf_list *list, unsigned number, unsigned type, int on)
{
	struct ifla_vf_spoofchk s = {.vf = number, .setting = (uint32_t)on};

	return send_part(list->index, type, &s, sizeof(s));
}

static int failed(
	const struct vf_list *list, const struct vf *want, const char *what, int r, struct err *err
)
{
	if (r == -EOPNOTSUPP)
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: its driver sets no %s of a VF; leave that out",
			list->pf,
			what
		);
	return err_sys(err, -r, "NIC %s: set the %s of VF %u", list->pf, what, want->number);
}

int vf_set(const struct vf_list *list, const struct vf *want, struct err *err)
{
	const struct vf *now = vf_find(list, want->number);
	int r = 0;

	if (now == NULL)
		return err_set(
			err,
			EOPNOTSUPP,
			"NIC %s: its driver tells nothing of VF %u, so it cannot be set",
			list->pf,
			want->number
		);
	if (want->has_mac && (!now->has_mac || memcmp(want->mac, now->mac, sizeof(now->mac)) != 0))
		r = set_mac(list, want);
	if (r < 0)
		return failed(list, want, "MAC address", r, err);
	if (want->vlan >= 0
	    && (want->vlan != now->vlan || (want->qos >= 0 && want->qos != now->qos)
		|| (want->protocol >= 0 && want->protocol != now->protocol)))
		r = set_vlan(list, want);
	if (r < 0)
		return failed(list, want, "VLAN", r, err);
	if (want->trust >= 0 && want->trust != now->trust)
		r = set_switch(list, want->number, IFLA_VF_TRUST, want->trust);
	if (r < 0)
		return failed(list, want, "trust", r, err);
	if (want->spoof_check >= 0 && want->spoof_check != now->spoof_check)
		r = set_switch(list, want->number, IFLA_VF_SPOOFCHK, want->spoof_check);
	return r < 0 ? failed(list, want, "spoof check", r, err) : 0;
}
