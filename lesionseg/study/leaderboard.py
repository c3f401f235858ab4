"""A sweep's leaderboard: as data, as Markdown and on the terminal."""

import csv
import io
import math

from rich.markup import escape
from rich.table import Table

from lesionseg.metrics.delivered import EXPLANATION
from lesionseg.report.markdown import markdown_cell, markdown_table
from lesionseg.report.terminal import console, empty_table
from lesionseg.study.sweep import Job, Sweep
from lesionseg.system.files import write_whole

CSV, MARKDOWN = "leaderboard.csv", "leaderboard.md"
TEST_SCORES = ("test/jaccard", "test/dice", "test/threshold_jaccard")
"""For people; the CSV has all."""
MOST_ROWS = 30
"""On the terminal; a search of hundreds should not scroll its best jobs away."""


def write_leaderboard(sweep: Sweep) -> None:
    """Writes `leaderboard.csv` and `leaderboard.md` into the sweep's folder, in place of earlier ones.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    write_whole(sweep.folder / CSV, csv_text(sweep))
    write_whole(sweep.folder / MARKDOWN, markdown(sweep))


def csv_text(sweep: Sweep) -> str:
    """Writes a row for each job in full precision; what is unknown stays empty.

    The times are the last three columns (`started`, `ended`, `seconds`): all others are the same whenever the same
    jobs are run.
    """
    results = _all_results(sweep)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    times = ["started", "ended", "seconds"]
    writer.writerow(["rank", "job", "state", *sweep.parameters, *results, "reason", *times])
    for job in sweep.ranking:
        parameters = [job.overrides.get(name) for name in sweep.parameters]
        numbers = [job.results.get(name) for name in results]
        ended = [job.reason, job.started, job.ended, job.seconds]
        writer.writerow([sweep.rank(job), job.name, job.state, *parameters, *numbers, *ended])
    return text.getvalue()


def markdown(sweep: Sweep) -> str:
    """Writes the table in rounded numbers, and below it why jobs have not finished."""
    parts = [markdown_table(title(sweep), headings(sweep), [words(job, sweep) for job in sweep.ranking])]
    parts += [f"{text}\n" for text in _explanation(sweep)]
    reasons = [f"- {markdown_cell(reason)}" for reason in unfinished(sweep)]
    if reasons:
        parts.append("\n".join([f"{_counted(len(reasons), sweep)} have not finished:", "", *reasons, ""]))
    return "\n".join(parts)


def print_leaderboard(sweep: Sweep) -> None:
    """Prints the best jobs, and why others have not finished."""
    screen = console()
    screen.print(_table(sweep))
    left_out = len(sweep.jobs) - MOST_ROWS
    lines = [f"... and {left_out} more, see {MARKDOWN}"] if left_out > 0 else []
    reasons = unfinished(sweep)
    lines += reasons[:MOST_ROWS]
    if len(reasons) > MOST_ROWS:
        lines.append(f"... and {len(reasons) - MOST_ROWS} more that have not finished, see {MARKDOWN}")
    for line in [*_explanation(sweep), *lines]:
        print(line, flush=True)


def title(sweep: Sweep) -> str:
    """Says what the jobs are ordered by."""
    return f"{_counted(len(sweep.jobs))} by {sweep.ranked_by}, {'highest' if sweep.mode == 'max' else 'lowest'} first"


def headings(sweep: Sweep) -> list[str]:
    """Heads the columns of `words`."""
    return ["rank", "job", "state", *sweep.parameters, *_values(sweep), *_test_scores(sweep), "minutes"]


def words(job: Job, sweep: Sweep) -> list[str]:
    """Words one job's row; `-` stands for what it has not."""
    rank = sweep.rank(job)
    parameters = [shortened(job.overrides.get(name, "-")) for name in sweep.parameters]
    scores = [_score(job.results.get(name)) for name in (*_values(sweep), *_test_scores(sweep))]
    minutes = "-" if job.seconds is None else f"{job.seconds / 60:.1f}"
    return ["-" if rank is None else str(rank), job.name, job.state, *parameters, *scores, minutes]


def unfinished(sweep: Sweep) -> list[str]:
    """Says of each job that has not finished why, in a line, in the order of the leaderboard."""
    return [
        f"job {job.name} ({job.state})" + (f": {job.reason}" if job.reason else "")
        for job in sweep.ranking
        if job.state != "finished"
    ]


def shortened(value: str) -> str:
    """Rounds a number that a sampler has drawn, `0.00037454011884736254`, to four digits; leaves all else."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number:.4g}" if len(value) > len("0.00025") and math.isfinite(number) else value


def _all_results(sweep: Sweep) -> list[str]:
    """Orders the names of all results: what the jobs are compared by, the monitored one, the test's, the others."""
    names = {name for job in sweep.jobs for name in job.results} - set(_values(sweep))
    return [*_values(sweep), *sorted(names, key=lambda name: (not name.startswith("test/"), name))]


def _values(sweep: Sweep) -> list[str]:
    """Names the value that the jobs are compared by and, where that is another one, the monitored one."""
    return list(dict.fromkeys([sweep.ranked_by, sweep.monitor]))


def _explanation(sweep: Sweep) -> list[str]:
    return [EXPLANATION] if sweep.ranked_by != sweep.monitor else []


def _test_scores(sweep: Sweep) -> list[str]:
    shown = (name for name in TEST_SCORES if name not in _values(sweep))
    return [name for name in shown if any(name in job.results for job in sweep.jobs)]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _counted(count: int, of: Sweep | None = None) -> str:
    if of is not None:
        return f"{count} of {_counted(len(of.jobs))}"
    return "1 job" if count == 1 else f"{count} jobs"


def _table(sweep: Sweep) -> Table:
    """Lays the table out narrowly: headings break after dots and slashes, numbers never."""
    table = empty_table(title(sweep))
    for heading in headings(sweep):
        is_word = heading in ("state", *sweep.parameters)
        broken = escape(heading.replace(".", ".\n").replace("/", "/\n"))
        table.add_column(broken, justify="left" if is_word else "right", overflow="fold", no_wrap=not is_word)
    for job in sweep.ranking[:MOST_ROWS]:
        table.add_row(*map(escape, words(job, sweep)))
    return table
