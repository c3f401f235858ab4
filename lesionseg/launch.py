"""From a command line to a verb: composing, and turning mistakes and faults into one message and an exit code."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

import lesionseg
from lesionseg.config import CONF, register_schemas
from lesionseg.disk_faults import disk_fault_of
from lesionseg.errors import FaultError, InputError, InterruptionError
from lesionseg.help_page import for_example, help_page, root_comments
from lesionseg.literal_words import literal_words
from lesionseg.near_keys import near_keys
from lesionseg.standard_streams import outlast_readers

WRONG_INPUT = 2
PLUGINS = "pip install 'lesionseg[sweep]' (Optuna, joblib), 'lesionseg[slurm]' (submitit) or 'lesionseg[ray]'"
FAULT = 1
FULL_ERROR = "HYDRA_FULL_ERROR"
HELP = ("--help", "-h")
SWEEP = ("--multirun", "-m")


def launch(
    config_name: str, verb: Callable[[DictConfig], Any], *, arguments: Callable[[Sequence[str]], list[str]] = list
) -> None:
    """Composes `conf/<config_name>.yaml` with the command line and runs the verb on it.

    A user's mistake ends with a message and exit code 2, a fault of the machine with 1, a signal with 128 and its
    number; `HYDRA_FULL_ERROR=1` shows a traceback instead. Anything else is a fault of the program and keeps its own.
    A reader of what is printed who goes away (`| head`) changes neither the work nor its exit code. `--help` and
    `--version` are answered without running it.

    Args:
        config_name: Name of the root YAML.
        verb: Function that gets the configuration.
        arguments: Completes the command line, before Hydra sees it; gets `literal_words`.
    """
    outlast_readers()
    if "--version" in sys.argv[1:]:
        print(f"lesionseg {lesionseg.__version__}")
        return
    register_schemas()
    ending = _Ending(wants_traceback=os.environ.get(FULL_ERROR) == "1")
    os.environ[FULL_ERROR] = "1"  # Hydra then raises what it would print and end with exit code 1

    def run(cfg: DictConfig) -> Any:
        ending.has_composed = True
        with ending.of_verb():
            _check_given(config_name, cfg)
            return verb(cfg)

    with ending.of_words():
        sys.argv[1:] = arguments(literal_words(sys.argv[1:]))
    with ending.of_hydra(config_name):
        _answer_or_run(config_name, run)


@dataclass
class _Ending:
    """How a launch ends that cannot go on: with one message and an exit code.

    Attributes:
        wants_traceback: Whether the error is raised instead.
        has_composed: Whether Hydra has handed the configuration over.
    """

    wants_traceback: bool
    has_composed: bool = False

    def end(self, error: BaseException, code: int = WRONG_INPUT) -> NoReturn:
        """Prints an error's message and exits."""
        if self.wants_traceback:
            raise error
        print(f"\nlesionseg: {explain(error)}", file=sys.stderr)
        sys.exit(code)

    def end_fault(self, error: OSError) -> NoReturn:
        """Ends with a fault of the disk; any other error of the system is raised."""
        fault = disk_fault_of(error)
        if fault is None:
            raise error
        self.end(fault, FAULT)

    @contextmanager
    def of_words(self) -> Iterator[None]:
        """Ends with a mistake in the words of the command line."""
        try:
            yield
        except InputError as error:
            self.end(error)

    @contextmanager
    def of_verb(self) -> Iterator[None]:
        """Ends with what a verb raises, at once: what passes through Hydra gets its own lines around it."""
        try:
            yield
        except InputError as error:
            self.end(error)
        except FaultError as error:
            self.end(error, FAULT)
        except OSError as error:
            self.end_fault(error)

    @contextmanager
    def of_hydra(self, config_name: str) -> Iterator[None]:
        """Ends with what Hydra raises or lets through."""
        try:
            yield
        except (HydraException, OmegaConfBaseException) as error:
            self.end(_with_example(error, config_name))
        except ValueError as error:
            self._end_value(error)
        except OSError as error:  # of Hydra's own, which makes the run's folder
            self.end_fault(error)
        except InterruptionError as error:
            self.end(error, 128 + error.signal_number)
        except KeyboardInterrupt:
            print("\nlesionseg: stopped", file=sys.stderr)
            sys.exit(130)

    def _end_value(self, error: ValueError) -> NoReturn:
        """Ends with what Optuna and Hydra say by a plain ValueError; any other one is raised."""
        if str(error).startswith("No trials are completed yet"):  # Optuna's words
            self.end(FaultError("every job of the sweep has failed; leaderboard.md in its folder says why"), FAULT)
        if self.has_composed:
            raise error
        # How Hydra refuses data=null.
        self.end(InputError(f"{error}. A whole group cannot be null; choose one of its files, see --help"))


def _answer_or_run(config_name: str, run: Callable[[DictConfig], Any]) -> None:
    """Prints the help page where it is asked for; otherwise has Hydra compose the configuration and run."""
    words = sys.argv[1:]
    if _asks_for_help(words):
        print(help_page(config_name, [word for word in words if word not in (*HELP, *SWEEP)]), end="")
        return
    hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")(run)()


def _with_example(error: BaseException, config_name: str) -> BaseException:
    """Adds an example to Hydra's message where a word is malformed or a choice is missing."""
    asks_for_more = isinstance(error, OverrideParseException) or "You must specify" in str(error)
    return InputError(f"{explain(error)}\n{for_example(config_name)}") if asks_for_more else error


def explain(error: BaseException) -> str:
    """Words an error for its user: what was found and, for an unknown key, what is allowed."""
    if re.search(r"Could not find 'hydra/(sweeper/optuna|launcher/(joblib|submitit_\w+|ray\w*))'", str(error)):
        return f"this needs a plugin of Hydra: {PLUGINS}"
    cause: BaseException | None = error
    seen: set[int] = set()  # causes may form a circle
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.parent_node is not None:
            return _unknown_key(cause)
        cause = cause.__cause__
    if place := _folder_for_source(error):
        return place
    reason = f"\n{error.__cause__}" if isinstance(error, HydraException) and error.__cause__ else ""
    return f"{_without_worker(str(error))}{reason}"


def _without_worker(message: str) -> str:
    """Takes out what torch puts around an error of a data worker: its traceback, which is no user's business."""
    return message.rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].rstrip()


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    """Names the unknown key, the likely one and the allowed ones."""
    parent: Any = error.parent_node
    key = str(error.key)
    allowed = sorted(str(name) for name in parent) if isinstance(parent, DictConfig) else []
    place = error.full_key.rpartition(".")[0] if error.full_key else ""
    whole: Any = OmegaConf.to_container(parent._get_root(), resolve=False)
    likely = near_keys(key, place, whole)
    hint = f" Did you mean {' or '.join(likely)}?" if likely else ""
    where = f"'{place}'" if place else "the configuration"
    if not allowed:
        return f"there is no key '{key}' in {where}, which is empty. Choose one of its files too: {place}=NAME"
    return f"there is no key '{key}' in {where}.{hint}\nAllowed there: {', '.join(allowed)}"


def _asks_for_help(words: Sequence[str]) -> bool:
    """Whether the help page is wanted, and not Hydra's, which knows its other options."""
    options = {word for word in words if word.startswith("-")}
    return not options.isdisjoint(HELP) and options <= {*HELP, *SWEEP}


def _check_given(verb: str, cfg: DictConfig) -> None:
    """Makes sure that the keys without a default have been given.

    Raises:
        InputError: Says which have not, what they are, and an example.
    """
    missing = [str(key) for key in cfg if OmegaConf.is_missing(cfg, key)]
    if missing:
        comments = root_comments(verb)
        lines = [f"  {key}=...  {comments.get(key, '')}".rstrip() for key in missing]
        raise InputError("\n".join([f"lesionseg.{verb} needs:", *lines, for_example(verb)]))


def _folder_for_source(error: BaseException) -> str | None:
    """Says what to do where `data=` was given a folder in place of a kind of source."""
    missing = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    group, _, name = (missing or "").partition("/")
    if group != "data" or not Path(name).exists():
        return None
    return f"data={name} is a place; data names a kind of source. For images of your own: data=folder data.root={name}"
