// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Errors of the slow path: a code and one line for people.
#pragma once

#include <stddef.h>

// What failed, for a person: verb, quoted object, reason, and the cure where we know it.
struct err {
	int code;	// errno value
	char msg[1024]; // one line, no trailing newline
};

#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

// Sets err to code and the message. Returns -code, so that callers can `return err_set(...)`.
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

// As err_set, with ": " and the text of errnum appended.
int err_sys(struct err *err, int errnum, const char *fmt, ...) printf_like(3, 4);

// Puts "message: " before what err says already. Returns -err->code.
int err_wrap(struct err *err, const char *fmt, ...) printf_like(2, 3);

// Of several failures the first is told: keeps err if it is that, and gives it back: 0 if there was none.
void err_keep(struct err *first, const struct err *err);
int err_first(const struct err *first, struct err *err);

// ENOMEM, in one word.
int err_oom(struct err *err);
