"""Predicting a folder of photographs: what is to be done, by as many threads as there are cores, and the table."""

import logging
import math
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

from lesionseg.cores import usable_cores
from lesionseg.errors import LONGEST_LIST, InputError
from lesionseg.memory import usable_memory
from lesionseg.prediction.engine import NEVER_SAW_A_PHOTOGRAPH, Engine
from lesionseg.prediction.jobs import Job, Outputs, jobs_of, unfinished
from lesionseg.prediction.journal import Journal
from lesionseg.prediction.listing import Listed, list_pictures
from lesionseg.prediction.memory_budget import MemoryBudget
from lesionseg.prediction.opening import open_engine
from lesionseg.prediction.output_folder import OutputFolder
from lesionseg.prediction.progress import image_bar
from lesionseg.prediction.table import predictions_csv, review_reason
from lesionseg.prediction.worker import Worker

log = logging.getLogger(__name__)

REVIEW = ("views", "probabilities")
"""Where doubts of a mask come from."""
TABLE = PurePosixPath("predictions.csv")
PIXELS_TOGETHER = 16 * 160 * 160
"""Pixels that the network takes at once: with more of them its speed no longer grows, but its memory does."""
SHARE_OF_MEMORY = 0.5
"""Of what is free, for images being read and written; the network and its libraries need the rest."""


@dataclass
class Outcome:
    """What became of the images."""

    predicted: int = 0
    skipped: int = 0
    """Done before, by the same model."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Why, by the image's path below the input."""
    review: int = 0
    """Masks for a person to look at, those done before among them."""


def predict_folder(cfg: DictConfig) -> Outcome:
    """Predicts what `cfg.input` names; see `conf/predict.yaml`.

    Raises:
        InputError: A setting or the model's file is wrong, there are no images, a file would be overwritten, another
            process writes to the same folder, or the disk is full.
    """
    if not 0 <= cfg.review_below <= 1:
        raise InputError(f"review_below is {cfg.review_below}; allowed: 0 (never) to 1")
    if cfg.review not in REVIEW:
        raise InputError(f"review is {cfg.review}; allowed: {', '.join(REVIEW)}")
    masks = Path(cfg.output)
    folders = [masks, *(Path(folder) for folder in (cfg.probabilities, cfg.overlays) if folder is not None)]
    for folder in folders:
        # A second run would take the first one's masks for photographs.
        if Path(cfg.input).is_dir() and Path(cfg.input).resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{folder} holds the photographs; give results a folder of their own, for example masks")
    listed = list_pictures(cfg.input, leave_out=folders)
    # One thread each, because every core predicts images of its own, see `_work`.
    engine = open_engine(Path(cfg.checkpoint), device=cfg.device, precision=cfg.precision, threads=1)
    outputs = Outputs(
        masks=OutputFolder(masks),
        probabilities=OutputFolder(Path(cfg.probabilities)) if cfg.probabilities is not None else None,
        overlays=OutputFolder(Path(cfg.overlays)) if cfg.overlays is not None else None,
    )
    try:
        with FileLock(outputs.masks.hidden / "lock", timeout=0):
            return _predict(cfg, listed, outputs, engine)
    except Timeout as error:
        raise InputError(f"output={masks}: another process is writing there; wait for it, or give another") from error


def _predict(cfg: DictConfig, listed: Listed, outputs: Outputs, engine: Engine) -> Outcome:
    """Does what is left to do and writes the table, also where it is interrupted."""
    jobs = jobs_of(listed.pictures, suffix=cfg.suffix)
    journal = Journal(outputs.masks.hidden / "journal.jsonl")
    looks_twice = cfg.review == "views" and _can_look_twice(engine)
    model = engine.facts.sha256
    left = unfinished(jobs, outputs, journal, model=model, overwrite=cfg.overwrite, looks_twice=looks_twice)
    for folder in outputs.folders():
        folder.sweep()
    worker = Worker(engine, outputs, journal, MemoryBudget(int(usable_memory() * SHARE_OF_MEMORY)), looks_twice)
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
        _finish(outputs, journal, outcome, cfg.review_below)
    _report(outcome, masks=cfg.output, seconds=time.perf_counter() - start)
    return outcome


def _can_look_twice(engine: Engine) -> bool:
    """Asks a model, since those that are exported cannot."""
    size = engine.facts.image_size
    return engine.second_look(np.zeros((1, size, size, 3), np.uint8)) is not None


def _work(worker: Worker, jobs: Sequence[Job], outcome: Outcome) -> None:
    """Lets every core read, predict and write a few images at a time.

    So while one core waits for the disk or the GPU, another decodes, and no more images are in memory than are being
    worked on. PyTorch gets one thread in each of them: cores that share one image's work wait for each other.
    """
    cores = usable_cores()
    handfuls = _handfuls(jobs, cores, most=max(1, PIXELS_TOGETHER // worker.engine.facts.image_size**2))
    with _threads_of_one(cores) as pool, image_bar("predicting", total=len(jobs)) as advance:
        running: dict[Future[dict[str, str]], int] = {}
        try:
            while True:
                while len(running) < cores and (handful := next(handfuls, None)) is not None:
                    running[pool.submit(worker.work, handful)] = len(handful)
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    unreadable, count = future.result(), running.pop(future)
                    outcome.unreadable |= unreadable
                    outcome.predicted += count - len(unreadable)
                    advance(count)
        finally:
            for future in running:
                future.cancel()


@contextmanager
def _threads_of_one(cores: int) -> Iterator[ThreadPoolExecutor]:
    """Starts threads in which PyTorch does not start further ones; the caller's number stays what it is."""
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)  # it is also what threads begin with that are started later


def _handfuls(jobs: Sequence[Job], cores: int, *, most: int) -> Iterator[Sequence[Job]]:
    """Deals out images, fewer at a time towards the end, so that all cores finish together."""
    start = 0
    while start < len(jobs):
        size = min(most, math.ceil((len(jobs) - start) / (2 * cores)))
        yield jobs[start : start + size]
        start += size


def _finish(outputs: Outputs, journal: Journal, outcome: Outcome, review_below: float) -> None:
    """Writes the table of all masks in the folder, of earlier runs too, and takes the scaffolding away."""
    entries = [entry for entry in journal.entries.values() if outputs.masks.path(PurePosixPath(entry.mask)).is_file()]
    outcome.review = sum(bool(review_reason(entry.measures, review_below)) for entry in entries)
    outputs.masks.write(TABLE, predictions_csv(entries, outcome.unreadable, review_below=review_below))
    for folder in outputs.folders():
        folder.tidy()


def _report(outcome: Outcome, *, masks: str, seconds: float) -> None:
    """Says what was done, and what could not be."""
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
