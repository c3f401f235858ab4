"""What may be installed with lesionseg: no version with a known hole, neither by a lower bound nor by a pin."""

import csv
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PINNED = ("constraints.txt", "constraints-lowest.txt")
ADVISORIES = list(csv.DictReader((ROOT / "tests" / "advisories.csv").open(encoding="utf-8")))
"""Looked up by hand: a hole found later is added here; `.ci/audit` asks PyPI's own list where it can be reached."""


def required() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for words in (project["dependencies"], *project["optional-dependencies"].values()):
        yield from (Requirement(word) for word in words)


def lowest_of(requirement: Requirement) -> Version:
    bounds = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "==", "~=")]
    return max(bounds, default=Version("0"))


def pins(name: str) -> dict[str, Version]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def allowed() -> dict[str, list[Version]]:
    """The lowest version of each package that each place allows."""
    lowest: dict[str, list[Version]] = {}
    for requirement in required():
        lowest.setdefault(canonicalize_name(requirement.name), []).append(lowest_of(requirement))
    for name in PINNED:
        for package, version in pins(name).items():
            lowest.setdefault(package, []).append(version)
    return lowest


@pytest.mark.parametrize("advisory", ADVISORIES, ids=[f"{row['package']}-{row['advisory']}" for row in ADVISORIES])
def test_no_bound_and_no_pin_allows_a_version_with_a_known_hole(advisory: dict[str, str]) -> None:
    assert min(allowed()[advisory["package"]]) >= Version(advisory["first_fixed"]), advisory["what"]


@pytest.mark.parametrize("name", PINNED)
def test_pinned_versions_are_among_those_that_are_allowed(name: str) -> None:
    pinned = pins(name)
    checked = [requirement for requirement in required() if canonicalize_name(requirement.name) in pinned]
    assert len(checked) > 20
    for requirement in checked:
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, str(requirement)


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    pinned = pins("constraints-lowest.txt")
    for requirement in required():
        if version := pinned.get(canonicalize_name(requirement.name)):
            bound = lowest_of(requirement).release
            assert version.release[: len(bound)] == bound, f"{requirement.name}: {version} is not the lower bound"
