// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Tables as text, for millions of entries where Lua would be slow. One entry a line, '#' begins a
// comment line, fields are separated by commas with no blanks:
//
//   hop,ID,ADDRESS,MAC,LABEL,PORT      hop,1,192.0.2.1,02:00:00:00:00:01,100,0
//   route,PREFIX/DEPTH,HOP             route,198.51.100.0/24,1
//   user,SVLAN,CVLAN,GRE-ID            user,7,42,700042
//   cpe,GRE-ID,ADDRESS,MAC,PORT        cpe,700042,10.0.0.2,02:00:00:00:10:02,0
//
// Numbers are decimal, without sign and leading zeros.
#pragma once

#include "table/spec.h"

#include <stddef.h>

// Adds what the text says to the parts of *s. On failure the message is "NAME:LINE: …" and *s is to be
// released: part of the text may be in it. name: of the file, for messages.
int table_parse(const char *text, size_t len, const char *name, struct spec *s, struct err *err);

// The same from a file of at most 1 GiB below the folder: no symbolic link and no ".." leads out of it.
int table_read(const char *folder, const char *path, struct spec *s, struct err *err);
