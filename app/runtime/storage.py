"""The folder of visitors' files, which nobody else reads.

Old files are deleted, and the folder as a whole when the page ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import mkdtemp


def use_private_folder() -> None:
    """Makes Gradio keep its files in a new folder of our own, unless GRADIO_TEMP_DIR names one."""
    if "GRADIO_TEMP_DIR" in os.environ:
        return
    folder = os.environ["GRADIO_TEMP_DIR"] = mkdtemp(prefix="deeploc-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if threading.current_thread() is threading.main_thread():  # it isn't under hot reload
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # else nothing is deleted


class LeftoverFiles:
    """The files that Gradio would not delete by itself: those that we wrote into `written`, and
    uploads that were broken off in `uploads`. One of the `temp_file_sets` of `gr.Blocks`, which
    Gradio empties of old files on a schedule, and of all when it ends.
    """

    def __init__(self, written: Path, uploads: Path) -> None:
        self.written = written
        self.uploads = uploads

    def __iter__(self) -> Iterator[str]:
        found = chain(self.written.rglob("*"), self.uploads.glob("*"))
        return iter([str(path) for path in found if path.is_file()])

    def __isub__(self, deleted: set[str]) -> LeftoverFiles:
        return self
