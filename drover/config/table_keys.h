// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Keys with a role: rows that several modes have, by the field of their configuration.
#pragma once

#include "config/key.h"

#define KEY_ROLE_TEXT(role_, ...) KEY_ROW(text, char[KEY_TEXT_MAX], __VA_ARGS__, .role = (role_))

#define KEY_ROUTE_TABLE(field)                                             \
	KEY_ROLE_TEXT(                                                     \
		ROLE_ROUTES,                                               \
		"route table",                                             \
		field,                                                     \
		"routes and next hops: a table of [lua], or a file (.csv)" \
	)
#define KEY_USER_TABLE(field, help) KEY_ROLE_TEXT(ROLE_USERS, "user table", field, help)
#define KEY_CPE_TABLE(field, help) KEY_ROLE_TEXT(ROLE_CPES, "cpe table", field, help)

#define KEY_CPE_TIMEOUT(field, help_)   \
	KEY_ROW(u32,                    \
		uint32_t,               \
		"cpe table timeout ms", \
		field,                  \
		help_,                  \
		.min = 1,               \
		.max = UINT32_MAX,      \
		.role = ROLE_CPE_TIMEOUT)

#define KEY_QINQ_TAG(field, help_) \
	KEY_ROW(u32, uint32_t, "qinq tag", field, help_, .max = UINT16_MAX, .role = ROLE_QINQ_TAG)

#define KEY_SOURCE_ROUTE(field)                                                          \
	KEY_BOOL(                                                                        \
		"source route",                                                          \
		field,                                                                   \
		"packets whose sender says the way (RFC 791) go on as others, by their " \
		"destination (default no: they are dropped)"                             \
	)
