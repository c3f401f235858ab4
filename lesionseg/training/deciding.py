"""Fitting the decision once the network is trained, on the validation part alone."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from lightning.pytorch import Trainer

from lesionseg.data.loader import LesionDataset, loader
from lesionseg.metrics.formula import Formula
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.fitting import FittedPostprocessing, FittingSettings, Maps, fit_postprocessing
from lesionseg.postprocessing.postprocessing import Tta
from lesionseg.postprocessing.run_length import RunLengthMask
from lesionseg.postprocessing.temperature import fit_temperature
from lesionseg.system.machine import usable_cores

BATCH = 16
"""Images that the network predicts together; which ones are together changes nothing."""


def decide(
    trainer: Trainer,
    segmenter: Segmenter,
    validation: LesionDataset,
    settings: FittingSettings,
    formulas: Mapping[str, Formula],
) -> FittedPostprocessing:
    """Fits the segmenter's decision and gives it to the segmenter; the first process does so for all of them.

    Args:
        trainer: Trainer that has trained it; its device and precision are those of the test.
        segmenter: With the weights to be tested.
        validation: Images at the network's size; ground truths are read at their own, one at a time.
        settings: What may be tried.
        formulas: What the fitted decision is scored by.
    """
    fitted = _fitted(trainer, segmenter, validation, settings, formulas) if trainer.is_global_zero else None
    fitted = trainer.strategy.broadcast(fitted)
    if fitted is None:
        raise RuntimeError("the first process has sent no decision")
    segmenter.postprocessing = fitted.postprocessing
    return fitted


def _fitted(
    trainer: Trainer,
    segmenter: Segmenter,
    validation: LesionDataset,
    settings: FittingSettings,
    formulas: Mapping[str, Formula],
) -> FittedPostprocessing:
    start = segmenter.postprocessing
    samples = [validation.cache.samples[row] for row in validation.rows]
    with ThreadPoolExecutor(usable_cores()) as pool:
        truths = list(pool.map(lambda sample: RunLengthMask.of(sample.mask()), samples))

    @lru_cache(maxsize=2)  # those of the decision so far, and those being tried
    def probabilities(views: Tta) -> Maps:
        segmenter.postprocessing = replace(start, views=views)
        return predicted(trainer, segmenter, validation)

    fitted = fit_postprocessing(start, settings, truths, probabilities, formulas)
    masks = (validation.cache[row][1] for row in validation.rows)
    pairs = zip(probabilities(fitted.postprocessing.views), masks, strict=True)
    return replace(fitted, temperature=fit_temperature(pairs))


def predicted(trainer: Trainer, segmenter: Segmenter, dataset: LesionDataset) -> Maps:
    """Predicts all images as a test would: (images, S, S) float32 in [0, 1]."""
    device = trainer.strategy.root_device
    segmenter.to(device).eval()
    # Of its own, because the data module's gives each process a share.
    batches = loader(dataset, batch_size=BATCH, num_workers=0, seed=0, shuffle=False)
    with torch.inference_mode(), trainer.precision_plugin.forward_context():
        predicted = [segmenter.probability(batch["image"].to(device))[:, 0].cpu().numpy() for batch in batches]
    return np.concatenate(predicted)
