"""Predicting a folder of photographs with one thread per core, and the table of all its masks."""

import math
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from lesionseg.errors import LONGEST_LIST, InputError
from lesionseg.exporting.opening import open_engine
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH, Engine
from lesionseg.prediction.jobs import Job, OutputFolder, Outputs
from lesionseg.prediction.journal import predictions_csv, review_reason
from lesionseg.prediction.listing import Listed, list_pictures
from lesionseg.prediction.worker import MemoryBudget, Worker
from lesionseg.system.machine import usable_cores, usable_memory

REVIEW = ("views", "probabilities")
"""Sources of doubt about a mask."""
TABLE = PurePosixPath("predictions.csv")
PIXELS_TOGETHER = 16 * 160 * 160
"""Pixels that the network takes at once; with more, only its memory grows and not its speed."""
SHARE_OF_MEMORY = 0.5
"""Share of the free memory for images being read and written; the network and its libraries need the rest."""


@dataclass
class Outcome:
    """Outcome of a prediction."""

    predicted: int = 0
    skipped: int = 0
    """Number of images that the same model has done before."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Reasons by the images' paths below the input."""
    review: int = 0
    """Number of masks for a person to look at, among them those done before."""


def predict_folder(cfg: DictConfig) -> Outcome:
    """Predicts what `cfg.input` names; see `lesionseg.predict.predict`."""
    if not 0 <= cfg.review_below <= 1:
        raise InputError(f"review_below is {cfg.review_below}; allowed: 0 (never) to 1")
    if cfg.review not in REVIEW:
        raise InputError(f"review is {cfg.review}; allowed: {', '.join(REVIEW)}")
    roots = [Path(folder) for folder in (cfg.output, cfg.probabilities, cfg.overlays) if folder is not None]
    for root in roots:
        # A second run would take the first one's masks for photographs.
        if Path(cfg.input).is_dir() and Path(cfg.input).resolve().is_relative_to(root.resolve()):
            raise InputError(f"{root} holds the photographs; give results a folder of their own, for example masks")
    listed = list_pictures(cfg.input, leave_out=roots)
    # One thread each, because every core predicts images of its own, see `_work`.
    engine = open_engine(Path(cfg.checkpoint), device=cfg.device, precision=cfg.precision, threads=1)
    masks = OutputFolder(Path(cfg.output))
    probabilities, overlays = (
        None if folder is None else OutputFolder(Path(folder)) for folder in (cfg.probabilities, cfg.overlays)
    )
    try:
        with FileLock(masks.hidden / "lock", timeout=0):
            return _predict(cfg, listed, Outputs(masks, probabilities, overlays), engine)
    except Timeout as error:
        raise InputError(
            f"output={cfg.output}: another process is writing there; wait for it, or give another"
        ) from error


def _predict(cfg: DictConfig, listed: Listed, outputs: Outputs, engine: Engine) -> Outcome:
    """Predicts what is left to do, and writes the table even if interrupted."""
    jobs = [Job(picture, cfg.suffix) for picture in listed.pictures]
    looks_twice = cfg.review == "views" and _can_look_twice(engine)
    left = outputs.unfinished(jobs, model=engine.facts.sha256, overwrite=cfg.overwrite, looks_twice=looks_twice)
    for folder in outputs.folders():
        folder.sweep()
    worker = Worker(engine, outputs, MemoryBudget(int(usable_memory() * SHARE_OF_MEMORY)), looks_twice)
    outcome = Outcome(skipped=len(jobs) - len(left), unreadable=dict(listed.unsupported))
    print(f"{len(jobs)} images on {engine.device}" + (f"; {outcome.skipped} are done already" * bool(outcome.skipped)))
    if engine.facts.is_of_drawn_images:
        print(NEVER_SAW_A_PHOTOGRAPH)
    if listed.passed_over:
        print("passed over:", ", ".join(f"{count} x {kind}" for kind, count in listed.passed_over.items()))
    start = time.perf_counter()
    try:
        _work(worker, left, outcome)
    finally:
        _finish(outputs, outcome, cfg.review_below)
    _report(outcome, masks=cfg.output, seconds=time.perf_counter() - start)
    return outcome


def _can_look_twice(engine: Engine) -> bool:
    """Tries it on a black image, since exported models cannot."""
    size = engine.facts.image_size
    return engine.second_look(np.zeros((1, size, size, 3), np.uint8)) is not None


def _work(worker: Worker, jobs: Sequence[Job], outcome: Outcome) -> None:
    """Lets every core read, predict and write a few images at a time.

    While one core waits for the disk or the GPU, another decodes, and no more images are in memory than are being
    worked on. PyTorch gets one thread on each core, since cores that share one image's work wait for each other.
    """
    cores = usable_cores()
    chunks = _chunks(jobs, cores, most=max(1, PIXELS_TOGETHER // worker.engine.facts.image_size**2))
    running: dict[Future[dict[str, str]], int] = {}
    with _threads_of_one(cores) as pool, _progress() as progress:
        bar = progress.add_task("predicting", total=len(jobs))
        try:
            while True:
                while len(running) < cores and (chunk := next(chunks, None)) is not None:
                    running[pool.submit(worker.work, chunk)] = len(chunk)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    unreadable, count = future.result(), running.pop(future)
                    outcome.unreadable |= unreadable
                    outcome.predicted += count - len(unreadable)
                    progress.advance(bar, count)
        finally:
            for future in running:
                future.cancel()


@contextmanager
def _threads_of_one(cores: int) -> Iterator[ThreadPoolExecutor]:
    """Starts threads in which PyTorch starts no further ones; its number in this thread stays."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # which threads that are started later begin with


def _chunks(jobs: Sequence[Job], cores: int, *, most: int) -> Iterator[Sequence[Job]]:
    """Deals out images in chunks that shrink towards the end, so that all cores finish together."""
    start = 0
    while start < len(jobs):
        size = min(most, math.ceil((len(jobs) - start) / (2 * cores)))
        yield jobs[start : start + size]
        start += size


def _finish(outputs: Outputs, outcome: Outcome, review_below: float) -> None:
    """Writes the table of all masks in the folder, also of earlier runs, and removes temporary files."""
    entries = [entry for entry in outputs.journal.entries.values() if (outputs.masks.root / entry.mask).is_file()]
    outcome.review = sum(bool(review_reason(entry.measures, review_below)) for entry in entries)
    outputs.masks.write(TABLE, predictions_csv(entries, outcome.unreadable, review_below=review_below))
    for folder in outputs.folders():
        folder.tidy()


def _report(outcome: Outcome, *, masks: str, seconds: float) -> None:
    """Prints what was done and what could not be."""
    speed = f" in {seconds:.1f} s ({outcome.predicted / seconds:.1f} images/s)" if outcome.predicted else ""
    print(f"{outcome.predicted} masks{speed} -> {masks}")
    if outcome.review:
        print(f"{outcome.review} to be reviewed: see the columns review and reason of {Path(masks) / TABLE}")
    if outcome.unreadable:
        print(f"could not be read: {len(outcome.unreadable)} of the images")
        for reason in list(outcome.unreadable.values())[:LONGEST_LIST]:
            print(f"  - {reason}")
        if len(outcome.unreadable) > LONGEST_LIST:
            print(f"  ... and {len(outcome.unreadable) - LONGEST_LIST} more, all in {Path(masks) / TABLE}")


class _ImagesPerSecond(ProgressColumn):
    """Shows the speed of the last half minute; nothing before the first images are done."""

    def render(self, task: Task) -> Text:
        """Returns the speed in words."""
        return Text(f"{task.speed:.1f} images/s" if task.speed else "")


def _progress() -> Progress:
    """Makes a progress bar that is shown on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _ImagesPerSecond())
    return Progress(*columns, TimeRemainingColumn(), transient=True, disable=not sys.stdout.isatty())
