// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// EAL's command line, made from the configuration and the grant: nobody has to write one.

#include "eal.h"

#include "base/scope.h"
#include "base/str.h"
#include "stand_in.h"

#include <stdio.h>
#include <string.h>

#define LCORES 128	       // of Debian's EAL
#define NO_HUGE_MEGABYTES 1024 // taken as it is touched; DPPD's largest files need 600

static int add(struct eal_plan *e, struct err *err, const char *fmt, ...) printf_like(3, 4);

static int add(struct eal_plan *e, struct err *err, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_oom(err);
	if (e->argc + 1 == ARRAY_LEN(e->argv)) {
		free(s);
		return err_set(err, E2BIG, "too many EAL options");
	}
	e->argv[e->argc++] = s;
	return 0;
}

// Lcore 0 is the control thread; the workers follow in the order of the file. Two lcores may share a
// CPU: they are threads.
static int add_lcores(struct eal_plan *e, struct err *err)
{
	char list[LCORES * 12];
	size_t n = (size_t)snprintf(list, sizeof(list), "0@%u", e->place.main_cpu);

	if (e->place.nlcores >= LCORES)
		return err_set(err, E2BIG, "more than %d polling cores", LCORES - 1);
	for (unsigned i = 0; i < e->place.nlcores && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, ",%u@%u", i + 1, e->place.cpu[i]);
	if (add(e, err, "--lcores=%s", list) < 0)
		return -err->code;
	return add(e, err, "--main-lcore=0");
}

static int add_memory(
	struct eal_plan *e, const struct resources *r, const struct run_options *o, struct err *err
)
{
	if (o->no_huge || !r->hugepages) {
		if (add(e, err, "--no-huge") < 0)
			return -err->code;
		return add(e, err, "-m%d", NO_HUGE_MEGABYTES);
	}
	// anonymous pages leave nothing behind; those of a hugetlbfs are reserved for that mount
	return r->fs ? 0 : add(e, err, "--in-memory");
}

static int add_mac(struct port_device *d, const uint8_t *a, struct err *err)
{
	size_t len = strlen(d->argument), room = sizeof(d->argument) - len;
	int n = snprintf(
		d->argument + len,
		room,
		",mac=%02x:%02x:%02x:%02x:%02x:%02x",
		a[0],
		a[1],
		a[2],
		a[3],
		a[4],
		a[5]
	);

	return (size_t)n < room ? 0 : err_set(err, EINVAL, "the device is too long for mac=");
}

// check: a link of a grant need not be there.
static int find_device(
	const struct conf_port *p,
	unsigned number,
	bool check,
	struct port_device *ret,
	struct err *err
)
{
	if (port_parse_device(p->device, number, ret, err) < 0)
		return -err->code;
	return check && stand_in_can(ret) ? stand_in(p->device, number, ret, err) : 0;
}

static int add_devices(struct eal_plan *e, const struct conf *c, bool check, struct err *err)
{
	bool pci = false, virtio = false;

	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *p = &c->ports[i];
		struct port_device *d = &e->devices[i];
		unsigned twins = 0;

		if (!p->used || p->device[0] == '\0')
			continue;
		if (find_device(p, i, check && !e->granted, d, err) < 0)
			return err_wrap(err, "%s:%u", c->file, p->line);
		for (unsigned k = 0; k < i && d->ring[0] != '\0'; k++) {
			if (!str_eq(e->devices[k].ring, d->ring))
				continue;
			e->devices[k].ring_end = RING_FIRST;
			d->ring_end = RING_SECOND;
			twins++;
		}
		if (twins > 1)
			return err_set(
				err,
				EINVAL,
				"%s:%u: ring '%s' has more than two ends",
				c->file,
				p->line,
				d->ring
			);
		pci = pci || d->pci;
		virtio = virtio || d->virtio;
		// memif takes its address only when it is made
		if (p->mac.word == MAC_ADDRESS && d->memif && add_mac(d, p->mac.addr, err) < 0)
			return err_wrap(err, "%s:%u", c->file, p->line);
		if (d->argument[0] != '\0' && add(e, err, "%s", d->argument) < 0)
			return -err->code;
	}
	// the other end maps a few files at most, and EAL makes one of each hugepage
	if (virtio && add(e, err, "--single-file-segments") < 0)
		return -err->code;
	// without a list EAL would take every NIC that it can see
	return pci ? 0 : add(e, err, "--no-pci");
}

int eal_plan(
	const struct conf *c, const struct run_options *o, struct eal_plan *ret, struct err *err
)
{
	struct eal_plan e = {0};
	struct resources r;
	int res;

	if (resources_read(&r, err) < 0 || lcores_place(c, &r, o->squeeze, &e.place, err) < 0)
		return -err->code;
	e.granted = r.granted;
	res = add(&e, err, "drover");
	if (res == 0)
		res = add_lcores(&e, err);
	if (res == 0)
		res = add_memory(&e, &r, o, err);
	if (res == 0 && o->prefix != NULL)
		res = add(&e, err, "--file-prefix=%s", o->prefix);
	else if (res == 0)
		res = add(&e, err, "--file-prefix=drover-%d", (int)getpid());
	if (res == 0)
		res = add(&e, err, "--log-level=lib.eal:error");
	if (res == 0)
		res = add(&e, err, "--log-level=lib.telemetry:error");
	for (unsigned i = 0; res == 0 && i < o->nlogs; i++)
		res = add(
			&e, err, "--log-level=%s%s", strchr(o->logs[i], ':') ? "" : "*:", o->logs[i]
		);
	if (res == 0)
		res = add_devices(&e, c, o->check, err);
	for (unsigned i = 0; res == 0 && i < c->neal; i++)
		res = add(&e, err, "%s", c->eal[i]);
	if (res < 0) {
		eal_plan_done(&e);
		return res;
	}
	*ret = e;
	return 0;
}

void eal_plan_done(struct eal_plan *p)
{
	for (unsigned i = 0; i < p->argc; i++)
		free(p->argv[i]);
	p->argc = 0;
}
