"""One checkpoint: MAE, FDN and the statistics that make their outputs comparable between clips.

Loaded from and saved to a folder or a Hub repository with `config.json` and `model.safetensors`.
It knows nothing about files of users, windows cutting or intervals.

Evidence of a patch at a step: 12 values, `KINDS` x `BANDS`, each standardised by authentic training
clips: the content itself (its level, the log energy of the other bands, detail), then the surprise
(log energy of the residual, or detail, minus the MAE's prediction of it) with the patch hidden, and
with its whole stream hidden (cross-modal; uninformative where the other stream is absent, since
nothing is visible then).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, TypeVar

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from deeploc.calibration import Calibration
from deeploc.models.fdn import (
    FACE_ZONES,
    FDN,
    SOUND_ZONES,
    FDNConfig,
    lines_input,
    picture_input,
    sound_input,
)
from deeploc.models.mae import (
    BANDS,
    MAE,
    Composite,
    MAEConfig,
    Patches,
    face_energies,
    hidden_streams,
    hidden_tubes,
    log_energy,
    missed,
    sound_energies,
)

KINDS = ("content", "hidden", "cross")
VALUES = len(KINDS) * len(BANDS)
FORMAT = "deeploc-6"
AnyModel = TypeVar("AnyModel")  # what the mixin asks for
TINY = MAEConfig(crop=96, width=32, depth=1, heads=2, decoder_width=32, decoder_depth=1)


class RTDeepLoc(nn.Module, PyTorchModelHubMixin, library_name="deeploc", tags=["deepfake"]):
    """The whole model; `mae`, `calibration`: fields of `MAEConfig`, `Calibration` as plain data.

    `RTDeepLoc.from_pretrained(folder_or_repo_id, revision=..., strict=True)` loads,
    `save_pretrained(folder)` writes, `push_to_hub(repo_id)` publishes.
    """

    face_mean: Tensor
    face_std: Tensor
    sound_mean: Tensor
    sound_std: Tensor

    def __init__(
        self,
        mae: dict[str, Any] | None = None,
        fdn: dict[str, Any] | None = None,
        calibration: dict[str, Any] | None = None,
        name: str = "tiny",
        format: str = FORMAT,
    ) -> None:
        super().__init__()
        config = MAEConfig(**mae) if mae else TINY
        self.name = name
        self.calibration = Calibration.of(calibration or {})
        self.mae = MAE(config)
        cells, rows = config.cells**2, config.mel_rows
        evidence = FDNConfig(
            len(FACE_ZONES) * VALUES,
            len(SOUND_ZONES) * VALUES,
            values=VALUES,
            content=len(BANDS),
        )
        self.fdn = FDN(replace(evidence, **(fdn or {})))
        self.register_buffer("face_mean", torch.zeros(cells, VALUES))
        self.register_buffer("face_std", torch.ones(cells, VALUES))
        self.register_buffer("sound_mean", torch.zeros(rows, VALUES))
        self.register_buffer("sound_std", torch.ones(rows, VALUES))

    @classmethod
    def _load_as_pickle(
        cls, model: AnyModel, model_file: str, map_location: str, strict: bool
    ) -> AnyModel:
        """What the mixin falls back to; pickles can run anything."""
        raise ValueError("This repository holds no model.safetensors, and nothing else is loaded.")

    def calibrated(self, calibration: Calibration, name: str) -> RTDeepLoc:
        """The same weights under another calibration and name."""
        fdn = asdict(self.fdn.config)
        fdn = {
            key: fdn[key]
            for key in ("width", "depth", "dropout", "inputs", "surroundings", "one_head")
        }
        model = RTDeepLoc(asdict(self.mae.config), fdn, asdict(calibration), name)
        model.load_state_dict(self.state_dict())
        return model.eval()

    def measure_windows(
        self,
        faces: Tensor,
        mel: Tensor,
        seen: Tensor,
        heard: Tensor,
        composite: Composite | None = None,
        surprises: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Evidence of B windows: `(B, K, cells, 12)` of the picture, `(B, K, rows, 12)` of the
        sound. A `composite` is given what the MAE rebuilt on the way; without `surprises` it
        rebuilds nothing, and they are NaN.

        `faces (B, K, H, W, 3) uint8`, `mel (B, 4K, M + rows)`, `seen`, `heard (B, K) bool`. A patch
        that holds an unseen or unheard step stays hidden throughout, and its steps are NaN.
        """
        c = self.mae.config
        patches = self.mae.targets(faces, mel)
        absent_face = ~seen.reshape(len(faces), c.slots, c.tubelet).all(2)
        absent_sound = ~heard.reshape(len(faces), c.slots, c.tubelet).all(2)
        absent = torch.cat(
            [
                absent_face.repeat_interleave(c.cells**2, dim=1),
                absent_sound.repeat_interleave(c.mel_rows, dim=1),
            ],
            dim=1,
        )
        kinds = [
            (
                content(patches.faces, patches.face_detail, face_energies),
                content(patches.sound, patches.sound_detail, sound_energies),
            )
        ]
        if surprises:
            for hidden, seen_by in ((hidden_tubes(c), composite), (hidden_streams(c), None)):
                kinds.append(self._surprise(patches, hidden.to(absent.device), absent, seen_by))
        else:
            picture, sound = (torch.full_like(kind, torch.nan) for kind in kinds[0])
            kinds += [(picture, sound)] * 2
        faces_evidence = torch.cat([kind[0] for kind in kinds], dim=-1)
        sound_evidence = torch.cat([kind[1] for kind in kinds], dim=-1)
        return (
            self._steps(faces_evidence, self.face_mean, self.face_std, absent_face),
            self._steps(sound_evidence, self.sound_mean, self.sound_std, absent_sound),
        )

    def _surprise(
        self,
        patches: Patches,
        partitions: Tensor,
        absent: Tensor,
        composite: Composite | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Surprise of every patch in the one partition that hides it."""
        tokens = self.mae.embed(patches)
        detail, flat = patches.face_detail, patches.sound_detail
        in_picture = detail.new_zeros(*detail.shape, len(BANDS))
        in_sound = flat.new_zeros(*flat.shape, len(BANDS))
        for partition in partitions:
            if composite is None and bool((absent | ~partition).all()):
                continue  # all that it hides is absent anyway
            expected = self.mae.rebuild(tokens, partition | absent, partition)
            if composite is not None:
                composite.take(patches, partition, expected)
            removed = partition.split([detail.shape[1], flat.shape[1]])
            picture, sound = missed(patches.only(partition), expected)
            in_picture[:, removed[0]] = picture - expected.face_energy
            in_sound[:, removed[1]] = sound - expected.sound_energy
        return in_picture, in_sound

    def _steps(self, evidence: Tensor, mean: Tensor, std: Tensor, absent: Tensor) -> Tensor:
        """Patches `(B, L, S, 12)` -> standardised steps `(B, K, cells, 12)`, absent ones NaN."""
        b, _, tubelet, values = evidence.shape
        slots = self.mae.config.slots
        steps = evidence.reshape(b, slots, -1, tubelet, values).transpose(2, 3)
        steps = ((steps - mean) / std).masked_fill(absent[:, :, None, None, None], torch.nan)
        return steps.reshape(b, slots * tubelet, -1, values)

    def forgery_scores(
        self,
        visual: Tensor,
        audio: Tensor,
        lines: Tensor,
        seen: Tensor,
        heard: Tensor,
        scenes: Tensor | None = None,
        surroundings: Tensor | None = None,
    ) -> Tensor:
        """Forgery scores `(B, T, 3)` of whole clips (`FDN.scores`): evidence `(B, T, cells, 12)`
        and `(B, T, rows, 12)`, lines `(B, T, R)`, `scenes (B, T) int`, by default one, and
        `surroundings (B, T, 2, 4)`, by default none."""
        picture = picture_input(visual, seen, scenes, surroundings)
        sound = sound_input(audio, heard)
        found = self.fdn(picture, sound, lines_input(lines, heard), seen, heard)
        return self.fdn.scores(found.logits, seen, heard)


def content(patches: Tensor, detail: Tensor, energies: Callable[[Tensor], Tensor]) -> Tensor:
    """What patches `(B, L, S, ...)` hold, unpredicted: `(B, L, S, 4)` mean level, log energy of the
    fine and the change band, and `detail (B, L, S)`."""
    level = patches.flatten(3).mean(-1, keepdim=True)
    return torch.cat([level, log_energy(energies(patches))[..., 1:], detail[..., None]], dim=-1)
