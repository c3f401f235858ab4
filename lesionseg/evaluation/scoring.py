"""Scoring a checkpoint on a part of its own data or of any other."""

import logging
from pathlib import Path

from omegaconf import DictConfig
from torchmetrics import MetricCollection

from lesionseg.check import build
from lesionseg.checkpoint import read, segmenter_of, source_of
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.source import PARTS
from lesionseg.errors import InputError
from lesionseg.training.experiment import build_trainer, configured, write_json
from lesionseg.training.module import SegmentationModule
from lesionseg.training.summary import print_results, print_whereabouts

log = logging.getLogger(__name__)


def score_checkpoint(cfg: DictConfig) -> dict[str, float]:
    """Rebuilds the model from the checkpoint alone, scores it at the truth's own size and writes `metrics.json`."""
    if cfg.part not in (*PARTS, "all"):
        raise InputError(f"part is {cfg.part}; allowed: {', '.join(PARTS)}, all")
    checkpoint = read(Path(cfg.checkpoint))
    stored = checkpoint["lesionseg"]["config"]
    data = LesionDataModule(
        build("data", cfg.data) if cfg.data is not None else source_of(checkpoint),
        image_size=stored["image_size"],
        batch_size=cfg.batch_size,
        num_workers=cfg.num_workers,
        seed=stored["seed"],
        augment=None,
        test_part=cfg.part,
    )
    if not data.has_test:
        raise InputError(f"part={cfg.part}: the data source has no such part at hand; give another part or data=...")
    module = SegmentationModule(segmenter_of(checkpoint), metrics=MetricCollection(configured(cfg.metrics, "metrics")))
    results = dict(build_trainer(cfg).test(module, datamodule=data, verbose=False)[0])
    run_dir = Path(cfg.run_dir)
    write_json(run_dir / "metrics.json", {"checkpoint": cfg.checkpoint, "part": cfg.part, "metrics": results})
    print_results(results, title="at the ground truth's own size", headings={"test": cfg.part})
    print_whereabouts(run_dir, None)
    return results
