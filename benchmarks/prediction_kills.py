"""Is a prediction that is killed again and again, and started again, the same as one that was left alone?

    python benchmarks/prediction_kills.py --checkpoint FILE --photographs FOLDER

Predicts the photographs (repeated to `--files`) once undisturbed, then into another folder with a SIGKILL at a random
moment of each of `--kills` runs and a last run to the end; compares all masks and tables byte by byte.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prediction_speed import repeat


def main() -> None:
    """Prints what the kills left, and whether anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        repeat(arguments.photographs, folder / "photographs", arguments.files, None)
        everything = run(arguments.checkpoint, folder, "undisturbed", None)
        nothing = run(arguments.checkpoint, folder, "undisturbed", None)  # is left to do: this is Python's start
        share = (everything - nothing) / arguments.kills
        begun = 0
        for kill in range(arguments.kills):
            # Not much more than its share, so that the first few leave something to disturb to the others.
            moment = generator.uniform(nothing / 2, nothing + 1.5 * share)
            run(arguments.checkpoint, folder, "killed", moment)
            done = masks_in(folder / "killed")
            print(f"kill {kill + 1}: {done} masks", flush=True)
            begun += done < arguments.files
        run(arguments.checkpoint, folder, "killed", None)
        print(f"{begun} of {arguments.kills} kills came before the end")
        report(folder, arguments.files)


def run(checkpoint: Path, folder: Path, output: str, kill_after: float | None) -> float:
    """Predicts in a process of its own, which is killed after so many seconds; returns how many it took."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "lesionseg.predict", f"checkpoint={checkpoint}"]
    command += [f"input={folder / 'photographs'}", f"output={folder / output}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        code = process.wait(kill_after)
        if code:
            raise SystemExit(f"predict ended with exit code {code}")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return time.perf_counter() - start


def masks_in(folder: Path) -> int:
    """Counts finished masks."""
    return len(list(folder.glob("*.png")))


def report(folder: Path, count: int) -> None:
    """Compares the two folders, hidden files included but for the journal, whose lines may come in any order."""
    undisturbed, killed = (files_of(folder / name) for name in ("undisturbed", "killed"))
    differing = [name for name in undisturbed.keys() | killed.keys() if undisturbed.get(name) != killed.get(name)]
    masks = sum(name.endswith(".png") for name in killed)
    print(f"{masks} masks, {len(killed)} files; {len(differing)} differ: {differing[:5]}")
    if differing or masks != count:
        raise SystemExit(1)


def files_of(folder: Path) -> dict[str, bytes]:
    """Reads every file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("journal.jsonl", "lock")
    }


if __name__ == "__main__":
    main()
