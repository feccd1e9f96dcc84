# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A swarm of Docker: engines with a network namespace each, which is all that they see of each other, and a cable
between them."""

import subprocess

from engines import Docker
from netspace import BEGIN
from workload import SLOW, wait

RESOURCE = "PINFOLD"  # tasks find it as DOCKER_RESOURCE_PINFOLD


class Node(Docker):
    """One engine of it: its containers have pinfold-runtime, and it offers grants by their names."""

    namespaces = ("-m", "-n", "-u")

    def __init__(self, directory, root, runtime, *, number, grants):
        self.number, self.grants = number, grants
        self.address = f"10.99.0.{number}"
        super().__init__(directory, root, runtime)

    def hold(self):
        place = self.top / "cgroup"
        place.mkdir()
        script = f"hostname node-{self.number}\n{BEGIN}"
        return [
            *("unshare", *self.namespaces, "--propagation", "slave"),
            *("sh", "-c", script, "sh", str(place)),
        ]

    def settings(self):
        return super().settings() | {
            "default-runtime": "pinfold",  # a service cannot name one
            "node-generic-resources": [f"{RESOURCE}={name}" for name in self.grants],
        }

    def run(self, *words):
        subprocess.run(self.enter(*words), check=True, timeout=20 * SLOW)

    def containers(self):
        return self.ok("ps", "-q", "--no-trunc").split()


class Swarm:
    """Two nodes, of which the first manages."""

    def __init__(self, nodes):
        self.nodes = nodes
        one, two = nodes
        cable = ["ip", "link", "add", "eth0", "type", "veth", "peer", "eth0"]
        one.run(*cable, "netns", two.space.pid)
        for node in nodes:
            node.run("ip", "addr", "add", f"{node.address}/24", "dev", "eth0")
            node.run("ip", "link", "set", "eth0", "up")
        one.ok("swarm", "init", *self.addresses(one))
        token = one.ok("swarm", "join-token", "-q", "worker").strip()
        two.ok("swarm", "join", "--token", token, *self.addresses(two), one.address)
        self.services = []

    @staticmethod
    def addresses(node):
        return ("--advertise-addr", node.address, "--listen-addr", node.address)

    def create(self, name, replicas, *argv, options=()):
        """A service whose tasks have a grant each."""
        self.services.append(name)
        words = ["--detach", "--no-resolve-image", "--name", name, "--replicas", replicas]
        self.nodes[0].ok("service", "create", *words, *options, "local", *argv)

    def scale(self, name, replicas):
        self.nodes[0].ok("service", "scale", "--detach", f"{name}={replicas}")

    def availability(self, node, what):
        self.nodes[0].ok("node", "update", "--availability", what, f"node-{node.number}")

    def tasks(self, name):
        """Of those that are wanted: where each is, how it is, and what is wrong with it."""
        form = "{{.DesiredState}}|{{.Node}}|{{.CurrentState}}|{{.Error}}"
        rows = self.nodes[0].ok("service", "ps", "--no-trunc", "--format", form, name)
        found = [line.split("|", 3) for line in rows.splitlines()]
        return [
            (node, state.split()[0], error)
            for want, node, state, error in found
            if want != "Shutdown"
        ]

    def errors(self, name):
        """Of all that there were."""
        return self.nodes[0].ok("service", "ps", "--no-trunc", "--format", "{{.Error}}", name)

    def running(self, name):
        """How many tasks run on each node."""
        where = [node for node, state, _ in self.tasks(name) if state == "Running"]
        return [where.count(f"node-{node.number}") for node in self.nodes]

    def until(self, name, *numbers, seconds=40):
        """Waits for so many on the nodes."""
        wait(lambda: self.running(name) == list(numbers), seconds, f"{numbers} tasks on the nodes")

    def put_away(self):
        for name in self.services:
            self.nodes[0]("service", "rm", name)
        self.services.clear()
        for node in self.nodes:
            wait(lambda n=node: not n.containers(), 30, "the end of its tasks")
            self.availability(node, "active")
