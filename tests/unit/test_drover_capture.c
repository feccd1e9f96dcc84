// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Captures that a generator sends: what is in them, in their own time, and what cannot be sent.

#include "gen_rig.h"
#include "task/gen/capture.h"
#include "task/gen/frame.h"
#include "task/meter/meter.h"
#include "tsc.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	char path[64];
	pcap_dumper_t *dump;
	pcap_t *pcap;
	uint64_t ns;
};

static void file_begin(struct file *f, int link)
{
	strcpy(f->path, "/tmp/drover-packets-XXXXXX");
	close(mkstemp(f->path));
	f->pcap = pcap_open_dead_with_tstamp_precision(link, 65535, PCAP_TSTAMP_PRECISION_NANO);
	assert_non_null(f->pcap);
	f->dump = pcap_dump_open(f->pcap, f->path);
	assert_non_null(f->dump);
	f->ns = UINT64_C(1700000000000000000);
}

// A packet that begins with its number; `gap` ns after the one before it.
static void file_add(struct file *f, uint32_t number, unsigned len, unsigned have, uint64_t gap)
{
	uint8_t bytes[65536];
	struct pcap_pkthdr h = {.caplen = have, .len = len};

	f->ns += gap;
	h.ts.tv_sec = (time_t)(f->ns / 1000000000);
	h.ts.tv_usec = (suseconds_t)(f->ns % 1000000000);
	memset(bytes, (int)(number + 1), sizeof(bytes));
	memcpy(bytes, &number, sizeof(number));
	pcap_dump((u_char *)f->dump, &h, bytes);
}

static void file_end(struct file *f)
{
	pcap_dump_close(f->dump);
	pcap_close(f->pcap);
}

static struct task *replay(const struct file *f, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "pcap file=%s\n%s", f->path, more);
	return make(text);
}

static unsigned length_of(unsigned number)
{
	return 20 + number * 37 % 1480;
}

static void captures_are_sent(void **)
{
	struct rte_mbuf *m = NULL;
	struct file f;
	struct task *t;

	file_begin(&f, DLT_EN10MB);
	for (unsigned i = 0; i < 1000; i++)
		file_add(&f, i, length_of(i), length_of(i), 1000);
	file_end(&f);
	t = replay(&f, "");
	for (unsigned k = 0; k < 2500; k++) {
		unsigned len = length_of(k % 1000);

		m = next(t);
		assert_int_equal(m->pkt_len, RTE_MAX(len, 60u));
		assert_int_equal(*rte_pktmbuf_mtod(m, uint32_t *), k % 1000);
		for (unsigned i = 4; i < m->pkt_len; i++)
			assert_int_equal(
				*rte_pktmbuf_mtod_offset(m, uint8_t *, i),
				i < len ? (k % 1000 + 1) & 0xff : 0
			);
		memset(rte_pktmbuf_mtod(m, void *), 0xee, m->pkt_len);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(number(t, "capture_packets"), 1000);
	end(t);
	// once
	t = replay(&f, "loop=no\nlat pos=end\n");
	for (unsigned k = 0; k < 1000; k++) {
		struct meter meter;

		m = next(t);
		assert_int_equal(
			meter_read(
				rte_pktmbuf_mtod_offset(m, void *, m->pkt_len - METER_SIZE), &meter
			),
			METER_OK
		);
		assert_int_equal(meter.seq, k);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(t->poll(t), 0);
	end(t);
	t = replay(&f, "loop=no\ncount=10\n");
	for (unsigned k = 0; k < 10; k++)
		rte_pktmbuf_free(next(t));
	assert_int_equal(t->poll(t), 0);
	end(t);
	unlink(f.path);
}

// In their own time: none before it, and when the machine stalls the others later.
static void captures_keep_their_time(void **)
{
	uint64_t hz = tsc_hz(), gap = hz / 500, begin, late = 0;
	struct file f;
	struct task *t;

	file_begin(&f, DLT_EN10MB);
	for (unsigned i = 0; i < 10; i++)
		file_add(&f, i, 60, 60, i == 5 ? 0 : 2000000);
	file_end(&f);
	t = replay(&f, "timing=capture\nloop=no\n");
	assert_int_equal(t->control.rate, 0);
	begin = rte_rdtsc();
	for (unsigned k = 0; k < 10; k++) {
		struct rte_mbuf *m = NULL;
		uint64_t due = (k - (k >= 5)) * gap, now;

		while (rte_ring_dequeue(rig.ring, (void **)&m) < 0)
			t->poll(t);
		now = rte_rdtsc() - begin;
		assert_int_equal(*rte_pktmbuf_mtod(m, uint32_t *), k);
		assert_true(now >= due);
		late = now - due;
		rte_pktmbuf_free(m);
	}
	// what is not caught up with is told
	assert_true((double)late / (double)hz * 1e9 <= number(t, "delayed_ns") + 1e8);
	assert_int_equal(number(t, "behind"), 0);
	assert_int_equal(t->poll(t), 0);
	end(t);
	unlink(f.path);
}

// Sets the seconds of a packet of 60 bytes, as the file has them.
static void set_seconds(const struct file *f, unsigned number, uint32_t seconds)
{
	int fd = open(f->path, O_WRONLY);

	assert_int_equal(pwrite(fd, &seconds, 4, 24 + number * (16 + 60)), 4);
	close(fd);
}

static void times_that_cannot_be_are_counted(void **)
{
	struct capture c = {0};
	struct err err = {0};
	struct file f;
	struct task *t;
	char line[160];

	file_begin(&f, DLT_EN10MB);
	for (unsigned i = 0; i < 6; i++)
		file_add(&f, i, 60, 60, 1000);
	file_end(&f);
	// beyond 2038 is a time as others are
	for (unsigned i = 0; i < 6; i++)
		set_seconds(&f, i, INT32_MAX + i);
	assert_ok(capture_read(f.path, &c, &err), &err);
	assert_int_equal(c.odd, 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(c.packet[i].gap, 1000001000);
	capture_done(&c);
	// 76 years later, back again, and an hour back
	set_seconds(&f, 0, 1700000000);
	set_seconds(&f, 1, 4100000000);
	for (unsigned i = 2; i < 6; i++)
		set_seconds(&f, i, 1700000000 + i);
	set_seconds(&f, 4, 1700000000 - 3600);
	set_seconds(&f, 5, 1700000000 - 3599);
	assert_ok(capture_read(f.path, &c, &err), &err);
	assert_int_equal(c.odd, 3);
	assert_int_equal(c.packet[0].gap, 0);
	assert_int_equal(c.packet[1].gap, 0);
	assert_int_equal(c.packet[2].gap, 1000001000);
	assert_int_equal(c.packet[3].gap, 0);
	assert_int_equal(c.packet[4].gap, 1000001000);
	capture_done(&c);
	t = replay(&f, "timing=capture\n");
	assert_int_equal(number(t, "odd_times"), 3);
	rte_pktmbuf_free(next(t));
	assert_true(t->mode->verdict(t, line, sizeof(line)));
	assert_contains(line, "3 of the capture's 6 times");
	end(t);
	t = replay(&f, "rate=100\n");
	assert_false(t->mode->verdict(t, line, sizeof(line)));
	end(t);
	unlink(f.path);
}

static void write_bytes(const char *path, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void must_fail(const char *path, const char *words)
{
	struct capture c = {0};
	struct err err = {0};

	assert_true(capture_read(path, &c, &err) < 0);
	assert_contains(err.msg, words);
	assert_null(c.data);
}

static void wrong_captures(void **)
{
	static const uint8_t magic[24] = {0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0};
	struct file f;
	off_t size;
	struct stat st;

	must_fail("/tmp/drover-packets-none", "No such file");
	must_fail("/tmp", "no ordinary file");
	must_fail("/dev/zero", "no ordinary file");
	file_begin(&f, DLT_EN10MB);
	file_end(&f);
	must_fail(f.path, "has no packets");
	write_bytes(f.path, "", 0);
	must_fail(f.path, "is no capture");
	write_bytes(f.path, "this is a text and no capture", 29);
	must_fail(f.path, "is no capture");
	write_bytes(f.path, magic, 10);
	must_fail(f.path, "is no capture");
	unlink(f.path);
	file_begin(&f, DLT_RAW);
	file_add(&f, 0, 60, 60, 0);
	file_end(&f);
	must_fail(f.path, "no capture of Ethernet");
	unlink(f.path);
	file_begin(&f, DLT_EN10MB);
	file_add(&f, 0, 60, 60, 0);
	file_add(&f, 1, 1514, 96, 0);
	file_end(&f);
	must_fail(f.path, "packet 2 has 96 of its 1514 bytes");
	unlink(f.path);
	file_begin(&f, DLT_EN10MB);
	file_add(&f, 0, 13, 13, 0);
	file_end(&f);
	must_fail(f.path, "packet 1 has 13 bytes");
	unlink(f.path);
	file_begin(&f, DLT_EN10MB);
	file_add(&f, 0, FRAME_MAX + 1, FRAME_MAX + 1, 0);
	file_end(&f);
	must_fail(f.path, "bytes: 14 to 9014");
	unlink(f.path);
	// every place at which it may end too early
	file_begin(&f, DLT_EN10MB);
	file_add(&f, 0, 60, 60, 0);
	file_add(&f, 1, 60, 60, 0);
	file_end(&f);
	assert_int_equal(stat(f.path, &st), 0);
	for (size = st.st_size - 1; size > 0; size--) {
		assert_int_equal(truncate(f.path, size), 0);
		if (size != 24 && size != 24 + 16 + 60)
			must_fail(f.path, f.path);
	}
	unlink(f.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_are_sent),
		cmocka_unit_test(captures_keep_their_time),
		cmocka_unit_test(times_that_cannot_be_are_counted),
		cmocka_unit_test(wrong_captures),
	};

	return cmocka_run_group_tests_name("drover_capture", tests, start, NULL);
}
