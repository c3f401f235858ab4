"""A finding of the doctor."""

from dataclasses import dataclass
from typing import Any

from lesionseg.data.source import Part
from lesionseg.doctor.kinds import KINDS, Kind


@dataclass(frozen=True)
class Finding:
    """Something found.

    Attributes:
        name: Name of its kind, see `KINDS`.
        ids: The images concerned; empty for the set as a whole.
        text: What was found, with numbers and files.
        part: The part that it is about alone, as one name may be in several; None for all.
    """

    name: str
    ids: tuple[str, ...]
    text: str
    part: Part | None = None

    def is_about(self, part: Part) -> bool:
        """Tells whether samples of a part are meant by `ids`."""
        return self.part in (None, part)

    @property
    def kind(self) -> Kind:
        """How bad it is and what to do."""
        return KINDS[self.name]

    def to_plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": self.name, "severity": self.kind.severity, "ids": list(self.ids), "text": self.text}
