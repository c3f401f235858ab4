"""The model as it is handed over: a photograph in, probability and mask of the same size out; and its `.pt2` file."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional

import lesionseg
from lesionseg.checkpoint.layout import model_facts
from lesionseg.errors import InputError
from lesionseg.exporting.facts import DIGESTS_KEY, KEY, EmbeddedFacts, Precision
from lesionseg.exporting.opening import ExportedEngine
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.postprocessing.run_length import resize_and_threshold

LARGEST_SIDE = 65_536
"""Largest height and width in pixels, and largest batch."""
INPUT_IN_WORDS = "image: (batch, height, width, 3) uint8, RGB 0..255, any batch, height and width"
OUTPUTS_IN_WORDS = (
    "probability: (batch, height, width) float32 of lesion, 0..1; "
    "mask: (batch, height, width) uint8, 1 where the probability is above the threshold, else 0 "
    "(lesionseg.predict writes 255 in place of 1); "
    "without largest_component and fill_holes, which lesionseg does to it where they are true"
)
CHATTER = (
    "torch.onnx._internal.exporter._registration",  # that torchvision, which nothing here uses, is not installed
    "onnxscript",  # what its optimiser removes
    "onnx_ir",  # what its optimiser removes
)


class Deployed(nn.Module):
    """Resizes a photograph, predicts it as the segmenter does, and resizes the probability back.

    Its mask is without largest_component and fill_holes, which are no steps of a graph: the metadata ask for them, and
    whoever makes the final mask does them. An image of the network's size passes both resizings unchanged, so that
    whoever resizes by other means gets exactly the segmenter's probabilities.
    """

    def __init__(self, segmenter: Segmenter, image_size: int) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.image_size = image_size

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the probability and the mask of images.

        (B, H, W, 3) uint8 RGB 0..255 of any size -> (B, H, W) float32 in [0, 1] and (B, H, W) uint8 in {0, 1}.
        """
        height, width = image.shape[1], image.shape[2]
        size = (self.image_size, self.image_size)
        pixels = image.permute(0, 3, 1, 2).float()  # (B, 3, H, W)
        # With antialiasing, so that every pixel of a large photograph counts and hairs do not alias.
        resized = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
        small = self.segmenter.probability(resized)  # (B, 1, S, S)
        probability, mask = resize_and_threshold(small, self.segmenter.threshold, (height, width))
        return probability[:, 0], mask[:, 0].to(torch.uint8)


def exported(deployed: Deployed) -> ExportedProgram:
    """Traces the model for any number of images of any size from one pixel on."""
    names = ("batch", "height", "width")
    dimensions = {axis: torch.export.Dim(name, min=1, max=LARGEST_SIDE) for axis, name in enumerate(names)}
    # Two images, higher than wide and not of the network's size, make the trace a general case.
    example = torch.zeros(2, deployed.image_size + 7, deployed.image_size + 3, 3, dtype=torch.uint8)
    with torch.no_grad(), quiet():
        return torch.export.export(deployed.eval(), (example,), dynamic_shapes={"image": dimensions})


def collect_facts(
    checkpoint: Mapping[str, Any],
    path: Path,
    *,
    postprocessing: Postprocessing,
    precision: Precision,
    licence: str,
    intended_use: str,
) -> EmbeddedFacts:
    """Collects the metadata of an export of the checkpoint at `path` with these contents.

    Raises:
        InputError: A number or text of the checkpoint is out of range.
    """
    record = checkpoint["lesionseg"]
    facts = model_facts(checkpoint, path, postprocessing)
    trained_on = sorted(facts.trained_on)
    try:
        return EmbeddedFacts(
            format=1,
            name=facts.name,
            classes=["lesion"],
            image_size=facts.image_size,
            **postprocessing.settings(),
            temperature=facts.temperature,
            precision=precision,
            version=facts.version,
            git_commit=record["code"]["git_commit"],
            exported_by=lesionseg.__version__,
            checkpoint_sha256=facts.sha256,
            split_sha256=record["split"]["sha256"],
            trained_on_images=len(trained_on),
            trained_on_sha256=sha256("".join(trained_on).encode()).hexdigest(),
            trained_on=trained_on,
            is_of_drawn_images=facts.is_of_drawn_images,
            licence=licence,
            intended_use=intended_use,
            input=INPUT_IN_WORDS,
            outputs=OUTPUTS_IN_WORDS,
        )
    except ValidationError as error:
        raise InputError(f"{path}: what it says of itself cannot be exported: {error}") from error


def write_torch_export(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes a `.pt2` file for PyTorch without lesionseg, with `lesionseg.json` and `lesionseg_trained_on.txt` in it.

    The example that the program was traced with is left out: it would be the archive's only pickle.
    """
    program.example_inputs = None
    extra = {f"{KEY}.json": facts.text(), f"{DIGESTS_KEY}.txt": facts.digests()}
    with quiet():
        torch.export.save(program, path, extra_files=extra)


class OwnTorchExport(ExportedEngine):
    """Runs a `.pt2` file that this process has just written; `torch.export.load` may run code of any other."""

    runtime = "torch.export"
    device = "CPU, torch.export"

    def __init__(self, path: Path, facts: EmbeddedFacts) -> None:
        super().__init__(path, path.read_bytes(), {KEY: facts.text(), DIGESTS_KEY: facts.digests()})
        with quiet():
            self._module = torch.export.load(path).module()

    def _run(self, images: NDArray[np.uint8]) -> tuple[Any, Any]:
        return predicted(self._module, images)


def predicted(model: nn.Module, images: NDArray[np.uint8]) -> tuple[Any, Any]:
    """Runs a model of PyTorch that takes and gives what `Deployed` does, in float32, and returns arrays."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        probability, mask = model(torch.from_numpy(np.require(images, requirements="W")))
    return probability.numpy(), mask.numpy()


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Silences what exporters say to their own developers: warnings of these loggers, or of those in `CHATTER`."""
    levels = {logger: logger.level for logger in map(logging.getLogger, loggers or CHATTER)}
    with warnings.catch_warnings():
        # torch 2.13 copies its own tree specifications in a way that it has itself deprecated.
        warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
        try:
            for logger in levels:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in levels.items():
                logger.setLevel(level)
