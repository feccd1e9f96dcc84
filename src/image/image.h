// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Root file systems made from what is installed on this machine: a program, the libraries it needs
// and, for a DPDK program, the drivers that EAL loads when it starts.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IMAGE_DIR "/var/lib/pinfold/images"	// where images without a slash in their name are
#define IMAGE_MANIFEST "etc/pinfold-image.json" // what an image was made of, in the image

// Whether an image that is there may go. begin: of the directory with these numbers; where it fails the image stays.
// Nobody begins to use it until end, but who is asked again, when it is away from its place: where that fails it is put
// back. again may be NULL.
struct image_guard {
	int (*begin)(void *arg, const char *dir, dev_t dev, ino_t ino, struct err *err);
	int (*again)(void *arg, struct err *err);
	void (*end)(void *arg);
	void *arg;
};

struct image_request {
	const char *dir;       // the image: a path
	char *const *programs; // paths or names found in PATH
	size_t nprograms;
	char *const *add; // files that go in at the place they have here
	size_t nadd;
	const char *pmds; // "all", "none", a list such as "net_null,memif", NULL: the usual
	bool replace;	  // an image that is there already is replaced
	const struct image_guard *guard; // of that; may be NULL
	void (*note)(const char *line);	 // told what was taken beyond what was asked; may be NULL
};

// Builds the image beside its place and moves it there when it is whole; a failure leaves nothing.
// SIGINT, SIGTERM and SIGHUP should be blocked: a pending one ends the work with EINTR. Needs root.
// *ret: the manifest, a new reference.
int image_build(const struct image_request *req, json_t **ret, struct err *err);

// Removes an image, and what builds and removals of it that were killed have left. Only an image goes. Needs root.
int image_remove(const char *dir, const struct image_guard *guard, struct err *err);

// Calls fn for each name that has something left of a build or removal that was killed. parent: a directory of images.
// There is none for who is not root: whether somebody works there cannot be told.
int image_leftovers(const char *parent, int (*fn)(const char *name, void *arg), void *arg);

// The manifest of an image: {"format": 1, "programs": [path...], "dpdk": {"abi", "version", "pmds"}
// or null, "bytes": N, "files": [{"path", "bytes"}...]}. A directory without one is -ENOENT.
int image_manifest(const char *dir, json_t **ret, struct err *err);
