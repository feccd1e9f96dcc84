// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Names of tasks, as DPPD writes them where a task sends to others:
//
//   3s0t1          task 1 of core 3 of socket 0; without "t1" task 0
//   3s0t1-6s0t1    the same task of several cores; 3s0t0-3s0t2 several tasks of one
//   (3s0-6s0,9)t1  task 1 of each of a list
//   selft1         of the core that sends (what "${self}t1" becomes)
//   …t0p, …t0m     to its control path: packets, messages
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "config/kind/core_names.h"

struct target_name {
	struct core_name core;
	bool self;
	unsigned task;
	enum conf_target_kind kind;
};

struct target_names {
	unsigned n;
	struct target_name list[CONF_TARGETS];
	enum task_proto proto; // "proto=ipv4"
	bool has_proto;
};

// "LIST [task=N] [proto=ipv4|arp|ipv6]"
int targets_parse(const char *s, struct target_names *ret, struct err *err);

// "3s0t1"
#define TARGET_NAME_STR (CORE_NAME_STR + 8)
const char *target_name_format(const struct target_name *t, char buf[static TARGET_NAME_STR]);
