# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Bad input: one line that names the thing, the right status, nothing changed, nothing left."""

import json
import os
import re
import subprocess
from pathlib import Path

import fake_host
import pytest
from owner import OWNER
from places import TOP
from trees import listing, never_opened, small_image

from workload import (
    CPU,
    OTHER,
    PYTHON,
    SLOW,
    free_pages,
    ids,
    needs_pages,
    needs_root,
    needs_two,
    unique,
)


pytestmark = [needs_root, pytest.mark.anywhere]
TRUE = ["--", "/bin/true"]
ONE = ["--cpus", CPU]


@pytest.fixture
def tree(tmp_path):
    """Writes a fake machine and returns the flags that look at it."""

    def make(kind="two", **changes):
        machine = fake_host.kinds[kind]()
        for name, value in changes.items():
            setattr(machine, name, value)
        return ["--host-tree", fake_host.write(machine, str(tmp_path / f"{kind}-tree"))]

    return make


def namespace(pf, setup, *args):
    """Runs pinfold where `setup` has changed the mounts for it alone."""
    command = " ".join(f"'{a}'" for a in (pf.path, *args))
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{setup} && exec {command}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def one_line(p, like, status=125):
    assert p.returncode == status, p.stdout + p.stderr
    assert p.stderr.startswith("pinfold: ") and p.stderr.count("\n") == 1, p.stderr
    assert re.search(like, p.stderr), f"{p.stderr!r} is not like {like!r}"


# --- flags ----------------------------------------------------------------------------------------

LONG = "n" * 300
FLAGS = {
    "foreign-cpu": (["--cpus", "4000"], "CPU 4000|4000"),
    "foreign-cpu-of-list": (["--cpus", f"{CPU},1000"], "CPU 1000"),
    "no-list": (["--cpus", "1-"], "'1-'|1-"),
    "reversed-list": (["--cpus", "3-1"], "3-1"),
    "empty-list": (["--cpus", ""], "--cpus"),
    "words": (["--cpus", "all"], "all"),
    "too-many-cpus": (["--cpu-count", "900"], "900"),
    "no-cpus": (["--cpu-count", "0"], "'0'"),
    "negative": (["--cpu-count", "-1"], "'-1'"),
    "foreign-node": ([*ONE, "--mems", "17"], "17"),
    "foreign-page-node": ([*ONE, "--hugepages", "2M=1@17"], "17"),
    "too-many-pages": ([*ONE, "--hugepages", "2M=99999"], "99999 wanted, .*reserve more"),
    "foreign-size": ([*ONE, "--hugepages", "16M=1"], "16M: this kernel has"),
    "no-size": ([*ONE, "--hugepages", "=1"], "hugepages '=1'"),
    "no-count": ([*ONE, "--hugepages", "2M"], "hugepages '2M'"),
    "zero-pages": ([*ONE, "--hugepages", "2M=0"], "'0'"),
    "odd-kind": ([*ONE, "--hugepages", "2M=1,file"], "'file' is neither fs nor anon"),
    "little-memory": ([*ONE, "--memory", "1M"], "memory 1M"),
    "much-memory": ([*ONE, "--memory", "900T"], "memory 900T"),
    "odd-memory": ([*ONE, "--memory", "12Q"], "12Q"),
    "no-pids": ([*ONE, "--pids", "0"], "--pids '0'"),
    "odd-nic": ([*ONE, "--nic", "eth9"], "eth9"),
    "no-nic": ([*ONE, "--nic", ","], "say which"),
    "any-nic-to-bind": ([*ONE, "--nic", "bind"], "say which"),
    "foreign-nic": ([*ONE, "--nic", "0000:ff:1f.7"], "0000:ff:1f.7"),
    "odd-link": ([*ONE, "--link", "wire:x"], "wire"),
    "no-link-name": ([*ONE, "--link", "memif:"], "no name for a link"),
    "link-up": ([*ONE, "--link", "memif:../x"], r"\.\./x"),
    "no-pool": ([*ONE, "--shared-cpus", "no-such-pool"], "no-such-pool"),
    "no-grant": (["--grant", "no-such-grant"], "'no-such-grant' does not exist; see"),
    "grant-and-flags": (["--grant", "x", *ONE], "leave the other grant flags out"),
    "long-name": ([*ONE, "--name", LONG], "name|nnnn"),
    "path-name": ([*ONE, "--name", "../x"], r"'\.\./x'"),
    "empty-name": ([*ONE, "--name", ""], "name|''"),
    "dot-name": ([*ONE, "--name", "."], "'.'"),
    "long-hostname": ([*ONE, "--hostname", LONG], "--hostname"),
    "odd-hostname": ([*ONE, "--hostname", "a b"], "'a b'"),
    "unknown-flag": ([*ONE, "--hugepagez", "2M=1"], "did you mean '--hugepages'"),
    "unknown-flag-near": ([*ONE, "--hostnam=x", "--privilege"], "did you mean|--privilege"),
    "nodes": ([*ONE, "--nodes", "0"], "'--nodes'; here it is '--mems'"),
    "unknown-flag-far": ([*ONE, "--zzzzzzzzz"], "'--zzzzzzzzz'; see --help"),
    "unknown-short": ([*ONE, "-x"], "-x"),
    "no-value": (["--cpus"], "--cpus"),
    "odd-place": ([*ONE, "--in", "vm2"], "--in 'vm2'"),
    "odd-limit": ([*ONE, "--allow-missing", "hugetbl"], "'hugetbl'; known: .*hugetlb"),
    "detached-terminal": ([*ONE, "-d", "-t"], "-d does not go with"),
    "detached-input": ([*ONE, "-d", "-i"], "-d does not go with"),
    "odd-env": ([*ONE, "-e", "NAME"], "'NAME': write NAME=VALUE"),
    "no-env-name": ([*ONE, "-e", "=x"], "'=x'"),
    "odd-user": ([*ONE, "--user", "1x"], "user '1x'"),
    "far-user": ([*ONE, "--user", "65536"], "user '65536'"),
    "odd-group": ([*ONE, "--user", "1:"], "user '1:'"),
    "unknown-user": ([*ONE, "--user", "no-such-user"], "'no-such-user' is not in /etc/passwd"),
    "host-image": ([*ONE, "--in", "host", "--image", "/"], "--in host"),
    "host-user": ([*ONE, "--in", "host", "--user", "1"], "--in host"),
    "no-image": ([*ONE, "--image", "/no/such"], "image '/no/such'"),
    "no-image-name": (
        [*ONE, "--image", "no-such"],
        "image 'no-such' is not in .*; see pinfold image list",
    ),
    "image-file": ([*ONE, "--image", "/etc/passwd"], "image '/etc/passwd'.*[Nn]ot a directory"),
    "no-runtime": ([*ONE, "--runtime", "/no/crun"], "runtime '/no/crun'"),
    "odd-runtime": ([*ONE, "--runtime", "/bin/true"], "/true' is neither crun nor runc"),
    "runtime-file": ([*ONE, "--runtime", "/etc/passwd"], "'/etc/passwd'"),
    "runtime-dir": ([*ONE, "--runtime", "/usr"], "'/usr'"),
    "volume-one": ([*ONE, "-v", "/etc"], "'/etc': write HOST:TARGET"),
    "volume-four": ([*ONE, "-v", "/etc:/x:ro:z"], "'ro:z'"),
    "volume-mode": ([*ONE, "-v", "/etc:/x:rx"], "'rx' is none of ro, rw, idmap and owner"),
    "volume-no-mode": ([*ONE, "-v", "/etc:/x:"], "some of ro, rw, idmap and owner at its end"),
    "volume-no-target": ([*ONE, "-v", "/etc:"], "target"),
    "volume-no-source": ([*ONE, "-v", ":/x"], "volume ':/x'"),
    "volume-relative": ([*ONE, "-v", "/etc:x"], "target"),
    "volume-root": ([*ONE, "-v", "/etc:/"], "target"),
    "volume-up": ([*ONE, "-v", "/etc:/x/../y"], "target"),
    "volume-up-end": ([*ONE, "-v", "/etc:/x/.."], "target"),
    "volume-missing": ([*ONE, "-v", "/no/such:/x"], "find '/no/such'"),
}


@pytest.mark.parametrize("flags, like", FLAGS.values(), ids=FLAGS.keys())
def test_flags(pf, flags, like):
    pf.fails("run", *flags, *TRUE, like=like)


@pytest.mark.parametrize("flags, like", FLAGS.values(), ids=FLAGS.keys())
def test_plan_refuses_the_same(pf, flags, like):
    pf.fails("plan", *flags, *TRUE, like=like)


@pytest.mark.parametrize(
    "words, like",
    [
        ([], "no command"),
        (["rum"], "'rum'; did you mean 'run'"),
        (["zzzzzzz"], "'zzzzzzz'; see pinfold --help"),
        (["--verson"], "did you mean '--version'"),
        (["run"], "program|cpu"),
        (["run", "--cpus", str(CPU)], "no program given"),
        (["run", "/bin/true", "--cpus", "1"], "'--cpus' stands after the program '/bin/true'"),
        (["run", "--", "prog", "--grant=x"], "'--grant' stands after the program 'prog'"),
        (["plan", "prog", "--memory", "1G"], "plan: '--memory' stands after the program"),
        (["help", "lgos"], "did you mean 'logs'"),
        (["help", "a", "b", "c"], "name one command"),
        (["help", "--all"], "name one command"),
        (["stop"], "name at least one"),
        (["exec", "-e", "NAME", "no-such", "--", "id"], "'NAME': write NAME=VALUE"),
        (["exec", "-e", "=x", "no-such", "--", "id"], "'=x': write NAME=VALUE"),
        (["stop", "no-such"], "'no-such' does not run; see pinfold ps"),
        (["stop", "../x"], r"\.\./x"),
        (["exec", "no-such", "--", "true"], "'no-such' does not run"),
        (["exec", "../x", "--", "true"], r"\.\./x"),
        (["exec"], "say NAME and PROGRAM"),
        (["logs"], "name one"),
        (["logs", "no-such"], "'no-such'"),
        (["logs", "../../etc/passwd"], r"\.\./\.\./etc/passwd"),
        (["ps", "--jsn"], "did you mean '--json'"),
        (["gc", "--json"], "json"),
        (["grant", "create"], "--name"),
        (["grant", "show", "no-such"], "'no-such' does not exist; see pinfold grant list"),
        (["grant", "remove", "no-such"], "'no-such' does not exist"),
        (["grant", "remove", "../../x"], r"\.\./x"),
        (["plan", "--format", "xml", "--cpus", str(CPU)], "'xml'"),
        (["--host-tree", "/no/such", "plan", "--cpus", "0"], "/no/such"),
        (["--host-tree", "/tmp", "host", "inventory"], "has no .*; name a directory with"),
        (["--host-tree", "/", "run", "--cpus", "0", "--", "true"], "use plan"),
        (["--host-tree", "/no/such", "grant", "remove", "x"], "this machine only"),
    ],
    ids=lambda v: "-".join(v).replace("/", "_") or "none" if isinstance(v, list) else "",
)
def test_commands(pf, words, like):
    pf.fails(*words, like=like)


# commands that have others, of which the last has a --help of its own or shows the group's
GROUPS = {
    "bench": ["list", "run", "show", "report", "compare"],
    "cdi": ["generate"],
    "grant": ["create", "start", "stop", "list", "show", "remove"],
    "host": ["capture", "free", "inventory", "kernel", "prepare", "ticks", "undo"],
    "image": ["build", "list", "remove"],
    "nic": ["list", "restore", "unbind", "bind", "vfs"],
    "runtime": ["configure"],
    "seccomp": ["show", "record"],
}


@pytest.mark.parametrize("group", GROUPS)
def test_commands_of_a_group(pf, group):
    commands = GROUPS[group]
    every = (
        f"say (({'|'.join(commands)})(, | or |; )){{{len(commands)}}}see pinfold {group} --help$"
    )
    pf.fails(group, like=f"^pinfold: {group}: {every}")
    pf.fails(group, "zzzzzzzz", like=f"^pinfold: unknown command '{group} zzzzzzzz'; {every}")
    for name in commands:
        like = f"unknown command '{group} {name}x'; did you mean '{group} {name}'"
        pf.fails(group, f"{name}x", like=like)
    pf.fails(group, "--hepl", like="unknown option '--hepl'; did you mean '--help'")
    for words in [["--help"], ["-h"], *([name, "--help"] for name in commands)]:
        assert pf.ok(group, *words).startswith(f"Usage: pinfold {group} "), words


def test_help(pf):
    for command in ("run", "logs", "grant", "doctor"):
        assert pf.ok("help", command) == pf.ok(command, "--help")
    for words in (["grant", "create"], ["host", "free"], ["nic", "list"]):
        assert pf.ok("help", *words) == pf.ok(*words, "--help")
    assert pf.ok("help") == pf.ok("help", "help") == pf.ok("--help")
    # and does nothing
    for words in (["stop", "x"], ["exec", "x"], ["run", "true"]):
        pf.fails("help", *words, like="of one command")


def helps(program, *words):
    """What --help says of a command and of those that it lists by name."""
    p = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=False)
    assert p.returncode == 0, p
    yield " ".join(words), p.stdout
    if not words:
        for name in re.findall(r"^  ?([a-z]+) ", p.stdout, re.M):
            if name != "help":
                yield from helps(program, name)


def own_help(pf):
    """What each command says of itself, those of a group by "group command"."""
    texts = dict(helps(pf.path))
    for group, names in GROUPS.items():
        texts |= {f"{group} {name}": pf.ok(group, name, "--help") for name in names}
    return texts


@pytest.mark.parametrize("program", ["pinfold", "drover"])
def test_help_has_80_columns(pf, program):
    path = pf.path if program == "pinfold" else f"{Path(pf.path).parents[2]}/drover/drover"
    if not os.path.exists(path):
        pytest.skip("drover is not beside pinfold")
    texts = own_help(pf) if program == "pinfold" else dict(helps(path))
    for words, text in texts.items():
        assert [x for x in text.splitlines() if len(x) > 80 or x.endswith(" ")] == [], words
        assert text.endswith("\n") and not text.endswith("\n\n"), words


def said_to_take(text):
    """The options in a synopsis and in the labels of rows, not those that sentences speak of."""
    labels = re.findall(r"^  (-.*?)(?:  |$)", text, re.M)
    words = " ".join([text.split("\n\n")[0], *labels])
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", words)))


@pytest.mark.limit(120)
def test_help_says_what_is_known(pf):
    """What a command is said to take it takes; where a group has one text, one of its commands."""
    texts = own_help(pf)
    for words, text in texts.items():
        first, commands = words.split(" ")[0], [words.split()]
        if words == "grant create":  # which has the flags below the text of its group
            text = "\n\n" + text[text.index("Grant:") :]
        elif first in GROUPS and text == texts[first]:
            commands = [[first, name] for name in GROUPS[first]]
        for option in said_to_take(text):
            said = [pf(*c, f"{option}=1", "--zzzzzzzz") for c in commands]
            assert {p.returncode for p in said} == {125}
            known = [p for p in said if f"unknown option '{option}'" not in p.stderr]
            assert known, f"'{words}' does not know {option}"


# of struct option_row, and of the options of a start
OPTION_ROW = re.compile(
    r'\{\s*"([a-z0-9-]+)",\s*'
    r"(?:(?:'.',\s*)?(?:\.(?:flag|text|number|take|set)\b|TEXT|FLAG)|'.'(?:\}|,\s*[a-z_]+\}))"
)


def test_help_says_all_that_is_known(pf):
    """Also the long names of letters: completion has them from there."""
    texts = own_help(pf)
    files = {path: path.stem.split("_")[0] for path in (TOP / "src/cli").glob("*.c")}
    files |= {TOP / "src/launch/options.c": "run"}
    seen = 0
    for path, command in files.items():
        own = [x for words, x in texts.items() if words.split(" ")[0] == command]
        text = "\n".join(own or texts.values())
        for option in OPTION_ROW.findall(path.read_text()):
            seen += 1
            assert option == "help" or re.search(rf"--{option}\b(?!-)", text), (path.name, option)
    assert seen > 100


def test_spare_words_are_refused(pf):
    for words in (["ps", "x"], ["gc", "x"], ["grant", "list", "x"]):
        pf.fails(*words, like="'x'")


def test_line_breaks_do_not_make_lines(pf):
    """A message stays one line whatever is in it."""
    evil = "x\ny\x1b[31m"
    for flags in (
        ["--cpus", evil],
        [*ONE, "--name", evil],
        [*ONE, "-v", f"{evil}:/x"],
        [*ONE, "--image", f"/{evil}"],
        [*ONE, "--runtime", f"/{evil}"],
    ):
        text = pf.fails("run", *flags, *TRUE, like="x")
        assert "\x1b" not in text
    pf.fails("run", *ONE, "--", evil, like="x", status=127)


# --- documents ------------------------------------------------------------------------------------

DOCS = {
    "empty": ("", "request"),
    "not-json": ("cpus: 1", "request"),
    "array": ("[]", "object"),
    "string": ('"cpus"', "request"),
    "unknown-key": ('{"cpus": "0", "hugepage": []}', "'hugepage'.*'?hugepages"),
    "unknown-key-far": ('{"zzzzzzzz": 1}', "'zzzzzzzz'"),
    "wrong-type": ('{"cpus": 1}', "'cpus'"),
    "wrong-type-list": ('{"nics": "x"}', "'nics'"),
    "wrong-type-entry": ('{"nics": [1]}', "'nics'"),
    "wrong-count": ('{"cpu-count": -1}', "'cpu-count'"),
    "fraction": ('{"cpu-count": 1.5}', "'cpu-count'"),
    "far-count": ('{"cpu-count": 99999999999999999999}', "cpu-count|big|large|range|integer"),
    "duplicate": ('{"cpus": "0", "cpus": "1"}', "duplicate.*cpus"),
    "trailing": ('{"cpus": "0"} x', "request"),
    "second": ('{"cpus": "0"}{}', "request"),
    "null-byte": ('{"name": "a\\u0000b"}', "request|name"),
    "not-utf8": (b'{"name": "\xff"}', "request"),
    "cut": ('{"cpus": "0"', "request"),
    "deep": ("[" * 100000, "request"),
    "huge": (" " * (2 << 20) + "{}", "request"),
}


@pytest.mark.parametrize("text, like", DOCS.values(), ids=DOCS.keys())
def test_document(pf, tmp_path, text, like):
    file = tmp_path / "request.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert str(file) in pf.fails("run", "--from", file, *TRUE, like=like)


def test_document_that_is_no_file(pf, tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        pf.fails("run", "--from", path, *TRUE, like=str(path))
    pf.fails("run", "--from", "/dev/zero", *TRUE, like="/dev/zero")


def test_document_after_a_flag(pf, tmp_path):
    file = tmp_path / "request.json"
    file.write_text("{}")
    pf.fails("run", *ONE, "--from", file, *TRUE, like="--from must come before")


# --- what the machine has -------------------------------------------------------------------------


def test_offline_cpu(pf, tree):
    flags = tree("two", online="0")
    pf.fails(*flags, "plan", "--cpus", "1", *TRUE, like="CPU 1 is offline; bring it up with: echo")


@pytest.mark.parametrize(
    "name",
    ["cpuset", "memory", "pids", "hugetlb", "devices"],
)
def test_limit_that_cannot_be_enforced(pf, tree, name):
    """Bare of one controller: refused with the cure, or taken with the waiver for it."""
    flags = tree("two")
    root = Path(flags[1])
    mounts = root / "proc/mounts"
    kept = [s for s in mounts.read_text().splitlines() if not re.search(rf"/{name} cgroup ", s)]
    assert len(kept) < len(mounts.read_text().splitlines())
    mounts.write_text("\n".join(kept) + "\n")
    subprocess.run(["rm", "-r", str(root / "sys/fs/cgroup" / name)], check=True)
    text = pf.fails(*flags, "plan", "--cpus", "1", *TRUE, like=f"limit '{name}'")
    assert f"mount -t cgroup -o {name}" in text or f"--allow-missing={name}" in text
    pf.ok(*flags, "plan", "--cpus", "1", f"--allow-missing={name}", *TRUE)


def test_bare_machine(pf, tree):
    flags = tree("two-bare")
    pf.fails(*flags, "plan", "--cpus", "1", *TRUE, like="limit 'hugetlb' cannot be enforced.*mount")
    pf.ok(*flags, "plan", "--cpus", "1", "--allow-missing=hugetlb", *TRUE)


def test_without_the_hugetlb_controller(pf):
    """For real, in a mount namespace of its own."""
    if not os.path.ismount("/sys/fs/cgroup/hugetlb"):
        pytest.skip("no hugetlb controller of version 1 is mounted here")
    setup = "umount /sys/fs/cgroup/hugetlb"
    one_line(namespace(pf, setup, "run", *ONE, *TRUE), "limit 'hugetlb' cannot be enforced")
    # what lies there then is a plain directory: it must not be taken for a cgroup
    p = namespace(pf, setup, "run", *ONE, "--allow-missing=hugetlb", *TRUE)
    if p.returncode != 0:  # crun wants the controller itself
        one_line(p, "crun|hugetlb")


def test_nic_that_is_not_for_vfio(pf, tree):
    flags = tree("two")
    pf.fails(*flags, "plan", "--cpus", "1", "--nic", "0000:00:03.0", *TRUE, like="0000:00:03.0")


@needs_two
def test_cpu_that_is_granted(pf):
    _, name = pf.begin()
    text = pf.fails("run", *ONE, *TRUE, like=f"CPU {CPU} is granted to '{name}' already; free: ")
    assert OTHER in ids(text.partition("free: ")[2])
    pf.fails("run", "--name", name, "--cpus", OTHER, *TRUE, like=f"'{name}' is in use")
    grant = unique("g")
    pf.fails("grant", "create", "--name", grant, *ONE, like=f"granted to '{name}'")
    pf.fails("plan", *ONE, *TRUE, like=f"granted to '{name}'")


def test_cpu_of_a_definition(pf):
    name = pf.grant(*ONE)
    pf.fails("run", *ONE, *TRUE, like=f"CPU {CPU} is granted to '{name}' already")
    pf.fails("grant", "create", "--name", name, "--cpus", OTHER, like=f"'{name}' exists already")
    assert pf("run", "--grant", name, "--", "/bin/sh", "-c", "exit 9").returncode == 9


@needs_pages(8)
def test_pages_taken_by_a_stranger(pf):
    """Pages that a program outside has taken are not there to be granted."""
    code = (
        "import mmap, sys\nm = mmap.mmap(-1, 16 << 20, flags=0x2 | 0x20 | 0x40000)\n"
        "m[0] = 1\nprint('up', flush=True)\nsys.stdin.read()"
    )
    before = free_pages()
    with subprocess.Popen(
        [PYTHON, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout.readline() == "up\n"
        pf.fails(
            "run",
            *ONE,
            "--hugepages",
            f"2M={before - 7}",
            *TRUE,
            like=f"{before - 7} wanted, {before - 8} ",
        )
        p.stdin.close()


# --- the runtime ----------------------------------------------------------------------------------


def fake_runtime(tmp_path, version, body="exit 1"):
    path = tmp_path / "crun"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ {version}; }}\n{body}\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "version, like",
    [
        ("echo crun version 0.16; exit", "crun 0.16, too old: 0.17 or newer"),
        ("echo runc version 0.9.9; exit", "runc 0.9, too old: 1.0 or newer"),
        ("echo youki version 1.0.0; exit", "neither crun nor runc"),
        ("exit 0", "does not answer --version"),
        ("exit 3", "does not answer --version"),
        ("kill -9 $$", "does not answer --version"),
        ("echo crun version x.y; exit", "neither crun nor runc"),
    ],
)
def test_runtime_that_does_not_fit(pf, tmp_path, version, like):
    path = fake_runtime(tmp_path, version)
    assert f"'{path}'" in pf.fails("run", *ONE, "--runtime", path, *TRUE, like=like)


@pytest.mark.parametrize(
    "body, like",
    [
        ("echo first >&2; echo 'no such thing' >&2; exit 1", "status 1: no such thing"),
        ("exit 7", "status 7: it says nothing"),
        ("exit 0", "ended with status 0"),
        ("kill -9 $$", "status 137"),
        ("printf 'a\\tb\\033[1m' >&2; exit 1", "status 1: a"),
    ],
)
def test_runtime_that_fails(pf, tmp_path, body, like):
    path = fake_runtime(tmp_path, "echo crun version 1.8.1; exit", body)
    text = pf.fails("run", "--runtime", path, *ONE, *TRUE, like=like)
    assert "\033" not in text
    # a container's init has the terminal alone to say it on
    path = fake_runtime(tmp_path, "echo crun version 1.8.1; exit", f"exec 2>&1; {body}")
    pf.fails("run", "-t", "--runtime", path, *ONE, *TRUE, like=like)


def test_no_runtime_at_all(pf, tmp_path):
    setup = "mount -t tmpfs none /mnt && " + " && ".join(
        f"touch /mnt/x && mount --bind /mnt/x {p}"
        for p in ("/usr/bin/crun", "/usr/sbin/runc")
        if os.path.exists(p)
    )
    one_line(namespace(pf, setup, "run", *ONE, *TRUE), "install one .apt install crun")


# --- full and unwritable places -------------------------------------------------------------------


def tiny(path, size):
    return f"mkdir -p {path} && mount -t tmpfs -o size={size} none {path}"


@pytest.mark.parametrize("flags", [(), ("-d",), ("--in", "host")], ids=["", "detached", "host"])
def test_full_disk_under_run(pf, flags):
    setup = tiny("/run/pinfold", "16k") + " && (dd if=/dev/zero of=/run/pinfold/fill bs=4k || :)"
    p = namespace(pf, f"{setup} 2>/dev/null", "run", *ONE, *flags, *TRUE)
    one_line(p, "No space left on device")


def test_full_disk_later(pf):
    """Room for some files and not for others: at whichever step it ends, one line."""
    for pages in range(1, 9):
        setup = tiny("/run/pinfold", f"{4 * pages}k")
        p = namespace(pf, setup, "run", *ONE, *TRUE)
        if p.returncode != 0:
            one_line(p, "/run/pinfold|No space left|crun ended")


def test_read_only_run(pf):
    setup = f"{tiny('/run/pinfold', '1m')} && mount -o remount,ro /run/pinfold"
    one_line(namespace(pf, setup, "run", *ONE, *TRUE), "Read-only file system")


FULL_LOG = """
mkdir -p {logs} && mount -t tmpfs -o size=256k none {logs} && dd if=/dev/zero of={logs}/fill bs=4k count=56 2>/dev/null
{pinfold} run -d --name {name} --cpus {cpu} -v {go}:/go:ro -- /bin/sh -c \
	'yes line | head -c 100000; until [ -e /go/on ]; do sleep 0.05; done; echo the end' || exit 1
until grep -q "the log '{logs}/{name}.log' cannot be written.*No space left" /run/pinfold/log; do sleep 0.05; done
rm {logs}/fill; touch {go}/on
while {pinfold} ps | grep -q '^{name} '; do sleep 0.05; done
cat {logs}/{name}.log
"""


def test_full_disk_under_a_log(pf, tmp_path):
    """The program goes on; what was lost is told at once, and in the log when there is room again."""
    name = unique()
    pf.names.append(name)
    tmp_path.chmod(0o755)
    script = FULL_LOG.format(
        logs="/var/log/pinfold", pinfold=pf.path, name=name, cpu=CPU, go=tmp_path
    )
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=40 * SLOW,
        check=False,
    )
    assert p.returncode == 0, p.stderr
    lost = re.search(
        r"^\[pinfold: (\d+) bytes lost: the log could not be written\]$", p.stdout, re.M
    )
    assert lost, p.stdout[-300:]
    assert p.stdout.count("line\n") * 5 + int(lost[1]) <= 100000 + 5
    assert 0 < int(lost[1]) < 100000 and p.stdout.endswith("\nthe end\n")


def test_read_only_logs(pf):
    setup = f"{tiny('/var/log/pinfold', '1m')} && mount -o remount,ro /var/log/pinfold"
    one_line(namespace(pf, setup, "run", "-d", *ONE, *TRUE), "log.*Read-only file system")


def test_without_root(pf):
    env = {"PATH": "/usr/bin"}
    p = pf("run", *ONE, *TRUE, user=65534, group=65534, extra_groups=[], env=env)
    one_line(p, "run needs root")
    p = pf("gc", user=65534, group=65534, extra_groups=[], env=env)
    one_line(p, "needs root")


# On a machine that has nothing of pinfold's yet: a grant with a keeper, and a workload with a link and a socket. Prints
# what is there and is not root's alone.
FIRST = """
import os, stat, subprocess, sys
pinfold, grant, name, link, cpu, other, owner = sys.argv[1:]

def call(*args):
    return subprocess.run([pinfold, *args], check=True, stdin=subprocess.DEVNULL, umask=0, timeout=60)

def check():
    number = 0
    for top in ("/etc/pinfold", "/run/pinfold", "/var/log/pinfold"):
        number += 1
        for where, dirs, files in [("", [top], []), *os.walk(top)]:
            for path in [os.path.join(where, n) for n in [*dirs, *files]]:
                try:
                    st = os.lstat(path)
                except FileNotFoundError:
                    continue
                number += 1
                if st.st_uid != 0 or st.st_mode & 0o022 and not stat.S_ISLNK(st.st_mode):
                    kind = "socket" if stat.S_ISSOCK(st.st_mode) else "mount" if os.path.ismount(path) else "file"
                    print(kind, path, flush=True)
            # what containers have
            dirs[:] = [n for n in dirs if not os.path.ismount(os.path.join(where, n))]
    print("looked at", number, flush=True)

try:
    call("grant", "create", "--name", grant, "--cpus", cpu, "--memory", "64M", "--owner", f"{owner}:{owner}")
    call("run", "-d", "--name", name, "--cpus", other, "--memory", "64M", "--link", "memif:" + link,
         "--publish", "unix:/run/app/ctl.sock", "--", "sleep", "600")
    check()
finally:
    for args in (["stop", "-t", "0", name], ["grant", "stop", grant], ["grant", "remove", grant], ["gc"]):
        subprocess.run([pinfold, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60)
"""


@needs_two
def test_only_root_writes_what_is_believed(pf):
    """Whatever the caller's umask: grants, leases, and the directories that they are in, which are made first."""
    fresh = " && ".join(
        f"mkdir -p {d} && mount -t tmpfs -o mode=755 none {d}"
        for d in ("/run", "/etc/pinfold", "/var/log")
    )
    grant, name, link = unique("g"), unique(), unique("l")
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{fresh} && rmdir /etc/pinfold 2>/dev/null; exec "$@"', "sh",
         PYTHON, "-I", "-c", FIRST, pf.path, grant, name, link, str(CPU), str(OTHER), str(OWNER)],
        capture_output=True,
        text=True,
        timeout=100 * SLOW,
        check=False,
    )  # fmt: skip
    assert p.returncode == 0, p.stderr
    *found, last = p.stdout.splitlines()
    found = [line for line in found if line not in (grant, name)]
    assert int(last.split()[2]) > 15
    # the keeper's is its owner's, who alone is heard; the other two lie where the container's are led nowhere else
    keeper = f"socket /run/pinfold/keepers/{grant}.sock"
    assert keeper in found, found
    allowed = (keeper, f"mount /run/pinfold/links/{link}")
    assert [f for f in found if f not in allowed and f"/publish/{name}" not in f] == [], found


# --- images from a stranger -----------------------------------------------------------------------

TRAPS = ["/etc", "../../../etc", "/", "../../..", "/root", "/run/pinfold", "/no/such", "."]


@pytest.fixture
def victim(tmp_path):
    """A directory of the host that an image points at."""
    tmp_path.chmod(0o755)
    d = tmp_path / "victim"
    d.mkdir()
    (d / "secret").write_text("secret\n")
    return d


@pytest.mark.parametrize("place", ["dev", "sys", "run", "proc", "tmp", "var", "var/run", "etc"])
@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_hostile_image(pf, tmp_path, victim, place, way):
    """Whatever the image has there leads nowhere on the host."""
    root = tmp_path / "image"
    small_image(root)
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    target = str(victim) if way == "absolute" else "../" * 12 + str(victim).lstrip("/")
    os.symlink(target, root / place)
    before, image = listing(victim), listing(root)
    etc = os.stat("/etc").st_mtime_ns
    script = f"cat /{place}/secret; ls {victim}; echo x > /{place}/new; echo x > /tmp/ok; echo end"
    p = pf.run("--image", root, "--", "/bin/sh", "-c", script)
    assert "secret" not in p.stdout
    if p.returncode == 125:
        one_line(p, ".")
    else:
        assert p.stdout.endswith("end\n")
    assert listing(victim) == before and listing(root) == image
    assert os.stat("/etc").st_mtime_ns == etc


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_hostile_program(pf, tmp_path, victim, way):
    """A program that is a link to one of the host is looked for inside."""
    root = tmp_path / "image"
    small_image(root)
    program = victim / "program"
    program.write_text("#!/bin/sh\necho host\n")
    program.chmod(0o755)
    target = str(program) if way == "absolute" else "../" * 12 + str(program).lstrip("/")
    os.symlink(target, root / "bin/prog")
    pf.fails("run", *ONE, "--image", root, "--", "/bin/prog", like="'/bin/prog'", status=127)


def test_hostile_user_file(pf, tmp_path, victim):
    root = tmp_path / "image"
    small_image(root)
    (victim / "passwd").write_text("evil:x:77:77::/:/bin/sh\n")
    os.symlink(victim, root / "etc")
    pf.fails("run", *ONE, "--image", root, "--user", "evil", "--", "/bin/sh", like="user 'evil'")


@pytest.mark.parametrize("what", ["fifo", "device", "directory", "long"])
def test_user_file_that_is_none(pf, tmp_path, what):
    """Where the image has no file at etc/passwd, it is not opened."""
    root = tmp_path / "image"
    (root / "etc").mkdir(parents=True)
    passwd = root / "etc/passwd"

    def refused(why):
        like = f"user 'evil'.*{why}"
        pf.fails("plan", *ONE, "--image", root, "--user", "evil", "--", "/bin/sh", like=like)

    if what == "long":
        passwd.write_text("evil:x:77:77::/:/bin/sh\n" * 100_000)
        refused("longer")
    else:
        with never_opened(passwd, what):
            refused("not a file")


@pytest.mark.parametrize("target", ["/data", "/data/x/y"])
def test_hostile_volume_point(pf, tmp_path, victim, target):
    """A mount point that is a link in the image: refused, and nothing is made behind it."""
    root = tmp_path / "image"
    small_image(root)
    os.symlink(victim, root / "data")
    before = listing(victim)
    p = pf("run", *ONE, "--image", root, "-v", f"{tmp_path}:{target}:ro", "--", "/bin/true")
    assert p.returncode in (125, 127)
    p = pf("run", *ONE, "--image", root, "-v", f"{tmp_path}:{target}:ro", "--", "/bin/ls", "/")
    one_line(p, "link in the image")
    assert listing(victim) == before


def test_image_with_odd_name(pf, tmp_path):
    """Of what means something in the options of a mount."""
    tmp_path.chmod(0o755)
    root = tmp_path / "a,b:c\\d"
    small_image(root)
    assert "bin" in pf.ok("run", *ONE, "--image", root, "--", "/bin/ls", "/").split()


def test_arguments_that_are_not_text(pf):
    p = subprocess.run(
        [pf.path, "run", "--cpus", str(CPU), "--", b"/bin/echo", b"\xff"],
        capture_output=True,
        check=False,
    )
    assert p.returncode == 125 and p.stderr.startswith(b"pinfold: ")
    assert p.stderr.count(b"\n") == 1


def test_plan_of_other_machine_writes_nothing(pf, tree):
    flags = tree("two")
    before = listing(Path(flags[1]))
    json.loads(pf.ok(*flags, "plan", "--format", "json", "--cpus", "1", *TRUE))
    assert listing(Path(flags[1])) == before
