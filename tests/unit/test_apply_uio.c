// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// NICs on UIO: who has one, and what is given back, in a tree of plain files. On the devices of a machine:
// tests/e2e/pinfold/test_guest_uio.py.

#include "fake.h"
#include "scratch.h"

#include "apply/apply.h"
#include "base/clock.h"
#include "host/descriptors.h"
#include "ledger/binding.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define A "0000:01:00.0"
#define B "0000:02:00.0"
#define AT(bdf) "sys/bus/pci/devices/" bdf "/"

static struct hostfs fs;
static struct ledger l;
static const struct grant both = {
	.nnics = 2, .nics = {{.bdf = A, .uio = true}, {.bdf = B, .uio = true}}};

static char *full(const char *path, char buf[static 256])
{
	snprintf(buf, 256, "%s/%s", top, path);
	for (char *p = buf + strlen(top) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	return buf;
}

static void put_bytes(const char *path, const char *bytes, size_t n)
{
	char buf[256];
	_cleanup_fclose_ FILE *f = fopen(full(path, buf), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *to)
{
	char buf[256];

	assert_int_equal(symlink(to, full(path, buf)), 0);
}

// A descriptor of a process: a file of the tree.
static void put_fd(const char *path, const char *to)
{
	char target[256];

	put_link(path, full(to, target));
}

static struct stat of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(topfd, path, &st, 0), 0);
	return st;
}

// The command register, and a time at which nobody has written it.
static void put_config(const char *path, char command)
{
	static const struct timespec never[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	char config[64] = {[4] = command, [5] = 4};

	put_bytes(path, config, sizeof(config));
	assert_int_equal(utimensat(topfd, path, never, 0), 0);
}

static char command_of(const char *path)
{
	_cleanup_free_ char *config = NULL;
	size_t n = 0;

	assert_int_equal(fs_read(topfd, path, 64, &config, &n), 0);
	assert_int_equal(n, 64);
	assert_int_equal(config[5], 4);
	return config[4];
}

static int begin(void **state)
{
	struct err err;

	if (setup(state) < 0)
		return -1;
	put("etc/x", "");
	put("run/x", "");
	put("proc/meminfo", "");
	put_config(AT(A) "config", 3);
	put_config(AT(B) "config", 3);
	put(AT(A) "resource0", "");
	put(AT(A) "reset", "");
	put(AT(A) "uio/uio0/dev", "1:3\n");
	put(AT(B) "uio/uio1/dev", "1:5\n");
	put_link(AT(A) "driver", "../../drivers/uio_pci_generic");
	put_link(AT(B) "driver", "../../drivers/igb_uio");
	return hostfs_open(top, &fs, &err) < 0 || ledger_open(&fs, true, &l, &err) < 0 ? -1 : 0;
}

static int end(void **state)
{
	ledger_close(&l);
	hostfs_close(&fs);
	return teardown(state);
}

// ---- who has one

static void users(void **)
{
	uint64_t nics = 7;
	struct err err;
	char buf[256];

	put("proc/11/comm", "other\n");
	put_fd("proc/11/fd/0", AT(A) "vendor"); // there is none
	put_link("proc/11/fd/1", "socket:[3]");
	assert_ok(nics_in_use(&fs, &both, &nics, &err), &err);
	assert_int_equal(nics, 0);
	put("proc/12/comm", "one\n");
	put_fd("proc/12/fd/3", AT(A) "resource0");
	put_fd("proc/12/fd/4", AT(A) "config");
	assert_ok(nics_in_use(&fs, &both, &nics, &err), &err);
	assert_int_equal(nics, 1);
	// in a thread that has descriptors of its own
	put("proc/13/comm", "two\n");
	put_link("proc/13/fd/0", "/dev/null");
	put_fd("proc/13/task/14/fd/3", AT(B) "config");
	put_fd("proc/13/task/14/fd/4", AT(A) "config");
	assert_ok(nics_in_use(&fs, &both, &nics, &err), &err);
	assert_int_equal(nics, 3);
	nics_users(&l, &both, 2, buf, sizeof(buf));
	assert_string_equal(buf, "process 13 (two)");
	nics_users(&l, &both, 1, buf, sizeof(buf));
	assert_contains(buf, "process 12 (one)");
	assert_contains(buf, "process 13 (two)");
	assert_fails(nics_check_free(&l, &both, &err), &err, "process 12 (one)");
}

// Nor is it taken from under a program.
static void unbound(void **)
{
	const struct binding b = {.bdf = A, .driver = "uio_pci_generic", .kept = true};
	struct err err;

	put("proc/12/comm", "one\n");
	put_fd("proc/12/fd/3", AT(A) "resource0");
	assert_fails(nic_return(&l, &b, &err), &err, "NIC " A ": in use by process 12 (one)");
}

static void node(void **)
{
	uint64_t nics = 0;
	struct err err;
	char buf[256];

	if (mknod(full("dev/uio1", buf), S_IFCHR | 0600, makedev(1, 5)) < 0)
		skip_because("no device nodes can be made here");
	put_fd("proc/12/fd/3", "dev/uio1");
	assert_ok(nics_in_use(&fs, &both, &nics, &err), &err);
	assert_int_equal(nics, 2);
}

// Only what is not there has nobody.
static void not_to_be_told(void **)
{
	const struct grant gone = {.nnics = 1, .nics = {{.bdf = "0000:03:00.0", .uio = true}}};
	const struct grant round = {.nnics = 1, .nics = {{.bdf = "0000:04:00.0", .uio = true}}};
	uint64_t nics = 7;
	struct err err;

	assert_ok(nics_in_use(&fs, &gone, &nics, &err), &err);
	assert_int_equal(nics, 0);
	assert_ok(uio_return(&l, &gone, &err), &err);
	put_link("sys/bus/pci/devices/0000:04:00.0", "0000:04:00.0");
	assert_fails(nics_in_use(&fs, &round, &nics, &err), &err, "NIC 0000:04:00.0");
	assert_fails(uio_return(&l, &round, &err), &err, "NIC 0000:04:00.0");
	put("proc/11/fd/3", ""); // what is no link cannot be read as one
	assert_fails(nics_in_use(&fs, &both, &nics, &err), &err, "'/proc/11/fd'");
	assert_int_equal(unlinkat(topfd, "proc/11/fd/3", 0), 0);
	put("proc/12/fd", "");
	assert_fails(nics_in_use(&fs, &both, &nics, &err), &err, "'/proc/12/fd'");
}

// The kernel would take it from them.
static void infiniband(void **)
{
	struct grant g = {
		.nnics = 1,
		.nics = {{.bdf = A, .bifurcated = true, .iommu_group = -1}},
		.nnetdevs = 1,
		.netdevs = {{.name = "ens1", .rdma = true}}};
	struct err err;
	char buf[256];

	put(AT(A) "infiniband/mlx5_0/x", "");
	put(AT(A) "infiniband_verbs/uverbs0/dev", "1:7\n");
	put(AT(A) "net/ens1/x", "");
	put("proc/12/comm", "one\n");
	put_link("proc/12/fd/0", "/dev/null");
	assert_ok(nics_check_free(&l, &g, &err), &err);
	if (mknod(full("dev/infiniband/uverbs0", buf), S_IFCHR | 0600, makedev(1, 7)) < 0)
		skip_because("no device nodes can be made here");
	put_fd("proc/12/fd/3", "dev/infiniband/uverbs0");
	assert_fails(
		nics_check_free(&l, &g, &err),
		&err,
		"NIC " A ": its InfiniBand device 'mlx5_0' is in use by process 12 (one); end that "
		"first, or say --netdev ens1,force"
	);
	g.netdevs[0].force = true;
	assert_ok(nics_check_free(&l, &g, &err), &err);
}

struct looked {
	int pid;
	bool found;
};

static int look(int pid, DIR *links, void *arg)
{
	struct looked *k = arg;
	struct dirent *e;
	char to[256], path[256];
	ssize_t n;

	full("run/x", path);
	while (pid == k->pid && (e = readdir(links)) != NULL) {
		n = readlinkat(dirfd(links), e->d_name, to, sizeof(to));
		if (n == (ssize_t)strlen(path) && memcmp(to, path, (size_t)n) == 0)
			k->found = true;
	}
	return k->found;
}

static int ready[2];

static void *open_one(void *own)
{
	char buf[256];

	if (own != NULL && unshare(CLONE_FILES) < 0)
		_exit(2);
	if (open(full("run/x", buf), O_RDONLY | O_CLOEXEC) < 0 || write(ready[1], "", 1) != 1)
		_exit(2);
	for (;;)
		pause();
}

// Of a real process: that of a thread whose first one has ended, and of one that has descriptors of its own.
static void threads(void **)
{
	for (int own = 0; own < 2; own++) {
		struct looked k = {0};
		struct hostfs real;
		struct err err;
		pid_t pid;
		char byte;

		assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			pthread_t t;

			close(topfd);
			close(fs.root);
			if (pthread_create(&t, NULL, open_one, own != 0 ? &own : NULL) != 0)
				_exit(2);
			if (own == 0)
				pthread_exit(NULL);
			for (;;)
				pause();
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		if (own == 0)
			usleep(50000); // its first one ends
		k.pid = pid;
		assert_ok(hostfs_open("/", &real, &err), &err);
		host_each_descriptors(&real, look, &k, &err);
		hostfs_close(&real);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(ready[0]);
		close(ready[1]);
		assert_true(k.found);
	}
}

// ---- what is given back

static void given_back(void **)
{
	struct err err;

	put_config(AT(A) "config", 7);
	for (const char *const *f = (const char *const[]){AT(A) "config", AT(A) "resource0", NULL};
	     *f != NULL;
	     f++) {
		if (fchownat(topfd, *f, 1000, 1000, 0) < 0)
			skip_because("files cannot be given away here");
		assert_int_equal(fchmodat(topfd, *f, 0666, 0), 0);
	}
	assert_ok(uio_stop(&l, &both, &err), &err);
	assert_int_equal(of(AT(A) "config").st_mode & 07777, 0644);
	assert_int_equal(of(AT(A) "resource0").st_mode & 07777, 0600);
	assert_true(of(AT(A) "config").st_uid == 0 && of(AT(A) "resource0").st_gid == 0);
	assert_int_equal(command_of(AT(A) "config"), 3);
	assert_int_equal(of(AT(A) "reset").st_size, 0);
	assert_ok(uio_return(&l, &both, &err), &err);
	assert_int_equal(of(AT(A) "reset").st_size, 1);
	// where nothing was to be stopped, nothing was written: a kernel that is locked down would not let it
	assert_int_equal(of(AT(B) "config").st_mtime, 1);
	assert_true(of(AT(A) "config").st_mtime > 1);
}

// Its files tell whose it was.
static void of_a_lease_that_cannot_be_read(void **)
{
	static const char *const files[] = {AT(A) "config", AT(B) "config"};
	uint32_t range = 0;
	struct err err;

	assert_ok(ids_choose_range(&l, &range, &err), &err);
	put_config(AT(A) "config", 7);
	put_config(AT(B) "config", 7);
	if (fchownat(topfd, files[0], range + 1000, range, 0) < 0)
		skip_because("files cannot be given away here");
	assert_int_equal(fchownat(topfd, files[1], 1000, 1000, 0), 0);
	put("run/pinfold/leases/other.json", "{");
	assert_ok(uio_return_unread(&l, "fw", &err), &err);
	assert_int_equal(command_of(files[0]), 7); // that one may have it
	assert_ok(uio_return_unread(&l, "other", &err), &err);
	assert_int_equal(command_of(files[0]), 3);
	assert_int_equal(of(files[0]).st_uid, 0);
	assert_int_equal(of(AT(A) "reset").st_size, 1);
	assert_int_equal(command_of(files[1]), 7);
	assert_int_equal(of(files[1]).st_uid, 1000);
}

static void of_another(void **)
{
	struct err err;

	assert_int_equal(unlinkat(topfd, AT(A) "driver", 0), 0);
	assert_int_equal(unlinkat(topfd, AT(B) "driver", 0), 0);
	put_link(AT(B) "driver", "../../drivers/vfio-pci");
	put_config(AT(A) "config", 7);
	put_config(AT(B) "config", 7);
	assert_ok(uio_return(&l, &both, &err), &err);
	assert_int_equal(command_of(AT(A) "config"), 7);
	assert_int_equal(command_of(AT(B) "config"), 7);
	assert_int_equal(of(AT(A) "reset").st_size, 0);
}

// The one that resists does not keep the other.
static void not_to_be_stopped(void **)
{
	struct err err;

	put(AT(A) "config", "1234");
	put_config(AT(B) "config", 7);
	assert_fails(uio_return(&l, &both, &err), &err, "NIC " A ": stop its DMA");
	assert_int_equal(command_of(AT(B) "config"), 3);
	assert_int_equal(of(AT(A) "reset").st_size, 0);
}

// Others wait for the ledger meanwhile: not as long as the kernel does.
static void not_back_from_its_reset(void **)
{
	int64_t begun = clock_ms();
	char bytes[4096] = {0};
	struct err err;
	int full;

	assert_int_equal(unlinkat(topfd, AT(A) "reset", 0), 0);
	assert_int_equal(mkfifoat(topfd, AT(A) "reset", 0600), 0);
	full =
		openat(topfd, AT(A) "reset", O_RDWR | O_NONBLOCK
		); // who writes more waits for a reader
	assert_true(full >= 0);
	while (write(full, bytes, sizeof(bytes)) > 0)
		;
	assert_ok(uio_stop(&l, &both, &err), &err);
	assert_fails(uio_return(&l, &both, &err), &err, "NIC " A " is being reset");
	assert_true(clock_ms() - begun < 20000);
	// as long as it is not back nobody touches it, nor waits again
	put_config(AT(A) "config", 7);
	begun = clock_ms();
	assert_fails(
		uio_return(&l, &both, &err), &err, "NIC " A " is being reset, and is not back yet"
	);
	assert_int_equal(command_of(AT(A) "config"), 7);
	assert_true(clock_ms() - begun < 2500);
	// the child goes
	while (read(full, bytes, sizeof(bytes)) > 0)
		;
	close(full);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(users),
		EACH(unbound),
		EACH(node),
		EACH(infiniband),
		EACH(not_to_be_told),
		EACH(threads),
		EACH(given_back),
		EACH(of_a_lease_that_cannot_be_read),
		EACH(of_another),
		EACH(not_to_be_stopped),
		EACH(not_back_from_its_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
