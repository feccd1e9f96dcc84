// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/conf.h"

#include "task/gen/frame.h"
#include "task/meter/meter.h"
#include "task/task.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

bool gen_timed(const struct gen_conf *c)
{
	return c->timing[0] != '\0' && strcasecmp(c->timing, "capture") == 0;
}

bool gen_meter_wanted(const struct gen_conf *c)
{
	bool ours = c->bytes.len == 0 && c->capture[0] == '\0';

	return c->meter && (ours || c->pos != POS_UNSET);
}

unsigned gen_meter_pos(const struct gen_conf *c, unsigned size)
{
	if (c->pos == KEY_POS_END)
		return size < METER_SIZE ? 0 : size - METER_SIZE;
	return c->pos != POS_UNSET ? c->pos : frame_headers(&c->layers);
}

static int check_capture(const struct gen_conf *c, struct err *err)
{
	if (c->timing[0] != '\0' && !gen_timed(c) && strcasecmp(c->timing, "rate") != 0)
		return err_set(err, EINVAL, "timing=%.32s: capture or rate", c->timing);
	if (c->capture[0] == '\0' && (gen_timed(c) || !c->loop))
		return err_set(
			err,
			EINVAL,
			"%s is for a capture: say pcap file=",
			c->loop ? "timing=capture" : "loop=no"
		);
	if (gen_timed(c) && (c->rate.pps > 0 || c->bps > 0))
		return err_set(err, EINVAL, "timing=capture and a rate: take rate= or bps= away");
	if (c->capture[0] == '\0')
		return 0;
	if (c->size > 0 || c->imix.n > 0)
		return err_set(
			err,
			EINVAL,
			"pcap file= and %s: its packets have their sizes",
			c->size > 0 ? "pkt size=" : "imix="
		);
	if (c->vary.n > 0)
		return err_set(
			err,
			EINVAL,
			"pcap file= and %s=: its packets are sent as they are",
			c->vary.field[0].range ? "range" : "random"
		);
	return 0;
}

// A field that is given a value must be in the packet.
static int check_fields(const struct gen_conf *c, struct err *err)
{
	const struct {
		enum key_field field;
		bool given;
	} all[] = {
		{FIELD_VLAN, c->vlan != FIELD_UNSET},
		{FIELD_SVLAN, c->svlan != FIELD_UNSET},
		{FIELD_CVLAN, c->cvlan != FIELD_UNSET},
		{FIELD_LABEL, c->label != FIELD_UNSET},
		{FIELD_GRE_KEY, c->gre_key != FIELD_UNSET},
		{FIELD_OUTER_SRC, c->outer_src != IP_UNSET},
		{FIELD_OUTER_DST, c->outer_dst != IP_UNSET},
	};
	struct frame_place place;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].given && !frame_find(&c->layers, all[i].field, &place))
			return err_set(
				err,
				EINVAL,
				"%s=: the packet has no such field: see template=",
				key_field_name(all[i].field)
			);
	}
	return 0;
}

int gen_check(const struct gen_conf *c, struct err *err)
{
	unsigned packets = c->layers.given + (c->bytes.len > 0) + (c->capture[0] != '\0');

	if (c->rate.pps > 0 && c->bps > 0)
		return err_set(err, EINVAL, "both rate= and bps= are given: take one away");
	if (packets > 1)
		return err_set(
			err,
			EINVAL,
			"two of template=, pkt inline= and pcap file= are given: take one away"
		);
	if (c->size > 0 && c->imix.n > 0)
		return err_set(err, EINVAL, "both pkt size= and imix= are given: take one away");
	if (check_capture(c, err) < 0)
		return -err->code;
	return check_fields(c, err);
}

void gen_defaults(void *arg)
{
	*(struct gen_conf *)arg = (struct gen_conf){
		.pos = POS_UNSET,
		.stream = STREAM_UNSET,
		.burst = BURST,
		.meter = true,
		.loop = true,
		.vlan = FIELD_UNSET,
		.svlan = FIELD_UNSET,
		.cvlan = FIELD_UNSET,
		.label = FIELD_UNSET,
		.gre_key = FIELD_UNSET,
		.outer_src = IP_UNSET,
		.outer_dst = IP_UNSET,
		.src_ip = 0xc6120001, // 198.18.0.1, of RFC 2544's networks
		.dst_ip = 0xc6130001,
		.src_port = 1024,
		.dst_port = 9, // discard
		.catch_up = 100000,
	};
}

#define KEY(field) offsetof(struct gen_conf, field)
#define VLAN_MAX 4095
#define LABEL_MAX ((1 << 20) - 1)

const struct key gen_keys[] = {
	{"rate", KEY_RATE, KEY(rate), 0, 0, "default: as fast as it can"},
	{"bps",
	 KEY_U64,
	 KEY(bps),
	 0,
	 0,
	 "the rate in bytes a second of the wire: with CRC, preamble and gap, 24 bytes a packet"},
	{"pkt size",
	 KEY_U32,
	 KEY(size),
	 FRAME_MIN,
	 FRAME_MAX,
	 "bytes of a packet without CRC; default: as many as it must have, from 60"},
	{"imix",
	 KEY_IMIX,
	 KEY(imix),
	 FRAME_MIN,
	 FRAME_MAX,
	 "several sizes without CRC and how often each is sent, well mixed"},
	{"template",
	 KEY_LAYERS,
	 KEY(layers),
	 0,
	 0,
	 "the layers of the packet; default eth/ipv4/udp"},
	{"pkt inline", KEY_HEX, KEY(bytes), 0, 0, "the packet; padded with zeros to pkt size"},
	{"pcap file", KEY_TEXT, KEY(capture), 0, 0, "send the packets of this pcap or pcapng file"},
	{"timing",
	 KEY_TEXT,
	 KEY(timing),
	 0,
	 0,
	 "when its packets are sent: capture, as they came, or rate (default)"},
	{"loop", KEY_BOOL, KEY(loop), 0, 0, "begin anew at its end; default yes"},
	{"src mac", KEY_MAC, KEY(src_mac), 0, 0, "source: an address, or hw (default)"},
	{"dst mac", KEY_MAC, KEY(dst_mac), 0, 0, "destination; default 02:00:00:00:00:02"},
	{"vlan", KEY_U64, KEY(vlan), 0, VLAN_MAX, "of the VLAN tag; default 1"},
	{"svlan", KEY_U64, KEY(svlan), 0, VLAN_MAX, "of the S-tag; default 1"},
	{"cvlan", KEY_U64, KEY(cvlan), 0, VLAN_MAX, "of the C-tag; default 1"},
	{"qinq tag", KEY_U32, KEY(stype), 0, UINT16_MAX, "type of the S-tag; default 0x88a8"},
	{"label", KEY_U64, KEY(label), 0, LABEL_MAX, "of MPLS; default 16"},
	{"gre key", KEY_U64, KEY(gre_key), 0, UINT32_MAX, "default 1"},
	{"outer src ip", KEY_IPV4, KEY(outer_src), 0, 0, "of the tunnel; default 192.0.2.1"},
	{"outer dst ip", KEY_IPV4, KEY(outer_dst), 0, 0, "of the tunnel; default 192.0.2.254"},
	{"src ip", KEY_IPV4, KEY(src_ip), 0, 0, "default 198.18.0.1"},
	{"dst ip", KEY_IPV4, KEY(dst_ip), 0, 0, "default 198.19.0.1"},
	{"src port", KEY_U32, KEY(src_port), 0, UINT16_MAX, "of UDP; default 1024"},
	{"dst port", KEY_U32, KEY(dst_port), 0, UINT16_MAX, "of UDP; default 9"},
	{"meter", KEY_BOOL, KEY(meter), 0, 0, "number and stamp packets for mode lat; default yes"},
	{"lat pos",
	 KEY_POS,
	 KEY(pos),
	 0,
	 FRAME_MAX,
	 "where in the packet; default behind the headers, and with pkt inline= or pcap file= no "
	 "meter"},
	{"random",
	 KEY_RANDOM,
	 KEY(vary),
	 0,
	 0,
	 "a field that is drawn anew for each packet, by its name or by its bits; checksums are "
	 "right"},
	{"rand_offset", KEY_RANDOM_AT, KEY(vary), 0, 0, "where in the packet the bits are"},
	{"range",
	 KEY_RANGE,
	 KEY(vary),
	 0,
	 0,
	 "a field that steps from packet to packet; with carry only when the range before it "
	 "begins anew"},
	{"range_offset",
	 KEY_RANGE_AT,
	 KEY(vary),
	 0,
	 0,
	 "where in the packet the field is, if it was not named"},
	{"stream",
	 KEY_U32,
	 KEY(stream),
	 0,
	 METER_STREAMS - 1,
	 "number by which mode lat knows the stream; default: number of the task"},
	{"burst", KEY_U32, KEY(burst), 1, BURST, "packets sent at once at most; default 32"},
	{"count", KEY_U64, KEY(count), 0, 0, "stop after so many packets"},
	{"delay", KEY_TIME, KEY(delay), 0, 0, "begin so long after traffic starts"},
	{"duration", KEY_TIME, KEY(duration), 0, 0, "stop after so long"},
	{"catch up",
	 KEY_TIME,
	 KEY(catch_up),
	 0,
	 0,
	 "packets late for longer are left out rather than sent in a rush; default 100us"},
	{NULL},
};
