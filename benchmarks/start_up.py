"""How long a user waits: for --help, for the answer to a typing mistake, and for the first training step.

    python benchmarks/start_up.py [--rounds 5]

Each command is a whole process, started from an empty folder. The first training step is the moment the first batch
of the default training (`python -m lesionseg.train`) has been trained on. Prints the median and the spread.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

FIRST_STEP = """
import sys, time
from lightning.pytorch import LightningModule
def stop(self, *_): print("FIRST STEP", flush=True); import os; os._exit(0)
LightningModule.on_train_batch_end = stop
"""


def seconds(arguments: list[str]) -> float:
    """Wall time of one whole process."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=False)
        return time.perf_counter() - start


def seconds_to_first_step() -> float:
    """Wall time from the command to the end of its first training step, which a hook turns into the process's end."""
    code = FIRST_STEP + "sys.argv = ['lesionseg.train']\nfrom lesionseg.train import main\nmain()"
    return seconds(["-c", code])


def main() -> None:
    """Prints a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    timings = {
        "--help": lambda: seconds(["-m", "lesionseg.train", "--help"]),
        "a mistyped option": lambda: seconds(["-m", "lesionseg.train", "model.base_chanels=8"]),
        "first training step": seconds_to_first_step,
    }
    for name, timing in timings.items():
        taken = [timing() for _ in range(rounds)]
        print(f"{name:<20} {statistics.median(taken):5.2f} s (from {min(taken):.2f} to {max(taken):.2f})", flush=True)


if __name__ == "__main__":
    main()
