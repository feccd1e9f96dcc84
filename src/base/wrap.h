// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Text for a terminal of 80 columns, as what --help says.
#pragma once

// Prints it to standard output. What has a longer line is broken anew: a synopsis ("Usage: …", and what follows it at
// the same column), a paragraph, or a row, which is a label and, two spaces on or more, what it means.
void wrap_print(const char *text);
