"""The machine and the run folder: cores, memory, devices, processes, files and signals."""
