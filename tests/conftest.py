"""What tests of several packages share."""

import functools
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import hydra
import numpy as np
import pytest
from absl import logging as absl_logging
from filelock import FileLock
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.published import ISIC2017_FOLDERS
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.evaluation.summary import CalibrationBin, Curves, Estimate, Group, Stratum, Summary
from lesionseg.metrics.definitions import definitions_of, definitions_record, standard_formulas
from lesionseg.metrics.formula import Counts
from lesionseg.metrics.image_scores import ImageScores, Picture

# Tests run side by side (pytest -n 2) on tensors too small to share between threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Compose = Callable[[Sequence[str]], DictConfig]
MakeSource = Callable[..., Any]
DrawPairs = Callable[..., Path]
Exported = Callable[[str], Path]
FIGURES = "lesionseg.training.reporting.figures"
RunVerb = Callable[..., subprocess.CompletedProcess[str]]
MadeOnce = Callable[[str, Callable[[Path], object]], Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files first that start processes or train, so that no worker is left alone with one at the end."""
    slowest_first = ("python", "smoke_run")
    ranks: dict[Path, int] = {}
    for item in items:
        used = getattr(item, "fixturenames", ())
        rank = next((rank for rank, name in enumerate(slowest_first) if name in used), len(slowest_first))
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])


@pytest.fixture(scope="session", autouse=True)
def _no_test_writes_the_users_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESIONSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_library_closes_what_pytest_captures() -> None:
    """Hydra closes all handlers when it sets logging up, and absl's, of OpenVINO and TensorBoard, closes its stream."""
    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Has a folder filled once for all workers of pytest-xdist: `made_once("smoke", fill)`; not to be written to."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        target, mark = root / name, root / f"{name}.made"
        with FileLock(root / f"{name}.lock"):
            if not mark.exists():
                target.mkdir()
                try:
                    fill(target)
                except BaseException:
                    shutil.rmtree(target)
                    raise
                mark.touch()
        return target

    return folder


@pytest.fixture(scope="session")
def python(made_once: MadeOnce) -> str:
    """A Python that has imported everything, see `preloaded_python.py`; ends with pytest."""
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()

    def start(folder: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("preloaded_python.py")), str(folder), str(owner)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not (folder / "python").exists():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)

    return str(made_once("preloaded", start) / "python")


@pytest.fixture(scope="session")
def run_verb(python: str) -> RunVerb:
    """Runs a command of lesionseg in a process of its own: `run_verb(folder, "train", "seed=1")`."""

    def run(folder: Path, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [python, "-m", f"lesionseg.{verb}", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)

    return run


@pytest.fixture(scope="session")
def no_figures() -> Iterator[None]:
    """Leaves out the figures of a report, which take as long as everything else; `smoke_run` has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FIGURES, lambda *_: {})
        yield


@pytest.fixture
def compose(tmp_path: Path, no_figures: None) -> Compose:
    """Composes `conf/train.yaml` with a command line's overrides; the run's folder is the test's own."""

    def from_overrides(overrides: Sequence[str]) -> DictConfig:
        cfg = _composed(tuple(overrides)).copy()
        cfg.run_dir = str(tmp_path)
        return cfg

    return from_overrides


@functools.cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    """Composing takes 0.2 s, which contract tests would spend once a test."""
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides=[*overrides, "run_dir=unset"])


@pytest.fixture(scope="session")
def smoke_run(made_once: MadeOnce) -> Path:
    """The folder of one finished `experiment=smoke`; not to be written to."""
    from lesionseg.report.figures import figures
    from lesionseg.train import train

    def fill(folder: Path) -> None:
        cfg = _composed(("experiment=smoke",)).copy()
        cfg.run_dir = str(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FIGURES, figures)
            train(cfg)

    return made_once("smoke", fill)


@pytest.fixture(scope="session")
def exported(smoke_run: Path, made_once: MadeOnce) -> Exported:
    """Exports `smoke_run` once in each format asked for, `exported("onnx")`; the files are not to be written to."""
    needed = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch_export": (), "openvino": ("onnxscript", "openvino")}
    suffixes = {"onnx": ".onnx", "torch_export": ".pt2", "openvino": ".xml"}

    def fill(folder: Path, name: str) -> None:
        from lesionseg.export import export

        checkpoint = smoke_run / "checkpoints" / "best.ckpt"
        register_schemas()
        with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            given = [f"checkpoint={checkpoint}", f"format={name}", "compare_images=3"]
            export(hydra.compose("export", overrides=[*given, f"output={folder / 'smoke'}{suffixes[name]}"]))

    def in_installed_format(name: str) -> Path:
        for module in needed[name]:
            pytest.importorskip(module)
        return made_once(f"exported_{name}", lambda folder: fill(folder, name)) / f"smoke{suffixes[name]}"

    return in_installed_format


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as users have it: images/ and masks/ of several sizes, masks named `<image>_segmentation.png`."""
    from lesionseg.data.synthetic_image import draw_dermoscopy

    root = tmp_path_factory.mktemp("photographs")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for seed, (width, height) in enumerate([(80, 60), (61, 97), (128, 128), (40, 33)] * 2):
        image, mask = draw_dermoscopy(seed, 128)
        Image.fromarray(image).resize((width, height)).save(root / "images" / f"photo {seed}.jpg")
        Image.fromarray(mask * 255).resize((width, height), Image.Resampling.NEAREST).save(
            root / "masks" / f"photo {seed}_segmentation.png"
        )
    return root


@pytest.fixture(scope="session")
def isic2017_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty folders with the official names, which is all a source looks for before it is asked for samples."""
    root = tmp_path_factory.mktemp("isic2017")
    for names in ISIC2017_FOLDERS.values():
        for name in names:
            (root / name).mkdir()
    return root


@pytest.fixture(scope="session")
def source_settings() -> dict[str, Any]:
    """What every source has to be told, at its defaults."""
    files = (CONF / "data" / "common" / f"{name}.yaml" for name in ("reading", "splitting"))
    return {str(key): value for file in files for key, value in OmegaConf.load(file).items()}


@pytest.fixture(scope="session")
def synthetic(source_settings: dict[str, Any]) -> MakeSource:
    """Makes a drawn source from the settings that differ: `synthetic(train=3)`."""
    from lesionseg.data.synthetic import Synthetic

    usual = source_settings | {"cache": "memory", "seed": 0, "size": 40, "train": 10, "validation": 3, "test": 5}
    return lambda **changes: Synthetic(**(usual | changes))


@pytest.fixture(scope="session")
def folder_source(source_settings: dict[str, Any]) -> MakeSource:
    """Makes a source of one's own images: `folder_source(root, split="hold_out")`."""
    from lesionseg.data.folder import Folder

    usual = source_settings | {"images": "images", "masks": "masks", "mask_suffix": "", "split": "auto"}
    usual |= {"groups": None, "group_id_column": "image_id", "group_column": "lesion_id"}
    return lambda root, **changes: Folder(**(usual | {"root": root} | changes))


@pytest.fixture(scope="session")
def draw_pairs() -> DrawPairs:
    """Draws images/ and masks/ below a folder, one pair a stem: `draw_pairs(folder, {"a": 0, "copy of a": 0})`."""
    from lesionseg.data.synthetic_image import draw_dermoscopy

    def draw(folder: Path, seeds: Mapping[str, int], *, size: int = 64) -> Path:
        for kind in ("images", "masks"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for stem, seed in seeds.items():
            image, mask = draw_dermoscopy(seed, size)
            Image.fromarray(image).save(folder / "images" / f"{stem}.png")
            Image.fromarray(mask * 255).save(folder / "masks" / f"{stem}.png")
        return folder

    return draw


@pytest.fixture(scope="session")
def evaluation_settings() -> Any:
    """An evaluation's settings as they come, but for few resamples and small pictures."""
    from lesionseg.evaluation.settings import EvaluationSettings

    settings = {str(key): value for key, value in OmegaConf.load(CONF / "evaluation" / "default.yaml").items()}
    del settings["_target_"]
    return EvaluationSettings(**(settings | {"resamples": 200, "picture_size": 32}))


COUNT = 12
METRICS = definitions_of(standard_formulas())
POOLED = ("dice", "jaccard", "precision", "recall", "specificity", "accuracy")


@pytest.fixture(scope="session")
def image_scores() -> list[ImageScores]:
    """Twelve images with falling scores; the last one's lesion is missed."""
    return [_image(number) for number in range(COUNT)]


@pytest.fixture(scope="session")
def summary(image_scores: list[ImageScores]) -> Summary:
    """The numbers of these images, two strata and simple curves."""
    metrics = {
        name: _estimate([image.scores[name] for image in image_scores]) for name in definitions_of(standard_formulas())
    }
    grid = [number / 10 for number in range(11)]
    return Summary(
        name="unet <fast>",
        facts={"checkpoint": "logs/train/best.ckpt", "data": "Synthetic", "part": "test", "date": "2026-11-24"},
        images=COUNT,
        missed=1,
        metrics=metrics,
        pooled={
            name: Estimate(0.9, 0.85, 0.95)
            for name in ("dice", "jaccard", "precision", "recall", "specificity", "accuracy")
        },
        confusion_matrix=((9_000, 400), (600, 2_000)),
        strata=[
            Stratum("lesion size", [Group("small", 7, metrics), Group("large", 5, metrics)]),
            Stratum("touches the border", [Group("no", 12, metrics)]),
        ],
        curves=Curves(
            false_positive_rate=grid,
            true_positive_rate=[math.sqrt(x) for x in grid],
            roc_area=0.93,
            recall=grid,
            precision=[1 - x * x / 2 for x in grid],
            average_precision=0.88,
            thresholds=grid,
            dice=[0.9 - (x - 0.5) ** 2 for x in grid],
            jaccard=[0.8 - (x - 0.5) ** 2 for x in grid],
            calibration=[CalibrationBin(x, x + 0.1, x + 0.05, (x + 0.05) ** 1.2, 1_000) for x in grid[:-1]],
            calibration_error=0.031,
            brier=0.042,
        ),
        test_set_sha256="0" * 64,
        definitions=definitions_record(standard_formulas(), boundary_tolerance=0.75),
        config={"seed": 0, "model": {"_target_": "lesionseg.model.unet.UNet", "base_channels": 16}},
    )


def _image(number: int) -> ImageScores:
    image, mask = draw_dermoscopy(number, 96)
    jaccard = max(0.95 - 0.08 * number, 0.0) if number < COUNT - 1 else 0.0
    scores = dict.fromkeys(METRICS, jaccard) | {
        "hd95": 10.0 * (1 - jaccard),
        "failure": float(jaccard < 0.65),
    }
    lesion = int(mask.sum())
    found = int(lesion * jaccard)
    return ImageScores(
        id=f"ISIC_{number:07d}",
        height=96,
        width=96,
        counts=Counts(found, 0, lesion - found, mask.size - lesion),
        scores=scores,
        traits={"lesion_share": float(mask.mean()), "contrast": 20.0 + number, "hair": None},
        strata={"lesion size": "small" if number < 7 else "large", "touches the border": "no"},
        target_sha256=f"{number:064x}",
        picture=_picture(image, mask, nothing=number == COUNT - 1),
    )


def _picture(image: np.ndarray, mask: np.ndarray, *, nothing: bool) -> Picture:
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    path = "".join("M" + "L".join(f"{x} {y}" for x, y in contour[:, 0]) + "Z" for contour in contours)
    return Picture(96, 96, encoded.tobytes(), path, "" if nothing else path)


def _estimate(values: list[float]) -> Estimate:
    mean = float(np.mean(values))
    return Estimate(mean, mean - 0.05, mean + 0.05, float(np.std(values, ddof=1)), float(np.median(values)))
