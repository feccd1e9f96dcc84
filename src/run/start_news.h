// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What whoever waits for a start hears of it, over a pipe.
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct news {
	enum {
		NEWS_USER, // as whom the program will run, and in which image: uid, gid, image_dev and image_ino
		NEWS_STARTED, // the program runs: name
		NEWS_ENDED,   // it has ended, with status; or could not be started, as err says
	} what;
	uint32_t uid, gid;
	uint64_t image_dev, image_ino; // as of a lease
	char name[NAME_MAX_LEN + 1];
	int status;	// exit status for the caller
	struct err err; // code 0: it ran
};

// At once, and to nobody where fd is -1. Who does not listen any more misses it.
void news_tell(int fd, const struct news *n);

// 1; 0 when there is none: nobody is left to tell any, or the descriptor does not wait.
int news_hear(int fd, struct news *ret);
