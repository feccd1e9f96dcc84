# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""A shell that commands are typed into, one after the other: variables and directories stay."""

import os
import select
import signal
import subprocess
import time
import uuid


def heed_interrupts():
    """A shell has what it starts in the background ignore them, and a shell that begins so cannot change it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Shell:
    def __init__(self, command, **kw):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its group is who gets ^C
            preexec_fn=heed_interrupts,
            **kw,
        )
        status, said = self("trap : INT", 60)
        assert status == 0, said

    def __call__(self, text, seconds, until=None):
        """The exit status and what was printed. With until, ^C is typed once that is true of it."""
        mark = uuid.uuid4().hex
        typed = f"{{ {text}\n}} </dev/null\nprintf '\\n{mark} %d\\n' $?\n"
        self.process.stdin.write(typed.encode())
        self.process.stdin.flush()
        said, late = b"", False
        deadline, again = time.monotonic() + seconds, time.monotonic() + 0.2
        while (end := said.find(f"\n{mark} ".encode())) < 0 or not said.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                # what is typed next is to find the shell listening
                assert not late, f"{text!r} does not heed ^C"
                late, deadline = True, deadline + 5
                os.killpg(self.process.pid, signal.SIGINT)
            now = time.monotonic()
            if until is not None and now > again and until(said.decode(errors="replace")):
                # again later: what was typed may not have begun yet
                os.killpg(self.process.pid, signal.SIGINT)
                again = now + 1
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                more = os.read(self.process.stdout.fileno(), 65536)
                assert more, f"the shell ended:\n{said.decode(errors='replace')}"
                said += more
        printed = said[:end].decode(errors="replace")
        assert not late, f"{text!r} did not end in {seconds} s:\n{printed[-2000:]}"
        return int(said[end:].split()[1]), printed

    def end(self):
        """With all of its group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.communicate()
