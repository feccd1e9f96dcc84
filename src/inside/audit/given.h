// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the workload was granted, as it finds it in /run/pinfold/grant.json
// (data/schemas/inner-grant.json): the measure of the audit.
#pragma once

#include "base/idset.h"
#include "base/str.h"

#include <limits.h>

#define GIVEN_PAGES 32
#define GIVEN_NICS 64
#define GIVEN_MOUNTS 16
#define GIVEN_INTERFACES 32
#define GIVEN_INTERFACE 16 // IFNAMSIZ

struct given {
	bool known;   // false: there is no grant, so nothing is granted
	bool machine; // it is of a virtual machine
	char name[NAME_MAX_LEN + 1];
	struct idset cpus; // its own and the shared ones
	struct idset mems;
	uint64_t memory; // bytes
	uint64_t pids;
	bool aio;      // asynchronous I/O
	uint64_t caps; // 1 << CAP_…; a kernel port brings NET_ADMIN
	bool port;     // it has a kernel port
	bool vhost;    // of a kernel port
	unsigned ninterfaces;
	char interfaces[GIVEN_INTERFACES][GIVEN_INTERFACE]; // of kernel ports, and netdevs
	unsigned npages;
	struct {
		uint64_t size, count;
	} pages[GIVEN_PAGES]; // one a size
	unsigned nnics;
	struct given_nic {
		char pci[32];
		bool uio;	 // on UIO: it has a node of its own, and no group's
		bool bifurcated; // beside its kernel driver: the same
		unsigned iommu_group;
	} nics[GIVEN_NICS];
	unsigned nmounts;
	struct given_mount {
		uint64_t size;
		char path[256];
	} mounts[GIVEN_MOUNTS]; // hugetlbfs
};

// Reads what it has of a grant; keys that speak of nothing the audit looks at are passed over. what:
// the name of the document in messages.
int given_parse(const char *text, size_t len, const char *what, struct given *ret, struct err *err);

// The same from a file. A missing or an empty one is no grant: ret->known is false.
int given_read(const char *path, struct given *ret, struct err *err);

// Granted hugepages of a size in bytes.
uint64_t given_pages(const struct given *g, uint64_t size);
