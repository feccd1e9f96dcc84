// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The commands that ask a running drover. Each returns the exit status.
#pragma once

int ask_main(int argc, char **argv);
int top_main(int argc, char **argv);
int trace_main(int argc, char **argv);
