from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate, Summary
from lesionseg.report.table_row import latex_row, markdown_row


@pytest.fixture
def known(summary: Summary) -> Summary:
    """A summary whose numbers are easily written by hand."""
    metrics = dict.fromkeys(summary.metrics, Estimate(0.85216, 0.84, 0.8649)) | {"hd95": Estimate(3.14, 2.0, 4.5)}
    return replace(summary, name="plain", metrics=metrics)


def test_markdown_is_a_table_of_one_row(known: Summary):
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown_row(known))

    assert html.count("<tr>") == 2
    assert html.count("<th ") == html.count("<td ") == 9
    assert ">85.2 [84.0, 86.5]<" in html
    assert ">3.1 [2.0, 4.5]<" in html
    assert HOW in html


def test_markdown_shows_every_character_of_the_name(known: Summary):
    html = MarkdownIt().enable("table").render(markdown_row(replace(known, name=r"a|b <c> *d* `e` [f](g) \| U_Net")))

    assert r">a|b &lt;c&gt; *d* `e` [f](g) \| U_Net<" in html


def test_latex_is_heading_rule_and_row(known: Summary):
    comment, heading, rule, row = latex_row(known).splitlines()

    assert comment.startswith("% ")
    assert HOW in comment
    assert heading.startswith("Method & $N$ & Jaccard & Dice & threshold Jaccard")
    assert heading.endswith(r"HD95 (\% diag.) \\")
    assert rule == r"\midrule"
    assert row == "plain & 12 & " + "85.2 [84.0, 86.5] & " * 6 + r"3.1 [2.0, 4.5] \\"


def test_latex_escapes_every_special_character(known: Summary):
    row = latex_row(replace(known, name=r"_ & % # $ { } ~ ^ \ < [")).splitlines()[-1]

    written = r"\_ \& \% \# \$ \{ \} \textasciitilde{} \textasciicircum{} \textbackslash{} \textless{} {[} & 12 &"
    assert row.startswith(written)


@pytest.mark.parametrize("write", [markdown_row, latex_row])
def test_one_image_has_no_interval_and_a_name_no_line_break(write, known: Summary):
    single = replace(known, name="a\nb", metrics=dict.fromkeys(known.metrics, Estimate(0.5, None, None)))

    lines = write(single).splitlines()
    assert "a b" in lines[-1]
    assert " 50.0 " in lines[-1]
    assert "[" not in lines[-1]
