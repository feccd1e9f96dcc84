// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "bench/exp/system.h"

#include "base/scope.h"
#include "base/str.h"
#include "bench/exp/ready.h"
#include "bench/need.h"
#include "bench/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD "/usr/lib/systemd/systemd"
#define UNITS "/usr/lib/systemd/system"
#define LIMIT_MS 180000
#define PAPER_MS 21000
#define WORD "pinfold-bench-booted"

enum value {
	BOOTED,
	USER,
	VALUES
};

// Until its default target is reached, with what systemd's own package starts: the host's services are not its. $1 is
// pinfold, $2 a name, $3 a CPU.
static const char script[] =
	"trap '\"$1\" stop -t 2 \"$2\" >/dev/null 2>&1' EXIT\n"
	"\"$1\" run -d --name \"$2\" --in vm --cpus \"$3\" --memory 512M --first"
	" -e SYSTEMD_UNIT_PATH=" UNITS " -e SYSTEMD_GENERATOR_PATH=/nonexistent"
	" -- " SYSTEMD " >/dev/null\n"
	"\"$1\" exec \"$2\" -- /bin/sh -c '"
	"until systemctl is-system-running --wait 2>/dev/null | grep -qE \"running|degraded\"; do"
	" sleep 0.05; done; systemctl show -p UserspaceTimestampMonotonic"
	" -p FinishTimestampMonotonic'\n"
	"echo " WORD "\n";

static double ms_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at != NULL ? strtod(at + strlen(key), NULL) / 1e3 : NAN;
}

static int trial(struct bench *b, void *, struct trial *t, struct err *err)
{
	_cleanup_free_ char *name = need(str_printf("bench-%d-%u", (int)getpid(), t->number));
	_cleanup_free_ char *cpu = need(str_printf("%d", b->cpu_vnf)), *text = NULL;
	const char *const argv[] = {"sh", "-ec", script, "sh", b->pinfold, name, cpu, NULL};
	struct ready r;

	if (ready_time(b, &(struct child_how){.argv = argv}, WORD, LIMIT_MS, &r, &text, err) < 0)
		return -err->code;
	t->value[BOOTED] = r.ready_ms;
	if (text != NULL)
		t->value[USER] = ms_of(text, "FinishTimestampMonotonic=")
				 - ms_of(text, "UserspaceTimestampMonotonic=");
	return 0;
}

int system_startup(struct bench *b, struct result *r, struct err *err)
{
	static const char name[] = "exec to ready, full operating system";
	const struct environment *vm = &b->env[ENV_VM];
	struct series series = {
		.what = "startup of a whole system",
		.side = {vm->name},
		.nsides = 1,
		.rounds = vm->emulated ? 1 : bench_choose(b, 2, 5),
		.least = 1,
		.attempts = 2,
		.run = trial,
	};
	struct series_report report;

	if (!vm->present || access(SYSTEMD, X_OK) < 0) {
		result_missing(
			r, name, vm, "%s", vm->present ? "systemd is not installed" : vm->why
		);
		return 0;
	}
	series.row[0][BOOTED] = result_measured(r, name, vm, "ms");
	series.row[0][BOOTED]->less = true;
	row_paper(
		series.row[0][BOOTED],
		PAPER_MS,
		"a virtual machine (KVM, default operating system): 21 s; here systemd and the "
		"units of its package"
	);
	series.row[0][USER] =
		result_measured(r, "phase: systemd, until its default target", vm, "ms");
	return series_run(b, &series, &report, err);
}
