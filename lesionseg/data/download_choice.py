"""Which source is to be downloaded, and to where."""

from pathlib import Path

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.build import build
from lesionseg.data.combined import Combined
from lesionseg.data.source import Source
from lesionseg.errors import InputError

EXAMPLE = "python -m lesionseg.download data=isic2018 data.root=FOLDER"


def chosen_source(cfg: DictConfig) -> tuple[Source, Path]:
    """Builds the source that `data=...` names, which touches no file.

    Returns:
        The source, and the folder that its archives unpack in; it need not exist.

    Raises:
        InputError: No source was named, it has nothing to download, or it refuses its settings.
    """
    if OmegaConf.is_missing(cfg, "data") or cfg.data is None:
        raise InputError(f"data is not given; say which data to download, for example {EXAMPLE}")
    # Asked of the class: a source without archives may need settings that only training has.
    kind = _class_of(cfg.data)
    if not kind.ARCHIVES:
        raise InputError(_no_archives(kind))
    root = _root(cfg.data.get("root"))
    source: Source = build("data", cfg.data)
    return source, root


def name_of(kind: type[Source]) -> str:
    """Returns what `data=...` calls a source: its YAML and its module have one name."""
    return kind.__module__.rpartition(".")[2]


def _class_of(node: DictConfig) -> type[Source]:
    try:
        kind = get_class(node["_target_"])
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"data._target_ is {node['_target_']}, which cannot be used: {error}") from error
    if not issubclass(kind, Source):
        raise InputError(f"data._target_ is {node['_target_']}, which is no data source; take it from conf/data")
    return kind


def _no_archives(kind: type[Source]) -> str:
    name = name_of(kind)
    if issubclass(kind, Combined):
        return f"data={name} joins several sources; download each of them by itself, for example {EXAMPLE}"
    return f"data={name} has no archives to download. {kind.HOW_TO_GET or 'It needs no files.'}"


def _root(given: object) -> Path:
    """Returns the folder as an absolute path; a number or null is refused here, where it can be named."""
    if not isinstance(given, str) or not given:
        raise InputError(f"data.root is {given!r}; allowed: a folder, for example data.root=data/isic2018")
    return Path(given).absolute()
