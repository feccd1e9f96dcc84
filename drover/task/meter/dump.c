// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// dump: packets into a capture file (pcapng), and on to the output if there is one. It never waits for the
// file: what the writer is too slow for is counted and missing in it.

#include "task/meter/dump.h"

#include "config/key.h"
#include "task/task.h"

#include <inttypes.h>
#include <jansson.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#define SNAPLEN 2048
#define BUFFERS 1023

struct dump_conf {
	char file[KEY_TEXT_MAX];
	uint64_t packets, bytes; // 0: no limit
	uint32_t snaplen, buffers;
};

struct dump {
	struct dump_file *file;
	uint32_t snaplen;
	uint64_t packets, bytes; // that may still be taken
	uint64_t taken;
	bool begun;
	struct {
		uint64_t taken, packets, bytes, failed;
	} base; // at the last clear
};

#define DROPS(DROP)                   \
	DROP(BEHIND, "writer behind") \
	DROP(FAILED, "write failed")  \
	DROP(EMPTY, "empty")

TASK_DROP_REASONS(DROPS);

static __rte_always_inline void take(
	struct task *t, struct dump *d, const struct rte_mbuf *m, uint64_t now
)
{
	uint32_t len = RTE_MIN(m->pkt_len, d->snaplen);

	if (unlikely(len == 0)) {
		// rte_pcapng_copy makes no copy of nothing
		t->counters.drops[DROP_EMPTY]++;
	} else if (unlikely(len > d->bytes)) {
		d->packets = 0;
	} else if (likely(dump_file_put(d->file, m, now))) {
		d->packets--;
		d->bytes -= len;
		d->taken++;
	} else {
		t->counters.drops[DROP_BEHIND]++;
	}
}

static uint16_t poll_dump(struct task *t)
{
	struct dump *d = t->state;
	struct rte_mbuf *m[BURST];
	uint16_t n = task_rx(t, m);
	uint64_t now;
	uint32_t bytes = 0;

	if (unlikely(!d->begun)) {
		dump_file_begin(d->file);
		d->begun = true;
	}
	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		bytes += m[i]->pkt_len;
	t->counters.rx_bytes += bytes;
	if (unlikely(dump_file_failed(d->file))) {
		t->counters.drops[DROP_FAILED] += d->packets > 0 ? n : 0;
	} else if (d->packets > 0) {
		now = rte_rdtsc();
		for (uint16_t i = 0; i < n && d->packets > 0; i++)
			take(t, d, m[i], now);
	}
	if (t->nout > 0)
		task_tx(t, m, n, bytes);
	else
		rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void done_dump(struct task *t)
{
	struct dump *d = t->state;
	struct dump_figures f = {0};

	if (!dump_file_close(d->file, &f) && f.error == 0)
		fprintf(stderr,
			"drover: warning: task '%s': the file is not whole: %" PRIu64
			" packets were not written within %d s\n",
			t->name,
			d->taken - f.packets,
			DUMP_CLOSE_SECONDS);
}

static int init_dump(struct task *t, const void *arg, struct err *err)
{
	const struct dump_conf *c = arg;
	struct dump *d = t->state;

	if (c->file[0] == '\0')
		return err_set(err, EINVAL, "file= is missing: where packets are written");
	d->snaplen = c->snaplen;
	d->packets = c->packets > 0 ? c->packets : UINT64_MAX;
	d->bytes = c->bytes > 0 ? c->bytes : UINT64_MAX;
	t->poll = poll_dump;
	return dump_file_open(c->file, c->snaplen, c->buffers, t->socket, &d->file, err);
}

static void report_dump(struct task *t, void *object)
{
	const struct dump_conf *c = t->conf != NULL ? t->conf->conf : NULL;
	const struct dump *d = t->state;
	struct dump_figures f;
	uint64_t taken = __atomic_load_n(&d->taken, __ATOMIC_RELAXED);
	bool full = __atomic_load_n(&d->packets, __ATOMIC_RELAXED) == 0;

	dump_file_figures(d->file, &f);
	if (c != NULL)
		json_object_set_new(object, "file", json_string(c->file));
	json_object_set_new(object, "taken", json_integer((json_int_t)(taken - d->base.taken)));
	json_object_set_new(
		object, "written", json_integer((json_int_t)(f.packets - d->base.packets))
	);
	json_object_set_new(
		object, "written_bytes", json_integer((json_int_t)(f.bytes - d->base.bytes))
	);
	json_object_set_new(
		object, "not_written", json_integer((json_int_t)(f.failed - d->base.failed))
	);
	json_object_set_new(object, "limit_reached", json_boolean(full));
	if (f.error != 0)
		json_object_set_new(object, "error", json_string(strerror(f.error)));
}

static void clear_dump(struct task *t)
{
	struct dump *d = t->state;
	struct dump_figures f;

	dump_file_figures(d->file, &f);
	d->base.taken = __atomic_load_n(&d->taken, __ATOMIC_RELAXED);
	d->base.packets = f.packets;
	d->base.bytes = f.bytes;
	d->base.failed = f.failed;
}

static bool verdict_dump(struct task *t, char *line, size_t len)
{
	const struct dump *d = t->state;
	uint64_t behind = t->counters.drops[DROP_BEHIND];
	struct dump_figures f;

	dump_file_figures(d->file, &f);
	if (f.error != 0)
		snprintf(line, len, "the file is not whole: %s", strerror(f.error));
	else if (behind > 0)
		snprintf(
			line, len, "the writer was behind: %" PRIu64 " packets are missing", behind
		);
	return f.error != 0 || behind > 0;
}

static void defaults_dump(void *arg)
{
	*(struct dump_conf *)arg = (struct dump_conf){.snaplen = SNAPLEN, .buffers = BUFFERS};
}

#define KEY_CONF struct dump_conf
static const struct key keys[] = {
	KEY_TEXT(
		"file",
		file,
		"pcapng file, made anew, below the configuration's folder or --dump-dir"
	),
	KEY_U64("packets", packets, 0, 0, "the file ends after that many; default: never"),
	KEY_U64("bytes", bytes, 0, 0, "it ends before more bytes of packets; default: never"),
	KEY_U32("snaplen", snaplen, 1, 16384, "bytes kept of a packet; default 2048"),
	KEY_U32("buffers", buffers, 1, 1 << 20, "packets that wait for the file; default 1023"),
	{NULL},
};

static struct task_mode dump = {
	.name = "dump",
	.help = "packets are written to a pcapng file, and go on if there is an output",
	.wants_rx = true,
	.may_tx = true,
	.passes = true,
	.keys = keys,
	.conf_size = sizeof(struct dump_conf),
	.defaults = defaults_dump,
	TASK_DROP_NAMES,
	.state_size = sizeof(struct dump),
	.init = init_dump,
	.done = done_dump,
	.report = report_dump,
	.clear = clear_dump,
	.verdict = verdict_dump,
};
TASK_MODE(dump)
