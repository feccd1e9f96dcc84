// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// [port N].

#include "config/section/private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// What a port's keys fill.
struct port_section {
	struct conf_port port;
	bool lsc; // DPPD's interrupt for link changes: drover polls the link either way
};

#define KEY_CONF struct port_section
static const struct key port_keys[] = {
	KEY_TEXT("name", port.name, "for rx port= and tx port=; portN when not said"),
	KEY_TEXT("device", port.device, "what the port is"),
	KEY_MAC("mac", port.mac, "its address, or hardware: as it is"),
	KEY_U32("rx desc", port.rx_desc, 1, 32768, "descriptors of a receive queue"),
	KEY_U32("tx desc", port.tx_desc, 1, 32768, "descriptors of a transmit queue"),
	KEY_U32("mtu", port.mtu, 68, 65535, "1500 when not said"),
	KEY_BOOL("promiscuous", port.promiscuous, "yes when not said"),
	KEY_BOOL("lsc", lsc, "of DPPD; makes no difference"),
	{NULL},
};

// The number of "[port N]".
static int port_number(const struct entry *header, unsigned *ret, struct err *err)
{
	const char *name = header->value;
	unsigned v = 0;
	size_t len;

	len = strlen(name);
	for (size_t i = 0; i < len && len <= 3; i++)
		v = isdigit((unsigned char)name[i]) ? v * 10 + (unsigned)(name[i] - '0')
						    : CONF_PORTS;
	if (len == 0 || len > 3 || v >= CONF_PORTS)
		return error_at(
			header->at,
			err,
			"[port %.32s]: ports are [port 0] to [port %d]",
			name,
			CONF_PORTS - 1
		);
	*ret = v;
	return 0;
}

static int check_port(struct sections *s, const struct conf_port *port, struct err *err)
{
	if (strlen(port->name) >= KEY_NAME_MAX || strchr(port->name, ',') != NULL)
		return error_at(
			place(s, port->line),
			err,
			"port name '%.40s': at most %d characters, and no comma",
			port->name,
			KEY_NAME_MAX - 1
		);
	if (port->mac.word == MAC_PACKET || port->mac.word == MAC_NO)
		return error_at(
			place(s, port->line),
			err,
			"port '%s': mac= wants an address, or hardware",
			port->name
		);
	if (port->mac.word == MAC_ADDRESS
	    && ((port->mac.addr[0] & 1) != 0 || memcmp(port->mac.addr, "\0\0\0\0\0", 6) == 0))
		return error_at(
			place(s, port->line),
			err,
			"port '%s': mac= is a group's address or all zero: a port wants one of its "
			"own",
			port->name
		);
	return 0;
}

int read_port(struct sections *s, const struct entry *keys, size_t n, struct err *err)
{
	struct port_section p = {
		.port = {.used = true, .line = keys[0].at.line, .promiscuous = true}};
	uint64_t seen = 0;
	unsigned number = 0;

	if (port_number(&keys[0], &number, err) < 0)
		return -err->code;
	if (s->conf->ports[number].used)
		return error_at(
			keys[0].at,
			err,
			"[port %u] is there twice, first on line %u",
			number,
			s->conf->ports[number].line
		);
	snprintf(p.port.name, sizeof(p.port.name), "port%u", number);
	if (read_keys(keys, n, port_keys, &p, &seen, err) < 0 || check_port(s, &p.port, err) < 0)
		return -err->code;
	s->conf->ports[number] = p.port;
	return 0;
}
