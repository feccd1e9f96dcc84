// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "unit.h"

#include "inside/vm/pump.h"
#include "inside/vm/qmp.h"
#include "vm/vm.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char dep[] =
	"kernel/fs/overlayfs/overlay.ko:\n"
	"kernel/fs/9p/9p.ko.xz: kernel/net/9p/9pnet.ko kernel/fs/fscache/fscache.ko\n"
	"kernel/net/9p/9pnet_virtio.ko: kernel/net/9p/9pnet.ko kernel/v/virtio.ko\n"
	"kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko\n";

static void test_modules(void **state)
{
	const char *const wanted[] = {"9p", "9pnet_virtio", "vfio_pci", "ext4", NULL};
	const char *const order[] = {
		"kernel/fs/fscache/fscache.ko",
		"kernel/net/9p/9pnet.ko",
		"kernel/fs/9p/9p.ko.xz",
		"kernel/v/virtio.ko",
		"kernel/net/9p/9pnet_virtio.ko",
		"kernel/drivers/vfio/vfio.ko",
		"kernel/drivers/vfio/pci/vfio-pci.ko",
	};
	struct vm_modules m;
	struct err err;

	(void)state;
	assert_ok(vm_modules_in_order(dep, wanted, &m, &err), &err);
	assert_int_equal(m.n, ARRAY_LEN(order));
	for (unsigned i = 0; i < m.n; i++)
		assert_string_equal(m.path[i], order[i]);
	vm_modules_done(&m);
}

static void test_cpio(void **state)
{
	struct cpio c = {0};

	(void)state;
	cpio_add(&c, "a", 0100644, "12345", 5, 0);
	cpio_end(&c);
	assert_false(c.failed);
	assert_int_equal(c.len % 4, 0);
	assert_memory_equal(c.data, "07070100000001000081A4", 22);
	assert_memory_equal(c.data + 110, "a\0", 2);
	assert_memory_equal(
		c.data + 112,
		"12345\0\0\0"
		"070701",
		14
	);
	free(c.data);
}

static int count(void *arg, enum frame_type type, const char *text, size_t len, struct err *err)
{
	(void)text, (void)len, (void)err;
	*(unsigned *)arg |= 1u << type;
	return 0;
}

static int turn(struct pump *p, unsigned *seen, struct err *err)
{
	struct pollfd fds[PUMP_FDS];

	pump_wait(p, fds);
	poll(fds, PUMP_FDS, 0);
	return pump_work(p, fds, count, seen, err);
}

// More than the window goes through, held up by who reads it, and a word is not held up by that.
static void test_pump(void **state)
{
	unsigned seen[2] = {0};
	int port[2], in[2], out[2];
	size_t sent = 0, got = 0, had;
	struct pump a, b;
	char buf[4096] = {0};
	struct err err;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, port), 0);
	assert_int_equal(pipe2(in, O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_NONBLOCK), 0);
	for (int i = 0; i < 2; i++)
		fcntl(port[i], F_SETFL, O_RDWR | O_NONBLOCK);
	pump_open(&a, port[0], PUMP_WORD);
	pump_open(&b, port[1], PUMP_WORD);
	pump_source(&a, 1, in[0]);
	assert_ok(pump_sink(&b, 1, out[1], &err), &err);
	// nobody reads: the pipes and the window fill up
	for (int i = 0; i < 2000; i++) {
		ssize_t n = write(in[1], buf, sizeof(buf));

		sent += n > 0 ? (size_t)n : 0;
		assert_ok(turn(&a, &seen[0], &err), &err);
		assert_ok(turn(&b, &seen[1], &err), &err);
	}
	assert_true(sent < 4 * PUMP_WINDOW);
	assert_ok(pump_send_number(&a, FRAME_ENDED, 3, &err), &err);
	for (int i = 0; i < 3; i++) {
		assert_ok(turn(&a, &seen[0], &err), &err);
		assert_ok(turn(&b, &seen[1], &err), &err);
	}
	assert_int_equal(seen[1], 1u << FRAME_ENDED);
	close(in[1]);
	do {
		ssize_t n;

		had = got;
		for (int i = 0; i < 8; i++) {
			assert_ok(turn(&a, &seen[0], &err), &err);
			assert_ok(turn(&b, &seen[1], &err), &err);
		}
		while ((n = read(out[0], buf, sizeof(buf))) > 0)
			got += (size_t)n;
	} while (got > had);
	assert_int_equal(got, sent);
	assert_int_equal(b.sink[1].fd, -1); // it has ended
	pump_done(&a);
	pump_done(&b);
	close(out[0]);
	close(port[0]);
	close(port[1]);
}

static void refuses(const char *frame, size_t len, const char *words)
{
	int port[2];
	struct pump p;
	struct err err = {0};
	unsigned seen = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, port), 0);
	pump_open(&p, port[0], PUMP_WORD);
	assert_int_equal(write(port[1], frame, len), len);
	assert_fails(turn(&p, &seen, &err), &err, words);
	pump_done(&p);
	close(port[0]);
	close(port[1]);
}

static void test_pump_refuses(void **state)
{
	(void)state;
	refuses("\0\0\0\0\0\0\0\0", 8, "type 0");
	refuses("\x05\x07\0\0\0\0\0\0", 8, "stream 7");
	refuses("\x05\0\0\0\0\0\0\x40", 8, "bytes");
	refuses("\x01\x01\0\0\x01\0\0\0x", 9, "no room");
	refuses("\x03\x02\0\0\0\0\0\0", 8, "that is none");
	refuses("\x02\0\0\0\x04\0\0\0\xff\xff\xff\xff", 12, "room of");
}

// What is there at the end is taken, and not what others write meanwhile.
static void test_drain(void **state)
{
	size_t left[PUMP_STREAMS] = {0, 5, 0};
	int port[2], in[2];
	struct pump p;
	struct err err = {0};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, port), 0);
	assert_int_equal(pipe(in), 0);
	pump_open(&p, port[0], PUMP_WORD);
	pump_source(&p, 1, in[0]);
	assert_int_equal(write(in[1], "123456789", 9), 9);
	assert_true(pump_drain(&p, left, &err));
	assert_false(pump_drain(&p, left, &err));
	assert_int_equal(left[1], 0);
	assert_int_equal(p.out_len, 8 + 5);
	pump_done(&p);
	close(in[1]);
	close(port[0]);
	close(port[1]);
}

// A QEMU that goes on and on saying something is not listened to for ever.
static void test_qmp_flood(void **state)
{
	static const char stop[] = "{\"event\": \"STOP\"}\n";
	int ends[2];
	struct qmp q;
	struct err err;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ends[0]);
		alarm(20);
		while (write(ends[1], stop, sizeof(stop) - 1) > 0)
			;
		_exit(0);
	}
	close(ends[1]);
	assert_ok(qmp_open(&q, ends[0], &err), &err);
	alarm(10);
	while (!q.stopped)
		assert_ok(qmp_events(&q, &err), &err);
	alarm(0);
	assert_string_equal(q.event, "STOP");
	qmp_done(&q);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_qmp_end(void **state)
{
	int ends[2];
	struct qmp q;
	struct err err;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_ok(qmp_open(&q, ends[0], &err), &err);
	assert_ok(qmp_events(&q, &err), &err);
	assert_int_equal(write(ends[1], "{\"event\": \"x\"}\n{", 16), 16);
	assert_ok(qmp_events(&q, &err), &err);
	assert_false(q.stopped);
	close(ends[1]);
	assert_fails(qmp_events(&q, &err), &err, "QEMU has ended");
	qmp_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_cpio),
		cmocka_unit_test(test_pump),
		cmocka_unit_test(test_pump_refuses),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_qmp_flood),
		cmocka_unit_test(test_qmp_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
