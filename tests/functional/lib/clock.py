"""Another time of day for the program under test: clock.c is preloaded, and says what the test wrote."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


class Clock:
    """`Proxy.start(before=clock.before())`; stands still at the moment of the last `set`, for every process that has it."""

    def __init__(self, folder, moment):
        self.file, self.library = Path(folder) / "clock", Path(folder) / "clock.so"
        if not self.library.exists():
            subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
                            "-o", str(self.library), str(SOURCE)], check=True, timeout=120)
        self.file.write_bytes(bytes(8))
        self.set(moment)

    def set(self, moment):
        """In place: it is mapped."""
        with open(self.file, "r+b") as f:
            f.write(int(moment.timestamp()).to_bytes(8, "little", signed=True))

    def before(self):
        """A sanitizer wants to be the first library, and need not be: what it intercepts is called from the program."""
        asan = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=20")
        return ["env", f"LD_PRELOAD={self.library}", f"TLSCRIBE_TEST_CLOCK={self.file}",
                f"ASAN_OPTIONS={asan}:verify_asan_link_order=0"]
