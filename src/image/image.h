// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Root file systems made from what is installed on this machine: a program, the libraries it needs
// and, for a DPDK program, the drivers that EAL loads when it starts.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define IMAGE_DIR "/var/lib/pinfold/images"	// where images without a slash in their name are
#define IMAGE_MANIFEST "etc/pinfold-image.json" // what an image was made of, in the image

struct image_request {
	const char *dir;       // the image: a path
	char *const *programs; // paths or names found in PATH
	size_t nprograms;
	char *const *add; // files that go in at the place they have here
	size_t nadd;
	const char *pmds; // "all", "none", a list such as "net_null,memif", NULL: the usual
	bool replace;	  // an image that is there already is replaced
	void (*note)(const char *line); // told what was taken beyond what was asked; may be NULL
};

// Builds the image beside its place and moves it there when it is whole; a failure leaves nothing.
// SIGINT, SIGTERM and SIGHUP should be blocked: a pending one ends the work with EINTR. Needs root.
// *ret: the manifest, a new reference.
int image_build(const struct image_request *req, json_t **ret, struct err *err);

// The manifest of an image: {"format": 1, "programs": [path...], "dpdk": {"abi", "version", "pmds"}
// or null, "bytes": N, "files": [{"path", "bytes"}...]}. A directory without one is -ENOENT.
int image_manifest(const char *dir, json_t **ret, struct err *err);
