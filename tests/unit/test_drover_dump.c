// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What a dump takes is what its limits and its writer allow, all else is counted, packets go on as they were
// and no buffer is lost. What the file says is judged by tshark, in tests/e2e.

#include "unit.h"

#include "drover_rig.h"
#include "task/meter/dump.h"
#include "tsc.h"

#include <jansson.h>
#include <rte_cycles.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEN 300
#define WAIT_MS 20000

static struct rig rig;
static char name[32], path[64]; // the file's, and where it is
static bool disk_hangs;
static ssize_t disk_room = -1; // bytes; -1: no end

// As of a disk that does not answer: librte_pcapng calls this one.
ssize_t writev(int fd, const struct iovec *iov, int n)
{
	while (__atomic_load_n(&disk_hangs, __ATOMIC_ACQUIRE))
		usleep(1000);
	if (disk_room >= 0) {
		ssize_t done = 0;

		for (int i = 0; i < n && disk_room > 0; i++) {
			size_t len = RTE_MIN(iov[i].iov_len, (size_t)disk_room);

			assert_int_equal(write(fd, iov[i].iov_base, len), len);
			disk_room -= (ssize_t)len;
			done += (ssize_t)len;
		}
		errno = ENOSPC;
		return done > 0 ? done : -1;
	}
	return syscall(SYS_writev, fd, iov, n);
}

static struct task *try_make(
	const char *file, uint64_t packets, uint64_t bytes, uint64_t buffers, struct err *err
)
{
	_cleanup_free_ void *conf = rig_conf("dump");

	strcpy(rig_at("dump", conf, "file"), file);
	rig_set("dump", conf, "packets", packets);
	rig_set("dump", conf, "bytes", bytes);
	rig_set("dump", conf, "buffers", buffers);
	return rig_task(&rig, "dump", conf, err);
}

static struct task *make(uint64_t packets, uint64_t bytes, uint64_t buffers)
{
	struct err err = {0};
	struct task *t = try_make(name, packets, bytes, buffers, &err);

	if (t == NULL)
		fail_msg("%s", err.msg);
	return t;
}

static void give(struct task *t, unsigned n, unsigned len)
{
	uint8_t data[LEN] = {2};

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rte_ring_enqueue(rig.ring, rig_packet(&rig, data, len, 0)), 0);
	while (rte_ring_count(rig.ring) > 0)
		t->poll(t);
}

static uint64_t number(struct task *t, const char *key)
{
	json_t *o = json_object(), *v;
	uint64_t found;

	t->mode->report(t, o);
	v = json_object_get(o, key);
	found = json_is_true(v) ? 1 : (uint64_t)json_integer_value(v);
	json_decref(o);
	return found;
}

static void assert_written(struct task *t, uint64_t n)
{
	for (unsigned ms = 0; ms < WAIT_MS && number(t, "written") != n; ms++)
		rte_delay_us_sleep(1000);
	assert_int_equal(number(t, "written"), n);
	assert_int_equal(number(t, "taken"), n);
}

static void ends_there(void **)
{
	struct task *t = make(0, 0, 1023);
	struct stat st;

	give(t, 100, LEN);
	assert_written(t, 100);
	assert_int_equal(t->counters.rx, 100);
	assert_int_equal(t->counters.tx, 0);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	rig_done(t);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 100 * LEN && (st.st_mode & 0777) == 0600);
}

static void limits(void **)
{
	struct task *t = make(40, 0, 1023);

	give(t, 100, LEN);
	assert_written(t, 40);
	assert_int_equal(number(t, "limit_reached"), 1);
	rig_done(t);
	t = make(0, 10 * LEN + LEN - 1, 1023);
	give(t, 100, LEN);
	assert_written(t, 10);
	// what would still fit comes too late
	give(t, 1, 10);
	assert_written(t, 10);
	assert_int_equal(t->counters.drops[DROP_COMMON], 0);
	rig_done(t);
}

static void behind(void **)
{
	struct task *t = make(0, 0, 3);
	char line[128] = "";
	uint64_t taken;

	give(t, 2000, LEN);
	taken = number(t, "taken");
	assert_true(taken >= 3 && taken < 2000);
	assert_int_equal(t->counters.drops[DROP_COMMON], 2000 - taken);
	assert_written(t, taken);
	assert_true(t->mode->verdict(t, line, sizeof(line)));
	assert_contains(line, "the writer was behind");
	// it has its buffers back
	give(t, 1, LEN);
	assert_written(t, taken + 1);
	rig_done(t);
}

static void goes_on(void **)
{
	struct task *t = make(0, 0, 1023);
	uint16_t port;
	struct rte_ring *out = rig_output(&rig, "out", 63, &port);
	uint8_t data[LEN], room[LEN];
	struct rte_mbuf *m;

	t->nout = 1;
	t->out[0] = (struct task_out){.port = port};
	for (unsigned len = 0; len < LEN; len++) {
		memset(data, (int)len, sizeof(data));
		m = rig_packet(&rig, data, len, len % 7 * 20);
		m->port = (uint16_t)(len * 50); // most of them are none
		assert_int_equal(rte_ring_enqueue(rig.ring, m), 0);
		assert_int_equal(t->poll(t), 1);
		assert_int_equal(rte_ring_dequeue(out, (void **)&m), 0);
		assert_int_equal(m->pkt_len, len);
		assert_memory_equal(rte_pktmbuf_read(m, 0, len, room), data, len);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(t->counters.drops[DROP_COMMON + 2], 1); // the empty one
	assert_written(t, LEN - 1);
	assert_int_equal(rte_mempool_avail_count(rig.pool), rig.pool->size);
	rig_done(t);
}

static void refused(void **)
{
	struct task *t = make(0, 0, 7);
	struct err err = {0};

	assert_null(try_make(name, 0, 0, 7, &err));
	assert_contains(err.msg, "is written by another task");
	rig_done(t);
	assert_null(try_make("", 0, 0, 7, &err));
	assert_contains(err.msg, "file= is missing");
	assert_null(try_make("test-dump-none/x", 0, 0, 7, &err));
	assert_contains(err.msg, "'test-dump-none/x': open in '/tmp': No such file");
	assert_null(try_make(".", 0, 0, 7, &err));
	assert_contains(err.msg, "'.': open in '/tmp': Is a directory");
}

// Nothing that the configuration names is outside of its folder.
static void confined(void **)
{
	static const char *const out[] = {"/tmp/x", "../tmp/x", "/dev/null"};
	struct err err = {0};
	struct stat st;

	for (unsigned i = 0; i < ARRAY_LEN(out); i++) {
		assert_null(try_make(out[i], 0, 0, 7, &err));
		assert_contains(err.msg, "must be below '/tmp', without symbolic links");
	}
	unlink(path);
	assert_int_equal(symlink("/tmp/test-dump-target", path), 0);
	assert_null(try_make(name, 0, 0, 7, &err));
	assert_contains(err.msg, "must be below '/tmp', without symbolic links");
	assert_true(stat("/tmp/test-dump-target", &st) < 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(try_make(name, 0, 0, 7, &err));
	assert_contains(err.msg, "open in '/tmp': No such device");
	unlink(path);
	assert_ok(dump_folder(NULL, &err), &err);
	assert_null(try_make(name, 0, 0, 7, &err));
	assert_contains(err.msg, "there is no folder for it");
	assert_ok(dump_folder("/tmp", &err), &err);
}

// What is counted as written is what the file holds, whole packets, and no more.
static void full_disk(void **)
{
	struct task *t = make(0, 0, 1023);
	struct stat before, after;
	char line[128] = "";
	uint64_t block;

	give(t, 1, LEN);
	assert_written(t, 1);
	block = number(t, "written_bytes");
	assert_int_equal(stat(path, &before), 0);
	disk_room = (ssize_t)(2 * block + block / 2);
	give(t, 40, LEN);
	for (unsigned ms = 0; ms < WAIT_MS && number(t, "not_written") != 38; ms++)
		rte_delay_us_sleep(1000);
	disk_room = -1;
	give(t, 10, LEN); // there is room again, and it is too late
	assert_int_equal(number(t, "taken"), 41);
	assert_int_equal(number(t, "written"), 3);
	assert_int_equal(number(t, "written_bytes"), 3 * block);
	assert_int_equal(number(t, "not_written"), 38);
	assert_int_equal(t->counters.drops[DROP_COMMON + 1], 10);
	assert_true(t->mode->verdict(t, line, sizeof(line)));
	assert_contains(line, "the file is not whole: No space left on device");
	rig_done(t);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size - before.st_size, 2 * block);
}

// The end of a run does not wait for a disk that hangs.
static void hanging_disk(void **)
{
	struct task *t = make(0, 0, 127);
	uint64_t begun, seconds;

	give(t, 1, LEN);
	assert_written(t, 1);
	__atomic_store_n(&disk_hangs, true, __ATOMIC_RELEASE);
	give(t, 100, LEN);
	begun = rte_rdtsc();
	rig_done(t);
	seconds = (rte_rdtsc() - begun) / tsc_hz();
	assert_in_range(seconds, DUMP_CLOSE_SECONDS - 1, 60);
	// it comes back, and finds that all is over
	__atomic_store_n(&disk_hangs, false, __ATOMIC_RELEASE);
	usleep(100000);
}

static int start(void **)
{
	struct err err;

	rig_start(&rig);
	snprintf(name, sizeof(name), "test-dump-%d", getpid());
	snprintf(path, sizeof(path), "/tmp/%s", name);
	return dump_folder("/tmp", &err);
}

static int end(void **)
{
	struct err err;

	unlink(path);
	return dump_folder(NULL, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_there),
		cmocka_unit_test(limits),
		cmocka_unit_test(behind),
		cmocka_unit_test(goes_on),
		cmocka_unit_test(refused),
		cmocka_unit_test(confined),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(hanging_disk),
	};

	return cmocka_run_group_tests(tests, start, end);
}
