"""Data, tables and picture of a report with known numbers."""

import json
from pathlib import Path

import pytest
from PIL import Image

from lesionseg.benchmarking.report import (
    Report,
    SubjectFacts,
    draw_report,
    notes,
    number,
    print_report,
    tables,
    times,
    write_report,
)
from lesionseg.benchmarking.timing import Row, Speed

SPEEDS = [
    Speed(Row("loader", "cold", "Synthetic", "memory cache"), [300.0, 100.0, 200.0]),
    Speed(Row("inference", "eager", "mine", "bf16, batch 8"), [100.0, 50.0, 200.0]),
    Speed(Row("inference", "eager", "a|b$", "fp32, batch 8"), [4.0, 2.0, 8.0]),
    Speed(Row("inference", "compiled", "mine", ""), [], "torch.compile fails: no <compiler>"),
    Speed(Row("inference", "compiled", "a|b$", "fp32"), [3.0, 3.0, 3.0]),
    Speed(Row("inference", "network alone", "mine", "bf16, batch 8", is_limit=True), [150.0, 150.0, 150.0]),
]
BUSY = {"usable_cores": 2, "torch_threads": 2, "usable_memory_bytes": 1, "load_average": [1.5, 1.0, 1.0]}


@pytest.fixture
def report() -> Report:
    return Report(
        device="CPU (abacus), 2 cores, bf16",
        environment={
            "date": "2026-01-02T03:04:05+00:00",
            "code": {"version": "0.1.0", "git_commit": None, "git_dirty": None},
            "libraries": {"python": "3.11", "torch": "2.13.0"},
            "machine": {"platform": "Linux"},
        },
        limits={"before": BUSY, "after": BUSY | {"load_average": None}},
        config={"image_size": 160, "rounds": 3, "seconds": 1.0, "batch_size": 16},
        subjects=[
            SubjectFacts("mine", "bf16, channels last", 1_234_567, 2_000_000_000, 150_000_000, None),
            SubjectFacts("a|b$", "fp32, channels first", 10, 5, None, "its process was killed"),
        ],
        speeds=SPEEDS,
    )


def test_a_ratio_compares_with_the_first_network_doing_the_same(report: Report) -> None:
    assert [report.ratio(speed) for speed in report.speeds] == [None, 1.0, 0.04, None, None, 1.0]


def test_json_has_every_round_in_full_and_says_what_is_missing(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    found = json.loads((tmp_path / "benchmark.json").read_text())
    cold, _, peer, missing, *_ = found["speeds"]
    assert cold["rates"] == [300.0, 100.0, 200.0]
    assert (cold["median"], cold["lower_quartile"], cold["upper_quartile"]) == (200.0, 150.0, 250.0)
    assert (peer["stage"], peer["way"], peer["subject"], peer["ratio_to_first"]) == ("inference", "eager", "a|b$", 0.04)
    assert (missing["rates"], missing["median"]) == ([], None)
    assert missing["missing"] == "torch.compile fails: no <compiler>"
    assert found["subjects"][0]["peak_memory"] == 150_000_000
    assert found["limits"]["before"]["load_average"] == [1.5, 1.0, 1.0]
    assert found["device"] == "CPU (abacus), 2 cores, bf16"
    assert found["config"]["rounds"] == 3


def test_markdown_keeps_its_columns_whatever_a_name_has(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    text = (tmp_path / "benchmark.md").read_text()
    assert "| inference | eager | a\\|b$ | 4 | 3 to 6 | 1/25 | fp32, batch 8 |" in text
    assert r"no \<compiler>" in text
    assert "| mine | 1,234,567 | 2 | 150 MB | bf16, channels last |" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark.json", "benchmark.md", "benchmark.png"]


def test_the_tables_say_why_something_is_missing(report: Report) -> None:
    assert tables(report)[1].rows[3][3:] == ["-", "-", "-", "torch.compile fails: no <compiler>"]
    assert tables(report)[0].rows[1][3] == "- (its process was killed)"


def test_a_busy_machine_is_told_of(report: Report) -> None:
    assert "load average 1.5 before and not known after" in notes(report)[0]
    assert any("Other work was using the machine" in note for note in notes(report))


@pytest.mark.parametrize(("value", "words"), [(1234.5, "1,234"), (99.94, "99.9"), (2.345, "2.35"), (0.0456, "0.0456")])
def test_speeds_are_worded_in_three_digits(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(("ratio", "words"), [(1.0, "1"), (2.5, "2.5"), (0.04, "1/25"), (0.5, "1/2")])
def test_slower_is_a_fraction(ratio: float, words: str) -> None:
    assert times(ratio) == words


def test_bars_are_as_long_as_the_medians(report: Report) -> None:
    loader, inference = draw_report(report).axes
    assert [bar.get_width() for bar in loader.patches] == [200.0]
    assert [bar.get_width() for bar in inference.patches] == [100.0, 4.0, 3.0, 150.0]
    assert [label.get_text() for label in inference.get_yticklabels()][1] == r"a|b\$: eager"
    assert any("no <compiler>" in text.get_text() for text in inference.texts)
    assert any("1/25 of mine" in text.get_text() for text in inference.texts)


def test_the_picture_can_be_opened(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    with Image.open(tmp_path / "benchmark.png") as picture:
        assert min(picture.size) > 300


def test_the_terminal_shows_both_tables_and_the_folder(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report, Path("logs/benchmark/now"))
    printed = capsys.readouterr().out
    for words in ("1,234,567", "150 MB", "1/25", "torch.compile fails: no <compiler>", "logs/benchmark/now"):
        assert words in printed
