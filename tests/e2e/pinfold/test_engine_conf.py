# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""pinfold runtime configure: what it makes of an engine's configuration."""

import json
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.anywhere
ENGINES = ["containerd", "crio", "docker", "podman"]
TOML = 'version = 2\n\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    x = "y"\n'


@pytest.fixture
def configure(pinfold, tmp_path):
    file = tmp_path / "below/conf"

    def call(engine, *words, status=0):
        command = [pinfold, "runtime", "configure", engine, "--file", str(file), *words]
        p = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert p.returncode == status, p
        if status != 0:
            assert p.stdout == "" and p.stderr.startswith("pinfold: ")
            assert p.stderr.count("\n") == 1
        return p.stderr if status else p.stdout

    call.file = file
    return call


@pytest.mark.parametrize("engine", ENGINES)
def test_made_once_and_taken_out(configure, engine):
    """A file that is not there."""
    shown = configure(engine, "--dry-run")
    assert re.match(r"--- /dev/null\n\+\+\+ .*/conf\n\+", shown) and "pinfold-runtime" in shown
    assert not configure.file.exists()
    assert configure(engine).startswith(shown)
    first = configure.file.read_text()
    assert configure(engine) == f"'{configure.file}' stays as it is\n"
    assert configure.file.read_text() == first
    removed = configure(engine, "--remove")
    assert "\n+++ /dev/null\n-" in removed and not configure.file.exists()
    assert "stays as it is" in configure(engine, "--remove")


@pytest.mark.parametrize(
    "engine, text",
    [
        ("docker", '{\n    "log-level": "warn",\n    "big": 12345678901234567890.5\n}\n'),
        ("containerd", TOML),
        ("containerd", TOML.rstrip("\n").replace("version = 2", "version=3 # new")),
    ],
)
def test_what_was_there_stays(configure, engine, text):
    configure.file.parent.mkdir()
    configure.file.write_text(text)
    configure.file.chmod(0o640)
    configure(engine)
    now = configure.file.read_text()
    assert configure.file.stat().st_mode & 0o777 == 0o640
    if engine == "docker":
        assert "12345678901234567890.5" in now
        assert json.loads(now)["log-level"] == "warn"
        assert list(json.loads(now)["runtimes"]) == ["pinfold"]
    else:
        assert now.startswith(text)
        assert ('"io.containerd.cri.v1.runtime"' in now) == ("=3" in text)
    kept = configure.file.with_name("conf.before-pinfold")
    assert kept.read_text() == text
    configure(engine, "--remove")
    assert configure.file.read_text().rstrip("\n") == text.rstrip("\n")
    assert kept.read_text() == now


def test_docker_usual_runtime(configure):
    configure.file.parent.mkdir()
    configure.file.write_text('{"runtimes": {"other": {"path": "/x"}}, "default-runtime": "other"}')
    configure("docker", "--default")
    doc = json.loads(configure.file.read_text())
    assert doc["default-runtime"] == "pinfold" and set(doc["runtimes"]) == {"other", "pinfold"}
    configure("docker", "--remove")
    assert json.loads(configure.file.read_text()) == {"runtimes": {"other": {"path": "/x"}}}


@pytest.mark.parametrize(
    "engine, text, like",
    [
        ("docker", "{", "conf: line 1"),
        ("docker", "[]", "no JSON object"),
        ("docker", '{"runtimes": 7}', "'runtimes' is no object"),
        ("containerd", "[plugins]\n", "of version 1"),
        ("containerd", TOML + "[plugins.cri.containerd.runtimes.pinfold]\n", "of its own"),
        ("containerd", TOML + "# begin pinfold runtime configure\n", "without its end"),
    ],
)
def test_what_is_refused(configure, engine, text, like):
    configure.file.parent.mkdir()
    configure.file.write_text(text)
    assert like in configure(engine, status=125)
    assert configure.file.read_text() == text
    assert [p.name for p in configure.file.parent.iterdir()] == ["conf"]


def test_words(configure, pinfold):
    assert "containerd, crio, docker or podman" in configure("lxc", status=125)
    assert "--default is for docker" in configure("podman", "--default", status=125)
    assert "did you mean '--dry-run'" in configure("podman", "--dri-run", status=125)
    p = subprocess.run([pinfold, "runtime", "configure"], capture_output=True, check=False)
    assert p.returncode == 125 and b"say containerd, crio, docker or podman" in p.stderr


def test_containerd_understands_it(configure):
    if shutil.which("containerd") is None:
        pytest.skip("package containerd is not installed")
    configure.file.parent.mkdir()
    configure.file.write_text(TOML.replace('    x = "y"\n', ""))
    configure("containerd")
    command = ["containerd", "-c", str(configure.file), "config", "dump"]
    p = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    block = p.stdout[p.stdout.index("containerd.runtimes.pinfold]") :]
    assert 'pod_annotations = ["dev.pinfold.*"]' in block[:900]
    assert re.search(r'BinaryName = ".*/pinfold-runtime"', block[:900])
