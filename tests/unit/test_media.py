from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deeploc.errors import Cancelled, ClipTooLong, ClipTooShort, NoVideo, UnreadableMedia
from deeploc.media.clip import open_clip
from deeploc.media.proxy import display_clip
from deeploc.media.writer import write_clip
from tests.clips import GREYS, click, click_time, counter_frames, shown, turn_mp4, write_av

VARIABLE = np.cumsum([0.0, *([0.02] * 20), *([0.1] * 5), 0.5, *([0.033] * 12), 0.3])


def expected(pts_s: np.ndarray, n_frames: int) -> list[int]:
    """The source frame on display at the middle of each step, by definition."""
    middles = (np.arange(n_frames) + 0.5) / 25
    latest = [np.flatnonzero(pts_s <= middle + 1e-4)[-1] for middle in middles]
    return [int(n) % GREYS for n in latest]


@pytest.mark.parametrize(
    ("rate", "suffix"),
    [
        (Fraction(25), ".mp4"),
        (Fraction(24000, 1001), ".mp4"),
        (Fraction(30000, 1001), ".mp4"),
        (Fraction(60), ".mp4"),
        (Fraction(24000, 1001), ".mkv"),
        (Fraction(12), ".mov"),
    ],
)
def test_constant_rates_show_the_right_frame(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    times = np.arange(round(2 * rate)) / float(rate)
    clip = open_clip(write_av(tmp_path / f"a{suffix}", times, rate=rate))
    assert clip.info.fps == pytest.approx(float(rate), abs=0.02)
    assert clip.info.duration_s == pytest.approx(len(times) / float(rate), abs=0.003)
    assert clip.grid.rate_hz == 25
    assert clip.grid.duration == pytest.approx(clip.info.duration_s, abs=0.04)
    np.testing.assert_allclose(clip.pts_s, times, atol=0.001)
    assert [shown(f) for f in clip.frames()] == expected(clip.pts_s, clip.grid.n_frames)


def test_variable_rate_keeps_times_and_shows_the_right_frame(tmp_path: Path) -> None:
    clip = open_clip(write_av(tmp_path / "a.mp4", VARIABLE))
    np.testing.assert_allclose(clip.pts_s, VARIABLE, atol=1e-4)
    assert clip.warnings == ("The clip has no sound: only the picture can be examined.",)
    steps = [shown(f) for f in clip.frames()]
    assert steps == expected(clip.pts_s, clip.grid.n_frames)
    assert [shown(f) for f in clip.frames()] == steps
    assert [shown(picture.rgb) for picture in clip.lazy_frames(every=4)] == steps[::4]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    picture = np.zeros((48, 96, 3), np.uint8)
    picture[:24, :48, 0] = 255  # red marks the stored top left corner
    path = tmp_path / "a.mp4"
    write_clip(path, [picture] * 25, None, crf=10)
    turn_mp4(path, degrees)
    clip = open_clip(path)
    upright = np.rot90(picture, -degrees // 90)
    frame = next(clip.frames())
    assert (clip.info.height, clip.info.width) == upright.shape[:2] == frame.shape[:2]
    red = frame[..., 0] > 128
    assert np.mean(red == (upright[..., 0] > 128)) > 0.97


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mkv", "ffv1", "yuv444p"), ("a.avi", "mpeg4", "yuv420p"), ("b.mkv", "ffv1", "yuv420p10le")],
)
def test_odd_sizes_and_deep_colours_decode(
    tmp_path: Path, name: str, codec: str, pix_fmt: str
) -> None:
    times = np.arange(25) / 25
    path = write_av(
        tmp_path / name, times, codec, pix_fmt, size=(641, 359), time_base=Fraction(1, 25)
    )
    clip = open_clip(path)
    frames = list(clip.frames())
    assert frames[0].shape == (359, 641, 3)
    assert frames[0].dtype == np.uint8
    assert [shown(f) for f in frames] == [n % GREYS for n in range(25)]


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("a.mp4", "libx264", "yuv420p", (322, 242)),
        ("a.mkv", "ffv1", "yuv420p", (321, 241)),
        ("b.mkv", "ffv1", "yuv444p", (322, 242)),
        ("c.mkv", "ffv1", "yuv420p10le", (322, 242)),
    ],
)
def test_a_region_is_a_part_of_the_whole(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, size: tuple[int, int]
) -> None:
    path = write_av(tmp_path / name, np.arange(25) / 25, codec, pix_fmt, size=size)
    picture = next(iter(open_clip(path).lazy_frames()))
    width, height = size
    for box in (
        (0, 0, width, height),
        (101, 33, 300, 208),
        (5, 0, 6, 1),
        (width - 51, 7, width, 9),
    ):
        left, top, right, bottom = box
        np.testing.assert_array_equal(picture.region(box), picture.rgb[top:bottom, left:right])
    assert picture.no_wider_than(100).shape == (75, 100, 3)
    assert picture.no_wider_than(width) is picture.rgb


def test_the_beginning_of_a_clip_is_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, counter_frames(75), click(3, 1.234))
    clip = open_clip(path)
    beginning = clip.beginning(1.3)
    assert beginning.grid.n_frames == 33 and len(beginning.audio) == 33 * 640
    assert [shown(f) for f in beginning.frames()] == [shown(f) for f in clip.frames()][:33]
    assert clip.beginning(9).grid == clip.grid


def test_b_frames_without_packet_times_keep_their_order(tmp_path: Path) -> None:
    path = write_av(
        tmp_path / "a.avi",
        np.arange(50) / 25,
        "mpeg4",
        time_base=Fraction(1, 25),
        video_options={"bf": "2", "b": "4000000", "qmax": "2"},
    )
    clip = open_clip(path)
    assert len(clip.pts_s) == pytest.approx(50, abs=1)
    steps = [shown(f) for f in clip.frames()]
    assert steps == [n % GREYS for n in range(len(steps))]


def test_sound_stays_in_place(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, counter_frames(75), click(3, 1.234))
    clip = open_clip(path)
    assert clip.audio is not None
    assert clip.audio.dtype == np.float32
    assert len(clip.audio) == clip.grid.n_frames * 640
    assert click_time(clip.audio) == pytest.approx(1.234, abs=0.001)
    assert clip.sound_timeline.duration == pytest.approx(3, abs=0.001)
    assert clip.warnings == ()


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_late_and_short_sound_stays_in_place(tmp_path: Path, name: str) -> None:
    sound = click(1.0, 0.4, 48_000)
    path = write_av(tmp_path / name, np.arange(100) / 25, audio=sound, audio_start_s=1.5)
    clip = open_clip(path)
    assert click_time(clip.audio) == pytest.approx(1.9, abs=0.01)
    heard = clip.sound_timeline.segments
    assert len(heard) == 1
    assert (heard[0].start, heard[0].end) == pytest.approx((1.5, 2.5), abs=0.045)
    assert "Only 1.0 s of the 4.0 s have sound." in clip.warnings
    assert not clip.audio[: round(1.4 * 16_000)].any()


def test_sound_beyond_the_picture_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, counter_frames(25), click(3, 0.4))
    clip = open_clip(path)
    assert len(clip.audio) == 16_000
    assert clip.warnings == (
        "The sound lasts 2.0 s longer than the picture; that part was not examined.",
    )


def test_late_picture_keeps_its_offset(tmp_path: Path) -> None:
    times = 0.5 + np.arange(50) / 25
    clip = open_clip(write_av(tmp_path / "a.mkv", times, audio=click(2.5, 0.9, 48_000)))
    assert clip.pts_s[0] == pytest.approx(0.5, abs=0.01)
    assert click_time(clip.audio) == pytest.approx(0.9, abs=0.01)
    assert clip.grid.n_frames == pytest.approx(63, abs=1)
    assert [shown(f) for f in clip.frames()][:14] == [0] * 13 + [1]
    assert any("starts 0.50 s after" in warning for warning in clip.warnings)


def test_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, counter_frames(20), None)
    clip = open_clip(path)
    assert clip.audio is None
    assert not clip.info.has_audio
    assert len(clip.sound_timeline) == 0


def test_files_that_are_no_video_say_why(tmp_path: Path) -> None:
    empty, text, cut = (tmp_path / name for name in ("empty.mp4", "text.mp4", "cut.mp4"))
    empty.touch()
    text.write_text("no video at all\n" * 500)
    write_av(tmp_path / "whole.mp4", np.arange(50) / 25)
    whole = (tmp_path / "whole.mp4").read_bytes()
    cut.write_bytes(whole[: whole.index(b"moov") - 100])
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'whole.mp4'}\n")
    reasons = {empty: "0 bytes", text: "not a video", cut: "cut off", playlist: "not a video"}
    reasons[tmp_path / "gone.mp4"] = "There is no file"
    for path, reason in reasons.items():
        with pytest.raises(UnreadableMedia, match=reason) as caught:
            open_clip(path)
        assert path.name in str(caught.value)


def test_truncated_file_gives_what_is_there(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), np.uint8)
    path = tmp_path / "a.mp4"
    write_clip(path, noise, click(2, 0.5))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    clip = open_clip(path)
    assert 0.64 <= clip.info.duration_s < 1.8
    assert any("cut off" in warning for warning in clip.warnings)
    assert 0 < len(list(clip.frames())) <= clip.grid.n_frames
    assert click_time(clip.audio) == pytest.approx(0.5, abs=0.001)


def test_picture_that_stops_decoding_ends_the_frames(tmp_path: Path) -> None:
    path = write_av(tmp_path / "a.mp4", np.arange(50) / 25, video_options={"bf": "0"})
    with av.open(str(path)) as container:
        samples = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in samples[30:]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    clip = open_clip(path)
    assert clip.grid.n_frames == len(clip.pts_s) == 50
    assert [shown(f) for f in clip.frames()] == [n % GREYS for n in range(30)]


def test_gap_in_the_sound_stays_open(tmp_path: Path) -> None:
    path = write_av(
        tmp_path / "a.mkv",
        np.arange(75) / 25,
        audio=click(2, 1.5, 48_000),
        audio_codec="pcm_s16le",
        audio_gap_s=(1.0, 0.7),
    )
    clip = open_clip(path)
    assert click_time(clip.audio) == pytest.approx(2.2, abs=0.002)
    assert len(clip.sound_timeline) == 2
    assert clip.sound_timeline.duration == pytest.approx(2.0, abs=0.03)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = write_av(tmp_path / "a.m4a", [], audio=click(2, 1, 48_000))
    with pytest.raises(NoVideo, match=r"a\.m4a"):
        open_clip(path)


def test_length_limits(tmp_path: Path) -> None:
    for n_frames in (1, 15):
        path = write_av(tmp_path / f"{n_frames}.mp4", np.arange(n_frames) / 25)
        with pytest.raises(ClipTooShort, match=path.name):
            open_clip(path)
    path = write_av(tmp_path / "16.mp4", np.arange(16) / 25)
    assert open_clip(path).grid.n_frames == 16
    with pytest.raises(ClipTooLong, match="DEEPLOC_MAX_MINUTES"):
        open_clip(path, max_minutes=0.01)


def test_written_clips_are_the_same_and_even(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (26, 47, 3), np.uint8).repeat(7, 0).repeat(7, 1)
    frames = [np.roll(coarse, 3 * n, 1)[:181, :321] for n in range(40)]
    written = set()
    for number in range(5):
        path = tmp_path / f"{number}.mp4"
        write_clip(path, frames, click(1.6, 0.3))
        written.add(path.read_bytes())
    assert len(written) == 1
    info = open_clip(path).info
    assert (info.width, info.height, info.fps) == (320, 180, 25.0)
    assert info.has_audio


def test_playable_files_are_shown_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, counter_frames(30), click(1.2, 0.3))
    assert display_clip(path, tmp_path / "proxies") == path
    webm = write_av(
        tmp_path / "a.webm",
        np.arange(30) / 25,
        "libvpx-vp9",
        audio=click(1.2, 0.3, 48_000),
        audio_codec="libopus",
    )
    assert display_clip(webm, tmp_path / "proxies") == webm


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "sound"),
    [
        ("a.mkv", "libx264", "yuv420p", "aac"),
        ("a.mp4", "libx264", "yuv420p10le", "aac"),
        ("a.avi", "mpeg4", "yuv420p", "mp3"),
        ("a.mpg", "mpeg2video", "yuv420p", "mp2"),
        ("a.mov", "prores_ks", "yuv422p10le", "pcm_s16le"),
        ("a.ts", "libx264", "yuv420p", "aac"),
    ],
)
def test_proxies_play_on_the_same_times(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, sound: str
) -> None:
    constant = codec in ("mpeg4", "mpeg2video")
    times = np.arange(50) / 25 if constant else VARIABLE
    path = write_av(
        tmp_path / name,
        times,
        codec,
        pix_fmt,
        audio=click(2, 1.25, 48_000),
        audio_codec=sound,
        time_base=Fraction(1, 25) if constant else None,
    )
    source = open_clip(path)
    proxy_path = display_clip(path, tmp_path / "proxies")
    proxy = open_clip(proxy_path)
    assert proxy_path != path
    assert display_clip(proxy_path, tmp_path) == proxy_path
    np.testing.assert_allclose(proxy.pts_s, source.pts_s, atol=1e-4)
    assert proxy.info.duration_s == pytest.approx(source.info.duration_s, abs=0.005)
    assert [shown(f) for f in proxy.frames()] == [shown(f) for f in source.frames()]
    assert click_time(proxy.audio) == pytest.approx(click_time(source.audio), abs=0.002)


def test_a_proxy_given_up_leaves_nothing(tmp_path: Path) -> None:
    path = write_av(tmp_path / "a.mkv", np.arange(50) / 25)

    def give_up(done: int, total: int) -> None:
        if done > total / 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        display_clip(path, tmp_path / "proxies", give_up)
    assert not list((tmp_path / "proxies").iterdir())
    assert open_clip(display_clip(path, tmp_path / "proxies")).grid.n_frames == 50


def test_proxy_of_a_wide_picture_is_scaled(tmp_path: Path) -> None:
    path = write_av(tmp_path / "a.mkv", np.arange(16) / 25, size=(1920, 1080))
    info = open_clip(display_clip(path, tmp_path)).info
    assert (info.width, info.height) == (1280, 720)
