from pathlib import Path

import pytest

from seqcli.api.phrase_system import load_phrase_translator
from seqcli.api.train_statistical import train_statistical
from tests.api.statistical import smt_recipe


@pytest.mark.parametrize(
    ("unknown_words", "expected"), [("copy", "DER dog"), ("look-up", "The dog")]
)
def test_a_word_that_no_phrase_has_is_copied_or_looked_up_as_the_recipe_says(
    unknown_words: str, expected: str, tmp_path: Path
) -> None:
    recipe = smt_recipe(tmp_path, decoding={"unknown_words": unknown_words})
    train_statistical(recipe, tmp_path / "model", threads=1)
    translator = load_phrase_translator(str(tmp_path / "model"))
    line = "DER Hund sieht einen Baum."  # a word that begins lines alone has no usual casing
    assert expected in next(translator.translate([line])).text
