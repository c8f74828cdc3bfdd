"""Who may include whom: the rooms of src/ form a stream, and nothing includes against it.

Also here: what a library's header may be seen by, and that no source lies around unbuilt.
Run by `make check`; `python3 tests/layout/test_includes.py` alone works, too.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# room: what it may include besides itself. A room's name allows all of its headers, "room/file.h" just that one.
# config/config.h is plain data that several rooms compile their own part of.
ROOMS = {
    "base": [],
    "config": ["base", "peer/classes.def"],
    "net": ["base", "config/config.h"],
    "tls": ["base", "config/config.h"],
    "peer": ["base", "config/config.h"],
    "http": ["base", "config/config.h"],
    "event": ["base", "tls/hello.h", "peer/classes.h", "peer/classes.def", "peer/chain.h", "peer/qualified.h",
              "peer/verdict.h"],
    "filter": ["base", "event"],
    "policy": ["base", "config/config.h", "event", "peer", "filter", "tls/hello.h"],
    "journal": ["base", "event"],
    "proxy": ["base", "config", "net", "tls", "peer", "http", "event", "filter", "policy", "journal"],
    "sink": ["base", "event", "filter", "journal"],
    "query": ["base", "event", "filter", "journal"],
    "proof": ["base", "event", "filter", "journal"],
    "admin": ["base", "config/config.h", "event", "journal", "proxy"],
    "cmd": ["base", "config", "net", "tls", "peer", "http", "event", "filter", "policy", "journal", "proxy",
            "sink", "query", "proof", "admin"],
    "main.c": ["cmd"],
}

# library header, or folder of headers: the rooms that may see it. cmd/ plays the client in `demo`.
LIBRARIES = {
    "gnutls/gnutls.h": ["tls", "cmd"],
    "gnutls/x509.h": ["tls", "peer", "cmd"],
    "gnutls/abstract.h": ["tls", "peer", "cmd"],
    "gnutls/crypto.h": ["tls", "peer", "config", "proxy", "cmd"],  # hashes
    "openssl/": ["tls"],  # the arithmetic of signatures
    "libfyaml.h": ["config"],
    "jansson.h": ["cmd", "query"],
    "ev.h": ["net", "proxy", "cmd"],
    "curl/": ["net"],
}
LIBRARY = re.compile(r"gnutls/|openssl/|libfyaml|jansson|curl/|ev\.h$|ev\+\+")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>|(\S.*))', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def violations(room, name, text):
    """Sentences about every include of `text` that a file of `room` must not have."""
    found = []
    for quoted, angled, other in INCLUDE.findall(COMMENT.sub(" ", text)):
        if other:
            found.append(f"{name}: an include that cannot be checked: {other}")
        elif quoted:
            target = quoted.split("/")[0]
            if "/" not in quoted or target in (".", "..") or ".." in quoted:
                found.append(f'{name}: "{quoted}" has to be written as "room/file.h"')
            elif target not in ROOMS:
                found.append(f'{name}: "{quoted}" is in no room that the table knows')
            elif target != room and target not in ROOMS[room] and quoted not in ROOMS[room]:
                found.append(f'{name}: {room} must not include "{quoted}"')
        elif LIBRARY.match(angled) and room not in LIBRARIES.get(angled, LIBRARIES.get(angled.split("/")[0] + "/", [])):
            found.append(f"{name}: {room} must not include <{angled}>")
    if re.search(r"\bgnutls_session_t\b", COMMENT.sub(" ", text)) and room not in ("tls", "cmd"):
        found.append(f"{name}: only tls knows gnutls_session_t")
    return found


def sources():
    """Every source of src/ with its room."""
    for path in sorted(SRC.rglob("*")):
        if path.suffix in (".c", ".h", ".def") and not path.name.startswith("."):
            parts = path.relative_to(SRC).parts
            yield parts[0], path


class Includes(unittest.TestCase):
    def test_every_include_goes_with_the_stream(self):
        found = []
        count = 0
        for room, path in sources():
            count += 1
            name = str(path.relative_to(ROOT))
            self.assertIn(room, ROOMS, f"{name} is in no room that the table knows")
            found += violations(room, name, path.read_text(encoding="utf-8"))
        self.assertGreater(count, 20, "the sources were not found")
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_the_table_has_no_circle(self):
        """Rooms that may see all of each other would be one room."""
        def reach(room, seen):
            for allowed in ROOMS[room]:
                if "/" not in allowed and allowed not in seen:
                    seen.add(allowed)
                    reach(allowed, seen)
            return seen
        for room in ROOMS:
            self.assertNotIn(room, reach(room, set()), f"{room} reaches itself")

    def test_includes_against_the_stream_are_caught(self):
        for room, text in [
            ("base", '#include "config/config.h"\n'),
            ("tls", '#include "peer/verdict.h"\n'),
            ("tls", '#include "config/load.h"\n'),
            ("peer", '  #  include "policy/decide.h"\n'),
            ("peer", "#include <gnutls/gnutls.h>\n"),
            ("event", '#include "tls/session.h"\n'),
            ("event", '#include "config/config.h"\n'),
            ("journal", '/* a reason */ \n#include "proxy/conn.h"\n'),
            ("query", '#include "proxy/snapshot.h"\n'),
            ("net", "#include <libfyaml.h>\n"),
            ("peer", "#include <openssl/x509.h>\n"),
            ("proxy", "#include <curl/curl.h>\n"),
            ("proxy", "static gnutls_session_t session;\n"),
            ("base", '#include "buf.h"\n'),
            ("base", '#include "../config/config.h"\n'),
            ("proxy", '#include "nowhere/file.h"\n'),
            ("proxy", "#include HEADER\n"),
            ("peer", "#include <gnutls/dtls.h>\n"),
        ]:
            with self.subTest(room=room, text=text):
                self.assertEqual(len(violations(room, "a.c", text)), 1)

    def test_includes_with_the_stream_pass(self):
        for room, text in [
            ("base", '#include "base/buf.h"\n#include <stdio.h>\n'),
            ("peer", '#include "config/config.h"\n#include <gnutls/x509.h>\n'),
            ("event", '#include "tls/hello.h"\n#include "peer/classes.def"\n'),
            ("tls", "#include <openssl/evp.h>\n#include <gnutls/gnutls.h>\n"),
            ("proxy", '#include "journal/journal.h"\n#include "tls/session.h"\n'),
            ("base", '/* #include "proxy/conn.h" */\n// #include "proxy/conn.h"\n'),
        ]:
            with self.subTest(room=room, text=text):
                self.assertEqual(violations(room, "a.c", text), [])


class Build(unittest.TestCase):
    def test_every_source_is_named_in_the_fragment_of_its_room(self):
        unnamed = []
        for room, path in sources():
            fragment = SRC / room / "Makefile.inc"
            name = str(path.relative_to(ROOT))
            if path.parent != SRC and name not in fragment.read_text(encoding="utf-8").split():
                unnamed.append(name)
        self.assertEqual(unnamed, [], "not built, or missing in the tarball")

    def test_every_unit_test_is_built(self):
        named = " ".join(p.read_text(encoding="utf-8") for p in SRC.glob("*/Makefile.inc")).split()
        tests = [str(p.relative_to(ROOT)) for p in sorted((ROOT / "tests/unit").rglob("*.c"))]
        self.assertGreater(len(tests), 0)
        self.assertEqual([t for t in tests if t not in named], [])

    def test_every_header_guards_itself(self):
        bare = [str(p.relative_to(ROOT)) for _, p in sources()
                if p.suffix == ".h" and "\n#pragma once\n" not in "\n" + p.read_text(encoding="utf-8")]
        self.assertEqual(bare, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
