"""Building what a training is made of from its configuration: data, module and trainer."""

import warnings
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Checkpoint
from omegaconf import DictConfig, OmegaConf

from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO
from lesionseg.config.build import build, build_group
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import build_segmenter
from lesionseg.system.device import fastest_precision, limit_threads
from lesionseg.training.checkpoints import StepSeed
from lesionseg.training.compiling import NetworkCompiler
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import ScoreCollector

# Lightning 2.6 asks torch 2.13 about its own internals in an older way; there is nothing a user could do about it.
warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
# Validation images are in memory already: worker processes would only copy them.
warnings.filterwarnings("ignore", message="The '(val|test)_dataloader' does not have many workers")
# torchmetrics has put the processes' shares together before anything is logged.
warnings.filterwarnings("ignore", message="It is recommended to use `self.log.* sync_dist=True")
# The sampler leaves out what a resumed epoch has seen, which Lightning only knows of loaders with a state.
warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended")


def build_data(cfg: DictConfig) -> LesionDataModule:
    """Builds the data module, which splits its source; a batch size that is yet to be found is 1."""
    return LesionDataModule(
        build("data", cfg.data),
        image_size=cfg.image_size,
        batch_size=1 if cfg.batch_size == "auto" else cfg.batch_size,
        num_workers=cfg.num_workers,
        seed=cfg.seed,
        augment=build("augmentation", cfg.augmentation),
        min_train_batches=cfg.get("min_train_batches") or 1,
    )


def build_module(cfg: DictConfig, contents: dict[str, Any]) -> SegmentationModule:
    """Builds the Lightning module; `contents` goes into its checkpoints."""
    segmenter = build_segmenter(OmegaConf.to_container(cfg.segmenter), build("model", cfg.model))  # type: ignore[arg-type]
    segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's own types
    return SegmentationModule(
        segmenter,
        loss=build("loss", cfg.loss),
        metrics=metric_collection(build_group("metrics", cfg.metrics)),
        optimizer=build("optimizer", cfg.optimizer),
        scheduler=build("scheduler", cfg.scheduler),
        record=contents,
    )


def build_trainer(cfg: DictConfig, scores: ScoreCollector) -> Trainer:
    """Builds the trainer with its callbacks and loggers, the writer of checkpoints and the collector of scores."""
    limit_threads()
    node = cfg.trainer.copy()
    if node.precision == "auto":
        node.precision = fastest_precision(node.accelerator)
    callbacks = [*build_group("callbacks", cfg.callbacks).values(), scores]
    if cfg.get("compile"):
        callbacks.append(NetworkCompiler(image_size=cfg.image_size, batch_size=cfg.batch_size))
    if "seed" in cfg:
        callbacks.append(StepSeed(cfg.seed))
    return build(  # type: ignore[no-any-return]
        "trainer",
        node,
        callbacks=callbacks,
        logger=list(build_group("logger", cfg.logger).values()),
        plugins=[AtomicCheckpointIO()],
        default_root_dir=cfg.run_dir,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        enable_model_summary=False,
    )
