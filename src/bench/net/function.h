// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The network functions of the paper (§6.1 to 6.3), as configurations of drover: of the function, and of the tester
// that loads it and looks at what comes back.
#pragma once

#include <stddef.h>

// A size of frames, CRC included, or a mix of sizes, as keys of a generator.
struct frame_size {
	const char *name; // "64", "IMIX"
	const char *key;  // "pkt size=60"
	const char *back; // the same of what goes the other way; NULL: nothing does
};

struct function {
	const char *name;
	// Configurations: of the function, with ports "in" and "out"; and of the tester, with "out" and "back", where
	// $size and $back stand for lines of its generators. tester NULL: the function measures by itself, without ports.
	const char *vnf, *tester;
	const struct frame_size *sizes; // the smallest first; ends with a name NULL
	unsigned pages;			// of 2 MiB for the function
	// packets that its tables learn from before anything comes back the other way
	unsigned warm_up;
};

extern const struct function function_none, function_l2fwd, function_l3fwd, function_bng;

// A device of a known capacity, FUNCTION_POLICED packets of 64 bytes a second: what the search finds is compared with it.
#define FUNCTION_POLICED 200000.0
extern const struct function function_policed;
