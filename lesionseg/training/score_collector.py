"""Collects every tested image's scores while the test runs."""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import distributed

from lesionseg.data.loader import LesionDataset
from lesionseg.data.source import Sample
from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.scorer import TRAITS_SIZE, ScoredImage, score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.system.machine import usable_cores

WAITING = 4
"""Images per core that may wait to be scored: their probabilities at full size are what takes memory."""


class ScoreCollector(Callback):
    """Scores tested images in threads, beside the network.

    Args:
        settings: How images are scored.
        formulas: What is measured.
    """

    def __init__(self, settings: EvaluationSettings, formulas: Mapping[str, Formula]) -> None:
        self.settings = settings
        self.formulas = formulas
        self.images: list[ImageScores] = []
        """Scores of the last test, those of all processes, sorted by id."""
        self.probabilities: ProbabilityCounts | None = None
        """Counts of the probabilities of all these images' pixels."""

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the threads."""
        self.images, self.probabilities = [], ProbabilityCounts()
        self._samples = _samples_by_id(trainer)
        self._pool = ThreadPoolExecutor(usable_cores())
        self._waiting: deque[Future[ScoredImage]] = deque()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hands a batch's probabilities and masks to the threads."""
        parts = zip(batch["id"], outputs["probability"], outputs["mask"], batch["full_size_mask"], strict=True)
        for id_, probability, mask, target in parts:
            arrays = probability.numpy(), mask.numpy(), target[0].cpu().numpy()
            self._waiting.append(self._pool.submit(self._score, id_, *arrays))
            if len(self._waiting) > WAITING * usable_cores():
                self._take()

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Waits for the threads and gathers what other processes have."""
        while self._waiting:
            self._take()
        self._pool.shutdown()
        if distributed.is_available() and distributed.is_initialized():
            self._gather()
        self.images.sort(key=lambda image: image.id)

    def _score(
        self, id_: str, probability: NDArray[np.float32], mask: NDArray[np.bool_], target: NDArray[np.uint8]
    ) -> ScoredImage:
        return score_image(
            id_,
            prediction=mask.view(np.uint8),
            target=target,
            photograph=self._samples[id_].photograph(max(self.settings.picture_size, TRAITS_SIZE)),
            probability=probability,
            settings=self.settings,
            formulas=self.formulas,
        )

    def _take(self) -> None:
        """Takes the oldest image's scores in."""
        scores, probabilities = self._waiting.popleft().result()
        self.images.append(scores)
        if self.probabilities is not None and probabilities is not None:
            self.probabilities.add(probabilities)

    def _gather(self) -> None:
        """Joins all processes' images, so that every process knows all."""
        shares: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(shares, (self.images, self.probabilities))
        self.images, self.probabilities = [], ProbabilityCounts()
        for images, probabilities in shares:
            self.images += images
            self.probabilities.merge(probabilities)


def _samples_by_id(trainer: Trainer) -> dict[str, Sample]:
    """Finds the tested samples, whose photographs are read again at the pictures' size."""
    loaders: Any = trainer.test_dataloaders
    dataset = loaders.dataset
    if not isinstance(dataset, LesionDataset):
        raise TypeError(f"the test's dataset is a {type(dataset).__name__}; allowed: LesionDataset")
    return {dataset.cache.samples[row].id: dataset.cache.samples[row] for row in dataset.rows}
