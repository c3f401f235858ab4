from pathlib import Path
from typing import Any, Literal

import pytest

from lesionseg.checkpoint.safe_build import build_strictly
from lesionseg.errors import InputError


class Part:
    def __init__(
        self, *, size: int, share: float = 0.5, kind: Literal[1, "a"] = 1, on: bool = True, folder: Path | None = None
    ) -> None:
        if size > 10:
            raise ZeroDivisionError("too large")
        self.given = (size, share, kind, on, folder)


def test_values_of_the_right_types_are_passed_on_untouched() -> None:
    assert build_strictly(Part, {"size": 1}).given == (1, 0.5, 1, True, None)
    assert build_strictly(Part, {"size": 1, "share": 1, "kind": "a", "folder": "b"}).given == (1, 1, "a", True, "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "its argument size is missing"),
        ({"size": 1, "colour": 2}, "it has no argument 'colour'; allowed: size, share, kind, on, folder"),
        ({"size": True}, "size is True: Input should be a valid integer"),
        ({"size": "1"}, "size is '1': Input should be a valid integer"),
        ({"size": 1.0}, r"size is 1\.0: Input should be a valid integer"),
        ({"size": {}}, "size is {}: Input should be a valid integer"),
        ({"size": 1, "share": float("nan")}, "share is nan: Input should be a finite number"),
        ({"size": 1, "share": float("inf")}, "share is inf: Input should be a finite number"),
        ({"size": 1, "kind": True}, "kind is True; allowed: 1, a"),
        ({"size": 1, "kind": "b"}, "kind is 'b': Input should be 1 or 'a'"),
        ({"size": 1, "on": 1}, "on is 1: Input should be a valid boolean"),
        ({"size": 1, "folder": 5}, "folder is 5: "),
        ({"size": 11}, "cannot be built as the file asks: too large"),
    ],
)
def test_all_else_is_refused_with_what_is_allowed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_strictly(Part, arguments)
