# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""make install puts everything where it belongs, and make uninstall takes all of it away."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from places import TOP

pytestmark = [pytest.mark.anywhere]
PREFIX = "/usr/local"


def files(top):
    return {str(p.relative_to(top)) for p in top.rglob("*") if not p.is_dir()}


def make(target, destdir):
    return subprocess.run(
        ["make", "-s", "-C", str(TOP), target, f"DESTDIR={destdir}", f"PREFIX={PREFIX}"],
        capture_output=True,
        text=True,
        check=True,
    )


def named(folder, pattern):
    return {p.name for p in (TOP / folder).glob(pattern)}


@pytest.mark.limit(120)
def test_builds_without_tests(tmp_path):
    """A packager needs no library of the tests; the programs are all there."""

    def meson(*args):
        return subprocess.run(
            ["meson", *args], cwd=TOP, capture_output=True, text=True, check=True
        ).stdout

    meson("setup", "-Dtests=false", str(tmp_path / "build"))
    needed = json.loads(meson("introspect", "--dependencies", str(tmp_path / "build")))
    assert "cmocka" not in {d["name"] for d in needed}
    targets = json.loads(meson("introspect", "--targets", str(tmp_path / "build")))
    assert {t["name"] for t in targets if t["type"] == "executable"} >= {
        "drover",
        "pinfold",
        "pinfold-inside",
    }


@pytest.mark.limit(300)
def test_install_and_uninstall(pinfold, tmp_path):
    make("install", tmp_path)
    at = PREFIX.lstrip("/")
    doc = f"{at}/share/doc/pinfold"
    wanted = {
        f"{at}/bin/pinfold",
        f"{at}/bin/pinfold-runtime",
        f"{at}/bin/drover",
        f"{at}/libexec/pinfold/fetch-kernel",
        f"{at}/libexec/pinfold/pinfold-fetch",
        f"{at}/libexec/pinfold/pinfold-inside",
        f"{at}/share/bash-completion/completions/pinfold",
        f"{at}/share/bash-completion/completions/drover",
        f"{at}/lib/systemd/system/pinfold-keepers.service",
        f"{at}/lib/systemd/system/pinfold-nics.service",
        f"{at}/lib/systemd/system/pinfold@.service",
        "etc/apparmor.d/pinfold-default",
        *(f"{doc}/{name}" for name in ("CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md")),
    }
    schemas = named("data/schemas", "*.json") | {
        name.removesuffix(".in") for name in named("data/schemas", "*.json.in")
    }
    wanted |= {f"{at}/share/pinfold/schemas/{name}" for name in schemas}
    wanted |= {f"{doc}/docs/{name}" for name in named("docs", "*.md")}
    wanted |= {f"{doc}/data/drover/{name}" for name in named("data/drover", "*.cfg")}
    wanted |= {f"{doc}/data/kubernetes/{name}" for name in named("data/kubernetes", "*.yaml")}
    if (TOP / "build/src/deviceplugin/pinfold-device-plugin").exists():  # gRPC is installed
        wanted.add(f"{at}/bin/pinfold-device-plugin")
    assert files(tmp_path) == wanted
    for name in ("-keepers", "-nics", "@"):
        unit = (tmp_path / at / f"lib/systemd/system/pinfold{name}.service").read_text()
        assert not re.search("@[a-z]+@", unit)
        for path in re.findall(r"=(?:file:/)?(/usr/local\S+)", unit):
            assert (tmp_path / path.lstrip("/")).exists(), path
    for page in (tmp_path / doc).rglob("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} names {link}"
    make("uninstall", tmp_path)
    assert files(tmp_path) == set()


COMPLETE = """
. "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_pinfold "$1" "${!#}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    "words, wanted",
    [
        ("pinfold ru", {"run", "runtime"}),
        ("pinfold run --hugep", {"--hugepages"}),
        ("pinfold run --cpus 1 -- --he", {""}),
        ("drover run --squ", {"--squeeze"}),
    ],
)
def test_completion(pinfold, words, wanted):
    folders = [Path(pinfold).parent, Path(pinfold).parents[2] / "drover"]
    path = ":".join([*map(str, folders), os.environ["PATH"]])
    p = subprocess.run(
        ["bash", "-c", COMPLETE, str(TOP / "data/completion/pinfold"), *words.split()],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(p.stdout.splitlines()) == wanted
