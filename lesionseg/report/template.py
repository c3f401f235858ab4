"""Pages and cards made from the Jinja templates beside this file."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(name: str, values: Mapping[str, Any], filters: Mapping[str, Callable[..., Any]] | None = None) -> str:
    """Fills a template; values are escaped in HTML, and left to a filter in Markdown.

    Args:
        name: File name of the template.
        values: Names that the template uses; a missing one is an error.
        filters: Functions that the template uses as filters.
    """
    environment = Environment(
        loader=PackageLoader("lesionseg.report", "."),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Jinja's tojson writes `<` as \u003c, so that no id ends a script element; sorted keys would reorder strata.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= filters or {}
    return environment.get_template(name).render(values)
