// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The tables of messages, which are looked through in this order.
#pragma once

#include "base/scope.h"
#include "explain/explain.h"

struct messages {
	const struct known_message *list;
	size_t n;
};

extern const struct messages eal_messages, devices_messages, qemu_messages, engines_messages;
