"""Processes, ports and waiting: what every test needs around the program under test."""

import collections
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

# Sanitizers and loaded machines are slow; a wait ends as soon as its condition holds, so this costs nothing.
PATIENCE = float(os.environ.get("TLSCRIBE_PATIENCE", "30"))


def wait_for(condition, what, patience=None, pause=0.01):
    """Calls `condition` until it gives something true, and returns that. `what` is said when it never does."""
    deadline = time.monotonic() + (patience or PATIENCE)
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience or PATIENCE:.0f} s in vain for {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def free_port(family=socket.AF_INET):
    """A port below those that the kernel gives to clients: one of theirs may be taken before the proxy gets to it."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Proxies share ports by SO_REUSEPORT, so nobody would notice if two test processes chose the same: each has its own, and so has
    # each of up to three runs side by side.
    count = 8 * 3
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8 * 3 + int(os.environ.get("TLSCRIBE_PORTS", 0)) % 3
    for _ in range(1000):
        port = random.randrange(min(10240, lowest - 2000), lowest)
        if port in _given or port % count != number:
            continue
        try:
            for kind in {socket.AF_INET, family}:
                with socket.socket(kind) as s:
                    s.bind(("", port))
        except OSError:
            continue
        _given.append(port)
        return port
    raise AssertionError(f"no free port below {lowest}")


_sources = itertools.count()
_given = collections.deque(maxlen=200)  # not bound yet, perhaps; there are not ports enough for each to be given once


def own_source(address):
    """A loopback address that no other connection of this test run comes from, so that each one's event is found by it:
    ports come up again within seconds. None where the listener is not on IPv4."""
    if address.startswith("unix:") or address.startswith("["):
        return None
    number = next(_sources)
    return f"127.{1 + number // 64516}.{1 + number // 254 % 254}.{1 + number % 254}"


def listening(address):
    """The inodes of the sockets that listen on HOST:PORT, [IPv6]:PORT or unix:/path; looked up, so that
    nothing connects."""
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
        return {row[6] for row in rows if len(row) > 7 and row[7] == path and row[5] == "01"}
    port = int(address.rsplit(":", 1)[1])
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            row = line.split()
            if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port:
                found.add(row[9])
    return found


def rss(pid):
    """Resident bytes."""
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def catches(pid, number):
    """Whether the process has a handler for this signal."""
    mask = int(re.search(r"SigCgt:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())[1], 16)
    return bool(mask >> (number - 1) & 1)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def end(process, how=signal.SIGTERM, patience=None):
    """Ends a Popen by its pid and gives its exit code; kills it when it does not obey."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(patience or PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"process {process.pid} did not end after {signal.Signals(how).name}") from None
