"""What the settings of all models have in common."""

from seqcli.config import Config


class ModelConfig(Config):
    """Sizes and choices of a model: the section `model` of a recipe."""

    def summary(self) -> str:
        """Describe the model in a line."""
        raise NotImplementedError  # not abstract: the metaclass of msgspec is not that of abc
