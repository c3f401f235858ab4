"""The last words of a run: a table of results, where everything is, and the command to look at it."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lesionseg.checkpoint.safetensors import SUFFIX
from lesionseg.metrics.delivered import AS_DELIVERED, AS_TRAINED
from lesionseg.postprocessing.fitting import FittedPostprocessing
from lesionseg.report.terminal import print_lines, short

HEADINGS = {
    AS_TRAINED: "validation, as trained",
    AS_DELIVERED: "validation, as delivered",
    "test": "test, as delivered",
}
"""What people call the phases of results."""
READING = (
    "As trained: at the network's size, with the configured threshold. As delivered: at each ground truth's own size, "
    "with the decision that was fitted on the validation images, which look better for it."
)


def print_results(results: Mapping[str, float], *, title: str, headings: Mapping[str, str]) -> None:
    """Prints a table with a row for each metric and a column for each phase that has been scored.

    Args:
        results: Values by `<phase>/<metric>`.
        title: Above the table.
        headings: What people call each phase.
    """
    phases = [phase for phase in headings if any(name.startswith(f"{phase}/") for name in results)]
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("metric")
    for phase in phases:
        table.add_column(headings[phase], justify="right")
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
        title=f"decision, fitted on {fitted.images} validation images: means without -> with each option",
        title_justify="left",
        caption="On these images the decision looks better than on others: it was chosen for them.",
        caption_justify="left",
        header_style="bold",
    )
    for heading in ("option", "value", "Jaccard", "Dice", "kept"):
        table.add_column(heading)
    for trial in fitted.trials:
        before, after = trial.without, trial.best
        scores = f"{before.jaccard:.4f} -> {after.jaccard:.4f}", f"{before.dice:.4f} -> {after.dice:.4f}"
        table.add_row(trial.option, _in_yaml(after.value), *scores, "yes" if trial.kept else "no")
    Console().print(table)


def _in_yaml(value: object) -> str:
    """Writes a value as a command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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
