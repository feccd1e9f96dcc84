# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""The image of the device plug-in as docs/engines.md has it made: its lines are typed as they stand there, into a Podman
and a containerd that have nothing else."""

import os
import re
import shlex
import subprocess
import tempfile

import documents
import pytest

from engines import Containerd, Podman
from places import TOP, program
from workload import SLOW, needs_root

PLUGIN = TOP / os.environ.get(
    "PINFOLD_DEVICE_PLUGIN", "build/src/deviceplugin/pinfold-device-plugin"
)
LACKS = Podman.lacks() or Containerd.lacks()
pytestmark = [
    needs_root,
    pytest.mark.skipif(LACKS != "", reason=LACKS),
    pytest.mark.skipif(not PLUGIN.exists(), reason="gRPC is not installed"),
]
MANIFEST = TOP / "data/kubernetes/device-plugin.yaml"


def lines():
    """Those that make it, up to the one that needs a cluster (test_kubernetes.py has its manifests)."""
    found = [c.text for c in documents.commands("docs/engines.md")[0]]
    first = next(i for i, text in enumerate(found) if text.startswith("pinfold image build"))
    last = next(i for i, text in enumerate(found) if text.startswith("kubectl "))
    return found[first:last]


@pytest.fixture
def engines(pinfold):
    # short: the path of a socket has 108 bytes at most
    with tempfile.TemporaryDirectory(prefix="pf-", dir="/tmp") as top:
        made = []
        for kind in (Podman, Containerd):
            where = os.path.join(top, kind.package)
            os.makedirs(where)
            made.append(kind(where, None, pinfold))
        yield made
        for engine in made:
            engine.end()


def test_the_image_of_the_plugin(engines, pinfold, tmp_path):
    podman, containerd = engines
    typed = lines()
    assert len(typed) == 4 and sum("podman" in line for line in typed) == 2, typed
    script = [
        *(
            f'{words[0]}() {{ command {shlex.join(map(str, words))} "$@"; }}'
            for words in (podman.words(), containerd.words())
        ),
        "set -eo pipefail",
        f"cd {shlex.quote(str(tmp_path))}",  # who enters a mount namespace is at its root
        *typed,
    ]
    inside = program("PINFOLD_INSIDE", "build/src/inside/pinfold-inside")
    places = [os.path.dirname(p) for p in (pinfold, str(PLUGIN), str(inside))]
    p = subprocess.run(
        podman.enter("bash", "-c", "\n".join(script)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100 * SLOW,
        check=False,
        env=podman.environment() | {"PATH": ":".join([*places, os.environ["PATH"]])},
    )
    assert p.returncode == 0, p
    # what the manifest names
    image = re.search(r"image: (\S+)", MANIFEST.read_text())[1]
    assert containerd("-n", "k8s.io", "images", "ls", "-q").stdout.split() == [image]
    # and has the program where its container looks for one
    command = re.search(r'command: \["([^"]+)"', MANIFEST.read_text())[1]
    words = ["tar", "-tf", tmp_path / "plugin.tar"]
    listing = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert any(f"./{d}/{command}" in listing for d in ("usr/local/bin", "usr/bin", "bin")), listing
