"""What the settings of all models have in common."""

import msgspec

from seqcli.config import Config


class ModelConfig(Config):
    """Sizes and choices of a model: the section `model` of a recipe."""

    @property
    def drops_anything(self) -> bool:
        """Whether units or words are dropped at random while the model learns."""
        return _drops(self)

    def summary(self) -> str:
        """Describe the model in a line."""
        raise NotImplementedError  # not abstract: the metaclass of msgspec is not that of abc


def _drops(config: Config) -> bool:
    return any(
        _drops(value) if isinstance(value, Config) else "dropout" in name and bool(value)
        for name, value in msgspec.structs.asdict(config).items()
    )
