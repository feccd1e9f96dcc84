// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/capture.h"

#include "base/scope.h"
#include "base/str.h"
#include "task/gen/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECOND UINT64_C(1000000000)
#define GAP_MAX (365 * 24 * 3600 * SECOND)
#define ERA (INT64_C(1) << 32) // seconds of a pcap file have 32 bits without a sign

struct loading {
	struct capture c;
	size_t room, packets; // allocated
	uint64_t before;      // ns: time of the last packet
};

static int grow(struct loading *l, unsigned len, struct err *err)
{
	void *p;

	if (l->c.n == l->packets) {
		size_t n = l->packets > 0 ? 2 * l->packets : 1024;

		p = realloc(l->c.packet, n * sizeof(l->c.packet[0]));
		if (p == NULL)
			return err_oom(err);
		l->c.packet = p;
		l->packets = n;
	}
	if (l->c.bytes + len > l->room) {
		size_t n = l->room > 0 ? 2 * l->room : 1 << 20;

		p = realloc(l->c.data, n);
		if (p == NULL)
			return err_oom(err);
		l->c.data = p;
		l->room = n;
	}
	return 0;
}

// What was cut when it was captured is no packet.
static int check_whole(
	const char *name, unsigned number, const struct pcap_pkthdr *h, struct err *err
)
{
	if (h->caplen >= h->len)
		return 0;
	return err_set(
		err,
		EINVAL,
		"'%.80s': packet %u has %u of its %u bytes: capture whole packets",
		name,
		number,
		h->caplen,
		h->len
	);
}

static int check_packet(
	const struct loading *l, const char *name, const struct pcap_pkthdr *h, struct err *err
)
{
	unsigned number = l->c.n + 1;

	if (l->c.n == CAPTURE_PACKETS || l->c.bytes + h->caplen > CAPTURE_BYTES)
		return err_set(
			err,
			EFBIG,
			"'%.80s' has more than %u packets or %u MiB: take a part of it",
			name,
			CAPTURE_PACKETS,
			CAPTURE_BYTES >> 20
		);
	if (check_whole(name, number, h, err) < 0)
		return -err->code;
	if (h->caplen < RTE_ETHER_HDR_LEN || h->caplen > FRAME_MAX)
		return err_set(
			err,
			EINVAL,
			"'%.80s': packet %u has %u bytes: %d to %d can be sent",
			name,
			number,
			h->caplen,
			RTE_ETHER_HDR_LEN,
			FRAME_MAX
		);
	return 0;
}

// ns; 0 for what cannot be.
static uint64_t time_of(const struct pcap_pkthdr *h)
{
	int64_t seconds = h->ts.tv_sec;
	uint64_t part = (uint64_t)h->ts.tv_usec;

	if (seconds < 0 && seconds >= INT32_MIN)
		seconds += ERA; // libpcap takes what is later than 2038 for earlier than 1970
	if (seconds < 0 || (uint64_t)seconds >= UINT64_MAX / SECOND / 2 || part >= SECOND)
		return 0;
	return (uint64_t)seconds * SECOND + part;
}

// Between the last packet and the next one.
static void pass_time(struct loading *l, uint64_t now)
{
	struct capture *c = &l->c;

	if (c->n > 0 && (now < l->before || now - l->before > GAP_MAX))
		c->odd++;
	else if (c->n > 0)
		c->packet[c->n - 1].gap = now - l->before;
	// packets out of order do not make the capture longer; a clock that was set goes on from there
	if (c->n == 0 || now > l->before || l->before - now > SECOND)
		l->before = now;
}

static int add_packet(
	struct loading *l,
	const char *name,
	const struct pcap_pkthdr *h,
	const uint8_t *bytes,
	struct err *err
)
{
	unsigned len = h->caplen < FRAME_MIN ? FRAME_MIN : h->caplen;
	struct capture *c = &l->c;

	if (check_packet(l, name, h, err) < 0 || grow(l, len, err) < 0)
		return -err->code;
	memcpy(c->data + c->bytes, bytes, h->caplen);
	memset(c->data + c->bytes + h->caplen, 0, len - h->caplen);
	pass_time(l, time_of(h));
	c->packet[c->n++] = (struct capture_packet){
		.at = (uint32_t)c->bytes,
		.len = (uint16_t)len,
	};
	c->bytes += len;
	c->shortest = c->n == 1 || len < c->shortest ? len : c->shortest;
	c->longest = len > c->longest ? len : c->longest;
	return 0;
}

static int check_link(pcap_t *p, const char *name, struct err *err)
{
	if (pcap_datalink(p) == DLT_EN10MB)
		return 0;
	return err_set(
		err,
		EINVAL,
		"'%.80s' is no capture of Ethernet: link type %d",
		name,
		pcap_datalink(p)
	);
}

// After the packet of that number: why the file has no more.
static int check_end(pcap_t *p, int why, const char *name, unsigned number, struct err *err)
{
	if (why == PCAP_ERROR_BREAK)
		return 0;
	return err_set(
		err, EINVAL, "'%.80s', behind packet %u: %.160s", name, number, pcap_geterr(p)
	);
}

static int read_all(struct loading *l, pcap_t *p, const char *name, struct err *err)
{
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int r;

	if (check_link(p, name, err) < 0)
		return -err->code;
	while ((r = pcap_next_ex(p, &h, &bytes)) == 1) {
		if (add_packet(l, name, h, bytes, err) < 0)
			return -err->code;
	}
	if (check_end(p, r, name, l->c.n, err) < 0)
		return -err->code;
	if (l->c.n == 0)
		return err_set(err, EINVAL, "'%.80s' has no packets", name);
	return 0;
}

static void last_gap(struct capture *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < c->n; i++)
		sum += c->packet[i].gap / (c->n - 1);
	c->packet[c->n - 1].gap = sum;
}

int capture_check(const char *path, struct err *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	unsigned n = 0;
	pcap_t *p = pcap_open_offline(path, reason);
	int r;

	if (p == NULL) { // libpcap names the file, or does not
		const char *why = str_starts(reason, path) ? reason + strlen(path) : "";

		return err_set(
			err,
			EINVAL,
			"'%s': %s; give the path of a capture",
			path,
			str_starts(why, ": ") ? why + 2 : reason
		);
	}
	r = check_link(p, path, err);
	while (r == 0) {
		int next = pcap_next_ex(p, &h, &bytes);

		if (next != 1) {
			r = check_end(p, next, path, n, err);
			break;
		}
		r = check_whole(path, ++n, h, err);
	}
	pcap_close(p);
	return r;
}

int capture_load(FILE *f, const char *name, struct capture *ret, struct err *err)
{
	char reason[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, reason);
	struct loading l = {0};
	int r;

	if (p == NULL) {
		fclose(f);
		return err_set(err, EINVAL, "'%.80s' is no capture: %.160s", name, reason);
	}
	r = read_all(&l, p, name, err);
	pcap_close(p); // and f
	if (r < 0) {
		capture_done(&l.c);
		return r;
	}
	last_gap(&l.c);
	*ret = l.c;
	return 0;
}

int capture_read(const char *path, struct capture *ret, struct err *err)
{
	// who opens a pipe without O_NONBLOCK waits for its writer
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	FILE *f;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open '%.80s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "'%.80s' is no ordinary file", path);
	f = fdopen(fd, "r");
	if (f == NULL)
		return err_sys(err, errno, "open '%.80s'", path);
	fd = -1;
	return capture_load(f, path, ret, err);
}

void capture_done(struct capture *c)
{
	free(c->packet);
	free(c->data);
	c->packet = NULL;
	c->data = NULL;
}
