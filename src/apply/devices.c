// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The devices of a cgroup of v2, where no file says them but a program of the kernel's (bpf(2),
// BPF_PROG_TYPE_CGROUP_DEVICE; its context is struct bpf_cgroup_dev_ctx): 1 allows, 0 refuses. It goes
// with the cgroup. Where there are several, also of cgroups above, all of them have to allow it.

#include "apply/apply.h"
#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

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

// "MAJOR:MINOR" or "MAJOR:*" of a character device, which it then allows (1) or refuses (0).
static int rule(struct program *p, const char *word, int value)
{
	unsigned major, minor = 0;
	bool any = strchr(word, '*') != NULL;

	if (sscanf(word, any ? "%u:*" : "%u:%u", &major, &minor) != (any ? 1 : 2))
		return -EINVAL;
	emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, any ? 2 : 3, (int)major);
	if (!any)
		emit(p, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_4, 0, 2, (int)minor);
	result(p, value);
	return 0;
}

// Up to where the rules begin. What is no character device is as said: 1 or 0.
static void begin(struct program *p, int others)
{
	load(p, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	load(p, BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(p, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, minor));
	// the lower half is the type, the upper one how it is accessed
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 2, BPF_DEVCG_DEV_CHAR);
	result(p, others);
}

static int compile(const char *list, struct program *p)
{
	_cleanup_free_ char *copy = strdup(list);
	unsigned rules = 0;

	if (copy == NULL)
		return -ENOMEM;
	begin(p, 0);
	str_foreach (word, copy, " ") {
		if (++rules > RULES)
			return -E2BIG;
		if (rule(p, word, 1) < 0)
			return -EINVAL;
	}
	result(p, 0);
	return 0;
}

static int attach(int dir, const struct program *p, struct err *err)
{
	union bpf_attr load_attr = {0}, attach_attr = {0};
	_cleanup_close_ int prog = -1;

	load_attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load_attr.insns = (__u64)(uintptr_t)p->code;
	load_attr.insn_cnt = p->n;
	load_attr.license = (__u64)(uintptr_t) "BSD";
	prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load_attr, sizeof(load_attr));
	if (prog < 0)
		return err_sys(err, errno, "the kernel takes no program (CONFIG_CGROUP_BPF)");
	attach_attr.target_fd = (__u32)dir;
	attach_attr.attach_bpf_fd = (__u32)prog;
	attach_attr.attach_type = BPF_CGROUP_DEVICE;
	attach_attr.attach_flags = BPF_F_ALLOW_MULTI; // as that of the runtime below
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach_attr, sizeof(attach_attr)) < 0)
		return err_sys(err, errno, "attach its program");
	return 0;
}

int cgroup_allow_devices(const char *dir, const char *list, struct err *err)
{
	struct program p = {.n = 0};
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = compile(list, &p);

	if (r < 0)
		return err_sys(err, -r, "limit the devices of '%s' to '%s'", dir, list);
	if (fd < 0)
		return err_sys(err, errno, "open cgroup '%s'", dir);
	if (attach(fd, &p, err) < 0)
		return err_wrap(err, "limit the devices of '%s'", dir);
	return 0;
}

int cgroup_refuse_device(
	const struct hostfs *fs, const struct lease *lease, dev_t device, struct err *err
)
{
	// a machine with v1 may have a v2 beside it, in which no runtime limits devices
	static const struct cgroup_control v1 = {NULL, "devices.deny"},
					   v2 = {"cgroup.events", NULL};
	_cleanup_free_ char *group = plan_lease_cgroup(&lease->grant), *text = NULL;
	char number[32];
	struct program p = {.n = 0};
	_cleanup_close_ int box = -1;
	const char *file;
	int r;

	snprintf(number, sizeof(number), "%u:%u", major(device), minor(device));
	text = str_printf("c %s rwm", number);
	if (group == NULL || text == NULL)
		return err_oom(err);
	box = cgroup_open_box(fs, group, &v1, &file);
	if (box >= 0)
		return fs_write_control(box, file, text, err);
	box = cgroup_open_box(fs, group, &v2, &file);
	if (box < 0)
		return err_set(err, ENOENT, "keep it from device %s: it has no cgroup", number);
	begin(&p, 1);
	r = rule(&p, number, 0);
	result(&p, 1);
	if (r < 0 || attach(box, &p, err) < 0)
		return err_wrap(err, "keep it from device %s", number);
	return 0;
}
