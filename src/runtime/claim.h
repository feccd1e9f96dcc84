// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Which grant a container asks for, in the config.json that its engine wrote: by a CDI device, which is a hook
// (CDI_HOOK); by the annotation that kubelet has of the device plug-in; or by annotation or environment. Images and tenants
// write the last two as well as the engine does: both say no more than a name, of a grant that is made to be claimed so.
#pragma once

#include "base/err.h"
#include "ledger/ledger.h"

#include <jansson.h>

#define CLAIM_ANNOTATION "dev.pinfold.grant"
// No pod can have it: Kubernetes takes no name with a colon for an annotation.
#define CLAIM_ANNOTATION_KUBERNETES CLAIM_ANNOTATION ":kubernetes"
// An engine beside it may: with it comes the token of the grant.
#define CLAIM_ANNOTATION_TOKEN "dev.pinfold.token:kubernetes"

struct claim {
	const char *name;     // of the grant, borrowed from the document; NULL: it asks for none
	enum grant_claim way; // that it was named
	const char *
		token; // of CLAIM_BY_KUBERNETES: what was handed out with the name, borrowed; NULL: nothing
	const char *where; // for messages: "annotation dev.pinfold.grant"
};

// False if the text of a config.json can have no claim: it has none of the words, and no escape to write one with.
bool claim_possible(const char *text, size_t len);

// True for the container that holds a pod's namespaces: it has the pod's annotations, and runs nothing.
bool claim_is_for_others(const json_t *doc);

// Refuses what is nearly a claim (an annotation of ours that is none), and two that differ.
int claim_read(const json_t *doc, struct claim *ret, struct err *err);

// Whether it opens the grant. EPERM, with how it would have to be made.
int claim_check(
	const struct claim *c, const struct ledger *l, const struct grant *g, struct err *err
);
