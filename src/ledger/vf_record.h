// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// What VFs (SR-IOV) were before pinfold touched them: a file each below /run/pinfold/vfs, written first, and gone when
// that is done, or put back. One of a PF: its VFs are being made, or set. One of a VF: a lease has it. What
// `nic vfs --persist` keeps for the next boot has the same form.
#pragma once

#include "host/vf.h"
#include "ledger/ledger.h"

#define VFS_DIR RUN_DIR "/vfs"
#define VFS_KEPT ETC_DIR "/vfs.d"

struct vf_record {
	char nic[16]; // PF or VF: the name of the file
	char pf[16];
	char lease[NAME_MAX_LEN + 1]; // that has the VF; ""
	char boot_id[HOST_BOOT_ID];
	unsigned made;	// that many are being made: all are to be taken away again; 0: they are set
	bool autoprobe; // as it was: new VFs are offered to drivers
	unsigned n;
	struct vf vfs[VFS_MAX]; // as they were; of what is kept, as they are to be
};

// dir: VFS_DIR or VFS_KEPT. The ledger is locked for all that writes.
int vf_record_write(
	const struct ledger *l, const char *dir, const struct vf_record *r, struct err *err
);
int vf_record_read(
	const struct ledger *l,
	const char *dir,
	const char *nic,
	struct vf_record *ret,
	struct err *err
); // -ENOENT
// And the directory, where it is empty. None is fine.
int vf_record_remove(const struct ledger *l, const char *dir, const char *nic, struct err *err);
// The directory alone, also after a writer that was killed.
void vf_record_sweep(const struct ledger *l, const char *dir);
// In order of address, until fn returns non-zero. One that cannot be read is the failure at the end.
typedef int (*vf_record_fn)(const struct vf_record *r, void *arg, struct err *err);
int vf_record_each(
	const struct ledger *l, const char *dir, vf_record_fn fn, void *arg, struct err *err
);
