// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/exp/function.h"

#include "base/fs.h"
#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/run_in.h"
#include "bench/need.h"

#include <string.h>

static const char before[] = "[eal options]\n-n=4\n"
			     "[port 0]\nname=in\ndevice=null\n[port 1]\nname=out\ndevice=null\n"
			     "[defaults]\nmempool size=2K\n[global]\nname=";
static const char after[] = "\n[core 0]\nmode=master\n"
			    "[core 1]\nname=forward\ntask=0\nmode=none\nrx port=in\ntx port=out\n";

int function_write(struct bench *b, const char *name, struct err *err)
{
	_cleanup_free_ char *dir = bench_path(b, "function");
	_cleanup_free_ char *text = need(str_printf("%s%s%s", before, name, after));
	_cleanup_close_ int fd = fs_mkdirs(dir, 0755, err);

	return fd < 0 ? -err->code
		      : fs_write_fleeting(fd, "function.cfg", text, strlen(text), 0644, err);
}

int function_start(
	struct bench *b,
	const struct environment *e,
	unsigned number,
	unsigned limit_ms,
	struct ready *ret,
	struct err *err
)
{
	_cleanup_free_ char *here = bench_path(b, "function/function.cfg");
	_cleanup_free_ char *dir = bench_path(b, "function");
	_cleanup_free_ char *volume = need(str_printf("%s:/cfg:ro", dir));
	const struct run_in_how how = {
		.program =
			{RUN_IN_DROVER,
			 "run",
			 e->kind == ENV_HOST ? here : "/cfg/function.cfg",
			 "--duration",
			 "50ms"},
		.option = {"--hugepages", "2M=48", "-v", volume},
		.memory = "320M",
	};
	struct run_in p;
	int r;

	if (run_in_command(b, e, &how, number, &p, err) < 0)
		return -err->code;
	r = ready_time(b, &p.child, "traffic runs", limit_ms, ret, NULL, err);
	run_in_done(&p);
	return r;
}
