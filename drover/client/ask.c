// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover ask: any request to a running drover, and its answer.

#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/wrap.h"
#include "client/client.h"
#include "client/commands.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
	"Usage: drover ask [--file-prefix NAME | --socket PATH] REQUEST [NAME=VALUE...]\n\n"
	"Asks a running drover, and prints its answer as JSON: 'drover ask help' has the "
	"requests.\n\n"
	"  --file-prefix NAME  of the drover; default: the only one there is\n"
	"  --socket PATH       its own, drover.sock, for one in a container\n\n"
	"A VALUE that is a number or a JSON string is that, as in pps=5000 or task='\"7\"'; others "
	"are strings.\n";

// NAME=VALUE.
static int add_argument(json_t *request, char *text, struct err *err)
{
	char *value = strchr(text, '=');
	json_t *v;

	if (value == NULL || value == text)
		return err_set(err, EINVAL, "ask: '%.60s': write NAME=VALUE", text);
	*value++ = '\0';
	v = json_loads(value, JSON_DECODE_ANY, NULL);
	if (!json_is_number(v) && !json_is_string(v)) {
		json_decref(v);
		v = json_string(value);
	}
	if (json_object_set_new(request, text, v) < 0)
		return err_set(err, EINVAL, "ask: '%.60s' is no UTF-8", value);
	return 0;
}

// 1: help was asked for.
static int parse_options(
	int argc, char **argv, struct client_target *target, json_t **request, struct err *err
)
{
	const struct option_row rows[] = {
		{"file-prefix", .text = &target->prefix},
		{"help", 'h'},
		{"socket", .text = &target->path},
		{0},
	};
	int r = options_read(argc, argv, true, rows, "drover ask --help", err);

	if (r != 0)
		return r;
	if (client_target_check(target, err) < 0)
		return -err->code;
	if (optind == argc)
		return err_set(err, EINVAL, "ask: name a request; 'drover ask help' lists them");
	*request = client_request(argv[optind], NULL);
	if (*request == NULL)
		return err_set(err, EINVAL, "ask: '%.60s' is no UTF-8", argv[optind]);
	while (++optind < argc) {
		if (add_argument(*request, argv[optind], err) < 0)
			return -err->code;
	}
	return 0;
}

int ask_main(int argc, char **argv)
{
	__attribute__((cleanup(client_close))) struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *request = NULL, *answer = NULL;
	struct client_target target = {0};
	struct err err;
	int r = parse_options(argc, argv, &target, &request, &err);
	bool ok = false;

	if (r > 0) {
		wrap_print(help);
		return 0;
	}
	if (r == 0 && client_open(&target, &c, &err) == 0) {
		client_wait(&c, 60); // a table may be large
		ok = client_ask(&c, json_incref(request), &answer, &err) == 0;
	}
	if (!ok) {
		fprintf(stderr, "drover: %s\n", err.msg);
		return r < 0 ? 2 : 1;
	}
	json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	putchar('\n');
	return 0;
}
