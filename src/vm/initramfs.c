// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "base/dir.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "vm/vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define MODULE_MAX (16u << 20)
#define OLD_SECONDS 3600 // an initramfs of another pinfold-inside that is no longer read

// What leads to the root file system and to the host; and what hands a NIC to a program. The name that init loads
// them by has the number, so that they are in order.
static int add_modules(
	struct cpio *c,
	int top,
	const char *dep,
	const char *prefix,
	const char *const *wanted,
	struct err *err
)
{
	struct vm_modules m;
	int r = vm_modules_in_order(dep, wanted, &m, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; r == 0 && i < m.n; i++) {
		const char *base = strrchr(m.path[i], '/');
		_cleanup_free_ char *data = NULL;
		char name[128];
		size_t len;

		r = fs_read(top, m.path[i], MODULE_MAX, &data, &len);
		if (r < 0) {
			r = err_sys(err, -r, "read module '%s'", m.path[i]);
			break;
		}
		snprintf(
			name,
			sizeof(name),
			"modules/%s%02u-%s",
			prefix,
			i,
			base != NULL ? base + 1 : m.path[i]
		);
		cpio_add(c, name, S_IFREG | 0644, data, len, 0);
	}
	vm_modules_done(&m);
	return r;
}

static int build(const struct vm_tools *t, const char *inside, struct cpio *c, struct err *err)
{
	static const char *const boot[] = {
		"virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", NULL};
	static const char *const nic[] = {"uio_pci_generic", "vfio_iommu_type1", "vfio-pci", NULL};
	_cleanup_free_ char *modules =
		str_printf("%s/linux-%s/lib/modules/%s", vm_cache(), t->release, t->release);
	_cleanup_close_ int top =
		modules != NULL ? open(modules, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_close_ int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *dep = NULL, *program = NULL;
	size_t len;
	int r;

	if (top < 0)
		return err_sys(
			err,
			errno,
			"open the modules of the guest's kernel, '%s'",
			modules != NULL ? modules : ""
		);
	r = fs_read(top, "modules.dep", MODULE_MAX, &dep, NULL);
	if (r < 0)
		return err_sys(err, -r, "read '%s/modules.dep'", modules);
	r = fs_read(root, inside, MODULE_MAX * 4, &program, &len);
	if (r < 0)
		return err_sys(err, -r, "read '%s'", inside);
	cpio_add(c, "dev", S_IFDIR | 0755, NULL, 0, 0);
	cpio_add(c, "dev/console", S_IFCHR | 0600, NULL, 0, 5 << 8 | 1);
	cpio_add(c, "modules", S_IFDIR | 0755, NULL, 0, 0);
	cpio_add(c, "init", S_IFREG | 0755, program, len, 0);
	if (add_modules(c, top, dep, "boot-", boot, err) < 0
	    || add_modules(c, top, dep, "nic-", nic, err) < 0)
		return -err->code;
	cpio_end(c);
	return c->failed ? err_oom(err) : 0;
}

static void remove_old(int dir)
{
	_cleanup_closedir_ DIR *d = dir_open(dir, ".", 0);
	struct dirent *e;
	struct stat st;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		if (str_starts(e->d_name, "initramfs-")
		    && fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
		    && st.st_atim.tv_sec < time(NULL) - OLD_SECONDS
		    && st.st_mtim.tv_sec < time(NULL) - OLD_SECONDS)
			unlinkat(dirfd(d), e->d_name, 0);
	}
}

int vm_make_initramfs(const struct vm_tools *t, const char *inside, struct err *err)
{
	const char *name = strrchr(t->initramfs, '/') + 1;
	_cleanup_free_ char *dir = strndup(t->initramfs, (size_t)(name - t->initramfs));
	_cleanup_close_ int fd = -1;
	struct cpio c = {0};
	int r;

	if (access(t->initramfs, R_OK) == 0)
		return 0;
	fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", dir != NULL ? dir : "");
	r = build(t, inside, &c, err);
	if (r == 0) {
		remove_old(fd);
		r = fs_write_atomic(fd, name, c.data, c.len, 0644, err);
	}
	free(c.data);
	return r;
}
