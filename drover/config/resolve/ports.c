// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Names of ports.

#include "base/scope.h"
#include "base/str.h"
#include "config/printable.h"
#include "config/resolve/private.h"

#include <stdio.h>
#include <string.h>

const char *hint_port(char buf[static HINT_MAX], const char *word, const struct conf *c)
{
	const char *words[CONF_PORTS + 1];
	size_t n = 0;

	for (unsigned i = 0; i < CONF_PORTS; i++) {
		if (c->ports[i].used)
			words[n++] = c->ports[i].name;
	}
	words[n] = NULL;
	return hint_or_list(buf, word, words);
}

// --port NAME=DEVICE: the name of a port or, when none is called so, its number.
static int given_port(const struct conf *c, const char *name)
{
	int at = conf_port_number(c, name);
	char number[12];

	for (int i = 0; at < 0 && i < CONF_PORTS; i++) {
		snprintf(number, sizeof(number), "%d", i);
		if (c->ports[i].used && str_eq(number, name))
			at = i;
	}
	return at;
}

static int override_ports(struct conf *c, const struct conf_overrides *o, struct err *err)
{
	for (unsigned i = 0; i < o->nports; i++) {
		const char *name = o->ports[i].port;
		const char *device = o->ports[i].device;
		int at = given_port(c, name);
		char buf[HINT_MAX];

		if (at < 0)
			return error_at(
				place(c, 0),
				err,
				"--port %.64s=%.64s: no port of that name in the file%s",
				name,
				device,
				hint_port(buf, name, c)
			);
		if (device[0] == '\0' || strlen(device) >= KEY_TEXT_MAX || !printable(device))
			return error_at(
				place(c, 0),
				err,
				"--port %.64s=%.64s: a device is text of 1..%d characters",
				name,
				device,
				KEY_TEXT_MAX - 1
			);
		strcpy(c->ports[at].device, device);
	}
	return 0;
}

int resolve_ports(struct conf *c, const struct conf_overrides *o, struct err *err)
{
	struct conf_port *ports = c->ports;

	for (unsigned i = 0; i < CONF_PORTS; i++) {
		for (unsigned j = 0; ports[i].used && j < i; j++) {
			unsigned later = ports[i].line > ports[j].line ? i : j;

			if (ports[j].used && str_eq(ports[i].name, ports[j].name))
				return error_at(
					place(c, ports[later].line),
					err,
					"port name '%s' is there twice, first on line %u",
					ports[i].name,
					ports[i + j - later].line
				);
		}
	}
	return override_ports(c, o, err);
}

int resolve_names(
	struct conf *c,
	unsigned line,
	const char *key,
	const struct key_names *names,
	struct err *err
)
{
	for (unsigned i = 0; i < names->n; i++) {
		int at = conf_port_number(c, names->name[i]);
		char buf[HINT_MAX];

		if (at < 0)
			return error_at(
				place(c, line),
				err,
				"%s=: no port '%s' in any [port N]%s",
				key,
				names->name[i],
				hint_port(buf, names->name[i], c)
			);
		c->ports[at].carries = true;
	}
	return 0;
}

int resolve_devices(const struct conf *c, const struct conf_overrides *o, struct err *err)
{
	for (unsigned i = 0; i < CONF_PORTS; i++) {
		const struct conf_port *port = &c->ports[i];

		if (port->carries && port->device[0] == '\0' && !o->no_devices) {
			_cleanup_free_ char *word = str_quote(port->name);

			return error_at(
				place(c, port->line),
				err,
				"port '%s' has tasks but no device: add device= here, or start "
				"with "
				"--port %s=DEVICE",
				port->name,
				word != NULL ? word : ""
			);
		}
	}
	return 0;
}
