# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What host prepare --persist has GRUB put on the kernel's command line, by GRUB's own programs: with an /etc and a /boot of
the test's."""

import json
import re
import shutil
import subprocess

import pytest

from places import is_roots
from workload import CPU, needs_pages, needs_root, needs_two, pool

WORDS = r" pinfold\.words=begin (.*) pinfold\.words=end"
# of the package grub2-common, without which update-grub is nowhere and the machine that runs the tests boots as it did
UPDATE = '#!/bin/sh\nset -e\nexec grub-mkconfig -o /boot/grub/grub.cfg "$@"\n'
OWN = r"""
set -e
mount -t tmpfs none /etc/systemd/system
mount -t tmpfs none /etc/default
mount -o loop "$1" /boot
mount -t overlay none -o "lowerdir=$2:/usr/sbin" /usr/sbin
mkdir -p /boot/grub /etc/default/grub.d
echo a kernel >/boot/vmlinuz-6.1.0-1-amd64
echo another >/boot/vmlinuz-6.1.0-2-amd64
printf '%s\n' 'GRUB_CMDLINE_LINUX_DEFAULT=quiet' 'GRUB_CMDLINE_LINUX="console=ttyS0 mine=1"' >/etc/default/grub
echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX theirs=2"' >/etc/default/grub.d/50-theirs.cfg
exec sh -ec "$3" "$4"
"""
SHOW = "; echo ----; cat /boot/grub/grub.cfg; ls /etc/default/grub.d; echo ----\n"


def lacks():
    if shutil.which("grub-mkconfig") is None:
        return "package grub-common is not installed"
    p = subprocess.run(
        ["grub-probe", "--target=device", "/"], capture_output=True, text=True, check=False
    )
    return p.stderr.strip() if p.returncode != 0 else ""


pytestmark = [needs_root, needs_two, needs_pages(4), pytest.mark.limit(240)]


@pytest.fixture
def boot(pf):
    """A function that has a script run beside GRUB, and says what it printed."""
    if lacks() != "":
        pytest.skip(lacks())
    if not is_roots(pf.path):
        pytest.skip("others than root may change the program: install it, and set PINFOLD")
    image, programs = pf.directory / "boot", pf.directory / "sbin"
    programs.mkdir()
    (programs / "update-grub").write_text(UPDATE)
    (programs / "update-grub").chmod(0o755)
    with image.open("wb") as f:
        f.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True, timeout=50)

    def run(script):
        p = subprocess.run(
            ["unshare", "-m", "sh", "-c", OWN, "sh", image, programs, script, pf.path],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert p.returncode == 0, p.stdout + p.stderr
        return p

    yield run
    pf("host", "undo")


def lines(config):
    """The linux lines of a configuration: of each kernel one, and its recovery."""
    found = re.findall(r"^\s*linux\s+(.*)$", config, re.M)
    assert len(found) >= 4 and all("vmlinuz-6.1.0-" in line for line in found), config
    return found


def test_words(boot):
    """Behind those of others, on every entry; a later call has its own in their place, and undo none."""
    want, less = pool("nr") + 4, pool("nr") + 2
    script = (
        f'"$0" host prepare --json --persist --cpus {CPU} --hugepages 2M={want}'
        f'{SHOW}"$0" host prepare --json --persist --hugepages 2M={less}{SHOW}"$0" host undo{SHOW}'
    )
    first, config, second, later, undone, after, _ = boot(script).stdout.split("----\n")
    words = json.loads(first)["command-line"]
    assert f"hugepages={want}" in words and f"isolcpus=managed_irq,domain,{CPU}" in words
    for line in lines(config):
        assert re.search(f"console=ttyS0 mine=1 theirs=2{WORDS}", line)[1] == words
    assert "90-pinfold.cfg" in config
    for line in lines(later):
        found = re.findall(WORDS, line)
        assert found == [json.loads(second)["command-line"]] and f"hugepages={less}" in found[0]
        assert "isolcpus" not in line
    assert "removed: /etc/default/grub.d/90-pinfold.cfg" in undone
    for line in lines(after):
        assert "mine=1 theirs=2" in line and "pinfold" not in line and "hugepages" not in line
    assert "90-pinfold.cfg" not in after and "50-theirs.cfg" in after


def test_configuration_that_cannot_be_made(boot):
    """As when somebody has misspelt a file: nothing is kept, and what boots is as it was."""
    more = f"--hugepages 2M={pool('nr') + 4}"
    script = (
        f"update-grub 2>&1; echo '(' >/etc/default/grub.d/60-x.cfg; "
        f'! "$0" host prepare --persist {more}{SHOW}ls /etc/systemd/system'
    )
    p = boot(script)
    assert p.stderr == (
        "pinfold: it is prepared until the next boot, and nothing new is kept for later ones: "
        "'/usr/sbin/update-grub' has failed: call it by hand, for what it says\n"
    )
    _, config, units = p.stdout.split("----\n")
    assert "pinfold" not in config and len(lines(config)) >= 4 and units == ""
