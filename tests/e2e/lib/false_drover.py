# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A program that says that it is a drover."""

# What listens where drover would, and does not what it would.
FALSE_DROVER = """
import os, select, socket, sys
where = sys.argv[1]
os.makedirs(where)
s = socket.socket(socket.AF_UNIX)
s.bind(where + "/drover.sock")
s.listen(0 if sys.argv[2] == "full" else 9)
if sys.argv[2] == "full":
    full = socket.socket(socket.AF_UNIX)
    full.connect(where + "/drover.sock")
all = [s]
for i in range(16 if sys.argv[2] == "many" else 0):
    os.makedirs(f"{where}{i}")
    all.append(socket.socket(socket.AF_UNIX))
    all[-1].bind(f"{where}{i}/drover.sock")
    all[-1].listen()
if sys.argv[2] == "link":
    os.symlink("real", "/run/dpdk")
print("up", flush=True)
if sys.argv[2] in ("silent", "full"):
    import time
    time.sleep(1000)
while True:
    c = select.select(all, [], [])[0][0].accept()[0]
    try:
        c.recv(99)
        if sys.argv[2] == "endless":
            while True:
                c.send(b"[" * 4096)
        for part in [bytes([b]) for b in b"x" * 9999] if sys.argv[2] == "slow" else []:
            c.send(part)
            import time
            time.sleep(0.3)
        c.send(sys.argv[3].encode() + b"\\n")
        c.close()
    except OSError:
        pass
"""
NUMBERS = '{"ports": [{"ipackets": 7, "opackets": "\\u001b[2J"}], "tasks": []}'
