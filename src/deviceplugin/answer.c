// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "deviceplugin/answer.h"

#include "api.pb-c.h"
#include "base/scope.h"
#include "engine/engine.h"
#include "runtime/claim.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "v1beta1"

// ---- messages, of which every part is allocated: free_unpacked frees them

// A new element at the end of a list of pointers. False: memory is out.
static bool push(void *list, size_t *n, void *element)
{
	void ***at = list,
	     **more = element != NULL ? realloc(*at, (*n + 1) * sizeof(void *)) : NULL;

	if (more == NULL) {
		free(element);
		return false;
	}
	more[(*n)++] = element;
	*at = more;
	return true;
}

#define NEW(type, lower)                                \
	({                                              \
		type *_new = malloc(sizeof(type));      \
		if (_new != NULL)                       \
			v1beta1__##lower##__init(_new); \
		_new;                                   \
	})

static bool push_entry(V1beta1__Entry ***list, size_t *n, const char *key, const char *value)
{
	V1beta1__Entry *e = NEW(V1beta1__Entry, entry);

	if (!push(list, n, e))
		return false;
	e->key = strdup(key);
	e->value = strdup(value);
	return e->key != NULL && e->value != NULL;
}

static int pack(const ProtobufCMessage *m, bool whole, struct bytes *ret, struct err *err)
{
	struct bytes b = {0};

	if (!whole)
		return err_oom(err);
	b.len = protobuf_c_message_get_packed_size(m);
	b.data = malloc(b.len + 1);
	if (b.data == NULL)
		return err_oom(err);
	protobuf_c_message_pack(m, b.data);
	*ret = b;
	return 0;
}

static int no_request(const char *what, struct err *err)
{
	return err_set(err, EINVAL, "%s: that is no request", what);
}

// ---- what there is

int answer_options(
	const struct resource *, const struct bytes *, struct bytes *ret, struct err *err
)
{
	V1beta1__DevicePluginOptions o = V1BETA1__DEVICE_PLUGIN_OPTIONS__INIT;

	o.get_preferred_allocation_available = true;
	return pack(&o.base, true, ret, err);
}

int answer_nothing(
	const struct resource *, const struct bytes *, struct bytes *ret, struct err *err
)
{
	V1beta1__Empty e = V1BETA1__EMPTY__INIT;

	return pack(&e.base, true, ret, err);
}

int answer_register(
	const struct resource *r, const char *endpoint, struct bytes *ret, struct err *err
)
{
	_cleanup_free_ char *name = str_printf(RESOURCE_PREFIX "%s", r->name);
	V1beta1__DevicePluginOptions o = V1BETA1__DEVICE_PLUGIN_OPTIONS__INIT;
	V1beta1__RegisterRequest m = V1BETA1__REGISTER_REQUEST__INIT;

	o.get_preferred_allocation_available = true;
	m.version = (char *)VERSION;
	m.endpoint = (char *)endpoint;
	m.resource_name = name;
	m.options = &o;
	return pack(&m.base, name != NULL, ret, err);
}

static bool add_nodes(V1beta1__Device *m, const struct idset *nodes)
{
	if (idset_empty(nodes))
		return true;
	m->topology = NEW(V1beta1__TopologyInfo, topology_info);
	if (m->topology == NULL)
		return false;
	idset_foreach (id, nodes) {
		V1beta1__NUMANode *node = NEW(V1beta1__NUMANode, numanode);

		if (!push(&m->topology->nodes, &m->topology->n_nodes, node))
			return false;
		node->id = id;
	}
	return true;
}

static bool add_device(V1beta1__ListAndWatchResponse *list, const struct device *d)
{
	V1beta1__Device *m = NEW(V1beta1__Device, device);

	if (!push(&list->devices, &list->n_devices, m))
		return false;
	m->id = strdup(d->name);
	m->health = strdup(d->why[0] == '\0' ? "Healthy" : "Unhealthy");
	return m->id != NULL && m->health != NULL && add_nodes(m, &d->nodes);
}

int answer_list(const struct resource *r, const struct bytes *, struct bytes *ret, struct err *err)
{
	V1beta1__ListAndWatchResponse *m =
		NEW(V1beta1__ListAndWatchResponse, list_and_watch_response);
	bool whole = m != NULL;
	int k;

	for (unsigned i = 0; whole && i < r->n; i++)
		whole = add_device(m, &r->devices[i]);
	k = whole ? pack(&m->base, true, ret, err) : err_oom(err);
	if (m != NULL)
		v1beta1__list_and_watch_response__free_unpacked(m, NULL);
	return k;
}

// ---- handing out

static int allocate_one(
	const struct resource *r,
	const V1beta1__ContainerAllocateRequest *asked,
	V1beta1__AllocateResponse *m,
	struct err *err
)
{
	_cleanup_free_ char *cdi = NULL;
	V1beta1__ContainerAllocateResponse *one;
	V1beta1__CDIDevice *device;
	const struct device *d;

	if (asked->n_device_ids != 1)
		return err_set(
			err,
			EINVAL,
			"a container has one grant: it asks for %zu of " RESOURCE_PREFIX "%s",
			asked->n_device_ids,
			r->name
		);
	d = resource_find(r, asked->device_ids[0]);
	if (d == NULL) {
		err_set(err,
			ENOENT,
			"grant '%.64s' is none of " RESOURCE_PREFIX "%s",
			asked->device_ids[0],
			r->name);
		str_plain(err->msg);
		return -err->code;
	}
	if (d->why[0] != '\0')
		return err_set(err, EBUSY, "grant '%s': %s", d->name, d->why);
	cdi = str_printf(CDI_KIND "=%s:%s", d->name, d->token);
	one = NEW(V1beta1__ContainerAllocateResponse, container_allocate_response);
	if (cdi == NULL || !push(&m->container_responses, &m->n_container_responses, one))
		return err_oom(err);
	device = NEW(V1beta1__CDIDevice, cdidevice);
	if (!push(&one->cdi_devices, &one->n_cdi_devices, device))
		return err_oom(err);
	device->name = steal_ptr(cdi);
	if (!push_entry(
		    &one->annotations, &one->n_annotations, CLAIM_ANNOTATION_KUBERNETES, d->name
	    )
	    || !push_entry(&one->annotations, &one->n_annotations, CLAIM_ANNOTATION_TOKEN, d->token)
	    || !push_entry(&one->envs, &one->n_envs, "PINFOLD_GRANT", d->name))
		return err_oom(err);
	return 0;
}

int answer_allocate(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
)
{
	V1beta1__AllocateRequest *asked =
		v1beta1__allocate_request__unpack(NULL, request->len, request->data);
	V1beta1__AllocateResponse *m = NEW(V1beta1__AllocateResponse, allocate_response);
	int k = asked == NULL ? no_request("Allocate", err) : m == NULL ? err_oom(err) : 0;

	for (size_t i = 0; k == 0 && i < asked->n_container_requests; i++)
		k = allocate_one(r, asked->container_requests[i], m, err);
	if (k == 0)
		k = pack(&m->base, true, ret, err);
	if (asked != NULL)
		v1beta1__allocate_request__free_unpacked(asked, NULL);
	if (m != NULL)
		v1beta1__allocate_response__free_unpacked(m, NULL);
	return k;
}

// ---- what should be handed out

struct choice {
	const struct resource *r;
	const V1beta1__ContainerPreferredAllocationRequest *asked;
	V1beta1__ContainerPreferredAllocationResponse *chosen;
	struct idset nodes; // of what is chosen
};

static bool is_among(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], name))
			return true;
	}
	return false;
}

static bool choose(struct choice *c, const char *name)
{
	const struct device *d = resource_find(c->r, name);
	char *copy = strdup(name);

	if (d != NULL)
		idset_or(&c->nodes, &d->nodes);
	return push(&c->chosen->device_ids, &c->chosen->n_device_ids, copy);
}

// How many that are left are on these nodes and no others.
static unsigned left_on(const struct choice *c, const struct idset *nodes)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->asked->n_available; i++) {
		const char *name = c->asked->available[i];
		const struct device *d = resource_find(c->r, name);

		if (d != NULL && idset_subset(&d->nodes, nodes)
		    && !is_among(c->chosen->device_ids, c->chosen->n_device_ids, name))
			n++;
	}
	return n;
}

// How good one is, more being better: beside what is chosen already; else where there are enough, and then the fewest.
static unsigned long rank(const struct choice *c, const struct device *d, unsigned wanted)
{
	const unsigned long room = 1ul << 24;
	unsigned long left = left_on(c, &d->nodes);
	unsigned long near = idset_subset(&d->nodes, &c->nodes) ? 4 * room : 0;

	return near + (left >= wanted ? 2 * room - left : left);
}

// NULL: there is none.
static const char *next(const struct choice *c, unsigned wanted)
{
	const char *best = NULL;
	unsigned long most = 0;

	for (size_t i = 0; i < c->asked->n_available; i++) {
		const char *name = c->asked->available[i];
		const struct device *d = resource_find(c->r, name);
		unsigned long n;

		if (d == NULL || is_among(c->chosen->device_ids, c->chosen->n_device_ids, name))
			continue;
		n = rank(c, d, wanted);
		if (best == NULL || n > most) {
			best = name;
			most = n;
		}
	}
	return best;
}

static bool prefer(struct choice *c)
{
	size_t wanted = c->asked->allocation_size > 0 ? (size_t)c->asked->allocation_size : 0;

	for (size_t i = 0; i < c->asked->n_must_include && i < wanted; i++) {
		if (!choose(c, c->asked->must_include[i]))
			return false;
	}
	while (c->chosen->n_device_ids < wanted) {
		const char *name = next(c, (unsigned)(wanted - c->chosen->n_device_ids));

		if (name == NULL)
			break;
		if (!choose(c, name))
			return false;
	}
	return true;
}

int answer_preferred(
	const struct resource *r, const struct bytes *request, struct bytes *ret, struct err *err
)
{
	V1beta1__PreferredAllocationRequest *asked =
		v1beta1__preferred_allocation_request__unpack(NULL, request->len, request->data);
	V1beta1__PreferredAllocationResponse *m =
		NEW(V1beta1__PreferredAllocationResponse, preferred_allocation_response);
	bool whole = m != NULL;
	int k;

	for (size_t i = 0; asked != NULL && whole && i < asked->n_container_requests; i++) {
		struct choice c = {.r = r, .asked = asked->container_requests[i]};

		c.chosen =
			NEW(V1beta1__ContainerPreferredAllocationResponse,
			    container_preferred_allocation_response);
		whole = push(&m->container_responses, &m->n_container_responses, c.chosen)
			&& prefer(&c);
	}
	if (asked == NULL)
		k = no_request("GetPreferredAllocation", err);
	else
		k = whole ? pack(&m->base, true, ret, err) : err_oom(err);
	if (asked != NULL)
		v1beta1__preferred_allocation_request__free_unpacked(asked, NULL);
	if (m != NULL)
		v1beta1__preferred_allocation_response__free_unpacked(m, NULL);
	return k;
}
