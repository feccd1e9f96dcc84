// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What messages of EAL, QEMU, VFIO and container engines mean, and what cures what they tell of.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct known_message {
	const char *of;	  // "EAL", "testpmd", "QEMU", …
	const char *like; // a line that has it: as in fnmatch(3), which looks anywhere in the line
	const char *example; // as it was printed
	const char
		*source; // where the example is from: a program that printed it here, or a report
	const char *cause, *cure;
	bool faint; // printed by what works, too: counts where there is no other
};

// The message of that number, from 0 on; NULL: there are no more. Of two that fit a line the first counts.
const struct known_message *explain_message(size_t i);

// The message of a line, or NULL.
const struct known_message *explain_line(const char *line);

// Of a text the message that says most: the first that is known, as programs go on to complain of what follows from
// it; a faint one where there is no other. NULL: none is.
const struct known_message *explain_text(const char *text);
