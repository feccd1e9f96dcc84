// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// The layers of a packet.

#include "config/key.h"

#include "config/hint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// The order of all that may be there.
static const struct {
	const char *name;
	bool must;
} layers[] = {
	{"eth", true},
	{"vlan", false},
	{"qinq", false},
	{"mpls", false},
	{"ipv4", false},
	{"gre", false},
	{"ipv4", true},
	{"udp", true},
};

static int parse_layers(const struct key *key, const char *value, void *to, struct err *err)
{
	static const char *const words[] = {
		"eth", "vlan", "qinq", "mpls", "ipv4", "gre", "udp", NULL};
	bool has[sizeof(layers) / sizeof(layers[0])] = {0};
	unsigned at = 0, end = sizeof(layers) / sizeof(layers[0]);
	bool tunnel = strcasestr(value, "gre") != NULL;
	char name[16], buf[HINT_MAX];
	const char *s = value;

	for (bool more = true; more;) {
		size_t len = strcspn(s, "/");
		unsigned i = 0;

		snprintf(name, sizeof(name), "%.*s", (int)(len < 16 ? len : 16), s);
		while (words[i] != NULL && strcasecmp(words[i], name) != 0)
			i++;
		if (words[i] == NULL)
			return err_set(
				err,
				EINVAL,
				"%s=: no layer '%s'%s",
				key->name,
				name,
				hint(buf, name, words)
			);
		// the first IPv4 header is that of the tunnel if there is one
		while (at < end && (strcasecmp(layers[at].name, name) != 0 || (at == 4 && !tunnel))
		) {
			if (layers[at].must)
				return KEY_WRONG;
			at++;
		}
		if (at == end)
			return KEY_WRONG;
		has[at++] = true;
		more = s[len] == '/';
		s += len + 1;
	}
	if (at != end || has[4] != has[5])
		return KEY_WRONG;
	*(struct key_layers *)to = (struct key_layers){true, has[1], has[2], has[3], has[5]};
	return 0;
}

const struct key_kind kind_layers = {
	.type = "layers",
	.text = "eth[/vlan][/qinq][/mpls][/ipv4/gre]/ipv4/udp",
	.parse = parse_layers,
};
