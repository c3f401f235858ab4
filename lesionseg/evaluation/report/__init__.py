"""Pages, pictures and tables of an evaluation."""
