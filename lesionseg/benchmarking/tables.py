"""A benchmark in words, the same for the terminal and for Markdown."""

from lesionseg.benchmarking.report import Line, Report, SubjectFacts
from lesionseg.report.table import Table

NOTHING = "-"


def speed_table(report: Report) -> Table:
    """Words every measurement."""
    headings = ["stage", "what", "network", "images/s", "middle half", f"times {report.first}", "how"]
    return Table("Images a second", headings, [_speed_row(line) for line in report.lines])


def subject_table(report: Report) -> Table:
    """Words what each network costs beside time."""
    headings = ["network", "parameters", "GFLOPs an image", "training step's peak memory", "how"]
    return Table("Networks", headings, [_subject_row(subject) for subject in report.subjects])


def notes(report: Report) -> list[str]:
    """Says on what machine and how it was measured."""
    config, before, after = report.config, report.limits["before"], report.limits["after"]
    size = config["image_size"]
    sentences = [
        f"{report.environment['date']}, {report.device}; {before['usable_cores']} usable cores, "
        f"{before['torch_threads']} PyTorch threads, load average {_load(before)} before and {_load(after)} after.",
        _versions(report),
        f"Images of {size} x {size} pixels. Median of {config['rounds']} rounds of about {config['seconds']:g} s each, "
        "in which everything takes its turn, and where the middle half of the rounds lies. "
        "A limit (=) is a part of the stage that nothing can do without.",
        "FLOPs: 2 for each multiplication with its addition, of convolutions and matrix products; MACs are half of it. "
        f"Peak memory: of training at batch {config['batch_size']}, in a process of its own: what it grows by once "
        "the libraries are loaded, or on a GPU what PyTorch allocated.",
    ]
    if before["load_average"] and before["load_average"][0] > before["usable_cores"] / 2:
        sentences.append("Other work was using the machine when this began: read the numbers with that in mind.")
    return sentences


def number(value: float) -> str:
    """Words a speed in three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """Words a ratio; a fraction where it is below 1, as 1/25.6 is easier to read than 0.0391."""
    return number(ratio) if ratio >= 0.995 else f"1/{number(1 / ratio)}"


def _speed_row(line: Line) -> list[str]:
    row, spread = line.speed.row, line.spread
    what = f"= {row.way}" if row.is_limit else row.way
    if spread is None:
        return [row.stage, what, row.subject, NOTHING, NOTHING, NOTHING, line.speed.missing or ""]
    half = f"{number(spread.lower_quartile)} to {number(spread.upper_quartile)}"
    ratio = NOTHING if line.ratio is None else times(line.ratio)
    return [row.stage, what, row.subject, number(spread.median), half, ratio, row.detail]


def _subject_row(subject: SubjectFacts) -> list[str]:
    memory = NOTHING
    if subject.peak_memory is not None:
        memory = f"{subject.peak_memory / 1e6:,.0f} MB"
    elif subject.peak_memory_missing is not None:
        memory = f"{NOTHING} ({subject.peak_memory_missing})"
    return [subject.name, f"{subject.parameters:,}", f"{subject.flops / 1e9:.3g}", memory, subject.words]


def _versions(report: Report) -> str:
    code, libraries = report.environment["code"], report.environment["libraries"]
    commit = f", commit {code['git_commit'][:12]}" if code["git_commit"] else ""
    changed = " with changes" if code["git_dirty"] else ""
    return (
        f"lesionseg {code['version']}{commit}{changed}; Python {libraries['python']}, PyTorch {libraries['torch']}, "
        f"{report.environment['machine']['platform']}."
    )


def _load(limits: dict[str, list[float] | None]) -> str:
    average = limits["load_average"]
    return "not known" if average is None else f"{average[0]:.1f}"
