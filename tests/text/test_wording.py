from seqcli.text.wording import beside


def test_one_thing_alone_is_no_plural() -> None:
    told = [f"{count} {beside(count, noun)}" for noun in ("pairs", "texts") for count in (0, 1, 2)]
    assert told == ["0 pairs", "1 pair", "2 pairs", "0 texts", "1 text", "2 texts"]
