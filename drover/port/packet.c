// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors

#include "port/packet.h"

#include "port/checksum.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define RING_BYTES (8u << 20)
#define BLOCK_BYTES (64u << 10)
#define HEAD 128   // before a frame in the ring, and more
#define ROOM 32	   // for tags
#define SEGMENTS 8 // of a packet that is sent
#define BURST_MAX 64

struct packet_port {
	int in, out;
	uint8_t *ring;
	unsigned frames, frame_size, at;
	struct rte_mempool *pool;
	uint16_t port;
	// each written by the lcore that receives, or the one that sends
	uint64_t ipackets, ibytes, ierrors, nombuf;
	uint64_t opackets, obytes, oerrors;
	uint64_t missed; // the kernel forgets what was read
};

// Appends to a chain of buffers. False: there are no more.
static bool put(struct packet_port *p, struct rte_mbuf *m, const uint8_t *data, unsigned len)
{
	while (len > 0) {
		struct rte_mbuf *last = rte_pktmbuf_lastseg(m);
		unsigned room = rte_pktmbuf_tailroom(last), n = RTE_MIN(room, len);

		if (n == 0) {
			struct rte_mbuf *more = rte_pktmbuf_alloc(p->pool);

			if (more == NULL)
				return false;
			last->next = more;
			m->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), data, n);
		last->data_len = (uint16_t)(last->data_len + n);
		m->pkt_len += n;
		data += n;
		len -= n;
	}
	return true;
}

// NULL: there is no buffer for it.
static struct rte_mbuf *make(
	struct packet_port *p, const struct tpacket2_hdr *h, const uint8_t *data, unsigned len
)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);
	uint16_t tag[2];
	unsigned head = 0;
	bool done = m != NULL;

	if (done && (h->tp_status & TP_STATUS_VLAN_VALID)) { // which the kernel took off
		head = 2 * ETHER_ADDR_LEN;
		tag[0] =
			htons(h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid
								       : ETHERTYPE_VLAN);
		tag[1] = htons(h->tp_vlan_tci);
		done = put(p, m, data, head) && put(p, m, (const uint8_t *)tag, sizeof(tag));
	}
	if (done && put(p, m, data + head, len - head)) {
		m->port = p->port;
		return m;
	}
	rte_pktmbuf_free(m);
	return NULL;
}

static uint16_t receive(
	uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max, void *arg
)
{
	struct packet_port *p = arg;

	(void)port;
	(void)queue;
	while (n < max) {
		struct tpacket2_hdr *h = (void *)(p->ring + (size_t)p->at * p->frame_size);
		uint32_t status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
		uint8_t *data = (uint8_t *)h + h->tp_mac;
		struct virtio_net_hdr how;

		if (!(status & TP_STATUS_USER))
			break;
		memcpy(&how, data - sizeof(how), sizeof(how));
		if (h->tp_snaplen < h->tp_len || h->tp_len < ETHER_HDR_LEN
		    || how.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
			p->ierrors++;
		} else {
			if (how.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
				checksum_finish(data, h->tp_len, how.csum_start, how.csum_offset);
			m[n] = make(p, h, data, h->tp_len);
			if (m[n] == NULL) {
				p->nombuf++;
			} else {
				p->ibytes += m[n++]->pkt_len;
				p->ipackets++;
			}
		}
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		p->at = p->at + 1 < p->frames ? p->at + 1 : 0;
	}
	return n;
}

// What was sent, or never will be, stands before what was not, and the null device frees it.
static uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, void *arg)
{
	struct packet_port *p = arg;
	struct iovec iov[BURST_MAX][SEGMENTS];
	struct mmsghdr msg[BURST_MAX];
	uint16_t at = 0, count = (uint16_t)RTE_MIN(n, BURST_MAX);

	(void)port;
	(void)queue;
	memset(msg, 0, count * sizeof(msg[0]));
	for (uint16_t i = 0; i < count; i++) {
		msg[i].msg_hdr.msg_iov = iov[i];
		for (struct rte_mbuf *s = m[i]; s != NULL; s = s->next) {
			if (msg[i].msg_hdr.msg_iovlen == SEGMENTS) { // EINVAL
				msg[i].msg_hdr.msg_iovlen = 0;
				break;
			}
			iov[i][msg[i].msg_hdr.msg_iovlen++] = (struct iovec){
				.iov_base = rte_pktmbuf_mtod(s, void *),
				.iov_len = s->data_len,
			};
		}
	}
	while (at < count) {
		int r = sendmmsg(p->out, msg + at, count - at, MSG_DONTWAIT);

		for (int i = 0; i < r; i++) {
			p->obytes += m[at++]->pkt_len;
			p->opackets++;
		}
		if (r > 0)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			break;
		if (errno != EINTR) {
			p->oerrors++;
			at++;
		}
	}
	return at;
}

static int interface_request(int fd, const char *name, unsigned long what, struct ifreq *ret)
{
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->ifr_name, sizeof(ret->ifr_name), "%.15s", name);
	return ioctl(fd, what, ret);
}

// The socket that receives takes nothing before it is bound.
static int open_in(struct packet_port *p, const char *name, bool promiscuous, struct err *err)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	struct tpacket_req req = {.tp_block_size = BLOCK_BYTES};
	int version = TPACKET_V2, on = 1;
	struct ifreq mtu, index;
	bool ok;

	if (interface_request(p->in, name, SIOCGIFINDEX, &index) < 0
	    || interface_request(p->in, name, SIOCGIFMTU, &mtu) < 0)
		return err_sys(err, errno, "interface '%s'", name);
	addr.sll_ifindex = all.mr_ifindex = index.ifr_ifindex;
	for (req.tp_frame_size = 2048; req.tp_frame_size < BLOCK_BYTES; req.tp_frame_size *= 2) {
		if ((unsigned)mtu.ifr_mtu + HEAD + ROOM <= req.tp_frame_size)
			break;
	}
	req.tp_block_nr = RING_BYTES / BLOCK_BYTES;
	req.tp_frame_nr = RING_BYTES / req.tp_frame_size;
	ok = setsockopt(p->in, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) == 0
	     && setsockopt(p->in, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0
	     && setsockopt(p->in, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0
	     && setsockopt(p->in, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == 0;
	if (ok) {
		p->frames = req.tp_frame_nr;
		p->frame_size = req.tp_frame_size;
		p->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, p->in, 0);
		ok = p->ring != MAP_FAILED;
	}
	if (ok && promiscuous)
		ok = setsockopt(p->in, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0;
	if (!ok || bind(p->in, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, errno, "receive from interface '%s'", name);
	addr.sll_protocol = 0;
	if (bind(p->out, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(err, errno, "send to interface '%s'", name);
	return 0;
}

int packet_start(
	const char *interface,
	bool promiscuous,
	uint16_t port,
	struct rte_mempool *pool,
	struct packet_port **ret,
	struct err *err
)
{
	struct packet_port *p = rte_zmalloc("packet", sizeof(*p), RTE_CACHE_LINE_SIZE);
	struct rte_ether_addr mac;
	struct ifreq addr;

	if (p == NULL)
		return err_oom(err);
	p->port = port;
	p->pool = pool;
	p->in = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	p->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (p->in < 0 || p->out < 0)
		return err_sys(err, errno, "open a packet socket for '%s'", interface);
	if (open_in(p, interface, promiscuous, err) < 0)
		return -err->code;
	if (interface_request(p->in, interface, SIOCGIFHWADDR, &addr) == 0) {
		memcpy(&mac, addr.ifr_hwaddr.sa_data, sizeof(mac));
		rte_eth_dev_default_mac_addr_set(port, &mac);
	}
	if (rte_eth_add_rx_callback(port, 0, receive, p) == NULL
	    || rte_eth_add_tx_callback(port, 0, transmit, p) == NULL)
		return err_set(err, ENOTSUP, "this DPDK was built without callbacks");
	*ret = p;
	return 0;
}

void packet_count(struct packet_port *p, struct rte_eth_stats *ret)
{
	struct tpacket_stats kernel = {0};
	socklen_t len = sizeof(kernel);

	if (getsockopt(p->in, SOL_PACKET, PACKET_STATISTICS, &kernel, &len) == 0)
		__atomic_add_fetch(&p->missed, kernel.tp_drops, __ATOMIC_RELAXED);
	memset(ret, 0, sizeof(*ret));
	ret->ipackets = __atomic_load_n(&p->ipackets, __ATOMIC_RELAXED);
	ret->ibytes = __atomic_load_n(&p->ibytes, __ATOMIC_RELAXED);
	ret->ierrors = __atomic_load_n(&p->ierrors, __ATOMIC_RELAXED);
	ret->rx_nombuf = __atomic_load_n(&p->nombuf, __ATOMIC_RELAXED);
	ret->opackets = __atomic_load_n(&p->opackets, __ATOMIC_RELAXED);
	ret->obytes = __atomic_load_n(&p->obytes, __ATOMIC_RELAXED);
	ret->oerrors = __atomic_load_n(&p->oerrors, __ATOMIC_RELAXED);
	ret->imissed = __atomic_load_n(&p->missed, __ATOMIC_RELAXED);
}
