"""What is lost, or silently other, when things break: faults by the hundred, and what they leave.

    python benchmarks/faults.py [--faults 200] [--seed 0]

Kills trainings, sweeps and the filling of image caches at random moments, fills the disk under a training (a tmpfs of a
few megabytes; for root alone), and flips bits in checkpoints, settings and caches. After each fault the same work is
started again until it ends, and its weights, training state, logged numbers and results are compared bit by bit with
those of work that nothing happened to. Reported are

    lost       work that did not end, or a result that is not there
    silent     work that ended with another result, or went on from damaged files, without a word

Each process is forked from one that has imported everything, so that a fault takes a second or two.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import lesionseg.train
import lesionseg.training.run  # what a training imports late
from lesionseg.checkpoint.reading import read
from lesionseg.data.cache import DiskCache
from lesionseg.data.pairing import pair_folders
from lesionseg.data.synthetic_image import draw_dermoscopy

TRAINING = ["data=folder", "data.leaks=allow", "data.split=hold_out", "trainer=cpu", "trainer.precision=32-true"]
TRAINING += ["model=unet_small", "model.base_channels=4", "model.dropout=0.1", "image_size=64", "batch_size=4"]
TRAINING += ["num_workers=0", "trainer.max_epochs=4", "scheduler.patience=0", "evaluation.resamples=100"]
TRAINING += ["evaluation.picture_size=0", "callbacks.sample_masks=null", "callbacks.model_summary=null", "logger=csv"]
SWEEP = ["-m", *TRAINING, "trainer.max_epochs=1", "optimizer.lr=0.001,0.002,0.004", "seed=0,1,2,3"]
SWEEP += ["postprocessing.fit=false"]
JOBS = 12
RESULTS = ("metrics.json", "csv/metrics.csv", "decision.json", "per_image.csv", "split.json")
STATE = ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "lr_schedulers", "epoch")


class Trials:
    """Counts faults by kind, and what they cost."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.lost: list[str] = []
        self.silent: list[str] = []
        self._number = 0

    def new_folder(self, kind: str) -> Path:
        """Makes a folder for a piece of work."""
        self._number += 1
        made = self.folder / f"{kind}_{self._number}"
        made.mkdir()
        return made

    def judge(self, what: str, found: Any, expected: Any) -> None:
        """Compares what work has left with what it should have."""
        if found is None:
            self.lost.append(what)
        elif found != expected:
            self.silent.append(f"{what}: {differing(found, expected)}")
        verdict = "lost" if found is None else "as it should be" if found == expected else "DIFFERS"
        print(f"{what}: {verdict}", flush=True)


def differing(found: Any, expected: Any) -> str:
    """Names the files of two digests that differ."""
    if not isinstance(found, dict) or not isinstance(expected, dict):
        return "its content"
    return ", ".join(sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)))


def forked(work: Callable[[], Any], log: Path, kill_after: float | None = None) -> int:
    """Does work in a process of its own, killed after so many seconds; returns its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        os.setsid()
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(ended(work))
    deadline = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            deadline = None
        time.sleep(0.005)


def ended(work: Callable[[], Any]) -> int:
    """Does work and turns how it ends into an exit code, as Python does."""
    try:
        work()
    except SystemExit as error:
        sys.stderr.flush()
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def train(folder: Path, words: Sequence[str], kill_after: float | None = None) -> int:
    """Runs `lesionseg.train` in a folder."""

    def work() -> None:
        os.chdir(folder)
        sys.argv = ["lesionseg.train", *words]
        lesionseg.train.main()

    return forked(work, folder / "log.txt", kill_after)


def digest(run: Path) -> dict[str, str] | None:
    """Condenses what a training has left; None where it has not ended."""
    files = [run / name for name in RESULTS if name != "decision.json" or (run / name).exists()]
    if not all(file.is_file() for file in files):
        return None
    found = {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    for name in ("best", "last"):
        checkpoint = read(run / "checkpoints" / f"{name}.ckpt")
        found |= {f"{name}.ckpt/{key}": condensed(checkpoint[key]) for key in STATE}
    return found


def condensed(value: Any) -> str:
    """Hashes nested plain values and tensors, bit by bit."""
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
    if isinstance(value, dict):
        value = [(key, condensed(each)) for key, each in value.items()]
    elif isinstance(value, list | tuple):
        value = [condensed(each) for each in value]
    return hashlib.sha256(repr(value).encode()).hexdigest()


def photographs(folder: Path, count: int, size: int) -> Path:
    """Draws photographs with masks, large enough for their reading to take a while."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for seed in range(count):
        image, mask = draw_dermoscopy(seed, 96)
        Image.fromarray(image).resize((size, size)).save(folder / "images" / f"{seed:03d}.jpg")
        enlarged = Image.fromarray(mask * 255).resize((size, size), Image.Resampling.NEAREST)
        enlarged.save(folder / "masks" / f"{seed:03d}.png")
    return folder


def until_it_ends(trials: Trials, kind: str, folder: Path, words: Sequence[str], again: Sequence[str]) -> None:
    """Starts work, kills it at random moments and starts it again, until it has ended; most kills come early."""
    for attempt in range(60):
        if not killed(trials, kind, folder, words, again, trials.random.uniform(0.05, 1 + 0.5 * attempt)):
            return
    killed(trials, kind, folder, words, again, None)


def killed(
    trials: Trials, kind: str, folder: Path, words: Sequence[str], again: Sequence[str], after: float | None
) -> bool:
    """Starts work, or goes on with it, and kills it after so many seconds; tells whether that came before its end."""
    is_begun = (folder / "sweep" / "sweep.json").exists()
    was_killed = train(folder, again if is_begun else words, after) == -signal.SIGKILL
    trials.faults[kind] += was_killed
    return was_killed


def killed_trainings(trials: Trials, faults: int, data: Path) -> None:
    """Kills trainings, which fill their own image cache first."""
    words = [*TRAINING, f"data.root={data}", "hydra.run.dir=run", "resume=auto"]
    whole = trials.new_folder("training")
    train(whole, [*words, f"data.cache_dir={whole}/cache"])
    expected = settled(digest(whole / "run"), trials)
    while trials.faults["training killed"] < faults:
        folder = trials.new_folder("training")
        own = [*words, f"data.cache_dir={folder}/cache"]
        until_it_ends(trials, "training killed", folder, own, own)
        trials.judge(f"{folder.name} ({trials.faults['training killed']} kills)", digest(folder / "run"), expected)
        shutil.rmtree(folder)


def settled(expected: Any, trials: Trials) -> Any:
    """Insists that undisturbed work has ended."""
    if expected is None:
        raise SystemExit(f"work that nothing happened to has not ended, see {trials.folder}/*/log.txt")
    return expected


def killed_sweeps(trials: Trials, faults: int, data: Path) -> None:
    """Kills sweeps of twelve jobs, the first of them three times."""
    words = [*SWEEP, f"data.root={data}", f"data.cache_dir={trials.folder}/sweeps_cache", "hydra.sweep.dir=sweep"]
    again = ["-m", "sweep.resume=sweep"]
    whole, start = trials.new_folder("sweep"), time.monotonic()
    train(whole, words)
    seconds = time.monotonic() - start
    expected = settled(leaderboard(whole / "sweep"), trials)
    folder = trials.new_folder("sweep")
    for _ in range(3):
        killed(trials, "sweep killed", folder, words, again, trials.random.uniform(0.1, 0.33) * seconds)
    killed(trials, "sweep killed", folder, words, again, None)
    trials.judge(f"{folder.name} (three kills)", leaderboard(folder / "sweep"), expected)
    while trials.faults["sweep killed"] < faults:
        folder = trials.new_folder("sweep")
        until_it_ends(trials, "sweep killed", folder, words, again)
        trials.judge(f"{folder.name} ({trials.faults['sweep killed']} kills)", leaderboard(folder / "sweep"), expected)
        shutil.rmtree(folder)


def leaderboard(sweep: Path) -> dict[str, str] | None:
    """Reads a sweep's leaderboard without its last three columns, which are times, and its jobs' weights."""
    path = sweep / "leaderboard.csv"
    if not path.is_file():
        return None
    found = {"leaderboard.csv": "\n".join(line.rsplit(",", 3)[0] for line in path.read_text().splitlines())}
    for job in range(JOBS):
        found |= {f"{job}/{name}": value for name, value in (digest(sweep / str(job)) or {}).items()}
    return found


def killed_caches(trials: Trials, faults: int, data: Path) -> None:
    """Kills the filling of caches, then fills them, and compares all pixels with those of the files."""
    samples = list(pair_folders([data / "images"], [data / "masks"], mask_suffix="").pairs)
    expected = [condensed([torch.from_numpy(sample.read_resized(64).image.copy())]) for sample in samples]
    folder = trials.new_folder("cache")
    while trials.faults["cache killed"] < faults:
        fill = DiskCache(samples, 64, folder).prepare
        code = forked(lambda fill=fill: fill(range(len(samples))), folder / "log.txt", trials.random.uniform(0, 0.4))  # type: ignore[misc]
        trials.faults["cache killed"] += code == -signal.SIGKILL
        cache = DiskCache(samples, 64, folder)
        if code == 0 or trials.random.random() < 0.2:
            cache.prepare(range(len(samples)))
            found = [condensed([torch.from_numpy(cache[row].image.copy())]) for row in range(len(samples))]
            trials.judge(f"cache ({trials.faults['cache killed']} kills)", found, expected)
            shutil.rmtree(cache.folder)


@contextmanager
def small_disk(folder: Path, megabytes: float) -> Iterator[Path]:
    """Mounts a file system in memory with so much room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 1024)}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def full_disks(trials: Trials, faults: int, data: Path) -> None:
    """Trains on disks that become full, makes room and goes on."""
    words = [*TRAINING, f"data.root={data}", "hydra.run.dir=run", "resume=auto"]
    whole = trials.new_folder("disk")
    train(whole, [*words, f"data.cache_dir={trials.folder}/disks_cache"])
    expected, needed = settled(digest(whole / "run"), trials), megabytes_in(whole)
    while trials.faults["disk full"] < faults:
        folder = trials.new_folder("disk")
        with small_disk(folder, trials.random.uniform(0.05, 0.95) * needed):
            code = train(folder, [*words, f"data.cache_dir={trials.folder}/disks_cache"])
            trials.faults["disk full"] += code != 0
            text = (folder / "log.txt").read_text() if (folder / "log.txt").exists() else ""
            if code not in (0, 1) or (code == 1 and "Traceback" in text):
                trials.silent.append(f"{folder.name}: exit code {code}, no message: {text[-300:]}")
            subprocess.run(["mount", "-o", f"remount,size={int(needed * 4) + 8}m", folder], check=True)
            train(folder, [*words, f"data.cache_dir={trials.folder}/disks_cache"])
            trials.judge(f"{folder.name} (disk full)", digest(folder / "run"), expected)


def megabytes_in(folder: Path) -> float:
    """Adds up a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def flipped_bits(trials: Trials, faults: int, data: Path) -> None:
    """Flips a bit in what a killed training has left, and goes on: the damage is mended or told, never trained on."""
    words = [*TRAINING, f"data.root={data}", "data.cache_dir=cache", "hydra.run.dir=run", "resume=auto"]
    whole, killed = trials.new_folder("bits"), trials.new_folder("bits")
    train(whole, words)
    expected = settled(digest(whole / "run"), trials)
    while not (killed / "run" / "checkpoints" / "previous.ckpt").exists():
        train(killed, words, trials.random.uniform(1, 4))
    while trials.faults["bit flipped"] < faults:
        folder = trials.new_folder("bits")
        shutil.copytree(killed, folder, dirs_exist_ok=True)
        files = [*(folder / "run" / "checkpoints").glob("*.ckpt"), folder / "run" / "run.json"]
        files += [folder / "run" / "config.yaml", *(folder / "cache").rglob("*.npy")]
        path = trials.random.choice(files)
        flip(path, trials.random)
        trials.faults["bit flipped"] += 1
        code = train(folder, words)
        text = (folder / "log.txt").read_text()
        told = code == 2 and "Traceback" not in text
        what = f"{folder.name} ({path.name}, {'told' if told else 'mended'})"
        if told:
            print(what, text[text.rfind("lesionseg:") :].strip().splitlines()[0], flush=True)
        else:
            trials.judge(what, digest(folder / "run"), expected)
        shutil.rmtree(folder)


def flip(path: Path, generator: random.Random) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    path.write_bytes(content)


def main() -> None:
    """Injects the faults and prints what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a process that has started threads cannot be forked safely
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(Path(name), arguments.seed)
        data = photographs(Path(name) / "data", 40, 700)
        for kind in arguments.only:
            work, share = KINDS[kind]
            if kind == "disk" and os.geteuid() != 0:
                print("disk: left out, mounting a small disk takes root")
                continue
            work(trials, round(arguments.faults * share), data)
    print("\n".join(f"{count:5} {kind}" for kind, count in trials.faults.items()))
    total = sum(trials.faults.values())
    print(f"{total:5} faults: {len(trials.lost)} lost results, {len(trials.silent)} silent differences")
    print("\n".join([*trials.lost, *trials.silent]))
    sys.exit(bool(trials.lost or trials.silent))


KINDS: dict[str, tuple[Callable[[Trials, int, Path], None], float]] = {
    "training": (killed_trainings, 0.4),
    "sweep": (killed_sweeps, 0.15),
    "cache": (killed_caches, 0.2),
    "disk": (full_disks, 0.1),
    "bits": (flipped_bits, 0.15),
}
"""With the share of the faults that each gets."""

if __name__ == "__main__":
    main()
