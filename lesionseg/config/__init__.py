"""Configuration: its schema, the command line, and building what it names."""
