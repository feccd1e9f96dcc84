// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "task/gen/conf.h"

#include "config/table_keys.h"
#include "task/gen/frame.h"
#include "task/meter/meter.h"
#include "task/task.h"

#include <stddef.h>
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
	int packets = c->layers.given + (c->bytes.len > 0) + (c->capture[0] != '\0');

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

#define VLAN_MAX 4095
#define LABEL_MAX ((1 << 20) - 1)

#define KEY_CONF struct gen_conf
const struct key gen_keys[] = {
	KEY_RATE("rate", rate, "default: as fast as it can"),
	KEY_U64("bps",
		bps,
		1,
		0,
		"the rate in bytes a second of the wire: with CRC, preamble and gap, 24 bytes a "
		"packet"),
	KEY_U32("pkt size",
		size,
		FRAME_MIN,
		FRAME_MAX,
		"bytes of a packet without CRC; default: as many as it must have, from 60"),
	KEY_IMIX(
		"imix",
		imix,
		FRAME_MIN,
		FRAME_MAX,
		"several sizes without CRC and how often each is sent, well mixed"
	),
	KEY_LAYERS("template", layers, "the layers of the packet; default eth/ipv4/udp"),
	KEY_HEX("pkt inline", bytes, "the packet; padded with zeros to pkt size"),
	KEY_TEXT("pcap file", capture, "send the packets of this pcap or pcapng file"),
	KEY_TEXT(
		"timing",
		timing,
		"when its packets are sent: capture, as they came, or rate (default)"
	),
	KEY_BOOL("loop", loop, "begin anew at its end; default yes"),
	KEY_MAC("src mac", src_mac, "source: an address, or hw (default)"),
	KEY_MAC("dst mac", dst_mac, "destination; default 02:00:00:00:00:02"),
	KEY_U64("vlan", vlan, 0, VLAN_MAX, "of the VLAN tag; default 1"),
	KEY_U64("svlan", svlan, 0, VLAN_MAX, "of the S-tag; default 1"),
	KEY_U64("cvlan", cvlan, 0, VLAN_MAX, "of the C-tag; default 1"),
	KEY_QINQ_TAG(stype, "type of the S-tag; default 0x88a8"),
	KEY_U64("label", label, 0, LABEL_MAX, "of MPLS; default 16"),
	KEY_U64("gre key", gre_key, 0, UINT32_MAX, "default 1"),
	KEY_IPV4("outer src ip", outer_src, "of the tunnel; default 192.0.2.1"),
	KEY_IPV4("outer dst ip", outer_dst, "of the tunnel; default 192.0.2.254"),
	KEY_IPV4("src ip", src_ip, "default 198.18.0.1"),
	KEY_IPV4("dst ip", dst_ip, "default 198.19.0.1"),
	KEY_U32("src port", src_port, 0, UINT16_MAX, "of UDP; default 1024"),
	KEY_U32("dst port", dst_port, 0, UINT16_MAX, "of UDP; default 9"),
	KEY_BOOL("meter", meter, "number and stamp packets for mode lat; default yes"),
	KEY_POS("lat pos",
		pos,
		0,
		FRAME_MAX,
		"where in the packet; default behind the headers, and with pkt inline= or pcap "
		"file= no "
		"meter"),
	KEY_RANDOM(
		"random",
		vary,
		"a field that is drawn anew for each packet, by its name or by its bits; checksums "
		"are "
		"right"
	),
	KEY_RANDOM_AT("rand_offset", vary, "where in the packet the bits are"),
	KEY_RANGE(
		"range",
		vary,
		"a field that steps from packet to packet; with carry only when the range before "
		"it "
		"begins anew"
	),
	KEY_RANGE_AT("range_offset", vary, "where in the packet the field is, if it was not named"),
	KEY_U32("stream",
		stream,
		0,
		METER_STREAMS - 1,
		"number by which mode lat knows the stream; default: number of the task"),
	KEY_U32("burst", burst, 1, BURST, "packets sent at once at most; default 32"),
	KEY_U64("count", count, 0, 0, "stop after so many packets"),
	KEY_TIME("delay", delay, "begin so long after traffic starts"),
	KEY_TIME("duration", duration, "stop after so long"),
	KEY_TIME(
		"catch up",
		catch_up,
		"packets late for longer are left out rather than sent in a rush; default 100us"
	),
	{NULL},
};
