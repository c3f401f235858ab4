"""Building a configured part, with a message for its user where it refuses."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from lesionseg.config.contracts import kind_faults
from lesionseg.errors import InputError

EXTRAS = ("mlflow", "wandb")
"""Packages of parts that are not lesionseg's own; each is an extra of the same name."""


def build(name: str, node: Any, **arguments: Any) -> Any:
    """Builds a configured part.

    Args:
        name: Its place in the configuration, for the message.
        node: With `_target_`, or a mapping of such nodes.
        arguments: Objects the configuration cannot hold.

    Raises:
        InputError: The part refuses its settings, is not of the kind that its group holds, or needs a package that is
            not installed.
    """
    part = _built(name, node, **arguments)
    for fault in kind_faults(name, part):
        raise InputError(fault)
    return part


def _built(name: str, node: Any, **arguments: Any) -> Any:
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from None
        extra = next((extra for extra in EXTRAS if extra in str(cause)), None)
        if isinstance(cause, ModuleNotFoundError) and extra is not None:
            raise InputError(f"{name} needs {extra}: pip install 'lesionseg[{extra}]', or leave it out") from None
        # Constructors only look at their settings, so whatever they raise is about these.
        raise InputError(f"{name}: {cause}") from error
