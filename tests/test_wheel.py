"""An installed wheel works as the checkout does, and the sdist has what the checkout has."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FEW = ["experiment=smoke", "trainer.max_epochs=1", "data.train=8", "data.validation=4", "data.test=2"]
FEW += ["evaluation.resamples=100"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the wheel's contents, as site-packages would have them."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_it_holds_every_yaml(installed: Path) -> None:
    expected = {path.relative_to(ROOT / "conf") for path in (ROOT / "conf").rglob("*.yaml")}
    assert {
        path.relative_to(installed / "lesionseg" / "conf") for path in (installed / "lesionseg").rglob("*.yaml")
    } == expected


def test_it_trains_and_evaluates_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    # The explicit path keeps the editable install of the checkout out of the way.
    code = (
        f"import sys; sys.path.insert(0, {str(installed)!r})\n"
        f"import lesionseg; assert lesionseg.__file__.startswith({str(installed)!r}), lesionseg.__file__\n"
        "from lesionseg import evaluate, train\n"
        f"sys.argv = ['lesionseg.train', *{FEW}, 'hydra.run.dir=run']\n"
        "train.main()\n"
        "print('and now')\n"
        "sys.argv = ['lesionseg.evaluate', 'checkpoint=run/checkpoints/best.ckpt', 'evaluation.resamples=100']\n"
        "evaluate.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Dice" in done.stdout.partition("and now")[2]


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="git says which files are the project's"
)
def test_the_sdist_holds_every_file_of_the_project(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    missing = {name for name in tracked.split("\0") if name and (ROOT / name).exists()} - held
    assert missing == set()
