"""What `--help` shows, and what messages take from it."""

from collections.abc import Iterator

import pytest

from lesionseg.config.help_page import comments_of, examples, help_page, key_lines, with_comments
from lesionseg.config.schema import CONF, register_schemas


@pytest.fixture(scope="module", autouse=True)
def _hydra() -> Iterator[None]:
    register_schemas()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")  # comments are wrapped at the terminal's width
        yield


def line_of(page: str, start: str) -> str:
    return " ".join(next(line for line in page.splitlines() if line.startswith(start)).split())


@pytest.fixture(scope="module")
def page() -> str:
    register_schemas()
    return help_page("train", ["data=folder", "experiment=isic2017_fast", "image_size=99"])


def test_a_key_has_the_comment_of_its_file(page: str) -> None:
    assert line_of(page, "image_size: 99").startswith("image_size: 99 # height and width in pixels that the network")
    assert line_of(page, "  mask_suffix: null").startswith("mask_suffix: null # for example _segmentation")


def test_a_recipes_comment_on_its_own_value_replaces_the_general_one(page: str) -> None:
    assert "# removes the four training images" in line_of(page, "  leaks: drop")


def test_a_group_has_the_comment_of_the_verbs_own_list(page: str) -> None:
    assert line_of(page, "augmentation:  ") == "augmentation: # random changes of training images"


def test_a_long_comment_goes_on_below() -> None:
    shown = with_comments("key: 1\n", {"key": "many words " * 20})
    assert len(shown.splitlines()) > 2
    assert all("# many" in line or "# words" in line for line in shown.splitlines())


@pytest.mark.parametrize("verb", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_every_verb_shows_every_comment_of_its_own_keys_and_examples(verb: str) -> None:
    chosen = ["data=synthetic"] if verb == "check_data" else []
    words = " ".join(help_page(verb, chosen).replace(" # ", " ").split())
    own = comments_of((CONF / f"{verb}.yaml").read_text(encoding="utf-8"))
    for path, comment in own.items():
        if not path.startswith("hydra."):
            assert " ".join(comment.split()) in words, path
    assert all(example.startswith(f"python -m lesionseg.{verb}") for example in examples(verb))
    assert examples(verb)


TEXT = """\
# of the file
defaults:
  - data: synthetic      # where from
  - override /model: x   # the network
plain: 1                 # a number
hash: "a # b"            # a text
list: [1, 2]             # two numbers
folded: >-
  text # no comment
group:                   # of the group
  nested: x  # goes on
             # below
  other: y
"""


def test_each_key_has_its_comment() -> None:
    assert comments_of(TEXT, of_choices=True) == {
        "data": "where from",
        "model": "the network",
        "plain": "a number",
        "hash": "a text",
        "list": "two numbers",
        "group": "of the group",
        "group.nested": "goes on below",
    }


def test_choices_count_only_where_they_are_asked_for() -> None:
    assert "data" not in comments_of(TEXT)


def test_a_file_without_keys_has_none() -> None:
    assert comments_of("# nothing\n") == {}
    assert key_lines("") == {}


def test_keys_are_found_by_line() -> None:
    assert key_lines("a: 1\nb:\n  c:\n  - 2\n") == {"a": 0, "b": 1, "b.c": 2}
