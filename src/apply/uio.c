// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The end of a lease with a NIC on UIO: what the kernel does for VFIO when the last descriptor is closed is done here.

#include "apply/apply.h"

#include "base/clock.h"
#include "base/event_log.h"
#include "base/scope.h"
#include "base/str.h"
#include "base/wait.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "host/uio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICES "sys/bus/pci/devices"
#define RESET_MILLISECONDS 3000

// Their modes too: the program was their owner, and sysfs keeps what it made of them.
static int take_files(int dir, const char *bdf, struct err *err)
{
	for (unsigned i = 0; host_uio_files[i] != NULL; i++) {
		const char *file = host_uio_files[i];

		if ((fchownat(dir, file, 0, 0, AT_SYMLINK_NOFOLLOW) < 0
		     || fchmodat(dir, file, host_uio_mode(file), 0) < 0)
		    && errno != ENOENT && errno != ENODEV)
			return err_sys(err, errno, "NIC %s: take '%s' back", bdf, file);
	}
	return 0;
}

// Before the reset, which restores the configuration that it finds. Not written where there is nothing to stop: a
// kernel that is locked down lets nobody write it, the program neither.
static int stop_dma(int dir, const char *bdf, struct err *err)
{
	_cleanup_close_ int fd = openat(dir, "config", O_RDONLY | O_CLOEXEC);
	uint8_t command[2];

	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return 0;
	errno = fd < 0 ? errno : EIO; // of less than was asked for
	if (fd >= 0 && pread(fd, command, sizeof(command), PCI_COMMAND) == sizeof(command)) {
		if ((command[0] & PCI_COMMAND_MASTER) == 0)
			return 0;
		command[0] &= (uint8_t)~PCI_COMMAND_MASTER;
		scope_close(&fd);
		fd = openat(dir, "config", O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && pwrite(fd, command, sizeof(command), PCI_COMMAND) == sizeof(command))
			return 0;
	}
	return err_sys(err, errno, "NIC %s: stop its DMA", bdf);
}

// Its "reset", or -ENOENT where it has none. Who resets it has its lock until it is back, for who reads the
// configuration of one meanwhile waits too. It is root's alone: nobody else can open it.
static int begin_alone(int dir, const char *bdf, struct err *err)
{
	_cleanup_close_ int fd = openat(dir, "reset", O_WRONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return -ENOENT;
	if (fd < 0)
		return err_sys(err, errno, "NIC %s: open its reset", bdf);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(
			err,
			ETIMEDOUT,
			"NIC %s is being reset, and is not back yet; see: pinfold gc",
			bdf
		);
	return steal_fd(&fd);
}

// In a child with nothing but that: neither the ledger's lock nor somebody's pipe. Returns an errno.
static int write_reset(int reset)
{
	if (dup2(reset, 0) < 0 || close_range(1, ~0U, 0) < 0)
		return errno;
	return write(0, "1", 1) == 1 ? 0 : errno;
}

// The kernel waits a minute for one that does not come back, which is up to whoever wrote its registers: others wait for
// the ledger meanwhile.
static int begin_reset(int reset, const char *bdf, pid_t *ret, struct err *err)
{
	*ret = fork();
	if (*ret == 0)
		_exit(write_reset(reset));
	return *ret < 0 ? err_sys(err, errno, "NIC %s: reset it", bdf) : 0;
}

// One that cannot be reset is as with VFIO: pinfold doctor tells of it. One that is not back stays with its lease.
static int end_reset(pid_t pid, const char *bdf, int64_t until, struct err *err)
{
	int64_t left = until - clock_ms();
	int status = 0;

	if (!wait_for_end(pid, &status, left > 0 ? (int)left : 0))
		return err_set(
			err,
			ETIMEDOUT,
			"NIC %s is being reset, and is not back after %d s; see: pinfold gc",
			bdf,
			RESET_MILLISECONDS / 1000
		);
	if (WIFSIGNALED(status))
		return err_set(err, EINTR, "NIC %s: who was to reset it was killed", bdf);
	if (WEXITSTATUS(status) != 0)
		event_log("NIC %s could not be reset: %s", bdf, strerror(WEXITSTATUS(status)));
	return 0;
}

// What cannot be looked at is not unplugged: its lease keeps it. resetter, where it is not NULL: 0, or who resets it.
static int take_back(const struct hostfs *fs, const char *bdf, pid_t *resetter, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DEVICES "/%s", bdf);
	_cleanup_close_ int dir = -1, alone = -1;
	char driver[64];
	int r;

	if (path == NULL)
		return err_oom(err);
	dir = hostfs_dir(fs->root, path);
	if (dir == -ENOENT || dir == -ENODEV) // unplugged
		return 0;
	if (dir < 0)
		return err_sys(err, -dir, "NIC %s: look at '/%s'", bdf, path);
	if (take_files(dir, bdf, err) < 0)
		return -err->code;
	r = hostfs_link_name(dir, "driver", driver, sizeof(driver));
	if (r < 0 && r != -ENOENT && r != -ENODEV)
		return err_sys(err, -r, "NIC %s: find its driver", bdf);
	// of no driver, or of another one since: not ours to touch
	if (r < 0 || !host_nic_uio(driver))
		return 0;
	alone = begin_alone(dir, bdf, err);
	if ((alone < 0 && alone != -ENOENT) || stop_dma(dir, bdf, err) < 0)
		return -err->code;
	return resetter != NULL && alone >= 0 ? begin_reset(alone, bdf, resetter, err) : 0;
}

static int each(const struct ledger *l, const struct grant *g, bool last, struct err *err)
{
	pid_t resetters[GRANT_NICS] = {0};
	struct err first = {0};
	int64_t until;

	for (unsigned i = 0; i < g->nnics; i++) {
		pid_t *resetter = last ? &resetters[i] : NULL;

		if (g->nics[i].uio && take_back(&l->fs, g->nics[i].bdf, resetter, err) < 0)
			err_keep(&first, err);
	}
	until = clock_ms() + RESET_MILLISECONDS;
	for (unsigned i = 0; i < g->nnics; i++) {
		if (resetters[i] > 0 && end_reset(resetters[i], g->nics[i].bdf, until, err) < 0)
			err_keep(&first, err);
	}
	return err_first(&first, err);
}

int uio_stop(const struct ledger *l, const struct grant *g, struct err *err)
{
	return each(l, g, false, err);
}

int uio_return(const struct ledger *l, const struct grant *g, struct err *err)
{
	return each(l, g, true, err);
}
