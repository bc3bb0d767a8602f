"""What a handler changes on the page. No Gradio here: `app.page.events` hands it over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple, TypeVar, Union

from app.batch import BatchRow, Cell
from app.jobs import Job
from app.runtime.results import Result


class Unchanged(Enum):
    """The value of a field that an update leaves alone."""

    UNCHANGED = "unchanged"


UNCHANGED: Literal[Unchanged.UNCHANGED] = Unchanged.UNCHANGED
T = TypeVar("T")
Change = Union[T, Unchanged]  # noqa: UP007  (mypy knows no generic alias with |)


class FaceChoices(NamedTuple):
    """The numbers of the faces that can be scored, and of the one that is."""

    numbers: tuple[int, ...]
    scored: int | None


@dataclass(frozen=True)
class PageUpdate:
    """Changes of the page; a field that is not given stays as it is.

    `show_...`: whether that part of the page is visible. `..._note` and `..._text`: HTML.
    """

    job: Change[Job | None] = UNCHANGED  # what the visitor asked for
    result: Change[Result | None] = UNCHANGED  # what the viewer shows
    batch_rows: Change[list[BatchRow]] = UNCHANGED

    show_start: Change[bool] = UNCHANGED
    start_note: Change[str] = UNCHANGED  # hidden where it is empty
    upload_turn: Change[str] = UNCHANGED  # any new value empties the place to drop clips
    model: Change[str] = UNCHANGED
    model_note: Change[str] = UNCHANGED

    show_busy: Change[bool] = UNCHANGED
    progress: Change[str] = UNCHANGED

    show_failure: Change[bool] = UNCHANGED
    failure_text: Change[str] = UNCHANGED

    show_result: Change[bool] = UNCHANGED
    viewer: Change[dict | None] = UNCHANGED  # the payload of the viewer
    faces: Change[FaceChoices] = UNCHANGED
    truth_file: Change[None] = UNCHANGED
    truth_note: Change[str] = UNCHANGED

    show_batch: Change[bool] = UNCHANGED
    batch_note: Change[str] = UNCHANGED
    batch_table: Change[list[list[Cell]]] = UNCHANGED
    batch_zip: Change[str | None] = UNCHANGED
