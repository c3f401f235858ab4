"""Results of a test: every image's scores, the report's files, and the same figures in TensorBoard."""

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import distributed
from torch.utils.tensorboard import SummaryWriter

from lesionseg.checkpoint.layout import AVERAGED
from lesionseg.data.descriptor import Descriptor, LookAlike, descriptor, look_alikes
from lesionseg.data.loader import LesionDataset
from lesionseg.data.source import Sample
from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.scorer import TRAITS_SIZE, ScoredImage, score_image
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import with_metadata
from lesionseg.evaluation.summary import Summary, summarise
from lesionseg.metrics.formula import Formula
from lesionseg.metrics.image_scores import ImageScores, worst_first
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.report.figures import figures
from lesionseg.report.picture_sheet import worst_cases
from lesionseg.report.publishing import publish
from lesionseg.system.environment import versions_and_date
from lesionseg.system.machine import usable_cores
from lesionseg.training.loggers import tensorboard_writers

BEST = "best"
"""Stem of the file that holds the best epoch."""
WAITING = 4
"""Images per core that may wait to be scored: their probabilities at full size are what takes memory."""


class ScoreCollector(Callback):
    """Scores tested images by formulas in threads, beside the network."""

    def __init__(self, settings: EvaluationSettings, formulas: Mapping[str, Formula]) -> None:
        self.settings = settings
        self.formulas = formulas
        self.images: list[ImageScores] = []
        """Scores of the last test, those of all processes, sorted by id."""
        self.probabilities: ProbabilityCounts | None = None
        """Counts of the probabilities of all these images' pixels."""

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the threads."""
        self.images, self.probabilities = [], ProbabilityCounts()
        self._samples = _samples_by_id(trainer)
        self._pool = ThreadPoolExecutor(usable_cores())
        self._waiting: deque[Future[ScoredImage]] = deque()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hands a batch's probabilities and masks to the threads."""
        images = zip(batch["id"], outputs["probability"], outputs["mask"], batch["full_size_mask"], strict=True)
        for id_, probability, mask, target in images:
            arrays = probability.numpy(), mask.numpy(), target[0].cpu().numpy()
            self._waiting.append(self._pool.submit(self._score, id_, *arrays))
            if len(self._waiting) > WAITING * usable_cores():
                self._take()

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Waits for the threads and joins what all processes have scored."""
        while self._waiting:
            self._take()
        self._pool.shutdown()
        shares = _of_all_processes((self.images, self.probabilities))
        if len(shares) > 1:
            self.images, self.probabilities = [], ProbabilityCounts()
            for images, probabilities in shares:
                self.images += images
                self.probabilities.merge(probabilities)
        self.images.sort(key=lambda image: image.id)

    def _score(
        self, id_: str, probability: NDArray[np.float32], mask: NDArray[np.bool_], target: NDArray[np.uint8]
    ) -> ScoredImage:
        return score_image(
            id_,
            prediction=mask.view(np.uint8),
            target=target,
            photograph=self._samples[id_].photograph(max(self.settings.picture_size, TRAITS_SIZE)),
            probability=probability,
            settings=self.settings,
            formulas=self.formulas,
        )

    def _take(self) -> None:
        """Takes in the oldest image's scores."""
        scores, probabilities = self._waiting.popleft().result()
        self.images.append(scores)
        if self.probabilities is not None and probabilities is not None:
            self.probabilities.add(probabilities)


class KnownImages(Callback):
    """Recognises tested images that the model was trained on, without the training images.

    Args:
        trained_on: Descriptors of the training and validation images by id; nothing is looked for if it is empty.
    """

    def __init__(self, trained_on: Mapping[str, Descriptor]) -> None:
        self.trained_on = trained_on
        self.found: list[LookAlike] = []
        """Images of the last test that look like one of these, sorted by id; those of all processes."""
        self._tested: dict[str, Descriptor] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forgets an earlier test."""
        self._tested = {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Describes a batch's images, (B, 3, H, W) uint8."""
        if self.trained_on:
            pixels = batch["image"].permute(0, 2, 3, 1).cpu().numpy()
            self._tested |= {id_: descriptor(image) for id_, image in zip(batch["id"], pixels, strict=True)}

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compares each process's own images, and gathers what all have found."""
        shares = _of_all_processes(look_alikes(self._tested, self.trained_on))
        self.found = sorted(pair for share in shares for pair in share)


def _samples_by_id(trainer: Trainer) -> dict[str, Sample]:
    """Finds the tested samples, whose photographs are read again at the pictures' size."""
    loaders: Any = trainer.test_dataloaders
    dataset = loaders.dataset
    if not isinstance(dataset, LesionDataset):
        raise TypeError(f"the test's dataset is a {type(dataset).__name__}; allowed: LesionDataset")
    return {dataset.cache.samples[row].id: dataset.cache.samples[row] for row in dataset.rows}


def _of_all_processes(own: Any) -> list[Any]:
    """Gathers an object of each process; without several, there is this one's alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [own]
    shares: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(shares, own)
    return shares


def report(
    trainer: Trainer,
    collector: ScoreCollector,
    *,
    name: str,
    facts: Mapping[str, str],
    config: Mapping[str, Any] | None,
    results: Mapping[str, float],
    folder: Path,
    known_images: Sequence[LookAlike] = (),
) -> Summary:
    """Summarises what the collector has and writes it to `folder` and to TensorBoard, by the first process alone.

    Args:
        trainer: Trainer that has just tested.
        collector: Collector of the test's scores.
        name: What tables call the method.
        facts: What was tested, see `tested`.
        config: Configuration of the training; None if it is not known.
        results: What the test logged; metrics that the evaluation does not know are reported beside its own.
        folder: Folder of the run.
        known_images: Images of the test that look like an image of the training.

    Raises:
        InputError: The metadata do not fit the images.
    """
    images = with_metadata(collector.images, collector.settings)
    other = {key.removeprefix("test/"): value for key, value in results.items()}
    known = {*collector.formulas, *(f"pooled_{metric}" for metric in collector.formulas)}
    summary = summarise(
        images,
        None if collector.probabilities is None else collector.probabilities.curves(),
        name=name,
        facts=facts,
        settings=collector.settings,
        formulas=collector.formulas,
        config=config,
        other_metrics={key: value for key, value in other.items() if key not in known} or None,
        known_images=known_images,
    )
    if trainer.is_global_zero:
        drawn = figures(summary, images)
        publish(summary, images, drawn, folder)
        for writer in tensorboard_writers(trainer):
            _log(writer, trainer.global_step, drawn, images, collector)
    return summary


def tested(
    path: Path | None,
    checkpoint: Mapping[str, Any] | None,
    *,
    data: str,
    part: str,
    images: int,
    split_sha256: str,
    postprocessing: Postprocessing,
    is_fitted: bool,
) -> dict[str, str]:
    """Says in words which weights were tested on which images, and with which post-processing.

    Fitted post-processing differs from one seed to the next, which does not make other methods of them to `compare`:
    so `decision` says that it was fitted, and another fact what came out.
    """
    words = postprocessing.in_words()
    decided = {"decision": "as fitted on the validation part", "fitted decision": words}
    return {
        "checkpoint": "none kept: the last weights" if path is None else str(path),
        **({} if path is None or checkpoint is None else {"weights": weights_of(path, checkpoint)}),
        "data": data,
        "part": "training" if part == "train" else part,
        "chosen images": f"all {images:,}" + (" of the part" if part != "all" else ""),
        "split": f"SHA-256 {split_sha256}",
        **(decided if is_fitted else {"decision": words}),
    } | versions_and_date()


def weights_of(path: Path, checkpoint: Mapping[str, Any]) -> str:
    """Says which weights a checkpoint has: `epoch 12, the best by val/dice; averaged over training steps`."""
    config = checkpoint["lesionseg"]["config"]
    members = config["model"].get("members")
    if members:
        return f"those of {len(members)} networks, whose probabilities are averaged"
    best = f", the best by {config['monitor']}" if path.stem == BEST and "monitor" in config else ""
    kind = "averaged over training steps" if AVERAGED in checkpoint else "not averaged"
    return f"epoch {checkpoint['epoch'] + 1}{best}; {kind}"


def _log(
    writer: SummaryWriter,
    step: int,
    drawn: Mapping[str, Figure],
    images: Sequence[ImageScores],
    collector: ScoreCollector,
) -> None:
    """Gives TensorBoard the figures, the precision-recall curve for its own tab, and the worst cases."""
    for stem, figure in drawn.items():
        writer.add_figure(f"test/{stem}", figure, step, close=False)
    if collector.probabilities is not None:
        _log_precision_recall(writer, step, collector.probabilities)
    worst = worst_first(images)[: collector.settings.worst]
    if worst:
        writer.add_image("samples/test_worst", worst_cases(worst), step, dataformats="HWC")


def _log_precision_recall(writer: SummaryWriter, step: int, probabilities: ProbabilityCounts) -> None:
    """Every level of probability is one example of each class, weighted by its pixels.

    The tag is not the figure's: TensorBoard shows a tag in the tab of its first use alone.
    """
    truth, probability, pixels = probabilities.examples()
    writer.add_pr_curve("test/pr_curve", truth, probability, step, weights=pixels)
