"""Testing a checkpoint on a part of its own data or of any other."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torchmetrics import MetricCollection

from lesionseg.build import build
from lesionseg.checkpoint import read, segmenter_of, source_of
from lesionseg.data.caches import open_cache
from lesionseg.data.dataset import LesionDataset
from lesionseg.data.division import divide
from lesionseg.data.facts import Facts
from lesionseg.data.loader import loader
from lesionseg.data.no_cache import NoCache
from lesionseg.data.sample import Sample
from lesionseg.data.source import PARTS, Source
from lesionseg.errors import InputError, raise_all
from lesionseg.evaluation.report.terminal import print_summary
from lesionseg.evaluation.summarising import metadata_of
from lesionseg.training.experiment import build_trainer, configured
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import report, tested
from lesionseg.training.score_collector import ScoreCollector

log = logging.getLogger(__name__)


def score_checkpoint(cfg: DictConfig) -> dict[str, float]:
    """Rebuilds the model from the checkpoint alone, scores it at the truth's own size and writes the report.

    Returns:
        The metrics as `test/<metric>`.

    Raises:
        InputError: The checkpoint, the data or the metadata do not fit.
    """
    checkpoint = read(Path(cfg.checkpoint))
    record = checkpoint["lesionseg"]
    samples, source = _samples(cfg, checkpoint)
    collector = ScoreCollector(build("evaluation", cfg.evaluation))
    metadata_of(collector.settings, [sample.id for sample in samples])  # a wrong table is noticed before the work
    segmenter = segmenter_of(checkpoint)
    module = SegmentationModule(segmenter, metrics=MetricCollection(configured(cfg.metrics, "metrics")))
    trainer = build_trainer(cfg, collector)
    results = dict(trainer.test(module, _batches(cfg, samples, record["config"]), verbose=False)[0])
    facts = tested(
        Path(cfg.checkpoint).absolute(),
        data=source,
        part=cfg.part,
        split_sha256=record["split"]["sha256"],
        threshold=segmenter.threshold,
    )
    summary = report(
        trainer,
        collector,
        name=cfg.name or record["config"]["name"],
        facts=facts,
        config=record["config"],
        results=results,
        folder=Path(cfg.run_dir),
    )
    if trainer.is_global_zero:
        print_summary(summary, Path(cfg.run_dir))
    return results


def _samples(cfg: DictConfig, checkpoint: Mapping[str, Any]) -> tuple[list[Sample], str]:
    """Lists the samples to score, with the name of their source."""
    if cfg.part not in (*PARTS, "all"):
        raise InputError(f"part is {cfg.part}; allowed: {', '.join(PARTS)}, all")
    record = checkpoint["lesionseg"]
    if cfg.data is None:
        source = source_of(checkpoint)
        samples = _own_samples(source, cfg.part, record["split"])
    else:
        source = build("data", cfg.data)
        samples = _other_samples(source, cfg.part, record["config"]["image_size"])
        _warn_of_known_images(samples, record["split"])
    if not samples:
        raise InputError(f"part={cfg.part}: the data source has no such part at hand; give another part or data=...")
    return samples, type(source).__name__


def _batches(cfg: DictConfig, samples: Sequence[Sample], stored: Mapping[str, Any]) -> Any:
    """Makes the loader; scoring passes once, so reading ahead into a cache would only delay it."""
    cache = NoCache(samples, stored["image_size"])
    dataset = LesionDataset(cache, range(len(samples)), augment=None, full_size_masks=True)
    return loader(dataset, batch_size=cfg.batch_size, num_workers=cfg.num_workers, seed=stored["seed"], shuffle=False)


def _own_samples(source: Source, part: str, split: Mapping[str, Any]) -> list[Sample]:
    """Lists a part as the checkpoint's own split has it, whatever the rules would cut today."""
    at_hand = {sample.id: sample for sample in source.listing().checked().samples()}
    parts: Mapping[str, Sequence[str]] = split["parts"]
    wanted = sorted(id_ for members in parts.values() for id_ in members) if part == "all" else parts[part]
    raise_all(
        "The checkpoint's split names images that the data no longer have; give data=... to score others:",
        [id_ for id_ in wanted if id_ not in at_hand],
    )
    return [at_hand[id_] for id_ in wanted]


def _other_samples(source: Source, part: str, image_size: int) -> list[Sample]:
    """Lists a part of another source, split as its settings say."""
    listing = source.listing().checked()
    samples = listing.samples()
    if part == "all":
        return samples
    facts = Facts(samples, open_cache(source.cache, samples, image_size, source.cache_dir))
    ids = set(divide(source, listing, facts, check_leaks=False)["parts"][part])
    return [sample for sample in samples if sample.id in ids]


def _warn_of_known_images(samples: Sequence[Sample], split: Mapping[str, Any]) -> None:
    """The ISIC sets share images and their names: a model tested on what it was trained on looks better than it is."""
    trained_on = {id_.rpartition("/")[2] for id_ in split["parts"]["train"]}
    known = [sample.id for sample in samples if sample.id.rpartition("/")[2] in trained_on]
    if known:
        log.warning(
            "%d of %d scored images have the names of images this checkpoint was trained on (%s ...): these results "
            "say little about other images.",
            len(known),
            len(samples),
            ", ".join(known[:3]),
        )
