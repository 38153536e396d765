"""How a line is mended: what does not belong in text is taken out, letters are composed."""

import re
import unicodedata

BYTE_ORDER_MARK = "\ufeff"
# All but the tab, which is a space; the last two end a line for some programs only.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_BETWEEN_WORDS = re.compile("[\x0a-\x0d\x1c-\x1f\x85\u2028\u2029]+")


def _without_marks(line: str) -> str:
    return line.replace(BYTE_ORDER_MARK, "")


def _without_controls(line: str) -> str:
    if not CONTROL.search(line):
        return line
    return CONTROL.sub("", _BETWEEN_WORDS.sub(" ", line)).strip()


def _composed(line: str) -> str:
    return unicodedata.normalize("NFC", line)


MENDINGS = {  # by the rule of the check that finds the fault; in this order
    "byte_order_marks": _without_marks,
    "control_characters": _without_controls,
    "not_composed": _composed,
}


def mend(line: str) -> str:
    """Mend what can be mended; a line that was mended stays as it is."""
    for mending in MENDINGS.values():
        line = mending(line)
    return line
