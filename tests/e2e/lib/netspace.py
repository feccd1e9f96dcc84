# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A network namespace of a test's own, in which pinfold is called as on a host: no interface of this machine is touched."""

import json
import subprocess

from workload import Pinfold, Started

# a sysfs shows the network namespace that it is mounted in; what is mounted below the old one stays
BEGIN = """
set -e
mount --rbind /sys/fs/cgroup "$1"
mount -t sysfs sysfs /sys
mount --rbind "$1" /sys/fs/cgroup
umount -l "$1"
ip link set lo up
echo up
exec sleep 1000
"""
KEPT_FLAGS = {"UP", "PROMISC", "ALLMULTI", "MULTICAST", "NOARP"}


class Netspace:
    def __init__(self, pf):
        place = pf.directory / "cgroup"
        place.mkdir()
        command = ["unshare", "-n", "-m", "--propagation", "slave", "sh", "-c", BEGIN, "sh"]
        self.holder = Started([*command, place], pf.directory / "netspace")
        self.holder.until("^up")
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-m", "-n", "--"]
        script = pf.directory / "pinfold"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.enter)} {pf.path} "$@"\n')
        script.chmod(0o755)
        self.pf = Pinfold(script, pf.directory)

    def __call__(self, *words):
        command = [*self.enter, *" ".join(words).split(" ")]
        p = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert p.returncode == 0, f"{command}: {p.stdout}{p.stderr}"
        return p.stdout

    def names(self):
        return {link["ifname"] for link in json.loads(self("ip -j link"))}

    def state(self, name):
        """What must be again after a lease."""
        link = json.loads(self("ip -j -d addr show dev", name))[0]
        addresses = [
            (a["local"], a["prefixlen"], a.get("broadcast"), a["scope"])
            for a in link["addr_info"]
            if a["scope"] != "link"
        ]
        return {
            "mac": link["address"],
            "mtu": link["mtu"],
            "flags": sorted(KEPT_FLAGS & set(link["flags"])),
            "kind": link["linkinfo"]["info_kind"],
            "altnames": sorted(link.get("altnames", [])),
            "addresses": sorted(addresses),
        }

    def put_away(self):
        self.pf.put_away()
        self.holder.process.kill()
        self.holder.process.wait()
