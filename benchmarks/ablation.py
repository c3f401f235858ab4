"""What each part of the network and of the recipe is worth: one change at a time, trained alike, compared in pairs.

    python benchmarks/ablation.py --root ISIC2017 [--folder ablation] [--epochs 16] [--image-size 128] [--only NAME ...]

Every variant is `experiment=isic2017_fast` with a few overrides, trained for the same epochs at the same size from the
same seed on four fifths of the official training and validation images, and scored on the remaining fifth (a fold, so
that three times as many images judge as in the official validation part; no test image is touched). The table has each
variant's mean Jaccard index, its difference from the first variant with a 95 % paired interval over the
images, its parameters, its multiply-adds and the time of a training step, measured in turns.

Variants already in the folder are not trained again, so that the work can be done in pieces.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lesionseg.config.build import build
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.evaluation.statistics import Difference, paired_differences
from lesionseg.study.scored_run import Run, read_run
from lesionseg.system.device import fastest_precision, limit_threads

STEPS = ("flip_and_turn", "shift_scale_rotate", "colour")
"""Of augmentation, in the recipe."""
VARIANTS: dict[str, list[str]] = {
    "as it is": [],
    "residual blocks": ["model.block=residual"],
    "inverted blocks, kernel 7": ["model.block=inverted"],
    "inverted blocks, kernel 7, two a stage": ["model.block=inverted", "model.blocks_per_stage=2"],
    "two blocks a stage": ["model.blocks_per_stage=2"],
    "skips added": ["model.skip=add"],
    "skips gated": ["model.skip=gated"],
    "with context": ["model.context=true"],
    "without colour constancy": ["model.colour_constancy=false"],
    "48 channels": ["model.base_channels=48", "model.max_channels=384", "model.decoder_max_channels=96"],
    "24 channels": ["model.base_channels=24", "model.max_channels=192", "model.decoder_max_channels=48"],
    "one level less": ["model.depth=2"],
    "stem of stride 2": ["model.stem_stride=2", "model.base_channels=16", "model.depth=4"],
    "group normalisation": ["model.normalisation=group"],
    "silu": ["model.activation=silu"],
    "160 pixels, as long": ["image_size=160", "trainer.max_epochs=11"],
    "192 pixels, as long": ["image_size=192", "trainer.max_epochs=8"],
    "batches of 32": ["batch_size=32"],
    "batches of 8": ["batch_size=8"],
    "without moving average": ["callbacks.ema=null"],
    "without augmentation": [f"augmentation.steps.{step}=null" for step in STEPS],
    "strong augmentation": ["augmentation=strong"],
    "only cross-entropy": ["loss=bce"],
    "only Dice": ["loss=dice"],
    "cross-entropy and Lovász": ["loss=[bce,lovasz]"],
}


def overrides(arguments: argparse.Namespace, variant: str) -> list[str]:
    """Returns the command line of a variant's training."""
    recipe = ["experiment=isic2017_fast", f"data.root={arguments.root}", "data.fold=0"]
    return [*recipe, *lengths(arguments), *VARIANTS[variant]]


def lengths(arguments: argparse.Namespace) -> list[str]:
    """Returns what all variants share: size, epochs, the threshold as it is, and an average that fits so few steps."""
    average = [] if arguments.epochs >= 30 else ["callbacks.ema.decay=0.995"]
    fixed = ["trainer.check_val_every_n_epoch=1", "postprocessing.fit=false"]
    return [f"image_size={arguments.image_size}", f"trainer.max_epochs={arguments.epochs}", *fixed, *average]


def trained(arguments: argparse.Namespace, variant: str) -> Run:
    """Trains and scores a variant, unless that has been done."""
    folder = arguments.folder.absolute() / variant.replace(" ", "_").replace(",", "")
    if not (folder / "scores" / "per_image.csv").exists():
        run("train", *overrides(arguments, variant), f"hydra.run.dir={folder}")
        checkpoint = f"checkpoint='{folder}/checkpoints/best.ckpt'"
        run("evaluate", checkpoint, "part=validation", "evaluation.picture_size=0", f"hydra.run.dir={folder}/scores")
    return read_run(folder / "scores")


def run(verb: str, *words: str) -> None:
    """Runs a verb in its own process."""
    subprocess.run([sys.executable, "-m", f"lesionseg.{verb}", *words], check=True)


def composed(arguments: argparse.Namespace, variant: str) -> DictConfig:
    """Composes a variant's configuration."""
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", overrides(arguments, variant))


def costs(network: nn.Module, image_size: int) -> tuple[int, float]:
    """Counts a network's parameters and the multiply-adds of one image, in 10^9."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, image_size, image_size))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2e9


def step_seconds(network: nn.Module, batch: torch.Tensor) -> float:
    """Times one forward and backward pass in the fastest precision."""
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=fastest_precision("cpu") == "bf16-mixed")
    start = time.perf_counter()
    with autocast:
        loss = network.train()(batch).float().square().mean()
    loss.backward()
    return time.perf_counter() - start


def relative_steps(networks: Mapping[str, nn.Module], *, sizes: Mapping[str, int], rounds: int) -> dict[str, float]:
    """Returns the median over rounds of each network's time for 16 images, as a multiple of the first one's."""
    batches = {name: torch.randn(16, 3, size, size) for name, size in sizes.items()}
    batches = {name: batch.contiguous(memory_format=torch.channels_last) for name, batch in batches.items()}
    for name, network in networks.items():
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own types lack it
        step_seconds(network, batches[name])
    times = [[step_seconds(network, batches[name]) for name, network in networks.items()] for _ in range(rounds)]
    ratios = [[seconds / each[0] for seconds in each] for each in times]
    return dict(zip(networks, map(statistics.median, zip(*ratios, strict=True)), strict=True))


def worded(difference: Difference) -> str:
    """Words a difference and its interval in points, for example `-0.4 (-1.1 to +0.2)`."""
    numbers = (difference.mean, difference.low, difference.high)
    mean, low, high = ("?" if number is None else f"{100 * number:+.1f}" for number in numbers)
    return f"{mean} ({low} to {high})"


def row(name: str, run: Run, first: Run, network: nn.Module, image_size: int, step: float) -> str:
    """Words a variant's row of the table."""
    parameters, multiply_adds = costs(network, image_size)
    jaccard, reference = (each.of("jaccard") for each in (run, first))
    change = "" if run is first else worded(paired_differences([(jaccard, reference)], resamples=5000, seed=0)[0])
    cells = [name, f"{100 * jaccard.mean():.1f}", change, f"{parameters:,}", f"{multiply_adds:.2f}", f"{step:.2f}"]
    return "| " + " | ".join(cells) + " |"


def table(arguments: argparse.Namespace, names: Sequence[str]) -> list[str]:
    """Trains what is missing and words the table."""
    runs = {name: trained(arguments, name) for name in names}
    networks = {name: build("model", composed(arguments, name).model) for name in names}
    sizes = {name: composed(arguments, name).image_size for name in names}
    steps = relative_steps(networks, sizes=sizes, rounds=arguments.rounds)
    first = runs[names[0]]
    head = [
        "| variant | Jaccard, % | difference, points | parameters | 10^9 multiply-adds | time of a step |",
        "|---|---|---|---|---|---|",
    ]
    return head + [row(name, runs[name], first, networks[name], sizes[name], steps[name]) for name in names]


def main() -> None:
    """Trains the chosen variants and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=Path("ablation"))
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    arguments = parser.parse_args()
    arguments.root = arguments.root.absolute()
    limit_threads()
    names = list(dict.fromkeys([next(iter(VARIANTS)), *arguments.only]))
    print("\n".join(table(arguments, names)))


if __name__ == "__main__":
    main()
