// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The messages of kubelet's device plugin API (api.proto) as bytes.
#pragma once

#include "base/err.h"
#include "deviceplugin/catalog.h"

#include <stddef.h>
#include <stdint.h>

#define RESOURCE_PREFIX "pinfold.dev/"

struct bytes {
	uint8_t *data; // to be freed
	size_t len;
};

// What kubelet asks a resource, by the name of the method: a function of the request's bytes. Fails with EINVAL for
// what is no request, ENOENT for a device that there is not, EBUSY for one that cannot be had now.
typedef int (*answer_fn
)(const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err);

int answer_options(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
);
// All of its devices, with health and nodes.
int answer_list(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
);
// Those that are close to each other; of nodes that have enough, the fullest.
int answer_preferred(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
);
// The names of grants, in each way that a container may be told: as CDI devices for those that know them, and as
// annotation and environment. With the token, but for the environment, which the container sees.
int answer_allocate(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
);
int answer_nothing(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
);

// endpoint: the name of its socket in the directory of kubelet's.
int answer_register(
	const struct resource *r, const char *endpoint, struct bytes *ret, struct err *err
);
