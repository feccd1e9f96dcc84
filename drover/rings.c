// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Rings between tasks. Each sender has a ring of its own to each task it sends to, and for each
// protocol that it tells apart: one writer, one reader, no atomic instruction. Those of the control path
// are shared by all who send there, and with "mp rings=yes" the others are as well.

#include "plane.h"

#include "base/scope.h"
#include "dpdk.h"
#include "tsc.h"

#include <rte_cycles.h>
#include <stdio.h>

static struct task *task_of(const struct plane *p, const struct conf_target *t)
{
	for (unsigned i = 0; i < p->nlcores; i++) {
		if (p->lcores[i].conf == &p->conf->cores[t->core])
			return p->lcores[i].tasks[t->task];
	}
	return NULL;
}

// The shared ring that leads to a task already.
static struct rte_ring *shared_ring(const struct plane *p, const struct task *to, bool control)
{
	for (unsigned i = 0; i < p->nrings; i++) {
		if (p->rings[i].to == to && p->rings[i].control == control)
			return p->rings[i].ring;
	}
	return NULL;
}

static int make_ring(
	struct plane *p,
	struct task *from,
	struct task *to,
	enum task_proto proto,
	bool control,
	struct err *err
)
{
	static const char *const protos[] = {
		[PROTO_IPV4] = "",
		[PROTO_ARP] = " arp",
		[PROTO_IPV6] = " ipv6",
	};
	bool shared = control || p->conf->mp_rings;
	struct rte_ring *ring = shared ? shared_ring(p, to, control) : NULL;
	struct plane_ring *r = &p->rings[p->nrings];
	char name[RTE_RING_NAMESIZE];

	if (p->nrings == PLANE_RINGS)
		return err_set(err, E2BIG, "more than %d rings between tasks", PLANE_RINGS);
	if (from->nout == TASK_OUTPUTS)
		return err_set(err, E2BIG, "more than %d outputs", TASK_OUTPUTS);
	if (ring == NULL) {
		snprintf(name, sizeof(name), "drover%u", p->nrings);
		ring = rte_ring_create(
			name,
			from->conf->ring_size,
			to->socket,
			RING_F_SC_DEQ | RING_F_EXACT_SZ | (shared ? 0 : RING_F_SP_ENQ)
		);
		if (ring == NULL)
			return err_set(
				err,
				rte_errno,
				"make a ring of %u packets: %s; grant more hugepages, or make it "
				"smaller with ring size=",
				from->conf->ring_size,
				dpdk_why(rte_errno)
			);
	}
	*r = (struct plane_ring){
		.ring = ring,
		.from = from,
		.to = to,
		.out = from->nout,
		.proto = proto,
		.control = control,
	};
	snprintf(r->name, sizeof(r->name), "%.32s > %.32s%s", from->name, to->name, protos[proto]);
	from->leads[from->nout] = to;
	from->out[from->nout++] = (struct task_out){
		.ring = ring,
		.port = RTE_MAX_ETHPORTS,
		.no_wait = from->lcore == to->lcore,
	};
	p->nrings++;
	return 0;
}

static int outputs(struct plane *p, struct task *t, struct err *err)
{
	for (unsigned proto = 0; proto < PROTO_COUNT; proto++) {
		const struct conf_targets *to = &t->conf->tx_cores[proto];

		if (to->n == 0)
			continue;
		t->set[proto] = (struct task_set){t->nout, (uint16_t)to->n};
		for (unsigned i = 0; i < to->n; i++) {
			struct task *other = task_of(p, &to->list[i]);

			if (other != NULL
			    && make_ring(
				       p, t, other, proto, to->list[i].kind == TARGET_CONTROL, err
			       ) < 0)
				return err_wrap(err, "%s:%u", p->conf->file, to->line);
		}
	}
	return 0;
}

// Adds the rings that lead to a task, each once. Returns how many.
static int inputs(struct plane *p, struct task *t, bool control, struct err *err)
{
	unsigned first = t->nrx + t->nctrl, n = 0;

	for (unsigned i = 0; i < p->nrings; i++) {
		bool known = false;

		if (p->rings[i].to != t || p->rings[i].control != control)
			continue;
		for (unsigned k = 0; k < n; k++)
			known = known || t->rx[first + k].ring == p->rings[i].ring;
		if (known)
			continue;
		if (first + n == TASK_INPUTS)
			return err_set(
				err,
				E2BIG,
				"%s:%u: more than %d rings lead to task '%s': let senders share "
				"them with mp rings=yes in [global]",
				p->conf->file,
				t->conf->line,
				TASK_INPUTS,
				t->name
			);
		t->rx[first + n++] = (struct task_in){.ring = p->rings[i].ring};
	}
	return (int)n;
}

int plane_rings(struct plane *p, struct err *err)
{
	for (unsigned i = 0; i < p->ntasks; i++) {
		if (outputs(p, p->tasks[i], err) < 0)
			return -err->code;
	}
	for (unsigned i = 0; i < p->ntasks; i++) {
		struct task *t = p->tasks[i];
		int n = inputs(p, t, false, err), nctrl;

		if (n < 0)
			return n;
		t->nrx += (uint16_t)n;
		nctrl = inputs(p, t, true, err);
		if (nctrl < 0)
			return nctrl;
		t->ctrl_cycles = tsc_hz() / t->conf->ctrl_frequency;
		// it has nothing else to look at
		if (t->nrx == 0)
			t->nrx = (uint16_t)nctrl;
		else
			t->nctrl = (uint16_t)nctrl;
	}
	plane_break_circles(p);
	return 0;
}

void plane_rings_done(struct plane *p)
{
	for (unsigned i = 0; i < p->nrings; i++) {
		struct rte_ring *ring = p->rings[i].ring;
		struct rte_mbuf *m[BURST];
		unsigned n;

		for (unsigned k = i + 1; k < p->nrings && ring != NULL; k++) {
			if (p->rings[k].ring == ring)
				ring = NULL; // its last user frees it
		}
		if (ring == NULL)
			continue;
		while ((n = rte_ring_dequeue_burst(ring, (void **)m, BURST, NULL)) > 0)
			rte_pktmbuf_free_bulk(m, n);
		rte_ring_free(ring);
	}
	p->nrings = 0;
}
