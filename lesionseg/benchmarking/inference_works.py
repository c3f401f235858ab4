"""Inference: batches of pixels in, probabilities out."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from lesionseg.benchmarking.images import random_images
from lesionseg.benchmarking.missing import NotMeasurableError, first_line
from lesionseg.benchmarking.onnx_inference import onnx_inference
from lesionseg.benchmarking.subject import Subject
from lesionseg.benchmarking.timing import Row, Speed, Work

WAYS = {"eager": "eager", "compiled": "compiled", "onnx": "ONNX Runtime"}
"""What tables call each runtime."""
NETWORK_ALONE = "network alone"


def inference_works(
    subject: Subject, runtimes: Sequence[str], *, batch_size: int, image_size: int
) -> list[Work | Speed]:
    """Prepares every way of inference, and the network alone; a way that cannot be had says why.

    Args:
        subject: In evaluation mode.
        runtimes: Keys of `WAYS`.
        batch_size: Images.
        image_size: Height and width in pixels.
    """
    image = subject.laid_out(random_images(batch_size, image_size))
    return [*(_prepared(subject, runtime, image) for runtime in runtimes), _network_alone(subject, image)]


@torch.inference_mode()
def eager(subject: Subject, image: Tensor) -> Tensor:
    """Predicts (B, 3, H, W) uint8 in the CPU's memory: to the device and back, as prediction does.

    Returns:
        Each pixel's probability, (B, 1, H, W) float32 in [0, 1].
    """
    with subject.autocast():
        return subject.segmenter.probability(image.to(subject.device)).cpu()


def compiled(subject: Subject, image: Tensor, *, backend: str | Callable[..., object]) -> Callable[[], Tensor]:
    """Compiles `eager` for batches like this one and runs it once.

    Args:
        subject: In evaluation mode.
        image: As in `eager`.
        backend: Backend of `torch.compile`: a name, or a function.

    Raises:
        NotMeasurableError: It cannot be compiled here, for whatever reason.
    """
    try:
        probability = torch.compile(subject.segmenter.probability, backend=backend)

        @torch.inference_mode()
        def predict() -> Tensor:
            with subject.autocast():
                result: Tensor = probability(image.to(subject.device)).cpu()
            return result

        predict()
    except Exception as error:  # compilers and their subprocesses raise whatever they stumble on
        raise NotMeasurableError(f"torch.compile fails: {first_line(error)}") from error
    return predict


def _prepared(subject: Subject, runtime: str, image: Tensor) -> Work | Speed:
    try:
        if runtime == "onnx":
            call, place = onnx_inference(subject, image)
            detail = f"fp32 on {place}, batch {len(image)}"
            return Work(Row("inference", WAYS[runtime], subject.name, detail), len(image), call)
        if runtime == "compiled":
            return _work(subject, WAYS[runtime], compiled(subject, image, backend="inductor"), image)
        return _work(subject, WAYS[runtime], partial(eager, subject, image), image)
    except NotMeasurableError as error:
        return Speed(Row("inference", WAYS[runtime], subject.name, ""), [], str(error))


def _network_alone(subject: Subject, image: Tensor) -> Work:
    """Does without normalisation, sigmoid and copies: pixels and logits stay where they are."""
    pixels = subject.laid_out(image.to(subject.device).float() / 255)

    @torch.inference_mode()
    def call() -> None:
        with subject.autocast():
            subject.segmenter.network(pixels)

    return _work(subject, NETWORK_ALONE, call, image, is_limit=True)


def _work(subject: Subject, way: str, call: Callable[[], object], image: Tensor, *, is_limit: bool = False) -> Work:
    row = Row("inference", way, subject.name, f"{subject.settings.words}, batch {len(image)}", is_limit)
    return Work(row, len(image), call, finish=subject.wait)
