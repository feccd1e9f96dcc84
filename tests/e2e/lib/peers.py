# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Two on a link: one passes on what it has, the other keeps it."""

from workload import OTHER, PYTHON, unique

# Takes what others pass on, and keeps it until it ends.
TAKER = """
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777); s.listen(16)
print('up', flush=True)
kept = []
while True:
    c, _ = s.accept()
    kept += socket.recv_fds(c, 1, 4)[1]
    c.send(b'k')
"""
# Makes something of so many MiB, passes it on and ends.
GIVER = """
import mmap, os, socket, sys
path, kind, mib = sys.argv[1], sys.argv[2], int(sys.argv[3]) << 20
fds = []
if kind == 'pipes':
    while mib > 0:
        r, w = os.pipe()
        os.set_blocking(w, False)
        try:
            while mib > 0:
                mib -= os.write(w, bytes(4096))
        except BlockingIOError:
            pass
        fds.append(r)
elif kind == 'directory':
    fds.append(os.open('/dev/hugepages', os.O_PATH))
elif kind == 'cache':
    fds.append(os.open('/v/cache', os.O_RDWR | os.O_CREAT))
    os.write(fds[0], bytes(mib))
    os.fsync(fds[0])
else:
    fds.append(os.open('/dev/hugepages/f', os.O_RDWR | os.O_CREAT) if kind == 'file' else
               os.open('/tmp/f', os.O_RDWR | os.O_CREAT) if kind == 'tmp' else
               os.memfd_create('f', os.MFD_HUGETLB if kind == 'huge' else 0))
    os.ftruncate(fds[0], mib)
    m = mmap.mmap(fds[0], mib)
    for at in range(0, mib, 4096):
        m[at] = 1
for fd in fds:
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    socket.send_fds(s, [b'x'], [fd])
    s.recv(1)
print('given', flush=True)
"""


class Peers:
    """A taker on a link; givers come and go."""

    def __init__(self, pf):
        self.pf = pf
        self.link = unique("l")
        self.socket = f"/run/pinfold/links/{self.link}/s"
        self.flags = ["--memory", "128M", "--link", f"memif:{self.link}"]
        self.taker = unique("taker")
        pf.names.append(self.taker)
        program = [PYTHON, "-I", "-c", TAKER, self.socket]
        self.process = pf.start(
            "run", "--name", self.taker, "--cpus", OTHER, *self.flags, "--", *program
        )
        self.process.until("^up")

    def giver(self, kind, mib):
        """The program that gives it."""
        return [PYTHON, "-I", "-c", GIVER, self.socket, kind, mib]

    def give(self, kind, mib, *flags, name=None):
        """The name of the giver, and what pinfold said of its end."""
        name = name or unique("giver")
        self.pf.names.append(name)
        p = self.pf.run("--name", name, *self.flags, *flags, "--", *self.giver(kind, mib))
        assert (p.returncode, p.stdout) == (0, "given\n"), p.stderr
        return name, p.stderr

    def end(self):
        self.pf.ok("stop", "-t", "0", self.taker)
        self.process.end()
