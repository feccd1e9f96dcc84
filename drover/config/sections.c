// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The sections that are plain tables of keys: [defaults], [global], [port N].

#include "base/scope.h"
#include "base/str.h"
#include "config/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What [defaults] fill: the task's keys wait until its mode is known.
struct defaults_section {
	uint32_t mempool_size, memcache_size;
	char qinq_tag[KEY_TEXT_MAX];
};

#define KEY_CONF struct defaults_section
static const struct key defaults_keys[] = {
	KEY_U32("mempool size",
		mempool_size,
		64,
		16 << 20,
		"packet buffers of a core; 16K when not said"),
	KEY_U32("memcache size",
		memcache_size,
		0,
		512,
		"buffers in the cache of a core; 256 when not said"),
	KEY_TEXT(
		"qinq tag",
		qinq_tag,
		"EtherType of the outer VLAN tag, for tasks that do not say it"
	),
	{NULL},
};

#undef KEY_CONF
#define KEY_CONF struct conf
static const struct key global_keys[] = {
	KEY_TEXT("name", name, "of the configuration"),
	KEY_TIME("start time", start_time, "from the start of the program until traffic starts"),
	KEY_TIME("duration time", duration, "of traffic; 0: until stopped"),
	KEY_U32("mbuf size",
		mbuf_size,
		256,
		65280,
		"bytes of packet data in a buffer; 2048 when not said"),
	KEY_BOOL(
		"unique mempool per socket",
		pool_per_socket,
		"the cores of a socket share their buffers"
	),
	KEY_BOOL("shuffle", shuffle, "buffers are not handed out in the order of their addresses"),
	KEY_BOOL(
		"mp rings",
		mp_rings,
		"all that send to a task share one ring, instead of a ring each"
	),
	{NULL},
};

// What a port's keys fill.
struct port_section {
	struct conf_port port;
	bool lsc; // DPPD's interrupt for link changes: drover polls the link either way
};

#undef KEY_CONF
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

int parse_key(
	struct parse *p,
	const struct ini_item *item,
	const struct key *table,
	void *base,
	uint64_t *seen,
	struct err *err
)
{
	static const char *const titles[] = {
		[INI_DEFAULTS] = "[defaults]",
		[INI_GLOBAL] = "[global]",
		[INI_PORT] = "[port]",
	};
	const struct key *key = key_find(table, item->name);
	char buf[HINT_MAX];
	uint64_t bit;

	if (key == NULL)
		return parse_error(
			p,
			item->line,
			err,
			"unknown key '%.64s' in %s%s",
			item->name,
			titles[item->section],
			hint_key(buf, item->name, table, NULL, NULL)
		);
	bit = UINT64_C(1) << (key - table);
	if ((*seen & bit) != 0)
		return parse_error(p, item->line, err, "%s= is there twice", key->name);
	*seen |= bit;
	if (parse_expand(p, item->line, item->value, err) < 0)
		return -err->code;
	if (key_parse(key, p->value, base, err) < 0)
		return parse_at(p, item->line, err);
	return 0;
}

static int parse_table(
	struct parse *p,
	const struct ini_item *items,
	size_t n,
	const struct key *table,
	void *base,
	uint64_t *seen,
	struct err *err
)
{
	for (size_t i = 1; i < n; i++) {
		if (parse_key(p, &items[i], table, base, seen, err) < 0)
			return -err->code;
	}
	return 0;
}

int parse_defaults(struct parse *p, const struct ini_item *items, size_t n, struct err *err)
{
	struct defaults_section d = {p->conf->mempool_size, p->conf->memcache_size, ""};

	strcpy(d.qinq_tag, p->qinq_tag);
	if (parse_table(p, items, n, defaults_keys, &d, &p->seen_defaults, err) < 0)
		return -err->code;
	p->conf->mempool_size = d.mempool_size;
	p->conf->memcache_size = d.memcache_size;
	strcpy(p->qinq_tag, d.qinq_tag);
	return 0;
}

int parse_global(struct parse *p, const struct ini_item *items, size_t n, struct err *err)
{
	return parse_table(p, items, n, global_keys, p->conf, &p->seen_global, err);
}

int parse_given(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < p->overrides->nvars; i++) {
		const char *name = p->overrides->vars[i].name;
		bool ours = key_find(defaults_keys, name) != NULL;
		enum ini_section section = ours ? INI_DEFAULTS : INI_GLOBAL;
		const struct ini_item items[2] = {
			{.section = section, .header = true},
			{.section = section, .name = name, .value = p->overrides->vars[i].value},
		};
		char buf[HINT_MAX];

		if (strchr(name, ' ') == NULL)
			continue;
		if (!ours && key_find(global_keys, name) == NULL)
			return parse_error(
				p,
				0,
				err,
				"-D '%.64s=': no such key in [defaults] or [global]%s",
				name,
				hint_key(buf, name, defaults_keys, global_keys, NULL)
			);
		p->seen_defaults = p->seen_global = 0; // what the file says, it may say
		if ((ours ? parse_defaults : parse_global)(p, items, 2, err) < 0)
			return err_wrap(err, "-D '%.64s='", name);
	}
	return 0;
}

// The number of "[port N]".
static int port_number(
	struct parse *p, const struct ini_item *header, unsigned *ret, struct err *err
)
{
	const char *s = p->value;
	unsigned v = 0;
	size_t len;

	if (parse_expand(p, header->line, header->value, err) < 0)
		return -err->code;
	len = strlen(s);
	for (size_t i = 0; i < len && len <= 3; i++)
		v = isdigit((unsigned char)s[i]) ? v * 10 + (unsigned)(s[i] - '0') : CONF_PORTS;
	if (len == 0 || len > 3 || v >= CONF_PORTS)
		return parse_error(
			p,
			header->line,
			err,
			"[port %.32s]: ports are [port 0] to [port %d]",
			s,
			CONF_PORTS - 1
		);
	*ret = v;
	return 0;
}

static int check_port(struct parse *p, const struct conf_port *port, struct err *err)
{
	if (strlen(port->name) >= KEY_NAME_MAX || strchr(port->name, ',') != NULL)
		return parse_error(
			p,
			port->line,
			err,
			"port name '%.40s': at most %d characters, and no comma",
			port->name,
			KEY_NAME_MAX - 1
		);
	if (port->mac.word == MAC_PACKET || port->mac.word == MAC_NO)
		return parse_error(
			p,
			port->line,
			err,
			"port '%s': mac= wants an address, or hardware",
			port->name
		);
	if (port->mac.word == MAC_ADDRESS
	    && ((port->mac.addr[0] & 1) != 0 || memcmp(port->mac.addr, "\0\0\0\0\0", 6) == 0))
		return parse_error(
			p,
			port->line,
			err,
			"port '%s': mac= is a group's address or all zero: a port wants one of its "
			"own",
			port->name
		);
	return 0;
}

int parse_port(struct parse *p, const struct ini_item *items, size_t n, struct err *err)
{
	struct port_section s = {
		.port = {.used = true, .line = items[0].line, .promiscuous = true}};
	uint64_t seen = 0;
	unsigned number = 0;

	if (port_number(p, &items[0], &number, err) < 0)
		return -err->code;
	if (p->conf->ports[number].used)
		return parse_error(
			p,
			items[0].line,
			err,
			"[port %u] is there twice, first on line %u",
			number,
			p->conf->ports[number].line
		);
	snprintf(s.port.name, sizeof(s.port.name), "port%u", number);
	if (parse_table(p, items, n, port_keys, &s, &seen, err) < 0
	    || check_port(p, &s.port, err) < 0)
		return -err->code;
	p->conf->ports[number] = s.port;
	return 0;
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

static int override_ports(struct parse *p, struct err *err)
{
	for (unsigned i = 0; i < p->overrides->nports; i++) {
		const char *name = p->overrides->ports[i].port;
		const char *device = p->overrides->ports[i].device;
		int at = given_port(p->conf, name);
		char buf[HINT_MAX];

		if (at < 0)
			return parse_error(
				p,
				0,
				err,
				"--port %.64s=%.64s: no port of that name in the file%s",
				name,
				device,
				hint_port(buf, name, p->conf)
			);
		if (device[0] == '\0' || strlen(device) >= KEY_TEXT_MAX || !ini_text_ok(device))
			return parse_error(
				p,
				0,
				err,
				"--port %.64s=%.64s: a device is text of 1..%d characters",
				name,
				device,
				KEY_TEXT_MAX - 1
			);
		strcpy(p->conf->ports[at].device, device);
	}
	return 0;
}

int ports_name(struct parse *p, struct err *err)
{
	struct conf_port *ports = p->conf->ports;

	for (unsigned i = 0; i < CONF_PORTS; i++) {
		for (unsigned j = 0; ports[i].used && j < i; j++) {
			unsigned later = ports[i].line > ports[j].line ? i : j;

			if (ports[j].used && str_eq(ports[i].name, ports[j].name))
				return parse_error(
					p,
					ports[later].line,
					err,
					"port name '%s' is there twice, first on line %u",
					ports[i].name,
					ports[i + j - later].line
				);
		}
	}
	return override_ports(p, err);
}
