// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/plugin.h"

#include "base/clock.h"
#include "base/scope.h"
#include "deviceplugin/say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#define WAKE_MS 200
#define GRANTS_DIR ETC_DIR "/grants.d"

// A resource that kubelet is offered.
struct offer {
	struct resource resource;
	struct server server;
	struct registration registration;
	char endpoint[NAME_MAX_LEN + 32]; // the name of its socket
};

static void free_offer(struct offer *o)
{
	free(o->resource.devices);
	free(o);
}

// ---- one of them

static int open_offer(struct plugin *p, struct offer *o, struct err *err)
{
	registration_reset(&o->registration);
	return server_open(&o->server, p->queue, err);
}

static int close_offer(struct plugin *p, struct offer *o, struct err *err)
{
	if (!registration_cancel(&o->registration, p->queue) || !server_close(&o->server))
		return err_set(
			err, ETIMEDOUT, RESOURCE_PREFIX "%s: calls do not end", o->resource.name
		);
	return 0;
}

static struct offer *find_offer(const struct plugin *p, const char *name)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (str_eq(p->offers[i]->resource.name, name))
			return p->offers[i];
	}
	return NULL;
}

static int add_offer(struct plugin *p, const char *name, struct err *err)
{
	struct offer *o;
	int n;

	if (p->n == RESOURCES_MAX)
		return err_set(err, E2BIG, "more than %d resources", RESOURCES_MAX);
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return err_oom(err);
	snprintf(o->resource.name, sizeof(o->resource.name), "%s", name);
	snprintf(o->endpoint, sizeof(o->endpoint), "pinfold-%s.sock", name);
	o->registration.resource = o->resource.name;
	o->server.resource = &o->resource;
	n = snprintf(o->server.path, sizeof(o->server.path), "%s/%s", p->dir, o->endpoint);
	if (n < 0 || (size_t)n >= sizeof(o->server.path)) {
		free_offer(o);
		return err_set(
			err, ENAMETOOLONG, "directory '%.64s': its name is too long", p->dir
		);
	}
	if (open_offer(p, o, err) < 0) {
		free_offer(o);
		return -err->code;
	}
	p->offers[p->n++] = o;
	return 0;
}

// What has changed is said once, to people and to kubelet.
static int show_resource(struct offer *o, const struct resource *now, struct err *err)
{
	struct device *copy;

	if (resource_equal(&o->resource, now))
		return 0;
	for (unsigned i = 0; i < now->n; i++) {
		const struct device *d = &now->devices[i],
				    *was = resource_find(&o->resource, d->name);

		if (!str_eq(d->why, was != NULL ? was->why : ""))
			say("grant '%s': %s", d->name, d->why[0] != '\0' ? d->why : "as it was");
	}
	say(RESOURCE_PREFIX "%s: %u grants", o->resource.name, now->n);
	copy = calloc(now->n + 1, sizeof(*copy));
	if (copy == NULL)
		return err_oom(err);
	if (now->n > 0)
		memcpy(copy, now->devices, now->n * sizeof(*copy));
	free(o->resource.devices);
	o->resource.devices = copy;
	o->resource.n = now->n;
	server_tell(&o->server);
	return 0;
}

// ---- what there is to offer

static int read_catalog(struct plugin *p, struct catalog *ret, struct err *err)
{
	struct host host = {0};
	struct ledger l;
	int r;

	if (ledger_open(&p->fs, false, &l, err) < 0)
		return -err->code;
	r = host_read(&p->fs, HOST_PCI, &host, err);
	if (r == 0)
		r = catalog_read(&l, &host, &p->catalog, ret, err);
	host_done(&host);
	ledger_close(&l);
	return r;
}

static void complain(struct plugin *p, const char *why)
{
	if (str_eq(p->complaint, why))
		return;
	snprintf(p->complaint, sizeof(p->complaint), "%s", why);
	if (why[0] != '\0')
		say("%s", p->complaint);
}

// What cannot be read now stays as it was.
static void look_at_ledger(struct plugin *p)
{
	static const struct resource none = {0};
	struct catalog now;
	struct err err = {0};

	p->looked = clock_ms();
	if (read_catalog(p, &now, &err) < 0) {
		complain(p, err.msg);
		return;
	}
	catalog_done(&p->catalog);
	p->catalog = now;
	for (unsigned i = 0; err.code == 0 && i < now.n; i++) {
		struct offer *o = find_offer(p, now.resources[i].name);

		if (o == NULL && add_offer(p, now.resources[i].name, &err) == 0)
			o = p->offers[p->n - 1];
		if (o != NULL)
			show_resource(o, &now.resources[i], &err);
	}
	// kubelet forgets no resource: one that is no more has no devices
	for (unsigned i = 0; err.code == 0 && i < p->n; i++) {
		if (catalog_find(&now, p->offers[i]->resource.name) == NULL)
			show_resource(p->offers[i], &none, &err);
	}
	complain(p, err.msg);
}

// ---- kubelet, which removes all sockets when it starts

// Where that cannot be done now, it is tried again.
static int reopen(struct plugin *p, struct offer *o, struct err *err)
{
	struct err now;

	if (close_offer(p, o, err) < 0)
		return -err->code;
	if (open_offer(p, o, &now) < 0)
		complain(p, now.msg);
	return 0;
}

static int look_at_sockets(struct plugin *p, struct err *err)
{
	_cleanup_free_ char *path = str_printf("%s/" KUBELET_SOCKET, p->dir);
	struct identity now;
	bool there, fresh;

	if (path == NULL)
		return err_oom(err);
	there = identity_read(path, &now);
	fresh = there && (!p->kubelet_there || !identity_equal(&now, &p->kubelet));
	if (fresh)
		say("kubelet is there");
	p->kubelet = now;
	p->kubelet_there = there;
	for (unsigned i = 0; i < p->n; i++) {
		struct offer *o = p->offers[i];
		struct bytes request = {0};
		struct identity own;

		if (!identity_read(o->server.path, &own)) {
			if (reopen(p, o, err) < 0)
				return -err->code;
		} else if (!identity_equal(&own, &o->server.socket)) {
			return err_set(
				err, EADDRINUSE, "'%s': somebody else serves it now", o->server.path
			);
		} else if (fresh) {
			registration_reset(&o->registration);
		}
		if (there && !o->registration.registered && o->server.grpc != NULL
		    && answer_register(&o->resource, o->endpoint, &request, err) == 0)
			registration_try(&o->registration, path, &request, p->queue);
		free(request.data);
	}
	return 0;
}

// ---- when something changes

// Directories that come later are found when it looks at the machine.
static void watch(struct plugin *p)
{
	const uint32_t what = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE;

	inotify_add_watch(p->changes, p->dir, what);
	inotify_add_watch(p->changes, GRANTS_DIR, what);
}

static bool has_changed(struct plugin *p)
{
	char events[4096];
	bool any = false;

	while (read(p->changes, events, sizeof(events)) > 0)
		any = true;
	return any;
}

static int serve(struct plugin *p, const volatile sig_atomic_t *end, struct err *err)
{
	int64_t woken = 0;

	while (!*end) {
		bool changed = has_changed(p);

		if (changed || clock_ms() - p->looked >= (int64_t)p->health_ms) {
			watch(p);
			look_at_ledger(p);
		}
		if (changed || clock_ms() - woken >= WAKE_MS) {
			woken = clock_ms();
			if (look_at_sockets(p, err) < 0)
				return -err->code;
			for (unsigned i = 0; i < p->n; i++)
				server_tick(&p->offers[i]->server);
		}
		events_next(p->queue, WAKE_MS);
	}
	return 0;
}

int plugin_run(struct plugin *p, const volatile sig_atomic_t *end, struct err *err)
{
	int r;

	p->queue = grpc_completion_queue_create_for_next(NULL);
	p->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	p->looked = -(int64_t)p->health_ms;
	if (p->changes < 0)
		return err_sys(err, errno, "watch directories");
	watch(p);
	r = serve(p, end, err);
	// gRPC removes the socket of a server that ends: not one that is somebody else's by now
	if (r < 0)
		return r;
	for (unsigned i = 0; i < p->n; i++) {
		if (close_offer(p, p->offers[i], err) < 0)
			return -err->code;
		free_offer(p->offers[i]);
	}
	grpc_completion_queue_shutdown(p->queue);
	while (grpc_completion_queue_next(p->queue, events_deadline(1000), NULL).type
	       == GRPC_OP_COMPLETE)
		;
	grpc_completion_queue_destroy(p->queue);
	catalog_done(&p->catalog);
	close(p->changes);
	return 0;
}
