// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a hostile guest sends over virtio-serial, and what a QEMU in its hands says: the first byte chooses.

#include "fuzz.h"

#include "inside/vm/pump.h"
#include "inside/vm/qmp.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PART 16384u

static int take(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	uint32_t n;

	(void)arg;
	must(type > FRAME_GONE && type < FRAME_TYPES);
	must(len <= PUMP_WORD && text[len] == '\0');
	return pump_number(text, len, &n, err) == 0 ? 0 : 0;
}

static void pump(const uint8_t *data, size_t len, int port, int peer)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct err err = {0};
	struct pump p;
	int r = 0;

	fcntl(port, F_SETFL, O_RDWR | O_NONBLOCK);
	pump_open(&p, port, PUMP_WORD);
	pump_source(&p, 0, dup(null));
	must(pump_sink(&p, 1, dup(null), &err) == 0 && pump_sink(&p, 2, dup(null), &err) == 0);
	while (r == 0 && len > 0) {
		size_t part = len < PART ? len : PART;
		struct pollfd fds[PUMP_FDS];

		must(send(peer, data, part, MSG_NOSIGNAL) == (ssize_t)part);
		data += part;
		len -= part;
		pump_wait(&p, fds);
		must(poll(fds, PUMP_FDS, 0) >= 0);
		r = pump_work(&p, fds, take, NULL, &err);
		must(p.out_len <= 2 * (size_t)PUMP_MAX);
		for (int i = 0; i < PUMP_STREAMS; i++)
			must(p.sink[i].len <= PUMP_WINDOW && p.source[i].credit <= PUMP_WINDOW);
		if (r < 0)
			must_explain(&err);
	}
	pump_done(&p);
	close(null);
}

static void qmp(const uint8_t *data, size_t len, int port, int peer)
{
	struct err err = {0};
	struct qmp q;

	must(qmp_open(&q, port, &err) == 0);
	for (; len > 0; data += len < PART ? len : PART, len -= len < PART ? len : PART) {
		must(send(peer, data, len < PART ? len : PART, MSG_NOSIGNAL) > 0);
		if (qmp_events(&q, &err) < 0) {
			must_explain(&err);
			break;
		}
	}
	qmp_done(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int ends[2];

	if (len < 2)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	if ((data[0] & 1) == 0) {
		pump(data + 1, len - 1, ends[0], ends[1]);
		close(ends[0]);
	} else {
		qmp(data + 1, len - 1, ends[0], ends[1]);
	}
	close(ends[1]);
	return 0;
}
