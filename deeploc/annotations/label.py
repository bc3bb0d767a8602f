"""An interval as a line of text, for formats that hold times and a text.

`visual; accepted; proposal; score 0.91; confidence 0.8; note: the lips lag` is what DeepLoc writes.
Any other text, in a file of somebody else, is read as a note.
"""

from __future__ import annotations

import re
from typing import Any

from deeploc.annotations.annotation import ORIGINS, STATUSES, Interval, Media
from deeploc.annotations.fields import interval_details
from deeploc.scores import STREAMS, Stream

STREAM_WORDS: dict[Stream, set[str]] = {
    "visual": {"visual", "video", "picture", "face", "lip"},
    "audio": {"audio", "sound", "voice", "speech"},
}
AUTHENTIC_WORDS = {"real", "authentic", "genuine", "original", "pristine"}
NUMBER = re.compile(r"(score|confidence) (\d+(?:\.\d+)?(?:e-?\d+)?)")
NOTE = "note: "
ESCAPES = {"\\": "\\\\", "\n": "\\n", "\t": "\\t"}
UNESCAPES = {escaped: letter for letter, escaped in ESCAPES.items()}
# what no XML and no line of text can hold
UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def format_label(interval: Interval, stream: bool = True) -> str:
    """One line, with or without the stream. Control characters of the note are dropped."""
    parts: list[str] = [*([interval.stream] if stream else []), interval.status, interval.origin]
    for name in ("score", "confidence"):
        value = getattr(interval, name)
        parts += [] if value is None else [f"{name} {value:.6g}"]
    return "; ".join([*parts, *([NOTE + escape_lines(interval.note)] if interval.note else [])])


def parse_label(text: str, stream: Stream | None = None) -> dict[str, Any] | None:
    """The label as arguments of `Interval`; None where it means authentic.

    `stream`: what the place of the label says, which counts more than its words.
    """
    text = text.strip()
    if text.lower() in AUTHENTIC_WORDS:
        return None
    parts = _written_parts(text)
    if parts is None:
        parts = {"stream": stream_in_text(text), "note": text}
    return {"stream": stream or parts.get("stream") or "fused", **interval_details(parts)}


def labelled_intervals(
    media: Media, start_s: float, end_s: float, text: str, stream: Stream | None = None
) -> list[Interval]:
    """The interval of a label, or none where it means authentic. Raises `ValueError`."""
    details = parse_label(text, stream)
    return [] if details is None else [media.interval(start_s, end_s, **details)]


def stream_in_text(text: str) -> Stream | None:
    """The stream that a free text names, "fused" if several, or None."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    named = [stream for stream in STREAMS if words & {stream, *STREAM_WORDS.get(stream, ())}]
    return named[0] if len(named) == 1 else "fused" if named else None


def escape_lines(text: str) -> str:
    """The text as one line: its line ends and tabs are written as \\n and \\t."""
    kept = UNWRITABLE.sub("", re.sub(r"\r\n?", "\n", text))
    return re.sub(r"[\\\n\t]", lambda found: ESCAPES[found[0]], kept)


def unescape_lines(text: str) -> str:
    """What `escape_lines` was given."""
    return re.sub(r"\\[\\nt]", lambda found: UNESCAPES[found[0]], text)


def _written_parts(text: str) -> dict[str, Any] | None:
    """The parts of a line that `format_label` may have written, else None."""
    found: dict[str, Any] = {}
    while text:
        if text.startswith(NOTE):
            found["note"] = unescape_lines(text[len(NOTE) :])
            break
        part, _, text = text.partition("; ")
        number = NUMBER.fullmatch(part)
        if part in STREAMS:
            found["stream"] = part
        elif part in STATUSES:
            found["status"] = part
        elif part in ORIGINS:
            found["origin"] = part
        elif number:
            found[number[1]] = float(number[2])
        else:
            return None
    return found
