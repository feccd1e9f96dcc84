// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// All requests, and who carries them out: for whoever brings them.
#pragma once

#include "serve/request.h"

extern const struct request requests[]; // up to one without a name

// Whose they are; NULL: nobody's, and all of them are refused. Returns when none is under way any more.
void requests_of(struct plane *p);

// Carries a request out. Returns a new object, which says {"error": why} where it could not be done; NULL: no
// memory even for that.
json_t *request_answer(const struct request *r, const json_t *q);
json_t *request_refusal(const struct err *err);
