"""What a test leaves behind: the report's files, and the same curves and worst cases in TensorBoard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from lesionseg.checkpoint.layout import AVERAGED
from lesionseg.data.descriptor import LookAlike
from lesionseg.evaluation.probabilities import ProbabilityCounts
from lesionseg.evaluation.strata import with_metadata
from lesionseg.evaluation.summary import Summary, summarise
from lesionseg.metrics.image_scores import ImageScores, worst_first
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.report.figures import figures
from lesionseg.report.picture_sheet import worst_cases
from lesionseg.report.publishing import publish
from lesionseg.system.environment import versions_and_date
from lesionseg.training.score_collector import ScoreCollector
from lesionseg.training.tensorboard import tensorboard_writers

BEST = "best"
"""Stem of the file that holds the best epoch."""
"""What Lightning's checkpoints have of a moving average of the weights."""


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
        collector: With the test's images.
        name: What tables call the method.
        facts: What was tested, see `tested`.
        config: The training's configuration; None where it is not known.
        results: What the test logged; metrics that the evaluation does not know are reported beside its own.
        folder: The run's.
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
    """Says what was tested and how, in words: which weights, which images, which decision.

    A fitted decision differs from one seed to the next, which does not make them other methods to `compare`: so
    `decision` says that it was fitted, and another fact what came out.
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
