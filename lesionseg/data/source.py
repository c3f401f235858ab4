"""A source: says which samples there are and to which part each belongs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lesionseg.data.sample import Sample
from lesionseg.errors import InputError

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
Cache = Literal["memory", "none"]


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """Where samples come from. A new one is a dataclass with its options in one file here, and one YAML.

    Attributes:
        cache: `memory` reads each file once, at the start; `none` reads it again every epoch, for sets that do not
            fit into memory.
    """

    cache: Cache

    @abstractmethod
    def samples(self, part: Part) -> Sequence[Sample]:
        """Lists a part's samples sorted by id; empty when this source has no such part (at hand).

        Raises:
            InputError: Files are missing or do not pair up.
        """


def existing_root(root: Path, how_to_get: str) -> Path:
    """Returns `root` if it is a folder.

    Raises:
        InputError: It is not; the message says where it was looked for and how to get the data.
    """
    if not root.is_dir():
        raise InputError(f"data.root is {root}: there is no folder {root.absolute()}. {how_to_get}")
    return root
