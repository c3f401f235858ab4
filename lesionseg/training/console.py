"""Lines that a run prints: the network before training; the reason for stopping, results and their files after it."""

import copy
import shlex
from collections.abc import Mapping
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, Timer
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lesionseg.checkpoint.safetensors import SUFFIX
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.metrics.delivered import AS_DELIVERED, AS_TRAINED
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.fitting import FittedPostprocessing
from lesionseg.report.table import print_lines, short
from lesionseg.system.device import describe_device

HEADINGS = {
    AS_TRAINED: "validation, as trained",
    AS_DELIVERED: "validation, as delivered",
    "test": "test, as delivered",
}
"""Names of the phases of results."""
READING = (
    "As trained: at the network's size, with the configured threshold. As delivered: at each ground truth's own size, "
    "with the post-processing that was fitted on the validation images, which look better for it."
)


class ModelSummary(Callback):
    """Prints each part of the network with its output's shape and its parameters, and the cost of one image.

    Shapes and operations are computed without allocating or computing anything (torch's meta device).
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints the table."""
        segmenter, data = pl_module.segmenter, trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and isinstance(segmenter, Segmenter) and isinstance(data, LesionDataModule):
            Console().print(summary_table(segmenter, data.cache.size))
            print(f"on {describe_device(pl_module.device, trainer.precision)}", flush=True)


def summary_table(segmenter: Segmenter, image_size: int) -> Table:
    """Tabulates the network's parts for one image of (image_size, image_size)."""
    shapes: dict[str, tuple[int, ...]] = {}
    clone = copy.deepcopy(segmenter).to("meta").eval()
    parts = dict(_parts(clone.network))
    for name, part in parts.items():
        part.register_forward_hook(lambda _, __, output, name=name: shapes.update({name: tuple(output.shape[1:])}))
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        clone(torch.empty(1, 3, image_size, image_size, device="meta"))
    table = Table(
        title=f"{type(segmenter.network).__name__} for {image_size} x {image_size} pixels", title_justify="left"
    )
    for heading in ("part", "output (channels, height, width)", "parameters"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for name, part in parts.items():
        table.add_row(name, " x ".join(map(str, shapes.get(name, ()))), f"{_parameters(part):,}")
    table.add_section()
    # A multiplication with its addition is two operations.
    table.add_row("all", f"{counter.get_total_flops() / 1e9:.2f} GFLOP an image", f"{_parameters(clone):,}")
    return table


def _parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Lists the network's children that have parameters, with the members of module lists one by one."""
    listed: list[tuple[str, nn.Module]] = []
    for name, child in network.named_children():
        members = child.named_children() if isinstance(child, nn.ModuleList) else [("", child)]
        listed += [(f"{name} {number}".strip(), member) for number, member in members]
    return [(name, part) for name, part in listed if _parameters(part)]


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def early_stop(trainer: Trainer) -> str | None:
    """Says after which epoch, why, and by which setting a training stopped early; None if it did not."""
    if trainer.max_epochs is None or trainer.current_epoch >= trainer.max_epochs:
        return None
    reason = _patience(trainer) or _time(trainer) or _steps(trainer) or "A callback asked for it."
    return f"The training stopped early, after epoch {trainer.current_epoch} of {trainer.max_epochs}. {reason}"


def _patience(trainer: Trainer) -> str | None:
    callback = trainer.early_stopping_callback
    if not isinstance(callback, EarlyStopping) or callback.stopping_reason_message is None:
        return None
    if callback.wait_count < callback.patience:  # a value that is not finite, or one beyond a threshold of the user's
        return callback.stopping_reason_message
    return (
        f"{callback.monitor} had not improved on {float(callback.best_score):.4f} for {callback.wait_count} "
        "validations. callbacks.early_stopping.patience sets how many are allowed; callbacks.early_stopping=null "
        "trains to the end."
    )


def _time(trainer: Trainer) -> str | None:
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # type: ignore[attr-defined]
    remaining = timers[0].time_remaining() if timers else None
    return "The time that trainer.max_time allows is over." if remaining is not None and remaining <= 0 else None


def _steps(trainer: Trainer) -> str | None:
    is_over = 0 <= trainer.max_steps <= trainer.global_step
    return f"trainer.max_steps allows {trainer.max_steps} optimizer steps." if is_over else None


def print_results(results: Mapping[str, float]) -> None:
    """Prints values by `<phase>/<metric>`, with a row for each metric and a column for each phase that was scored."""
    phases = [phase for phase in HEADINGS if any(name.startswith(f"{phase}/") for name in results)]
    table = Table(title="best checkpoint", title_justify="left", header_style="bold")
    table.add_column("metric")
    for phase in phases:
        table.add_column(HEADINGS[phase], justify="right")
    names = dict.fromkeys(name.split("/", 1)[1] for name in results if name.split("/")[0] in phases)
    for name in names:
        values = [results.get(f"{phase}/{name}") for phase in phases]
        table.add_row(name.replace("_", " "), *("" if value is None else f"{value:.4f}" for value in values))
    screen = Console()
    screen.print(table)
    if AS_DELIVERED in phases:
        screen.print(READING, style="dim", highlight=False)


def print_postprocessing(fitted: FittedPostprocessing) -> None:
    """Prints a row for each option that was tried: the scores without and with it, and whether it was kept."""
    table = Table(
        title=f"post-processing, fitted on {fitted.images} validation images: means without -> with each option",
        title_justify="left",
        caption="On these images the post-processing looks better than on others: it was chosen for them.",
        caption_justify="left",
        header_style="bold",
    )
    for heading in ("option", "value", "Jaccard", "Dice", "kept"):
        table.add_column(heading)
    for trial in fitted.trials:
        before, after = trial.without, trial.best
        value = str(after.value).lower() if isinstance(after.value, bool) else str(after.value)
        scores = f"{before.jaccard:.4f} -> {after.jaccard:.4f}", f"{before.dice:.4f} -> {after.dice:.4f}"
        table.add_row(trial.option, value, *scores, "yes" if trial.kept else "no")
    Console().print(table)


def print_whereabouts(run_dir: Path, best_checkpoint: Path | None) -> None:
    """Prints the files a user wants next and the commands to open them."""
    lines = {"run folder": short(run_dir)}
    if best_checkpoint is not None:
        best = short(best_checkpoint)
        weights = best_checkpoint.with_suffix(SUFFIX)
        if weights.is_file():
            lines["to hand over"] = short(weights)
        lines |= {
            "best checkpoint": best,
            "score it again": f"python -m lesionseg.evaluate checkpoint={shlex.quote(best)}",
        }
    if (run_dir / "report.html").is_file():
        lines["test report"] = short(run_dir / "report.html")
    pictures = sorted(path.name for path in run_dir.glob("*.png"))
    if pictures:
        lines["pictures"] = ", ".join(pictures)
    if (run_dir / "tensorboard").is_dir():
        lines["TensorBoard"] = f"tensorboard --logdir {shlex.quote(short(run_dir))}"
    print_lines(lines)
