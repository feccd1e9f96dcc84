// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Addresses, of Ethernet and of IPv4.

#include "config/key.h"
#include "config/kind/digits.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

// Six pairs of digits with ':' or '-' between them.
static bool parse_address(const char *s, uint8_t ret[6])
{
	char between = s[0] != '\0' && s[1] != '\0' ? s[2] : '\0';
	uint8_t addr[6];

	if (between != ':' && between != '-')
		return false;
	for (unsigned i = 0; i < 6; i++, s += 3) {
		int high = key_nibble(s[0]), low = high < 0 ? -1 : key_nibble(s[1]);

		if (low < 0 || s[2] != (i < 5 ? between : '\0'))
			return false;
		addr[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, addr, sizeof(addr));
	return true;
}

static int parse_mac(const struct key *, const char *value, void *to, struct err *)
{
	struct key_mac m = {.word = MAC_ADDRESS};

	if (strcasecmp(value, "hw") == 0 || strcasecmp(value, "hardware") == 0)
		m.word = MAC_HARDWARE;
	else if (strcasecmp(value, "packet") == 0)
		m.word = MAC_PACKET;
	else if (strcasecmp(value, "no") == 0)
		m.word = MAC_NO;
	else if (!parse_address(value, m.addr))
		return KEY_WRONG;
	*(struct key_mac *)to = m;
	return 0;
}

static int parse_ipv4(const struct key *, const char *value, void *to, struct err *)
{
	struct in_addr ip;

	if (inet_pton(AF_INET, value, &ip) != 1)
		return KEY_WRONG;
	*(uint32_t *)to = ntohl(ip.s_addr);
	return 0;
}

const struct key_kind kind_mac = {
	.type = "mac",
	.text = "MAC address, hw, packet or no",
	.parse = parse_mac,
};
const struct key_kind kind_ipv4 = {.type = "ipv4", .text = "IPv4 address", .parse = parse_ipv4};
