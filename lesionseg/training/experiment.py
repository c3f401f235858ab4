"""One training from configuration to results: record, fit, test, report."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import FSDPStrategy
from omegaconf import DictConfig, OmegaConf

from lesionseg.checkpoint.layout import record, segmenter_state
from lesionseg.checkpoint.lightning_io import store_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.safetensors import SUFFIX, write_safetensors
from lesionseg.config.build import build, build_group
from lesionseg.data.check.diagnosis import warn_of_masks
from lesionseg.errors import InputError
from lesionseg.evaluation.strata import check_metadata
from lesionseg.evaluation.summary import alarms
from lesionseg.metrics.definitions import measured_formulas
from lesionseg.metrics.delivered import AS_DELIVERED
from lesionseg.metrics.formula import Formula
from lesionseg.postprocessing.fitting import FittedPostprocessing, FittingSettings
from lesionseg.report.publishing import print_alarms
from lesionseg.system.environment import environment
from lesionseg.system.files import write_json, write_whole
from lesionseg.system.processes import Signals
from lesionseg.system.run_folder import read_record
from lesionseg.training.batch_size import batch_size_for
from lesionseg.training.building import build_data, build_module, build_trainer
from lesionseg.training.checkpoints import LastCheckpoint
from lesionseg.training.console import early_stop, print_postprocessing, print_results, print_whereabouts
from lesionseg.training.fitting import ADVICE, fit_segmenter, validation_alarms
from lesionseg.training.loggers import keep_before, log_configuration, log_interval, log_results, purged
from lesionseg.training.pictures import Delivery, deliver
from lesionseg.training.reporting import ScoreCollector, report, tested
from lesionseg.training.resuming import same_training

log = logging.getLogger(__name__)


class Experiment:
    """Everything one training needs, built from its configuration, which has passed `check`.

    Building splits the data, for which images may have to be read and compared; `run` does the rest.

    Args:
        cfg: Configuration composed from `conf/train.yaml`.
        resumed_from: Checkpoint that the training continues from; None starts it.
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
            cfg.batch_size = batch_size_for(cfg, self.module, images=len(self.data.split["parts"]["train"]))
            self.config["batch_size"] = self.data.batch_size = cfg.batch_size
        self.fitting: FittingSettings = build("postprocessing", cfg.postprocessing)
        metrics = build_group("metrics", cfg.metrics)
        self.formulas = {name: metric for name, metric in metrics.items() if isinstance(metric, Formula)}
        self.scores = ScoreCollector(build("evaluation", cfg.evaluation), measured_formulas(metrics))
        if self.data.has_test:  # a table that does not fit is noticed before the work
            check_metadata(self.scores.settings, self.data.split["parts"]["test"])
        checkpoint = None if resumed_from is None else read(resumed_from)
        self.trainer = self._trainer(cfg if checkpoint is None else purged(cfg, checkpoint["global_step"]), signals)
        self._is_trial = bool(self.trainer.fast_dev_run)  # type: ignore[attr-defined]  # Lightning's types lack it
        """Whether the code is only tried, which keeps neither checkpoints nor results."""
        if checkpoint is not None:
            most = self.trainer.max_epochs
            same_training(checkpoint, self.config, self.data.split, most_epochs=most, what=str(self.resumed_from))
            keep_before(self.trainer.loggers, checkpoint["global_step"])

    def _trainer(self, cfg: DictConfig, signals: Signals | None) -> Trainer:
        """Builds the trainer, which logs several times even in a short epoch, and saves when a signal stops it."""
        trainer = build_trainer(cfg, self.scores)
        trainer.log_every_n_steps = log_interval(  # type: ignore[attr-defined]  # Lightning's types lack it
            trainer,
            images=len(self.data.split["parts"]["train"]),
            batch_size=self.data.batch_size,
            min_batches=self.data.min_train_batches,
        )
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning's types lack it
            if isinstance(callback, LastCheckpoint) and signals is not None:
                callback.signals = signals
        return trainer

    def run(self) -> dict[str, float]:
        """Fits, then tests the best checkpoint if there are test images, and writes the results down."""
        self._write_record()
        self._announce_passes()
        self._fit()
        best = self._use_best_weights()
        fitted = self._fit_postprocessing()
        self._write_weights()
        epoch = None if self._best_checkpoint() is None else int(best["epoch"]) + 1
        deliver(self.trainer, Delivery(self.module.segmenter, epoch, None if fitted is None else fitted.counts))
        delivered = {} if fitted is None else fitted.scores
        results = best | {f"{AS_DELIVERED}/{name}": score for name, score in delivered.items()} | self._test()
        if self.trainer.is_global_zero:
            self._write_results(results, fitted)
        return results

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

    def _announce_passes(self) -> None:
        """Logs how often an epoch passes over the images, and warns of a batch with more places than images."""
        images, passes = len(self.data.split["parts"]["train"]), self.data.passes
        if passes > 1:
            log.info("An epoch passes over the %d training images %.1f times (min_train_batches).", images, passes)
        if self.data.batch_size > images:
            every = "a batch has all of them" if passes == 1 else "a batch has the same ones several times"
            log.warning("batch_size is %d, but there are %d training images: %s.", self.data.batch_size, images, every)

    def _fit(self) -> None:
        """Trains, and says why if that ends before the last epoch."""
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
        return self.fitting.fit and not self._is_trial

    def _fit_postprocessing(self) -> FittedPostprocessing | None:
        """Fits post-processing on the validation images, and stores it in the checkpoints that a user opens."""
        if not self._fits_postprocessing:
            log.info("No post-processing is fitted: it stays as configured.")
            return None
        fitted = fit_segmenter(
            self.trainer, self.module.segmenter, self.data.dataset("validation"), self.fitting, self.formulas
        )
        if self.trainer.is_global_zero:
            write_json(self.run_dir / "decision.json", fitted.record())
            for path in (self.run_dir / "checkpoints" / f"{name}.ckpt" for name in ("best", "last")):
                if path.is_file():
                    store_postprocessing(path, fitted.record())
            print_postprocessing(fitted)
        return fitted

    def _write_weights(self) -> None:
        """Writes the best weights with their configuration as the file that is handed over."""
        path = self._best_checkpoint()
        if path is not None and self.trainer.is_global_zero:
            write_safetensors(read(path), path.with_suffix(SUFFIX))

    def _test(self) -> dict[str, float]:
        """Scores the test images; never any others in their place."""
        if not self.data.has_test:
            log.info("The data source has no test images at hand: the test is skipped.")
            return {}
        if self.trainer.limit_test_batches == 0:
            log.info("The test is skipped: trainer.limit_test_batches is 0.")
            return {}
        results = dict(self.trainer.test(self.module, datamodule=self.data, verbose=False)[0])
        report(
            self.trainer,
            self.scores,
            name=self.config["name"],
            facts=self._facts(),
            config=self.config,
            results=results,
            folder=self.run_dir,
        )
        return results

    def _facts(self) -> Mapping[str, str]:
        path = self._best_checkpoint()
        return tested(
            path,
            None if path is None else read(path),
            data=str(self.config["data"]["_target_"]).rpartition(".")[2],
            part="test",
            images=len(self.data.split["parts"]["test"]),
            split_sha256=self.data.split["sha256"],
            postprocessing=self.module.segmenter.postprocessing,
            is_fitted=self._fits_postprocessing,
        )

    def _best_checkpoint(self) -> Path | None:
        """Returns the best checkpoint, if one was kept."""
        callbacks = self.trainer.checkpoint_callbacks
        paths = (callback.best_model_path for callback in callbacks if isinstance(callback, ModelCheckpoint))
        return next((Path(path) for path in paths if path), None)

    def _write_results(self, results: dict[str, float], fitted: FittedPostprocessing | None) -> None:
        """Writes metrics.json, and tells the loggers and the user."""
        write_json(self.run_dir / "metrics.json", results)
        record = read_record(self.run_dir)
        log_results(self.trainer.loggers, self.config, results, overrides=record.overrides if record else [])
        print_results(results)
        print_alarms(self._alarms(fitted), what="the network's masks of the validation images", advice=ADVICE)
        print_whereabouts(self.run_dir, self._best_checkpoint())

    def _alarms(self, fitted: FittedPostprocessing | None) -> list[str]:
        """Looks at the validation masks of the weights in use, which fitting has counted already."""
        if fitted is not None:
            return alarms(fitted.image_counts)
        if self._is_trial:
            return []
        return validation_alarms(self.trainer, self.module.segmenter, self.data.dataset("validation"))
