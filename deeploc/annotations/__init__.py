"""The truth about clips: which seconds of which stream were forged, read from dataset files.

Formats are told apart by content or named; `read.py` lists them. Nothing here knows a score.
"""

from deeploc.annotations.dataset import (
    FOLDER,
    Dataset,
    read_dataset,
)
from deeploc.annotations.formats.lavdf import write_lavdf
from deeploc.annotations.formats.table import (
    CSV_COLUMNS,
    write_csv,
)
from deeploc.annotations.read import (
    AUTO,
    DATASET_FORMATS,
    read_truths,
)
from deeploc.annotations.truth import ClipTruth

__all__ = [
    "AUTO",
    "CSV_COLUMNS",
    "DATASET_FORMATS",
    "FOLDER",
    "ClipTruth",
    "Dataset",
    "read_dataset",
    "read_truths",
    "write_csv",
    "write_lavdf",
]
