"""Words and tags in a line, as taggers read and write them."""


def split_words(line: str) -> list[str]:
    """Cut a line at spaces and tabs alone: a no-break space inside a word stays there.

    A line of white space alone, of whatever kind, has no words.
    """
    return [word for word in line.replace("\t", " ").split(" ") if word] if line.strip() else []
