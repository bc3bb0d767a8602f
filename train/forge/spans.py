"""Where a clip is forged: spans that no moment is preferred for."""

from __future__ import annotations

import numpy as np

from deeploc.media.clip import VIDEO_RATE_HZ

SPAN_S = (0.4, 2.0)
MIN_GAP_S = 0.4


def draw_spans(n_frames: int, budget_s: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """One or two spans in steps, `budget_s` long in all at most, every moment as likely as another.

    They are laid on the clip as if its end met its beginning, and one that crosses there is two.
    Wherever speech or the middle of a clip were preferred, loudness and time would tell.
    """
    count = int(rng.integers(1, 3)) if budget_s >= 1.6 else 1
    longest = max(SPAN_S[0], min(SPAN_S[1], (budget_s - SPAN_S[0] / 2) / count))
    lengths = [int(rng.uniform(SPAN_S[0], longest) * VIDEO_RATE_HZ) for _ in range(count)]
    least, gap = (int(seconds * VIDEO_RATE_HZ) for seconds in (SPAN_S[0], MIN_GAP_S))
    free = n_frames - sum(lengths) - count * gap
    start = int(rng.integers(n_frames))
    spans = []
    for length in lengths:
        begin, end = start % n_frames, start % n_frames + length
        for first, last in ((begin, min(end, n_frames)), (0, end - n_frames)):
            if last - first >= least // 2:  # half of the too short pieces go, half are lengthened
                spans.append((max(0, min(first, n_frames - least)), max(last, least)))
        start += length + gap + int(rng.integers(free + 1))
    covered = sum(last - first for first, last in spans)
    if covered > max(SPAN_S[0], budget_s) * VIDEO_RATE_HZ:
        return draw_spans(n_frames, budget_s, rng)
    return sorted(spans)
