"""Predicting a folder of photographs, and only decoding them."""

import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.drawn_photographs import draw_photographs
from lesionseg.benchmarking.stored_subject import stored
from lesionseg.benchmarking.subject import Subject
from lesionseg.benchmarking.timing import Row, Speed, Work
from lesionseg.config.schema import CONF
from lesionseg.data.image_file import read_photograph
from lesionseg.errors import InputError, raise_all
from lesionseg.prediction.folder_prediction import predict_folder
from lesionseg.prediction.listing import list_pictures
from lesionseg.system.machine import usable_cores

PREDICTION, DECODING = "prediction", "decoding alone"


@contextmanager
def folder_works(cfg: DictConfig, subject: Subject) -> Iterator[list[Work | Speed]]:
    """Prepares predicting photographs with the network itself, from opening its checkpoint to the table of masks.

    Yields:
        Prediction, then decoding alone; what cannot be measured says why.

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


def _prediction(cfg: DictConfig, subject: Subject, photographs: Path, folder: Path, files: int) -> Work | Speed:
    try:
        checkpoint = Path(cfg.checkpoint) if cfg.checkpoint is not None else stored(cfg, subject, folder)
    except InputError as error:
        return Speed(Row("folder", PREDICTION, subject.name, ""), [], str(error).replace("\n", " "))
    masks = folder / "masks"
    settings = _predict_defaults() | {
        "checkpoint": str(checkpoint),
        "input": str(photographs),
        "device": subject.settings.device,
        "precision": subject.settings.precision,
    }
    numbers = count()

    def call() -> None:
        # A folder of its own each time: what has been predicted is not predicted again.
        given = settings | {"output": str(masks / str(next(numbers)))}
        with redirect_stdout(io.StringIO()):
            outcome = predict_folder(OmegaConf.create(given))
        raise_all("These photographs cannot be read; take them out:", list(outcome.unreadable.values()))

    row = Row("folder", PREDICTION, subject.name, f"{subject.settings.precision}, {_in_words(files)}")
    return Work(row, files, call, before=lambda: shutil.rmtree(masks, ignore_errors=True))


def _predict_defaults() -> dict[str, Any]:
    """Returns what `conf/predict.yaml` says where the user says nothing."""
    plain: Any = OmegaConf.to_container(OmegaConf.load(CONF / "predict.yaml"))
    return {name: value for name, value in plain.items() if name not in ("defaults", "hydra")}


def _decoding(files: Sequence[Path], image_size: int) -> Work:
    """Decodes at the scale that the network needs, in as many threads as predict."""
    decode = partial(read_photograph, for_size=image_size)

    def call() -> None:
        with ThreadPoolExecutor(usable_cores()) as pool:
            for _ in pool.map(decode, files):
                pass

    row = Row("folder", DECODING, "", f"{_in_words(len(files))}, at the scale needed", is_limit=True)
    return Work(row, len(files), call)


def _in_words(files: int) -> str:
    cores = usable_cores()
    return f"{files} photograph{'s' * (files != 1)}, {cores} thread{'s' * (cores != 1)}"
