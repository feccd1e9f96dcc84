// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
#pragma once

enum share_form {
	SHARE_EAL, // arguments of EAL, one line
	SHARE_ENV, // assignments for a shell
};

// The grant that this process has, to standard output. Returns the exit status.
int share_show(enum share_form form);
