// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "text/decode.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define LAYERS 24 // that are told at most

enum next {
	ETHERNET,
	ETHERTYPE,
	LABEL,
	IP, // version 4 or 6, as its first four bits say
	PROTOCOL,
	END,
};

struct decoder {
	const uint8_t *p;
	unsigned left;
	char *line;
	size_t room;
	enum next next;
	uint16_t type; // EtherType or protocol of what comes next
};

static __attribute__((format(printf, 2, 3))) void say(struct decoder *d, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(d->line, d->room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= d->room)
		n = d->room > 0 ? (int)d->room - 1 : 0;
	d->line += n;
	d->room -= (size_t)n;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

// The next n bytes; NULL, and said: they are not there.
static const uint8_t *take(struct decoder *d, unsigned n, const char *what)
{
	const uint8_t *p = d->p;

	if (d->left < n) {
		say(d, "%s (cut)", what);
		d->next = END;
		return NULL;
	}
	d->p += n;
	d->left -= n;
	return p;
}

static void ethernet(struct decoder *d)
{
	const uint8_t *p = take(d, 14, "Ethernet");

	if (p == NULL)
		return;
	say(d,
	    "%02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x",
	    p[6],
	    p[7],
	    p[8],
	    p[9],
	    p[10],
	    p[11],
	    p[0],
	    p[1],
	    p[2],
	    p[3],
	    p[4],
	    p[5]);
	d->next = ETHERTYPE;
	d->type = be16(p + 12);
}

static void tag(struct decoder *d)
{
	const char *what = d->type == 0x88a8 ? " S-tag" : " tag";
	const uint8_t *p = take(d, 4, what);

	if (p == NULL)
		return;
	say(d, "%s %u", what, be16(p) & 0xfffu);
	if ((p[0] >> 5) != 0)
		say(d, " prio %u", p[0] >> 5);
	d->type = be16(p + 2);
}

static void arp(struct decoder *d)
{
	const uint8_t *p = take(d, 28, " ARP");
	char sender[INET_ADDRSTRLEN], target[INET_ADDRSTRLEN];

	d->next = END;
	if (p == NULL)
		return;
	inet_ntop(AF_INET, p + 14, sender, sizeof(sender));
	inet_ntop(AF_INET, p + 24, target, sizeof(target));
	if (be16(p + 6) == 1)
		say(d, " ARP who has %s, asks %s", target, sender);
	else if (be16(p + 6) == 2)
		say(d, " ARP %s is here, to %s", sender, target);
	else
		say(d, " ARP operation %u", be16(p + 6));
}

static void ethertype(struct decoder *d)
{
	switch (d->type) {
	case 0x8100:
	case 0x88a8:
		tag(d);
		break;
	case 0x8847:
		d->next = LABEL;
		break;
	case 0x0800:
	case 0x86dd:
		d->next = IP;
		break;
	case 0x0806:
		arp(d);
		break;
	default:
		say(d, " type 0x%04x", d->type);
		d->next = END;
	}
}

static void label(struct decoder *d)
{
	const uint8_t *p = take(d, 4, " label");

	if (p == NULL)
		return;
	say(d, " label %u", be32(p) >> 12);
	if ((p[2] & 1) != 0)
		d->next = IP;
}

static void ipv4(struct decoder *d)
{
	unsigned header = (d->p[0] & 15u) * 4;
	char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	const uint8_t *p;

	if (header < 20) {
		say(d, " IPv4 with a header of %u bytes", header);
		d->next = END;
		return;
	}
	p = take(d, header, " IPv4");
	if (p == NULL)
		return;
	inet_ntop(AF_INET, p + 12, src, sizeof(src));
	inet_ntop(AF_INET, p + 16, dst, sizeof(dst));
	say(d, " IPv4 %s > %s ttl %u length %u", src, dst, p[8], be16(p + 2));
	d->type = p[9];
	d->next = PROTOCOL;
	if ((be16(p + 6) & 0x3fff) != 0) {
		say(d, " fragment at %u", (be16(p + 6) & 0x1fffu) * 8);
		d->next = (be16(p + 6) & 0x1fff) != 0 ? END : PROTOCOL;
	}
}

static void ip(struct decoder *d)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	const uint8_t *p;

	if (d->left == 0) {
		take(d, 1, " IP");
	} else if (d->p[0] >> 4 == 4) {
		ipv4(d);
	} else if (d->p[0] >> 4 == 6) {
		p = take(d, 40, " IPv6");
		if (p == NULL)
			return;
		inet_ntop(AF_INET6, p + 8, src, sizeof(src));
		inet_ntop(AF_INET6, p + 24, dst, sizeof(dst));
		say(d, " IPv6 %s > %s hops %u", src, dst, p[7]);
		d->type = p[6];
		d->next = PROTOCOL;
	} else {
		say(d, " IP version %u", d->p[0] >> 4);
		d->next = END;
	}
}

// RFC 2784, 2890.
static void gre(struct decoder *d)
{
	const uint8_t *p = take(d, 4, " GRE"), *more;
	uint16_t flags;

	if (p == NULL)
		return;
	flags = be16(p);
	say(d, " GRE");
	d->type = be16(p + 2);
	d->next = ETHERTYPE;
	// routing (RFC 1701), another version, or what is reserved
	if ((flags & 0x4fff) != 0) {
		say(d, " flags 0x%04x", flags);
		d->next = END;
		return;
	}
	if ((flags & 0x8000) != 0) {
		more = take(d, 4, " checksum");
		if (more != NULL)
			say(d, " checksum");
	}
	if (d->next != END && (flags & 0x2000) != 0) {
		more = take(d, 4, " key");
		if (more != NULL)
			say(d, " key %u", be32(more));
	}
	if (d->next != END && (flags & 0x1000) != 0) {
		more = take(d, 4, " sequence");
		if (more != NULL)
			say(d, " sequence %u", be32(more));
	}
}

static void protocol(struct decoder *d)
{
	const uint8_t *p;

	switch (d->type) {
	case IPPROTO_GRE:
		gre(d);
		return;
	case IPPROTO_ICMP:
		p = take(d, 4, " ICMP");
		if (p != NULL)
			say(d, " ICMP type %u code %u", p[0], p[1]);
		break;
	case IPPROTO_UDP:
	case IPPROTO_TCP:
		p = take(d, 4, d->type == IPPROTO_UDP ? " UDP" : " TCP");
		if (p != NULL)
			say(d,
			    " %s %u > %u",
			    d->type == IPPROTO_UDP ? "UDP" : "TCP",
			    be16(p),
			    be16(p + 2));
		break;
	default:
		say(d, " protocol %u", d->type);
	}
	d->next = END;
}

void decode_packet(const uint8_t *p, unsigned have, char *line, size_t size)
{
	static void (*const layers[END])(struct decoder * d) = {
		[ETHERNET] = ethernet,
		[ETHERTYPE] = ethertype,
		[LABEL] = label,
		[IP] = ip,
		[PROTOCOL] = protocol,
	};
	struct decoder d = {.p = p, .left = have, .line = line, .room = size};

	if (size > 0)
		line[0] = '\0';
	for (unsigned i = 0; i < LAYERS && d.next != END; i++)
		layers[d.next](&d);
	if (d.next != END)
		say(&d, " and more");
}
