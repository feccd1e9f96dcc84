// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Kernel ports as an option: "exc0,192.0.2.1/24,mtu=1400".

#include "grant/options.h"

#include "base/scope.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(((struct grant_port *)0)->name) == IFNAMSIZ, "a name of the kernel's");

// What the kernel gives an interface, and no program could be reached by: of this host, of nobody, of many.
static bool is_nobodys(bool six, const unsigned char *b)
{
	static const unsigned char zero[15];

	if (six)
		return b[0] == 0xff || (memcmp(b, zero, sizeof(zero)) == 0 && b[15] <= 1);
	return b[0] == 0 || b[0] == 127 || (b[0] >= 224 && b[0] < 240)
	       || (b[0] & b[1] & b[2] & b[3]) == 255;
}

// "192.0.2.1/24", "2001:db8::1/64"
static int add_address(
	struct grant_interface *p, const char *word, const char *form, struct err *err
)
{
	char buf[64], *slash;
	unsigned char bytes[16];
	bool six = strchr(word, ':') != NULL;
	uint64_t prefix;

	if (p->naddresses == GRANT_ADDRESSES)
		return err_set(err, E2BIG, "more than %d addresses", GRANT_ADDRESSES);
	if (strlen(word) >= sizeof(buf))
		return err_set(err, EINVAL, "'%.64s' is no address", word);
	strcpy(buf, word);
	slash = strchr(buf, '/');
	if (slash == NULL)
		return err_set(err, EINVAL, "'%s': write %s", word, form);
	*slash++ = '\0';
	if (inet_pton(six ? AF_INET6 : AF_INET, buf, bytes) != 1)
		return err_set(err, EINVAL, "'%s' is no address", buf);
	if (is_nobodys(six, bytes))
		return err_set(err, EINVAL, "'%s' is no address of an interface; say another", buf);
	if (option_parse_number("prefix length", slash, 1, six ? 128 : 32, &prefix, err) < 0)
		return -err->code;
	strcpy(p->addresses[p->naddresses++], word);
	return 0;
}

int interface_parse_word(
	struct grant_interface *p, const char *word, const char *form, struct err *err
)
{
	uint64_t mtu;

	if (!str_starts(word, "mtu="))
		return add_address(p, word, form, err);
	// the kernel's own bounds of a tap
	if (option_parse_number("mtu", word + strlen("mtu="), 68, 65521, &mtu, err) < 0)
		return -err->code;
	p->mtu = (unsigned)mtu;
	return 0;
}

int interface_text(const struct grant_interface *p, char *buf, size_t len, int n)
{
	for (unsigned i = 0; i < p->naddresses; i++)
		n += snprintf(buf + n, len - (size_t)n, ",%s", p->addresses[i]);
	if (p->mtu != 0)
		n += snprintf(buf + n, len - (size_t)n, ",mtu=%u", p->mtu);
	return n;
}

static int parse_word(struct grant_port *p, const char *word, struct err *err)
{
	if (!str_eq(word, "vhost"))
		return interface_parse_word(&p->has, word, "ADDRESS/PREFIX, mtu=N or vhost", err);
	p->vhost = true;
	return 0;
}

int interface_check_name(const char *what, const char *s, struct err *err)
{
	static const char known[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	// the last two have files of sysctl(8) that are not an interface's
	if (s[0] == '\0' || strlen(s) >= IFNAMSIZ || strspn(s, known) != strlen(s) || s[0] == '.'
	    || s[0] == '-' || str_eq(s, "lo") || str_eq(s, "all") || str_eq(s, "default"))
		return err_set(
			err,
			EINVAL,
			"%s '%.32s': a name has 1 to %d of a-z, A-Z, 0-9, '.', '_', '-', "
			"the first none of '.' and '-', and is not lo, all or default",
			what,
			s,
			IFNAMSIZ - 1
		);
	return 0;
}

int interface_check(const struct grant_interface *p, const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (strstr(text, ",,") != NULL || (n > 0 && text[n - 1] == ','))
		return err_set(err, EINVAL, "'%.64s': nothing follows a comma; leave it out", text);
	for (unsigned i = 0; p->mtu != 0 && p->mtu < INTERFACE_MTU6 && i < p->naddresses; i++) {
		if (strchr(p->addresses[i], ':') != NULL)
			return err_set(
				err,
				EINVAL,
				"'%s' takes an MTU of %d at least; say mtu=%d",
				p->addresses[i],
				INTERFACE_MTU6,
				INTERFACE_MTU6
			);
	}
	return 0;
}

static int parse_port(const struct reading *r, const char *text, struct err *err)
{
	struct terms *t = r->all;
	struct grant_port p = {0};
	char buf[512], *save = NULL, *word;

	if (strlen(text) >= sizeof(buf))
		return err_set(err, EINVAL, "kernel port '%.64s': too long", text);
	strcpy(buf, text);
	word = strtok_r(buf, ",", &save);
	if (interface_check_name("kernel port", word != NULL ? word : "", err) < 0)
		return -err->code;
	strcpy(p.name, word);
	while ((word = strtok_r(NULL, ",", &save)) != NULL) {
		if (parse_word(&p, word, err) < 0)
			return err_wrap(err, "kernel port '%s'", p.name);
	}
	if (interface_check(&p.has, text, err) < 0)
		return err_wrap(err, "kernel port '%s'", p.name);
	for (unsigned i = 0; i < t->nports; i++) {
		if (str_eq(t->ports[i].name, p.name))
			return err_set(err, EINVAL, "kernel port '%s' is asked for twice", p.name);
	}
	if (t->nports == GRANT_PORTS)
		return err_set(err, E2BIG, "kernel ports: more than %d", GRANT_PORTS);
	t->ports[t->nports++] = p;
	return 0;
}

char *grant_port_text(const struct grant_port *p, char buf[static GRANT_PORT_STR])
{
	int n = snprintf(buf, GRANT_PORT_STR, "%s", p->name);

	n = interface_text(&p->has, buf, GRANT_PORT_STR, n);
	if (p->vhost)
		snprintf(buf + n, GRANT_PORT_STR - (size_t)n, ",vhost");
	return buf;
}

int grant_port_parse(const char *text, struct grant_port *ret, struct err *err)
{
	struct terms t = {0};
	struct reading r = {.all = &t};

	if (parse_port(&r, text, err) < 0)
		return -err->code;
	*ret = t.ports[0];
	return 0;
}

_Static_assert(IDSET_STR >= GRANT_PORT_STR, "room for the text of one");

static const char *port_text(const struct row *, const void *all, unsigned i, char *buf)
{
	return grant_port_text(&((const struct terms *)all)->ports[i], buf);
}

const struct option_type option_ports = {
	.parse = parse_port, .text = port_text, .schema = "kernel-ports"};
