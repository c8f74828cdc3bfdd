"""A configuration file for `tlscribe check`, and what that says of it."""

import re
import subprocess

from lib.proxy import PROGRAM, yaml


def run(*arguments):
    return subprocess.run([PROGRAM, "check", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)


class Site:
    """A configuration file that can be changed and checked."""

    def __init__(self, folder, services, **settings):
        self.file = folder / "tlscribe.yaml"
        self.config = {"node": "test", "state": str(folder / "state"),
                       "listeners": [{"bind": "127.0.0.1:8443"}], "services": services, **settings}

    def write(self):
        self.file.write_text(yaml(self.config))
        return self.file

    def check(self, *arguments):
        return run("-c", self.write(), *arguments)

    def place(self, needle, count=1):
        """FILE:LINE:COLUMN of the count-th key or value that is `needle`, of its quote if it has one."""
        for number, line in enumerate(self.file.read_text().splitlines(), 1):
            found = re.search(rf'(?<![^\s"])"?{re.escape(needle)}(?="?$|:)', line)
            if found:
                count -= 1
                if count == 0:
                    return f"{self.file}:{number}:{found.start() + 1}"
        raise AssertionError(f"{needle} is not in\n{self.file.read_text()}")

    def refused(self, needle, sentence, count=1):
        """Is refused with exactly this one complaint at this place; `sentence` is a regular expression."""
        got = self.check()
        assert got.returncode == 1, got
        assert got.stdout == ""
        lines = got.stderr.splitlines()
        assert len(lines) == 1, got.stderr
        place = self.place(needle, count)
        assert lines[0].startswith(place + ": "), f"{lines[0]} is not at {place}"
        assert re.fullmatch(sentence, lines[0][len(place) + 2:]), got.stderr

    def warned(self, needle, sentence, count=1):
        """Can be used, with exactly this one warning."""
        got = self.check()
        assert got.returncode == 0, got
        lines = got.stderr.splitlines()
        assert len(lines) == 1, got.stderr
        place = self.place(needle, count) + ": warning: "
        assert lines[0].startswith(place), f"{lines[0]} is not at {place}"
        assert re.fullmatch(sentence, lines[0][len(place):]), got.stderr
