"""Testing a checkpoint, or what was exported from one, on a subset of its own data or of any other."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import Trainer
from omegaconf import DictConfig
from torch import Tensor, nn

from lesionseg.checkpoint.layout import descriptors_of, has_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of, source_of
from lesionseg.config.build import build, build_group
from lesionseg.data.cache import PixelCache
from lesionseg.data.descriptor import Descriptor
from lesionseg.data.loader import LesionDataset, loader
from lesionseg.data.source import SUBSETS, Sample, Source
from lesionseg.data.split import other_samples, own_samples
from lesionseg.data.synthetic import Synthetic, trains_on_drawn_images
from lesionseg.errors import InputError
from lesionseg.evaluation.strata import check_metadata
from lesionseg.exporting.opening import EXPORTED_SUFFIXES, open_exported
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH, Engine, id_digest
from lesionseg.model.segmenter import Segmenter
from lesionseg.report.publishing import print_summary
from lesionseg.training.building import build_trainer
from lesionseg.training.faults import faults_told
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import KnownImages, ScoreCollector, report, tested

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TestedModel:
    """A model to test, with the facts that its report states."""

    __test__ = False  # pytest would take it for tests

    segmenter: Segmenter
    name: str
    """Name of the run that trained it."""
    image_size: int
    """Height and width in pixels that the network works at."""
    split_sha256: str
    """Hash of the split that it was trained with."""
    trained_on: frozenset[str]
    """`id_digest` of each training image."""
    is_of_drawn_images: bool
    """Whether lesionseg has drawn all of these."""
    descriptors: Mapping[str, Descriptor]
    """Descriptors of the images of training and validation by id; empty where the file has none."""
    is_fitted: bool
    """Whether its post-processing was fitted on the validation subset; not known of an exported file."""
    path: Path
    checkpoint: Mapping[str, Any] | None
    """None for an exported file, which knows neither the training's configuration nor its data."""

    @property
    def config(self) -> Mapping[str, Any] | None:
        """Configuration of the training, if it is known."""
        return None if self.checkpoint is None else self.checkpoint["lesionseg"]["config"]

    def own_data(self) -> tuple[Source, Mapping[str, Any]]:
        """Rebuilds the source that it was trained on, and returns it with its split.

        Raises:
            InputError: It is not known, or the data are gone.
        """
        if self.checkpoint is None:
            raise InputError(
                f"{self.path} is an exported model, which does not know its data; give them, for example data=isic2017 "
                "data.root=FOLDER"
            )
        return source_of(self.checkpoint), self.checkpoint["lesionseg"]["split"]


class EngineSegmenter(nn.Module):
    """Takes a segmenter's place in a test of an exported file: it has probabilities and post-processing alone."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self.postprocessing = engine.facts.postprocessing

    def probability(self, image: Tensor) -> Tensor:
        """Maps (B, 3, S, S) uint8 RGB on any device to (B, 1, S, S) float32 there; see `Segmenter.probability`."""
        pixels = np.ascontiguousarray(image.permute(0, 2, 3, 1).cpu().numpy())
        return torch.from_numpy(self._engine.probability(pixels))[:, None].to(image.device)


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
    """Lists the samples to score, with the class name of their source."""
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
    """Returns this process's loader; scoring passes once, so reading ahead into a cache would only delay it."""
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
    """Warns of images the model was trained on, which make it look better than it is: the ISIC sets share images."""
    known = [sample.id for sample in samples if id_digest(sample.id) in trained_on]
    if known:
        log.warning(
            "%d of %d scored images have the names of images this checkpoint was trained on (%s ...): these results "
            "say little about other images.",
            len(known),
            len(samples),
            ", ".join(known[:3]),
        )


def open_tested(path: Path, *, accelerator: str, postprocessing: str) -> TestedModel:
    """Opens a checkpoint or an exported file.

    Args:
        path: File whose suffix tells which of them it is.
        accelerator: Lightning's setting; an exported file runs where it says, as far as its runtime can.
        postprocessing: `stored`, or `plain`: as configured for the training, without what was fitted afterwards.

    Raises:
        InputError: There is no such choice; the file is missing, damaged or hostile; or a package that it needs is not
            installed.
    """
    if postprocessing not in ("stored", "plain"):
        raise InputError(f"postprocessing is {postprocessing}; allowed: stored, plain")
    if path.suffix in EXPORTED_SUFFIXES:
        if postprocessing == "plain":
            fault = "has its post-processing inside; postprocessing=plain needs the checkpoint that it was made from"
            raise InputError(f"{path} {fault}")
        return _exported(path, accelerator)
    checkpoint = read(path)
    record = checkpoint["lesionseg"]
    return TestedModel(
        segmenter=segmenter_of(checkpoint, plain=postprocessing == "plain"),
        name=record["config"]["name"],
        image_size=record["config"]["image_size"],
        split_sha256=record["split"]["sha256"],
        trained_on=frozenset(id_digest(id_) for id_ in record["split"]["parts"]["train"]),
        is_of_drawn_images=trains_on_drawn_images(record["config"].get("data")),
        descriptors=descriptors_of(checkpoint),
        is_fitted=has_postprocessing(checkpoint) and postprocessing == "stored",
        path=path,
        checkpoint=checkpoint,
    )


def _exported(path: Path, accelerator: str) -> TestedModel:
    engine = open_exported(path, device="cpu" if accelerator == "cpu" else "auto")
    return TestedModel(
        segmenter=cast(Segmenter, EngineSegmenter(engine)),  # all that a test uses of one
        name=engine.facts.name,
        image_size=engine.facts.image_size,
        split_sha256=engine.embedded.split_sha256,
        trained_on=engine.facts.trained_on,
        is_of_drawn_images=engine.facts.is_of_drawn_images,
        descriptors={},
        is_fitted=False,
        path=path,
        checkpoint=None,
    )
