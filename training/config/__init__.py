"""The training configuration: a file in, frozen values or all its mistakes at once out."""

from training.config.load import ConfigError, load
from training.config.presence import missing, require_files
from training.config.values import TrainingConfig

__all__ = ["ConfigError", "TrainingConfig", "load", "missing", "require_files"]
