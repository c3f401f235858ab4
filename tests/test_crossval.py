"""A cross-validation on the command line, as its user meets it."""

import csv
import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionseg.checkpoint.reading import read
from lesionseg.system.run_folder import read_record

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]

SMALL = ["experiment=smoke", "data.train=8", "data.validation=4", "data.test=3", "image_size=32", "batch_size=4"]
SMALL += ["callbacks=[checkpoint,last_checkpoint,progress]", "logger=csv", "trainer=cpu", "evaluation.resamples=100"]
SMALL += ["segmenter.threshold=0.2", "postprocessing.thresholds=[0.15,0.2,0.25]"]  # near what an untrained network says
FOLDS = ["folds=2", "masks=true", *SMALL, "hydra.run.dir=run"]


@pytest.fixture(scope="session")
def run(run_verb: Callable[..., Done]) -> Run:
    return lambda folder, *words: run_verb(folder, "crossval", *words)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole cross-validation of two folds; not to be written to, but for being gone on with."""
    folder = tmp_path_factory.mktemp("crossval")
    done = run(folder, *FOLDS)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "fold_0  epoch   1/2" in done.stdout
    assert "mean ± SD over folds" in done.stdout
    return folder / "run"


def test_every_image_is_predicted_once_and_by_whom_has_not_seen_it(finished: Path) -> None:
    found = rows(finished / "out_of_fold.csv")
    splits = [read(finished / f"fold_{fold}" / "checkpoints" / "best.ckpt")["lesionseg"]["split"] for fold in (0, 1)]
    for fold, split in enumerate(splits):
        scored = {row["id"] for row in found if row["fold"] == str(fold)}
        assert scored == set(split["parts"]["validation"])
        assert not scored & set(split["parts"]["train"])
    everyone = [id_ for split in splits for id_ in split["parts"]["validation"]]
    assert sorted(row["id"] for row in found) == sorted(everyone)
    assert len(set(everyone)) == 12


def test_its_numbers_are_those_of_its_rows(finished: Path) -> None:
    results = json.loads((finished / "crossval.json").read_text(encoding="utf-8"))
    values = {
        fold: [float(row["jaccard"]) for row in rows(finished / "out_of_fold.csv") if row["fold"] == fold]
        for fold in ("0", "1")
    }
    means = [statistics.mean(each) for each in values.values()]
    assert 0 < min(means) != max(means) < 1
    part = results["out_of_fold"]
    assert part["overall"]["jaccard"]["value"] == pytest.approx(statistics.mean(values["0"] + values["1"]))
    assert part["overall"]["jaccard"]["low"] <= part["overall"]["jaccard"]["high"]
    assert part["over_folds"]["jaccard"]["mean"] == pytest.approx(statistics.mean(means))
    assert part["over_folds"]["jaccard"]["deviation"] == pytest.approx(statistics.stdev(means))
    assert [one["means"]["jaccard"] for one in part["trainings"]] == pytest.approx(means)


def test_images_are_decided_as_configured_and_not_as_was_fitted_on_them(finished: Path) -> None:
    for fold in (0, 1):
        facts = json.loads((finished / f"fold_{fold}" / "out_of_fold" / "summary.json").read_text())["facts"]
        assert facts["part"] == "validation"
        assert facts["decision"].endswith("is above 0.2")


def test_the_test_part_is_scored_by_all_and_by_the_ensemble(finished: Path) -> None:
    results = json.loads((finished / "crossval.json").read_text(encoding="utf-8"))
    assert [one["images"] for one in results["test"]["trainings"]] == [3, 3]
    summary = json.loads((finished / "ensemble" / "summary.json").read_text())
    assert results["ensemble"]["dice"]["value"] == pytest.approx(summary["metrics"]["dice"]["value"])
    assert (finished / "crossval.md").read_text(encoding="utf-8").count("ensemble of all") == 1
    assert (finished / "crossval.png").stat().st_size > 1000


def test_masks_have_the_images_names_and_sizes(finished: Path) -> None:
    from lesionseg.data.masks import read_mask

    masks = {str(path.relative_to(finished / "masks").with_suffix("")) for path in (finished / "masks").rglob("*.png")}
    assert masks == {row["id"] for row in rows(finished / "out_of_fold.csv")}
    assert {read_mask(path).shape for path in (finished / "masks").rglob("*.png")} == {(32, 32)}


def test_going_on_with_one_that_is_done_trains_nothing(run: Run, finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*.ckpt")}
    numbers = (finished / "out_of_fold.csv").read_text()
    done = run(finished.parent, "resume=run")
    assert done.returncode == 0, done.stderr
    assert "fold_1 has been trained before" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*.ckpt")} == before
    assert (finished / "out_of_fold.csv").read_text() == numbers


def test_a_folder_that_has_one_is_not_used_again_by_accident(run: Run, finished: Path) -> None:
    done = run(finished.parent, *FOLDS)
    assert done.returncode == 2
    assert "there is a cross-validation in" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_was_interrupted_ends_as_one_that_was_not(
    run: Run, python: str, tmp_path: Path, finished: Path
) -> None:
    command = [python, "-m", "lesionseg.crossval", *FOLDS]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if "epoch   1/2" in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        said = process.stderr.read()
        assert process.wait(timeout=120) == 130, said
    assert "Go on with it: python -m lesionseg.crossval resume=" in said
    record = read_record(tmp_path / "run" / "fold_0")
    assert record is not None
    assert record.state in ("interrupted", "finished")  # its second epoch may have been over before the signal came
    assert not (tmp_path / "run" / "fold_1").exists()
    done = run(tmp_path, "resume=run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "out_of_fold.csv").read_text() == (finished / "out_of_fold.csv").read_text()


def test_seeds_share_a_division_and_one_that_fails_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "run" / "seed_1").mkdir(parents=True)
    (tmp_path / "run" / "seed_1" / "config.yaml").write_text("seed: 7\nrun_dir: elsewhere\n")  # another run is there
    words = [
        "seeds=[0,1]",
        *SMALL,
        "trainer.max_epochs=1",
        "postprocessing.fit=false",
        "data.test=0",
        "hydra.run.dir=run",
    ]
    failed = run(tmp_path, *words)
    assert failed.returncode == 1
    assert "1 of 2 trainings have not finished" in failed.stderr
    assert "  - seed_1: " in failed.stderr
    assert not (tmp_path / "run" / "crossval.json").exists()
    (tmp_path / "run" / "seed_1" / "config.yaml").unlink()
    done = run(tmp_path, "resume=run")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "crossval.json").read_text(encoding="utf-8"))
    assert results["test"] is None
    assert results["out_of_fold"]["over_folds"] is None
    assert results["out_of_fold"]["images"] == 4
    means = [one["means"]["dice"] for one in results["out_of_fold"]["trainings"]]
    assert means[0] != means[1]
    assert results["out_of_fold"]["over_seeds"]["dice"]["deviation"] == pytest.approx(statistics.stdev(means))
    assert [row["seed"] for row in rows(tmp_path / "run" / "out_of_fold.csv")] == ["0"] * 4 + ["1"] * 4


def test_an_ensemble_is_made_of_any_checkpoints(run: Run, finished: Path, tmp_path: Path) -> None:
    files = ",".join(str(finished / f"fold_{fold}" / "checkpoints" / "best.ckpt") for fold in (0, 1))
    done = run(tmp_path, f"checkpoints=[{files}]", "hydra.run.dir=made")
    assert done.returncode == 0, done.stderr
    one, other = (
        read(path)["state_dict"] for path in (tmp_path / "made" / "ensemble.ckpt", finished / "ensemble.ckpt")
    )
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)


MISTAKES = {
    "neither": ([], "give folds=5"),
    "a mistyped key of the training": (["folds=2", "model.base_chanels=8"], "Did you mean model.base_channels?"),
    "a refused value of the training": (["folds=2", "batch_size=0"], "batch_size is 0"),
    "a manifest": (["folds=2", "data.split=split.json"], "says who validates"),
    "a wrong type": (["folds=two"], "folds"),
    "checkpoints and folds": (["folds=2", "checkpoints=[a.ckpt]"], "without training"),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_ends_with_one_message_and_exit_code_2(
    run: Run, tmp_path: Path, words: list[str], message: str
) -> None:
    done = run(tmp_path, *words, "hydra.run.dir=run")
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.ckpt"))
    assert not (tmp_path / "run" / "command.json").exists()


def test_help_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from lesionseg.crossval import main\n"
        "try:\n    main()\nfinally:\n    assert not {'torch', 'scipy', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "folds=5" in done.stdout
    assert not list(tmp_path.iterdir())
