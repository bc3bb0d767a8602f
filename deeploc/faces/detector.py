"""Pictures in, faces out: MTCNN of facenet-pytorch, whose weights ship in its wheel.

Nothing here knows about time, tracks or clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch import MTCNN
from PIL import Image

DETECT_WIDTH = 400
MIN_FACE_SHARE = 0.12
MIN_CONFIDENCE = 0.9
SMALLEST_PX = 20


@dataclass(frozen=True)
class Detections:
    """The faces of one picture, in its own pixels.

    `boxes (n, 4) float32` xyxy; `confidence (n,) float32`; `landmarks (n, 5, 2) float32`: eyes,
    nose, mouth corners, left before right as seen in the picture.
    """

    boxes: np.ndarray
    confidence: np.ndarray
    landmarks: np.ndarray


NO_FACES = Detections(
    np.zeros((0, 4), np.float32), np.zeros((0,), np.float32), np.zeros((0, 5, 2), np.float32)
)


class FaceDetector:
    """`detector(frames) -> list[Detections]` for `(H, W, 3) uint8` RGB frames of one size.

    Pictures wider than 400 pixels are searched at that width, for faces of at least 12 % of the
    shorter side.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._networks: dict[int, MTCNN] = {}

    def __call__(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        if not frames:
            return []
        height, width = frames[0].shape[:2]
        scale = min(1.0, DETECT_WIDTH / width)
        size = (round(width * scale), round(height * scale))
        smallest = max(SMALLEST_PX, round(MIN_FACE_SHARE * min(size)))
        if min(size) < smallest:
            return [NO_FACES for _ in frames]
        if scale < 1:
            frames = [np.asarray(Image.fromarray(frame).resize(size)) for frame in frames]
        boxes, confidences, landmarks = self._network(smallest).detect(
            np.stack(frames), landmarks=True
        )
        return [
            _detections(*found, scale) for found in zip(boxes, confidences, landmarks, strict=True)
        ]

    def _network(self, smallest: int) -> MTCNN:
        if smallest not in self._networks:
            network = MTCNN(keep_all=True, min_face_size=smallest, device=self.device)
            # pooling is several times as fast with the channels last
            self._networks[smallest] = network.to(memory_format=torch.channels_last)
        return self._networks[smallest]


def _detections(
    boxes: np.ndarray | None, confidence: np.ndarray, landmarks: np.ndarray, scale: float
) -> Detections:
    """What MTCNN gives for one picture, `boxes` being None where it found no face."""
    if boxes is None:
        return NO_FACES
    boxes, landmarks = np.asarray(boxes, np.float32), np.asarray(landmarks, np.float32)
    confidence = np.asarray(confidence, np.float32)
    sure = confidence >= MIN_CONFIDENCE
    return Detections(boxes[sure] / scale, confidence[sure], landmarks[sure] / scale)
