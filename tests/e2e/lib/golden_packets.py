# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The golden packets: what each task, with its keys, is given, and what must come of it. As text for the unit test of the handlers
(tests/golden/drover-packets.txt), and for drover itself.

Which edges there are of which mode (R routing, U qinqdecapv4, D qinqencapv4, Q lbqinq, N lbnetwork, 5 lb5tuple, - unmpls,
+ tagmpls, M mirror, P police); what a mode does not look at it must pass on as it is:

  smallest, largest, each length in between that cuts a header   R U D Q N 5 - + M P
  padding, in and behind a tunnel                                R U D       -     P
  IPv4 options (the longest), of tunnels too                     R U D Q N 5       P
  fragments, of tunnels too                                      R U D Q N 5       P
  time to live 0, 1, 2, 255                                      R U D Q   5       P
  bad checksums, versions, header lengths                        R U D Q N 5       P
  wrong EtherTypes, at each place where one is                   R U D Q N 5 - + M P
  GRE without key, with every other flag and type                    D   N         P
  stacks of 0 to 8 labels, and of more                               D   N   - +   P
  tags and keys that are nobody's, tags of both types              U D Q           P
  destinations that are not known, or no machine's               R U D
  MTU exceeded, by a byte, by options, by a label                R U D         +
  frames for others, for groups; priority tags                   R U D
  senders that cannot be; source routes, options                 R U D
  ECN of a tunnel; labels with a meaning of their own                D         -
  ping of our own addresses                                      R U D
  ARP of every kind, with a gateway and without                    U   Q
  ICMP errors: all that are sent, and all that never are         R U D

gen's packets are judged in drover/test_gen, none's and l2fwd's in drover/test_forward, dump's file in drover/test_modes."""

import functools
import re

import bng_packets as bng
import edge_packets as edge
import edge_router as router
import edge_share as share

GATE = f"icmp ipv4={edge.GATE}"
UP, DOWN = f"qinqdecapv4,local ipv4={bng.LOCAL}", "qinqencapv4"
ANSWERS = 32  # of ICMP that a task may send at once


def old(cases):
    """Those of bng_packets: what comes out, or why nothing does."""

    def wrapped(own):
        for name, sent, out in cases(own):
            if sent:
                yield (name, sent, None, out) if isinstance(out, str) else (name, sent, out, None)

    return wrapped


# a mode and its keys, in the words of a configuration, and the packets
TASKS = [
    ("routing", old(bng.routed)),
    ("routing", edge.routing),
    ("routing", router.routing),
    ("routing", router.fields),
    ("routing,source route=yes", functools.partial(router.routing, source_route=True)),
    (f"routing,{GATE}", functools.partial(router.routing, gate=True)),
    (f"routing,icmp ipv4={edge.GATE},icmp rate=1001", router.routing_pings),
    ("routing,mpls=yes", functools.partial(edge.routing, mpls=True)),
    (f"routing,{GATE}", edge.routing_errors),
    (f"routing,mpls=yes,{GATE}", functools.partial(edge.routing_errors, mpls=True)),
    (f"{UP},handle arp=yes", old(bng.upstream)),
    (f"{UP},handle arp=yes", old(bng.asked)),
    (UP, edge.upstream),
    (UP, router.upstream),
    (f"{UP},source route=yes", functools.partial(router.upstream, source_route=True)),
    (f"{UP},qinq tag=0x8100", router.upstream_8100),
    (f"{UP},handle arp=yes,gateway ipv4={edge.GATE}", router.upstream_pings),
    (f"{UP},qinq tag=0x8100", functools.partial(edge.upstream, stype=0x8100)),
    (f"{UP},{GATE}", edge.upstream_errors),
    (f"{UP},handle arp=yes", edge.asked),
    (f"{UP},handle arp=yes,gateway ipv4=10.0.0.5", functools.partial(edge.asked, gateway=True)),
    (DOWN, old(bng.downstream)),
    (DOWN, edge.downstream),
    (DOWN, router.downstream),
    (f"{DOWN},source route=yes", functools.partial(router.downstream, source_route=True)),
    (f"{DOWN},{GATE},icmp rate=1001", router.downstream_pings),
    (f"{DOWN},{GATE},icmp rate=1001", functools.partial(router.downstream, gate=True)),
    (f"{DOWN},local ipv4={bng.LOCAL},icmp rate=1001", router.downstream_pings_outside),
    (f"{DOWN},qinq tag=0x8100", functools.partial(edge.downstream, stype=0x8100)),
    (f"{DOWN},{GATE}", edge.downstream_errors),
    (f"{DOWN},local ipv4={bng.LOCAL}", edge.elsewhere),
    ("lbqinq", share.lbqinq),
    ("lbqinq,qinq tag=0x8100", functools.partial(share.lbqinq, stype=0x8100)),
    ("lbnetwork", share.lbnetwork),
    ("lbnetwork,untag mpls=yes", functools.partial(share.lbnetwork, untag=True)),
    ("lb5tuple", share.lb5tuple),
    ("unmpls", share.unmpls),
    ("tagmpls", share.tagmpls),
    ("tagmpls,label=1048575", functools.partial(share.tagmpls, label=1048575)),
    ("mirror", share.mirror),
    ("mirror,sub mode=copy", share.mirror),
    ("police,cir=1,cbs=4000000000,dscp green=10", share.police_marks),
    ("police,cir=1,cbs=1", share.police_red),
    ("police,cir=1,cbs=4000000000,user table=t", share.police_users),
]


NAMES = list(dict.fromkeys(task for task, _ in TASKS))


@functools.cache
def packets(task, own=bng.GATEWAY):
    """[(name, in, out or None, why or None)]; own: the MAC of its port, which all is sent to."""
    found = [case for name, cases in TASKS if name == task for case in cases(own)]
    assert sum(out is not None and why is not None for _, _, out, why in found) <= ANSWERS
    return found


def tables():
    user = bng.USER[2]
    return bng.tables() + f"cpe,{user},{bng.ADDRESS},{bng.CPE},0\n"


def text(data):
    """Hexadecimal; many zeros are "zN."."""
    parts = re.split(rb"(\0{12,})", data or b"")
    return "".join(f"z{len(p)}." if i % 2 else p.hex() for i, p in enumerate(parts))


def golden():
    lines = [f"# {line}\n" for line in tables().splitlines() if not line.startswith("#")]
    for task in NAMES:
        for name, sent, out, why in packets(task):
            lines.append(f"{task}|{name}|{text(sent)}|{text(out)}|{why or ''}\n")
    return "".join(lines)


if __name__ == "__main__":
    print(golden(), end="")
