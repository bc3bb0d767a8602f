"""Training in several processes, killed and resumed, from clips that are read when needed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from deeploc.checkpoints import load_checkpoint
from deeploc.errors import DeepLocError
from deeploc.models.mae import MAEConfig
from deeploc.models.rt_deeploc import RTDeepLoc
from tests.train.made_cache import STEPS, made_cache
from train import discover, pretrain
from train.data.cache import AuthenticWindows, cached_path, load_cache
from train.data.clip_batches import ClipDataset, collate
from train.data.evidence_store import RunningMoments, measure_clips
from train.discover import ClipSampler, Stage
from train.engine import benchmark
from train.engine.checkpointing import save_model
from train.engine.ranks import Ranks
from train.pretrain import WindowSampler

ROOT = Path(__file__).parents[2]
# The ranks meet at the loopback address: the name of this host may lead nowhere.
ALONE = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
TORCHRUN = (
    *("-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"),
    *("--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"),
)
LONGEST_S = 300
PRETRAINING = ("--steps", "12", "--every", "3", "--validation-batches", "1", "--tiny")
DISCOVERY = ("--epochs", "4", "--pseudo", "0")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return made_cache(tmp_path_factory.mktemp("cache"), (("train", 8), ("dev", 4)))


@pytest.fixture(scope="module")
def evidence(cache, tmp_path_factory):
    """A run with an MAE, a discovery network without dropout, and all clips measured."""
    run = tmp_path_factory.mktemp("measured")
    torch.manual_seed(0)
    RTDeepLoc(fdn={"dropout": 0.0}).save_pretrained(run / "mae")
    for split in ("train", "dev"):
        measure_clips(run / "mae", load_cache(cache, split), run / "evidence")
    return run


def new_run(folder, evidence):
    """Another run on the same evidence."""
    folder.mkdir()
    for name in ("mae", "evidence"):
        (folder / name).symlink_to(evidence / name)
    return folder


def start(*command):
    return subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, env=ALONE, stderr=subprocess.PIPE
    )


def finished(*command):
    process = start(*command)
    try:
        errors = process.communicate(timeout=LONGEST_S)[1].decode()
    finally:
        process.terminate()
    assert process.returncode == 0, errors


def log(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same_curves(one, other, relative=1e-4):
    assert len(one) == len(other) > 2
    for record, twin in zip(one, other, strict=True):
        assert record == pytest.approx(twin, rel=relative)
    first, last = ({**records[i]} for records, i in ((one, 0), (one, -1)))
    assert first != pytest.approx(last, rel=10 * relative), "nothing was learnt to compare"


def assert_same_weights(one, other, tolerance):
    states = [load_checkpoint(folder)[0].state_dict() for folder in (one, other)]
    for name, weights in states[0].items():
        torch.testing.assert_close(weights, states[1][name], atol=tolerance, rtol=0.01)


@pytest.mark.slow
def test_two_ranks_pretrain_as_one_with_twice_the_batch(cache, tmp_path):
    one, two, gathered = (tmp_path / name for name in ("one", "two", "gathered"))
    pretrain.main([str(cache), str(one), "--batch", "8", *PRETRAINING])
    pretrain.main([str(cache), str(gathered), "--batch", "8", "--accumulate", "2", *PRETRAINING])
    flags = ("--batch", 8, "--loaders", 1, *PRETRAINING)
    finished(*TORCHRUN, "-m", "train", "pretrain", cache, two, *flags)
    for other in (two, gathered):
        assert_same_curves(log(one / "mae_log.jsonl"), log(other / "mae_log.jsonl"))
        assert_same_weights(one / "mae", other / "mae", 2e-3)


@pytest.mark.slow
def test_two_ranks_discover_as_one_with_twice_the_batch(cache, evidence, tmp_path):
    one, two, gathered = (new_run(tmp_path / name, evidence) for name in ("one", "two", "gathered"))
    discover.main([str(cache), str(one), "--batch", "4", *DISCOVERY])
    discover.main([str(cache), str(gathered), "--batch", "4", "--accumulate", "2", *DISCOVERY])
    finished(*TORCHRUN, "-m", "train", "discover", cache, two, "--batch", 4, *DISCOVERY)
    for other in (two, gathered):
        assert_same_curves(log(one / "model_log.jsonl"), log(other / "model_log.jsonl"))
        assert_same_weights(one / "model", other / "model", 2e-3)


@pytest.mark.slow
def test_bf16_and_loaders_can_be_asked_for(cache, evidence, tmp_path):
    plain, half = (new_run(tmp_path / name, evidence) for name in ("plain", "half"))
    discover.main([str(cache), str(plain), *DISCOVERY])
    discover.main([str(cache), str(half), *DISCOVERY, "--precision", "bf16", "--loaders", "1"])
    one, other = (log(run / "model_log.jsonl") for run in (plain, half))
    assert one != other
    for record, twin in zip(one, other, strict=True):
        assert record == pytest.approx(twin, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("command", ("pretrain", "discover"))
def test_killed_and_resumed_is_as_never_killed(command, cache, evidence, tmp_path):
    whole, killed = (new_run(tmp_path / name, evidence) for name in ("whole", "killed"))
    if command == "pretrain":
        name, module = "mae_log.jsonl", pretrain
        flags = ["--steps", "60", "--every", "3", "--batch", "4", *PRETRAINING[4:]]
        for run in (whole, killed):
            (run / "mae").unlink()
    else:
        name, module = "model_log.jsonl", discover
        flags = ["--epochs", "40", "--batch", "4", "--pseudo", "0"]
    process = start("-m", "train", command, cache, killed, *flags)
    while process.poll() is None and not (killed / name).exists():
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was too fast to be killed"
    before = log(killed / name)
    module.main([str(cache), str(killed), *flags])
    module.main([str(cache), str(whole), *flags])
    after = log(killed / name)
    assert 0 < len(before) < len(after) and after[: len(before)] == before
    assert_same_curves(after, log(whole / name), relative=1e-4)


@pytest.mark.slow
def test_a_second_stage_is_resumed_too(cache, evidence, tmp_path):
    whole, killed = (new_run(tmp_path / name, evidence) for name in ("whole", "killed"))
    flags = [*DISCOVERY, "--pseudo", "1"]
    save = Stage.save
    with pytest.MonkeyPatch.context() as patch:
        outcomes = iter([None] * 6)

        def killing(stage):
            save(stage)
            if next(outcomes, killing) is killing:
                raise KeyboardInterrupt

        patch.setattr(Stage, "save", killing)
        with pytest.raises(KeyboardInterrupt):
            discover.main([str(cache), str(killed), *flags])
    assert len(log(killed / "model_second_log.jsonl")) == 3
    discover.main([str(cache), str(killed), *flags])
    discover.main([str(cache), str(whole), *flags])
    assert_same_weights(killed / "model", whole / "model", 1e-6)
    for name in ("model_log.jsonl", "model_second_log.jsonl"):
        assert log(killed / name) == log(whole / name)


def test_a_half_written_state_is_never_read(cache, tmp_path):
    flags = [str(cache), str(tmp_path), "--batch", "4", *PRETRAINING]
    pretrain.main(flags)
    (tmp_path / "mae_state.pt.part").write_bytes(b"torn")
    curve = (tmp_path / "mae_log.jsonl").read_text()
    pretrain.main(flags)
    assert (tmp_path / "mae_log.jsonl").read_text() == curve


def test_discovery_with_other_settings_is_not_resumed(cache, evidence, tmp_path):
    run = new_run(tmp_path / "run", evidence)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discover, "calibrate", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            discover.main([str(cache), str(run), *DISCOVERY])
    with pytest.raises(SystemExit, match=r"other settings: lr 0\.002"):
        discover.main([str(cache), str(run), *DISCOVERY, "--lr", "0.01"])
    discover.main([str(cache), str(run), *DISCOVERY])
    assert not list(run.glob("*_state.pt"))
    discover.main([str(cache), str(run), *DISCOVERY, "--lr", "0.01"])


def test_curves_are_there_for_tensorboard(cache, tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pretrain.main([str(cache), str(tmp_path), "--batch", "4", *PRETRAINING])
    events = accumulators.EventAccumulator(str(tmp_path / "tensorboard" / "mae")).Reload()
    logged = {record["step"]: record["miss"] for record in log(tmp_path / "mae_log.jsonl")}
    found = {event.step: event.value for event in events.Scalars("miss")}
    assert found == pytest.approx(logged)


def test_loaders_read_the_same_windows_and_none_twice(cache):
    windows = AuthenticWindows(load_cache(cache, "train"), 16, seed=0)
    plan = [list(range(start, start + 4)) for start in range(0, 16, 4)]
    alone, helped = (
        list(DataLoader(windows, batch_sampler=plan, num_workers=loaders)) for loaders in (0, 2)
    )
    for one, other in zip(alone, helped, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    sounds = torch.cat([mel for _, mel in alone])
    assert len({mel.numpy().tobytes() for mel in sounds}) > 12


def test_ranks_divide_what_one_draws():
    samplers = [WindowSampler(12, 3, Ranks(rank, 2)) for rank in (0, 1)]
    together = sorted(n for item in samplers for batch in item.window_numbers([5]) for n in batch)
    assert together == next(WindowSampler(12, 1, Ranks()).window_numbers([5])) == [*range(60, 72)]


def test_windows_that_ranks_cannot_divide_evenly_are_refused():
    with pytest.raises(DeepLocError, match="A batch of 16 can't be divided into 3 equal parts"):
        WindowSampler(16, 3, Ranks())


@pytest.mark.parametrize("clips", (1, 7, 12, 13))
def test_an_epoch_has_every_clip_once_and_every_rank_takes_part(clips):
    order = np.random.default_rng(0).permutation(clips)
    ranks = [list(ClipSampler(clips, 12, 2, Ranks(rank, 3)).steps(order)) for rank in range(3)]
    alone = list(ClipSampler(clips, 12, 1, Ranks()).steps(order))
    assert {len(steps) for steps in ranks} == {len(alone)}
    for i, ((whole, share),) in enumerate(alone):
        parts = [part for steps in ranks for part in steps[i]]
        assert share == 1 and sum(weight for _, weight in parts) == pytest.approx(1)
        drawn = [clip for clip, _ in parts for clip in clip]
        assert set(drawn) == set(whole) and len(drawn) == max(3, len(whole))


def test_files_fan_out(tmp_path):
    files = [f"train/{number:06}.mp4" for number in range(500)]
    parents = {cached_path(tmp_path, file).parent for file in files}
    assert len(parents) > 400


def test_a_long_clip_is_cut_anew_in_every_epoch(cache, evidence):
    samples = load_cache(cache, "train")
    measured = measure_clips(evidence / "mae", samples, evidence / "evidence")
    clips = ClipDataset(samples, measured, longest=20)
    whole = ClipDataset(samples, measured)[0, 1]
    starts = set()
    for epoch in range(12):
        cut = clips[epoch, 1]
        assert torch.equal(cut.visual, clips[epoch, 1].visual)
        assert cut.visual.shape[1] == cut.steps.shape[1] == 20
        matches = whole.visual.unfold(1, 20, 1).movedim(-1, 2) == cut.visual
        starts.update(matches.flatten(2).all(-1)[0].nonzero().flatten().tolist())
        assert torch.equal(cut.labels, whole.labels)
    assert len(starts) > 5


def test_memory_is_bounded_and_changes_nothing(cache, evidence):
    samples = load_cache(cache, "train")
    measured = measure_clips(evidence / "mae", samples, evidence / "evidence")
    everything, two = ClipDataset(samples, measured), ClipDataset(samples, measured)
    two.memory = 2.5 * everything[0, 0].nbytes
    for _ in range(2):
        for i in range(len(samples)):
            assert torch.equal(two[0, i].visual, everything[0, i].visual)
    assert len(two._kept) == 2 and len(everything._kept) == len(samples)


def test_a_batch_is_padded_to_its_longest_clip(cache, evidence):
    samples = load_cache(cache, "train")
    measured = measure_clips(evidence / "mae", samples, evidence / "evidence")
    clips = ClipDataset(samples, measured)
    batch = collate([clips[0, 0].cut(0, 30), clips[0, 1]])
    assert batch.visual.shape[:2] == batch.seen.shape == (2, STEPS)
    assert batch.labels.shape == (2, 3)
    assert not batch.seen[0, 30:].any() and (batch.visual[0, 30:] == 0).all()
    assert torch.equal(batch.visual[1], clips[0, 1].visual[0])


def test_statistics_are_those_of_all_steps_at_once():
    rng = np.random.default_rng(0)
    pieces = [rng.normal(3, 2, (n, 4, 9)).astype(np.float32) for n in (5, 40, 17)]
    pieces[1][3:9] = np.nan
    moments = RunningMoments((4, 9))
    for piece in pieces:
        moments.add(piece)
    mean, spread = moments.over(Ranks())
    steps = np.concatenate(pieces)
    np.testing.assert_allclose(mean, np.nanmean(steps, axis=0), rtol=1e-5)
    np.testing.assert_allclose(spread, np.nanstd(steps, axis=0), rtol=1e-5)


def test_a_checkpoint_is_replaced_file_by_file(tmp_path):
    for name in ("first", "second"):
        save_model(RTDeepLoc(name=name), tmp_path / "model")
        assert load_checkpoint(tmp_path / "model")[0].name == name
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_benchmark_times_every_stage(monkeypatch, capsys):
    def extracted(folder, seconds):
        made_cache(folder, (("train", 1),), MAEConfig().crop)
        return 1.0, load_cache(folder, "train")

    monkeypatch.setattr(benchmark, "time_extraction", extracted)
    benchmark.main(["--seconds", "0.01", "--batch", "2"])
    table = capsys.readouterr().out
    assert "| extract, hours | 326 | 1321 |" in table
    assert "nan" not in table and "inf" not in table
