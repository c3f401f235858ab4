"""Results for people: tables, charts, terminal, HTML, Markdown, LaTeX and model cards."""
