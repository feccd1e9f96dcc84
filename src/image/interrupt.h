// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A build whose signals are blocked (image.h) asks now and then whether it is to end.
#pragma once

#include "base/err.h"

// -EINTR with err set when SIGINT, SIGTERM or SIGHUP is pending, else 0.
int image_interrupted(struct err *err);
