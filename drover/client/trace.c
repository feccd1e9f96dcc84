// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// drover trace: what becomes of the next packets of some tasks, from a running drover.

#include "task/trace.h"
#include "base/clock.h"
#include "base/jread.h"
#include "base/options.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wrap.h"
#include "client/client.h"
#include "client/commands.h"
#include "text/decode.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS 10 // to wait for the packets
#define LOOK_MS 20
#define HEX_LINE 16 // bytes a line

static const char help[] =
	"Usage: drover trace [OPTION...] TASK[,TASK...] [N]\n\n"
	"Prints what becomes of the next N packets (1; at most 128) of each task (at most 8): what "
	"came\n"
	"in, where it went and what went out, or why it was dropped.\n\n"
	"  --file-prefix NAME  of the drover to look at; default: the only one there is\n"
	"  --socket PATH       its own, drover.sock, for one in a container\n"
	"  --seconds N         to wait for them, 1 to 3600; default 10\n"
	"  --json              print a line of JSON a packet instead\n";

struct options {
	struct client_target target;
	long seconds;
	bool json;
	unsigned ntasks;
	const char *task[TRACE_TASKS];
	long count;
};

// What is known of one of the tasks.
struct progress {
	unsigned seen;
	bool begun, over;
};

// A packet that waits to be printed.
struct found {
	json_t *packet;
	unsigned task, number;
	json_int_t at_ns;
};

// Cuts the text at its commas.
static int parse_tasks(char *text, struct options *o, struct err *err)
{
	while (text != NULL) {
		if (o->ntasks == TRACE_TASKS)
			return err_set(err, E2BIG, "trace: at most %d tasks", TRACE_TASKS);
		o->task[o->ntasks++] = strsep(&text, ",");
	}
	return 0;
}

// From 1 on.
static bool read_number(const char *text, long max, long *ret)
{
	char *end;

	*ret = strtol(text, &end, 10);
	return *ret >= 1 && *ret <= max && *end == '\0';
}

static int take_seconds(const struct option_row *o, const char *text, struct err *err)
{
	if (!read_number(text, 3600, o->to))
		return err_set(err, EINVAL, "--seconds '%.24s': 1 to 3600", text);
	return 0;
}

static int parse_options(int argc, char **argv, struct options *o, struct err *err)
{
	const struct option_row rows[] = {
		{"file-prefix", .text = &o->target.prefix},
		{"help", 'h'},
		{"json", .flag = &o->json},
		{"seconds", .take = take_seconds, .to = &o->seconds},
		{"socket", .text = &o->target.path},
		{0},
	};
	int r = options_read(argc, argv, true, rows, "drover trace --help", err);

	if (r != 0)
		return r;
	if (argc - optind < 1 || argc - optind > 2)
		return err_set(err, EINVAL, "trace: name a task, and a number of packets if not 1");
	if (argc - optind == 2 && !read_number(argv[optind + 1], TRACE_PACKETS, &o->count))
		return err_set(
			err,
			EINVAL,
			"trace: '%.24s': a number of packets from 1 to %d",
			argv[optind + 1],
			TRACE_PACKETS
		);
	if (client_target_check(&o->target, err) < 0)
		return -err->code;
	return parse_tasks(argv[optind], o, err);
}

// Returns how many bytes there are.
static unsigned unhex(const json_t *text, uint8_t *ret)
{
	const char *s = json_string_value(text);
	unsigned n = 0;

	for (; s != NULL && s[0] != '\0' && s[1] != '\0' && n < TRACE_BYTES; s += 2) {
		const char pair[] = {s[0], s[1], '\0'};

		ret[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static void print_bytes(const char *what, const json_t *text)
{
	uint8_t bytes[TRACE_BYTES];
	unsigned n = unhex(text, bytes);
	char line[DECODE_LINE];

	decode_packet(bytes, n, line, sizeof(line));
	printf("    %s %s", what, line);
	for (unsigned at = 0; at < n; at++) {
		if (at % HEX_LINE == 0)
			printf("\n    %04x ", at);
		printf(" %02x", bytes[at]);
	}
	putchar('\n');
}

static void print_packet(const struct options *o, const struct found *f)
{
	const json_t *p = f->packet, *outputs = json_object_get(p, "outputs"), *out;
	const char *drop = json_text(p, "drop", NULL), *port = json_text(p, "port", NULL);
	json_int_t sent = json_integer_value(json_object_get(p, "sent"));
	size_t i;

	if (o->ntasks > 1)
		printf("%s ", o->task[f->task]);
	printf("%u: +%.3f us, %lld bytes%s%s",
	       f->number,
	       (double)json_integer_value(json_object_get(p, o->ntasks > 1 ? "at_ns" : "time_ns"))
		       / 1000,
	       (long long)json_integer_value(json_object_get(p, "length")),
	       port != NULL ? " from " : "",
	       port != NULL ? port : "");
	json_array_foreach ((json_t *)outputs, i, out) {
		printf(" > %s", json_is_string(out) ? json_string_value(out) : "?");
	}
	if (sent > (json_int_t)json_array_size(outputs))
		printf(" and others, %lld in all", (long long)sent);
	if (drop != NULL)
		printf("; counted as %s", drop);
	else if (sent <= 0)
		printf("; taken by the task");
	putchar('\n');
	print_bytes("in ", json_object_get(p, "bytes"));
	if (sent > 0)
		print_bytes("out", json_object_get(p, "out_bytes"));
}

static void add_line(json_t *p, const char *bytes, const char *key)
{
	uint8_t data[TRACE_BYTES];
	char line[DECODE_LINE];

	if (json_object_get(p, bytes) == NULL)
		return;
	decode_packet(data, unhex(json_object_get(p, bytes), data), line, sizeof(line));
	json_object_set_new(p, key, json_string(line));
}

static void print_json(const struct options *o, const struct found *f)
{
	json_object_set_new(f->packet, "task", json_string(o->task[f->task]));
	add_line(f->packet, "bytes", "in");
	add_line(f->packet, "out_bytes", "out");
	json_dumpf(f->packet, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
}

static int by_time(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

// Asks for what a task has beyond what is known, and adds it to the list.
static int look_at(
	struct client *c,
	const struct options *o,
	unsigned task,
	struct progress *p,
	struct found *list,
	unsigned *n,
	struct err *err
)
{
	_cleanup_json_ json_t *doc = NULL;
	json_t *packet, *q;
	size_t i;

	q = client_request("trace_packets", o->task[task]);
	json_object_set_new(q, "from", json_integer(p->seen));
	if (client_ask(c, q, &doc, err) < 0)
		return -err->code;
	json_array_foreach (json_object_get(doc, "packets"), i, packet) {
		if (p->seen == TRACE_PACKETS)
			break;
		list[(*n)++] = (struct found){
			.packet = json_incref(packet),
			.task = task,
			.number = p->seen++,
			.at_ns = json_integer_value(json_object_get(packet, "at_ns")),
		};
	}
	p->over = json_is_true(json_object_get(doc, "over"));
	return 0;
}

// One look at all tasks: what is new is printed in the order of time.
static int look(
	struct client *c, const struct options *o, struct progress *progress, struct err *err
)
{
	static struct found list[TRACE_TASKS * TRACE_PACKETS];
	unsigned n = 0;
	int r = 0;

	for (unsigned i = 0; i < o->ntasks && r == 0; i++) {
		if (!progress[i].over)
			r = look_at(c, o, i, &progress[i], list, &n, err);
	}
	qsort(list, n, sizeof(list[0]), by_time);
	for (unsigned i = 0; i < n; i++) {
		if (o->json)
			print_json(o, &list[i]);
		else
			print_packet(o, &list[i]);
		json_decref(list[i].packet);
	}
	fflush(stdout);
	return r;
}

// Task number `first` and those behind it that are not over. -1: none.
static int next_open(const struct options *o, const struct progress *p, unsigned first)
{
	while (first < o->ntasks && (p[first].over || !p[first].begun))
		first++;
	return first < o->ntasks ? (int)first : -1;
}

// Lets those go that are still traced.
static void stop(struct client *c, const struct options *o, const struct progress *p)
{
	for (int i = next_open(o, p, 0); i >= 0; i = next_open(o, p, (unsigned)i + 1)) {
		_cleanup_json_ json_t *doc = NULL;
		struct err err;

		if (client_ask(c, client_request("trace_stop", o->task[i]), &doc, &err) < 0)
			return;
	}
}

static int follow(struct client *c, const struct options *o, struct progress *p, struct err *err)
{
	time_t begin = time(NULL);
	int open;

	for (;;) {
		if (look(c, o, p, err) < 0)
			return -err->code;
		open = next_open(o, p, 0);
		if (open < 0)
			return 0;
		if (time(NULL) - begin > o->seconds)
			return err_set(
				err,
				ETIMEDOUT,
				"task '%s' had %u of %ld packets in %ld s",
				o->task[open],
				p[open].seen,
				o->count,
				o->seconds
			);
		nap_ms(LOOK_MS);
	}
}

static int begin(struct client *c, const struct options *o, struct progress *p, struct err *err)
{
	for (unsigned i = 0; i < o->ntasks; i++) {
		_cleanup_json_ json_t *doc = NULL;
		json_t *q;

		q = client_request("trace", o->task[i]);
		json_object_set_new(q, "packets", json_integer(o->count));
		if (client_ask(c, q, &doc, err) < 0)
			return -err->code;
		p[i].begun = true;
	}
	return 0;
}

static int trace_run(const struct options *o, struct err *err)
{
	struct progress progress[TRACE_TASKS] = {0};
	struct client c = CLIENT_INIT;
	int r = client_open(&o->target, &c, err);

	if (r == 0)
		r = begin(&c, o, progress, err);
	if (r == 0)
		r = follow(&c, o, progress, err);
	if (r < 0 && c.fd >= 0)
		stop(&c, o, progress);
	client_close(&c);
	return r;
}

int trace_main(int argc, char **argv)
{
	struct options o = {.seconds = SECONDS, .count = 1};
	struct err err;
	int r = parse_options(argc, argv, &o, &err);

	if (r > 0) {
		wrap_print(help);
		return 0;
	}
	if (r < 0 || trace_run(&o, &err) < 0) {
		fprintf(stderr, "drover: %s\n", err.msg);
		return r < 0 ? 2 : 1;
	}
	return 0;
}
