"""A comparison from folders to numbers and files."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from lesionseg.compare import compare
from lesionseg.errors import InputError
from lesionseg.study.comparison import check_agreement, compare_methods
from lesionseg.study.comparison_report import draw_comparison
from lesionseg.study.method import methods_of
from lesionseg.study.scored_run import read_run, read_runs

GOOD = [0.9, 0.8, 0.7, 0.9, 0.8, 0.9]
FAIR = [0.8, 0.7, 0.6, 0.7, 0.6, 0.7]
POOR = [0.3, 0.2, 0.1, 0.2, 0.3, 0.1]


def settings(folder: Path, *runs: Path, **changes: Any) -> DictConfig:
    usual = {"metric": "jaccard", "metrics": ["dice", "failure"], "resamples": 200, "seed": 0}
    return OmegaConf.create({"runs": [str(run) for run in runs], "run_dir": str(folder), **usual, **changes})


def contents(folder: Path) -> Any:
    return json.loads((folder / "comparison.json").read_text())


def test_the_best_comes_first(write_run: Any, tmp_path: Path) -> None:
    runs = [write_run("fair", FAIR), write_run("good", GOOD), write_run("poor", POOR)]
    ranking = compare(settings(tmp_path / "out", *runs))
    assert list(ranking) == ["good", "fair", "poor"]
    assert list(ranking.values()) == pytest.approx([5 / 6, 4.1 / 6, 0.2])


@pytest.mark.parametrize("metric", ["failure", "hd95"])
def test_the_lowest_leads_where_lower_is_better(write_run: Any, tmp_path: Path, metric: str) -> None:
    runs = [write_run("fair", FAIR), write_run("good", GOOD), write_run("poor", POOR)]
    ranking = compare(settings(tmp_path / "out", *runs, metric=metric))
    assert list(ranking.values()) == sorted(ranking.values())
    assert len(set(ranking.values())) == 3


def test_every_pair_has_its_difference_and_adjusted_p(write_run: Any, tmp_path: Path) -> None:
    runs = [write_run("fair", FAIR), write_run("good", GOOD), write_run("poor", POOR)]
    compare(settings(tmp_path / "out", *runs))
    pairs = contents(tmp_path / "out")["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [("good", "fair"), ("good", "poor"), ("fair", "poor")]
    assert pairs[0]["difference"]["mean"] == pytest.approx(0.9 / 6)
    assert all(pair["difference"]["low"] < pair["difference"]["mean"] < pair["difference"]["high"] for pair in pairs)
    # Six of six images are better: 2 of 2**6 signs; ties in the ranks change nothing at the extreme.
    assert [pair["p"] for pair in pairs] == pytest.approx([2 / 64] * 3, abs=0.01)
    assert [pair["adjusted_p"] for pair in pairs] == pytest.approx([3 * max(pair["p"] for pair in pairs)] * 3, abs=0.03)


def test_the_files_hold_the_numbers_and_say_what_intervals_are_over(write_run: Any, tmp_path: Path) -> None:
    compare(settings(tmp_path / "out", write_run("fair", FAIR), write_run("a|b", GOOD)))
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    endings = ["json", "md", "pdf", "png", "tex"]
    assert written == [*(f"comparison.{ending}" for ending in endings), "leaderboard.csv"]
    rows = list(csv.DictReader((tmp_path / "out" / "leaderboard.csv").open()))
    assert [row["method"] for row in rows] == ["a|b", "fair"]
    assert float(rows[0]["jaccard"]) == pytest.approx(5 / 6)
    assert float(rows[0]["jaccard_low"]) < 5 / 6 < float(rows[0]["jaccard_high"])
    assert rows[0]["jaccard_sd_over_seeds"] == ""
    markdown = (tmp_path / "out" / "comparison.md").read_text()
    assert "| 1 | a\\|b | 1 | 0.8333 |" in markdown
    assert "intervals over the images" in markdown
    assert "Lower is better: failure rate." in markdown
    assert (tmp_path / "out" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "comparison.pdf").read_bytes().startswith(b"%PDF")


def test_the_spread_over_seeds_is_shown_apart(write_run: Any, training: Any, tmp_path: Path, capsys: Any) -> None:
    runs = [
        write_run("a0", [0.7, 0.9], config=training(), name="unet"),
        write_run("a1", [0.9, 0.9], config=training(seed=1), name="unet"),
        write_run("b", [0.5, 0.5], name="other"),
    ]
    assert compare(settings(tmp_path / "out", *runs)) == pytest.approx({"unet": 0.85, "other": 0.5})
    best, other = contents(tmp_path / "out")["standings"]
    assert best["scores"]["jaccard"]["seed_deviation"] == pytest.approx(0.1 / 2**0.5)  # of 0.8 and 0.9
    assert other["scores"]["jaccard"]["seed_deviation"] is None
    assert "2 seeds" in (tmp_path / "out" / "comparison.md").read_text()
    assert "SD over seeds" in (tmp_path / "out" / "comparison.md").read_text()


def test_one_image_is_compared_without_intervals(write_run: Any, tmp_path: Path) -> None:
    compare(settings(tmp_path / "out", write_run("a", [0.5]), write_run("b", [0.75])))
    assert contents(tmp_path / "out")["standings"][0]["scores"]["jaccard"]["low"] is None
    assert contents(tmp_path / "out")["pairs"][0]["difference"] == {"mean": 0.25, "low": None, "high": None}


def test_names_full_of_markup_are_shown_as_they_are(write_run: Any, tmp_path: Path, capsys: Any) -> None:
    names = ["[red]$x$", "_<b>$"]
    runs = [write_run(str(number), GOOD, name=name) for number, name in enumerate(names)]
    assert set(compare(settings(tmp_path / "out", *runs))) == set(names)
    assert "[red]" in capsys.readouterr().out


def test_unknown_metrics_and_numbers_out_of_range_are_refused_together(write_run: Any, tmp_path: Path) -> None:
    runs = [write_run("a", GOOD), write_run("b", FAIR)]
    cfg = settings(tmp_path / "out", *runs, metric="iou", metrics=["dice", "f2"], resamples=10, seed=-1)
    with pytest.raises(InputError) as error:
        compare(cfg)
    message = str(error.value)
    assert "metric is iou; allowed: dice, jaccard, " in message
    assert "metrics is f2" in message
    assert "resamples is 10; allowed: at least 100" in message
    assert "seed is -1" in message


def test_nothing_is_written_when_runs_cannot_be_compared(write_run: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        compare(settings(tmp_path / "out", write_run("a", GOOD), write_run("b", FAIR, truth="other")))
    assert not (tmp_path / "out").exists()


def test_nothing_is_cut_on_a_narrow_terminal(
    write_run: Any, training: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "a rather long name of a method"
    runs = [write_run(f"{seed}", GOOD, name=name, config=training(seed=seed)) for seed in range(2)]
    shown = ["dice", "jaccard", "threshold_jaccard", "failure", "hd95"]
    compare(settings(tmp_path / "out", *runs, write_run("fair", FAIR), metrics=shown))
    printed = capsys.readouterr().out
    assert "…" not in printed
    good = next(line.split() for line in printed.splitlines() if line.split()[:1] == ["1"])
    assert [word for word in good if word in ("0.8333", "0.0000", "0.83")] == [
        *["0.8333"] * 2,  # Dice and Jaccard
        "0.0000",  # SD over seeds
        "0.8333",  # threshold Jaccard
        "0.0000",  # failure rate
        "0.83",  # HD95
    ]


def test_few_images_are_warned_of_and_many_are_not(write_run: Any, tmp_path: Path, capsys: Any) -> None:
    few = [write_run("a", GOOD), write_run("b", FAIR)]
    compare(settings(tmp_path / "few", *few))
    assert "6 images are few" in " ".join(capsys.readouterr().out.split())
    assert "6 images are few" in (tmp_path / "few" / "comparison.md").read_text()
    many = [write_run("c", GOOD * 20), write_run("d", FAIR * 20)]
    compare(settings(tmp_path / "many", *many))
    assert "are few" not in (tmp_path / "many" / "comparison.md").read_text()


def test_both_tables_are_there_as_latex(write_run: Any, tmp_path: Path) -> None:
    compare(settings(tmp_path / "out", write_run("fair", FAIR), write_run("a_b & $x$", GOOD)))
    lines = (tmp_path / "out" / "comparison.tex").read_text().splitlines()
    assert lines[0].startswith("% Leaderboard by Jaccard (IoU), 6 images. ")
    assert lines[1].startswith(r"rank & method & runs & Jaccard (IoU) & 95 \% interval & Dice (F1)")
    assert lines[2] == r"\midrule"
    assert lines[3].startswith(r"1 & a\_b \& \$x\$ & 1 & 0.8333 & 0.")
    assert lines[3].endswith(r" \\")
    assert lines[-1].startswith(r"a\_b \& \$x\$ & fair & +0.1500 & ")
    assert len({line.count(" & ") for line in lines[1:5] if line != r"\midrule"}) == 1


def test_zero_scores_are_drawn_on_axes_that_people_can_read(write_run: Any, tmp_path: Path) -> None:
    runs = read_runs([str(write_run("a", [0.0] * 30)), str(write_run("b", [1e-17] * 30))])
    methods = methods_of(runs)
    usual: dict[str, Any] = {"metric": "hd95", "metrics": ["hd95"], "resamples": 200, "seed": 0}
    left, right = draw_comparison(compare_methods(methods, **usual)).axes
    assert left.get_xlim()[1] > 0.01
    assert right.get_xlim() == pytest.approx((-0.05, 0.05))


def check(*folders: Any) -> None:
    check_agreement(methods_of([read_run(folder) for folder in folders]))


def refusal(*folders: Any) -> str:
    with pytest.raises(InputError) as error:
        check(*folders)
    return str(error.value)


def test_the_same_images_in_any_order_agree(write_run: Any) -> None:
    check(write_run("a", [0.5, 0.6], ids=["x", "y"]), write_run("b", [0.5, 0.6], ids=["y", "x"]))


def test_other_images_are_named(write_run: Any) -> None:
    first = write_run("a", [0.5] * 3, ids=["x", "y", "z"])
    message = refusal(first, write_run("b", [0.5] * 2, ids=["x", "w"]), write_run("c", [0.5] * 3, ids=["x", "y", "z"]))
    assert f"{first}, {first.parent / 'c'}: 3 images" in message
    assert "b: 2 images" in message
    assert "it lacks y, z" in message
    assert "only it has w" in message


def test_other_ground_truth_of_the_same_images_is_refused(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5] * 9), write_run("b", [0.5] * 9, truth="changed"))
    assert "another ground truth for i0, i1, i2 and 6 more" in message


def test_other_definitions_are_named(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5]), write_run("b", [0.5], tolerance=2.0))
    assert "boundary_tolerance is 0.75 and 2.0" in message


def test_a_summary_that_does_not_belong_to_its_table_is_noticed(write_run: Any) -> None:
    message = refusal(write_run("a", [0.5]), write_run("b", [0.5], test_set="f" * 64))
    assert "b: test set ffffffff" in message


def test_folds_cut_otherwise_agree_when_they_cover_the_same_images(write_run: Any, training: Any) -> None:
    folds = [
        write_run("a0", [0.5], ids=["x"], config=training(**{"data.fold": 0})),
        write_run("a1", [0.5, 0.6], ids=["y", "z"], config=training(**{"data.fold": 1})),
    ]
    deep = {"model.depth": 5}
    others = [
        write_run("b0", [0.5, 0.6], ids=["x", "y"], config=training(**deep, **{"data.fold": 0})),
        write_run("b1", [0.7], ids=["z"], config=training(**deep, **{"data.fold": 1})),
    ]
    check(*folds, *others)
    assert "it lacks z" in refusal(*folds, others[0])


def test_titles_and_metrics_of_another_version_are_no_disagreement(write_run: Any) -> None:
    """Earlier versions titled recall otherwise and wrote down no lowest value."""
    old, new = write_run("a", [0.5]), write_run("b", [0.5])
    summary = json.loads((old / "summary.json").read_text())
    for definition in summary["definitions"]["metrics"].values():
        del definition["lowest"]
    summary["definitions"]["metrics"]["recall"]["title"] = "recall"
    (old / "summary.json").write_text(json.dumps(summary))
    check(old, new)


def test_another_formula_of_one_name_is_a_disagreement(write_run: Any) -> None:
    first, second = write_run("a", [0.5]), write_run("b", [0.5])
    summary = json.loads((second / "summary.json").read_text())
    summary["definitions"]["metrics"]["recall"]["meaning"] = "TP / all pixels."
    (second / "summary.json").write_text(json.dumps(summary))
    assert "metrics.recall.meaning is" in refusal(first, second)
