// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The pinfold authors
// device= of a port, as an argument of EAL.

#include "base/hint.h"
#include "base/scope.h"
#include "base/str.h"
#include "port/port.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MEMIF_SLOT 2048

static const char *const kinds[] = {
	"memif",
	"null",
	"ring",
	"pcap",
	"tap",
	"af_packet",
	"af_xdp",
	"vhost",
	"virtio",
	"vdev",
	NULL,
};

// "0000:3b:00.0" or "3b:00.0"
static bool is_pci(const char *s)
{
	unsigned domain, bus, dev, fn;
	int end = 0;

	if (sscanf(s, "%4x:%2x:%2x.%1x%n", &domain, &bus, &dev, &fn, &end) == 4 && s[end] == '\0')
		return true;
	end = 0;
	return sscanf(s, "%2x:%2x.%1x%n", &bus, &dev, &fn, &end) == 3 && s[end] == '\0';
}

// Fills the EAL argument; a comma in what the user wrote would start another argument of the device.
static int vdev(
	struct port_device *d,
	const char *driver,
	unsigned number,
	struct err *err,
	const char *fmt,
	...
) __attribute__((format(printf, 5, 6)));

static int vdev(
	struct port_device *d,
	const char *driver,
	unsigned number,
	struct err *err,
	const char *fmt,
	...
)
{
	char args[PORT_DEVARGS];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(d->name, sizeof(d->name), "%s%u", driver, number);
	if (n < 0 || n >= (int)sizeof(args)
	    || snprintf(
		       d->argument,
		       sizeof(d->argument),
		       "--vdev=%.100s%s%s",
		       d->name,
		       n > 0 ? "," : "",
		       args
	       ) >= (int)sizeof(d->argument))
		return err_set(err, EINVAL, "device of port %u is too long", number);
	return 0;
}

// As its argument bsize= says, or its driver's default.
static unsigned memif_slot(const char *args)
{
	const char *said = strstr(args, ",bsize=");
	unsigned slot = MEMIF_SLOT;

	if (said != NULL)
		sscanf(said, ",bsize=%u", &slot);
	return slot;
}

// "server:PATH[,KEY=VALUE…]". A path without a slash names a link of the grant.
static int memif(struct port_device *d, const char *arg, unsigned number, struct err *err)
{
	const char *path = strchr(arg, ':'), *extra;
	size_t role = path != NULL ? (size_t)(path - arg) : 0, len;

	if (path == NULL || (strncmp(arg, "server", role) != 0 && strncmp(arg, "client", role) != 0)
	    || role != 6)
		return err_set(
			err,
			EINVAL,
			"device 'memif:%s': write memif:server:PATH or memif:client:PATH",
			arg
		);
	path++;
	len = strcspn(path, ",");
	extra = path + len;
	d->client = arg[0] == 'c';
	d->listens = d->client ? 0 : SOCK_SEQPACKET;
	if (len == 0)
		return err_set(
			err, EINVAL, "device 'memif:%s': the path of the socket is missing", arg
		);
	d->memif = true;
	d->slot = memif_slot(extra);
	snprintf(
		d->makes,
		sizeof(d->makes),
		"%s%.*s%s",
		path[0] == '/' ? "" : PORT_LINKS "/",
		(int)len,
		path,
		path[0] == '/' ? "" : "/memif.sock"
	);
	return vdev(
		d,
		"net_memif",
		number,
		err,
		"role=%.6s,socket=%s,socket-abstract=no%s",
		arg,
		d->makes,
		extra
	);
}

// What is before a comma: further arguments of the device follow.
static void first_of(const char *arg, char ret[PORT_PATH])
{
	snprintf(ret, PORT_PATH, "%.*s", (int)strcspn(arg, ","), arg);
}

// "RX[,TX]"; "-" for a side that is not there.
static int pcap(struct port_device *d, const char *arg, unsigned number, struct err *err)
{
	size_t len = strcspn(arg, ",");
	const char *tx = arg[len] == ',' ? arg + len + 1 : "-";
	bool has_rx = !(len == 1 && arg[0] == '-'), has_tx = !str_eq(tx, "-");

	if (len == 0 || tx[0] == '\0' || (!has_rx && !has_tx))
		return err_set(
			err, EINVAL, "device 'pcap:%s': write pcap:RX, pcap:RX,TX or pcap:-,TX", arg
		);
	d->capture = true;
	if (has_rx)
		first_of(arg, d->reads);
	if (has_tx)
		first_of(tx, d->makes);
	return vdev(
		d,
		"net_pcap",
		number,
		err,
		"%s%s%s%s%s",
		has_rx ? "rx_pcap=" : "",
		d->reads,
		has_rx && has_tx ? "," : "",
		has_tx ? "tx_pcap=" : "",
		has_tx ? tx : ""
	);
}

// The port itself is a null device that brings nothing (packet.c).
static int af_packet(struct port_device *d, const char *arg, unsigned number, struct err *err)
{
	if (arg[0] == '\0' || strchr(arg, ',') != NULL || strlen(arg) >= IFNAMSIZ)
		return err_set(
			err, EINVAL, "device 'af_packet:%.64s': write af_packet:INTERFACE", arg
		);
	strcpy(d->interface, arg);
	d->packet = true;
	return vdev(d, "net_null", number, err, "no-rx=1");
}

static int unknown(const char *device, const char *kind, struct err *err)
{
	char buf[HINT_MAX];

	return err_set(
		err,
		EINVAL,
		"device '%.64s': neither a PCI address nor a kind of device%s",
		device,
		hint(buf, kind, kinds)
	);
}

// "NAME[,…]" of the other kinds.
static int named(
	struct port_device *d,
	const char *device,
	const char *kind,
	unsigned number,
	struct err *err
)
{
	static const struct {
		const char *kind, *driver, *key, *extra;
		size_t needs; // where its name goes, in struct port_device; 0: nothing has to be there
	} simple[] = {
		{"tap", "net_tap", "iface=", "", 0},
		{"af_xdp", "net_af_xdp", "iface=", "", offsetof(struct port_device, interface)},
		{"vhost", "net_vhost", "iface=", ",queues=1", offsetof(struct port_device, makes)},
		{"virtio",
		 "virtio_user",
		 "path=",
		 ",queues=1",
		 offsetof(struct port_device, reads)},
	};
	const char *arg = strchr(device, ':');

	arg = arg != NULL ? arg + 1 : "";

	for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
		if (!str_eq(kind, simple[i].kind))
			continue;
		if (arg[0] == '\0')
			return err_set(err, EINVAL, "device '%s': write %s:NAME", kind, kind);
		if (str_eq(kind, "virtio") && strstr(arg, ",server=") != NULL)
			return err_set(
				err,
				EINVAL,
				"device 'virtio:%.64s': it is the end that connects; let the other "
				"one listen, and leave server= out",
				arg
			);
		if (str_eq(kind, "tap") && strcspn(arg, ",") >= IFNAMSIZ)
			return err_set(
				err,
				EINVAL,
				"device 'tap:%.64s': a name of at most %d characters is possible",
				arg,
				IFNAMSIZ - 1
			);
		if (simple[i].needs != 0)
			first_of(arg, (char *)d + simple[i].needs);
		return vdev(
			d,
			simple[i].driver,
			number,
			err,
			"%s%s%s",
			simple[i].key,
			arg,
			simple[i].extra
		);
	}
	return unknown(device, kind, err);
}

// A configuration may come from elsewhere. Of DPDK's drivers some run programs for their arguments: failsafe's
// exec(), what softnic's firmware= has built. So these are all, and none may have another inside.
static const char *const drivers[] = {
	"net_null",
	"net_ring",
	"net_memif",
	"net_vhost",
	"eth_vhost",
	"net_virtio_user",
	"virtio_user",
	"net_af_packet",
	"eth_af_packet",
	"net_af_xdp",
	"net_tap",
	"net_tun",
	"net_pcap",
	"eth_pcap",
};

static bool is_driver(const char *arg)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		size_t n = strlen(drivers[i]);

		// with a number behind it, as EAL wants it
		if (strncmp(arg, drivers[i], n) == 0
		    && arg[n + strspn(arg + n, "0123456789")]
			       == (strchr(arg, ',') != NULL ? ',' : '\0'))
			return true;
	}
	return false;
}

int port_parse_device(const char *device, unsigned number, struct port_device *ret, struct err *err)
{
	struct port_device d = {0};
	char kind[16] = "";
	const char *arg = strchr(device, ':');
	size_t n = arg != NULL ? (size_t)(arg - device) : strlen(device);
	int r;

	if (is_pci(device)) {
		bool domain = strlen(device) > 8;

		snprintf(d.name, sizeof(d.name), "%s%.12s", domain ? "" : "0000:", device);
		snprintf(d.argument, sizeof(d.argument), "-a%.120s", d.name);
		d.pci = true;
		*ret = d;
		return 0;
	}
	arg = arg != NULL ? arg + 1 : "";
	// the kernel would take a program from it, as root
	if (strstr(arg, "xdp_prog") != NULL)
		return err_set(
			err,
			EPERM,
			"device '%.64s': a configuration names no program for the kernel; without "
			"xdp_prog= it gets libxdp's own",
			device
		);
	if (n < sizeof(kind))
		memcpy(kind, device, n);
	d.link = str_eq(kind, "memif") || str_eq(kind, "vhost") || str_eq(kind, "virtio");
	d.frames = str_eq(kind, "af_xdp");
	d.listens = str_eq(kind, "vhost") && strstr(arg, ",client=1") == NULL ? SOCK_STREAM : 0;
	d.virtio = str_eq(kind, "virtio");
	if (str_eq(kind, "memif"))
		r = memif(&d, arg, number, err);
	else if (str_eq(kind, "null"))
		r = arg[0] == '\0' || str_eq(arg, "copy")
			    ? vdev(&d, "net_null", number, err, "copy=%d", arg[0] != '\0')
			    : err_set(
				    err, EINVAL, "device '%.64s': write null or null:copy", device
			    );
	else if (str_eq(kind, "af_packet"))
		r = af_packet(&d, arg, number, err);
	else if (str_eq(kind, "pcap"))
		r = pcap(&d, arg, number, err);
	else if (str_eq(kind, "ring")) {
		// made by port_start: EAL's own net_ring cannot join two ports
		snprintf(d.ring, sizeof(d.ring), "%.20s", arg[0] != '\0' ? arg : "loop");
		snprintf(d.name, sizeof(d.name), "net_ring_drover%u", number);
		r = 0;
	} else if (str_eq(kind, "vdev")) {
		size_t len = strcspn(arg, ",");
		const char *iface;

		if (arg[0] == '\0')
			return err_set(err, EINVAL, "device '%s': write vdev:ARGS", device);
		d.memif = str_starts(arg, "net_memif");
		d.slot = memif_slot(arg);
		d.frames = str_starts(arg, "net_af_xdp");
		if (d.frames && (iface = strstr(arg, ",iface=")) != NULL)
			first_of(iface + strlen(",iface="), d.interface);
		if (!is_driver(arg))
			return err_set(
				err,
				EPERM,
				"device '%.64s': of DPDK's drivers net_null, net_ring, net_memif, "
				"net_vhost, net_virtio_user, net_af_packet, net_af_xdp, net_tap "
				"and "
				"net_pcap are taken: others run programs for their arguments",
				device
			);
		snprintf(d.name, sizeof(d.name), "%.*s", (int)(len < 100 ? len : 100), arg);
		snprintf(d.argument, sizeof(d.argument), "--vdev=%.480s", arg);
		r = 0;
	} else {
		r = named(&d, device, kind, number, err);
	}
	if (r == 0)
		*ret = d;
	return r;
}
