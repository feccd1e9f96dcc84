// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A key of each kind, of a mode of a test's own.
#pragma once

#include "config/key.h"

struct any_conf {
	uint32_t u32;
	uint64_t u64;
	bool flag;
	char text[KEY_TEXT_MAX];
	struct key_mac mac;
	uint32_t ip;
	struct key_rate rate;
	uint64_t time;
	struct key_bytes bytes;
	struct key_names to;
	uint32_t word;
	struct key_actions actions;
	struct key_vary vary;
	struct key_imix imix;
	struct key_layers layers;
	uint32_t pos;
};

static const char *const any_words[] = {"one", "two", NULL};

#define KEY_CONF struct any_conf
static const struct key any_keys[] = {
	KEY_U32("pkt size", u32, 60, 2048, "a number"),
	KEY_U64("bps", u64, 0, 0, "a large number"),
	KEY_BOOL("flag", flag, NULL),
	KEY_TEXT("text", text, "some text"),
	KEY_MAC("src mac", mac, "an address"),
	KEY_IPV4("src ip", ip, "an address"),
	KEY_RATE("rate", rate, "packets a second"),
	KEY_TIME("period", time, "a time"),
	KEY_HEX("pkt inline", bytes, "bytes"),
	KEY_PORTS("mirror port", to, "more ports"),
	KEY_WORD("word", word, any_words, "word"),
	KEY_ACTIONS("action", actions, "action"),
	KEY_RANDOM("random", vary, "field"),
	KEY_RANDOM_AT("rand_offset", vary, "place"),
	KEY_RANGE("range", vary, "field"),
	KEY_RANGE_AT("range_offset", vary, "place"),
	KEY_IMIX("imix", imix, 60, 2048, "sizes"),
	KEY_LAYERS("template", layers, "layers"),
	KEY_POS("lat pos", pos, 0, 2048, "place"),
	{NULL},
};
#undef KEY_CONF
