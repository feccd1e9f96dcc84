// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

// librte_pcapng is experimental in DPDK 22.11
#define ALLOW_EXPERIMENTAL_API

#include "task/meter/dump.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/scope.h"
#include "dpdk.h"
#include "tsc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BURST 64
#define IDLE_US 1000
#define NS 1000000000ull

// Bytes of a block of a packet where its time is: upper, then lower half (draft-ietf-opsawg-pcapng, 4.3).
#define BLOCK_TIME 12

// A writer that hangs in the kernel is left behind, and may come back when the memory of EAL is gone.
enum where {
	IN_PROGRAM = 0,
	IN_KERNEL,
	LEFT_BEHIND,
};

struct dump_file {
	// of the lcore
	struct rte_mempool *pool; // as many buffers as may wait; the ring takes them all
	struct rte_ring *ring;
	uint32_t snaplen;
	uint16_t first_port;
	bool known[RTE_MAX_ETHPORTS]; // ports that the file names
	// of one moment: base is ns since 1970, or what DPDK makes them of
	uint64_t tsc, base;
	uint64_t per_cycle; // of base, times 2^32
	// of the writer
	int fd;
	rte_pcapng_t *out; // has the descriptor, once traffic runs
	pthread_t thread;
	bool running;
	bool begun, quit;
	bool late;	// nothing more is to be written
	unsigned where; // enum where
	int error;
	uint64_t packets, bytes, failed; // failed: packets that the file does not have
	struct dump_file *next;		 // of those left behind
};

static bool step(struct dump_file *f, unsigned from, unsigned to)
{
	return __atomic_compare_exchange_n(
		&f->where, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE
	);
}

struct written {
	unsigned packets;
	uint64_t bytes;
	int error;
};

// Of a full disk the kernel takes what it has room for, and says why only to who writes again. The part of
// a packet at the end is taken away: the file stays one that can be read.
static void cut_part(int fd, uint64_t part)
{
	struct stat st;

	if (part > 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size > part)
		(void)!ftruncate(fd, st.st_size - (off_t)part);
}

static struct written write_packets(const struct dump_file *f, struct rte_mbuf **m, unsigned n)
{
	struct written w = {0};
	uint32_t len[WRITE_BURST] = {0};
	ssize_t r;

	// before the write: after it the packets may be gone, as of one that was left behind
	for (unsigned i = 0; i < n; i++)
		len[i] = m[i]->pkt_len;
	r = rte_pcapng_write_packets(f->out, m, (uint16_t)n);
	if (r < 0)
		w.error = errno != 0 ? errno : EIO;
	while (r > 0 && w.packets < n && w.bytes + len[w.packets] <= (uint64_t)r)
		w.bytes += len[w.packets++];
	if (r >= 0 && w.packets < n) {
		cut_part(f->fd, (uint64_t)r - w.bytes);
		w.error = ENOSPC;
	}
	return w;
}

// False: left behind, nothing is to be touched any more.
static bool write_burst(struct dump_file *f, struct rte_mbuf **m, unsigned n)
{
	struct written w = {0};

	step(f, IN_PROGRAM, IN_KERNEL);
	if (f->error == 0)
		w = write_packets(f, m, n);
	if (!step(f, IN_KERNEL, IN_PROGRAM))
		return false;
	if (w.error != 0)
		__atomic_store_n(&f->error, w.error, __ATOMIC_RELAXED);
	// other than its description says, librte_pcapng 22.11 does not
	rte_pktmbuf_free_bulk(m, n);
	__atomic_store_n(&f->bytes, f->bytes + w.bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&f->packets, f->packets + w.packets, __ATOMIC_RELAXED);
	__atomic_store_n(&f->failed, f->failed + n - w.packets, __ATOMIC_RELAXED);
	return true;
}

// The file is emptied only now: a configuration that is just checked costs nobody his old one.
static bool begin(struct dump_file *f)
{
	step(f, IN_PROGRAM, IN_KERNEL);
	if (ftruncate(f->fd, 0) == 0)
		f->out = rte_pcapng_fdopen(f->fd, NULL, NULL, "drover", NULL);
	if (f->out == NULL)
		__atomic_store_n(&f->error, errno != 0 ? errno : EIO, __ATOMIC_RELAXED);
	return step(f, IN_KERNEL, IN_PROGRAM);
}

static dpdk_thread_result writer(void *arg)
{
	struct dump_file *f = arg;
	struct rte_mbuf *m[WRITE_BURST];

	while (!__atomic_load_n(&f->begun, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&f->quit, __ATOMIC_ACQUIRE))
			return 0;
		nap_us(IDLE_US);
	}
	if (!begin(f))
		return 0;
	while (!__atomic_load_n(&f->late, __ATOMIC_ACQUIRE)) {
		bool quit = __atomic_load_n(&f->quit, __ATOMIC_ACQUIRE);
		unsigned n = rte_ring_sc_dequeue_burst(f->ring, (void **)m, WRITE_BURST, NULL);

		if (n > 0 ? !write_burst(f, m, n) : quit)
			break;
		if (n == 0)
			nap_us(IDLE_US);
	}
	return 0;
}

// The time that librte_pcapng 22.11 writes is centuries off for packets from before its first one.
static void put_time(const struct dump_file *f, struct rte_mbuf *copy, uint64_t tsc)
{
	unsigned __int128 since = (unsigned __int128)(tsc - f->tsc) * f->per_cycle;
	uint64_t at = f->base + (uint64_t)(since >> 32);
	uint32_t halves[2] = {(uint32_t)(at >> 32), (uint32_t)at};

	memcpy(rte_pktmbuf_mtod_offset(copy, void *, BLOCK_TIME), halves, sizeof(halves));
}

bool dump_file_put(struct dump_file *f, const struct rte_mbuf *m, uint64_t tsc)
{
	uint16_t port = m->port < RTE_MAX_ETHPORTS && f->known[m->port] ? m->port : f->first_port;
	struct rte_mbuf *copy = dpdk_pcapng_copy(port, m, f->pool, f->snaplen);

	if (copy == NULL)
		return false;
	put_time(f, copy, tsc);
	// it has room: it is as large as the pool
	rte_ring_sp_enqueue(f->ring, copy);
	return true;
}

void dump_file_begin(struct dump_file *f)
{
	__atomic_store_n(&f->begun, true, __ATOMIC_RELEASE);
}

bool dump_file_failed(const struct dump_file *f)
{
	return __atomic_load_n(&f->error, __ATOMIC_RELAXED) != 0;
}

void dump_file_figures(const struct dump_file *f, struct dump_figures *ret)
{
	ret->packets = __atomic_load_n(&f->packets, __ATOMIC_RELAXED);
	ret->bytes = __atomic_load_n(&f->bytes, __ATOMIC_RELAXED);
	ret->failed = __atomic_load_n(&f->failed, __ATOMIC_RELAXED);
	ret->error = __atomic_load_n(&f->error, __ATOMIC_RELAXED);
}

// ---- the control side

static char *folder; // NULL: no file may be opened

int dump_folder(const char *path, struct err *err)
{
	char *copy = path != NULL ? strdup(path) : NULL;

	if (path != NULL && copy == NULL)
		return err_oom(err);
	free(folder);
	folder = copy;
	return 0;
}

static int open_path(const char *path, struct err *err)
{
	_cleanup_close_ int dir =
		folder != NULL ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (folder == NULL)
		return err_set(err, EINVAL, "file '%s': there is no folder for it", path);
	if (dir < 0)
		return err_sys(err, errno, "file '%s': open the folder '%.256s'", path, folder);
	// a pipe that nobody reads would be waited for
	fd = fs_open_below(dir, path, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0600, false);
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return err_set(
			err,
			errno,
			"file '%s': it must be below '%.256s', without symbolic links; --dump-dir= "
			"names "
			"another folder",
			path,
			folder
		);
	if (fd < 0)
		return err_sys(err, errno, "file '%s': open in '%.256s'", path, folder);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "file '%s' is not a regular file: name another", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err, EBUSY, "file '%s' is written by another task: name another", path
		);
	return steal_fd(&fd);
}

static int make_buffers(struct dump_file *f, uint32_t buffers, int socket, struct err *err)
{
	static unsigned made;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "dump%u", made++);
	f->pool = rte_pktmbuf_pool_create(
		name, buffers, 0, 0, (uint16_t)rte_pcapng_mbuf_size(f->snaplen), socket
	);
	f->ring = rte_ring_create(
		name, buffers, socket, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ
	);
	if (f->pool != NULL && f->ring != NULL)
		return 0;
	return err_set(
		err,
		ENOMEM,
		"no memory for %u packets of %u bytes; grant more hugepages, or make buffers= or "
		"snaplen= smaller",
		buffers,
		f->snaplen
	);
}

static void set_clock(struct dump_file *f)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	f->tsc = rte_rdtsc();
	f->base = DPDK_PCAPNG_TSC ? f->tsc : (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
	f->per_cycle = (uint64_t
	)(((unsigned __int128)(DPDK_PCAPNG_TSC ? rte_get_tsc_hz() : NS) << 32) / tsc_hz());
}

static int start(struct dump_file *f, const char *path, struct err *err)
{
	uint16_t port = 0;
	int r;

	f->first_port = RTE_MAX_ETHPORTS;
	while ((port = (uint16_t)rte_eth_find_next_owned_by(port, RTE_ETH_DEV_NO_OWNER))
	       < RTE_MAX_ETHPORTS) {
		f->first_port = f->first_port < port ? f->first_port : port;
		f->known[port++] = true;
	}
	if (f->first_port == RTE_MAX_ETHPORTS)
		return err_set(
			err, EINVAL, "a dump wants a port for its file to name: add a [port]"
		);
	f->fd = open_path(path, err);
	if (f->fd < 0)
		return -err->code;
	set_clock(f);
	// beside the lcores
	r = dpdk_thread(&f->thread, "drover-dump", writer, f);
	if (r != 0)
		return err_set(err, EAGAIN, "file '%s': no thread for its writer", path);
	f->running = true;
	return 0;
}

int dump_file_open(
	const char *path,
	uint32_t snaplen,
	uint32_t buffers,
	int socket,
	struct dump_file **ret,
	struct err *err
)
{
	// not EAL's memory: see enum where
	struct dump_file *f =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*f), RTE_CACHE_LINE_SIZE));

	if (f != NULL)
		memset(f, 0, sizeof(*f));
	else
		return err_oom(err);
	f->fd = -1;
	f->snaplen = snaplen;
	if (make_buffers(f, buffers, socket, err) < 0 || start(f, path, err) < 0) {
		dump_file_close(f, NULL);
		return -err->code;
	}
	*ret = f;
	return 0;
}

static struct dump_file *left_behind; // so that they are not lost

// False: it hangs, and was left behind.
static bool join(struct dump_file *f)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DUMP_CLOSE_SECONDS;
	while (pthread_timedjoin_np(f->thread, NULL, &until) != 0) {
		// it ends by itself, unless it is in the kernel
		__atomic_store_n(&f->late, true, __ATOMIC_RELEASE);
		if (step(f, IN_KERNEL, LEFT_BEHIND)) {
			f->next = left_behind;
			left_behind = f;
			pthread_detach(f->thread);
			return false;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	}
	return true;
}

bool dump_file_close(struct dump_file *f, struct dump_figures *ret)
{
	bool whole;

	if (f == NULL)
		return true;
	__atomic_store_n(&f->quit, true, __ATOMIC_RELEASE);
	if (f->running && !join(f)) {
		if (ret != NULL)
			dump_file_figures(f, ret);
		return false;
	}
	whole = f->error == 0 && !f->late;
	if (ret != NULL)
		dump_file_figures(f, ret);
	if (f->out != NULL)
		rte_pcapng_close(f->out);
	else if (f->fd >= 0)
		close(f->fd);
	rte_ring_free(f->ring);
	rte_mempool_free(f->pool);
	free(f);
	return whole;
}
