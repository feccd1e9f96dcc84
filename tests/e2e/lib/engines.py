# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Container engines, each with directories, sockets and a mount namespace of its own: nothing of this machine's
is touched, and what an engine that was killed has mounted goes with its namespace."""

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bundle import BUSYBOX
from workload import SLOW, Command, kill, unique, wait

APPLETS = ("sh", "cat", "echo", "sleep", "ls", "id", "grep", "kill", "true", "stat", "touch")


def root_of(directory, *programs, pinfold):
    """A root file system: busybox, and programs with what they need."""
    top = Path(directory)
    if programs:
        words = [pinfold, "image", "build", "-o", str(top), *programs]
        subprocess.run(words, check=True, capture_output=True, timeout=120 * SLOW)
    for name in ("bin", "proc", "dev", "sys", "run", "tmp", "etc"):
        (top / name).mkdir(parents=True, exist_ok=True)
    at = top / "bin"
    shutil.copy(BUSYBOX, at / "busybox")
    for applet in APPLETS:
        if not (at / applet).exists():
            os.symlink("busybox", at / applet)
    (top / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (top / "etc/group").write_text("root:x:0:\n")
    return top


def top_groups():
    """The cgroups at the top of every hierarchy, of which engines leave theirs."""
    return {p for depth in ("*/", "*/*/") for p in Path("/sys/fs/cgroup").glob(depth)}


def remove_group(group):
    """Those that are empty, and those below."""
    for where, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(where)


class Engine(Command):
    """What every engine can do. claim: how a container of it names its grant."""

    package, needs, claim = "", (), "annotation"

    @classmethod
    def lacks(cls):
        """Why it cannot be tried here; "" when it can."""
        missing = [p for p in cls.needs if shutil.which(p) is None]
        return f"package {cls.package} is not installed" if missing else ""

    def __init__(self, directory, root, runtime):
        self.top, self.root, self.runtime = Path(directory), root, runtime
        self.names, self.daemons = [], []
        self.groups = top_groups()
        self.space = subprocess.Popen(self.hold(), stdout=subprocess.DEVNULL)
        # by then what is mounted in it stays in it
        comm = Path(f"/proc/{self.space.pid}/comm")
        wait(lambda: comm.read_text() == "sleep\n", what="a namespace")
        self.before()

    def before(self):
        """What has to run first."""

    namespaces = ("-m",)

    def hold(self):
        """A command that makes its namespaces, and then sleeps in them."""
        return ["unshare", *self.namespaces, "sleep", "infinity"]

    def enter(self, *words):
        """A command in its namespaces."""
        return ["nsenter", "-t", str(self.space.pid), *self.namespaces, *map(str, words)]

    def daemon(self, *words, ready, environment=None):
        with open(self.top / f"{words[0]}.log", "ab") as log:
            p = subprocess.Popen(
                self.enter(*words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self.daemons.append(p)

        def up():
            if p.poll() is not None:
                pytest.fail((self.top / f"{words[0]}.log").read_text()[-2000:])
            return ready()

        wait(up, 30, words[0])
        return p

    def __call__(self, *args, seconds=40, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        words = self.enter(*self.words(), *args)
        return subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=seconds * SLOW,
            check=False,
            env=self.environment(),
            **kw,
        )

    def environment(self):
        return None

    def name(self):
        self.names.append(unique("c"))
        return self.names[-1]

    def begin(self, grant, *argv, name=None, options=()):
        """A container that goes on. Returns its name."""
        name = name or self.name()
        p = self.launch(grant, name, options, argv or ("sleep", "1000"))
        assert p.returncode == 0, p
        return name

    def refused(self, grant, *like, options=()):
        """It does not start, and the engine's user is told in pinfold's one line."""
        name = self.name()
        p = self.launch(grant, name, options, ("sleep", "1000"))
        assert p.returncode != 0, p
        line = next((l for l in p.stderr.splitlines() if "pinfold-runtime: " in l), p.stderr)
        for word in like:
            assert word in line, p.stderr
        self.remove(name)

    def sh(self, name, script):
        p = self.execute(name, "/bin/sh", "-c", script)
        assert p.returncode == 0, p
        return p.stdout

    def hugetlbfs(self, pages):
        """Options for a file system of so many hugepages of 2M, in /dev/hugepages."""
        place = self.top / "pages"
        place.mkdir(exist_ok=True)
        options = f"pagesize=2M,size={2 * pages}M"
        words = self.enter("mount", "-t", "hugetlbfs", "-o", options, "none", place)
        subprocess.run(words, check=True, timeout=20 * SLOW)
        return self.volume(place)

    def volume(self, place):
        return ["-v", f"{place}:/dev/hugepages"]

    def put_away(self):
        for name in self.names:
            self.remove(name)
        self.names.clear()

    def end(self):
        self.put_away()
        for p in reversed(self.daemons):
            p.terminate()
        for p in reversed(self.daemons):
            try:
                p.wait(10 * SLOW)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.space.kill()
        self.space.wait()
        self.end_strays()
        for group in top_groups() - self.groups:
            remove_group(group)

    def strays(self):
        """Shims and monitors, which outlive it: they name its directory."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue  # gone
            if str(self.top).encode() in line and pid != os.getpid():
                found.append(pid)
        return found

    def end_strays(self):
        for pid in self.strays():
            kill(pid)

    def crash(self):
        """Its daemon, its shims and its monitors are killed, all at once."""
        for p in self.daemons:  # first, or they would put away what their shims leave
            p.kill()
            p.wait()
        self.end_strays()
        self.daemons.clear()


class Podman(Engine):
    package, needs = "podman", ("podman", "conmon")

    def before(self):
        self.orphans = []
        conf = self.top / "containers.conf"
        # without CAP_SYS_RESOURCE no limit can be raised, and the usual ones would be
        conf.write_text(
            "[containers]\n"
            'default_ulimits = ["nofile=1024:1024", "nproc=32768:32768"]\n'
            'log_driver = "k8s-file"\n'
            "[engine]\n"
            'events_logger = "file"\n'
            'lock_type = "file"\n'
            'cgroup_manager = "cgroupfs"\n'
        )
        self.conf = conf

    def environment(self):
        return os.environ | {"CONTAINERS_CONF": str(self.conf), "TMPDIR": str(self.top)}

    def words(self):
        places = ("--root", "--runroot", "--tmpdir")
        args = [w for p in places for w in (p, self.top / p.strip("-"))]
        return ["podman", *args, "--storage-driver", "vfs", "--runtime", self.runtime]

    def launch(self, grant, name, options, argv):
        named = ["--annotation", f"dev.pinfold.grant={grant}"] if grant else []
        common = ["--name", name, "--network", "none", *named, *options]
        return self("run", "-d", *common, "--rootfs", self.root, *argv)

    def execute(self, name, *argv):
        return self("exec", name, *argv)

    def logs(self, name):
        p = self("logs", name)
        return p.stdout + p.stderr

    def stop(self, name):
        return self("stop", "-t", "1", name)

    def ended(self, name):
        return "exited" in self("inspect", "-f", "{{.State.Status}}", name).stdout

    def remove(self, name):
        return self("rm", "-f", "-t", "0", name)

    def crash(self):
        """A container without its monitor it forgets later without a word to the runtime, which then does not."""
        self.orphans = self("ps", "-q", "--no-trunc").stdout.split()
        super().crash()

    def end(self):
        super().end()
        for name in self.orphans:
            subprocess.run(
                [self.runtime, "delete", "--force", name], timeout=20 * SLOW, check=False
            )


class Containerd(Engine):
    package, needs = "containerd", ("containerd", "ctr")
    unused = (  # plug-ins
        "grpc.v1.cri",
        *(f"snapshotter.v1.{s}" for s in ("btrfs", "zfs", "devmapper", "aufs")),
    )

    def before(self):
        self.write_conf()
        self.up()

    def write_conf(self):
        self.socket = self.top / "containerd.sock"
        self.containerd_conf = self.top / "containerd.toml"
        self.containerd_conf.write_text(
            f'version = 2\nroot = "{self.top}/root"\nstate = "{self.top}/state"\n'
            f"disabled_plugins = {json.dumps([f'io.containerd.{name}' for name in self.unused])}\n"
            f'[grpc]\naddress = "{self.socket}"\n'
        )

    def up(self):
        self.daemon("containerd", "-c", self.containerd_conf, ready=self.is_up)

    def is_up(self):
        words = self.enter("ctr", "-a", self.socket, "version")
        p = subprocess.run(words, capture_output=True, timeout=40 * SLOW, check=False)
        return p.returncode == 0

    def words(self):
        return ["ctr", "-a", self.socket]

    def log(self, name):
        return self.top / f"{name}.out"

    def launch(self, grant, name, options, argv):
        named = ["--annotation", f"dev.pinfold.grant={grant}"] if grant else []
        common = ["--runc-binary", self.runtime, "--log-uri", f"file://{self.log(name)}"]
        common += ["--env", "PATH=/bin:/usr/bin"]
        return self("run", "-d", *common, *named, *options, "--rootfs", self.root, name, *argv)

    def execute(self, name, *argv):
        return self("task", "exec", "--exec-id", unique("e"), name, *argv)

    def logs(self, name):
        return self.log(name).read_text()

    def ended(self, name):
        rows = [line.split() for line in self("task", "ls").stdout.splitlines()]
        return all(row[-1] == "STOPPED" for row in rows if row and row[0] == name)

    def stop(self, name):
        p = self("task", "kill", "-s", "SIGKILL", "-a", name)
        wait(lambda: self.ended(name), what="its end")
        return p

    def volume(self, place):
        return ["--mount", f"type=bind,src={place},dst=/dev/hugepages,options=rbind:rw"]

    def remove(self, name):
        self("task", "rm", "-f", name)
        return self("container", "rm", name)


class Docker(Containerd):
    package, needs = "docker.io", ("dockerd", "docker", "containerd")
    claim = "env"

    def settings(self):
        return {
            "data-root": str(self.top / "data"),
            "exec-root": str(self.top / "exec"),
            "pidfile": str(self.top / "docker.pid"),
            "hosts": [f"unix://{self.top}/docker.sock"],
            "containerd": str(self.socket),
            "storage-driver": "vfs",
            "bridge": "none",
            "iptables": False,
            "ip-forward": False,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "runtimes": {"pinfold": {"path": self.runtime}},
        }

    def before(self):
        self.write_conf()
        self.conf = self.top / "daemon.json"
        self.conf.write_text(json.dumps(self.settings()))
        self.up()
        words = ["tar", "-C", str(self.root), "-c", "."]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as tar:
            p = self("import", "-", "local", stdin=tar.stdout)
        assert p.returncode == 0, p

    def up(self):
        super().up()
        self.daemon(
            "dockerd", "--config-file", self.conf, ready=lambda: self("info").returncode == 0
        )

    def hugetlbfs(self, pages):
        """Docker makes the file system itself."""
        name = unique("v")
        options = ["type=hugetlbfs", "device=none", f"o=pagesize=2M,size={2 * pages}M"]
        words = [w for o in options for w in ("-o", o)]
        assert self("volume", "create", "--driver", "local", *words, name).returncode == 0
        return ["-v", f"{name}:/dev/hugepages"]

    def volume(self, place):
        return Engine.volume(self, place)

    def environment(self):
        return os.environ | {"DOCKER_CONFIG": str(self.top / "client")}

    def words(self):
        return ["docker", "-H", f"unix://{self.top}/docker.sock"]

    def launch(self, grant, name, options, argv):
        named = ["-e", f"PINFOLD_GRANT={grant}"] if grant else []
        common = ["--runtime", "pinfold", "--network", "none", "--name", name]
        return self("run", "-d", *common, *named, *options, "local", *argv)

    def execute(self, name, *argv):
        return self("exec", name, *argv)

    def logs(self, name):
        p = self("logs", name)
        return p.stdout + p.stderr

    def ended(self, name):
        return "exited" in self("inspect", "-f", "{{.State.Status}}", name).stdout

    def stop(self, name):
        return self("stop", "-t", "1", name)

    def remove(self, name):
        return self("rm", "-f", name)


ENGINES = {"podman": Podman, "docker": Docker, "containerd": Containerd}
