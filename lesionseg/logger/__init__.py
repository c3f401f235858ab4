"""Loggers of lesionseg's own, and what others are kept from."""

import os

# Where there is no network, nothing is to look for one: MLflow would ask its makers' server once a run, and Weights &
# Biases report its own errors. Both are free to be switched on again.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
