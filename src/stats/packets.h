// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What the drovers in workloads count.
#pragma once

#include "stats/stats.h"

// Asks those of all workloads at once: a second later none is waited for any more, whoever they are.
void packets_ask(const struct ledger *l, struct stats *s);

// report.c: adds the numbers of a drover's answer; false: it is none. *values: how many may be read yet.
#define PACKETS_VALUES 65536 // of a drover's each has some 16 bytes, of others' two
bool packets_in_report(const char *text, size_t len, size_t *values, struct stats_packets *ret);
