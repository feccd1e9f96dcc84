// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "inside/vm/pump.h"

#include "base/scope.h"

#include <fcntl.h>
#include <string.h>

#define HEAD 8u
#define OUT_FULL (2 * PUMP_WINDOW)     // waiting to be sent: no more is read until there is less
#define OUT_MAX (2 * (size_t)PUMP_MAX) // what honest ends never come to

static void put32(char *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(v >> (8 * i));
}

static uint32_t get32(const char *from)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v |= (uint32_t)(unsigned char)from[i] << (8 * i);
	return v;
}

void pump_open(struct pump *p, int port, size_t max)
{
	*p = (struct pump){.port = port, .max = max};
	for (int i = 0; i < PUMP_STREAMS; i++)
		p->source[i].fd = p->sink[i].fd = -1;
}

void pump_done(struct pump *p)
{
	for (int i = 0; i < PUMP_STREAMS; i++) {
		scope_close(&p->source[i].fd);
		scope_close(&p->sink[i].fd);
		free(p->sink[i].buf);
	}
	free(p->in);
	free(p->out);
	pump_open(p, -1, 0);
}

static void unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void pump_source(struct pump *p, unsigned stream, int fd)
{
	unblock(fd);
	p->source[stream].fd = fd;
	p->source[stream].credit = PUMP_WINDOW;
}

int pump_sink(struct pump *p, unsigned stream, int fd, struct err *err)
{
	p->sink[stream].buf = malloc(PUMP_WINDOW);
	if (p->sink[stream].buf == NULL)
		return err_oom(err);
	unblock(fd);
	p->sink[stream].fd = fd;
	p->sink[stream].open = true;
	return 0;
}

// ---- to the other end

static int append(
	struct pump *p,
	enum frame_type type,
	unsigned stream,
	const void *data,
	size_t len,
	struct err *err
)
{
	size_t need = p->out_len + HEAD + len;
	char *head;

	// one that takes nothing and goes on sending
	if (need > OUT_MAX)
		return err_set(err, EPROTO, "the other end does not read");
	if (need > p->out_room) {
		char *more = realloc(p->out, 2 * need);

		if (more == NULL)
			return err_oom(err);
		p->out = more;
		p->out_room = 2 * need;
	}
	head = p->out + p->out_len;
	memset(head, 0, HEAD);
	head[0] = (char)type;
	head[1] = (char)stream;
	put32(head + 4, (uint32_t)len);
	if (len > 0)
		memcpy(head + HEAD, data, len);
	p->out_len = need;
	return 0;
}

int pump_send(struct pump *p, enum frame_type type, const void *data, size_t len, struct err *err)
{
	return append(p, type, 0, data, len, err);
}

static int append_number(
	struct pump *p, enum frame_type type, unsigned stream, uint32_t value, struct err *err
)
{
	char bytes[4];

	put32(bytes, value);
	return append(p, type, stream, bytes, sizeof(bytes), err);
}

int pump_send_number(struct pump *p, enum frame_type type, uint32_t value, struct err *err)
{
	return append_number(p, type, 0, value, err);
}

int pump_number(const char *text, size_t len, uint32_t *ret, struct err *err)
{
	if (len != 4)
		return err_set(err, EPROTO, "a number of %zu bytes", len);
	*ret = get32(text);
	return 0;
}

static int flush(struct pump *p, struct err *err)
{
	size_t done = 0;

	while (done < p->out_len) {
		ssize_t n = write(p->port, p->out + done, p->out_len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return err_set(
				err, EPIPE, "the other end of the program's streams is gone"
			);
		done += (size_t)n;
	}
	memmove(p->out, p->out + done, p->out_len - done);
	p->out_len -= done;
	return 0;
}

// One reading of a source, of at most left bytes, which it lowers. True when there may be more.
static bool read_source(struct pump *p, unsigned i, size_t *left, struct err *err)
{
	char buf[PUMP_DATA];
	size_t room = p->source[i].credit < sizeof(buf) ? p->source[i].credit : sizeof(buf);
	ssize_t n;

	room = *left < room ? *left : room;
	if (p->source[i].fd < 0 || room == 0)
		return false;
	do {
		n = read(p->source[i].fd, buf, room);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n > 0) {
		p->source[i].credit -= (size_t)n;
		*left -= (size_t)n;
		return append(p, FRAME_DATA, i, buf, (size_t)n, err) == 0;
	}
	// also a terminal that nobody has open any more, EIO
	close(p->source[i].fd);
	p->source[i].fd = -1;
	append(p, FRAME_EOF, i, NULL, 0, err);
	return false;
}

bool pump_drain(struct pump *p, size_t left[static PUMP_STREAMS], struct err *err)
{
	bool more = false;

	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		for (int k = 0; k < 8 && read_source(p, i, &left[i], err); k++)
			more = true;
		// what may not be sent now is still there
		more = more || (p->source[i].fd >= 0 && left[i] > 0 && p->source[i].credit == 0);
	}
	return more;
}

// ---- from the other end

static void close_sink(struct pump *p, unsigned i)
{
	scope_close(&p->sink[i].fd);
	p->sink[i].fd = -1;
	p->sink[i].len = p->sink[i].start = 0;
}

static int write_sink(struct pump *p, unsigned i, struct err *err)
{
	size_t written = 0;

	while (p->sink[i].fd >= 0 && p->sink[i].len > 0) {
		size_t end = PUMP_WINDOW - p->sink[i].start;
		size_t part = p->sink[i].len < end ? p->sink[i].len : end;
		ssize_t n = write(p->sink[i].fd, p->sink[i].buf + p->sink[i].start, part);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close_sink(p, i);
			return append(p, FRAME_GONE, i, NULL, 0, err);
		}
		p->sink[i].start = (p->sink[i].start + (size_t)n) % PUMP_WINDOW;
		p->sink[i].len -= (size_t)n;
		written += (size_t)n;
	}
	if (p->sink[i].fd >= 0 && p->sink[i].len == 0 && p->sink[i].ended)
		close_sink(p, i);
	if (written > 0 && !p->sink[i].ended)
		return append_number(p, FRAME_MORE, i, (uint32_t)written, err);
	return 0;
}

static int take_data(struct pump *p, unsigned i, const char *data, size_t len, struct err *err)
{
	size_t end;

	if (!p->sink[i].open || p->sink[i].ended || p->sink[i].len + len > PUMP_WINDOW)
		return err_set(err, EPROTO, "%zu bytes of stream %u that has no room", len, i);
	if (p->sink[i].fd < 0)
		return 0; // it was on its way when nobody took it any more
	end = (p->sink[i].start + p->sink[i].len) % PUMP_WINDOW;
	if (end + len > PUMP_WINDOW) {
		memcpy(p->sink[i].buf + end, data, PUMP_WINDOW - end);
		memcpy(p->sink[i].buf, data + (PUMP_WINDOW - end), len - (PUMP_WINDOW - end));
	} else {
		memcpy(p->sink[i].buf + end, data, len);
	}
	p->sink[i].len += len;
	return write_sink(p, i, err);
}

static int take_more(struct pump *p, unsigned i, const char *text, size_t len, struct err *err)
{
	uint32_t n = 0;

	if (pump_number(text, len, &n, err) < 0)
		return -err->code;
	if (n > PUMP_WINDOW - p->source[i].credit)
		return err_set(err, EPROTO, "room of %u bytes for stream %u", n, i);
	p->source[i].credit += n;
	return 0;
}

static int take_frame(
	struct pump *p, const char *frame, size_t len, pump_fn fn, void *arg, struct err *err
)
{
	unsigned type = (unsigned char)frame[0], stream = (unsigned char)frame[1];
	const char *body = frame + HEAD;

	if (type == 0 || type >= FRAME_TYPES || stream >= PUMP_STREAMS)
		return err_set(err, EPROTO, "a frame of type %u, stream %u", type, stream);
	switch (type) {
	case FRAME_DATA:
		return take_data(p, stream, body, len, err);
	case FRAME_MORE:
		return take_more(p, stream, body, len, err);
	case FRAME_EOF:
		if (!p->sink[stream].open)
			return err_set(err, EPROTO, "the end of stream %u that is none", stream);
		p->sink[stream].ended = true;
		return write_sink(p, stream, err);
	case FRAME_GONE:
		scope_close(&p->source[stream].fd);
		p->source[stream].fd = -1;
		return 0;
	default:
		return fn(arg, (enum frame_type)type, body, len, err);
	}
}

// All whole frames of what has come. One byte beyond the last is kept for a NUL.
static int take_frames(struct pump *p, pump_fn fn, void *arg, struct err *err)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && p->in_len - at >= HEAD) {
		size_t len = get32(p->in + at + 4);
		char *end, saved;

		if (len > p->max) {
			r = err_set(err, EPROTO, "a frame of %zu bytes", len);
			break;
		}
		if (p->in_len - at < HEAD + len)
			break;
		end = p->in + at + HEAD + len;
		saved = *end;
		*end = '\0';
		r = take_frame(p, p->in + at, len, fn, arg, err);
		*end = saved;
		at += HEAD + len;
	}
	memmove(p->in, p->in + at, p->in_len - at);
	p->in_len -= at;
	return r;
}

static int receive(struct pump *p, pump_fn fn, void *arg, struct err *err)
{
	if (p->in == NULL) {
		p->in_room = HEAD + p->max;
		p->in = malloc(p->in_room + 1);
		if (p->in == NULL)
			return err_oom(err);
	}
	for (int i = 0; i < 16; i++) {
		ssize_t n = read(p->port, p->in + p->in_len, p->in_room - p->in_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return err_set(
				err, EPIPE, "the other end of the program's streams is gone"
			);
		p->in_len += (size_t)n;
		if (take_frames(p, fn, arg, err) < 0)
			return -err->code;
	}
	return 0;
}

// ---- both

void pump_wait(const struct pump *p, struct pollfd *fds)
{
	fds[0] = (struct pollfd){
		.fd = p->port, .events = (short)(POLLIN | (p->out_len > 0 ? POLLOUT : 0))};
	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		bool read = p->source[i].credit > 0 && p->out_len < OUT_FULL;

		fds[1 + i] = (struct pollfd){.fd = read ? p->source[i].fd : -1, .events = POLLIN};
		// without anything to write it tells when nobody reads any more
		fds[1 + PUMP_STREAMS + i] = (struct pollfd){
			.fd = p->sink[i].fd, .events = (short)(p->sink[i].len > 0 ? POLLOUT : 0)};
	}
}

int pump_work(struct pump *p, const struct pollfd *fds, pump_fn fn, void *arg, struct err *err)
{
	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		const struct pollfd *source = &fds[1 + i], *sink = &fds[1 + PUMP_STREAMS + i];
		size_t any = SIZE_MAX;

		err->code = 0;
		if (source->revents != 0)
			read_source(p, i, &any, err);
		if (err->code != 0)
			return -err->code;
		if ((sink->revents & POLLERR) != 0 && p->sink[i].fd >= 0) {
			close_sink(p, i);
			if (append(p, FRAME_GONE, i, NULL, 0, err) < 0)
				return -err->code;
		} else if (sink->revents != 0 && write_sink(p, i, err) < 0) {
			return -err->code;
		}
	}
	if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && receive(p, fn, arg, err) < 0)
		return -err->code;
	return p->out_len > 0 ? flush(p, err) : 0;
}

bool pump_sent(const struct pump *p)
{
	return p->out_len == 0;
}

bool pump_written(const struct pump *p)
{
	for (unsigned i = 0; i < PUMP_STREAMS; i++) {
		if (p->sink[i].fd >= 0 && p->sink[i].len > 0)
			return false;
	}
	return true;
}
