"""The queue of visitors: so many analyses at a time, first come, first served. No Gradio here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class AnalysisQueue:
    """At most `width` analyses run; each of the others knows its place."""

    def __init__(self, width: int = 1) -> None:
        self.width = width
        self._tickets: deque[object] = deque()
        self._moved = threading.Condition()

    def join(self) -> object:
        """A ticket at the end of the queue."""
        ticket = object()
        with self._moved:
            self._tickets.append(ticket)
        return ticket

    def leave(self, ticket: object) -> None:
        with self._moved:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
            self._moved.notify_all()

    def place(self, ticket: object) -> tuple[int, int]:
        """How many go first, and how many wait or work in all. `(0, n)`: it's this one's turn."""
        with self._moved:
            found = self._tickets.index(ticket) if ticket in self._tickets else 0
            return max(0, found - self.width + 1), len(self._tickets)

    @contextmanager
    def turn(self, ticket: object, stopped: Callable[[], bool]) -> Iterator[bool]:
        """Waits for the ticket's turn and holds it; False where `stopped()` came first."""
        try:
            with self._moved:
                while self._tickets.index(ticket) >= self.width and not stopped():
                    self._moved.wait(0.1)
            yield not stopped()
        finally:
            self.leave(ticket)
