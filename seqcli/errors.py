"""The user's faults, as errors that say what is wrong, why it matters and how to fix it."""


class SeqcliError(Exception):
    """A fault that the user can mend; `cli` shows it once and leaves with `exit_status`."""

    exit_status = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix


class DataError(SeqcliError):
    """Text that cannot be used as it is: missing, misaligned, not UTF-8, empty."""


class ModelError(SeqcliError):
    """A model's folder that is missing, broken, foreign or of a newer format."""


class PeerGone(SeqcliError):
    """Another process of a training has ended, so this one cannot go on either."""


class OutputError(SeqcliError):
    """A result that cannot be written where it was asked for."""


class ConfigError(SeqcliError):
    """A setting that is unknown, of the wrong type or out of its range."""

    exit_status = 2


class UsageError(SeqcliError):
    """Options that do not go together."""

    exit_status = 2
