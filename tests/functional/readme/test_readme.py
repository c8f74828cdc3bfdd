"""The README's first configuration is run as it stands: who follows it word for word gets what it says."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from lib import procs
from lib.proxy import PROGRAM

README = Path(__file__).resolve().parents[3] / "README.md"
TESTED = re.compile(r"^<!-- tested -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    return TESTED.findall(README.read_text(encoding="utf-8"))


def run(script, folder):
    """Runs it in bash in a session of its own, and ends whatever of that session is left."""
    env = dict(os.environ, PATH=f"{Path(PROGRAM).resolve().parent}:{os.environ['PATH']}")
    bash = subprocess.Popen(["bash", "-eu"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        # What runs in the background would keep our pipes open after a failure.
        out, err = bash.communicate("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + script,
                                    timeout=procs.PATIENCE * 3)
    except subprocess.TimeoutExpired:
        os.killpg(bash.pid, signal.SIGKILL)
        out, err = bash.communicate()
        raise AssertionError(f"the README's commands do not end\n{out}\n{err}") from None
    finally:
        try:
            os.killpg(bash.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert bash.returncode == 0, f"the README's commands ended with {bash.returncode}\n{out}\n{err}"
    return out, err


def test_every_shell_block_is_marked_as_tested():
    text = README.read_text(encoding="utf-8")
    assert len(blocks()) == len(re.findall(r"^```sh$", text, re.MULTILINE)) >= 5


def test_the_first_configuration_works_word_for_word(tmp_path):
    script = "\n".join(blocks())
    # Only the ports are ours: the README's may be taken on this machine.
    for port in ("8443", "9000"):
        assert port in script
        script = script.replace(port, str(procs.free_port()))
    out, err = run(script, tmp_path)

    assert "partner-a" in out and "api.example" in out and "Partner A CA" in out, f"what check prints: {out}"
    assert "hello from behind tlscribe" in out, f"{out}\n{err}"
    assert "refused: no certificate" in out and "refused: self-signed" in out, f"{out}\n{err}"
    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    handshakes = [e for e in events if e["event"]["action"] == "tls-handshake"]
    # The first curl may have knocked before the back end was up; it came in each time.
    kinds = [(e["tlscribe"]["class"], e["tlscribe"]["decision"], e["tlscribe"]["verified"]) for e in handshakes]
    assert kinds[-2:] == [("no_certificate", "deny", False), ("self_signed", "deny", False)], kinds
    assert set(kinds[:-2]) == {("ok", "allow", True)}, kinds
    assert events[-1]["event"]["action"] == "audit.stop"


def test_the_files_it_points_to_exist():
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert len(links) > 5
    assert [link for link in links if not (README.parent / link).exists()] == []
