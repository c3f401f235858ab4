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
def announce(self, *_): print("FIRST STEP", flush=True); time.sleep(60)
LightningModule.on_train_batch_end = announce
"""


def seconds(arguments: list[str]) -> float:
    """Wall time of one whole process."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=False)
        return time.perf_counter() - start


def seconds_to_first_step() -> float:
    """Wall time from the command to the end of its first training step, which a hook announces on a line."""
    code = FIRST_STEP + "sys.argv = ['lesionseg.train']\nfrom lesionseg.train import main\nmain()"
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
            # Its end would not do: data workers outlive a killed parent by seconds.
            while process.stdout and "FIRST STEP" not in process.stdout.readline() and process.poll() is None:
                pass
            taken = time.perf_counter() - start
            process.kill()
    return taken


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
