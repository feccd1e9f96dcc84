// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The devices of a cgroup of v2, where no file says them but a program of the kernel's (bpf(2),
// BPF_PROG_TYPE_CGROUP_DEVICE; its context is struct bpf_cgroup_dev_ctx): 1 allows, 0 refuses. It goes
// with the cgroup.

#include "apply/apply.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define RULES 80
#define PER_RULE 4

struct program {
	struct bpf_insn code[PER_RULE * RULES + 8];
	unsigned n;
};

static void emit(struct program *p, unsigned op, unsigned dst, unsigned src, int off, int imm)
{
	if (p->n < ARRAY_LEN(p->code))
		p->code[p->n++] = (struct bpf_insn){
			.code = (__u8)op,
			.dst_reg = dst & 0xf,
			.src_reg = src & 0xf,
			.off = (__s16)off,
			.imm = imm,
		};
}

static void load(struct program *p, unsigned reg, size_t off)
{
	emit(p, BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, (int)off, 0);
}

static void result(struct program *p, int value)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

// "MAJOR:MINOR" or "MAJOR:*" of a character device.
static int rule(struct program *p, const char *word)
{
	unsigned major, minor = 0;
	bool any = strchr(word, '*') != NULL;

	if (sscanf(word, any ? "%u:*" : "%u:%u", &major, &minor) != (any ? 1 : 2))
		return -EINVAL;
	emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, any ? 2 : 3, (int)major);
	if (!any)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 2, (int)minor);
	result(p, 1);
	return 0;
}

static int compile(const char *list, struct program *p)
{
	_cleanup_free_ char *copy = strdup(list);
	unsigned rules = 0;

	if (copy == NULL)
		return -ENOMEM;
	load(p, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	load(p, BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(p, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, minor));
	// the lower half is the type, the upper one how it is accessed
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 2, BPF_DEVCG_DEV_CHAR);
	result(p, 0);
	str_foreach (word, copy, " ") {
		if (++rules > RULES)
			return -E2BIG;
		if (rule(p, word) < 0)
			return -EINVAL;
	}
	result(p, 0);
	return 0;
}

int cgroup_allow_devices(const char *dir, const char *list, struct err *err)
{
	struct program p = {.n = 0};
	union bpf_attr load_attr = {0}, attach = {0};
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), prog = -1;
	int r = compile(list, &p);

	if (r < 0)
		return err_sys(err, -r, "limit the devices of '%s' to '%s'", dir, list);
	if (fd < 0)
		return err_sys(err, errno, "open cgroup '%s'", dir);
	load_attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load_attr.insns = (__u64)(uintptr_t)p.code;
	load_attr.insn_cnt = p.n;
	load_attr.license = (__u64)(uintptr_t) "BSD";
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load_attr, sizeof(load_attr));
	if (prog < 0)
		return err_sys(
			err,
			errno,
			"limit the devices of '%s': the kernel takes no program "
			"(CONFIG_CGROUP_BPF)",
			dir
		);
	attach.target_fd = (__u32)fd;
	attach.attach_bpf_fd = (__u32)prog;
	attach.attach_type = BPF_CGROUP_DEVICE;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0)
		return err_sys(err, errno, "limit the devices of '%s'", dir);
	return 0;
}
