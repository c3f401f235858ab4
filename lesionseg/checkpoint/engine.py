"""Predicting with a checkpoint in PyTorch."""

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionseg.checkpoint.layout import model_facts
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.errors import InputError
from lesionseg.system.device import describe_device, fastest_precision, pick_device
from lesionseg.system.processes import refuse_gpu_after_fork

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
SHORT_NAMES = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}
"""Short names of Lightning's precisions."""


class CheckpointEngine:
    """Runs the segmenter of a checkpoint or of weights, see `lesionseg.model.engine.Engine`.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:<number>`.
        precision: `auto` (the fastest the device has), `fp32`, `bf16` or `fp16`.

    Raises:
        InputError: The file is no checkpoint of lesionseg, or a setting is not among these.
    """

    def __init__(self, path: Path, *, device: str, precision: str) -> None:
        if precision not in ("auto", *PRECISIONS):
            raise InputError(f"precision is {precision}; allowed: auto, {', '.join(PRECISIONS)}")
        checkpoint = read(path)
        self._device = pick_device(device)
        if precision == "auto":
            precision = SHORT_NAMES[fastest_precision(self._device.type)]
        self._autocast = PRECISIONS[precision]
        self.segmenter = segmenter_of(checkpoint).to(self._device)
        self.segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
        self.device = describe_device(self._device, precision)
        self.facts = model_facts(checkpoint, path, self.segmenter.postprocessing)
        self._opened_by = os.getpid()
        # A GPU works on one batch at a time anyway, and two would need the memory of two.
        self._turn = nullcontext() if self._device.type == "cpu" else threading.Lock()

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch; see `Engine.probability`."""
        return self._predicted(images, self.segmenter.probability)

    def second_look(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch in another way; see `Engine.second_look`."""
        return self._predicted(images, self.segmenter.second_look)

    def _predicted(self, images: NDArray[np.uint8], predict: Callable[[Tensor], Tensor]) -> NDArray[np.float32]:
        refuse_gpu_after_fork(self._device, self._opened_by)
        images = np.require(images, requirements="W")  # Pillow's pixels are read-only, which torch warns of
        batch = torch.from_numpy(images).permute(0, 3, 1, 2)  # (B, 3, S, S), channels_last as it lies
        autocast = torch.autocast(self._device.type, self._autocast) if self._autocast else nullcontext()
        with self._turn, torch.inference_mode(), autocast:
            probability = predict(batch.to(self._device))
        predicted: NDArray[np.float32] = probability[:, 0].float().cpu().numpy()
        return predicted
