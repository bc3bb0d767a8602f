"""Decoding: the frame times, pictures and sound of a file, streamed by PyAV.

Times are the file's own seconds less a given time zero. Nothing here knows about the 25 Hz grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from deeploc.errors import NoVideo, UnreadableMedia

JITTER_S = 0.002  # containers round their timestamps to a millisecond
CHROMA_PX = 4  # how far colours reach over the edge of a region
SOUND_GAP_S = 0.01  # a longer jump between two sound frames is a gap or an overlap

# Playlists, scripts and still pictures are left out: they name other files, or are none.
FORMATS = (
    "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,av1,obu,ivf,flv,live_flv,asf,ogg,"
    "mxf,dv,gif,rm,nut,wtv,vob,y4m,yuv4mpegpipe,mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,amr"
)


@dataclass(frozen=True)
class SourceFrame:
    """A decoded source frame and the second, from time zero, at which it is shown."""

    start_s: float
    frame: av.VideoFrame
    reformatter: VideoReformatter

    def upright(self, width: int, height: int, interpolation: str = "BILINEAR") -> np.ndarray:
        """The picture `(H, W, 3) uint8` RGB, turned as the file says, scaled to this size."""
        turns = round(self.frame.rotation / 90) % 4
        if turns % 2:
            width, height = height, width
        picture = self.reformatter.reformat(
            self.frame, width, height, "rgb24", interpolation=interpolation
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture

    def region(self, box: tuple[int, int, int, int], width: int, height: int) -> np.ndarray:
        """The part `box` (left, top, right, bottom) of that picture. Where the file's pixels are
        kept as most files keep them, no other pixel is converted."""
        left, top, right, bottom = box
        frame = self.frame
        if not self._plain(width, height):
            return self.upright(width, height)[top:bottom, left:right]
        x0, y0 = max(0, left - CHROMA_PX) // 2, max(0, top - CHROMA_PX) // 2
        x1 = (min(width, right + CHROMA_PX) + 1) // 2
        y1 = (min(height, bottom + CHROMA_PX) + 1) // 2
        cut = []
        for plane, scale in zip(frame.planes, (2, 1, 1), strict=True):
            lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            cut.append(lines[y0 * scale : y1 * scale, x0 * scale : x1 * scale].ravel())
        part = av.VideoFrame.from_ndarray(
            np.concatenate(cut).reshape(-1, 2 * (x1 - x0)), format="yuv420p"
        )
        part.colorspace, part.color_range = frame.colorspace, frame.color_range
        # more threads would be started anew for every size
        picture = self.reformatter.reformat(part, format="rgb24", threads=1).to_ndarray()
        return picture[top - 2 * y0 : bottom - 2 * y0, left - 2 * x0 : right - 2 * x0]

    def luma(self, width: int, height: int) -> np.ndarray:
        """The brightness `(H, W) uint8` of that picture; where it is kept so, nothing is copied."""
        if not self._plain(width, height):
            grey: np.ndarray = cv2.cvtColor(self.upright(width, height), cv2.COLOR_RGB2GRAY)
            return grey
        plane = self.frame.planes[0]
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return lines[:height, :width]

    def _plain(self, width: int, height: int) -> bool:
        """Whether its pixels are kept as most files keep them, in that size."""
        frame = self.frame
        plain = frame.format.name == "yuv420p" and frame.rotation == 0
        return plain and (frame.width, frame.height) == (width, height) and not (width | height) % 2


@contextmanager
def open_container(path: Path) -> Iterator[av.container.InputContainer]:
    """The file opened for demuxing. Raises `UnreadableMedia`."""
    if not path.is_file():
        raise UnreadableMedia(f"There is no file {path.name}. Choose a video file.")
    if path.stat().st_size == 0:
        raise UnreadableMedia(f"{path.name} is empty (0 bytes). Copy or download it again.")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path.resolve()}", options=options, metadata_errors="replace")
    except av.FFmpegError as error:
        raise UnreadableMedia(_why_unreadable(path)) from error
    with container:
        yield container


def _why_unreadable(path: Path) -> str:
    with path.open("rb") as file:
        begins_as_mp4 = file.read(12)[4:8] in (b"ftyp", b"mdat", b"wide", b"moov")
    if begins_as_mp4:
        return f"{path.name} is cut off: its index is missing. Copy, download or record it again."
    return f"{path.name} is not a video that can be read. Use an mp4, mov, webm, mkv or avi file."


def video_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    pictures = [
        s for s in container.streams.video if not s.disposition & s.disposition.attached_pic
    ]
    if not pictures and not container.streams.audio:
        raise UnreadableMedia(_why_unreadable(path))
    if not pictures:
        raise NoVideo(f"{path.name} holds no video, only sound. Use a clip that shows a face.")
    best = container.streams.best("video")
    stream = best if best in pictures else pictures[0]
    if stream.codec_context is not None:
        stream.thread_type = "AUTO"
    return stream


def source_frames(path: Path, zero_s: float) -> Iterator[SourceFrame]:
    """Decodes the picture: the source frames in order of display, without the damaged ones."""
    reformatter = VideoReformatter()
    with open_container(path) as container:
        stream = video_stream(container, path)
        gap_s = float(1 / (stream.average_rate or 25))
        last_s = -np.inf
        for frame in _decoded(container, stream):
            stamp = frame.dts if frame.pts is None else frame.pts
            if stamp is not None:
                start_s = float(stamp * frame.time_base) - zero_s
            else:
                start_s = last_s + gap_s if np.isfinite(last_s) else 0.0
            if start_s > last_s:
                yield SourceFrame(start_s, frame, reformatter)
                last_s = start_s


def _decoded(container: av.container.InputContainer, stream: av.stream.Stream) -> Iterator[Any]:
    """Frames of one stream, past damaged packets, until the file ends or can't be read on."""
    if stream.codec_context is None:
        return
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def sound_chunks(path: Path, zero_s: float, rate_hz: int) -> Iterator[tuple[int, np.ndarray]]:
    """Decodes the sound to mono: `(first sample, (n,) float32)`, placed by timestamp, in order.

    A new resampler starts wherever timestamps jump, so that gaps and late starts stay in place.
    Yields nothing where there is no decodable sound.
    """
    with open_container(path) as container:
        stream = container.streams.best("audio")
        if stream is None:
            return
        resampler, position, due_s = None, 0, -np.inf
        kind: tuple[int, str, str] | None = None
        for frame in _decoded(container, stream):
            start_s = due_s if frame.pts is None else float(frame.pts * frame.time_base) - zero_s
            before, kind = kind, (frame.sample_rate, frame.format.name, frame.layout.name)
            if kind != before or abs(start_s - due_s) > SOUND_GAP_S:
                yield from _resample(resampler, None, position)
                resampler = av.AudioResampler("flt", "mono", rate_hz)
                run_s = start_s if np.isfinite(start_s) else 0.0
                position, run_samples = round(run_s * rate_hz), 0
            frame.pts = None
            for start, samples in _resample(resampler, frame, position):
                yield start, samples
                position = start + len(samples)
            run_samples += frame.samples
            due_s = run_s + run_samples / frame.sample_rate
        yield from _resample(resampler, None, position)


def _resample(
    resampler: av.AudioResampler | None, frame: av.AudioFrame | None, position: int
) -> Iterator[tuple[int, np.ndarray]]:
    for part in resampler.resample(frame) if resampler is not None else ():
        samples = part.to_ndarray()[0]
        yield position, samples
        position += len(samples)


def first_sound_s(path: Path) -> float:
    """The file's own timestamp of the first decoded sound, priming left out; inf without any."""
    with open_container(path) as container:
        stream = container.streams.best("audio")
        frames = iter(()) if stream is None else _decoded(container, stream)
        for frame in frames:
            return 0.0 if frame.pts is None else float(frame.pts * frame.time_base)
    return np.inf


def packet_times(path: Path) -> tuple[np.ndarray | None, float, float, float]:
    """Sorted frame times (None where packets lack them), last frame's length, end, promised end."""
    times: dict[float, float] = {}
    complete, end_s = True, -np.inf
    with open_container(path) as container:
        video = video_stream(container, path)
        audio = container.streams.best("audio")
        streams = [video] if audio is None else [video, audio]
        begin = container.start_time or 0
        promised_s = (begin + (container.duration or 0)) / av.time_base
        try:
            for packet in container.demux(*streams):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None:
                    complete = complete and packet.stream is not video
                    continue
                start_s = float(packet.pts * packet.time_base)
                length_s = float((packet.duration or 0) * packet.time_base)
                end_s = max(end_s, start_s + length_s)
                if packet.stream is video:
                    times[start_s] = length_s
        except av.FFmpegError:
            pass
    shown = np.array(sorted(times))
    if not complete or not len(shown):
        return None, 0.0, end_s, promised_s
    return shown, times[float(shown[-1])], end_s, promised_s
