"""`int8=true`: weights and activations in 8 bits, calibrated on training images."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from lesionseg.data.sample import Sample
from lesionseg.exporting.embedded_facts import EmbeddedFacts
from lesionseg.exporting.exported_file import INPUT
from lesionseg.exporting.exported_opening import ExportedEngine
from lesionseg.exporting.onnx_format import embed
from lesionseg.metrics.dice import Dice
from lesionseg.postprocessing.run_length import Truth

QUANTISED = ("Conv", "ConvTranspose", "Add", "Concat", "MaxPool", "Relu", "Resize")
"""Operators between the first convolution and the last, so that values stay in 8 bits from one to the next."""


class CalibrationImages(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime comes without types
    """Gives the quantiser one image at a time, at the network's size."""

    def __init__(self, samples: Sequence[Sample], image_size: int) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = (sample.read_resized(image_size).image[None] for sample in samples)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Returns the next image as the model takes it, or None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantise(float_file: Path, samples: Sequence[Sample], facts: EmbeddedFacts, path: Path) -> None:
    """Writes an 8-bit version of an ONNX file.

    Args:
        float_file: The exported file in float32.
        samples: Images whose activations set the scales; their masks are not used.
        facts: What the new file carries.
        path: The new file.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises its developers there, whatever it is given
    try:
        quantize_static(
            float_file,
            path,
            CalibrationImages(samples, facts.image_size),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=_outside_of_network(float_file),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    finally:
        root.setLevel(level)
    model = onnx.load(path)
    embed(model, facts)
    onnx.save(model, path)


def mean_dice(engine: ExportedEngine, samples: Sequence[Sample]) -> float:
    """Returns the mean Dice of the samples, each scored at its ground truth's own size, 0 to 1."""
    return float(np.mean([_dice(engine, sample) for sample in samples]))


def _dice(engine: ExportedEngine, sample: Sample) -> float:
    image, target = sample.read_resized(engine.facts.image_size).image, sample.mask()
    mask = engine.facts.postprocessing.mask(engine.probability(image[None])[0], target.shape)
    return float(Dice().score(Truth.of(target).counts(mask)))


def _outside_of_network(float_file: Path) -> list[str]:
    """Names the operators before the first convolution and behind the last: pixels, sigmoid and decision stay exact."""
    nodes = onnx.load(float_file).graph.node
    convolutions = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "ConvTranspose")]
    return [node.name for node in (*nodes[: convolutions[0]], *nodes[convolutions[-1] + 1 :])]
