// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "host/vf.h"

#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/nic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VLAN_MAX 4094

char *vf_text(const struct vf *v, char buf[static VF_STR])
{
	const unsigned char *m = v->mac;
	int n = snprintf(buf, VF_STR, "%u", v->number);

	if (v->has_mac)
		n += snprintf(
			buf + n,
			VF_STR - (size_t)n,
			" mac=%02x:%02x:%02x:%02x:%02x:%02x",
			m[0],
			m[1],
			m[2],
			m[3],
			m[4],
			m[5]
		);
	if (v->vlan >= 0)
		n += snprintf(buf + n, VF_STR - (size_t)n, " vlan=%d", v->vlan);
	if (v->qos >= 0)
		n += snprintf(buf + n, VF_STR - (size_t)n, " qos=%d", v->qos);
	if (v->protocol >= 0)
		n += snprintf(buf + n, VF_STR - (size_t)n, " protocol=%04x", (unsigned)v->protocol);
	if (v->spoof_check >= 0)
		n += snprintf(
			buf + n,
			VF_STR - (size_t)n,
			" spoof-check=%s",
			v->spoof_check ? "on" : "off"
		);
	if (v->trust >= 0)
		snprintf(buf + n, VF_STR - (size_t)n, " trust=%s", v->trust ? "on" : "off");
	return buf;
}

static int no_mac(const char *s, struct err *err)
{
	return err_set(
		err, EINVAL, "mac '%.32s' is no address of one interface, as 02:00:00:00:00:01", s
	);
}

static int parse_mac(const char *s, struct vf *v, struct err *err)
{
	unsigned char *m = v->mac;
	int end = 0;

	if (strlen(s) != strlen("00:00:00:00:00:00")
	    || sscanf(s,
		      "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n",
		      &m[0],
		      &m[1],
		      &m[2],
		      &m[3],
		      &m[4],
		      &m[5],
		      &end)
		       != 6
	    || end != (int)strlen(s))
		return no_mac(s, err);
	v->has_mac = true;
	return 0;
}

static int parse_number(
	const char *what, const char *s, int base, int max, int *ret, struct err *err
)
{
	uint64_t v;

	if (host_parse_u64(s, base, "", &v) < 0 || v > (uint64_t)max)
		return err_set(err, EINVAL, "%s '%.16s' is no number from 0 to %d", what, s, max);
	*ret = (int)v;
	return 0;
}

static int parse_switch(const char *what, const char *s, int *ret, struct err *err)
{
	if (!str_eq(s, "on") && !str_eq(s, "off"))
		return err_set(err, EINVAL, "%s '%.16s' is neither on nor off", what, s);
	*ret = str_eq(s, "on");
	return 0;
}

// Whatever a kernel and a driver may tell: it is to be set so again.
static int parse_word(const char *word, struct vf *v, struct err *err)
{
	if (str_starts(word, "mac="))
		return parse_mac(word + strlen("mac="), v, err);
	if (str_starts(word, "vlan="))
		return parse_number("vlan", word + strlen("vlan="), 10, INT32_MAX, &v->vlan, err);
	if (str_starts(word, "qos="))
		return parse_number("qos", word + strlen("qos="), 10, INT32_MAX, &v->qos, err);
	if (str_starts(word, "protocol="))
		return parse_number(
			"protocol", word + strlen("protocol="), 16, 0xffff, &v->protocol, err
		);
	if (str_starts(word, "spoof-check="))
		return parse_switch(
			"spoof-check", word + strlen("spoof-check="), &v->spoof_check, err
		);
	if (str_starts(word, "trust="))
		return parse_switch("trust", word + strlen("trust="), &v->trust, err);
	return err_set(err, EINVAL, "'%.32s' is nothing of a VF", word);
}

int vf_parse_word(const char *word, struct vf *v, struct err *err)
{
	const char *value = word + strcspn(word, "=") + 1;

	if (parse_word(word, v, err) < 0)
		return -err->code;
	if (v->vlan > VLAN_MAX)
		return err_set(
			err, EINVAL, "vlan '%.16s' is no number from 0 to %d", value, VLAN_MAX
		);
	// a group address is nobody's; all zeros: the driver's own choice
	if (v->has_mac && (v->mac[0] & 1) != 0)
		return no_mac(value, err);
	return 0;
}

int vf_parse(const char *text, struct vf *ret, struct err *err)
{
	struct vf v = NO_VF;
	char buf[VF_STR], *save = NULL, *word;
	int number;

	if (strlen(text) >= sizeof(buf))
		return err_set(err, EINVAL, "VF '%.32s': too long", text);
	strcpy(buf, text);
	word = strtok_r(buf, " ", &save);
	if (parse_number("VF", word != NULL ? word : "", 10, VFS_MAX - 1, &number, err) < 0)
		return -err->code;
	v.number = (unsigned)number;
	while ((word = strtok_r(NULL, " ", &save)) != NULL) {
		if (parse_word(word, &v, err) < 0)
			return -err->code;
	}
	*ret = v;
	return 0;
}

int vf_each(const struct hostfs *fs, const char *pf, vf_fn fn, void *arg, struct err *err)
{
	int r = 0;

	// links "virtfn0", … without a gap
	for (unsigned i = 0; r == 0; i++) {
		char path[80], bdf[16];

		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/virtfn%u", pf, i);
		if (hostfs_link_name(fs->root, path, bdf, sizeof(bdf)) < 0)
			break;
		r = fn(i, bdf, arg, err);
	}
	return r;
}

bool vf_has_settings(const struct hostfs *fs, const struct host *h, const struct host_pci *vf)
{
	const struct host_pci *pf = host_pci(h, vf->physfn);
	_cleanup_closedir_ DIR *net = NULL;
	char path[80];

	if (!host_pci_is_nic(vf) || (pf != NULL && !host_pci_is_nic(pf)))
		return false;
	// one that is empty here has its interfaces in another network namespace
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/net", vf->physfn);
	net = hostfs_opendir(fs->root, path);
	return net != NULL || errno != ENOENT;
}
