// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Answers of telemetry about tables. Each takes what followed the command's first comma, which it may
// change, and returns a new object, or NULL with err set. Under report_lock.
#pragma once

#include "base/err.h"

#include <jansson.h>

struct plane;

json_t *answer_tables(struct plane *p, char *param, struct err *err);
json_t *answer_cpes(struct plane *p, char *param, struct err *err);    // TABLE
json_t *answer_hop_add(struct plane *p, char *param, struct err *err); // TABLE,ID,IP,MAC,LABEL,PORT
json_t *answer_route_add(struct plane *p, char *param, struct err *err); // TABLE,PREFIX/DEPTH,HOP
json_t *answer_route_del(struct plane *p, char *param, struct err *err); // TABLE,PREFIX/DEPTH
json_t *answer_user_add(struct plane *p, char *param, struct err *err);	 // TABLE,SVLAN,CVLAN,GRE-ID
json_t *answer_user_del(struct plane *p, char *param, struct err *err);	 // TABLE,GRE-ID
json_t *answer_reload(struct plane *p, char *param, struct err *err);	 // TABLE,FILE
