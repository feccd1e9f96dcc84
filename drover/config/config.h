// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// A configuration in the DPPD dialect, read, checked and in numbers. No DPDK call is made here, so that
// a file can be checked anywhere.
#pragma once

#include "base/err.h"
#include "base/idset.h"
#include "config/key.h"
#include "table/spec.h"

#include <stdbool.h>
#include <stdint.h>

#define CONF_PORTS 32
#define CONF_CORES 128
#define CONF_TASKS 16 // of one core
#define CONF_EAL 32
#define CONF_TARGETS 64 // tasks that one "tx cores=" names
#define CONF_RING_SIZE 256

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
	bool carries;		   // a task names it
};

// What a load balancer tells apart: "tx cores=… proto=arp".
enum task_proto {
	PROTO_IPV4 = 0, // also whatever has no outputs of its own
	PROTO_ARP,
	PROTO_IPV6,
	PROTO_COUNT
};

// A task that another one sends to.
struct conf_target {
	uint16_t core; // index into conf.cores, once all of the file is read
	uint8_t task;  // index into its tasks
	enum conf_target_kind {
		TARGET_PACKETS = 0,
		TARGET_CONTROL, // "t0p": packets that are looked at now and then
		TARGET_MESSAGE, // "t0m": of the master; drover's control goes another way
	} kind;
};

struct conf_targets {
	unsigned line; // 0: not given
	unsigned n;
	struct conf_target list[CONF_TARGETS];
};

// Who chooses among the outputs: what the key of the outputs says.
enum conf_tx {
	TX_TASK = 0, // "tx port=", "tx cores="
	TX_ROUTES,   // "… from routing table="
	TX_CPES,     // "… from cpe table="
};

#define CONF_NO_OUTPUT 255

// What every task may say.
struct conf_task {
	unsigned id;   // task=N
	unsigned line; // of its mode=
	const struct task_mode *mode;
	struct key_names rx_ports; // rx port=
	bool rx_ring;		   // rx ring=yes: from the tasks that name this one
	struct key_names tx_ports; // tx port=, tx ports from … table=
	enum conf_tx tx_by;
	struct conf_targets tx_cores[PROTO_COUNT]; // tx cores=; "… from … table=" at [PROTO_IPV4]
	bool remapped;				   // remap=
	uint8_t remap[CONF_PORTS]; // by number of a port: which output; CONF_NO_OUTPUT: none
	bool drop;		   // drop=yes (default): what the output does not take is dropped
	uint32_t ring_size;	   // of the rings that the task fills
	uint32_t mempool_size;	   // 0: as [defaults] say
	uint32_t memcache_size;	   // 0: as [defaults] say
	uint32_t ctrl_frequency;   // looks a second at rings of the control path
	uint32_t cpe_timeout;	   // cpe table timeout ms=; 0: not said
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
	uint32_t memcache_size; // [defaults] memcache size=: of them in a core's cache, default 256
	char qinq_tag[KEY_TEXT_MAX]; // [defaults] qinq tag=, for tasks that do not say it; "": none
	bool pool_per_socket;	     // [global] unique mempool per socket=
	bool shuffle;		     // [global] shuffle=: mbufs are not in order of their addresses
	bool mp_rings;		     // [global] mp rings=: all senders to a task share one ring
	uint32_t mbuf_size;	     // [global] mbuf size=: bytes of packet data, default 2048
	unsigned neal;
	char eal[CONF_EAL][KEY_TEXT_MAX];   // [eal options]: "-n=4" as "-n4"; passed to EAL
	struct conf_port ports[CONF_PORTS]; // by number
	unsigned ncores;
	struct conf_core cores[CONF_CORES]; // in order of the file; a range is several
	struct specs specs;		    // the tables that tasks name, as Lua defined them
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
	bool no_devices; // a port that carries traffic need not have a device: nothing is started
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

// The folder of the file, where its tables are. To be freed; NULL: out of memory.
char *conf_folder(const struct conf *c);

// Draws cores, tasks, rings and ports as text, for `drover explain`.
void conf_explain(const struct conf *c);

// Prints the modes with their keys, for `drover modes`, or the one of a name (NULL: all), which must be there.
int conf_print_modes(const char *name, bool json, struct err *err);
