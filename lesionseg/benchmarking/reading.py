"""The stages that read images: the loader of training, and prediction of a folder of photographs."""

import io
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch.utils.data import DataLoader

from lesionseg.benchmarking.subject import Subject, segmenter_defaults
from lesionseg.benchmarking.timing import Row, Speed, Work
from lesionseg.checkpoint.layout import contents_of, record
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.config.build import build
from lesionseg.config.schema import CONF
from lesionseg.data.cache import open_cache
from lesionseg.data.image_file import read_photograph
from lesionseg.data.loader import Item, LesionDataset, loader
from lesionseg.data.source import Sample, Source
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError, raise_all
from lesionseg.prediction.folder_prediction import predict_folder
from lesionseg.prediction.listing import list_pictures
from lesionseg.system.machine import usable_cores

EPOCH = 64
"""Batches of an epoch, enough that its start does not count."""
PREDICTION, DECODING = "prediction", "decoding alone"
EMPTY_SPLIT = {"parts": {"train": [], "validation": [], "test": []}, "sha256": "0" * 64}
WIDTH, HEIGHT = 1024, 768
"""Pixels of drawn photographs; the most common size in ISIC 2017 is 1022 x 767."""
DISTINCT, FILES = 8, 64
"""Number of drawn photographs, and of files with copies, because drawing one takes half a second."""
QUALITY = 90


@contextmanager
def loader_works(cfg: DictConfig) -> Iterator[list[Work | Speed]]:
    """Prepares reading for the first time and taking augmented batches; the caches are removed after the block.

    Raises:
        InputError: The data are missing or cannot be used.
    """
    source: Source = build("data", cfg.data)
    samples = evenly(source.samples("train"), cfg.loader_images)
    with tempfile.TemporaryDirectory(prefix="lesionseg-benchmark-") as name:
        folder = Path(name)
        cached = _cached(cfg, source, samples, folder / "cached")
        yield [_cold(cfg, source, samples, folder / "cold"), cached]


def evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Returns `count` samples, evenly spread over their order, or all if there are fewer."""
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int)
    return [samples[place] for place in places]


class Batches:
    """Endless batches of a loader."""

    def __init__(self, batches: DataLoader[Item]) -> None:
        self._loader = batches
        self._iterator = iter(batches)

    def take(self) -> None:
        """Takes a batch, if necessary of the next epoch."""
        try:
            next(self._iterator)
        except StopIteration:
            self._iterator = iter(self._loader)
            next(self._iterator)

    def drain(self) -> None:
        """Takes the batches that worker processes have made off the clock."""
        for _ in range(self._loader.num_workers * (self._loader.prefetch_factor or 0)):
            self.take()


@contextmanager
def folder_works(cfg: DictConfig, subject: Subject) -> Iterator[list[Work | Speed]]:
    """Prepares prediction with the network itself, from opening its checkpoint to the table of masks, and decoding.

    Raises:
        InputError: There are no photographs, or one cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="lesionseg-benchmark-") as name:
        folder = Path(name)
        photographs = folder / "photographs"
        if cfg.photographs is None:
            draw_photographs(photographs, seed=cfg.seed)
        else:
            photographs = Path(cfg.photographs)
        files = [picture.path for picture in list_pictures(str(photographs), leave_out=[]).pictures]
        yield [_prediction(cfg, subject, photographs, folder, len(files)), _decoding(files, cfg.image_size)]


def draw_photographs(folder: Path, *, seed: int) -> None:
    """Draws JPEGs of lesions into a new folder."""
    folder.mkdir()
    for number in range(DISTINCT):
        square, _ = draw_dermoscopy(seed + number, WIDTH)
        Image.fromarray(square[:HEIGHT]).save(folder / f"{number:02d}.jpg", quality=QUALITY)
    for number in range(DISTINCT, FILES):
        shutil.copyfile(folder / f"{number % DISTINCT:02d}.jpg", folder / f"{number:02d}.jpg")


def _cold(cfg: DictConfig, source: Source, samples: Sequence[Sample], folder: Path) -> Work | Speed:
    """Fills an empty cache with all cores; from the second time on, the system may have the files in memory."""
    if source.cache == "none":
        reason = "data.cache=none keeps nothing: each batch reads its images for the first time"
        return Speed(_row(cfg, "cold", ""), [], reason)

    def call() -> None:
        folder.mkdir(exist_ok=True)
        empty = Path(tempfile.mkdtemp(dir=folder))
        open_cache(source.cache, samples, cfg.image_size, empty).prepare(range(len(samples)))

    row = _row(cfg, "cold", f"{source.cache} cache, {_counted(usable_cores(), 'thread')}")
    return Work(row, len(samples), call, before=lambda: shutil.rmtree(folder, ignore_errors=True))


def _cached(cfg: DictConfig, source: Source, samples: Sequence[Sample], folder: Path) -> Work:
    """Takes augmented batches from the loader that training uses."""
    cache = open_cache(source.cache, samples, cfg.image_size, folder)
    cache.prepare(range(len(samples)))
    rows = np.resize(np.arange(len(samples)), EPOCH * cfg.batch_size).tolist()
    dataset = LesionDataset(cache, rows, augment=build("augmentation", cfg.augmentation), full_size_masks=False)
    made = loader(dataset, batch_size=cfg.batch_size, num_workers=cfg.num_workers, seed=cfg.seed, shuffle=True)
    batches = Batches(made)
    workers = _counted(made.num_workers, "worker") if made.num_workers else "no workers"
    row = _row(cfg, "cached, augmented", f"{source.cache} cache, {workers}, batch {cfg.batch_size}")
    return Work(row, cfg.batch_size, batches.take, before=batches.drain)


def _row(cfg: DictConfig, way: str, detail: str) -> Row:
    return Row("loader", way, str(cfg.data["_target_"]).rpartition(".")[2], detail)


def _prediction(cfg: DictConfig, subject: Subject, photographs: Path, folder: Path, files: int) -> Work | Speed:
    try:
        checkpoint = Path(cfg.checkpoint) if cfg.checkpoint is not None else _untrained(cfg, subject, folder)
    except InputError as error:
        return Speed(Row("folder", PREDICTION, subject.name, ""), [], str(error).replace("\n", " "))
    masks, numbers = folder / "masks", itertools.count()
    settings = _predict_defaults() | {
        "checkpoint": str(checkpoint),
        "input": str(photographs),
        "device": subject.settings.device,
        "precision": subject.settings.precision,
    }

    def call() -> None:
        # Each call gets its own folder, because photographs that have been predicted are skipped.
        given = settings | {"output": str(masks / str(next(numbers)))}
        with redirect_stdout(io.StringIO()):
            outcome = predict_folder(OmegaConf.create(given))
        raise_all("These photographs cannot be read; take them out:", list(outcome.unreadable.values()))

    row = Row("folder", PREDICTION, subject.name, f"{subject.settings.precision}, {_in_words(files)}")
    return Work(row, files, call, before=lambda: shutil.rmtree(masks, ignore_errors=True))


def _untrained(cfg: DictConfig, subject: Subject, folder: Path) -> Path:
    """Writes a checkpoint of the subject as training would before its first step.

    Raises:
        InputError: The network is not from `lesionseg.model`, so that its checkpoint does not open.
    """
    config: Any = OmegaConf.to_container(cfg, resolve=True)
    kept = {name: config[name] for name in ("name", "seed", "image_size", "model", "data")}
    state = {name: value.cpu() for name, value in subject.segmenter.state_dict().items()}
    path = folder / "untrained.ckpt"
    recorded = record(kept | {"segmenter": segmenter_defaults()}, EMPTY_SPLIT, {}) | {"metrics": {}}
    torch.save(contents_of(recorded, state), path)
    segmenter_of(read(path))
    return path


def _predict_defaults() -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(OmegaConf.load(CONF / "predict.yaml"))
    return {name: value for name, value in plain.items() if name not in ("defaults", "hydra")}


def _decoding(files: Sequence[Path], image_size: int) -> Work:
    """Decodes at the scale that the network needs, in as many threads as prediction."""
    decode = partial(read_photograph, for_size=image_size)

    def call() -> None:
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(decode, files):
                pass

    row = Row("folder", DECODING, "", f"{_in_words(len(files))}, at the scale needed", is_limit=True)
    return Work(row, len(files), call)


def _in_words(files: int) -> str:
    return f"{_counted(files, 'photograph')}, {_counted(usable_cores(), 'thread')}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
