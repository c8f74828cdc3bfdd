"""The vectors of tests/data/http as bytes: a code point is a byte; a text may be a list of texts and of [text, count]."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "http"


def text(value):
    if isinstance(value, str):
        return value.encode("latin-1")
    return b"".join(text(part) if isinstance(part, str) else text(part[0]) * part[1] for part in value)


def read(name):
    """Those of one file, `raw` and what else is text being bytes."""
    rows = json.loads((FOLDER / name).read_text())["vectors"]
    assert len(rows) > 50
    for row in rows:
        for key in ("raw", "rest", "body", "trailer", "method", "path", "query", "host", "authority", "reason"):
            if key in row:
                row[key] = text(row[key])
    return rows
