"""One training from configuration to results: build, record, fit, test, report."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from lightning.pytorch.strategies import FSDPStrategy
from omegaconf import DictConfig, OmegaConf

from lesionseg.checkpoint.layout import record, segmenter_state
from lesionseg.checkpoint.lightning_io import AtomicCheckpointIO, store_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.safetensors import SUFFIX, write_safetensors
from lesionseg.config.build import build, build_group
from lesionseg.data.check.diagnosis import warn_of_masks
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.errors import InputError
from lesionseg.evaluation.strata import check_metadata
from lesionseg.evaluation.summary import alarms
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.delivered import AS_DELIVERED
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.model.segmenter import build_segmenter
from lesionseg.postprocessing.fitting import FittedPostprocessing, FittingSettings
from lesionseg.report.publishing import print_alarms
from lesionseg.system.device import fastest_precision, limit_threads
from lesionseg.system.environment import environment
from lesionseg.system.files import write_json, write_whole
from lesionseg.system.processes import Signals, takes_processes
from lesionseg.system.run_folder import read_record
from lesionseg.training.batch_size import find_batch_size
from lesionseg.training.checkpoints import LastCheckpoint, StepSeed
from lesionseg.training.compiling import NetworkCompiler
from lesionseg.training.console import early_stop, print_postprocessing, print_results, print_whereabouts
from lesionseg.training.delivery import Delivery, deliver
from lesionseg.training.fitting import ADVICE, fit_segmenter, validation_alarms
from lesionseg.training.loggers import keep_before, log_configuration, log_interval, log_results, purged
from lesionseg.training.module import SegmentationModule
from lesionseg.training.reporting import ScoreCollector, report, tested
from lesionseg.training.resuming import same_settings, same_split

log = logging.getLogger(__name__)

# Lightning 2.6 asks torch 2.13 about its own internals in an older way; there is nothing a user could do about it.
warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
# Validation images are in memory already: worker processes would only copy them.
warnings.filterwarnings("ignore", message="The '(val|test)_dataloader' does not have many workers")
# torchmetrics has put the processes' shares together before anything is logged.
warnings.filterwarnings("ignore", message="It is recommended to use `self.log.* sync_dist=True")
# The sampler leaves out what a resumed epoch has seen, which Lightning only knows of loaders with a state.
warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended")


class Experiment:
    """Everything one training needs, built from its configuration, which has passed `check`.

    Building splits the data, for which images may have to be read and compared; `run` does the rest.

    Args:
        cfg: Configuration composed from `conf/train.yaml`.
        resumed_from: Checkpoint that the training goes on from; None starts it.
        signals: Signals that stop it.

    Raises:
        InputError: A setting or a file is wrong, or the data are no longer those of the resumed run.
    """

    def __init__(self, cfg: DictConfig, *, resumed_from: Path | None = None, signals: Signals | None = None) -> None:
        self.resumed_from = resumed_from
        self.run_dir = Path(cfg.run_dir)
        seed_everything(cfg.seed, workers=True, verbose=False)
        self.data = build_data(cfg)
        self.config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
        warn_of_masks(self.data.cache, self.config["data"])
        self.module = build_module(cfg, record(self.config, self.data.split, self.data.descriptors()))
        if cfg.batch_size == "auto":
            cfg = cfg.copy()
            cfg.batch_size = self.config["batch_size"] = self.data.batch_size = self._found_batch_size(cfg)
        self.fitting: FittingSettings = build("postprocessing", cfg.postprocessing)
        metrics = build_group("metrics", cfg.metrics)
        self.formulas = {name: part for name, part in metrics.items() if isinstance(part, Formula)}
        self.scores = ScoreCollector(build("evaluation", cfg.evaluation), measured_formulas(metrics))
        if self.data.has_test:  # a table that does not fit is noticed before the work
            check_metadata(self.scores.settings, self.data.split["parts"]["test"])
        checkpoint = None if resumed_from is None else read(resumed_from)
        self.trainer = self._built_trainer(cfg if checkpoint is None else purged(cfg, checkpoint["global_step"]))
        self._take_signals(signals)
        if checkpoint is not None:
            self._resume(checkpoint)

    def _built_trainer(self, cfg: DictConfig) -> Trainer:
        """Builds the trainer, which logs several times even in a short epoch."""
        trainer = build_trainer(cfg, self.scores)
        trainer.log_every_n_steps = log_interval(  # type: ignore[attr-defined]  # Lightning's types lack it
            trainer,
            images=len(self.data.split["parts"]["train"]),
            batch_size=self.data.batch_size,
            min_batches=self.data.min_train_batches,
        )
        return trainer

    def _take_signals(self, signals: Signals | None) -> None:
        """Has the last checkpoint written when a signal stops the training."""
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # Lightning's types lack it
            if isinstance(callback, LastCheckpoint) and signals is not None:
                callback.signals = signals

    def _found_batch_size(self, cfg: DictConfig) -> int:
        """Tries out what fits into the GPU's memory, before the training takes any of it."""
        has_gpu = cfg.trainer.accelerator != "cpu" and torch.cuda.is_available()
        if takes_processes(cfg) or self.module.loss is None:
            raise InputError("batch_size=auto tries one GPU; give trainer.devices=1, or batch_size a number")
        precision = cfg.trainer.precision
        return find_batch_size(
            self.module.segmenter,
            self.module.loss,
            build("optimizer", cfg.optimizer),
            image_size=cfg.image_size,
            images=len(self.data.split["parts"]["train"]),
            precision=fastest_precision(cfg.trainer.accelerator) if precision == "auto" else precision,
            device=torch.device("cuda" if has_gpu else "cpu"),
        )

    def _resume(self, checkpoint: Mapping[str, Any]) -> None:
        """Makes sure that the data are the same, and lets the logs go on where the checkpoint was saved."""
        same_split(checkpoint["lesionseg"]["split"], self.data.split, str(self.resumed_from))
        same_settings(checkpoint["lesionseg"]["config"], self.config, str(self.resumed_from))
        trained, most = checkpoint["epoch"], self.trainer.max_epochs
        if most is not None and 0 <= most < trained:
            raise InputError(
                f"{self.resumed_from} has trained for {trained} epochs already, and trainer.max_epochs is {most}; give "
                f"at least {trained}, which ends the training there"
            )
        keep_before(self.trainer.loggers, checkpoint["global_step"])

    def run(self) -> dict[str, float]:
        """Fits, decides, tests the best checkpoint where there is a test part, and writes the results down."""
        self._write_record()
        self._announce_passes()
        try:
            self.trainer.fit(self.module, datamodule=self.data, ckpt_path=self.resumed_from)
        except MisconfigurationException as error:  # Lightning's word for settings that do not go together
            raise InputError(str(error)) from error
        except ValueError as error:
            if "`val_check_interval`" in str(error):  # Lightning knows only now how many batches there are
                raise InputError(f"trainer: {str(error).strip()}") from error
            raise
        if (reason := early_stop(self.trainer)) is not None:
            log.warning(reason)
        best = self._use_best_weights()
        fitted = self._fit_postprocessing()
        self._write_weights()
        epoch = None if self._best_checkpoint() is None else int(best["epoch"]) + 1
        deliver(self.trainer, Delivery(self.module.segmenter, epoch, None if fitted is None else fitted.counts))
        delivered = {} if fitted is None else fitted.scores
        results = best | {f"{AS_DELIVERED}/{name}": score for name, score in delivered.items()} | self._test()
        self._write_results(results, fitted)
        return results

    def _announce_passes(self) -> None:
        """Logs how often an epoch passes over the images, and warns of a batch with more places than images."""
        images = len(self.data.split["parts"]["train"])
        if self.data.passes > 1:
            log.info(
                "An epoch passes over the %d training images %.1f times (min_train_batches).", images, self.data.passes
            )
        if self.data.batch_size > images:
            every = "a batch has all of them" if self.data.passes == 1 else "a batch has the same ones several times"
            log.warning("batch_size is %d, but there are %d training images: %s.", self.data.batch_size, images, every)

    def _write_record(self) -> None:
        """Leaves what is needed to repeat the run, before it starts."""
        if not self.trainer.is_global_zero:
            return
        text = yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True)
        write_whole(self.run_dir / "config.yaml", text)
        times = len(list(self.run_dir.glob("environment*.json")))  # a resumed run keeps the earlier ones
        write_json(self.run_dir / ("environment.json" if not times else f"environment_{times + 1}.json"), environment())
        write_json(self.run_dir / "split.json", self.data.split)
        # That of a run which is resumed would be older than its best checkpoint; it is written again at the end.
        (self.run_dir / "checkpoints" / f"best{SUFFIX}").unlink(missing_ok=True)
        if self.resumed_from is None:
            log_configuration(self.trainer.loggers, text)

    def _use_best_weights(self) -> dict[str, float]:
        """Puts the best checkpoint's weights into the module and returns what its epoch logged."""
        path = self._best_checkpoint()
        if path is None:
            log.info("No best checkpoint was kept: the weights are the last ones.")
            return {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        best = read(path)
        if isinstance(self.trainer.strategy, FSDPStrategy):  # whole weights do not fit into a module that is in pieces
            self.module = build_module(OmegaConf.create(self.config), {})
        self.module.segmenter.load_state_dict(segmenter_state(best))
        return dict(best["lesionseg"]["metrics"]) | {"epoch": float(best["epoch"])}

    @property
    def _fits_postprocessing(self) -> bool:
        """Whether there is a decision to fit; a quick trial of the code keeps neither checkpoints nor results."""
        return self.fitting.fit and not self.trainer.fast_dev_run  # type: ignore[attr-defined]  # Lightning's types lack it

    def _fit_postprocessing(self) -> FittedPostprocessing | None:
        """Fits the decision on the validation part with the weights in use, and stores it in the run's checkpoints."""
        if not self._fits_postprocessing:
            log.info("No decision is fitted: it stays as configured.")
            return None
        fitted = fit_segmenter(
            self.trainer, self.module.segmenter, self.data.dataset("validation"), self.fitting, self.formulas
        )
        if self.trainer.is_global_zero:
            write_json(self.run_dir / "decision.json", fitted.record())
            for path in self._checkpoints():
                store_postprocessing(path, fitted.record())
            print_postprocessing(fitted)
        return fitted

    def _write_weights(self) -> None:
        """Writes the best weights with their configuration as the file that is handed over."""
        path = self._best_checkpoint()
        if path is not None and self.trainer.is_global_zero:
            write_safetensors(read(path), path.with_suffix(SUFFIX))

    def _test(self) -> dict[str, float]:
        """Scores the test part; never any other in its place."""
        if not self.data.has_test:
            log.info("The data source has no test part at hand: the test is skipped.")
            return {}
        if self.trainer.limit_test_batches == 0:
            log.info("The test is skipped: trainer.limit_test_batches is 0.")
            return {}
        results = dict(self.trainer.test(self.module, datamodule=self.data, verbose=False)[0])
        path = self._best_checkpoint()
        facts = tested(
            path,
            None if path is None else read(path),
            data=str(self.config["data"]["_target_"]).rpartition(".")[2],
            part="test",
            images=len(self.data.split["parts"]["test"]),
            split_sha256=self.data.split["sha256"],
            postprocessing=self.module.segmenter.postprocessing,
            is_fitted=self._fits_postprocessing,
        )
        report(
            self.trainer,
            self.scores,
            name=self.config["name"],
            facts=facts,
            config=self.config,
            results=results,
            folder=self.run_dir,
        )
        return results

    def _alarms(self, fitted: FittedPostprocessing | None) -> list[str]:
        """Looks at the validation masks of the weights in use; a quick trial of the code raises no alarm."""
        if fitted is not None:  # which has counted them
            return alarms(fitted.image_counts)
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning's types lack it
            return []
        return validation_alarms(self.trainer, self.module.segmenter, self.data.dataset("validation"))

    def _best_checkpoint(self) -> Path | None:
        """Finds the best checkpoint, where one was kept."""
        callbacks = self.trainer.checkpoint_callbacks
        paths = (callback.best_model_path for callback in callbacks if isinstance(callback, ModelCheckpoint))
        return next((Path(path) for path in paths if path), None)

    def _checkpoints(self) -> Iterator[Path]:
        """Lists the checkpoints that a user opens."""
        files = (self.run_dir / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
        return (file for file in files if file.is_file())

    def _write_results(self, results: dict[str, float], fitted: FittedPostprocessing | None) -> None:
        """Writes metrics.json, tells the loggers and the user."""
        if not self.trainer.is_global_zero:
            return
        write_json(self.run_dir / "metrics.json", results)
        record = read_record(self.run_dir)
        log_results(self.trainer.loggers, self.config, results, overrides=record.overrides if record else [])
        print_results(results)
        print_alarms(self._alarms(fitted), what="the network's masks of the validation images", advice=ADVICE)
        print_whereabouts(self.run_dir, self._best_checkpoint())


def build_data(cfg: DictConfig) -> LesionDataModule:
    """Builds the data module of a training, which splits its source; a batch size yet to be found is 1."""
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
    """Builds the Lightning module of a training; `contents` goes into its checkpoints."""
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
    """Builds the trainer with callbacks, loggers, the checkpoint writer and what collects the test's scores."""
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
