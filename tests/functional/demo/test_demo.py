"""The demo records every class that a client can cause, and leaves nothing behind."""

import json
import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from lib.proxy import PROGRAM

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE = float(os.environ.get("TLSCRIBE_PATIENCE", "60"))
# What no client can cause; wrong_name is a back end's.
NOT_BY_A_CLIENT = {"shutdown", "internal_error", "wrong_name"}


def demo(tmp, *args, **more):
    env = dict(os.environ, TMPDIR=str(tmp), **more)
    return subprocess.run([PROGRAM, "demo", *args], env=env, capture_output=True, text=True, timeout=2 * PATIENCE)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary"), tmp_path_factory.mktemp("kept") / "state"


@pytest.fixture(scope="module")
def once(places):
    tmp, state = places
    done = demo(tmp, "--once", "--state", str(state))
    print(done.stdout + done.stderr)
    return done


def journal(state):
    done = subprocess.run([PROGRAM, "query", "--state", str(state)], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def handshakes(state):
    return [e for e in journal(state) if e["event"]["action"] == "tls-handshake"]


def test_every_class_was_recorded_as_expected(once):
    assert once.returncode == 0, once.stdout + once.stderr
    counted = re.search(r"^(\d+) of (\d+) handshakes recorded as expected$", once.stdout, re.MULTILINE)
    assert counted is not None
    assert counted.group(1) == counted.group(2)


def test_every_class_that_a_client_can_cause_is_shown(once, places):
    table = (CHECKOUT / "src/peer/classes.def").read_text()
    classes = set(re.findall(r'^CLASS\(\w+,\s*"(\w+)"', table, re.MULTILINE))
    recorded = {e["tlscribe"]["class"] for e in handshakes(places[1])}
    assert recorded == classes - NOT_BY_A_CLIENT
    for name in recorded:
        assert re.search(rf"\b{name}\b", once.stdout), f"{name} has no row"


def test_one_row_stands_for_each_recorded_handshake(once, places):
    rows = re.findall(r"^\d\d:\d\d:\d\d\.\d\d\d  127\.0\.0\.1:\d+ ", once.stdout, re.MULTILINE)
    assert len(rows) == len(handshakes(places[1]))


def test_the_same_fault_is_refused_at_one_listener_and_recorded_at_the_other(once, places):
    decisions = {e["tlscribe"]["decision"] for e in handshakes(places[1]) if e["tlscribe"]["class"] == "expired"}
    assert decisions == {"deny", "allow_unverified"}


def test_only_a_good_certificate_gives_a_verified_user(once, places):
    for event in handshakes(places[1]):
        good = event["tlscribe"]["class"] == "ok"
        assert event["tlscribe"]["verified"] == good
        assert ("name" in event.get("user", {})) == good


def test_output_into_a_pipe_has_no_escape_sequences(once):
    assert "\x1b" not in once.stdout


def test_nothing_temporary_is_left(once, places):
    assert os.listdir(places[0]) == []


def test_a_kept_journal_is_continued(once, places):
    before = journal(places[1])
    again = demo(places[0], "--once", "--state", str(places[1]))
    assert again.returncode == 0, again.stdout + again.stderr
    after = journal(places[1])
    assert after[: len(before)] == before
    assert [e["event"]["sequence"] for e in after] == list(range(len(after)))


def read_until(stream, end):
    lines = []
    for line in stream:
        lines.append(line)
        if end in line:
            return "".join(lines)
    raise AssertionError("ended early:\n" + "".join(lines))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_up_until_a_signal_and_its_curl_lines_work(tmp_path, number):
    process = subprocess.Popen([PROGRAM, "demo"], env=dict(os.environ, TMPDIR=str(tmp_path)), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        text = read_until(process.stdout, "Ctrl-C ends it.")
        print(text)
        curls = re.findall(r"^curl .*?\\\n.*$", text, re.MULTILINE)
        assert len(curls) == 3
        answers = [subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE) for line in curls]
        # valid at strict, expired at strict, expired at passthrough
        assert [a.returncode == 0 for a in answers] == [True, False, True], [a.stderr for a in answers]
        assert answers[0].stdout == "hello from behind tlscribe\n"
        assert "openssl s_client -connect 127.0.0.1:" in text
        row = read_until(process.stdout, "allow_unverified")
        assert "expired" in row
    finally:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        print(out, err)
    assert process.returncode == 0
    assert os.listdir(tmp_path) == []


def test_the_proxy_ends_with_a_killed_demo(tmp_path):
    process = subprocess.Popen([PROGRAM, "demo"], env=dict(os.environ, TMPDIR=str(tmp_path)), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        read_until(process.stdout, "Ctrl-C ends it.")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 1
        proxy = os.pidfd_open(int(children[0]))
    finally:
        process.kill()
        process.communicate()
    ended, _, _ = select.select([proxy], [], [], PATIENCE)
    os.close(proxy)
    assert ended, "the proxy outlived the demo"


def test_a_proxy_that_cannot_start_is_reported(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = demo(tmp_path, "--once", "--state", str(blocked / "state"))
    assert done.returncode == 1
    assert done.stderr != ""
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("args", [["--nonsense"], ["extra"], ["--state"], ["--state", ""]])
def test_wrong_usage_exits_2(tmp_path, args):
    done = demo(tmp_path, *args)
    assert done.returncode == 2
    assert "usage: tlscribe demo" in done.stderr


def test_help_names_every_option(tmp_path):
    done = demo(tmp_path, "--help")
    assert done.returncode == 0
    for option in ("--once", "--state", "--help"):
        assert option in done.stdout
