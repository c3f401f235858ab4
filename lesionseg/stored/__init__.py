"""Opening a stranger's checkpoint: its zip file, pickle, contents, parts and weights, each held to what it may be."""
