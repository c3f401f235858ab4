"""The command line: photographs in, masks out, and a process that may be killed at any time."""

import csv
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]

FILES = 60


@pytest.fixture
def command(python: str, smoke_run: Path) -> Callable[..., list[str]]:
    checkpoint = smoke_run / "checkpoints" / "best.ckpt"
    return lambda *words: [python, "-m", "lesionseg.predict", f"checkpoint={checkpoint}", *words]


@pytest.fixture
def predicted(command: Callable[..., list[str]]) -> Run:
    return lambda *words: subprocess.run(command(*words), capture_output=True, text=True, check=False)


def test_a_folder_is_predicted_and_can_be_scored(
    predicted: Run, run_verb: Run, photographs: Path, tmp_path: Path
) -> None:
    done = predicted(f"input={photographs / 'images'}", f"output={tmp_path}")
    assert done.returncode == 0, done.stderr
    assert "8 images on CPU" in done.stdout
    assert "8 masks in" in done.stdout
    assert "has never seen a photograph" in done.stdout  # the smoke run trains on drawn images
    for path in (photographs / "images").iterdir():
        assert Image.open(tmp_path / f"{path.stem}.png").size == Image.open(path).size
    score = [f"predictions={tmp_path}", f"truth={photographs / 'masks'}", f"hydra.run.dir={tmp_path / 'report'}"]
    scored = run_verb(tmp_path, "evaluate", *score)
    assert scored.returncode == 0, scored.stderr


def test_the_masks_are_written_whether_or_not_anybody_reads_the_output(
    command: Callable[..., list[str]], photographs: Path, tmp_path: Path
) -> None:
    words = command(f"input={photographs / 'images'}", f"output={tmp_path}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert len(list(tmp_path.glob("*.png"))) == 8


def test_an_unreadable_photograph_ends_with_1_and_the_others_done(predicted: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (50, 40)).save(tmp_path / "photos" / "good.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = predicted(f"input={tmp_path / 'photos'}", f"output={tmp_path / 'masks'}")
    assert done.returncode == 1
    assert "bad.png: cannot be read as an image" in done.stdout
    assert "Traceback" not in done.stderr
    assert (tmp_path / "masks" / "good.png").is_file()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("input=nowhere", "nowhere"),
        ("device=tpu", "device is tpu; allowed"),
        ("precision=int4", "precision is int4"),
        ("treshold=0.4", "treshold"),
    ],
)
def test_a_mistake_ends_with_2_and_one_message(predicted: Run, tmp_path: Path, word: str, message: str) -> None:
    Image.new("RGB", (50, 40)).save(tmp_path / "good.png")
    done = predicted(f"input={tmp_path}", f"output={tmp_path / 'masks'}", word)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "masks").glob("*"))
    assert message in done.stderr


def test_killed_again_and_again_it_ends_as_if_undisturbed(
    command: Callable[..., list[str]], predicted: Run, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    generator = np.random.default_rng(0)
    for number in range(FILES):
        Image.fromarray(generator.integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(photos / f"{number:03d}.png")
    assert predicted(f"input={photos}", f"output={tmp_path / 'whole'}").returncode == 0
    interrupted = 0
    for stop_at in (1, 20, 40):
        process = subprocess.Popen(
            command(f"input={photos}", f"output={tmp_path / 'killed'}"), stdout=subprocess.DEVNULL
        )
        while process.poll() is None and len(list((tmp_path / "killed").glob("*.png"))) < stop_at:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        interrupted += process.wait() == -signal.SIGKILL
    assert interrupted >= 1  # a machine may finish between two looks, but not from the first mask on
    assert predicted(f"input={photos}", f"output={tmp_path / 'killed'}").returncode == 0
    whole, killed = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "whole", tmp_path / "killed")
    )
    journal = Path(".lesionseg") / "journal.jsonl"  # its lines may come in another order
    del whole[journal], killed[journal]
    assert killed == whole
    assert len([path for path in killed if path.suffix == ".png"]) == FILES
    with (tmp_path / "killed" / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == FILES
