// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Memory of NUMA nodes that were not granted.

#include "inside/audit/audit.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NODES 1024

struct mask {
	unsigned long word[NODES / (8 * sizeof(unsigned long))];
};

// How many nodes this kernel can have: get_mempolicy takes no mask that is smaller (mm/mempolicy.c of
// Linux). To try more takes long: a move_pages waits for work on every CPU.
static unsigned possible_nodes(void)
{
	struct mask m;

	for (unsigned n = 1; n < NODES; n++) {
		if (syscall(SYS_get_mempolicy, NULL, m.word, (unsigned long)n, NULL, 0UL) == 0)
			return n;
	}
	return NODES;
}

static struct mask only(unsigned node)
{
	const unsigned bits = 8 * sizeof(unsigned long);
	struct mask m = {0};

	m.word[node / bits] = 1UL << (node % bits);
	return m;
}

static void judge(const struct audit *a, const struct idset *nodes, int why, struct finding *f)
{
	char text[IDSET_STR];
	struct idset over = *nodes;

	idset_andnot(&over, &a->given.mems);
	if (idset_empty(nodes) && why == ENOSYS) {
		skip(f, "not in this kernel: NUMA");
		return;
	}
	if (idset_empty(nodes)) {
		pass(f, "none: %s", strerror(why));
		return;
	}
	idset_format(nodes, text, sizeof(text));
	if (!a->given.known)
		fail(f, "nodes %.200s, and no grant says which are its own", text);
	else if (idset_empty(&over))
		pass(f, "only nodes %.200s", text);
	else
		fail(f,
		     "nodes that are not granted: %.200s",
		     idset_format(&over, text, sizeof(text)));
}

static void policy(const struct audit *a, struct finding *f)
{
	const unsigned possible = possible_nodes();
	struct idset nodes = {0};
	int why = 0;

	for (unsigned n = 0; n < possible; n++) {
		struct mask m = only(n);

		if (syscall(SYS_set_mempolicy, MPOL_BIND, m.word, NODES + 1UL) == 0)
			idset_add(&nodes, n);
		else
			why = errno;
	}
	judge(a, &nodes, why, f);
}

static void *page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

// The node a page that is there lies on, or -1.
static int node_of(void *p)
{
	int status = -1;

	// without nodes to move to, the call says where the pages are
	if (syscall(SYS_move_pages, 0, 1UL, &p, NULL, &status, 0) < 0)
		return -1;
	return status;
}

// What counts is where the page comes to lie, not what the call returned.
static void bind(const struct audit *a, struct finding *f)
{
	const unsigned possible = possible_nodes();
	struct idset nodes = {0};
	int why = 0;

	for (unsigned n = 0; n < possible; n++) {
		struct mask m = only(n);
		char *p = page();
		int at;

		if (p == NULL)
			break;
		if (syscall(SYS_mbind, p, 4096UL, MPOL_BIND, m.word, NODES + 1UL, 0) == 0) {
			*(volatile char *)p = 1;
			at = node_of(p);
			idset_add(&nodes, at >= 0 ? (unsigned)at : n);
		} else {
			why = errno;
		}
		munmap(p, 4096);
	}
	judge(a, &nodes, why, f);
}

static void move(const struct audit *a, struct finding *f)
{
	const int possible = (int)possible_nodes();
	struct idset nodes = {0};
	void *p = page();
	int why = 0;

	if (p == NULL) {
		fail(f, "could not be tried: %s", strerror(errno));
		return;
	}
	*(volatile char *)p = 1;
	for (int n = 0; n < possible; n++) {
		int status = -EIO;

		if (syscall(SYS_move_pages, 0, 1UL, &p, &n, &status, MPOL_MF_MOVE) < 0)
			why = errno;
		else if (status >= 0)
			idset_add(&nodes, (unsigned)status);
		else
			why = -status;
	}
	judge(a, &nodes, why, f);
}

const struct property audit_numa[] = {
	{"numa-policy", "set_mempolicy to each node the kernel may have", policy, .machine = true},
	{"numa-bind", "mbind a page to each node and touch it", bind, .machine = true},
	{"numa-move", "move_pages to each node", move, .machine = true},
	{0},
};
