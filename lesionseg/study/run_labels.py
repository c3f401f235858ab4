"""What each method is called in tables: short, and no two alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from lesionseg.study.method import Method, made_of


def labels_of(methods: Sequence[Method]) -> list[str]:
    """Names each method after its first run.

    Methods of one name get all values of their configuration behind it in which they differ, for example
    `unet (model.base_channels=16, optimizer.lr=0.001)`; where there is none, their folder's name; and
    where even that is the same, its path.
    """
    groups: dict[str, list[int]] = {}
    for number, method in enumerate(methods):
        groups.setdefault(method.runs[0].name, []).append(number)
    labels: dict[int, str] = {}
    for name, numbers in groups.items():
        group = [methods[number] for number in numbers]
        labels |= dict(zip(numbers, _unique(name, group) if len(group) > 1 else [name], strict=True))
    return [labels[number] for number in range(len(methods))]


def _unique(name: str, methods: Sequence[Method]) -> list[str]:
    folders = [method.runs[0].folder.absolute() for method in methods]
    additions = _telling_values([made_of(method.runs[0]) for method in methods])
    for alternative in ([folder.name for folder in folders], [str(folder) for folder in folders]):
        if len(set(additions)) < len(methods):
            additions = alternative
    return [f"{name} ({addition})" for addition in additions]


def _telling_values(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Words every value in which the configurations differ.

    Of parts of two classes only the classes are named: their other settings belong to them.
    """
    names = list(dict.fromkeys(name for config in configs for name in config))
    differing = [name for name in names if len({str(config.get(name)) for config in configs}) > 1]
    classes = {name.removesuffix("_target_") for name in differing if name.endswith("._target_")}
    told = [
        name for name in differing if name.endswith("._target_") or not any(name.startswith(part) for part in classes)
    ]
    return [", ".join(filter(None, (_worded(name, config) for name in told))) for config in configs]


def _worded(name: str, config: Mapping[str, Any]) -> str:
    """Words a setting; of a class only its name."""
    if name not in config:
        return ""
    value = str(config[name])
    if name.endswith("_target_"):
        return f"{name.removesuffix('._target_')}={value.rpartition('.')[2]}"
    return f"{name}={value}"
