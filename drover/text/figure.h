// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Figures as people read them. Each is written into buf, which is returned.
#pragma once

#include <jansson.h>

#define FIGURE_STR 32

// "12.34 Mpps", "523.0 kpps", "12 pps"
char *figure_pps(double pps, char buf[static FIGURE_STR]);
// "290 ns", "12.3 us", "1.23 ms", "4.5 s"
char *figure_time(double ns, char buf[static FIGURE_STR]);
// "999", "12.3k", "4.56M": for columns
char *figure_count(double n, char buf[static FIGURE_STR]);
// "1:02:03" of seconds
char *figure_clock(double seconds, char buf[static FIGURE_STR]);

// As JSON: a whole one as an integer.
json_t *figure_number(double v);

// Any number of a report by the end of its key: _ns, _pps, _bits_per_second, _share
// (percent), _seconds; others as they
// are. "-" when it is none.
char *figure_by_key(const char *key, const json_t *value, char buf[static FIGURE_STR]);
