"""Quantisation of weights and activations to 8 bits, calibrated on training images (`int8=true`)."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from lesionseg.data.source import Sample
from lesionseg.exporting.facts import EmbeddedFacts
from lesionseg.exporting.onnx import embed
from lesionseg.exporting.opening import INPUT, ExportedEngine
from lesionseg.metrics.dice import Dice
from lesionseg.postprocessing.run_length import RunLengthMask

QUANTISED = ("Conv", "ConvTranspose", "Add", "Concat", "MaxPool", "Relu", "Resize")
"""Operators that are quantised, so that values stay in 8 bits from the first convolution to the last."""


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
        float_file: Exported file in float32.
        samples: Images whose activations set the scales; their masks are not used.
        facts: Metadata of the new file.
        path: New file.
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
    return float(Dice().score(mask.counts(RunLengthMask.of(target))))


def _outside_of_network(float_file: Path) -> list[str]:
    """Names the operators before the first convolution and after the last, so that the sigmoid stays exact."""
    nodes = onnx.load(float_file).graph.node
    convolutions = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "ConvTranspose")]
    return [node.name for node in (*nodes[: convolutions[0]], *nodes[convolutions[-1] + 1 :])]
