"""Fits the post-processing of a trained network on validation images, and notices blank masks."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from lightning.pytorch import Trainer

from lesionseg.data.loader import LesionDataset, loader
from lesionseg.evaluation.summary import alarms
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.image_scores import count
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.fitting import FittedPostprocessing, FittingSettings, Maps, fit_postprocessing
from lesionseg.postprocessing.postprocessing import Tta
from lesionseg.postprocessing.run_length import RunLengthMask
from lesionseg.postprocessing.temperature import fit_temperature
from lesionseg.system.machine import usable_cores

BATCH = 16
"""Images that the network predicts together; which ones are together changes nothing."""
ADVICE = (
    "What to do: look for masks that are empty, inverted or of other images (python -m lesionseg.check_data "
    "data=...); train longer (trainer.max_epochs=...); lower the learning rate (optimizer.lr=...). curves.png and "
    "samples.png show how the training went."
)
"""Advice for worthless masks."""


def fit_segmenter(
    trainer: Trainer,
    segmenter: Segmenter,
    validation: LesionDataset,
    settings: FittingSettings,
    formulas: Mapping[str, Formula],
) -> FittedPostprocessing:
    """Fits the segmenter's post-processing and gives it to the segmenter; the first process does so for all of them.

    Args:
        trainer: Trainer that has trained it; its device and precision are those of the test.
        segmenter: With the weights to be tested.
        validation: Images at the network's size; ground truths are read at their own, one at a time.
        settings: What may be tried.
        formulas: What the fitted post-processing is scored by.
    """
    fitted = _fitted(trainer, segmenter, validation, settings, formulas) if trainer.is_global_zero else None
    fitted = trainer.strategy.broadcast(fitted)
    if fitted is None:
        raise RuntimeError("the first process has sent no post-processing")
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

    @lru_cache(maxsize=2)  # those of the best settings so far, and those being tried
    def probabilities(views: Tta) -> Maps:
        segmenter.postprocessing = replace(start, views=views)
        return _predicted(trainer, segmenter, validation)

    fitted = fit_postprocessing(start, settings, truths, probabilities, formulas)
    masks = (validation.cache[row][1] for row in validation.rows)
    pairs = zip(probabilities(fitted.postprocessing.views), masks, strict=True)
    return replace(fitted, temperature=fit_temperature(pairs))


def validation_alarms(trainer: Trainer, segmenter: Segmenter, validation: LesionDataset) -> list[str]:
    """Lists what makes the network's masks of the validation images worthless, such as that all of them are empty."""
    masks = (_predicted(trainer, segmenter, validation) > segmenter.threshold).astype("uint8")
    targets = (validation[index, 0]["mask"] for index in range(len(validation)))
    return alarms([count(mask, target) for mask, target in zip(masks, targets, strict=True)])


def _predicted(trainer: Trainer, segmenter: Segmenter, dataset: LesionDataset) -> Maps:
    """Predicts all images as a test would: (images, S, S) float32 in [0, 1]."""
    device = trainer.strategy.root_device
    segmenter.to(device).eval()
    # The data module's own loader gives each process a share.
    batches = loader(dataset, batch_size=BATCH, num_workers=0, seed=0, shuffle=False)
    with torch.inference_mode(), trainer.precision_plugin.forward_context():
        predicted = [segmenter.probability(batch["image"].to(device))[:, 0].cpu().numpy() for batch in batches]
    return np.concatenate(predicted)
