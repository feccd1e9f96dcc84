// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Keys of a configuration section, described by tables: parsing, checking and documentation come from
// the same row, and what a kind of value is from one file in config/kind/.
#pragma once

#include "base/err.h"
#include "config/key_gen.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

// "10Mpps", "500kpps", "0.5": not slower than PPS_MIN, as the time between packets is a number of 64 bits;
// 0: as fast as it goes.
#define PPS_MIN 0.1
#define PPS_MAX 1e12

struct key_rate {
	double pps;
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

struct key;

// A kind of value. It knows its own values and nobody else's.
struct key_kind {
	const char *type;	 // one word, for documentation as JSON
	const char *text;	 // what it wants, for people; NULL: see describe
	bool repeats, has_range; // a task may say it several times; min and max are of numbers
	void (*describe)(const struct key *key, char *buf, size_t len);
	// Parses value, which is not empty, into to. Negative with err set; KEY_WRONG when there is no
	// more to say than what the kind wants.
	int (*parse)(const struct key *key, const char *value, void *to, struct err *err);
};

#define KEY_WRONG 1

extern const struct key_kind kind_u32, kind_u64, kind_pos;			     // number.c
extern const struct key_kind kind_rate, kind_time;				     // units.c
extern const struct key_kind kind_bool, kind_text, kind_word;			     // text.c
extern const struct key_kind kind_mac, kind_ipv4;				     // address.c
extern const struct key_kind kind_bytes;					     // bytes.c
extern const struct key_kind kind_ports;					     // ports.c
extern const struct key_kind kind_tasks;					     // tasks.c
extern const struct key_kind kind_actions;					     // actions.c
extern const struct key_kind kind_random, kind_random_at, kind_range, kind_range_at; // vary.c
extern const struct key_kind kind_imix;						     // imix.c
extern const struct key_kind kind_layers;					     // layers.c

// What the reader does with a key beyond its value.
enum key_role {
	ROLE_NONE = 0,
	ROLE_OUTPUTS,	       // the task chooses among them
	ROLE_OUTPUTS_BY_ROUTE, // "… from routing table"
	ROLE_OUTPUTS_BY_CPE,   // "… from cpe table"
	ROLE_ROUTES,	       // names a table
	ROLE_USERS,
	ROLE_CPES,
	ROLE_CPE_TIMEOUT, // said by one task for all of the same user table
	ROLE_QINQ_TAG,	  // [defaults] say it for tasks that do not
};

struct key {
	const char *name; // as written: "rx port", "dst mac"; NULL ends a table
	const struct key_kind *kind;
	size_t offset;		  // in the structure that the table is for
	uint64_t min, max;	  // max 0: no limit
	const char *help;	  // one line; NULL: none
	const char *const *words; // KEY_WORD: those it takes, NULL-terminated
	enum key_role role;
};

// Rows of a table: the key's name, and the field of KEY_CONF, the structure that the table is for. The type of
// the field is checked.
#define KEY_ROW(kindof, type, name_, field, help_, ...)                                        \
	{                                                                                      \
		.name = (name_), .kind = &kind_##kindof, .help = (help_),                      \
		.offset = offsetof(KEY_CONF, field)                                            \
			  + 0 * sizeof(struct {                                                \
				    static_assert(                                             \
					    __builtin_types_compatible_p(                      \
						    __typeof__(((KEY_CONF *)0)->field), type   \
					    ),                                                 \
					    "the field has another type than the key's values" \
				    );                                                         \
				    int none;                                                  \
			    }),                                                                \
		__VA_ARGS__                                                                    \
	}
#define KEY_LIMITED(kind, type, name, field, min_, max_, help) \
	KEY_ROW(kind, type, name, field, help, .min = (min_), .max = (max_))

// min..max, max 0: no limit; K, M, G multiply by 1024 as DPPD does ("mempool size=2K")
#define KEY_U32(...) KEY_LIMITED(u32, uint32_t, __VA_ARGS__)
// the same, but k, M, G multiply by 1000
#define KEY_U64(...) KEY_LIMITED(u64, uint64_t, __VA_ARGS__)
// up to max, or KEY_POS_END
#define KEY_POS(...) KEY_LIMITED(pos, uint32_t, __VA_ARGS__)
#define KEY_BOOL(...) KEY_ROW(bool, bool, __VA_ARGS__, )
#define KEY_TEXT(...) KEY_ROW(text, char[KEY_TEXT_MAX], __VA_ARGS__, )
// which of the words it is
#define KEY_WORD(name, field, words_, help) \
	KEY_ROW(word, uint32_t, name, field, help, .words = (words_))
#define KEY_MAC(...) KEY_ROW(mac, struct key_mac, __VA_ARGS__, )
#define KEY_IPV4(...) KEY_ROW(ipv4, uint32_t, __VA_ARGS__, ) // host order
#define KEY_RATE(...) KEY_ROW(rate, struct key_rate, __VA_ARGS__, )
#define KEY_TIME(...) KEY_ROW(time, uint64_t, __VA_ARGS__, ) // ns: "10s", "5ms", "3" (seconds)
#define KEY_HEX(...) KEY_ROW(bytes, struct key_bytes, __VA_ARGS__, ) // "00 01 0203"
#define KEY_PORTS(...) KEY_ROW(ports, struct key_names, __VA_ARGS__, )
#define KEY_TX_PORTS(role_, ...) KEY_ROW(ports, struct key_names, __VA_ARGS__, .role = (role_))
#define KEY_TX_TASKS(role_, ...) KEY_ROW(tasks, struct target_names, __VA_ARGS__, .role = (role_))
#define KEY_ACTIONS(...) KEY_ROW(actions, struct key_actions, __VA_ARGS__, )
// one more field that is drawn for each packet; where it is, when it has no name
#define KEY_RANDOM(...) KEY_ROW(random, struct key_vary, __VA_ARGS__, )
#define KEY_RANDOM_AT(...) KEY_ROW(random_at, struct key_vary, __VA_ARGS__, )
// one more field that steps; where it is
#define KEY_RANGE(...) KEY_ROW(range, struct key_vary, __VA_ARGS__, )
#define KEY_RANGE_AT(...) KEY_ROW(range_at, struct key_vary, __VA_ARGS__, )
#define KEY_IMIX(...) KEY_LIMITED(imix, struct key_imix, __VA_ARGS__) // sizes from min to max
#define KEY_LAYERS(...) KEY_ROW(layers, struct key_layers, __VA_ARGS__, )

// Parses value into base + key->offset. On failure the message says what is wrong with the value; the
// caller adds file and line.
int key_parse(const struct key *key, const char *value, void *base, struct err *err);

// The key of that role in the table, or NULL.
const struct key *key_of_role(const struct key *table, enum key_role role);

// The key of that name in the table, or NULL. Case does not count, nor how many blanks are between words.
const struct key *key_find(const struct key *table, const char *name);
bool key_name_eq(const char *a, const char *b);

// "number 1..65535", "yes|no", "MAC address, hw, packet or no", for documentation.
const char *key_type_text(const struct key *key, char *buf, size_t len);
