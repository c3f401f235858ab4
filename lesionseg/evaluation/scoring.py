"""Scoring a checkpoint on a part of its own data or of any other."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torchmetrics import MetricCollection

from lesionseg.check import build
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
from lesionseg.training.experiment import build_trainer, configured, write_json
from lesionseg.training.module import SegmentationModule
from lesionseg.training.summary import print_results, print_whereabouts

log = logging.getLogger(__name__)


def score_checkpoint(cfg: DictConfig) -> dict[str, float]:
    """Rebuilds the model from the checkpoint alone, scores it at the truth's own size and writes `metrics.json`."""
    if cfg.part not in (*PARTS, "all"):
        raise InputError(f"part is {cfg.part}; allowed: {', '.join(PARTS)}, all")
    checkpoint = read(Path(cfg.checkpoint))
    split, stored = checkpoint["lesionseg"]["split"], checkpoint["lesionseg"]["config"]
    if cfg.data is None:
        samples = _own_samples(source_of(checkpoint), cfg.part, split)
    else:
        samples = _other_samples(build("data", cfg.data), cfg.part, stored["image_size"])
        _warn_of_known_images(samples, split)
    if not samples:
        raise InputError(f"part={cfg.part}: the data source has no such part at hand; give another part or data=...")
    # Scoring passes once: reading ahead into a cache would only delay it.
    dataset = LesionDataset(
        NoCache(samples, stored["image_size"]), range(len(samples)), augment=None, full_size_masks=True
    )
    batches = loader(
        dataset, batch_size=cfg.batch_size, num_workers=cfg.num_workers, seed=stored["seed"], shuffle=False
    )
    module = SegmentationModule(segmenter_of(checkpoint), metrics=MetricCollection(configured(cfg.metrics, "metrics")))
    results = dict(build_trainer(cfg).test(module, batches, verbose=False)[0])
    run_dir = Path(cfg.run_dir)
    write_json(run_dir / "metrics.json", {"checkpoint": cfg.checkpoint, "part": cfg.part, "metrics": results})
    print_results(results, title="at the ground truth's own size", headings={"test": cfg.part})
    print_whereabouts(run_dir, None)
    return results


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
