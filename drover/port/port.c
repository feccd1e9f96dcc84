// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// Ports of ethdev: queues, MTU, address, start and stop.

#include "port/port.h"

#include "base/scope.h"
#include "dpdk.h"
#include "port/address.h"
#include "port/intr_thread.h"
#include "port/memif.h"

#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>

#define RING_SIZE 4096
#define DESC_DEFAULT 1024

// A ring of one direction. Ports with the same name are joined: the first sends what the second
// receives; a single one gets back what it sends.
static struct rte_ring *ring_of(const char *name, const char *direction, struct err *err)
{
	char full[RTE_RING_NAMESIZE + 8];
	struct rte_ring *r;

	snprintf(full, sizeof(full), "dr_%s_%s", name, direction);
	r = rte_ring_lookup(full);
	if (r == NULL)
		r = rte_ring_create(
			full, RING_SIZE, (int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ
		);
	if (r == NULL)
		err_set(err, rte_errno, "make ring '%s': %s", full, dpdk_why(rte_errno));
	return r;
}

static int make_ring_port(const struct port_device *dev, struct err *err)
{
	struct rte_ring *ab = ring_of(dev->ring, "ab", err), *ba;
	struct rte_ring *rx, *tx;

	if (ab == NULL)
		return -err->code;
	ba = dev->ring_end == RING_LOOP ? ab : ring_of(dev->ring, "ba", err);
	if (ba == NULL)
		return -err->code;
	rx = dev->ring_end == RING_SECOND ? ab : ba;
	tx = dev->ring_end == RING_SECOND ? ba : ab;
	// ethdev puts "net_ring_" before the name
	if (rte_eth_from_rings(dev->name + strlen("net_ring_"), &rx, 1, &tx, 1, rte_socket_id())
	    < 0)
		return err_set(
			err, rte_errno, "make port '%s': %s", dev->name, dpdk_why(rte_errno)
		);
	return 0;
}

static int configure(
	const struct conf_port *conf,
	const struct port_device *dev,
	uint16_t port,
	uint16_t nrxq,
	uint16_t *ntxq,
	struct err *err
)
{
	struct rte_eth_conf ec = {0};
	struct rte_eth_dev_info info;
	uint32_t mtu = conf->mtu != 0 ? conf->mtu : RTE_ETHER_MTU;
	int r = rte_eth_dev_info_get(port, &info);

	if (r < 0)
		return err_set(err, -r, "port '%s': %s", conf->name, dpdk_why(-r));
	if (dev->link || dev->packet)
		info.max_rx_queues = info.max_tx_queues = 1;
	if (nrxq > info.max_rx_queues)
		return err_set(
			err,
			EINVAL,
			"port '%s': %u tasks read it, and '%s' has %u queue%s to read from; let "
			"one task read it and hand on to the others with tx cores=",
			conf->name,
			nrxq,
			conf->device,
			info.max_rx_queues,
			info.max_rx_queues == 1 ? "" : "s"
		);
	if (*ntxq > info.max_tx_queues)
		*ntxq = 1;
	if (nrxq > 1) {
		ec.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		ec.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads
			& (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	}
	if (mtu > RTE_ETHER_MTU)
		ec.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	if (info.max_mtu != 0 && conf->mtu > info.max_mtu)
		return err_set(
			err,
			EINVAL,
			"port '%s': mtu=%u: '%s' has packets of at most %u bytes",
			conf->name,
			conf->mtu,
			conf->device,
			info.max_mtu
		);
	if (info.max_mtu == 0 || mtu <= info.max_mtu)
		ec.rxmode.mtu = mtu;
	ec.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	r = rte_eth_dev_configure(port, nrxq, *ntxq, &ec);
	if (r == -EINVAL && mtu > RTE_ETHER_MTU)
		return err_set(
			err,
			-r,
			"port '%s': mtu=%u: '%s' has frames of at most %u bytes",
			conf->name,
			mtu,
			conf->device,
			info.max_rx_pktlen
		);
	if (r < 0)
		return err_set(err, -r, "configure port '%s': %s", conf->name, dpdk_why(-r));
	return 0;
}

static int queues(
	const struct conf_port *conf,
	uint16_t port,
	uint16_t nrxq,
	uint16_t ntxq,
	struct rte_mempool *pool,
	struct err *err
)
{
	uint16_t nrxd = (uint16_t)(conf->rx_desc != 0 ? conf->rx_desc : DESC_DEFAULT);
	uint16_t ntxd = (uint16_t)(conf->tx_desc != 0 ? conf->tx_desc : DESC_DEFAULT);
	int socket = rte_eth_dev_socket_id(port), r;

	r = rte_eth_dev_adjust_nb_rx_tx_desc(port, &nrxd, &ntxd);
	for (uint16_t q = 0; r == 0 && q < nrxq; q++)
		r = rte_eth_rx_queue_setup(port, q, nrxd, (unsigned)socket, NULL, pool);
	for (uint16_t q = 0; r == 0 && q < ntxq; q++)
		r = rte_eth_tx_queue_setup(port, q, ntxd, (unsigned)socket, NULL);
	if (r < 0)
		return err_set(
			err, -r, "set up the queues of port '%s': %s", conf->name, dpdk_why(-r)
		);
	return 0;
}

static int stop(void *port)
{
	return rte_eth_dev_stop(*(uint16_t *)port);
}

static int end(void *port)
{
	rte_eth_dev_stop(*(uint16_t *)port);
	return rte_eth_dev_close(*(uint16_t *)port);
}

// The driver of a memif shares what it has with its interrupts; that of a NIC may need one of them meanwhile. To start one
// may take its peer's time, and begins before there are any.
static int call(const struct port_device *dev, int (*fn)(void *port), uint16_t port)
{
	return dev->memif ? intr_thread_call(fn, &port) : fn(&port);
}

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
)
{
	struct xdp_sockets before = {0};
	uint16_t port;
	int r;

	if (dev->ring[0] != '\0' && make_ring_port(dev, err) < 0)
		return -err->code;
	if (rte_eth_dev_get_port_by_name(dev->name, &port) < 0)
		return err_set(
			err,
			ENODEV,
			dev->pci ? "port '%s': device '%s' is not there; was it granted, and "
				   "does its driver's library exist?"
				 : "port '%s': device '%s' could not be made; its driver says "
				   "why, above",
			conf->name,
			conf->device
		);
	ret_xdp->n = 0;
	*ret_packet = NULL;
	if (dev->frames)
		xdp_sockets_all(&before);
	if (configure(conf, dev, port, nrxq, ntxq, err) < 0
	    || queues(conf, port, nrxq, *ntxq, pool, err) < 0)
		return -err->code;
	if (dev->frames)
		xdp_sockets_since(&before, ret_xdp);
	if (dev->frames && xdp_is_software(dev->interface) && xdp_finish_checksums(port, nrxq) < 0)
		return err_set(err, ENOTSUP, "this DPDK was built without callbacks");
	if (dev->packet
	    && packet_start(dev->interface, conf->promiscuous, port, pool, ret_packet, err) < 0)
		return err_wrap(err, "port '%s'", conf->name);
	if (conf->mac.word == MAC_ADDRESS) {
		struct rte_ether_addr addr;

		memcpy(addr.addr_bytes, conf->mac.addr, sizeof(addr.addr_bytes));
		r = rte_eth_dev_default_mac_addr_set(port, &addr);
		if (r < 0 && r != -ENOTSUP)
			return err_set(
				err,
				-r,
				"set the address of port '%s': %s",
				conf->name,
				dpdk_why(-r)
			);
		// ring and pcap have none to set
		port_address_set(port, &addr);
	}
	r = rte_eth_dev_start(port);
	if (r < 0 && dev->link)
		return err_set(
			err,
			-r,
			"start port '%s': nobody is at the other end of '%s'; start that first",
			conf->name,
			conf->device
		);
	if (r < 0)
		return err_set(err, -r, "start port '%s': %s", conf->name, dpdk_why(-r));
	if (conf->promiscuous)
		rte_eth_promiscuous_enable(port); // what cannot is promiscuous anyway
	*ret_port = port;
	return 0;
}

bool port_is_up(uint16_t port)
{
	struct rte_eth_link link = {0};

	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

int port_restart(const struct port_device *dev, uint16_t port)
{
	call(dev, stop, port);
	return rte_eth_dev_start(port);
}

void port_stop(const struct port_device *dev, uint16_t port)
{
	bool serves = dev->memif && !dev->client && dev->makes[0] != '\0';

	// a turn before: the interrupt thread may be about to look at who came
	if (serves)
		memif_deafen(dev->makes);
	call(dev, end, port);
	// who came, and has not said yet what he wants
	if (serves)
		memif_forget(dev->makes);
}

// What the driver of a virtual device takes, with the address that the port had: it would draw another.
static void device_arguments(
	const struct port_device *dev, const struct rte_ether_addr *mac, char *ret, size_t size
)
{
	const char *args = strchr(dev->argument, ',');
	char text[RTE_ETHER_ADDR_FMT_SIZE];

	args = args != NULL ? args + 1 : "";
	rte_ether_format_addr(text, sizeof(text), mac);
	if (strstr(args, ",mac=") != NULL || rte_is_zero_ether_addr(mac))
		snprintf(ret, size, "%s", args);
	else
		snprintf(ret, size, "%s,mac=%s", args, text);
}

int port_replace(
	const struct conf_port *conf,
	const struct port_device *dev,
	uint16_t nrxq,
	uint16_t ntxq,
	struct rte_mempool *pool,
	uint16_t port,
	struct err *err
)
{
	const struct rte_ether_addr mac = port_address(port);
	char args[PORT_DEVARGS + RTE_ETHER_ADDR_FMT_SIZE + 8];
	struct packet_port *packet;
	struct xdp_sockets xdp;
	uint16_t made;
	int r;

	device_arguments(dev, &mac, args, sizeof(args));
	port_address_set(port, &mac);
	if (rte_eth_dev_is_valid_port(port))
		port_stop(dev, port);
	rte_vdev_uninit(dev->name);
	r = rte_vdev_init(dev->name, args);
	if (r < 0)
		return err_set(err, -r, "make port '%s' anew: %s", conf->name, dpdk_why(-r));
	// where another one is away as well, it got that one's number
	if (rte_eth_dev_get_port_by_name(dev->name, &made) < 0 || made != port) {
		rte_vdev_uninit(dev->name);
		return err_set(err, EBUSY, "port '%s' waits for another to be back", conf->name);
	}
	return port_start(conf, dev, nrxq, &ntxq, pool, &made, &xdp, &packet, err);
}
