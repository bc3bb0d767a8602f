"""When a clip is forged, as a person says (`Annotation`) or as a dataset does (`ClipTruth`).

`registry.py` lists the file formats and reads and writes them. Nothing here knows a score.
"""

from deeploc.annotations.annotation import (
    Annotation,
    Interval,
    Media,
    annotation_from_report,
    media_from_report,
    media_from_video,
)
from deeploc.annotations.dataset import FOLDER, Dataset, read_dataset
from deeploc.annotations.formats.csv_table import write_csv
from deeploc.annotations.formats.lavdf import write_lavdf
from deeploc.annotations.registry import (
    AUTO,
    DATASET_FORMATS,
    FORMATS,
    read_annotation,
    read_clip_truth,
    read_media,
    read_truths,
    write_annotation,
)
from deeploc.annotations.truth import ClipTruth

__all__ = [
    "AUTO",
    "DATASET_FORMATS",
    "FOLDER",
    "FORMATS",
    "Annotation",
    "ClipTruth",
    "Dataset",
    "Interval",
    "Media",
    "annotation_from_report",
    "media_from_report",
    "media_from_video",
    "read_annotation",
    "read_clip_truth",
    "read_dataset",
    "read_media",
    "read_truths",
    "write_annotation",
    "write_csv",
    "write_lavdf",
]
