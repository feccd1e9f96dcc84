// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The end of a lease with a NIC on UIO: what the kernel does for VFIO when the last descriptor is closed is done here.

#include "apply/apply.h"

#include "base/event_log.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "host/hostfs.h"
#include "host/nic.h"
#include "host/uio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/stat.h>

#define DEVICES "sys/bus/pci/devices"

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

// Before the reset, which restores the configuration that it finds.
static int stop_dma(int dir, const char *bdf, struct err *err)
{
	_cleanup_close_ int fd = openat(dir, "config", O_RDWR | O_CLOEXEC);
	uint8_t command[2];

	if (fd < 0 && errno == ENOENT)
		return 0;
	errno = fd < 0 ? errno : EIO; // of less than was asked for
	if (fd >= 0 && pread(fd, command, sizeof(command), PCI_COMMAND) == sizeof(command)) {
		command[0] &= (uint8_t)~PCI_COMMAND_MASTER;
		if (pwrite(fd, command, sizeof(command), PCI_COMMAND) == sizeof(command))
			return 0;
	}
	return err_sys(err, errno, "NIC %s: stop its DMA", bdf);
}

// One that cannot be reset is as with VFIO: pinfold doctor tells of it.
static void reset(int dir, const char *bdf)
{
	_cleanup_close_ int fd = openat(dir, "reset", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		event_log("NIC %s could not be reset: %s", bdf, strerror(errno));
}

static int take_back(const struct hostfs *fs, const char *bdf, struct err *err)
{
	_cleanup_free_ char *path = str_printf(DEVICES "/%s", bdf);
	_cleanup_close_ int dir =
		path != NULL ? fs_open_in(fs->root, path, O_RDONLY | O_DIRECTORY, 0) : -1;
	char driver[64];

	if (path == NULL)
		return err_oom(err);
	if (dir < 0) // unplugged
		return 0;
	if (take_files(dir, bdf, err) < 0)
		return -err->code;
	// somebody else's by now, if it is
	if (hostfs_link_name(dir, "driver", driver, sizeof(driver)) < 0 || !host_nic_uio(driver))
		return 0;
	if (stop_dma(dir, bdf, err) < 0)
		return -err->code;
	reset(dir, bdf);
	return 0;
}

int uio_return(const struct ledger *l, const struct grant *g, struct err *err)
{
	struct err first = {0};

	for (unsigned i = 0; i < g->nnics; i++) {
		if (g->nics[i].uio && take_back(&l->fs, g->nics[i].bdf, err) < 0 && first.code == 0)
			first = *err;
	}
	if (first.code != 0)
		*err = first;
	return -first.code;
}
