// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "cli/nic_work.h"

#include "apply/apply.h"
#include "cli/cli.h"
#include "cli/request.h"

#include <stdio.h>

int nic_work_open(struct nic_work *w, struct err *err)
{
	int r;

	*w = (struct nic_work){.dry = w->dry};
	w->ledger = (struct ledger){.defs = -1, .leases = -1, .lock = -1};
	w->fs.root = -1;
	r = w->dry ? cli_open_host(&w->fs, err) : cli_open_real(true, &w->fs, &w->ledger, err);
	if (r == 0 && w->dry)
		r = ledger_open(&w->fs, false, &w->ledger, err);
	if (r == 0 && !w->dry)
		r = ledger_lock(&w->ledger, err);
	// what ended, or was killed in the middle, has nothing any more
	if (r == 0 && !w->dry)
		gc_leases(&w->ledger, NULL, err);
	if (r == 0)
		r = host_read(&w->fs, HOST_PCI, &w->host, err);
	if (r == 0)
		r = netdevs_mark(&w->ledger, &w->host, err);
	if (r == 0)
		r = ledger_holdings(&w->ledger, NULL, &w->others, err);
	return r;
}

void nic_work_close(struct nic_work *w)
{
	holdings_done(&w->others);
	ledger_close(&w->ledger);
	host_done(&w->host);
	hostfs_close(&w->fs);
}

int nic_work_show(struct plan *p, struct err *err)
{
	int r = p->failed ? err_oom(err) : 0;

	if (r == 0)
		plan_print_steps(p, stdout);
	plan_done(p);
	return r;
}
