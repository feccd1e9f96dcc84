// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A configuration in the DPPD dialect, read, checked and in numbers. No DPDK call is made here, so that
// a file can be checked anywhere.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "config/key.h"

#include <stdbool.h>
#include <stdint.h>

#define CONF_PORTS 32
#define CONF_CORES 128
#define CONF_TASKS 16 // of one core
#define CONF_EAL 32

struct task_mode;

struct conf_port {
	bool used; // there is a section [port N]
	unsigned line;
	char name[KEY_TEXT_MAX];   // default "portN"
	char device[KEY_TEXT_MAX]; // "memif:server:/path", "0000:3b:00.0", …; see port/port.h
	struct key_mac mac;	   // unset or hardware: as it is
	uint32_t rx_desc, tx_desc; // 0: the device's default
	uint32_t mtu;		   // 0: 1500
	bool promiscuous;	   // default yes
};

// What every task may say.
struct conf_task {
	unsigned id;   // task=N
	unsigned line; // of its mode=
	const struct task_mode *mode;
	struct key_names rx_ports; // rx port=
	struct key_names tx_ports; // tx port=
	bool drop;		   // drop=yes (default): what the output does not take is dropped
	void *conf; // of the mode: its conf_size bytes, its defaults and keys applied
};

struct conf_core {
	unsigned line;
	unsigned id;		 // number in the file ("3s0" → 3)
	int socket;		 // "3s1" → 1; -1: not said
	bool hyperthread;	 // "3s0h"
	bool master;		 // mode=master: the control thread
	char name[KEY_TEXT_MAX]; // default "coreN"
	unsigned ntasks;
	struct conf_task tasks[CONF_TASKS];
};

struct conf {
	char file[256];
	char name[KEY_TEXT_MAX]; // [global] name=
	uint64_t start_time;	 // [global] start time=: ns until traffic starts
	uint64_t duration;	 // [global] duration time=: ns of traffic, 0: until stopped
	uint32_t mempool_size;	 // [defaults] mempool size=: mbufs of a core, default 16K
	uint32_t mbuf_size;	 // [global] mbuf size=: bytes of packet data, default 2048
	unsigned neal;
	char eal[CONF_EAL][KEY_TEXT_MAX];   // [eal options]: "-n=4" as "-n4"; passed to EAL
	struct conf_port ports[CONF_PORTS]; // by number
	unsigned ncores;
	struct conf_core cores[CONF_CORES]; // in order of the file; a range is several
};

// Overrides from the command line, applied while reading.
struct conf_overrides {
	unsigned nvars;
	struct {
		const char *name, *value; // -D name=value: like [variables] $name=value
	} vars[32];
	unsigned nports;
	struct {
		const char *port, *device; // --port name=DEVICE: the port's device=
	} ports[CONF_PORTS];
};

// Reads and checks the whole file: the first error, as "FILE:LINE: what is wrong; did you mean …?".
// *ret is to be released with conf_free.
int conf_read(const char *file, const struct conf_overrides *o, struct conf **ret, struct err *err);
// The same from memory (for tests and fuzzing); name stands for the file in messages.
int conf_parse(
	const char *text,
	size_t len,
	const char *name,
	const struct conf_overrides *o,
	struct conf **ret,
	struct err *err
);
void conf_free(struct conf *c);

// The number of the port of that name; -1: none.
int conf_port_number(const struct conf *c, const char *name);

// Prints the modes with their keys, for `drover modes`.
void conf_print_modes(bool json);
