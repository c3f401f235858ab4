"""The configuration: where it is found, and the closed schema of each verb's root."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from lesionseg.system.run_folder import register_resolvers

PACKAGE = Path(__file__).parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""An installed wheel carries `conf` inside the package; in a checkout or an editable install it stands beside it."""


@dataclass
class TrainConfig:
    """Every key that `conf/train.yaml` and the command line may set; values and units are explained there."""

    name: str = MISSING
    seed: int = MISSING
    image_size: int = MISSING
    batch_size: int | str = MISSING
    min_train_batches: int = MISSING
    num_workers: int | None = MISSING
    compile: bool = MISSING
    monitor: str = MISSING
    monitor_mode: str = MISSING
    run_dir: str = MISSING
    resume: str | None = MISSING
    data: Any = MISSING
    augmentation: Any = MISSING
    model: Any = MISSING
    segmenter: Any = MISSING
    postprocessing: Any = MISSING
    loss: Any = MISSING
    metrics: Any = MISSING
    optimizer: Any = MISSING
    scheduler: Any = MISSING
    callbacks: Any = MISSING
    logger: Any = field(default_factory=dict)  # empty when no logger is chosen
    trainer: Any = MISSING
    evaluation: Any = MISSING


@dataclass
class EvaluateConfig:
    """Every key that `conf/evaluate.yaml` and the command line may set; values and units are explained there."""

    checkpoint: str | None = MISSING
    predictions: str | None = MISSING
    truth: str | None = MISSING
    images: str | None = MISSING
    prediction_suffix: str | None = MISSING
    truth_suffix: str | None = MISSING
    prediction_above: int = MISSING
    truth_above: int = MISSING
    name: str | None = MISSING
    part: str = MISSING
    postprocessing: str = MISSING
    batch_size: int = MISSING
    num_workers: int | None = MISSING
    run_dir: str = MISSING
    data: Any = None
    metrics: Any = MISSING
    callbacks: Any = field(default_factory=dict)  # empty when none is chosen
    logger: Any = field(default_factory=dict)
    trainer: Any = MISSING
    evaluation: Any = MISSING


@dataclass
class PredictConfig:
    """Every key that `conf/predict.yaml` and the command line may set; values and units are explained there."""

    checkpoint: str = MISSING
    input: str = MISSING
    output: str = MISSING
    suffix: str = MISSING
    probabilities: str | None = MISSING
    overlays: str | None = MISSING
    overwrite: bool = MISSING
    review: str = MISSING
    review_below: float = MISSING
    device: str = MISSING
    precision: str = MISSING


@dataclass
class ExportConfig:
    """Every key that `conf/export.yaml` and the command line may set; values and units are explained there."""

    checkpoint: str = MISSING
    format: str = MISSING
    output: str | None = MISSING
    overwrite: bool = MISSING
    images: str | None = MISSING
    compare_images: int = MISSING
    tolerance: float = MISSING
    fp16: bool = MISSING
    int8: bool = MISSING
    calibration_images: int = MISSING
    int8_tolerance: float = MISSING
    licence: str = MISSING
    intended_use: str = MISSING
    data: Any = None


@dataclass
class CompareConfig:
    """Every key that `conf/compare.yaml` and the command line may set; values and units are explained there."""

    runs: list[str] = MISSING
    metric: str = MISSING
    metrics: list[str] = MISSING
    resamples: int = MISSING
    seed: int = MISSING
    run_dir: str = MISSING


@dataclass
class CrossvalConfig:
    """Every key that `conf/crossval.yaml` and the command line may set; values and units are explained there."""

    folds: int | None = MISSING
    seeds: list[int] | None = MISSING
    checkpoints: list[str] | None = MISSING
    training: list[str] = MISSING
    jobs: int | None = MISSING
    metric: str = MISSING
    columns: list[str] = MISSING
    masks: bool = MISSING
    ensemble: bool = MISSING
    run_dir: str = MISSING
    resume: str | None = MISSING


@dataclass
class DownloadConfig:
    """Every key that `conf/download.yaml` and the command line may set; values and units are explained there."""

    server: str = MISSING
    keep_archives: bool = MISSING
    timeout: float = MISSING
    data: Any = MISSING


@dataclass
class CheckDataConfig:
    """Every key that `conf/check_data.yaml` and the command line may set; values and units are explained there."""

    fix: str | None = MISSING
    image_size: int = MISSING
    run_dir: str = MISSING
    data: Any = MISSING


@dataclass
class PeerConfig:
    """A network of anybody's that `lesionseg.benchmark` measures beside lesionseg's own."""

    network: Any = MISSING
    """With a `_target_`: an `nn.Module` that maps an image (B, 3, H, W) to logits (B, 1, H, W)."""
    precision: str = "auto"
    """`auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`."""
    channels_last: bool = True
    """Whether weights and images lie channels last in memory, which is faster nearly everywhere."""
    stride: int = 32
    """Images are padded to multiples of so many pixels."""


@dataclass
class BenchmarkConfig:
    """Every key that `conf/benchmark.yaml` and the command line may set; values and units are explained there."""

    name: str = MISSING
    checkpoint: str | None = MISSING
    measure: list[str] = MISSING
    runtimes: list[str] = MISSING
    rounds: int = MISSING
    seconds: float = MISSING
    image_size: int | None = MISSING
    batch_size: int = MISSING
    inference_batch_size: int = MISSING
    num_workers: int | None = MISSING
    loader_images: int = MISSING
    photographs: str | None = MISSING
    device: str = MISSING
    precision: str = MISSING
    seed: int = MISSING
    run_dir: str = MISSING
    data: Any = MISSING
    augmentation: Any = MISSING
    model: Any = MISSING
    loss: Any = MISSING
    optimizer: Any = MISSING
    peers: Any = field(default_factory=dict)  # PeerConfig by name; empty when no peer is chosen


def register_schemas() -> None:
    """Tells Hydra the resolvers and the schemas: it refuses a wrong key or type before anything is imported."""
    register_resolvers()
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig)
    store.store(name="evaluate_schema", node=EvaluateConfig)
    store.store(name="predict_schema", node=PredictConfig)
    store.store(name="export_schema", node=ExportConfig)
    store.store(name="compare_schema", node=CompareConfig)
    store.store(name="check_data_schema", node=CheckDataConfig)
    store.store(name="crossval_schema", node=CrossvalConfig)
    store.store(name="download_schema", node=DownloadConfig)
    store.store(name="benchmark_schema", node=BenchmarkConfig)
