import pytest

from lesionseg.evaluation.strata import GROUP_ORDER, order_groups, strata_of


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


@pytest.mark.parametrize("name", GROUP_ORDER)
def test_known_groups_keep_their_natural_order(name):
    assert order_groups(name, sorted(GROUP_ORDER[name])) == list(GROUP_ORDER[name])


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
