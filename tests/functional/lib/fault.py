"""Faults of the machine, injected by strace into a running process."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from lib import procs


class Injection:
    """`with Injection(pid, "fdatasync:error=EIO"):` - every thread, until the end of the block."""

    def __init__(self, pid, inject, folder):
        self.pid, self.inject = pid, inject
        self.out = Path(folder) / "strace.out"
        self.err = Path(folder) / "strace.err"

    def __enter__(self):
        calls = self.inject.split(":", 1)[0]
        strace = shutil.which("strace")
        assert strace, "strace is needed for this test"
        threads = len(os.listdir(f"/proc/{self.pid}/task"))
        with open(self.err, "wb") as err:
            self.process = subprocess.Popen([strace, "-f", "-o", str(self.out), "-e", "trace=" + calls, "-e",
                                             "inject=" + self.inject, "-p", str(self.pid)], stdin=subprocess.DEVNULL,
                                            stdout=err, stderr=err)

        def attached():
            assert self.process.poll() is None, "strace: " + self.err.read_text()
            traced = 0
            for task in os.listdir(f"/proc/{self.pid}/task"):
                status = Path(f"/proc/{self.pid}/task/{task}/status").read_text()
                traced += f"TracerPid:\t{self.process.pid}\n" in status
            return traced >= threads
        procs.wait_for(attached, lambda: "strace to attach: " + self.err.read_text())
        return self

    def __exit__(self, *_):
        # strace lets go of the process on SIGTERM.
        procs.end(self.process, signal.SIGTERM)

    def hits(self):
        return self.out.read_text(errors="replace").count("INJECTED") + self.out.read_text(
            errors="replace").count("DELAYED")
