// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

#include <jansson.h>
#include <stdbool.h>

// Prints an inventory (host_to_json) for people. all: every PCI function, not only those of networks.
void host_print(const json_t *inventory, bool all);
