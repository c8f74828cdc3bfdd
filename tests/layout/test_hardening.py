"""The binary as built by default is hardened: what an attacker with one memory error would have to get past.

Reads the ELF file with binutils. Run by `make check` of a hardened build, which says by TLSCRIBE_BUILDDIR where the
binary is; builds with sanitizers or with --disable-hardening leave it out.
"""

import os
import pathlib
import platform
import re
import subprocess
import unittest

BINARY = pathlib.Path(os.environ.get("TLSCRIBE_BUILDDIR", "build")) / "tlscribe"


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


class Hardening(unittest.TestCase):
    def test_it_is_a_position_independent_executable(self):
        self.assertRegex(output_of("readelf", "-hW", BINARY), r"Type:\s+DYN ")
        self.assertRegex(output_of("readelf", "-dW", BINARY), r"FLAGS_1\).*\bPIE\b")

    def test_relocations_are_read_only_before_main_runs(self):
        self.assertRegex(output_of("readelf", "-lW", BINARY), r"\bGNU_RELRO\b")
        self.assertRegex(output_of("readelf", "-dW", BINARY), r"\bBIND_NOW\b|FLAGS_1\).*\bNOW\b")

    def test_the_stack_is_not_executable(self):
        stack = re.search(r"^\s*GNU_STACK.*$", output_of("readelf", "-lW", BINARY), re.MULTILINE)
        self.assertIsNotNone(stack)
        self.assertNotRegex(stack.group(0), r"\bRWE\b")

    def test_no_segment_is_writable_and_executable(self):
        self.assertNotRegex(output_of("readelf", "-lW", BINARY), r"(?m)^\s*LOAD\b.*\bRWE\b")

    def test_functions_with_arrays_carry_a_stack_canary(self):
        self.assertIn("__stack_chk_fail", output_of("readelf", "--dyn-syms", "-W", BINARY))

    def test_library_calls_are_checked_for_overflow(self):
        symbols = output_of("readelf", "--dyn-syms", "-W", BINARY)
        if "_FORTIFY_SOURCE=2" not in (BINARY.parent / "Makefile").read_text():
            self.skipTest("without optimisation there is no FORTIFY_SOURCE")
        self.assertRegex(symbols, r"__\w+_chk\b(?<!__stack_chk)")

    @unittest.skipUnless(platform.machine() == "x86_64", "control-flow enforcement is x86's")
    def test_indirect_calls_land_on_marked_places_only(self):
        main = output_of("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", BINARY)
        self.assertRegex(main, r"<main>:\n\s+[0-9a-f]+:\s+endbr64")

    @unittest.skipUnless(platform.machine() == "x86_64", "control-flow enforcement is x86's")
    def test_it_declares_itself_fit_for_a_shadow_stack(self):
        self.assertRegex(output_of("readelf", "-nW", BINARY), r"x86 feature:.*\bSHSTK\b")


if __name__ == "__main__":
    unittest.main(verbosity=2)
