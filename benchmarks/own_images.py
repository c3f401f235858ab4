"""One's own few images and the one-line command: what 20, 60, 200 and 1,000 photographs give, and what they take.

    python benchmarks/own_images.py --root ISIC2017 [--sizes 20 60 200 1000] [--draws 3] [--output logs/own_images]
    python benchmarks/own_images.py --root ISIC2017 --peer-python ENVIRONMENT/bin/python ...

For every size and draw, so many random pairs of the official training part become a folder as a stranger has it
(`lesion_000.jpg`, `lesion_000_mask.png`), and `python -m lesionseg.train data=folder data.root=...` runs on it as it
is. The best checkpoint is scored on the test part that the command has cut off, and on the official validation images
without ISIC_0012127, which is in the training part too. Minutes are those of the whole command.

With `--peer-python`, the interpreter of an environment with torch and segmentation-models-pytorch, SMP's U-Net
(resnet34) is trained on the same training part as its own introductory example trains: 256 x 256 pixels, no
augmentation, batches of 16, Dice loss, Adam at 2e-4 with a cosine to 1e-5, 10 epochs, the last weights. The weights are
random at first, as lesionseg's are: no network is at hand here that others have trained. `--peer-epochs` trains it
longer. Its masks are scored by the same code. Results that are in the output folder are not made again.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

IMAGES, MASKS = "ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"
OTHER_IMAGES, OTHER_MASKS = "ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"
IN_BOTH_PARTS = "ISIC_0012127"
PEER_SIZE = 256


def main() -> None:
    """Measures what is missing and prints the table of all."""
    arguments = _arguments()
    if arguments.train_peer is not None:
        train_peer(*arguments.train_peer, epochs=arguments.peer_epochs)
        return
    output = arguments.output.absolute()
    others = other_images(arguments.root, output / "others")
    for size in arguments.sizes:
        for draw in range(arguments.draws):
            folder = output / f"{size}_{draw}"
            draw_pairs(arguments.root, folder / "data", size=size, draw=draw)
            _once(folder / "lesionseg.json", lambda folder=folder: measure(folder, others))
            if arguments.peer_python is not None:
                name = f"smp_{arguments.peer_epochs}"
                _once(
                    folder / f"{name}.json",
                    lambda folder=folder, name=name: measure_peer(
                        folder, others, name, str(arguments.peer_python), arguments.peer_epochs
                    ),
                )
    table = as_table(output)
    (output / "own_images.md").write_text(table, encoding="utf-8")
    print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the official ISIC 2017 folders")
    parser.add_argument("--sizes", type=int, nargs="+", default=[20, 60, 200, 1000])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("logs/own_images"))
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--peer-epochs", type=int, default=10)
    parser.add_argument("--train-peer", type=Path, nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def _once(path: Path, measured: Any) -> None:
    if not path.is_file():
        path.write_text(json.dumps(measured(), indent=2) + "\n", encoding="utf-8")
    print(f"{path.parent.name} {path.stem}: {path.read_text(encoding='utf-8')}", flush=True)


def draw_pairs(root: Path, folder: Path, *, size: int, draw: int) -> None:
    """Copies random pairs of the official training part into one flat folder, under other names."""
    if folder.is_dir():
        return
    ids = sorted(path.stem for path in (root / IMAGES).glob("*.jpg"))
    folder.mkdir(parents=True)
    for number, id_ in enumerate(random.Random(10_000 * size + draw).sample(ids, size)):
        shutil.copy(root / IMAGES / f"{id_}.jpg", folder / f"lesion_{number:03d}.jpg")
        shutil.copy(root / MASKS / f"{id_}_segmentation.png", folder / f"lesion_{number:03d}_mask.png")


def other_images(root: Path, folder: Path) -> Path:
    """Copies the official validation images into `images` and `masks` below the folder."""
    if not folder.is_dir():
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
        for path in sorted((root / OTHER_IMAGES).glob("*.jpg")):
            if path.stem != IN_BOTH_PARTS:
                shutil.copy(path, folder / "images" / path.name)
                mask = root / OTHER_MASKS / f"{path.stem}_segmentation.png"
                shutil.copy(mask, folder / "masks" / f"{path.stem}.png")
    return folder


def measure(folder: Path, others: Path) -> dict[str, float]:
    """Runs the one-line command, and scores its checkpoint on the other images."""
    start = time.monotonic()
    _verb("train", "data=folder", f"data.root={folder / 'data'}", f"hydra.run.dir={folder / 'run'}")
    minutes = (time.monotonic() - start) / 60
    checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
    evaluated = folder / "run_on_others"
    _verb(
        "evaluate",
        f"checkpoint={checkpoint}",
        "data=folder",
        f"data.root={others}",
        "part=all",
        f"hydra.run.dir={evaluated}",
    )
    return {"minutes": minutes, "test": _dice(folder / "run"), "others": _dice(evaluated)}


def measure_peer(folder: Path, others: Path, name: str, python: str, epochs: int) -> dict[str, float]:
    """Trains SMP's U-Net on the same training images, and scores its masks of the same test and other images."""
    start = time.monotonic()
    words = ["--train-peer", str(folder), str(others), str(folder / name), "--peer-epochs", str(epochs)]
    subprocess.run([python, __file__, *words], check=True)
    minutes = (time.monotonic() - start) / 60
    scores = {}
    for part in ("test", "others"):
        predicted = folder / name / part
        evaluated = folder / name / f"{part}_scored"
        _verb(
            "evaluate",
            f"predictions={predicted / 'masks'}",
            f"truth={predicted / 'truth'}",
            f"hydra.run.dir={evaluated}",
        )
        scores[part] = _dice(evaluated)
    return {"minutes": minutes, **scores}


def _verb(name: str, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"lesionseg.{name}", *words], check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"lesionseg.{name} {' '.join(words)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _dice(folder: Path) -> float:
    return float(json.loads((folder / "summary.json").read_text(encoding="utf-8"))["metrics"]["dice"]["value"])


def train_peer(folder: Path, others: Path, output: Path, *, epochs: int) -> None:
    """Trains in the peer's own environment; nothing of lesionseg is imported."""
    import numpy as np
    import torch
    from PIL import Image

    smp = _segmentation_models()
    split = json.loads((folder / "run" / "split.json").read_text(encoding="utf-8"))["parts"]
    torch.manual_seed(0)
    network = smp.Unet("resnet34", encoder_weights=None, in_channels=3, classes=1)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def image(path: Path) -> torch.Tensor:
        pixels = np.asarray(Image.open(path).convert("RGB").resize((PEER_SIZE, PEER_SIZE)), np.float32) / 255
        return ((torch.from_numpy(pixels) - mean) / std).permute(2, 0, 1)

    def mask(path: Path) -> torch.Tensor:
        pixels = Image.open(path).convert("L").resize((PEER_SIZE, PEER_SIZE), Image.Resampling.NEAREST)
        return torch.from_numpy((np.asarray(pixels) > 128).astype(np.float32))[None]

    data = folder / "data"
    pairs = [(image(data / f"{id_}.jpg"), mask(data / f"{id_}_mask.png")) for id_ in split["train"]]
    loader = torch.utils.data.DataLoader(pairs, batch_size=16, shuffle=True)
    loss = smp.losses.DiceLoss(smp.losses.BINARY_MODE, from_logits=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs * len(loader), eta_min=1e-5)
    network.train()
    for _ in range(epochs):
        for images, masks in loader:
            optimizer.zero_grad()
            loss(network(images), masks).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    parts = {
        "test": [(data / f"{id_}.jpg", data / f"{id_}_mask.png") for id_ in split["test"]],
        "others": [(path, others / "masks" / f"{path.stem}.png") for path in sorted((others / "images").iterdir())],
    }
    for part, files in parts.items():
        for kind in ("masks", "truth"):
            (output / part / kind).mkdir(parents=True, exist_ok=True)
        for photograph, truth in files:
            with torch.inference_mode():
                probability = network(image(photograph)[None]).sigmoid()
            shape = Image.open(truth).size
            found = Image.fromarray(((probability[0, 0] > 0.5).numpy() * 255).astype(np.uint8))
            found.resize(shape, Image.Resampling.NEAREST).save(output / part / "masks" / f"{photograph.stem}.png")
            shutil.copy(truth, output / part / "truth" / f"{photograph.stem}.png")


def _segmentation_models() -> Any:
    """Imports SMP, also beside a torch that torchvision was not built for.

    PyPI's torchvision looks for its compiled operators, which SMP never calls: empty ones let it be imported.
    """
    try:
        import segmentation_models_pytorch
    except RuntimeError:
        import importlib.util
        import re

        import torch

        places = importlib.util.find_spec("torchvision").submodule_search_locations  # type: ignore[union-attr]
        source = Path(places[0], "_meta_registrations.py").read_text(encoding="utf-8")  # type: ignore[index]
        for name in dict.fromkeys(re.findall(r'register_meta\("(\w+)"|"torchvision::(\w+)"', source)):
            torch.library.define(f"torchvision::{name[0] or name[1]}", "() -> ()")
        for module in [name for name in sys.modules if name.startswith(("torchvision", "segmentation_models", "timm"))]:
            del sys.modules[module]
        import segmentation_models_pytorch
    return segmentation_models_pytorch


def as_table(output: Path) -> str:
    """Lays the results out: medians over the draws, with the lowest and the highest."""
    lines = [
        "| images | method | minutes | Dice, own test part | Dice, 149 other images | draws |",
        "|---|---|---|---|---|---|",
    ]
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    for path in output.glob("*_*/*.json"):
        size = int(path.parent.name.partition("_")[0])
        found.setdefault((size, path.stem), []).append(json.loads(path.read_text(encoding="utf-8")))
    for (size, name), results in sorted(found.items()):
        cells = [_spread([result[key] for result in results], digits) for key, digits in (("minutes", 1), ("test", 3))]
        cells.append(_spread([result["others"] for result in results], 3))
        lines.append(f"| {size} | {name} | {' | '.join(cells)} | {len(results)} |")
    return "\n".join(lines) + "\n"


def _spread(values: list[float], digits: int) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
