from lesionseg.report.markdown import markdown_cell, markdown_table


def test_a_table_has_its_title_a_head_and_a_row_a_line() -> None:
    table = markdown_table("Speed", ["way", "images/s"], [["eager", "3"], ["onnx", "4"]])
    assert table == "**Speed**\n\n| way | images/s |\n| --- | --- |\n| eager | 3 |\n| onnx | 4 |\n"


def test_no_name_breaks_out_of_its_cell() -> None:
    assert markdown_cell("a|b <script>\nc") == "a\\|b &lt;script> c"
