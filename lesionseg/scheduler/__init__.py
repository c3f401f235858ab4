"""Learning-rate schedules; each file has one function that gives Lightning's scheduler settings."""
