"""The one error for everything a user can set right."""

from collections.abc import Sequence

LONGEST_LIST = 10
"""So many findings are printed in full; a folder with thousands of faults should not scroll the first one away."""


class InputError(ValueError):
    """Wrong input: a setting, a file or a folder. The message says what was found, what is allowed and what to do.

    The verbs print it without a traceback and exit with code 2.
    """


def raise_all(title: str, findings: Sequence[str]) -> None:
    """Raises one `InputError` that lists every finding, or returns when there is none."""
    if not findings:
        return
    shown = [f"  - {finding}" for finding in findings[:LONGEST_LIST]]
    if len(findings) > LONGEST_LIST:
        shown.append(f"  ... and {len(findings) - LONGEST_LIST} more")
    raise InputError("\n".join([title, *shown]))
