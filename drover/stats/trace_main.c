// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover trace: what becomes of a task's next packets, from a running drover.

#include "base/jread.h"
#include "base/scope.h"
#include "base/str.h"
#include "stats/client.h"
#include "stats/trace.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS 10 // to wait for the packets
#define LOOK_NS 20000000
#define HEX_LINE 16 // bytes a line

static const char help[] =
	"Usage: drover trace [OPTION...] TASK [N]\n\n"
	"Prints what becomes of the task's next N packets (1; at most 128): what came in, where it "
	"went\n"
	"or why it was dropped.\n\n"
	"  --file-prefix NAME  of the drover to look at; default: the only one there is\n"
	"  --socket PATH       its telemetry socket, for one in a container\n"
	"  --seconds N         to wait for them, 1 to 3600; default 10\n"
	"  --json              print a line of JSON a packet instead\n";

struct options {
	struct client_target target;
	long seconds;
	bool json;
	const char *task, *count;
};

static int parse_options(int argc, char **argv, struct options *o, struct err *err)
{
	static const struct option longs[] = {
		{"file-prefix", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"seconds", required_argument, NULL, 't'},
		{"socket", required_argument, NULL, 's'},
		{0},
	};
	char *end;
	int c;

	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		if (c == 'f')
			o->target.prefix = optarg;
		else if (c == 's')
			o->target.path = optarg;
		else if (c == 'j')
			o->json = true;
		else if (c == 'h')
			return 1;
		else if (c != 't')
			return err_set(
				err,
				EINVAL,
				c == ':' ? "option '%s' wants a value"
					 : "unknown option '%s'; see drover trace --help",
				argv[optind - 1]
			);
		else if ((o->seconds = strtol(optarg, &end, 10)) < 1 || o->seconds > 3600 || *end != '\0')
			return err_set(err, EINVAL, "--seconds '%.24s': 1 to 3600", optarg);
	}
	if (argc - optind < 1 || argc - optind > 2)
		return err_set(err, EINVAL, "trace: name a task, and a number of packets if not 1");
	if (o->target.path != NULL && o->target.prefix != NULL)
		return err_set(err, EINVAL, "--socket and --file-prefix say the same: give one");
	o->task = argv[optind];
	o->count = argc - optind == 2 ? argv[optind + 1] : "1";
	return 0;
}

static const char *text_of(const json_t *o, const char *key, const char *none)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : none;
}

static void print_hex(const json_t *bytes)
{
	const json_t *line;
	const char *key;
	unsigned at = 0;

	// "0", "1": pieces of one string
	json_object_foreach ((json_t *)bytes, key, line) {
		const char *s = json_string_value(line);

		for (; s != NULL && s[0] != '\0' && s[1] != '\0'; s += 2, at++) {
			if (at % HEX_LINE == 0)
				printf("%s    %04x ", at > 0 ? "\n" : "", at);
			printf(" %.2s", s);
		}
	}
	if (at > 0)
		putchar('\n');
}

static void print_packet(const json_t *p, const char *number)
{
	const json_t *outputs = json_object_get(p, "outputs"), *out;
	const char *drop = text_of(p, "drop", NULL), *port = text_of(p, "port", NULL), *key;
	json_int_t sent = json_integer_value(json_object_get(p, "sent"));

	printf("%s: +%.3f us, %lld bytes%s%s",
	       number,
	       (double)json_integer_value(json_object_get(p, "time_ns")) / 1000,
	       (long long)json_integer_value(json_object_get(p, "length")),
	       port != NULL ? " from " : "",
	       port != NULL ? port : "");
	json_object_foreach ((json_t *)outputs, key, out) {
		printf(" > %s", text_of(outputs, key, "?"));
	}
	if ((size_t)sent > json_object_size(outputs))
		printf(" and others, %lld in all", (long long)sent);
	if (drop != NULL)
		printf("; counted as %s", drop);
	else if (sent == 0)
		printf("; taken by the task");
	putchar('\n');
	print_hex(json_object_get(p, "bytes"));
}

// Prints what an answer has, and adds how many that were.
static void print_packets(const json_t *doc, const struct options *o, unsigned *at)
{
	const json_t *p;
	const char *key;

	json_object_foreach (json_object_get(doc, "packets"), key, p) {
		if (o->json) {
			json_dumpf(p, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			print_packet(p, key);
		}
		(*at)++;
	}
	fflush(stdout);
}

static int follow(struct client *c, const struct options *o, struct err *err)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	time_t begin = time(NULL);
	unsigned at = 0;

	for (;;) {
		_cleanup_json_ json_t *doc = NULL, *stopped = NULL;
		char command[64];
		unsigned before = at;

		snprintf(command, sizeof(command), "/drover/trace_packets,%u", at);
		if (client_ask(c, command, &doc, err) < 0)
			return -err->code;
		print_packets(doc, o, &at);
		if (at > before)
			continue;
		if (json_integer_value(json_object_get(doc, "over")) != 0)
			return 0;
		if (time(NULL) - begin > o->seconds) {
			client_ask(c, "/drover/trace_stop", &stopped, err);
			return err_set(
				err,
				ETIMEDOUT,
				"task '%s' had %u of %s packets in %ld s",
				o->task,
				at,
				o->count,
				o->seconds
			);
		}
		nanosleep(&look, NULL);
	}
}

static int trace_run(const struct options *o, struct err *err)
{
	struct client c = CLIENT_INIT;
	_cleanup_json_ json_t *begun = NULL;
	_cleanup_free_ char *command = str_printf("/drover/trace,%s,%s", o->task, o->count);
	int r;

	if (command == NULL)
		return err_oom(err);
	r = client_open(&o->target, &c, err);
	if (r == 0)
		r = client_ask(&c, command, &begun, err);
	if (r == 0)
		r = follow(&c, o, err);
	client_close(&c);
	return r;
}

int trace_main(int argc, char **argv)
{
	struct options o = {.seconds = SECONDS};
	struct err err;
	int r = parse_options(argc, argv, &o, &err);

	if (r > 0) {
		fputs(help, stdout);
		return 0;
	}
	if (r < 0 || trace_run(&o, &err) < 0) {
		fprintf(stderr, "drover: %s\n", err.msg);
		return r < 0 ? 2 : 1;
	}
	return 0;
}
