// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "need.h"

#include "base/scope.h"
#include "base/size.h"
#include "base/str.h"
#include "port/port.h"

#include <stdio.h>
#include <string.h>

// Once each: two ports may be on one link.
static int add(json_t **list, json_t *word, struct err *err)
{
	size_t i;
	json_t *e;

	if (*list == NULL)
		*list = json_array();
	json_array_foreach (*list, i, e) {
		if (json_equal(e, word)) {
			json_decref(word);
			return 0;
		}
	}
	return json_array_append_new(*list, word) < 0 ? err_oom(err) : 0;
}

// Up to where the argument of the device goes on, as in "--vdev=net_tap0,iface=NAME,…".
static json_t *word_at(const char *kind, const char *at, const char *stops)
{
	return json_sprintf("%s%.*s", kind, (int)strcspn(at, stops), at);
}

static int add_device(const struct port_device *d, struct need *n, struct err *err)
{
	const char *link = strstr(d->argument, PORT_LINKS "/");
	const char *tap = strstr(d->argument, "--vdev=net_tap");
	int r = 0;

	if (d->pci)
		return add(&n->nics, json_string(d->name), err);
	if (d->packet)
		r = add(&n->netdevs, json_string(d->interface), err);
	if (r == 0 && d->packet)
		r = add(&n->caps, json_string("NET_RAW"), err);
	if (tap != NULL)
		tap = strstr(tap, ",iface=");
	if (r == 0 && tap != NULL)
		r = add(&n->kernel_ports, word_at("", tap + strlen(",iface="), ","), err);
	if (r == 0 && link != NULL)
		r = add(&n->links,
			word_at(d->memif ? "memif:" : "vhost-user:",
				link + strlen(PORT_LINKS "/"),
				"/,"),
			err);
	return r;
}

int need_devices(const struct conf *c, struct need *ret, struct err *err)
{
	*ret = (struct need){0};
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *p = &c->ports[i];
		struct port_device d;

		if (!p->used || p->device[0] == '\0')
			continue;
		if (port_parse_device(p->device, i, &d, err) < 0 || add_device(&d, ret, err) < 0)
			return -err->code;
	}
	return 0;
}

void need_done(struct need *n)
{
	json_decref(n->links);
	json_decref(n->nics);
	json_decref(n->kernel_ports);
	json_decref(n->netdevs);
	json_decref(n->caps);
}

static bool write_list(FILE *f, const char *option, const json_t *list)
{
	size_t i;
	json_t *e;

	json_array_foreach (list, i, e) {
		_cleanup_free_ char *word = str_quote(json_string_value(e));

		if (word == NULL)
			return false;
		fprintf(f, " --%s %s", option, word);
	}
	return true;
}

char *need_flags(const struct need *n)
{
	char buf[SIZE_STR], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok;

	if (f == NULL)
		return NULL;
	fprintf(f, "--cpu-count %u", n->cpus);
	for (unsigned i = 0; i < n->nsizes; i++)
		fprintf(f,
			" --hugepages %s=%llu",
			size_format(n->hugepages[i].size, buf),
			(unsigned long long)n->hugepages[i].count);
	fprintf(f, " --memory %s", size_format(n->memory, buf));
	if (n->pids != 0)
		fprintf(f, " --pids %u", n->pids);
	ok = write_list(f, "nic", n->nics) && write_list(f, "link", n->links)
	     && write_list(f, "kernel-port", n->kernel_ports) && write_list(f, "netdev", n->netdevs)
	     && write_list(f, "cap", n->caps);
	if (fclose(f) != 0 || !ok) {
		free(text);
		return NULL;
	}
	return text;
}

json_t *need_request(const struct need *n)
{
	char buf[SIZE_STR];
	json_t *pages = n->nsizes > 0 ? json_array() : NULL;

	for (unsigned i = 0; i < n->nsizes; i++)
		json_array_append_new(
			pages,
			json_pack(
				"{s:s, s:I}",
				"size",
				size_format(n->hugepages[i].size, buf),
				"count",
				(json_int_t)n->hugepages[i].count
			)
		);
	return json_pack(
		"{s:i, s:o*, s:s, s:o*, s:O*, s:O*, s:O*, s:O*, s:O*}",
		"cpu-count",
		(int)n->cpus,
		"hugepages",
		pages,
		"memory",
		size_format(n->memory, buf),
		"pids",
		n->pids != 0 ? json_integer(n->pids) : NULL,
		"nics",
		n->nics,
		"links",
		n->links,
		"kernel-ports",
		n->kernel_ports,
		"netdevs",
		n->netdevs,
		"caps",
		n->caps
	);
}
