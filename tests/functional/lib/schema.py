"""What holds for every journal, whatever a test did: ASCII, JSON, the schema, gapless numbers, ids once, and that every
entry of a connection stands behind that of its ingress handshake."""

import json
from pathlib import Path

import jsonschema

CHECKOUT = Path(__file__).resolve().parents[3]
SCHEMA = CHECKOUT / "schemas" / "event.schema.json"
ENTRY_MAX = 65535

_validator = None
_shapes_seen = set()


def validator():
    global _validator
    if _validator is None:
        schema = json.loads(SCHEMA.read_text())
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        _validator = kind(schema, format_checker=jsonschema.FormatChecker())
    return _validator


def unique(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def shape(value):
    """What an event looks like apart from its values; classes and decisions count as shape."""
    if isinstance(value, dict):
        return tuple((key, inner if key in ("class", "decision", "action", "denied_by") else shape(inner))
                     for key, inner in value.items())
    if isinstance(value, list):
        return tuple(sorted({repr(shape(inner)) for inner in value}))
    return type(value).__name__


def check_line(line, every=False):
    """One entry. The schema is asked once a shape (it is slow), and always with `every`."""
    assert len(line) <= ENTRY_MAX, f"{len(line)} bytes"
    assert all(0x20 <= byte < 0x7F for byte in line), f"not printable ASCII: {line[:400]!r}"
    event = json.loads(line, object_pairs_hook=unique)
    assert line.startswith(b'{"event":{"sequence":'), line[:80]
    looks = repr(shape(event))
    if every or looks not in _shapes_seen:
        fault = jsonschema.exceptions.best_match(validator().iter_errors(event))
        assert fault is None, f"{fault.json_path}: {fault.message}\nin {line.decode()}"
        _shapes_seen.add(looks)
    return event


def check_journal(lines):
    ids, connections = set(), set()
    for number, line in enumerate(lines):
        event = check_line(line, every=number % 50 == 0)
        assert event["event"]["sequence"] == number, f"entry {number} has number {event['event']['sequence']}"
        assert event["event"]["id"] not in ids, f"the id of entry {number} stands twice"
        ids.add(event["event"]["id"])
        if event["event"]["action"] == "tls-handshake" and event["network"]["direction"] == "ingress":
            connections.add(event["event"]["id"])
        connection = event["tlscribe"].get("connection")
        assert connection is None or connection in connections, f"entry {number} is of no handshake before it: {event}"
