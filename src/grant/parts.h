// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The pieces that requests and grants write alike.
#pragma once

#include "grant/grant.h"

const char *grant_kind_name(enum grant_kind kind);

// "kind" of a document; absent means workload.
int part_kind(const json_t *doc, const char *what, enum grant_kind *ret, struct err *err);

// The "hugepages" array. need_node: every entry must name its node.
int part_hugepages(
	const json_t *doc,
	const char *what,
	bool need_node,
	struct grant_hugepages *list,
	unsigned *n,
	struct err *err
);

// partition.c: "isolated", of a flag or a document.
int part_set_partition(bool *isolated, const char *value, struct err *err);
// Whether this machine can make the CPUs of g an isolated partition.
int part_check_partition(const struct grant *g, const struct host *host, struct err *err);

// offline.c: "freeze", "stop" or "warn", of a flag or a document.
int part_set_offline(enum grant_offline *ret, const char *value, struct err *err);

// The "links" array of {"kind", "name"}.
int part_links(
	const json_t *doc, const char *what, struct grant_link *list, unsigned *n, struct err *err
);

// Appends; refuses what is malformed, named twice or too many. bdf: "0000:3b:00.0" or "3b:00.0".
int part_add_nic(struct grant_nic *list, unsigned *n, const char *bdf, struct err *err);
// "NET_RAW".
int part_add_cap(uint64_t *caps, const char *name, struct err *err);
// The "caps" array.
int part_caps(const json_t *doc, const char *what, uint64_t *ret, struct err *err);
// "default", "strict:FILE" or "FILE", FILE being absolute. "default" is kept as "".
int part_set_seccomp(char to[static GRANT_SECCOMP], const char *value, struct err *err);
// "memif:NAME".
int part_add_link(struct grant_link *list, unsigned *n, const char *s, struct err *err);
int part_add_hugepages(
	struct grant_hugepages *list, unsigned *n, const struct grant_hugepages *h, struct err *err
);
