// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Amounts of memory as people write them.
#pragma once

#include "base/err.h"

#include <stdint.h>

// "2M", "1G", "64K", "2MB", "1GiB", "4096": powers of 1024, in bytes. No sign, no fraction.
int size_parse(const char *s, uint64_t *ret, struct err *err);

// The shortest exact form: "2M", "1G", "1536K", "100". Returns buf; 24 bytes always fit.
#define SIZE_STR 24
char *size_format(uint64_t bytes, char buf[static SIZE_STR]);

// The name the hugetlb controller uses for a page size: "2MB", "1GB", "64KB".
char *size_format_hugetlb(uint64_t bytes, char buf[static SIZE_STR]);
