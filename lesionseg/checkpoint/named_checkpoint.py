"""A checkpoint that is named by the folder of its run."""

from collections.abc import Iterator
from pathlib import Path

from lesionseg.errors import InputError

BEST = (
    *("checkpoints/best.ckpt", "best.ckpt", "ensemble.ckpt"),
    *("checkpoints/best.safetensors", "best.safetensors", "ensemble.safetensors"),
)
"""Paths below the folder of a training, below its `checkpoints` folder, and below that of a cross-validation."""
OF_RUNS_BELOW = ("*/checkpoints/best.ckpt", "*/*/checkpoints/best.ckpt")
SUFFIXES = (".ckpt", ".safetensors", ".onnx", ".xml")
MOST_NAMED = 3


def checkpoint_file(named: str | Path) -> Path:
    """Returns the model file that is meant: a file itself, or a folder's best checkpoint.

    Args:
        named: A checkpoint or an exported model, which need not be there; the folder of a run, its `checkpoints`
            folder, or the folder of a cross-validation, which has an ensemble.

    Raises:
        InputError: It is a folder without a best checkpoint; names those that are near.
    """
    folder = Path(named)
    if not folder.is_dir():
        return folder
    best = next((folder / place for place in BEST if (folder / place).is_file()), None)
    if best is None:
        looked_for = ", ".join(BEST)
        raise InputError(f"checkpoint={folder}: this folder has no best checkpoint ({looked_for}); {_near(folder)}")
    return best


def announced_checkpoint(named: str | Path) -> str:
    """Returns the path of `checkpoint_file`, and says in one line which it is where a folder was named."""
    file = checkpoint_file(named)
    if file != Path(named):
        print(f"checkpoint={named}: its best is {file}", flush=True)
    return str(file)


def _near(folder: Path) -> str:
    """Says what to give in place of a folder without a best checkpoint."""
    files = list(_models(folder))
    if not files:
        return "give the folder of a run, or a file that lesionseg.train or lesionseg.export wrote"
    more = f" or one of {len(files) - MOST_NAMED} more" if len(files) > MOST_NAMED else ""
    return f"give {' or '.join(map(str, files[:MOST_NAMED]))}{more}"


def _models(folder: Path) -> Iterator[Path]:
    """Lists the best checkpoints of runs below, and model files in the folder itself or its `checkpoints`."""
    for pattern in (*OF_RUNS_BELOW, *(f"{place}*{suffix}" for place in ("", "checkpoints/") for suffix in SUFFIXES)):
        yield from sorted(folder.glob(pattern))
