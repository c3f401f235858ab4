"""The configuration's folder, and the closed schema of each verb's root.

A schema has every key that the verb's YAML file and the command line may set; values and units are explained there.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

from lesionseg.system.run_folder import register_resolvers

PACKAGE = Path(__file__).parents[1]
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""An installed wheel carries `conf` inside the package; in a checkout or an editable install it stands beside it."""


@dataclass(kw_only=True)
class TrainConfig:
    """Keys of `conf/train.yaml`."""

    name: str
    seed: int
    image_size: int
    batch_size: int | str
    min_train_batches: int
    num_workers: int | None
    compile: bool
    monitor: str
    monitor_mode: str
    run_dir: str
    resume: str | None
    data: Any
    augmentation: Any
    model: Any
    segmenter: Any
    postprocessing: Any
    loss: Any
    metrics: Any
    optimizer: Any
    scheduler: Any
    callbacks: Any
    logger: Any = field(default_factory=dict)
    trainer: Any
    evaluation: Any


@dataclass(kw_only=True)
class EvaluateConfig:
    """Keys of `conf/evaluate.yaml`."""

    checkpoint: str | None
    predictions: str | None
    truth: str | None
    images: str | None
    prediction_suffix: str | None
    truth_suffix: str | None
    prediction_above: int
    truth_above: int
    name: str | None
    part: str
    postprocessing: str
    batch_size: int
    num_workers: int | None
    run_dir: str
    data: Any = None
    metrics: Any
    callbacks: Any = field(default_factory=dict)
    logger: Any = field(default_factory=dict)
    trainer: Any
    evaluation: Any


@dataclass(kw_only=True)
class PredictConfig:
    """Keys of `conf/predict.yaml`."""

    checkpoint: str
    input: str
    output: str
    suffix: str
    probabilities: str | None
    overlays: str | None
    overwrite: bool
    review: str
    review_below: float
    device: str
    precision: str


@dataclass(kw_only=True)
class ExportConfig:
    """Keys of `conf/export.yaml`."""

    checkpoint: str
    format: str
    output: str | None
    overwrite: bool
    images: str | None
    compare_images: int
    tolerance: float
    fp16: bool
    int8: bool
    calibration_images: int
    int8_tolerance: float
    licence: str
    intended_use: str
    data: Any = None


@dataclass(kw_only=True)
class CompareConfig:
    """Keys of `conf/compare.yaml`."""

    runs: list[str]
    metric: str
    metrics: list[str]
    resamples: int
    seed: int
    run_dir: str


@dataclass(kw_only=True)
class CrossvalConfig:
    """Keys of `conf/crossval.yaml`."""

    folds: int | None
    seeds: list[int] | None
    checkpoints: list[str] | None
    training: list[str]
    jobs: int | None
    metric: str
    columns: list[str]
    masks: bool
    ensemble: bool
    run_dir: str
    resume: str | None


@dataclass(kw_only=True)
class DownloadConfig:
    """Keys of `conf/download.yaml`."""

    server: str
    keep_archives: bool
    timeout: float
    data: Any


@dataclass(kw_only=True)
class CheckDataConfig:
    """Keys of `conf/check_data.yaml`."""

    fix: str | None
    image_size: int
    run_dir: str
    data: Any


@dataclass(kw_only=True)
class PeerConfig:
    """Another network that `lesionseg.benchmark` measures beside lesionseg's own.

    Attributes:
        network: Node of an `nn.Module` that maps an image (B, 3, H, W) to logits (B, 1, H, W).
        precision: `auto` (the fastest that the device has), `fp32`, `bf16` or `fp16`.
        channels_last: Memory layout of weights and images; faster nearly everywhere.
        stride: Images are padded to multiples of it, in pixels.
    """

    network: Any
    precision: str = "auto"
    channels_last: bool = True
    stride: int = 32


@dataclass(kw_only=True)
class BenchmarkConfig:
    """Keys of `conf/benchmark.yaml`."""

    name: str
    checkpoint: str | None
    measure: list[str]
    runtimes: list[str]
    rounds: int
    seconds: float
    image_size: int | None
    batch_size: int
    inference_batch_size: int
    num_workers: int | None
    loader_images: int
    photographs: str | None
    device: str
    precision: str
    seed: int
    run_dir: str
    data: Any
    augmentation: Any
    model: Any
    loss: Any
    optimizer: Any
    peers: Any = field(default_factory=dict)  # PeerConfig by name


SCHEMAS = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "predict": PredictConfig,
    "export": ExportConfig,
    "compare": CompareConfig,
    "check_data": CheckDataConfig,
    "crossval": CrossvalConfig,
    "download": DownloadConfig,
    "benchmark": BenchmarkConfig,
}


def register_schemas() -> None:
    """Registers resolvers and schemas, by which Hydra refuses a wrong key or type before anything is imported."""
    register_resolvers()
    for verb, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=f"{verb}_schema", node=schema)
