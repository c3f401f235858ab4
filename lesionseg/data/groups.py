"""Putting the pictures of one lesion or patient into one group, as a table says."""

from dataclasses import replace
from pathlib import Path

from lesionseg.data.metadata import read_metadata
from lesionseg.data.source import Listing
from lesionseg.errors import InputError


def with_groups(listing: Listing, table: Path, *, id_column: str, group_column: str) -> Listing:
    """Gives each sample the group that a table names; those of which it names none are listed as `ungrouped`.

    Args:
        listing: Listing of all parts.
        table: See `read_metadata`.
        id_column: Holds the image's id.
        group_column: Holds the lesion or the patient; an empty cell, or one that says `unknown`, names none.

    Raises:
        InputError: The table does not fit, or names no image's group.
    """
    ids = [sample.id for sample in listing.samples()]
    rows = read_metadata(table, id_column=id_column, columns=[group_column], ids=ids)
    groups = {id_: row[group_column] for id_, row in rows.items() if row[group_column]}
    if ids and not groups:
        raise InputError(f"{table}: its column {group_column} is empty for all {len(ids)} images")
    parts = {
        part: [replace(sample, group=groups.get(sample.id)) for sample in samples]
        for part, samples in listing.parts.items()
    }
    return replace(listing, parts=parts, ungrouped=[id_ for id_ in ids if id_ not in groups])
