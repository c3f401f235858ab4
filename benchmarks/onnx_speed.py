"""How much faster ONNX Runtime is than PyTorch on a CPU, with the same model in float32.

    python benchmarks/onnx_speed.py --checkpoint best.ckpt --images FOLDER [--threads 2] [--batch 8] [--rounds 9]

Exports the checkpoint to a temporary ONNX file, then runs both on batches of the photographs at the network's size, in
turn, so that both see the machine in the same state. Prints the milliseconds an image of each round, the median of the
rounds' ratios, and the share of mask pixels that differ over all photographs.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionseg.benchmarking.timing import Row, Work, measure, paired_ratio
from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.checkpoint.reading import read
from lesionseg.data.image_file import read_photograph, resize_image
from lesionseg.data.names import is_readable
from lesionseg.exporting.deployed import Deployed, collect_facts, exported
from lesionseg.exporting.onnx import OnnxEngine
from lesionseg.exporting.onnx_writing import write_onnx

Batch = NDArray[np.uint8]
Predict = Callable[[Batch], NDArray[np.float32]]
ONCE = 1e-9
"""Seconds of a round that one pass over all batches always exceeds."""


def open_both(checkpoint: Path, threads: int) -> tuple[CheckpointEngine, OnnxEngine]:
    """Opens the checkpoint with PyTorch, and what is exported from it with ONNX Runtime."""
    torch.set_num_threads(threads)
    eager = CheckpointEngine(checkpoint, device="cpu", precision="fp32")
    facts = collect_facts(
        read(checkpoint),
        checkpoint,
        postprocessing=eager.facts.postprocessing,
        precision="fp32",
        licence="",
        intended_use="benchmark",
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(exported(Deployed(eager.segmenter, eager.facts.image_size)), facts, path)
        return eager, OnnxEngine(path, device="cpu", threads=threads)


def read_batches(folder: Path, image_size: int, batch: int) -> list[Batch]:
    """Reads all photographs of a folder at the network's size, (B, S, S, 3) each; the last batch may be smaller."""
    paths = sorted(path for path in folder.iterdir() if is_readable(path))
    images = [resize_image(read_photograph(path, for_size=image_size).pixels, image_size) for path in paths]
    return [np.stack(images[start : start + batch]) for start in range(0, len(images), batch)]


def work(way: str, predict: Predict, batches: list[Batch]) -> Work:
    """Describes one pass over all batches."""
    return Work(Row("inference", way, "checkpoint", ""), sum(map(len, batches)), lambda: list(map(predict, batches)))


def differing_share(first: Predict, second: Predict, batches: list[Batch], threshold: float) -> float:
    """Returns the share of pixels that only one of the two takes for lesion, 0 to 1."""
    differing = [(first(batch) > threshold) != (second(batch) > threshold) for batch in batches]
    return float(np.concatenate(differing).mean())


def main() -> None:
    """Prints each round, the median ratio and the agreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    eager, onnx = open_both(options.checkpoint, options.threads)
    batches = read_batches(options.images, eager.facts.image_size, options.batch)
    works = [work("PyTorch", eager.probability, batches), work("ONNX Runtime", onnx.probability, batches)]
    torch_speed, onnx_speed = measure(works, rounds=options.rounds, seconds=ONCE)
    for number, pair in enumerate(zip(torch_speed.rates, onnx_speed.rates, strict=True), 1):
        first, second = (1000 / rate for rate in pair)
        print(
            f"round {number}: PyTorch {first:.2f} ms an image, ONNX Runtime {second:.2f} ms, {first / second:.2f} times"
        )
    size, threads = eager.facts.image_size, options.threads
    ratio = paired_ratio(onnx_speed.rates, torch_speed.rates)
    print(f"median {ratio:.2f} times as fast at {size} x {size} pixels with {threads} threads")
    share = differing_share(eager.probability, onnx.probability, batches, eager.facts.threshold)
    print(f"{share:.4%} of mask pixels differ, over {sum(map(len, batches))} photographs")


if __name__ == "__main__":
    main()
