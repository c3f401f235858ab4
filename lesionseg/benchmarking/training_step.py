"""One step of training, as `lesionseg.train` runs it, on a batch that is in memory already."""

from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from lesionseg.benchmarking.images import random_images, random_masks
from lesionseg.benchmarking.subject import Subject
from lesionseg.config.build import build
from lesionseg.training.parameter_groups import parameter_groups


class TrainingStep:
    """Forward pass, loss, backward pass and optimizer step; a batch of bytes is copied to the device each time.

    Random masks cannot be learnt by heart, so that gradients stay of the size that they have in training.

    Args:
        subject: Whose weights change.
        loss: A node of `conf/loss`.
        optimizer: A node of `conf/optimizer`.
        batch_size: Images.
        image_size: Height and width in pixels.

    Raises:
        InputError: Loss or optimizer refuse their settings.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        loss: Mapping[str, Any],
        optimizer: Mapping[str, Any],
        batch_size: int,
        image_size: int,
    ) -> None:
        self.subject = subject
        self.image = subject.laid_out(random_images(batch_size, image_size))
        self.mask = random_masks(batch_size, image_size)
        self.loss = build("loss", OmegaConf.create(dict(loss)))
        self.optimizer = build("optimizer", OmegaConf.create(dict(optimizer)))(parameter_groups(subject.segmenter))
        self.scaler = torch.amp.GradScaler(subject.device.type, enabled=subject.settings.precision == "fp16")

    def __call__(self) -> None:
        """Takes a step."""
        self.subject.segmenter.train()
        with self.subject.autocast():
            loss = self.loss(self.subject.segmenter(self._moved(self.image)), self._moved(self.mask))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def end(self) -> None:
        """Leaves the subject ready for inference, without gradients."""
        self.subject.segmenter.eval().zero_grad(set_to_none=True)

    def _moved(self, batch: Tensor) -> Tensor:
        return batch.to(self.subject.device, non_blocking=True)
