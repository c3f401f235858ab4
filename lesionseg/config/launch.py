"""From a command line to a verb: composing, and turning mistakes and faults into one message and an exit code."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import lesionseg
from lesionseg.config.command_line import literal_words
from lesionseg.config.explain import explain
from lesionseg.config.help_page import for_example, help_page, root_comments
from lesionseg.config.old_names import current_words, rename_targets
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import FaultError, InputError, InterruptionError
from lesionseg.system.files import disk_fault_of, outlast_readers

WRONG_INPUT = 2
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

    def run(cfg: DictConfig) -> Any:
        ending.has_composed = True
        with ending.of_verb():
            rename_targets(cfg)
            _check_given(config_name, cfg)
            return verb(cfg)

    with ending.of_words():
        given = literal_words(current_words(config_name, sys.argv[1:]))
        sys.argv[1:] = current_words(config_name, arguments(given))  # a resumed sweep's own words may be old
    with ending.of_hydra(config_name), _hydra_raises():
        _answer_or_run(config_name, run)


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Has Hydra raise what it would otherwise print and end with exit code 1, and leaves the environment as it was."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


@dataclass
class _Ending:
    """End of a launch that cannot go on: one message and an exit code.

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
        """Ends with what a verb raises, at once: Hydra puts lines of its own around what passes through it."""
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
            asks_for_more = isinstance(error, OverrideParseException) or "You must specify" in str(error)
            self.end(InputError(f"{explain(error)}\n{for_example(config_name)}") if asks_for_more else error)
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
        """Ends with a plain ValueError of Optuna or Hydra; any other one is raised."""
        if str(error).startswith("No trials are completed yet"):  # Optuna's words
            self.end(FaultError("every job of the sweep has failed; leaderboard.md in its folder says why"), FAULT)
        if self.has_composed:
            raise error
        # Hydra refuses data=null so.
        self.end(InputError(f"{error}. A whole group cannot be null; choose one of its files, see --help"))


def _answer_or_run(config_name: str, run: Callable[[DictConfig], Any]) -> None:
    """Prints the help page if it is asked for; otherwise has Hydra compose the configuration and run."""
    words = sys.argv[1:]
    if _asks_for_help(words):
        print(help_page(config_name, [word for word in words if word not in (*HELP, *SWEEP)]), end="")
        return
    hydra.main(config_path=str(CONF), config_name=config_name, version_base="1.3")(run)()


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
