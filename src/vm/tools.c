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

#define SECONDS_MAX 3600

const char *vm_cache(void)
{
	const char *dir = getenv("PINFOLD_GUEST_CACHE");

	return dir != NULL && dir[0] == '/' ? dir : VM_CACHE;
}

unsigned vm_start_seconds(void)
{
	const char *s = getenv("PINFOLD_GUEST_SECONDS");
	unsigned long n = s != NULL ? strtoul(s, NULL, 10) : 0;

	return n >= VM_SECONDS && n <= SECONDS_MAX ? (unsigned)n : VM_SECONDS;
}

int vm_find_qemu(struct vm_tools *t, struct err *err)
{
	static const char *const dirs[] = {"/usr/local/bin", "/usr/bin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		snprintf(t->qemu, sizeof(t->qemu), "%s/" VM_QEMU, dirs[i]);
		if (access(t->qemu, X_OK) == 0)
			return 0;
	}
	return err_set(
		err,
		ENOENT,
		"--in vm needs QEMU, and " VM_QEMU " is not installed (apt install qemu-system-x86)"
	);
}

// The one that was fetched last.
int vm_find_kernel(struct vm_tools *t, struct err *err)
{
	_cleanup_closedir_ DIR *d = opendir(vm_cache());
	struct timespec newest = {0};
	struct dirent *e;
	struct stat st;

	while (d != NULL && (e = dir_next(d)) != NULL) {
		_cleanup_free_ char *image = str_printf("%s/vmlinux", e->d_name);

		if (!str_starts(e->d_name, "linux-") || strlen(e->d_name) >= sizeof(t->release)
		    || image == NULL || fstatat(dirfd(d), image, &st, 0) < 0
		    || st.st_mtim.tv_sec < newest.tv_sec)
			continue;
		newest = st.st_mtim;
		snprintf(t->release, sizeof(t->release), "%s", e->d_name + strlen("linux-"));
	}
	snprintf(t->kernel, sizeof(t->kernel), "%s", vm_cache());
	if (t->release[0] == '\0')
		return err_set(
			err,
			ENOENT,
			"--in vm needs a kernel for the guest, and there is none in '%s'; fetch "
			"one with: pinfold host kernel",
			vm_cache()
		);
	snprintf(t->kernel, sizeof(t->kernel), "%s/linux-%s/vmlinux", vm_cache(), t->release);
	return 0;
}

int vm_find(const char *inside, struct vm_tools *ret, struct err *err)
{
	struct vm_tools t = {.seconds = vm_start_seconds()};
	struct stat st;

	if (vm_find_qemu(&t, err) < 0 || vm_find_kernel(&t, err) < 0)
		return -err->code;
	if (stat(inside, &st) < 0)
		return err_sys(err, errno, "look at '%s'", inside);
	snprintf(
		t.initramfs,
		sizeof(t.initramfs),
		"%s/linux-%s/initramfs-%llx-%llx",
		vm_cache(),
		t.release,
		(unsigned long long)st.st_mtim.tv_sec * 1000000000
			+ (unsigned long long)st.st_mtim.tv_nsec,
		(unsigned long long)st.st_size
	);
	*ret = t;
	return 0;
}

void vm_assume(struct vm_tools *ret)
{
	*ret = (struct vm_tools){
		.qemu = "/usr/bin/" VM_QEMU,
		.kernel = VM_CACHE "/linux/vmlinux",
		.initramfs = VM_CACHE "/linux/initramfs",
		.seconds = VM_SECONDS,
	};
}

bool vm_kvm_likely(int root)
{
	return (faccessat(root, "sys/module/kvm_intel", F_OK, 0) == 0
		|| faccessat(root, "sys/module/kvm_amd", F_OK, 0) == 0)
	       && faccessat(root, "dev/kvm", F_OK, 0) == 0;
}
