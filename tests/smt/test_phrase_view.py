import pytest

from seqcli.api.phrase_system import load_phrase_parts, translator_of
from seqcli.api.train_statistical import train_statistical
from seqcli.smt.phrase_files import PhraseSystem
from seqcli.smt.phrase_view import view_derivation, view_phrases, view_weights, view_words
from seqcli.smt.recipe import SmtRecipe
from tests.api.statistical import smt_recipe

Parts = tuple[SmtRecipe, PhraseSystem]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("view")
    train_statistical(smt_recipe(folder, valid=False), folder / "m")
    return load_phrase_parts(str(folder / "m"))


def test_phrases_of_a_text_come_with_probabilities_the_best_first(parts: Parts) -> None:
    found = view_phrases(parts[1], "m", "Der Hund", 2)
    assert found.words == ["Der", "Hund"]
    assert {pair.source for pair in found.pairs} == {"Der", "Hund", "Der Hund"}
    by_source = [pair for pair in found.pairs if pair.source == "Hund"]
    assert by_source[0].target == "dog"
    shares = [pair.probabilities["target_given_source"] for pair in by_source]
    assert shares == sorted(shares, reverse=True)
    for pair in found.pairs:
        assert sum(pair.to_previous.values()) == pytest.approx(1, abs=1e-5)
        assert sum(pair.to_next.values()) == pytest.approx(1, abs=1e-5)


def test_no_phrase_of_unknown_or_empty_text_is_found(parts: Parts) -> None:
    assert view_phrases(parts[1], "m", "zzz", 5).pairs == []
    assert view_phrases(parts[1], "m", " ", 5).pairs == []


def test_the_weighted_features_of_a_derivation_sum_to_its_score(parts: Parts) -> None:
    recipe, system = parts
    translator = translator_of(system, recipe.decoding)
    line = "Der Hund sieht einen Baum."
    found = view_derivation(system, translator, "m", line)
    (translation,) = translator.translate([line])
    assert found.translation == translation.text
    assert found.score == pytest.approx(translation.hypotheses[0].score)
    assert sum(found.weighted.values()) == pytest.approx(found.score)
    assert sum(phrase.end - phrase.begin for phrase in found.phrases) == 6


def test_the_view_of_the_language_model_sums_to_its_feature(parts: Parts) -> None:
    recipe, system = parts
    translator = translator_of(system, recipe.decoding)
    found = view_derivation(system, translator, "m", "Der Mann wirft einen Ball.")
    total = sum(view.log_probability for view in found.language_model)
    assert total == pytest.approx(found.features["language_model"], rel=1e-5)


def test_the_matched_order_is_that_of_the_longest_ngram_seen(parts: Parts) -> None:
    views = view_words(parts[1], ["The", "dog", "zzz", "The", "dog"])
    assert [view.order for view in views] == [2, 3, 1, 1, 2, 1]
    assert [view.is_known for view in views] == [True, True, False, True, True, True]
    assert views[-1].word == "</s>"


def test_weights_are_those_of_the_system(parts: Parts) -> None:
    assert list(view_weights(parts[1], "m").weights.values()) == parts[1].model.weights.tolist()
