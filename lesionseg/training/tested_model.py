"""A model to be tested, whatever kind of file it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from lesionseg.checkpoint.layout import descriptors_of, has_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.data.descriptor import Descriptor
from lesionseg.data.source import Source
from lesionseg.data.synthetic import trains_on_drawn_images
from lesionseg.errors import InputError
from lesionseg.exporting.opening import EXPORTED_SUFFIXES, open_exported
from lesionseg.model.engine import Engine, id_digest
from lesionseg.model.segmenter import Segmenter


@dataclass(frozen=True)
class TestedModel:
    """What testing needs of a model."""

    __test__ = False  # pytest would take it for tests

    segmenter: Segmenter
    name: str
    """Name of the run that trained it."""
    image_size: int
    """Height and width in pixels that the network works at."""
    split_sha256: str
    """Hash of the split that it was trained with."""
    trained_on: frozenset[str]
    """`id_digest` of each training image."""
    is_of_drawn_images: bool
    """Whether all of these were drawn by lesionseg."""
    descriptors: Mapping[str, Descriptor]
    """Descriptors of the images of training and validation by id; empty where the file has none."""
    is_fitted: bool
    """Whether its decision was fitted on the validation part; not known of an exported file."""
    path: Path
    checkpoint: Mapping[str, Any] | None
    """None of an exported file, which knows neither the training's configuration nor its data."""

    @property
    def config(self) -> Mapping[str, Any] | None:
        """The training's configuration, if it is known."""
        return None if self.checkpoint is None else self.checkpoint["lesionseg"]["config"]

    def own_data(self) -> tuple[Source, Mapping[str, Any]]:
        """Rebuilds the source that it was trained on, and returns it with its division.

        Raises:
            InputError: It is not known, or the data are gone.
        """
        if self.checkpoint is None:
            raise InputError(
                f"{self.path} is an exported model, which does not know its data; give them, for example data=isic2017 "
                "data.root=FOLDER"
            )
        return source_of(self.checkpoint), self.checkpoint["lesionseg"]["split"]


class EngineSegmenter(nn.Module):
    """Takes a segmenter's place in a test, which asks for nothing but probabilities and the decision.

    Args:
        engine: Engine of an exported file.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self.postprocessing = engine.facts.postprocessing

    def probability(self, image: Tensor) -> Tensor:
        """Predicts: (B, 3, S, S) uint8 RGB on any device -> (B, 1, S, S) float32 there; see `Segmenter.probability`."""
        pixels = np.ascontiguousarray(image.permute(0, 2, 3, 1).cpu().numpy())
        return torch.from_numpy(self._engine.probability(pixels))[:, None].to(image.device)


def open_tested(path: Path, *, accelerator: str, postprocessing: str) -> TestedModel:
    """Opens a checkpoint or an exported file.

    Args:
        path: Which of them it is, its suffix tells.
        accelerator: Lightning's setting; an exported file runs where it says, as far as its runtime can.
        postprocessing: `stored`, or `plain`: as configured for the training, without what was fitted afterwards.

    Raises:
        InputError: There is no such choice; the file is missing, damaged or hostile; or a package that it needs is not
            installed.
    """
    if postprocessing not in ("stored", "plain"):
        raise InputError(f"postprocessing is {postprocessing}; allowed: stored, plain")
    if path.suffix in EXPORTED_SUFFIXES:
        if postprocessing == "plain":
            fault = "has its post-processing inside; postprocessing=plain needs the checkpoint that it was made from"
            raise InputError(f"{path} {fault}")
        return _exported(path, accelerator)
    checkpoint = read(path)
    record = checkpoint["lesionseg"]
    return TestedModel(
        segmenter=segmenter_of(checkpoint, plain=postprocessing == "plain"),
        name=record["config"]["name"],
        image_size=record["config"]["image_size"],
        split_sha256=record["split"]["sha256"],
        trained_on=frozenset(id_digest(id_) for id_ in record["split"]["parts"]["train"]),
        is_of_drawn_images=trains_on_drawn_images(record["config"].get("data")),
        descriptors=descriptors_of(checkpoint),
        is_fitted=has_postprocessing(checkpoint) and postprocessing == "stored",
        path=path,
        checkpoint=checkpoint,
    )


def _exported(path: Path, accelerator: str) -> TestedModel:
    engine = open_exported(path, device="cpu" if accelerator == "cpu" else "auto")
    return TestedModel(
        segmenter=cast(Segmenter, EngineSegmenter(engine)),  # all that a test uses of one
        name=engine.facts.name,
        image_size=engine.facts.image_size,
        split_sha256=engine.embedded.split_sha256,
        trained_on=engine.facts.trained_on,
        is_of_drawn_images=engine.facts.is_of_drawn_images,
        descriptors={},
        is_fitted=False,
        path=path,
        checkpoint=None,
    )
