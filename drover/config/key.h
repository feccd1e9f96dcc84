// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Keys of a configuration section, described by tables: parsing, checking and documentation come from
// the same line.
#pragma once

#include "base/err.h"
#include "config/key_gen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_type {
	KEY_U32,   // min..max; K, M, G multiply by 1024 as DPPD does ("mempool size=2K")
	KEY_U64,   // min..max; k, M, G multiply by 1000
	KEY_BOOL,  // yes/no
	KEY_TEXT,  // char[KEY_TEXT_MAX]
	KEY_MAC,   // struct key_mac: an address, or one of its words
	KEY_IPV4,  // uint32_t, host order
	KEY_RATE,  // struct key_rate
	KEY_TIME,  // uint64_t nanoseconds: "10s", "5ms", "3" (seconds)
	KEY_HEX,   // struct key_bytes: packet bytes, "00 01 0203"
	KEY_PORTS, // struct key_names: names of ports, comma separated
	KEY_TASKS, // the tasks that a task sends to; read by config/tasks.c
	KEY_WORD,  // uint32_t: which of the key's words
	KEY_ACT,   // struct key_actions: what becomes of packets of a colour
	// of the generator, see config/key_gen.h
	KEY_RANDOM,    // struct key_vary: one more field that is drawn for each packet
	KEY_RANDOM_AT, // struct key_vary: where it is, when it has no name
	KEY_RANGE,     // struct key_vary: one more field that steps
	KEY_RANGE_AT,  // the same for it
	KEY_IMIX,      // struct key_imix, min..max: sizes
	KEY_LAYERS,    // struct key_layers
	KEY_POS,       // uint32_t, up to max, or KEY_POS_END
};

#define KEY_TEXT_MAX 128
#define KEY_BYTES_MAX 1514
#define KEY_NAMES_MAX 16
#define KEY_NAME_MAX 32

struct key_mac {
	enum key_mac_word {
		MAC_UNSET = 0,
		MAC_ADDRESS,  // addr
		MAC_HARDWARE, // "hw" or "hardware": of the output port
		MAC_PACKET,   // "packet": the other address of the packet
		MAC_NO,	      // "no": leave it alone
	} word;
	uint8_t addr[6];
};

// "10Mpps", "500kpps", "1250000000" with unit bps elsewhere; 0: as fast as it goes.
struct key_rate {
	uint64_t pps;
};

struct key_bytes {
	uint16_t len;
	uint8_t data[KEY_BYTES_MAX];
};

struct key_names {
	unsigned n;
	char name[KEY_NAMES_MAX][KEY_NAME_MAX];
};

// "police action=COLOUR io=IN,OUT": packets that came in as IN and were found to be OUT become COLOUR, or
// are dropped.
enum key_colour {
	COLOUR_GREEN = 0,
	COLOUR_YELLOW,
	COLOUR_RED,
	COLOURS,
	COLOUR_DROP = COLOURS,
};

struct key_actions {
	uint8_t said[COLOURS];		  // a bit for each OUT, by IN
	uint8_t become[COLOURS][COLOURS]; // [IN][OUT]: enum key_colour
};

struct key {
	const char *name; // as written: "rx port", "dst mac"; NULL ends a table
	enum key_type type;
	size_t offset;	   // in the structure that the table is for
	uint64_t min, max; // KEY_U32, KEY_U64; max 0: no limit
	const char *help;  // one line
	// KEY_WORD: those it takes, NULL-terminated
	const char *const *words;
};

// Parses value into base + key->offset. On failure the message says what is wrong with the value; the
// caller adds file and line.
int key_parse(const struct key *key, const char *value, void *base, struct err *err);

// Whether a task may say it several times.
bool key_repeats(const struct key *key);

// The key of that name in the table, or NULL.
const struct key *key_find(const struct key *table, const char *name);

// "number 1..65535", "yes|no", "MAC address, hw, packet or no", for documentation.
const char *key_type_text(const struct key *key, char *buf, size_t len);
