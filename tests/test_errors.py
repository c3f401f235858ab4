"""One error for all findings: every one is listed, up to where a list stops helping."""

import pytest

from lesionseg.errors import InputError, first_line, raise_all


def test_no_finding_is_no_error() -> None:
    raise_all("Nothing is wrong:", [])


def test_every_finding_stands_on_a_line_of_its_own_below_the_title() -> None:
    with pytest.raises(InputError) as error:
        raise_all("Two things are wrong:", ["a is odd", "b is even"])
    assert str(error.value).splitlines() == ["Two things are wrong:", "  - a is odd", "  - b is even"]


@pytest.mark.parametrize(("count", "last"), [(10, "  - 9"), (11, "  ... and 1 more"), (2000, "  ... and 1990 more")])
def test_a_long_list_is_cut_after_ten_and_says_so(count: int, last: str) -> None:
    with pytest.raises(InputError) as error:
        raise_all("Many:", [str(number) for number in range(count)])
    lines = str(error.value).splitlines()
    assert lines[10] == "  - 9"
    assert lines[-1] == last
    assert len(lines) == (11 if count == 10 else 12)


def test_it_is_a_value_error_for_those_who_catch_one() -> None:
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("\nfirst\nsecond"), "first"), (MemoryError(), "MemoryError"), (OSError(" "), "OSError")],
)
def test_an_error_has_one_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
