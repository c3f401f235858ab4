"""Testing a checkpoint, or what was exported from one, on a part of its own data or of any other."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from omegaconf import DictConfig

from lesionseg.config.build import build, build_group
from lesionseg.data.cache import PixelCache
from lesionseg.data.loader import LesionDataset, loader
from lesionseg.data.source import SUBSETS, Sample
from lesionseg.data.split import other_samples, own_samples
from lesionseg.data.synthetic import Synthetic
from lesionseg.errors import InputError
from lesionseg.evaluation.strata import check_metadata
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH, id_digest
from lesionseg.report.publishing import print_summary
from lesionseg.training.experiment import build_trainer
from lesionseg.training.faults import faults_told
from lesionseg.training.known_images import KnownImages
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import report, tested
from lesionseg.training.score_collector import ScoreCollector
from lesionseg.training.tested_model import TestedModel, open_tested

log = logging.getLogger(__name__)


def score_checkpoint(cfg: DictConfig) -> dict[str, float]:
    """Rebuilds the model from its file alone, scores it at the truth's own size and writes the report.

    Returns:
        The metrics as `test/<metric>`.

    Raises:
        InputError: The model's file, the data or the metadata do not fit.
    """
    path = Path(cfg.checkpoint)
    model = open_tested(path, accelerator=cfg.trainer.accelerator, postprocessing=cfg.postprocessing)
    samples, source = _samples(cfg, model)
    metrics = build_group("metrics", cfg.metrics)
    collector = ScoreCollector(build("evaluation", cfg.evaluation), measured_formulas(metrics))
    check_metadata(collector.settings, [sample.id for sample in samples])  # a wrong table is noticed before the work
    module = SegmentationModule(model.segmenter, metrics=metric_collection(metrics))
    trainer = build_trainer(cfg, collector)
    known = KnownImages({} if cfg.data is None else model.descriptors)
    trainer.callbacks.append(known)  # type: ignore[attr-defined]  # Lightning's types lack it
    with faults_told():
        results = dict(trainer.test(module, _batches(cfg, samples, model, trainer), verbose=False)[0])
    facts = tested(
        path.absolute(),
        model.checkpoint,
        data=source,
        part=cfg.part,
        images=len(samples),
        split_sha256=model.split_sha256,
        postprocessing=model.segmenter.postprocessing,
        is_fitted=model.is_fitted,
    )
    summary = report(
        trainer,
        collector,
        name=cfg.name or model.name,
        facts=facts,
        config=model.config,
        results=results,
        known_images=known.found,
        folder=Path(cfg.run_dir),
    )
    if trainer.is_global_zero:
        print_summary(summary, Path(cfg.run_dir))
    return results


def _samples(cfg: DictConfig, model: TestedModel) -> tuple[list[Sample], str]:
    """Lists the samples to score, with the name of their source."""
    if cfg.part not in (*SUBSETS, "all"):
        raise InputError(f"part is {cfg.part}; allowed: {', '.join(SUBSETS)}, all")
    if cfg.data is None:
        source, split = model.own_data()
        samples = own_samples(source, cfg.part, split)
    else:
        source = build("data", cfg.data)
        samples = other_samples(source, cfg.part, model.image_size)
        _warn_of_known_images(samples, model.trained_on)
        if model.is_of_drawn_images and not isinstance(source, Synthetic):
            log.warning(NEVER_SAW_A_PHOTOGRAPH)
    if not samples:
        raise InputError(f"part={cfg.part}: the data source has no such part at hand; give another part or data=...")
    return samples, type(source).__name__


def _batches(cfg: DictConfig, samples: Sequence[Sample], model: TestedModel, trainer: Trainer) -> Any:
    """Makes this process's loader; scoring passes once, so reading ahead into a cache would only delay it."""
    cache = PixelCache(samples, model.image_size)
    dataset = LesionDataset(cache, range(len(samples)), augment=None, full_size_masks=True)
    return loader(
        dataset,
        batch_size=cfg.batch_size,
        num_workers=cfg.num_workers,
        seed=0,
        shuffle=False,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )


def _warn_of_known_images(samples: Sequence[Sample], trained_on: frozenset[str]) -> None:
    """The ISIC sets share images and their names: a model tested on what it was trained on looks better than it is."""
    known = [sample.id for sample in samples if id_digest(sample.id) in trained_on]
    if known:
        log.warning(
            "%d of %d scored images have the names of images this checkpoint was trained on (%s ...): these results "
            "say little about other images.",
            len(known),
            len(samples),
            ", ".join(known[:3]),
        )
