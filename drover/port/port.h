// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Ports by what they are: device= of a configuration.
//
//   memif:server:PATH[,KEY=VALUE…]   memif:client:PATH[,…]   shared memory packet interface
//   null[:copy]        ring:NAME        packets come from nowhere; come back through a ring
//   pcap:RX[,TX]       tap:NAME         af_packet:IFACE      af_xdp:IFACE
//   vhost:PATH         virtio:PATH      the two ends of virtio over a socket
//   PCI address        a NIC that was granted
//   vdev:ARGS          any other virtual device of EAL, as it is
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "port/packet.h"
#include "port/xdp.h"

#include <rte_ether.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_DEVARGS 512
#define PORT_PATH (KEY_TEXT_MAX + 32)
#define PORT_LINKS "/run/pinfold/links" // directories of links inside a workload

// Which end of a ring a port is: alone it gets back what it sends.
enum ring_end {
	RING_LOOP = 0,
	RING_FIRST,
	RING_SECOND
};

// How EAL gets a device: one argument ("--vdev=net_memif0,…" or "-a0000:3b:00.0"), and the name under
// which ethdev knows it afterwards.
struct port_device {
	char argument[PORT_DEVARGS];
	char name[128];
	char ring[24]; // name of a ring device, "" for others
	enum ring_end ring_end;
	bool pci;
	// Shared memory that another process is to empty. Its ends have one queue each way: the other
	// one reads and fills no more, whatever this one has. Nobody else throws away what is not read.
	bool link;
	// AF_XDP: the kernel reads and writes its buffers, which must lie as that wants it (pool.c)
	bool frames;
	bool packet; // of packet.c: one queue each way
	// What it needs of the machine, "" for nothing. A capture is read, or the socket of a vhost
	char reads[PORT_PATH];
	bool capture;
	char makes[PORT_PATH]; // a socket or a capture
	bool memif;	       // it gets its address when it is made
	unsigned slot;	       // of memif: bytes that its driver sends whole; see plane.c
	int listens;	       // on a socket of that type; 0: it does not
	bool client;	       // it connects to a memif that another one makes
	bool virtio;	       // the end that shares all its memory
	char interface[PORT_PATH];
};

// Translates device= of port `number`. Does not need EAL.
int port_parse_device(
	const char *device, unsigned number, struct port_device *ret, struct err *err
);

// Whether what it needs is there. The error says what is not, and does not name the port. Does not need
// EAL.
int port_check(const struct port_device *d, struct err *err);

struct rte_mempool;

// Sets up, after rte_eal_init, the port of that ethdev name: queues, MTU, MAC, start. ntxq: queues to
// send with; becomes 1 where it cannot have so many. ret_port: its ethdev number. ret_xdp: what AF_XDP
// sockets it made. ret_packet: of packet.c, or NULL.
int port_start(
	const struct conf_port *conf,
	const struct port_device *dev,
	uint16_t nrxq,
	uint16_t *ntxq,
	struct rte_mempool *pool,
	uint16_t *ret_port,
	struct xdp_sockets *ret_xdp,
	struct packet_port **ret_packet,
	struct err *err
);

// Whether its link is up.
bool port_is_up(uint16_t port);

// Stops it and starts it, with what it is set up for. No lcore may be in it.
int port_restart(const struct port_device *dev, uint16_t port);

// Stops and closes it.
void port_stop(const struct port_device *dev, uint16_t port);

// Makes the virtual device of a port anew, which keeps its ethdev number and its address, and starts it. No lcore
// may be in it. On failure there is no port: it is tried again.
int port_replace(
	const struct conf_port *conf,
	const struct port_device *dev,
	uint16_t nrxq,
	uint16_t ntxq,
	struct rte_mempool *pool,
	uint16_t port,
	struct err *err
);
