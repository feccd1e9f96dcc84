// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Keys that several modes have, by the field of their configuration that holds the value.
#pragma once

#include "config/key.h"

#include <stddef.h>

#define KEY_ROUTE_TABLE(conf, field)                                               \
	{                                                                          \
		"route table", KEY_TEXT, offsetof(conf, field), 0, 0,              \
			"routes and next hops: a table of [lua], or a file (.csv)" \
	}

#define KEY_USER_TABLE(conf, field)                                       \
	{                                                                 \
		"user table", KEY_TEXT, offsetof(conf, field), 0, 0,      \
			"subscribers: a table of [lua], or a file (.csv)" \
	}

#define KEY_QINQ_TAG(conf, field)                                      \
	{                                                              \
		"qinq tag", KEY_U32, offsetof(conf, field), 0, 0xffff, \
			"type of the S-tag: 0x88a8 (default), 0x8100"  \
	}
