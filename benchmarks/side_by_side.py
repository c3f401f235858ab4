"""Same data, same minutes, same image size: `isic2017_fast` against other networks, and against a classic U-Net's cost.

    python benchmarks/side_by_side.py --root ISIC2017 [--minutes 10] [--only NAME ...] [--output logs/side_by_side]
    python benchmarks/side_by_side.py --speed [--rounds 15] [--output logs/side_by_side]
    python benchmarks/side_by_side.py --draw [--output logs/side_by_side]

The first call trains each network in a process of its own, one after another, and then draws table and picture of all
results in the output folder; with `--only` it can be done in pieces, and `--draw` only draws. The peers need
segmentation-models-pytorch and monai beside lesionseg.

`isic2017_fast` is trained as its recipe says, read from conf/experiment; shares of its epochs are shares of the
minutes.
Every peer, with random weights, has the same engine and the same recipe (cached and augmented images, batch, loss,
optimizer and schedule, clipping, moving average of the weights, bf16, channels last) at the recipe's size throughout,
so that the network is what differs; `--peer-rate` tries another learning rate for them. The clock counts training and
waiting for data, not start-up and evaluation. Scored are the averaged weights on the official validation images without
ISIC_0012127, which is in the training part too: mean Dice coefficient and Jaccard index over images at the files' own
size, as the ISIC scorer computes them.

`--speed` compares the networks alone (batch 8, at the size of the recipe) and the memory of a training step (batch 16)
with those of a classic 32-channel U-Net as a plain script runs it: float32, channels first.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from matplotlib.figure import Figure
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from lesionseg.benchmarking.inference import network_alone
from lesionseg.benchmarking.subject import SubjectSettings, build_subject
from lesionseg.benchmarking.timing import measure
from lesionseg.benchmarking.training import TrainingSettings, peak_memory
from lesionseg.config.build import TrainingLength, build
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.datamodule import LesionDataModule
from lesionseg.data.loader import Batch
from lesionseg.metrics.definitions import standard_formulas
from lesionseg.metrics.formula import image_scores
from lesionseg.metrics.image_scores import count
from lesionseg.model.segmenter import Segmenter
from lesionseg.system.device import describe_device, fastest_precision, limit_threads
from lesionseg.training.ema import Ema
from lesionseg.training.optimizer import parameter_groups, random_batch
from lesionseg.training.progressive_size import shrink

OWN = "isic2017_fast"
IN_BOTH_PARTS = "ISIC_0012127"
"""A validation image whose picture is in the training part (as ISIC_0012970)."""
SHARES = [number / 40 for number in range(1, 17)] + [0.5, 0.6, 0.7, 0.8, 0.9]
"""Of the minutes, after which is evaluated, finely at first; and at the end."""
TICKS = 100_000
"""In so many steps is the schedule cut, which then follows the clock."""
CPU = torch.device("cpu")


def smp_unet(encoder: str) -> nn.Module:
    """U-Net of segmentation-models-pytorch, from random weights."""
    import segmentation_models_pytorch

    network: nn.Module = segmentation_models_pytorch.Unet(encoder, encoder_weights=None, in_channels=3, classes=1)
    network.stride = 32  # type: ignore[assignment]
    return network


def monai_basic_unet() -> nn.Module:
    """MONAI's BasicUNet as it comes, in two dimensions."""
    from monai.networks.nets import BasicUNet

    network: nn.Module = BasicUNet(spatial_dims=2, in_channels=3, out_channels=1)
    network.stride = 16  # type: ignore[assignment]
    return network


def classic_unet() -> nn.Module:
    """The U-Net of conf/peers/classic_unet.yaml."""
    network: nn.Module = build("classic_unet", classic_node())
    return network


NETWORKS: dict[str, Callable[[DictConfig], nn.Module]] = {
    OWN: lambda cfg: build("model", cfg.model),
    "SMP Unet resnet18": lambda cfg: smp_unet("resnet18"),
    "SMP Unet resnet34": lambda cfg: smp_unet("resnet34"),
    "MONAI BasicUNet": lambda cfg: monai_basic_unet(),
    "classic U-Net 32": lambda cfg: classic_unet(),
}


def composed(name: str, overrides: Sequence[str]) -> DictConfig:
    """Composes a verb's configuration."""
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides=[*overrides, "run_dir=unset"])


def classic_node() -> DictConfig:
    """The classic U-Net's settings, from where `lesionseg.benchmark` has them too."""
    node: DictConfig = composed("benchmark", ["peers=[classic_unet]", "name=unused"]).peers.classic_unet.network
    return node


class Clock:
    """Counts the seconds since it was made, but for those that it is told to forget."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start

    def forget(self, call: Callable[[], Any]) -> Any:
        """Calls something for which the clock stands still."""
        start = time.perf_counter()
        result = call()
        self._start += time.perf_counter() - start
        return result


class Training:
    """A training by the recipe whose schedule follows the clock.

    Args:
        cfg: The recipe.
        network: What is trained, with a `stride`.
        rate: The highest learning rate.
        minutes: Length.
        is_own: Whether the recipe's progressive size belongs to it.
    """

    def __init__(self, cfg: DictConfig, network: nn.Module, *, rate: float, minutes: float, is_own: bool) -> None:
        self.cfg, self.total = cfg, minutes * 60
        settings: Any = OmegaConf.to_container(cfg.segmenter, resolve=True)
        self.segmenter = Segmenter(network, **settings).to(memory_format=torch.channels_last)
        self.loss = build("loss", cfg.loss)
        self.optimizer = build("optimizer", cfg.optimizer)(parameter_groups(self.segmenter))
        self.rate, self.factor = rate, self._schedule()
        average = Ema(decay=cfg.callbacks.ema.decay)
        self.averaged = AveragedModel(self.segmenter, use_buffers=True, multi_avg_fn=average._average)
        self.small = cfg.callbacks.get("progressive_size") if is_own else None

    def _schedule(self) -> Callable[[int], float]:
        """Takes the recipe's factor of the learning rate at each of the ticks."""
        length = TrainingLength(TICKS, round(TICKS / self.cfg.trainer.max_epochs))
        scheduler = build("scheduler", self.cfg.scheduler)(self.optimizer, length)[0]["scheduler"]
        if not isinstance(scheduler, LambdaLR):
            raise SystemExit(f"the recipe's scheduler is {self.cfg.scheduler._target_}; allowed: one of a fixed length")
        factor: Callable[[int], float] = scheduler.lr_lambdas[0]
        return factor

    def step(self, batch: Batch, share: float) -> None:
        """Trains on a batch when this share of the minutes is over."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self.factor(int(share * TICKS))
        image, mask = self._sized(batch["image"], batch["mask"], share)
        with autocast():
            loss = self.loss(self.segmenter(image), mask)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.segmenter.parameters(), self.cfg.trainer.gradient_clip_val)
        self.optimizer.step()
        self.averaged.update_parameters(self.segmenter)

    def _sized(self, image: Tensor, mask: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Shrinks a batch as `ProgressiveSize` does."""
        if self.small is None or share >= self.small.share or image.shape[-1] <= self.small.size:
            return image, mask
        return shrink(image, self.small.size), (shrink(mask * 255, self.small.size) > 127).to(torch.uint8)


class Validation:
    """The validation images with their masks at their own size.

    Args:
        data: Set up for fitting.
        batch_size: Images.
    """

    def __init__(self, data: LesionDataModule, batch_size: int) -> None:
        dataset, samples = data.dataset("validation"), data.cache.samples
        kept = [index for index, row in enumerate(dataset.rows) if samples[row].id != IN_BOTH_PARTS]
        images = torch.from_numpy(np.stack([dataset[index, 0]["image"] for index in kept]))  # (N, H, W, 3)
        self.batches = images.permute(0, 3, 1, 2).split(batch_size)
        self.targets = [samples[dataset.rows[index]].mask() for index in kept]

    @torch.inference_mode()
    def scores(self, segmenter: nn.Module) -> dict[str, float]:
        """Mean Dice coefficient and Jaccard index over the images."""
        segmenter.eval()
        probabilities = []
        for batch in self.batches:
            with autocast():
                probabilities += list(torch.sigmoid(segmenter(batch)))
        scores = [self._score(*pair) for pair in zip(probabilities, self.targets, strict=True)]
        return {name: statistics.fmean(score[name] for score in scores) for name in ("dice", "jaccard")}

    @staticmethod
    def _score(probability: Tensor, target: Any) -> dict[str, float]:
        full_size = functional.interpolate(probability[None], size=target.shape, mode="bilinear")[0, 0]
        return image_scores(standard_formulas(), count((full_size > 0.5).to(torch.uint8).numpy(), target))


def autocast() -> AbstractContextManager[Any]:
    """The number format of all networks."""
    return torch.autocast("cpu", torch.bfloat16, enabled=fastest_precision("cpu") == "bf16-mixed", cache_enabled=False)


def endless(data: LesionDataModule) -> Iterator[Batch]:
    """Yields training batches, epoch after epoch."""
    loader: Any = data.train_dataloader()
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        yield from loader
        epoch += 1


def train(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Trains one network and returns all that is known of it."""
    cfg = composed("train", [f"experiment={OWN}", f"data.root={options.root.absolute()}", f"seed={options.seed}"])
    limit_threads()
    data = LesionDataModule(
        build("data", cfg.data),
        image_size=cfg.image_size,
        batch_size=cfg.batch_size,
        num_workers=cfg.num_workers,
        seed=cfg.seed,
        augment=build("augmentation", cfg.augmentation),
    )
    data.setup("fit")
    torch.manual_seed(options.seed)
    rate = cfg.optimizer.lr if name == OWN or options.peer_rate is None else options.peer_rate
    training = Training(cfg, NETWORKS[name](cfg), rate=rate, minutes=options.minutes, is_own=name == OWN)
    curve, steps, epochs = run(training, data, Validation(data, cfg.batch_size))
    return {
        "name": name,
        "seed": options.seed,
        "minutes": options.minutes,
        "image_size": cfg.image_size,
        "batch_size": cfg.batch_size,
        "learning_rate": rate,
        "parameters": sum(parameter.numel() for parameter in training.segmenter.parameters()),
        "steps": steps,
        "epochs": epochs,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "machine": describe_device(CPU, fastest_precision("cpu")),
        "torch": torch.__version__,
        "curve": curve,
    }


def run(
    training: Training, data: LesionDataModule, validation: Validation
) -> tuple[list[dict[str, float]], int, float]:
    """Trains until the time is over; returns the curve, the number of steps and that of epochs."""
    curve: list[dict[str, float]] = []
    waiting, steps = list(SHARES), 0

    def evaluate(seconds: float) -> None:
        curve.append({"seconds": seconds, **validation.scores(training.averaged.module)})
        print(f"  {seconds:6.1f} s   Dice {curve[-1]['dice']:.4f}   Jaccard {curve[-1]['jaccard']:.4f}", flush=True)

    training.segmenter.train()
    batches = endless(data)
    first = next(batches)  # worker processes have started
    clock = Clock()
    for batch in chain([first], batches):
        if (share := clock.seconds() / training.total) >= 1:
            break
        training.step(batch, share)
        steps += 1
        if waiting and (seconds := clock.seconds()) >= waiting[0] * training.total:
            waiting = [later for later in waiting if later * training.total > seconds]
            clock.forget(lambda seconds=seconds: evaluate(seconds))
    evaluate(clock.seconds())
    per_epoch = len(data.dataset("train")) // data.batch_size
    return curve, steps, steps / per_epoch


def compare_speed(options: argparse.Namespace) -> dict[str, Any]:
    """Times both networks in turns and measures the memory of a training step, each in a process of its own."""
    limit_threads()
    cfg = composed("train", [f"experiment={OWN}"])
    fast_precision = {"bf16-mixed": "bf16"}.get(fastest_precision("cpu"), "fp32")
    own = settings(OWN, OmegaConf.to_container(cfg.model, resolve=True), fast_precision, channels_last=True)
    classic_network = OmegaConf.to_container(classic_node(), resolve=True)
    classic = settings("classic U-Net 32, plain", classic_network, "fp32", channels_last=False)
    engine = settings("classic U-Net 32, this engine", classic_network, fast_precision, channels_last=True)
    found = rates([own, classic, engine], size=cfg.image_size, rounds=options.rounds)
    memory = {subject.name: step_memory(subject, cfg) for subject in (own, classic, engine)}
    return {
        "image_size": cfg.image_size,
        "machine": describe_device(CPU, fastest_precision("cpu")),
        "images_per_second": {name: statistics.median(values) for name, values in found.items()},
        "times_as_fast_as_plain": ratios(found[own.name], found[classic.name]),
        "step_memory_mb": memory,
        "share_of_plain_memory": memory[own.name] / memory[classic.name],
    }


def settings(name: str, network: Any, precision: str, *, channels_last: bool) -> SubjectSettings:
    """Describes a network for the harness of `lesionseg.benchmark`."""
    return SubjectSettings(
        name=name,
        node="network",
        network=network,
        checkpoint=None,
        precision=precision,
        channels_last=channels_last,
        stride=None,
        device="cpu",
    )


def rates(subjects: Sequence[SubjectSettings], *, size: int, rounds: int) -> dict[str, Sequence[float]]:
    """Images a second of each network alone in each round, for a batch of 8."""
    works = [network_alone(build_subject(subject), random_batch(8, size)[0]) for subject in subjects]
    return {speed.row.subject: speed.rates for speed in measure(works, rounds=rounds, seconds=0.5)}


def ratios(fast: Sequence[float], slow: Sequence[float]) -> dict[str, float]:
    """Median and extremes of the rounds' ratios."""
    values = [first / second for first, second in zip(fast, slow, strict=True)]
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def step_memory(subject: SubjectSettings, cfg: DictConfig) -> float:
    """Peak memory of a training step at batch 16 in MB, above what the libraries take."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    step = TrainingSettings(subject, plain["loss"], plain["optimizer"], batch_size=16, image_size=cfg.image_size)
    return peak_memory(step) / 1e6


def draw(folder: Path) -> None:
    """Writes results.json, results.md and results.png of all results in the folder, and prints the table."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("subject_*.json"))]
    results.sort(key=lambda result: list(NETWORKS).index(result["name"]))
    text = "\n\n".join(filter(None, [training_table(results), speed_table(folder / "speed.json")]))
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "results.md").write_text(text + "\n")
    if results:
        picture(results).savefig(folder / "results.png", dpi=150)
    print(text)


def training_table(results: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, and how soon the own network is as good as the best peer at its end."""
    if not results:
        return ""
    lines = [
        "| network | parameters | Dice | Jaccard | steps | epochs | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {result['name']} | {result['parameters'] / 1e6:.2f} M | {result['curve'][-1]['dice']:.4f} "
        f"| {result['curve'][-1]['jaccard']:.4f} | {result['steps']} | {result['epochs']:.1f} "
        f"| {result['peak_memory_mb']:.0f} MB |"
        for result in results
    ]
    first = results[0]
    lines += ["", f"{first['minutes']:g} minutes each at {first['image_size']} pixels, seed {first['seed']}, on "]
    lines[-1] += f"{first['machine']}, PyTorch {first['torch']}."
    return "\n".join([*lines, *reached(results)])


def reached(results: Sequence[dict[str, Any]]) -> list[str]:
    """Says when the own network was first evaluated to be as good as the best peer's final Dice coefficient."""
    own = [result for result in results if result["name"] == OWN]
    peers = [result for result in results if result["name"] != OWN]
    if not own or not peers:
        return []
    best = max(peers, key=lambda result: float(result["curve"][-1]["dice"]))
    target = best["curve"][-1]["dice"]
    seconds = min((at["seconds"] for at in own[0]["curve"] if at["dice"] >= target), default=math.inf)
    share = seconds / (60 * own[0]["minutes"])
    when = f"after {seconds:.0f} s, {share:.1%} of the time" if share < math.inf else "never"
    return [f"The best peer ends at Dice {target:.4f} ({best['name']}); {OWN} reaches that {when}."]


def speed_table(path: Path) -> str:
    """A Markdown table of `--speed`'s results, if there are any."""
    if not path.is_file():
        return ""
    found = json.loads(path.read_text())
    ratio = found["times_as_fast_as_plain"]
    lines = ["| network | images a second, batch 8 | memory of a training step, batch 16 |", "|---|---|---|"]
    lines += [
        f"| {name} | {speed:.1f} | {found['step_memory_mb'][name]:.0f} MB |"
        for name, speed in found["images_per_second"].items()
    ]
    lines += [
        "",
        f"At {found['image_size']} pixels on {found['machine']}: {ratio['median']:.1f} times as fast as the plain "
        f"classic U-Net ({ratio['smallest']:.1f} to {ratio['largest']:.1f}), with {found['share_of_plain_memory']:.1%} "
        "of its memory.",
    ]
    return "\n".join(lines)


def picture(results: Sequence[dict[str, Any]]) -> Figure:
    """Draws the Dice coefficient against the minutes of training."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for result in results:
        minutes = [point["seconds"] / 60 for point in result["curve"]]
        dice = [point["dice"] for point in result["curve"]]
        width = 2.5 if result["name"] == OWN else 1.2
        axes.plot(minutes, dice, marker=".", linewidth=width, label=f"{result['name']}, {dice[-1]:.3f}")
    axes.set(xlabel="minutes of training", ylabel="mean Dice coefficient, 149 validation images")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0.5)  # below are the first seconds alone
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def train_all(options: argparse.Namespace) -> None:
    """Trains each network in a process of its own, one after another."""
    for name in options.only or NETWORKS:
        print(name, flush=True)
        command = [sys.executable, __file__, "--subject", name, "--root", str(options.root)]
        command += ["--minutes", str(options.minutes), "--seed", str(options.seed), "--output", str(options.output)]
        command += [] if options.peer_rate is None else ["--peer-rate", str(options.peer_rate)]
        subprocess.run(command, check=True)


def main() -> None:
    """Trains, measures or only draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the ISIC 2017 data")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="+", choices=list(NETWORKS), metavar="NAME", help=", ".join(NETWORKS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer-rate", type=float, help="highest learning rate of the peers, if not the recipe's")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("logs/side_by_side"))
    parser.add_argument("--subject", choices=list(NETWORKS), help=argparse.SUPPRESS)  # in its own process
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if not (options.root or options.speed or options.draw):
        parser.error("give --root, --speed or --draw")
    if options.subject:
        path = options.output / f"subject_{options.subject.replace(' ', '_')}.json"
        path.write_text(json.dumps(train(options.subject, options), indent=2) + "\n")
        return
    if options.speed:
        (options.output / "speed.json").write_text(json.dumps(compare_speed(options), indent=2) + "\n")
    elif not options.draw:
        train_all(options)
    draw(options.output)


if __name__ == "__main__":
    main()
