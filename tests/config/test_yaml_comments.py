"""Comments are found by the key that they explain, wherever a YAML file has them."""

from lesionseg.config.yaml_comments import comments_of, key_lines

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
