# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold nic on copies of other machines: what it lists, what it would do, what it refuses."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import fake_host
import jsonschema
import pytest
from places import TOP
from workload import needs_root

PINFOLD = str(TOP / os.environ.get("PINFOLD", "build/src/cli/pinfold"))
pytestmark = [pytest.mark.usefixtures("pinfold"), pytest.mark.anywhere]


def pinfold(*args, tree=None):
    command = [PINFOLD] + (["--host-tree", str(tree)] if tree else []) + [*args]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def nic(*args, tree=None):
    return pinfold("nic", *args, tree=tree)


def listed(tree=None):
    p = nic("list", "--json", tree=tree)
    assert p.returncode == 0, p.stderr
    schema = json.loads((TOP / "data/schemas/nics.json").read_text(encoding="utf-8"))
    rows = json.loads(p.stdout)
    jsonschema.Draft202012Validator(schema).validate(rows)
    return {row["nic"]: row for row in rows}


@pytest.fixture(params=list(fake_host.kinds))
def fake(request, memory_path):
    machine = fake_host.kinds[request.param]()
    return machine, fake_host.write(machine, str(memory_path / request.param))


@pytest.fixture
def mlx5(memory_path):
    return fake_host.write(fake_host.mlx5(), str(memory_path / "mlx5"))


def test_list_of_every_machine(fake):
    machine, tree = fake
    seen = listed(tree)
    wanted = [p for p in machine.pci if p.cls >> 16 == 2]
    assert list(seen) == [p.bdf for p in wanted]
    for p in wanted:
        row = seen[p.bdf]
        group = p.group if p.group >= 0 else None
        assert (row["driver"], row["iommu_group"]) == (p.driver or None, group)
        assert row["node"] == (p.node if p.node in machine.nodes else None)
        assert (row["netdev"], row["rdma"]) == (p.netdev or None, p.rdma or None)
        assert row["uverbs"] == (p.rdma.replace("mlx5_", "uverbs") or None)
        assert row["link"] == ((p.link or "down") if p.netdev and not p.virtio else row["link"])
        assert (row["speed"], row["part_of"]) == (p.speed or None, (p.uppers or [None])[0])
        assert row["driver_override"] == (p.override or None)
        assert row["vfs"] == [v.bdf for v in machine.pci if v.physfn == p.bdf]
        assert row["physfn"] == (p.physfn or None)
        mates = [o.bdf for o in machine.pci if o is not p and o.group == p.group >= 0]
        assert row["group_members"] == mates
        routed = {*machine.routes, *machine.routes6} & {p.netdev, *p.uppers}
        assert row["default_route"] == bool(routed and p.netdev)
        assert row["address"] == bool(row["default_route"] or p.address6)
    text = nic("list", tree=tree).stdout
    assert [line.split()[0] for line in text.splitlines()[1:]] == list(seen)


def test_names_are_those_of_lspci(mlx5):
    if shutil.which("lspci") is None:
        pytest.skip("lspci is not installed")
    for row in listed(mlx5).values():
        for key, ids in (("vendor", "{v}:"), ("device", "{v}:{d}")):
            ids = ids.format(v=row["vendor"]["id"], d=row["device"]["id"])
            known = Path("/usr/share/misc/pci.ids").read_text(encoding="utf-8", errors="replace")
            name = row[key]["name"]
            assert name and re.search(rf"^\t?{ids.rpartition(':')[2] or ids[:4]}  ", known, re.M)
            assert f"  {name}\n" in known


def define(tree, name, bdf):
    """Defines a grant that has the NIC; its file."""
    flags = ["--name", name, "--cpu-count", "1", "--nic", bdf, "--format", "json"]
    p = subprocess.run(
        [PINFOLD, "--host-tree", tree, "plan", *flags, "--", "/bin/true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    grants = Path(tree, "etc/pinfold/grants.d")
    grants.mkdir(parents=True)
    (grants / f"{name}.json").write_text(json.dumps(json.loads(p.stdout)["grant"]))
    return grants / f"{name}.json"


def test_list_says_who_would_miss_it(memory_path):
    machine = fake_host.big()
    machine.pci[-1].address6 = True
    tree = fake_host.write(machine, str(memory_path / "t"))
    lines = {line.split()[0]: line for line in nic("list", tree=tree).stdout.splitlines()}
    routed = [p.bdf for p in machine.pci if p.uppers]
    assert len(routed) == 2 and all("default route" in lines[bdf] for bdf in routed)
    assert "  address  " in lines[machine.pci[-1].bdf]
    assert "200 and 1 more" in lines["0000:f0:00.0"] and "8 VFs" in lines["0000:10:00.0"]
    definition = define(tree, "fw", "0000:10:01.3")
    p = nic("list", tree=tree)
    assert "grant fw" in p.stdout, p.stderr
    assert listed(tree)["0000:10:01.3"]["grant"] == "fw"
    definition.write_text("{")
    p = nic("list", tree=tree)
    assert p.returncode == 0 and "not every grant that has a NIC is known" in p.stderr


def test_list_says_which_container_has_an_interface(mlx5):
    """Its own, and one that a macvlan of a container is on."""
    for lease, device, lower in (
        ("fw", "devices/pci0000:00/0000:5e:00.0/net/ens2", ""),
        ("gw", "devices/virtual/net/m0", "devices/pci0000:00/0000:60:00.0/net/ens3"),
    ):
        record = {"netdev": device.rpartition("/")[2], "inode": 1, "device": device, "lower": 2}
        record |= {"lower-device": lower, "flags": 1, "mtu": 1500, "mac": "", "altnames": []}
        path = Path(mlx5, "run/pinfold/netdevs", lease, "netdevs.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"netdevs": [{**record, "addresses": []}]}))
    seen = listed(mlx5)
    assert seen["0000:5e:00.0"]["lent"] == {"netdev": "ens2", "grant": "fw"}
    assert seen["0000:60:00.0"]["lent"] == {"netdev": "m0", "grant": "gw"}
    assert seen["0000:01:00.0"]["lent"] is None
    text = nic("list", tree=mlx5).stdout
    assert "  netdev ens2 of fw  " in text and "  netdev m0 of gw  " in text


def test_list_of_this_machine():
    """The same functions that lspci knows."""
    if shutil.which("lspci") is None:
        pytest.skip("lspci is not installed")
    out = subprocess.run(
        ["lspci", "-Dn"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    wanted = [line.split()[0] for line in out.splitlines() if line.split()[1].startswith("02")]
    assert sorted(listed()) == sorted(wanted)


@pytest.mark.parametrize(
    "args, like",
    [
        (["list", "--jsn"], "--json"),
        (["list", "more"], "'more'"),
    ],
)
def test_bad_command_lines(args, like):
    p = nic(*args)
    assert p.returncode == 125 and re.search(like, p.stderr), p.stderr
    assert p.stderr.count("\n") == 1


# --- bind and unbind, on copies -------------------------------------------------------------------


def test_steps_of_bind_and_unbind(mlx5):
    p = nic("bind", "--dry-run", "ens2", tree=mlx5)
    assert p.returncode == 0, p.stderr
    device = "/sys/bus/pci/devices/0000:5e:00.0"
    assert [line.split(None, 1)[1] for line in p.stdout.splitlines()] == [
        "module     vfio-pci",
        "module     vfio_iommu_type1",
        f"set        {device}/driver_override = vfio-pci",
        f"set        {device}/driver/unbind = 0000:5e:00.0",
        "set        /sys/bus/pci/drivers/vfio-pci/bind = 0000:5e:00.0",
    ]
    p = nic("unbind", "--dry-run", "5f:00.0", tree=mlx5)
    assert "drivers_probe = 0000:5f:00.0" in p.stdout, p.stderr


@pytest.mark.parametrize(
    "machine, args, like",
    [
        ("mlx5", ["bind"], "which NIC"),
        ("mlx5", ["bind", "5e:00.0"], "without --host-tree"),
        ("mlx5", ["bind", "--dry-run", "7f:00.0"], "NIC '7f:00.0' does not exist"),
        ("mlx5", ["bind", "--dry-run", "ens2", "5e:00.0"], "named twice"),
        ("mlx5", ["bind", "--dry-run", "eno1"], "carries the default route .*--force"),
        ("mlx5", ["bind", "--dry-run", "3b:00.0"], "beside its kernel driver .mlx5_core."),
        ("mlx5", ["bind", "--dry-run", "--force", "3b:00.1"], "beside its kernel driver"),
        ("mlx5", ["bind", "--dry-run", "ens3"], "no IOMMU group.*--unsafe-noiommu"),
        ("mlx5", ["bind", "--dry-run", "--unsafe-noiommu", "ens3"], "CONFIG_VFIO_NOIOMMU"),
        ("mlx5", ["bind", "--dry-run", "--driver", "ice", "ens2"], "none of vfio-pci"),
        ("mlx5", ["unbind", "--dry-run", "ens2"], "not bound to a driver for programs, but to ice"),
        ("big", ["bind", "--dry-run", "f0:00.0"], "group 200 with 0000:f0:00.1 .*in one command"),
        ("big", ["bind", "--dry-run", "ens2"], "carries the default route"),
        ("big", ["bind", "--dry-run", "10:00.0"], "has 8 VFs, .*: pinfold nic vfs 0000:10:00.0 0"),
        ("big", ["bind", "--dry-run", "--force", "ens0"], "has 8 VFs"),
        ("big", ["bind", "--dry-run", "--driver", "igb_uio", "ens0"], "has 8 VFs"),
        ("two", ["bind", "--dry-run", "00:04.0"], "0000:00:04.0 is no NIC"),
    ],
)
def test_bind_refuses(memory_path, machine, args, like):
    tree = fake_host.write(fake_host.kinds[machine](), str(memory_path / "t"))
    p = nic(*args, tree=tree)
    assert p.returncode == 125 and re.search(like, p.stderr), p.stderr
    assert p.stderr.count("\n") == 1 and p.stdout == ""


def test_force_and_groups(memory_path):
    tree = fake_host.write(fake_host.big(), str(memory_path / "t"))
    for args in (["f0:00.0", "f0:00.1"], ["--force", "ens2"], ["--driver", "igb_uio", "f0:00.1"]):
        p = nic("bind", "--dry-run", *args, tree=tree)
        assert p.returncode == 0 and "driver_override" in p.stdout, p.stderr


def test_noiommu_is_loud(memory_path):
    """Where the kernel has it."""
    tree = fake_host.write(fake_host.mlx5(), str(memory_path / "t"))
    parameter = Path(tree, "sys/module/vfio/parameters/enable_unsafe_noiommu_mode")
    parameter.parent.mkdir(parents=True)
    parameter.write_text("N\n")
    p = nic("bind", "--dry-run", "--unsafe-noiommu", "ens3", tree=tree)
    assert p.returncode == 0 and "WARNING: no IOMMU confines NIC 0000:60:00.0" in p.stderr
    assert "enable_unsafe_noiommu_mode = Y" in p.stdout


# --- nic restore, with a copy in place of /sys ----------------------------------------------------


@pytest.fixture
def boot(memory_path):
    """A machine with two NICs of one group, which nobody has bound yet, and nic restore there."""
    machine = fake_host.mlx5()
    ixgbe = {"driver": "ixgbe", "bridge": "", "group": 40}
    machine.pci += [
        fake_host.Pci("0000:61:00.0", netdev="pf0", uppers=["pfbond"], **ixgbe),
        fake_host.Pci("0000:61:00.1", netdev="pf1", uppers=["pfbond"], **ixgbe),
    ]
    tree = Path(fake_host.write(machine, str(memory_path / "t")))
    for module in ("vfio_pci", "vfio_iommu_type1"):
        (tree / "sys/module" / module).mkdir(parents=True)
    for driver in ("vfio-pci", "ixgbe"):
        (tree / "sys/bus/pci/drivers" / driver).mkdir(parents=True, exist_ok=True)
        for file in ("bind", "unbind"):
            (tree / "sys/bus/pci/drivers" / driver / file).touch()
    for directory in ("run", "etc/driverctl.d", "etc/pinfold/nics.d"):
        (tree / directory).mkdir(parents=True, exist_ok=True)

    def run(*args):
        mounts = " && ".join(f"mount --bind {tree}/{d} /{d}" for d in ("sys", "etc", "run"))
        return subprocess.run(
            ["unshare", "-m", "-n", "sh", "-c", f'{mounts} && exec "$@"', "sh", PINFOLD, *args],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return tree, run


def note(tree, bdf, said=""):
    """As nic bind --persist does."""
    path = tree / f"etc/driverctl.d/pci-{bdf}"
    path.write_text("vfio-pci\n", encoding="utf-8")
    ns = path.stat().st_mtime_ns
    if said:
        line = f"{said} of={ns // 10**9}.{ns % 10**9:09}\n"
        (tree / "etc/pinfold/nics.d" / bdf).write_text(line, encoding="utf-8")


@needs_root
def test_force_is_of_the_nic_that_it_was_said_of(boot):
    tree, run = boot
    note(tree, "0000:61:00.0", "force")
    note(tree, "0000:61:00.1")
    p = run("nic", "restore")
    assert p.returncode != 0 and "NIC 0000:61:00.1 (pf1) is a port of pfbond" in p.stderr, p.stderr
    bound = tree / "sys/bus/pci/drivers/vfio-pci/bind"
    assert bound.read_text(encoding="utf-8") == ""
    note(tree, "0000:61:00.1", "force")
    p = run("nic", "restore")
    assert p.returncode == 0 and "0000:61:00." in bound.read_text(encoding="utf-8"), p.stderr


@needs_root
def test_force_is_of_the_note_that_it_was_said_with(boot):
    """driverctl knows nothing of it, and another note of its may be of something else."""
    tree, run = boot
    for bdf in ("0000:61:00.0", "0000:61:00.1"):
        note(tree, bdf, "force")
    path = tree / "etc/driverctl.d/pci-0000:61:00.0"
    path.unlink()
    time.sleep(0.02)  # a tick of the kernel's clock
    path.write_text("vfio-pci\n", encoding="utf-8")
    p = run("nic", "restore")
    assert p.returncode != 0 and "NIC 0000:61:00.0 (pf0) is a port of pfbond" in p.stderr, p.stderr


@needs_root
def test_notes_of_what_is_not_there(boot):
    """Taken out, or at another address by now: the boot says what to do, and that does it."""
    tree, run = boot
    gone, never = "0000:77:00.0", "0000:61:00.0"
    note(tree, gone, "force")
    p = run("nic", "restore")
    cure = f"pinfold nic unbind --persist {gone}"
    assert p.returncode == 125 and f"/etc/driverctl.d/pci-{gone}' has it" in p.stderr
    assert p.stderr.endswith(f"{cure}\n"), p.stderr
    p = run("nic", "unbind", gone)
    assert p.returncode == 125 and "does not exist" in p.stderr
    p = run("nic", "unbind", "--persist", "--dry-run", gone)
    assert p.returncode == 0 and (tree / f"etc/driverctl.d/pci-{gone}").exists()
    # one that is there, and that was never bound, beside it
    note(tree, never)
    p = run("nic", "unbind", "--persist", gone, never)
    assert p.returncode == 0 and f"NIC {gone} is not there; " in p.stderr, p.stderr
    assert f"NIC {never} is not bound; " in p.stderr
    assert not any((tree / "etc/driverctl.d").iterdir())
    assert not any((tree / "etc/pinfold/nics.d").iterdir())
    assert run("nic", "restore").returncode == 0
    # what is another's stays
    other = tree / f"etc/driverctl.d/pci-{gone}"
    other.write_text("nvme\n", encoding="utf-8")
    p = run("nic", "unbind", "--persist", gone)
    assert p.returncode == 125 and other.exists()


@needs_root
def test_vfs_kept_of_what_is_not_there(boot):
    tree, run = boot
    for pf, words in (("0000:77:00.0", "is not there"), ("0000:61:00.0", "has no VFs")):
        kept = tree / f"etc/pinfold/vfs.d/{pf}.json"
        kept.parent.mkdir()
        record = {"nic": pf, "pf": pf, "lease": "", "boot-id": "", "made": 2, "autoprobe": True}
        kept.write_text(json.dumps(record | {"vfs": []}), encoding="utf-8")
        p = run("nic", "restore")
        assert p.returncode == 125 and f"NIC {pf} {words}" in p.stderr, p.stderr
        p = run("nic", "vfs", pf, "0")
        assert p.returncode == 125 and kept.exists()
        p = run("nic", "vfs", "--persist", pf, "0")
        assert p.returncode == 0 and f"NIC {pf} {words}; " in p.stderr, p.stderr
        assert not kept.exists() and run("nic", "restore").returncode == 0


@needs_root
def test_bound_before_its_driver_was_loaded(boot):
    """It is given back to whom the kernel chooses. The unit has drivers loaded first, where it can."""
    unit = (TOP / "build/data/pinfold-nics.service").read_text(encoding="utf-8")
    for key in ("After", "Wants"):
        assert re.search(rf"^{key}=.*\bsystemd-udev-settle\.service\b", unit, re.M), key
    tree, run = boot
    device = tree / "sys/bus/pci/devices/0000:5e:00.0"
    (device / "driver").unlink()
    note(tree, "0000:5e:00.0")
    p = run("nic", "restore")
    assert p.returncode == 0, p.stderr
    (device / "driver").symlink_to("../../../bus/pci/drivers/vfio-pci")
    (tree / "sys/bus/pci/drivers_probe").touch()
    p = run("nic", "unbind", "0000:5e:00.0")
    assert p.returncode == 0, p.stderr
    assert (tree / "sys/bus/pci/drivers_probe").read_text(encoding="utf-8") == "0000:5e:00.0"


# --- nic vfs, on copies ---------------------------------------------------------------------------


def steps(*args, tree):
    p = nic("vfs", "--dry-run", *args, tree=tree)
    assert (p.returncode, p.stderr) == (0, "")
    return [line.split(None, 1)[1] for line in p.stdout.splitlines()]


def test_steps_of_vfs(memory_path):
    """VFs are set before a driver looks at them."""
    tree = fake_host.write(fake_host.big(), str(memory_path / "t"))
    pf = "/sys/bus/pci/devices/0000:10:00.1"
    assert steps("ens1", "4", tree=tree) == [f"set        {pf}/sriov_numvfs = 4"]
    said = ["--mac", "1=02:00:00:00:00:07", "--vlan", "100", "--vlan", "2=7", "--trust", "0=on"]
    assert steps(*said, "--spoof-check", "off", "10:00.1", "3", tree=tree) == [
        f"set        {pf}/sriov_drivers_autoprobe = 0",
        f"set        {pf}/sriov_numvfs = 3",
        f"vf         {pf} = 0 vlan=100 spoof-check=off trust=on",
        f"vf         {pf} = 1 mac=02:00:00:00:00:07 vlan=100 spoof-check=off",
        f"vf         {pf} = 2 vlan=7 spoof-check=off",
        f"set        {pf}/sriov_drivers_autoprobe = 1",
        f"probe      {pf}",
    ]
    # who has turned that off wants no drivers
    Path(tree, pf[1:], "sriov_drivers_autoprobe").write_text("0\n")
    assert steps("--vlan", "0=5", "ens1", "1", tree=tree) == [
        f"set        {pf}/sriov_numvfs = 1",
        f"vf         {pf} = 0 vlan=5",
    ]


def test_steps_of_vfs_that_exist(memory_path):
    tree = fake_host.write(fake_host.big(), str(memory_path / "t"))
    pf = "/sys/bus/pci/devices/0000:10:00.0"
    assert steps("ens0", "8", tree=tree) == []
    assert steps("--vlan", "3=5", "ens0", "8", tree=tree) == [f"vf         {pf} = 3 vlan=5"]
    assert steps("ens0", "0", tree=tree) == [f"set        {pf}/sriov_numvfs = 0"]


@pytest.mark.parametrize(
    "machine, args, like",
    [
        ("big", ["ens1"], "say a NIC and how many VFs"),
        ("big", ["ens1", "4", "5"], "say a NIC and how many VFs"),
        ("big", ["ens1", "x"], "'x' is no number of VFs, from 0 to 256"),
        ("big", ["ens1", "257"], "no number of VFs"),
        ("big", ["ens1", "129"], "129 VFs are wanted, and it has at most 128"),
        ("big", ["ens99", "1"], "NIC 'ens99' does not exist"),
        ("big", ["old0", "1"], "0000:f0:00.0 has no VFs .SR-IOV."),
        ("big", ["10:01.0", "1"], "is a VF itself; its PF is 0000:10:00.0"),
        ("big", ["ens0", "4"], "has 8 VFs, .*: pinfold nic vfs 0000:10:00.0 0 first"),
        ("big", ["--mac", "02:00:00:00:00:07", "ens1", "1"], "of which VF"),
        ("big", ["--mac", "0=03:00:00:00:00:07", "ens1", "1"], "no address of one interface"),
        ("big", ["--mac", "0=02:00:00:00:00:7", "ens1", "1"], "no address of one interface"),
        ("big", ["--vlan", "4095", "ens1", "1"], "no number from 0 to 4094"),
        ("big", ["--vlan", "a=1", "ens1", "1"], "'a' is no number of a VF"),
        ("big", ["--vlan", "1=5", "ens1", "1"], "VF 1 is to be set"),
        ("big", ["--trust", "0=yes", "ens1", "1"], "neither on nor off"),
        ("paper", ["03:00.0", "2"], "bound to vfio-pci, which makes no VFs; .*nic unbind"),
        ("two", ["00:04.0", "1"], "0000:00:04.0 is no NIC"),
    ],
)
def test_vfs_refuses(memory_path, machine, args, like):
    tree = fake_host.write(fake_host.kinds[machine](), str(memory_path / "t"))
    p = nic("vfs", "--dry-run", *args, tree=tree)
    assert p.returncode == 125 and re.search(like, p.stderr), p.stderr
    assert p.stderr.count("\n") == 1 and p.stdout == ""


def test_vfs_that_somebody_has_stay(memory_path):
    """A grant that is not in use, and the host: by force alone. What is only set may be granted, and not in use."""
    machine = fake_host.big()
    vf = next(p for p in machine.pci if p.bdf == "0000:10:01.5")
    vf.driver, vf.netdev, vf.address6 = "iavf", "vf5", True
    tree = fake_host.write(machine, str(memory_path / "t"))
    p = nic("vfs", "--dry-run", "ens0", "0", tree=tree)
    assert p.returncode == 125 and "VF 0000:10:01.5 (vf5) has an address" in p.stderr
    steps("--force", "ens0", "0", tree=tree)
    define(tree, "fw", "0000:10:01.3")
    p = nic("vfs", "--dry-run", "ens0", "0", tree=tree)
    assert p.returncode == 125 and "VF 0000:10:01.3 is granted to 'fw'" in p.stderr
    steps("--force", "ens0", "0", tree=tree)
    steps("--vlan", "5", "ens0", "8", tree=tree)


def test_pf_of_a_program_that_has_vfs(memory_path):
    """It keeps its driver, and is granted to nobody, until they are taken away."""
    machine = fake_host.big()
    pf = next(p for p in machine.pci if p.bdf == "0000:10:00.0")
    pf.driver, pf.netdev = "vfio-pci", ""
    tree = fake_host.write(machine, str(memory_path / "t"))
    p = nic("unbind", "--dry-run", pf.bdf, tree=tree)
    assert p.returncode == 125 and "has 8 VFs, which depend on its driver" in p.stderr
    command = [PINFOLD, "--host-tree", tree, "plan", "--cpu-count", "1", "--nic", pf.bdf]
    p = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert p.returncode == 125 and "has 8 VFs" in p.stderr
    path = f"/sys/bus/pci/devices/{pf.bdf}/sriov_numvfs"
    assert steps(pf.bdf, "0", tree=tree) == [f"set        {path} = 0"]


def test_vfs_need_this_machine(memory_path):
    tree = fake_host.write(fake_host.big(), str(memory_path / "t"))
    p = nic("vfs", "ens1", "4", tree=tree)
    assert p.returncode == 125 and "without --host-tree" in p.stderr


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--nic 5f:00.0", "bound to igb_uio, where nothing confines its DMA; .*5f:00.0,unsafe-uio"),
        ("--nic 5e:00.0,unsafe-uio", "bound to ice, and unsafe-uio is for uio_pci_generic"),
        ("--nic 3b:00.0,unsafe-uio", "bound to mlx5_core, and unsafe-uio is for"),
        ("--nic driver=igb_uio,unsafe-uio", "unsafe-uio is for one NIC, by its address"),
        ("--nic 5f:00.0,bind,unsafe-uio", "unsafe-uio is for one NIC, by its address"),
        ("--nic 5f:00.0,unsafe-uio --in vm", "no keeper, no engine, no --in vm"),
        ("--nic 5f:00.0,unsafe-uio --cap NET_RAW", "--cap would be one over the host"),
        ("--nic 5f:00.0,unsafe-uio --link memif:a", "no links, kernel ports or netdevs"),
        ("--nic 5f:00.0,unsafe-uio --kernel-port a", "no links, kernel ports or netdevs"),
        ("--nic 5f:00.0,unsafe-uio --netdev ens2", "no links, kernel ports or netdevs"),
    ],
)
def test_uio_is_refused(mlx5, flags, words):
    p = pinfold("plan", "--cpus", "1", *flags.split(), "--", "true", tree=mlx5)
    assert p.returncode == 125 and p.stdout == "", p.stdout
    assert p.stderr.count("\n") == 1 and re.search(words, p.stderr), p.stderr


def test_bound_without_an_iommu(tmp_path):
    """The group that the kernel made for it confines nothing: it is none, and is granted to nobody."""
    machine = fake_host.mlx5()
    nic_ = next(p for p in machine.pci if p.bdf == "0000:60:00.0")
    nic_.driver, nic_.netdev, nic_.group, nic_.noiommu = "vfio-pci", "", 5, True
    tree = fake_host.write(machine, str(tmp_path / "t"))
    assert listed(tree)[nic_.bdf]["iommu_group"] is None
    for flags, words in (("60:00.0", "in no IOMMU group"), ("driver=vfio-pci", "0 are free")):
        p = pinfold("plan", "--cpus", "1", "--nic", flags, "--", "true", tree=tree)
        assert p.returncode == 125 and re.search(words, p.stderr), p.stderr
    p = nic("unbind", "--dry-run", nic_.bdf, tree=tree)
    assert p.returncode == 0 and "driver/unbind" in p.stdout, p.stderr


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--nic 3b:00.0,bind", "beside its kernel driver .mlx5_core., which has to stay"),
        ("--nic 3b:00.0 --in vm", "neither --in host nor vm"),
        ("--nic 3b:00.0 --in host", "neither --in host nor vm"),
        ("--nic 3b:00.0 --cap NET_ADMIN", "leave out --cap NET_ADMIN"),
        ("--nic 3b:00.0 --kernel-port a", "--kernel-port a,vhost"),
        ("--nic 3b:00.0 --nic 5f:00.0,unsafe-uio", "no links, kernel ports or netdevs"),
        ("--nic 3b:00.1", "'ens1f1np1' has an address .*--netdev ens1f1np1,force"),
        ("--netdev ens1f0np0,rdma", "grant that: --nic ens1f0np0"),
    ],
)
def test_beside_a_driver_is_refused(mlx5, flags, words):
    p = pinfold("plan", "--cpus", "1", *flags.split(), "--", "true", tree=mlx5)
    assert p.returncode == 125 and p.stdout == "", p.stdout
    assert p.stderr.count("\n") == 1 and re.search(words, p.stderr), p.stderr


@pytest.mark.parametrize(
    "file, text, words",
    [
        ("sys/module/ib_core/parameters/netns_mode", "Y", "rdma system set netns exclusive"),
        ("sys/module/ib_core/parameters/netns_mode", None, "rdma system set netns exclusive"),
        ("proc/sys/kernel/osrelease", "6.16.9", "before Linux 6.17 .*this is 6.16.9"),
        ("sys/class/infiniband_verbs/uverbs0/dev", None, "modules mlx5_ib and ib_uverbs"),
    ],
)
def test_beside_a_driver_of_a_host_that_cannot(mlx5, file, text, words):
    path = Path(mlx5, file)
    path.unlink() if text is None else path.write_text(f"{text}\n", encoding="utf-8")
    p = pinfold("plan", "--cpus", "1", "--nic", "3b:00.0", "--", "true", tree=mlx5)
    assert p.returncode == 125 and p.stdout == "", p.stdout
    assert p.stderr.count("\n") == 1 and re.search(words, p.stderr), p.stderr


def test_beside_a_driver_with_several_interfaces(mlx5):
    """One InfiniBand device is of all of them: what is not given would be reached all the same."""
    command = ["plan", "--cpus", "1", "--nic", "3b:00.0"]
    below = Path(mlx5, "sys/bus/pci/devices/0000:3b:00.0/net/ens1f0np1").resolve()
    below.mkdir()
    (below / "mtu").write_text("1500\n", encoding="utf-8")
    where = f"../../{below.relative_to(Path(mlx5, 'sys').resolve())}"
    Path(mlx5, "sys/class/net/ens1f0np1").symlink_to(where)
    p = pinfold(*command, "--", "true", tree=mlx5)
    assert p.returncode == 125 and "say --netdev ens1f0np1 as well" in p.stderr, p.stderr
    p = pinfold(*command, "--netdev", "ens1f0np1", "--", "true", tree=mlx5)
    assert p.returncode == 0 and "ens1f0np1" in p.stdout, p.stderr
    for port in "123":
        Path(mlx5, "sys/class/infiniband/mlx5_0/ports", port).mkdir(parents=True)
    p = pinfold(*command, "--netdev", "ens1f0np1", "--", "true", tree=mlx5)
    like = "'mlx5_0' has 3 ports, and interfaces of 2 go with it"
    assert p.returncode == 125 and like in p.stderr, p.stderr


def test_beside_a_driver_without_the_controller(mlx5):
    """Nothing is written for it, and it is said."""
    command = ["plan", "--cpus", "1", "--nic", "ens1f0np0", "--", "true"]
    p = pinfold(*command, tree=mlx5)
    assert "box/rdma.max = mlx5_0 hca_handle=128 hca_object=65536" in p.stdout, p.stderr
    path = Path(mlx5, "sys/fs/cgroup/cgroup.controllers")
    path.write_text(path.read_text(encoding="utf-8").replace(" rdma", ""), encoding="utf-8")
    p = pinfold(*command, tree=mlx5)
    assert p.returncode == 0 and "rdma.max" not in p.stdout and "+rdma" not in p.stdout, p.stderr
    assert "cgroups: there is no controller rdma" in p.stdout


@pytest.mark.parametrize("flags", [["--owner", "1000"], ["--claim-by", "env"]])
def test_uio_is_nobody_elses(mlx5, flags):
    (Path(mlx5) / "run").mkdir()
    uio = ["--name", "g", "--cpus", "1", "--nic", "5f:00.0,unsafe-uio"]
    p = pinfold("grant", "create", *uio, *flags, tree=mlx5)
    assert p.returncode == 125 and "neither --owner nor --claim-by" in p.stderr, p.stderr
    assert pinfold("grant", "create", *uio, tree=mlx5).returncode == 0
    shown = json.loads(pinfold("grant", "show", "g", tree=mlx5).stdout)
    assert shown["nics"] == [{"pci": "0000:5f:00.0", "unsafe-uio": True}]
    p = pinfold("grant", "create", "--name", "h", "--cpus", "2", *uio[4:], tree=mlx5)
    assert "is granted to 'g' already" in p.stderr, p.stderr


@pytest.mark.parametrize("kind", ["DMA", "DMA-FQ", "identity"])
def test_uio_behind_an_iommu(mlx5, kind):
    """One that translates would have to be told of the program's memory."""
    (Path(mlx5) / "sys/kernel/iommu_groups/31/type").write_text(f"{kind}\n", encoding="utf-8")
    p = pinfold("plan", "--cpus", "1", "--nic", "5f:00.0,unsafe-uio", "--", "true", tree=mlx5)
    if kind == "identity":
        assert p.returncode == 0 and "UNSAFE: NIC 0000:5f:00.0 is on igb_uio" in p.stdout, p.stderr
    else:
        like = f"IOMMU keeps it from all memory there (group 31 is of type {kind})"
        assert p.returncode == 125 and like in p.stderr, p.stderr


def test_doctor_of_a_grant_on_uio(mlx5):
    p = pinfold("doctor", "--cpus", "1", "--nic", "5f:00.0,unsafe-uio", tree=mlx5)
    assert re.search(r"WARN +nic +0000:5f:00.0 is granted on igb_uio", p.stdout), p.stdout
