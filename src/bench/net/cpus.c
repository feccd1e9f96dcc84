// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/net/cpus.h"

#include "base/fs.h"
#include "base/idset.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/need.h"

#define CPU_DIR "/sys/devices/system/cpu"

static struct idset kernel_list(const char *name)
{
	_cleanup_free_ char *path = need(str_printf(CPU_DIR "/%s", name)), *text = NULL;
	struct idset found = {0};
	struct err none;

	if (fs_read_file(path, 65536, &text, NULL) < 0 || idset_parse(text, &found, &none) < 0)
		found = (struct idset){0};
	return found;
}

void cpu_kinds(const struct bench *b, struct cpu_kind ret[CPU_KINDS])
{
	struct idset isolated = kernel_list("isolated"), nohz = kernel_list("nohz_full"),
		     normal = kernel_list("online");

	idset_andnot(&normal, &isolated);
	idset_andnot(&normal, &nohz);
	ret[0] = (struct cpu_kind){
		.name = "a normal CPU",
		.cpu = idset_has(&normal, (unsigned)b->cpu_vnf) ? b->cpu_vnf : idset_first(&normal),
		.why = "all CPUs are isolated or nohz_full",
	};
	ret[1] = (struct cpu_kind){
		.name = "an isolated CPU",
		.cpu = idset_first(&isolated),
		.why = "the kernel was started without isolcpus=, so no CPU is isolated",
	};
	ret[2] = (struct cpu_kind){
		.name = "a nohz_full CPU",
		.cpu = idset_first(&nohz),
		.why = "the kernel was started without nohz_full=, or cannot stop its tick",
	};
}
