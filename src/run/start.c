// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// From what is asked for to a plan.

#include "apply/apply.h"
#include "base/scope.h"
#include "run/run.h"
#include "run/say.h"
#include "vm/vm.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int in_use(const struct ledger *l, const char *name, struct err *err)
{
	struct lease lease;
	const char *id = "";
	struct err unused;

	if (lease_read(l, name, &lease, &unused) == 0
	    && str_starts(lease.command, LAUNCH_CONTAINER " "))
		id = lease.command + strlen(LAUNCH_CONTAINER " ");
	return err_set(
		err,
		EBUSY,
		"grant '%s' is in use%s%s%s; see pinfold ps, or pinfold stop %s",
		name,
		id[0] != '\0' ? " by container '" : "",
		id,
		id[0] != '\0' ? "'" : "",
		name
	);
}

static int take_given(struct start *s, const struct start_given *given, struct err *err)
{
	struct grant g;

	if (lease_exists(&s->ledger, given->name) || definition_exists(&s->ledger, given->name))
		return in_use(&s->ledger, given->name, err);
	if (given->make(given, &s->host, &s->ledger.fs, &g, err) < 0)
		return -err->code;
	snprintf(g.name, sizeof(g.name), "%s", given->name);
	s->lease.grant = g;
	return 0;
}

// Who may not have it does not learn who has.
static int read_defined(
	struct start *s, const struct start_request *req, struct grant *ret, struct err *err
)
{
	int r = definition_read(&s->ledger, req->definition, ret, err);

	if (r == 0 && req->claim != NULL)
		r = req->claim->check(req->claim, &s->ledger, ret, err);
	return r;
}

static int resolve_grant(struct start *s, const struct start_request *req, struct err *err)
{
	struct holdings others = {0};
	const char *name = req->definition != NULL ? req->definition : req->request->name;
	struct lease former;
	struct grant g;
	int r = req->definition != NULL ? read_defined(s, req, &g, err) : 0;

	if (r < 0)
		return r;
	if (name[0] != '\0' && lease_read(&s->ledger, name, &former, err) == 0
	    && lease_drains(&s->ledger, &former, err) < 0)
		return -err->code;
	if (req->definition != NULL) {
		if (lease_exists(&s->ledger, req->definition))
			return in_use(&s->ledger, req->definition, err);
		if (g.kind == GRANT_POOL)
			r =
				err_set(err,
					EINVAL,
					"grant '%s' is a pool: use it with --shared-cpus",
					g.name);
		if (r == 0)
			r = ledger_holdings(&s->ledger, req->definition, &others, err);
		if (r == 0)
			r = grant_validate(&g, &s->host, &others, err);
	} else {
		struct request named = *req->request;

		if (named.name[0] == '\0')
			r = ledger_free_name(&s->ledger, named.name, err);
		if (r == 0)
			r = ledger_holdings(&s->ledger, NULL, &others, err);
		if (r == 0)
			r = grant_resolve(&named, &s->host, &others, &g, err);
	}
	holdings_done(&others);
	if (r < 0)
		return r;
	s->lease.grant = g;
	s->lease.defined = req->definition != NULL;
	return 0;
}

// Somebody stops it, and where its end could not be written down it does not wait: the mark must not go with its lease.
static int refuse_stopped(const struct ledger *l, const struct lease *former, struct err *err)
{
	const char *name = former->grant.name;
	struct lease now;
	struct err unused;

	if (lease_read(l, name, &now, &unused) < 0 || now.again != LEASE_STOPPED
	    || !lease_same_run(former, &now))
		return 0;
	return err_set(err, ECANCELED, "'%s' was stopped before its next start", name);
}

// What it had: its lease waits for this. Else, where what it passed on was still used, what is asked for.
static int take_again(struct start *s, const struct start_request *req, struct err *err)
{
	const struct lease *former = req->again;
	struct request named;
	struct start_request anew = *req;
	struct holdings others;
	struct lease now;
	int r;

	if (former->again != LEASE_WAITING) {
		if (req->definition == NULL) {
			named = *req->request;
			strcpy(named.name, former->grant.name);
			anew.request = &named;
		}
		return resolve_grant(s, &anew, err);
	}
	r = lease_read(&s->ledger, former->grant.name, &now, err);
	if (r == -ENOENT
	    || (r == 0 && (now.again != LEASE_WAITING || !lease_same_run(former, &now))))
		return err_set(
			err, ECANCELED, "'%s' was taken back while it waited", former->grant.name
		);
	if (r < 0 || ledger_holdings(&s->ledger, now.grant.name, &others, err) < 0)
		return -err->code;
	r = grant_validate(&now.grant, &s->host, &others, err);
	holdings_done(&others);
	s->lease.grant = now.grant;
	s->lease.defined = now.defined;
	return r;
}

static void describe(struct lease *lease, const struct launch *launch)
{
	for (char *const *a = launch->argv; *a != NULL; a++)
		str_add(lease->command, sizeof(lease->command), " ", "%s", *a);
	// for people, in a table; also where it was cut in the middle of a character, which JSON would refuse
	str_plain(lease->command);
}

// Of a grant that is defined what it says decides, as it is now: without the lock, so that a start which meets a change of
// it may be refused for NICs that nobody has looked for.
static bool needs_pci(const struct start_request *req, const struct ledger *l)
{
	const struct request *want = req->request;
	struct grant g;
	struct err unused;

	if (req->again != NULL && req->again->again == LEASE_WAITING)
		return req->again->grant.nnics > 0 || req->again->grant.nnetdevs > 0;
	if (req->definition != NULL)
		return definition_read(l, req->definition, &g, &unused) < 0 || g.nnics > 0
		       || g.nnetdevs > 0;
	return want == NULL || want->nnics > 0 || want->nnetdevs > 0 || want->near[0] != '\0';
}

// Reading every function or cache takes its time: not for nothing.
static unsigned parts_for(const struct start_request *req, const struct ledger *l)
{
	// NULL: of a grant that is defined, and chosen
	const struct request *want = req->definition == NULL ? req->request : NULL;
	unsigned parts = 0;

	if (req->given != NULL)
		return req->given->pci ? HOST_PCI : 0;
	if (needs_pci(req, l))
		parts |= HOST_PCI;
	if (req->launch.look || (want != NULL && want->cpu_count > 0))
		parts |= HOST_SHARING;
	if (site_has(&req->launch.site, SITE_GUEST))
		parts |= HOST_CACHES;
	return parts;
}

// What is bound for the lease alone is bound before there is a plan: only then it has a device node. A lease that
// is never written leaves none bound (start_done).
static int bind_nics(struct start *s, struct err *err)
{
	const struct grant *g = &s->lease.grant;

	for (unsigned i = 0; i < g->nnics; i++) {
		const struct host_pci *nic = host_pci(&s->host, g->nics[i].bdf);

		if (g->nics[i].bind && nic != NULL
		    && nic_bind(&s->ledger, &s->host, nic, "vfio-pci", g->name, false, err) < 0)
			return -err->code;
	}
	return 0;
}

int start_prepare(
	const struct start_request *req, const struct hostfs *fs, struct start *ret, struct err *err
)
{
	struct start s = {.ledger = {.defs = -1, .leases = -1, .lock = -1}};
	int r;

	r = ledger_open(fs, fs->real, &s.ledger, err);
	if (r == 0)
		r = host_read(fs, parts_for(req, &s.ledger), &s.host, err);
	if (r == 0 && fs->real) {
		r = ledger_lock(&s.ledger, err);
		if (r == 0 && req->again != NULL)
			r = refuse_stopped(&s.ledger, req->again, err);
		// what cannot be collected keeps what it holds, and pinfold gc says why
		if (r == 0)
			gc_leases(&s.ledger, NULL, err);
	}
	if (r == 0)
		r = netdevs_mark(&s.ledger, &s.host, err);
	if (r == 0)
		r = req->given != NULL	 ? take_given(&s, req->given, err)
		    : req->again != NULL ? take_again(&s, req, err)
					 : resolve_grant(&s, req, err);
	// files of a workload that goes on are still its own, and no loop of starts uses the ranges up
	s.lease.uid_base = req->again != NULL ? req->again->uid_base : 0;
	if (r == 0 && req->again == NULL && site_has(&req->launch.site, SITE_IDS))
		r = ids_choose_range(&s.ledger, &s.lease.uid_base, err);
	if (r == 0)
		r = ids_choose_link_groups(&s.ledger, &s.lease.grant, err);
	if (r == 0 && fs->real && !req->launch.look)
		r = bind_nics(&s, err);
	if (r == 0 && fs->real && !req->launch.look)
		r = vfs_keep(&s.ledger, &s.host, &s.lease.grant, req->given != NULL, err);
	if (r == 0) {
		strcpy(s.lease.boot_id, s.host.boot_id);
		// of an engine's container the ids are the host's, and nobody starts another program as them
		if (!site_has(&req->launch.site, SITE_SPEC)) {
			s.lease.uid = req->launch.uid;
			s.lease.gid = req->launch.gid;
		}
		s.lease.started = (int64_t)time(NULL);
		s.lease.again = req->launch.restart.when != RESTART_NO ? LEASE_AGAIN : LEASE_ONCE;
		s.lease.supervisor = (int)getpid();
		s.lease.supervisor_start = process_start(fs, s.lease.supervisor);
		describe(&s.lease, &req->launch);
		r = owner_note(&s.ledger, &s.lease, &req->launch, err);
		if (r == 0)
			r = plan_build(&s.lease, &req->launch, &s.host, fs, &s.plan, err);
		s.planned = r == 0;
	}
	if (r == 0 && fs->real && !req->launch.look && req->given == NULL)
		r = nics_check_free(&s.ledger, &s.lease.grant, err);
	if (r == 0 && fs->real && !req->launch.look && site_has(&req->launch.site, SITE_GUEST))
		r = vm_make_initramfs(&req->launch.vm, req->launch.inside, err);
	if (r == 0 && fs->real && !req->launch.look && s.plan.kvm && !vm_kvm_likely(fs->root))
		say_of(&s.plan.lease,
		       "this machine has neither kvm_intel nor kvm_amd, so its guest may not come "
		       "up; --accel tcg emulates its CPU");
	if (r == 0 && fs->real && !req->launch.look)
		r = ids_take(&s.ledger, &s.lease, err);
	if (r < 0) {
		start_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void start_done(struct start *s)
{
	const struct grant *g = &s->lease.grant;
	struct err unused;

	if (s->ledger.lock >= 0 && g->nnics > 0 && !lease_exists(&s->ledger, g->name))
		nics_return(&s->ledger, g, VFS_RESET_MS, &unused);
	if (s->planned)
		plan_done(&s->plan);
	ledger_close(&s->ledger);
	host_done(&s->host);
	*s = (struct start){.ledger = {.defs = -1, .leases = -1, .lock = -1}};
}
