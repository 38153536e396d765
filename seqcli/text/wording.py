"""Words that depend on a number."""


def beside(count: int, noun: str) -> str:
    """Return a plural noun as it stands beside a count: "pair" beside 1, "pairs" beside others."""
    return noun.removesuffix("s") if count == 1 else noun
