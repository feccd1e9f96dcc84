// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What comes over a keeper's socket, in both directions: a request or a reply that is read and written
// is the same.

#include "fuzz.h"

#include "base/jread.h"
#include "keeper/protocol.h"

static void request(const char *text, size_t len)
{
	static struct keeper_request req, again;
	_cleanup_json_ json_t *doc = NULL, *twice = NULL;
	_cleanup_free_ char *written = NULL;
	struct err err = {0};

	memset(&req, 0x5a, sizeof(req));
	if (keeper_request_parse(text, len, &req, &err) < 0) {
		must_explain(&err);
		must(req.seconds == 0x5a5a5a5a);
		return;
	}
	must(req.op < KEEPER_OPS);
	must(req.nenv <= LAUNCH_LISTS && req.nvolumes <= LAUNCH_LISTS);
	if (req.op == KEEPER_RUN || req.op == KEEPER_EXEC)
		must(req.argv != NULL && req.argv[0] != NULL);
	if (req.op == KEEPER_SIGNAL)
		must(keeper_signal_allowed(req.signal));
	for (unsigned i = 0; i < req.nvolumes; i++)
		must(req.volumes[i][0] == '/');
	doc = keeper_request_to_json(&req);
	must(doc != NULL);
	written = json_dumps(doc, JSON_COMPACT);
	must(written != NULL);
	// what is left out is written too, so a long one may grow past the limit
	if (strlen(written) <= KEEPER_MESSAGE_MAX) {
		must(keeper_request_parse(written, strlen(written), &again, &err) == 0);
		twice = keeper_request_to_json(&again);
		must(json_equal(doc, twice));
		keeper_request_done(&again);
	}
	keeper_request_done(&req);
}

static void reply(const char *text, size_t len)
{
	static struct keeper_reply r;
	_cleanup_json_ json_t *doc = NULL;
	struct err err = {0};

	if (keeper_reply_parse(text, len, &r, &err) < 0) {
		must_explain(&err);
		return;
	}
	must(r.status >= 0 && r.status <= 255);
	for (const char *c = r.error; *c != '\0'; c++)
		must((unsigned char)*c >= 0x20 && *c != 0x7f);
	doc = keeper_reply_to_json(&r);
	must(doc != NULL);
	json_decref(r.row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *text = fuzz_string(data, len);

	request(text, len);
	reply(text, len);
	return 0;
}
