"""Images are put into groups by their traits and by a table."""

from dataclasses import replace
from pathlib import Path

import pytest

from lesionseg.errors import InputError
from lesionseg.evaluation.settings import EvaluationSettings
from lesionseg.evaluation.strata import (
    GROUPS,
    check_metadata,
    order_groups,
    read_strata,
    strata_of,
    with_metadata,
)
from lesionseg.metrics.image_scores import ImageScores


@pytest.mark.parametrize(
    ("share", "group"),
    [
        (0.0, "no lesion"),
        (0.0001, "small (under 5 %)"),
        (0.0499, "small (under 5 %)"),
        (0.05, "medium (5 to 25 %)"),
        (0.25, "large (25 to 50 %)"),
        (0.5, "large (25 to 50 %)"),
        (0.501, "very large (over 50 %)"),
        (1.0, "very large (over 50 %)"),
    ],
)
def test_lesions_are_grouped_by_their_share_of_the_image(share, group):
    assert strata_of({"lesion_share": share}, image_id="1") == {"lesion size": group}


@pytest.mark.parametrize(
    ("trait", "value", "stratum", "group"),
    [
        ("touches_border", 0.0, "touches the border", "no"),
        ("touches_border", 1.0, "touches the border", "yes"),
        ("contrast", 19.9, "contrast", "low (Delta E under 20)"),
        ("contrast", 20.0, "contrast", "medium (Delta E 20 to 30)"),
        ("contrast", 30.0, "contrast", "high (Delta E 30 and more)"),
        ("hair", 0.0, "hair (estimated)", "none"),
        ("hair", 0.01, "hair (estimated)", "some"),
        ("hair", 0.04, "hair (estimated)", "much"),
    ],
)
def test_other_traits_are_grouped_by_fixed_limits(trait, value, stratum, group):
    assert strata_of({trait: value}, image_id="1") == {stratum: group}


def test_unknown_traits_leave_their_stratum_out():
    assert strata_of({"contrast": None, "lesion_share": 0.1}, image_id="1") == {"lesion size": "medium (5 to 25 %)"}
    assert strata_of({}, image_id="1") == {}


def test_the_source_is_what_stands_before_the_first_slash():
    assert strata_of({}, image_id="ph2/IMD002") == {"source": "ph2"}
    assert strata_of({}, image_id="ph2/deep/IMD002") == {"source": "ph2"}
    assert strata_of({}, image_id="/IMD002") == {}


@pytest.mark.parametrize("name", GROUPS)
def test_known_groups_keep_their_natural_order(name):
    assert order_groups(name, sorted(GROUPS[name])) == list(GROUPS[name])


def test_numbers_in_other_groups_are_ordered_by_value_and_unknown_is_last():
    assert order_groups("age", ["unknown", "100 to 120", "5 to 30", "35 to 90"]) == [
        "5 to 30",
        "35 to 90",
        "100 to 120",
        "unknown",
    ]
    assert order_groups("depth", ["0.75 to 1", "-2 to 0", "0.5 to 0.7"]) == ["-2 to 0", "0.5 to 0.7", "0.75 to 1"]
    assert order_groups("type", ["type 10", "Type 2", "a", "unknown", "zebra"]) == [
        "a",
        "Type 2",
        "type 10",
        "zebra",
        "unknown",
    ]


def test_labels_beyond_the_known_ones_follow_them():
    assert order_groups("hair (estimated)", ["bald", "unknown", "much", "none"]) == ["none", "much", "bald", "unknown"]


def write(folder, text):
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def read(path, ids, columns=None):
    return read_strata(path, id_column="image_id", columns=columns, ids=ids)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_each_image_gets_its_cells(tmp_path, delimiter):
    table = "image_id,sex,dx\nA,male,nv\nB,female,mel\n".replace(",", delimiter)
    assert read(write(tmp_path, table), ["B", "A"]) == {
        "B": {"sex": "female", "dx": "mel"},
        "A": {"sex": "male", "dx": "nv"},
    }


def test_a_byte_order_mark_quotes_and_blank_lines_do_no_harm(tmp_path):
    path = write(tmp_path, '\ufeffimage_id,dx\n\nA,"nevus, benign"\nB, mel \n\n')
    assert read(path, ["A", "B"]) == {"A": {"dx": "nevus, benign"}, "B": {"dx": "mel"}}


@pytest.mark.parametrize("row_id", ["IMD002", "IMD002.bmp", "ph2/IMD002", "ph2/IMD002.PNG"])
@pytest.mark.parametrize("image_id", ["ph2/IMD002", "ph2/IMD002.bmp"])
def test_extension_and_source_need_not_agree(tmp_path, row_id, image_id):
    assert read(write(tmp_path, f"image_id,dx\n{row_id},nv\n"), [image_id], ["dx"]) == {image_id: {"dx": "nv"}}


def test_the_whole_id_goes_before_its_last_part(tmp_path):
    path = write(tmp_path, "image_id,dx\n1,nv\nph2/1,mel\n")
    assert read(path, ["ph2/1", "other/1"], ["dx"]) == {"ph2/1": {"dx": "mel"}, "other/1": {"dx": "nv"}}


def test_a_dot_within_an_id_is_no_extension(tmp_path):
    assert read(write(tmp_path, "image_id,dx\na.1,nv\n"), ["a.1"], ["dx"]) == {"a.1": {"dx": "nv"}}


def test_empty_cells_and_short_rows_are_unknown_and_images_without_a_row_left_out(tmp_path):
    path = write(tmp_path, "image_id,sex,dx\nA,,nv\nB,male\nC,N/A,mel\n")
    assert read(path, ["A", "B", "C", "D"], ["sex", "dx"]) == {
        "A": {"sex": "unknown", "dx": "nv"},
        "B": {"sex": "male", "dx": "unknown"},
        "C": {"sex": "unknown", "dx": "mel"},
    }


def test_many_numbers_are_cut_into_quartiles_named_by_their_span(tmp_path):
    ages = [5, 10, 15, 20, 35, 40, 45, 50, 52.5, 60, 65, 70, 71, 80, 85, 90]
    path = write(tmp_path, "image_id,age\n" + "".join(f"I{row},{age}\n" for row, age in enumerate(ages)) + "X,unknown")
    groups = read(path, [*(f"I{row}" for row in range(16)), "X"])
    labels = [groups[f"I{row}"]["age"] for row in range(16)]
    assert labels == ["5 to 20"] * 4 + ["35 to 50"] * 4 + ["52.5 to 70"] * 4 + ["71 to 90"] * 4
    assert groups["X"] == {"age": "unknown"}


def test_quartiles_are_of_the_images_evaluated(tmp_path):
    path = write(tmp_path, "image_id,age\n" + "".join(f"I{age},{age}\n" for age in range(100)))
    groups = read(path, [f"I{age}" for age in range(12)])
    assert sorted({row["age"] for row in groups.values()}) == ["0 to 2", "3 to 5", "6 to 8", "9 to 11"]


def test_equal_numbers_stay_in_one_group(tmp_path):
    ages = [40] * 20 + list(range(50, 59))
    path = write(tmp_path, "image_id,age\n" + "".join(f"I{row},{age}\n" for row, age in enumerate(ages)))
    groups = read(path, [f"I{row}" for row in range(len(ages))])
    assert {groups[f"I{row}"]["age"] for row in range(20)} == {"40"}


def test_eight_numbers_stay_as_they_are(tmp_path):
    path = write(tmp_path, "image_id,grade\n" + "".join(f"I{row},{row % 8}\n" for row in range(16)))
    groups = read(path, [f"I{row}" for row in range(16)])
    assert {row["grade"] for row in groups.values()} == set("01234567")


def test_without_a_choice_columns_of_two_to_twelve_groups_are_taken(tmp_path):
    header = "image_id,one,two,twelve,thirteen,empty\n"
    rows = [f"I{row},same,{'ab'[row % 2]},t{row % 12},u{row % 13},\n" for row in range(26)]
    groups = read(write(tmp_path, header + "".join(rows)), [f"I{row}" for row in range(26)])
    assert list(groups["I0"]) == ["two", "twelve"]


def test_a_choice_of_columns_is_kept_however_many_groups_there_are(tmp_path):
    path = write(tmp_path, "image_id,patient,same\n" + "".join(f"I{row},p{row},x\n" for row in range(20)))
    assert read(path, ["I7"], ["same", "patient"]) == {"I7": {"same": "x", "patient": "p7"}}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv: cannot be read as a table"):
        read(tmp_path / "none.csv", ["A"])


def test_missing_columns_are_listed_with_those_found(tmp_path):
    with pytest.raises(InputError, match="has no column image_id, age, eye; found: name, dx"):
        read(write(tmp_path, "name,dx\nA,nv\n"), ["A"], ["age", "dx", "eye"])


def test_ids_of_which_none_is_in_the_table_are_refused_with_examples(tmp_path):
    with pytest.raises(InputError, match=r"the table has A, B, C, \.\.\.; the images are ISIC_1"):
        read(write(tmp_path, "image_id,dx\nA,1\nB,2\nC,3\nD,4\n"), ["ISIC_1"])


def test_all_ids_with_contradictory_rows_are_listed_with_what_they_say(tmp_path):
    path = write(tmp_path, "image_id,dx,sex\nA,nv,f\nA.jpg,mel,f\nB,nv,f\nB,nv,f\nC,nv,f\nC,bcc,m\n")
    with pytest.raises(InputError, match=r"several rows that differ") as caught:
        read(path, ["A"])
    assert "- A = A.jpg: dx nv or mel\n  - C: dx nv or bcc; sex f or m" in str(caught.value)
    assert "- B" not in str(caught.value)


def test_rows_that_differ_in_columns_not_asked_for_are_no_contradiction(tmp_path):
    path = write(tmp_path, "image_id,dx,reader\nA,nv,1\nA,nv,2\n")
    assert read(path, ["A"], ["dx"]) == {"A": {"dx": "nv"}}


def test_images_that_the_table_lacks_are_warned_of_and_unknown(
    evaluation_settings: EvaluationSettings,
    image_scores: list[ImageScores],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("image_id,sex\n1,f\n2,m\n")
    settings, ids = replace(evaluation_settings, metadata=str(path)), ["001", "002", "003", "004", "005", "006"]
    check_metadata(settings, ids)
    assert caplog.messages == [f"{path} has no row for 4 of 6 images (003, 004, 005, ...): their groups are unknown."]
    images = with_metadata([replace(image_scores[0], id=id_) for id_ in ids], settings)
    assert len(caplog.messages) == 1
    assert [image.strata["sex"] for image in images] == ["f", "m", "unknown", "unknown", "unknown", "unknown"]
    assert {image.strata["lesion size"] for image in images} == {"small"}


def test_a_whole_table_or_none_is_no_reason_to_warn(
    evaluation_settings: EvaluationSettings,
    image_scores: list[ImageScores],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "table.csv").write_text("image_id,sex\n1,f\n2,m\n")
    check_metadata(replace(evaluation_settings, metadata=str(tmp_path / "table.csv")), ["1", "2"])
    check_metadata(evaluation_settings, ["1", "2"])
    assert not caplog.messages
    assert with_metadata(image_scores[:1], evaluation_settings) == image_scores[:1]
