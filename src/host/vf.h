// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A virtual function (SR-IOV) as its PF sees it: what `ip link set PF vf N` sets, and nobody in the VF can.
#pragma once

#include "host/host.h"

#define VFS_MAX 256 // of one PF, that are made or set; others may have made more

struct vf {
	unsigned number; // among those of its PF
	bool has_mac;
	unsigned char mac[6];
	// -1: not said, or the driver does not tell
	int vlan, qos, protocol; // protocol: of the tag, 0x8100 or 0x88a8
	int spoof_check, trust;	 // 0 or 1
};
#define NO_VF ((struct vf){.vlan = -1, .qos = -1, .protocol = -1, .spoof_check = -1, .trust = -1})

// "1 mac=02:00:00:00:00:01 vlan=100 qos=0 protocol=8100 spoof-check=on trust=off", of what is said.
#define VF_STR 128
char *vf_text(const struct vf *v, char buf[static VF_STR]);
int vf_parse(const char *text, struct vf *ret, struct err *err);
// One of its words, as a person says it: of what a kernel may tell, some cannot be meant.
int vf_parse_word(const char *word, struct vf *ret, struct err *err);

// Calls fn with each VF of a PF that exists, in order of its number.
typedef int (*vf_fn)(unsigned number, const char *bdf, void *arg, struct err *err);
int vf_each(const struct hostfs *fs, const char *pf, vf_fn fn, void *arg, struct err *err);

// The driver of its PF could be asked, and told, what it is: both are NICs, and the PF has interfaces of the host's.
bool vf_has_settings(const struct hostfs *fs, const struct host *h, const struct host_pci *vf);
