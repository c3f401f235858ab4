"""Building a configured part, with a message for its user where it refuses."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from lesionseg.errors import InputError


def build(name: str, node: Any, **arguments: Any) -> Any:
    """Builds a configured part.

    Args:
        name: Its place in the configuration, for the message.
        node: With `_target_`, or a mapping of such nodes.
        arguments: Objects the configuration cannot hold.

    Raises:
        InputError: The part refuses its settings.
    """
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from None
        # Constructors only look at their settings, so whatever they raise is about these.
        raise InputError(f"{name}: {cause}") from error
