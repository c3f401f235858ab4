"""Compiling the network with `torch.compile`, where that works."""

import copy
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lesionseg.model.segmenter import Segmenter
from lesionseg.training.module import SegmentationModule

log = logging.getLogger(__name__)

Backend = str | Callable[..., Any]
BACKEND = "inductor"
"""torch.compile's own, which writes and builds C++ for CPUs and Triton for GPUs."""


class NetworkCompiler(Callback):
    """Compiles the network when a training starts, once it is on its device."""

    def __init__(self, *, image_size: int, batch_size: int, backend: Backend = BACKEND) -> None:
        self.shape = (batch_size, 3, image_size, image_size)
        self.backend = backend

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compiles for the precision that the training has."""
        if not isinstance(pl_module, SegmentationModule):
            raise TypeError(f"the module is a {type(pl_module).__name__}; allowed: SegmentationModule")
        log.info("Compiling the network, which takes a minute or two ...")
        image = torch.zeros(self.shape, dtype=torch.uint8, device=pl_module.device)
        image = image.contiguous(memory_format=torch.channels_last)
        compile_network(pl_module.segmenter, image, trainer.precision_plugin.forward_context, self.backend)


def compile_network(
    segmenter: Segmenter, image: Tensor, precision: Callable[[], AbstractContextManager[Any]], backend: Backend
) -> bool:
    """Compiles a segmenter's network in place; where that fails it stays as it was, and one line says why.

    Names, weights and checkpoints do not change, only what a call of the network runs. Other image sizes are compiled
    when they come.

    Args:
        segmenter: Segmenter on its device.
        image: A batch as in training.
        precision: Makes the context of a forward pass, such as autocast.
        backend: Backend of torch.compile.

    Returns:
        Whether it is compiled.
    """
    try:
        _try(segmenter, image, precision, backend)
    except Exception as error:  # compilers raise whatever they like
        log.warning("compile=true does not work here (%s): the training goes on without.", _reason(error))
        return False
    segmenter.network.compile(backend=backend)
    return True


def _try(
    segmenter: Segmenter, image: Tensor, precision: Callable[[], AbstractContextManager[Any]], backend: Backend
) -> None:
    """Trains and validates a copy on a batch, without the run's random numbers; what is compiled serves both."""
    trial = copy.deepcopy(segmenter)
    trial.network.compile(backend=backend)
    with torch.random.fork_rng():
        with precision():
            logits = trial.train()(image)
        logits.sum().backward()
        with torch.inference_mode(), precision():
            trial.eval()(image)


def _reason(error: BaseException) -> str:
    """Finds what went wrong first, in one line; around it the compiler wraps advice for its own developers."""
    while (inner := getattr(error, "inner_exception", None) or error.__cause__) is not None:
        error = inner
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
