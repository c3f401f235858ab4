"""Inference with PyTorch, compiled and in ONNX Runtime: from bytes in memory to probabilities."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from lesionseg.benchmarking.subject import Subject
from lesionseg.benchmarking.timing import NotMeasurableError, Row, Speed, Work, first_line
from lesionseg.exporting.deployed import Deployed, exported
from lesionseg.exporting.exporting import NEEDED
from lesionseg.exporting.onnx import open_session
from lesionseg.exporting.opening import INPUT, OUTPUTS
from lesionseg.training.optimizer import random_batch

WAYS = {"eager": "eager", "compiled": "compiled", "onnx": "ONNX Runtime"}
"""Name of each runtime in tables."""
NETWORK_ALONE = "network alone"


def inference_works(
    subject: Subject, runtimes: Sequence[str], *, batch_size: int, image_size: int
) -> list[Work | Speed]:
    """Prepares inference in each runtime, a key of `WAYS`, and the network alone."""
    image = subject.laid_out(random_batch(batch_size, image_size)[0])
    return [*(_prepared(subject, runtime, image) for runtime in runtimes), network_alone(subject, image)]


@torch.inference_mode()
def eager(subject: Subject, image: Tensor) -> Tensor:
    """Predicts the probabilities (B, 1, H, W) float32 of (B, 3, H, W) uint8, both in the CPU's memory."""
    with subject.autocast():
        return subject.segmenter.probability(image.to(subject.device)).cpu()


def compiled(subject: Subject, image: Tensor, *, backend: str | Callable[..., object]) -> Callable[[], Tensor]:
    """Compiles `eager` for a batch of images and runs it once.

    Raises:
        NotMeasurableError: It cannot be compiled on this machine.
    """
    try:
        probability = torch.compile(subject.segmenter.probability, backend=backend)

        @torch.inference_mode()
        def predict() -> Tensor:
            with subject.autocast():
                result: Tensor = probability(image.to(subject.device)).cpu()
            return result

        predict()
    except Exception as error:  # compilers and their subprocesses raise any error
        raise NotMeasurableError(f"torch.compile fails: {first_line(error)}") from error
    return predict


def onnx_inference(subject: Subject, image: Tensor) -> tuple[Callable[[], object], str]:
    """Exports a subject in float32 as `lesionseg.export` does, and opens it in as many threads as PyTorch has.

    Returns:
        A function that predicts the images (B, 3, S, S) uint8, and where it runs: `CPU` or `GPU`.

    Raises:
        NotMeasurableError: The extra is not installed, or the network cannot be exported.
    """
    (extra,) = NEEDED["onnx"]
    absent = [module for module in NEEDED["onnx"][extra] if find_spec(module) is None]
    if absent:
        raise NotMeasurableError(f"needs {', '.join(absent)}: pip install 'lesionseg[{extra}]'")
    pixels = np.ascontiguousarray(image.permute(0, 2, 3, 1).cpu().numpy())
    try:
        model = _model(subject, image.shape[-1])
        session, _ = open_session(model, subject.name, device="auto", threads=torch.get_num_threads())
        session.run(list(OUTPUTS), {INPUT: pixels})
    except Exception as error:  # the exporter's and ONNX Runtime's errors share no type
        raise NotMeasurableError(f"cannot be exported: {first_line(error)}") from error
    place = "GPU" if session.get_providers()[0].startswith("CUDA") else "CPU"
    return lambda: session.run(list(OUTPUTS), {INPUT: pixels}), place


def network_alone(subject: Subject, image: Tensor) -> Work:
    """Prepares the network without normalisation, sigmoid and copies between devices."""
    pixels = subject.laid_out(image.to(subject.device).float() / 255)

    @torch.inference_mode()
    def call() -> None:
        with subject.autocast():
            subject.segmenter.network(pixels)

    return _work(subject, NETWORK_ALONE, call, image, is_limit=True)


def _prepared(subject: Subject, runtime: str, image: Tensor) -> Work | Speed:
    way = WAYS[runtime]
    try:
        if runtime == "onnx":
            call, place = onnx_inference(subject, image)
            return Work(Row("inference", way, subject.name, f"fp32 on {place}, batch {len(image)}"), len(image), call)
        if runtime == "compiled":
            return _work(subject, way, compiled(subject, image, backend="inductor"), image)
        return _work(subject, way, partial(eager, subject, image), image)
    except NotMeasurableError as error:
        return Speed(Row("inference", way, subject.name, ""), [], str(error))


def _work(subject: Subject, way: str, call: Callable[[], object], image: Tensor, *, is_limit: bool = False) -> Work:
    row = Row("inference", way, subject.name, f"{subject.settings.words}, batch {len(image)}", is_limit)
    return Work(row, len(image), call, finish=subject.wait)


def _model(subject: Subject, size: int) -> bytes:
    from lesionseg.exporting.onnx_writing import converted  # needs the extra

    segmenter = copy.deepcopy(subject.segmenter).cpu()
    model: bytes = converted(exported(Deployed(segmenter, size))).SerializeToString()
    return model
