"""The signs by which a tokenizer is known in text that should be raw."""

import re

# What tokenizers leave behind and raw text has at most by accident. Not " ?", " !" and " :",
# which raw French has.
SIGNS = {
    "a space before a full stop or comma": re.compile(r"\S [.,\u3002\u3001\uff0c](?=\s|$)"),
    "a contraction cut off from its word": re.compile(
        r"\w (?:n['\u2019]t|['\u2019](?:s|t|m|d|re|ve|ll))(?=\s|$)", re.IGNORECASE
    ),
    "an escaped character such as &apos;": re.compile(r"&(?:apos|quot|amp|lt|gt|#9[13]|#124);"),
    "a hyphen written @-@": re.compile(r" @-@ "),
    "a subword mark (@@ or ▁)": re.compile(r"@@(?=\s|$)|▁"),
}
SUSPICIOUS_SHARE = 0.1  # of lines with any sign: raw captions and news have under one in a hundred


def has_sign(line: str) -> bool:
    """Whether a line has any of the signs."""
    return any(pattern.search(line) for pattern in SIGNS.values())
