"""Whether the memory of a run grows with the data set: ISIC 2017 once, and ten times under ten paths.

    python benchmarks/loader_memory.py --root FOLDER [--size 256] [--times 10]

FOLDER holds ISIC 2017's official folders. Each size of set is a process of its own that does what a training does
before and between its steps: list, read into a disk cache, compare all images with all, split, and deliver one epoch of
augmented batches from two workers. Prints the peak of the private memory (anonymous resident pages) of the process and
its workers together: pages of the cache's files belong to the system and are shared by all runs.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def private_megabytes(pid: int) -> float:
    """Private memory of a process and all its children."""
    total = 0.0
    children = Path(f"/proc/{pid}/task").glob("*/children")
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        lines = [line for line in status.splitlines() if line.startswith("RssAnon")]
        total += sum(int(line.split()[1]) / 1000 for line in lines)
        for file in list(children):
            total += sum(private_megabytes(int(child)) for child in file.read_text().split())
    except OSError:  # it has just ended
        pass
    return total


def run(root: Path, size: int, times: int, folder: Path) -> None:
    """Does what a training does with its data, and prints the number of pairs and the seconds of it."""
    import hydra
    from hydra.utils import instantiate

    from lesionseg.config.schema import CONF, register_schemas
    from lesionseg.data.datamodule import LesionDataModule

    overrides = [
        "data=combined",
        "data.test.ph2=null",
        "data.train.isic2017=null",
        f"data.cache_dir={folder / 'cache'}",
    ]
    for number in range(times):
        link = folder / f"copy{number}"
        link.symlink_to(root.absolute())
        overrides += [f"+data@data.train.c{number}=isic2017", f"data.train.c{number}.root={link}"]
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", overrides=[*overrides, "data.leaks=allow"])
    start = time.perf_counter()
    data = LesionDataModule(
        instantiate(cfg.data),
        image_size=size,
        batch_size=16,
        num_workers=2,
        seed=0,
        augment=instantiate(cfg.augmentation),
    )
    data.setup("fit")
    prepared = time.perf_counter()
    count = sum(len(batch["id"]) for batch in data.train_dataloader())
    end = time.perf_counter()
    print(
        f"{len(data.cache.samples)} pairs: {prepared - start:.0f} s to prepare them, "
        f"{end - prepared:.0f} s for {count} augmented images"
    )


def peak(command: list[str]) -> float:
    """Runs a command and returns the peak of its private memory in megabytes, looked at 20 times a second."""
    process = subprocess.Popen(command)
    highest = 0.0

    def watch() -> None:
        nonlocal highest
        while process.poll() is None:
            highest = max(highest, private_megabytes(process.pid))
            time.sleep(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    watcher.join()
    return highest


def main() -> None:
    """Prints the peak for one copy and for several."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        run(options.root, options.size, options.times, options.inside)
        return
    peaks = []
    for times in (1, options.times):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [f"--root={options.root}", f"--size={options.size}", f"--times={times}", f"--inside={folder}"]
            peaks.append(peak([sys.executable, __file__, *arguments]))
        print(f"{times} x the set: at most {peaks[-1]:.0f} MB of private memory", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.2f}")


if __name__ == "__main__":
    main()
