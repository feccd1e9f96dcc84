# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The unit pinfold@.service: that systemd understands it, and that its commands do, in the order in which systemd
runs them, what a service needs. (systemd itself is not process 1 where these tests run.)"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from places import TOP, is_roots
from workload import CPU, LEASES, kill, needs_root, wait

UNIT = TOP / "build/data/pinfold@.service"


@pytest.fixture
def unit(pinfold):
    """With the program that was built."""
    return re.sub(r"/\S+/bin/pinfold", str(pinfold), UNIT.read_text())


def commands(unit, kind, grant, words=""):
    """As systemd takes them: the exit status of those with a minus does not count."""
    found = []
    for line in re.findall(rf"^{kind}=-?(.*)", unit, re.M):
        words_of = shlex.split(line.replace("%i", grant).replace("$PINFOLD_RUN", words))
        found.append(words_of[1:])
    assert found, kind
    return found


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["pinfold@fw", "pinfold-keepers", "pinfold-nics"])
def test_systemd_understands_it(pinfold, tmp_path, name):
    source = TOP / f"build/data/{name.split('@')[0]}{'@' if '@' in name else ''}.service"
    text = re.sub(r"/\S+/bin/pinfold", str(pinfold), source.read_text())
    path = tmp_path / f"{name}.service"
    path.write_text(text)
    p = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    about = [line for line in p.stderr.splitlines() if "pinfold" in line]
    assert p.returncode == 0 and about == [], p.stderr
    # the test would not see an error otherwise
    path.write_text(text.replace("[Service]", "[Service]\nKillMode=nonsense\nNo=thing"))
    p = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "nonsense" in p.stderr and "No" in p.stderr


def test_nics_are_bound_before_the_network_is_set_up():
    """One with an address is refused."""
    text = (TOP / "build/data/pinfold-nics.service").read_text()
    unit = text[text.index("[Unit]") : text.index("[Service]")]
    assert re.search(r"^Before=.*\bnetwork-pre\.target\b", unit, re.M)
    assert re.search(r"^Wants=network-pre\.target$", unit, re.M)


# As they are where they come from, as far as order goes: tuned; cloud-init and ifupdown of Debian and Ubuntu; NetworkManager.
EARLY = "DefaultDependencies=no\nConflicts=shutdown.target\n"
OTHERS = {
    "tuned": "After=systemd-sysctl.service network.target dbus.service polkit.service\n",
    "NetworkManager": "Wants=network.target\nAfter=network-pre.target dbus.service\n"
    "Before=network.target\n",
    "networking": f"{EARLY}Wants=network.target\nBefore=network.target network-online.target\n"
    "After=local-fs.target network-pre.target systemd-sysctl.service systemd-modules-load.service\n",
    "cloud-init-local": f"{EARLY}Wants=network-pre.target\nAfter=systemd-remount-fs.service\n"
    "Before=NetworkManager.service network-pre.target sysinit.target shutdown.target\n",
    "cloud-init": f"{EARLY}Wants=cloud-init-local.service\n"
    "After=cloud-init-local.service systemd-networkd-wait-online.service networking.service\n"
    "Before=network-online.target systemd-user-sessions.service sysinit.target shutdown.target\n",
}
OURS = ["pinfold-nics.service", "pinfold-keepers.service", "pinfold-prepare.service"]
WITHOUT_A_TRACE = """
for d in /run /etc/systemd/system /etc/default; do mount -t tmpfs none $d || exit 1; done
"$0" host prepare --persist >&2 && cat /etc/systemd/system/pinfold-prepare.service
"""


def cycles(directory):
    """What systemd says of all of these together."""
    p = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", directory / "boot.target"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    print(p.stderr)
    return [line for line in p.stderr.splitlines() if "ordering cycle" in line]


@needs_root
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_all_of_them_have_an_order(pinfold, tmp_path):
    """On a machine that has tuned, and cloud-init sets up its network: systemd would leave one of them out."""
    if not is_roots(pinfold):
        pytest.skip("others than root may change the program: install it, and set PINFOLD")
    made = subprocess.run(
        ["unshare", "-m", "sh", "-c", WITHOUT_A_TRACE, pinfold],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    (tmp_path / OURS[2]).write_text(made.stdout)
    after = " ".join(re.findall("^After=(.*)$", made.stdout, re.M)).split()
    assert {"tuned.service", "network.target", "network-online.target"} <= set(after)
    for name in ["pinfold-nics", "pinfold-keepers", "pinfold@"]:
        shutil.copy(TOP / f"build/data/{name}.service", tmp_path)
    for name, order in OTHERS.items():
        path = tmp_path / f"{name}.service"
        path.write_text(f"[Unit]\n{order}[Service]\nType=oneshot\nExecStart=/bin/true\n")
    wanted = [*OURS, "pinfold@fw.service", *(f"{name}.service" for name in OTHERS)]
    wanted += ["network-online.target", "systemd-networkd.service"]
    (tmp_path / "boot.target").write_text(f"[Unit]\nWants={' '.join(wanted)}\n")
    assert cycles(tmp_path) == []
    # the test would not see one otherwise: cloud-init's, and tuned's
    early, before = "DefaultDependencies=no\n", "Before=pinfold-nics.service "
    for name, changes in [
        (OURS[0], {early: ""}),
        (OURS[2], {"pinfold-nics.service ": "", "Before=": before}),
    ]:
        text = changed = (tmp_path / name).read_text()
        for word, other in changes.items():
            assert word in text
            changed = changed.replace(word, other)
        (tmp_path / name).write_text(changed)
        assert cycles(tmp_path) != []
        (tmp_path / name).write_text(text)


@needs_root
class TestLife:
    @pytest.fixture
    def grant(self, pf):
        return pf.grant("--cpus", CPU)

    def start(self, pf, unit, grant, program="/bin/sh -c 'echo up; exec sleep 1000'"):
        for words in commands(unit, "ExecStartPre", grant):
            pf(*words)
        (words,) = commands(unit, "ExecStart", grant, f"-- {program}")
        return pf.start(*words)

    def stop_post(self, pf, unit, grant):
        for words in commands(unit, "ExecStopPost", grant):
            assert pf(*words).returncode == 0

    def test_supervisor_killed(self, pf, unit, grant):
        """The workload does not outlive it, and the next start has its grant."""
        s = self.start(pf, unit, grant)
        s.until("^up")
        pf.names.append(grant)
        s.signal(signal.SIGKILL)
        s.end()
        assert pf.ps()[grant]["state"] == "running"
        self.stop_post(pf, unit, grant)
        assert grant not in pf.ps() and not (LEASES / f"{grant}.json").exists()
        self.start(pf, unit, grant).until("^up")
        pf.ok("stop", grant)

    def test_all_killed_at_once(self, pf, unit, grant):
        """Without ExecStopPost, as when systemd itself is gone: what comes before the start is enough."""
        s = self.start(pf, unit, grant)
        s.until("^up")
        pf.names.append(grant)
        s.signal(signal.SIGKILL)
        s.end()
        self.start(pf, unit, grant).until("^up")
        pf.ok("stop", grant)

    def test_not_twice(self, pf, unit, grant):
        """Somebody else has started it: he keeps it."""
        other = self.start(pf, unit, grant)
        other.until("^up")
        pf.names.append(grant)
        lease = pf.lease(grant)
        s = self.start(pf, unit, grant)
        assert s.end() == 125 and "is in use" in s.text()
        self.stop_post(pf, unit, grant)
        assert pf.lease(grant) == lease and other.process.poll() is None
        pf.ok("stop", grant)

    def test_stop(self, pf, unit, grant):
        """SIGTERM to the main process, whose end is a success."""
        s = self.start(pf, unit, grant)
        s.until("^up")
        s.signal(signal.SIGTERM)
        assert str(s.end()) in re.search("^SuccessExitStatus=(.*)", unit, re.M)[1].split()
        self.stop_post(pf, unit, grant)
        assert grant not in pf.ps()

    def test_program_that_ends_comes_back(self, pf, unit, grant):
        s = self.start(pf, unit, grant, "/bin/sh -c 'echo up; exit 3'")
        s.until("is started again in 1 s")
        wait(lambda: s.text().count("up\n") >= 2, what="the second start")
        time.sleep(0.1)
        kill(s.pid, signal.SIGTERM)
        s.end()
        assert grant not in pf.ps()


@needs_root
def test_orphaned_leaves_others(pf):
    pf.ok("stop", "--orphaned", "no-such-workload")
    name = pf.detach()
    pf.ok("stop", "--orphaned", name)
    assert pf.ps()[name]["state"] == "running"
    supervisor = pf.lease(name)["supervisor"]
    kill(supervisor)
    wait(lambda: not os.path.exists(f"/proc/{supervisor}"), what="its end")
    pf.ok("stop", "--orphaned", name)
    assert name not in pf.ps()
