import os
from pathlib import Path

import msgspec
import pytest

from seqcli.config import from_dict, to_toml
from seqcli.errors import ConfigError, DataError, UsageError
from seqcli.experiment import RECIPES, TranslationRecipe, recipe_from, resolve_recipe


def corpus(folder: Path, num_pairs: int = 3) -> dict[str, tuple[str, str]]:
    paths = (folder / "a", folder / "b")
    for path in paths:
        path.write_text("x\n" * num_pairs)
    return {"train": (str(paths[0]), str(paths[1]))}


def resolve(folder: Path, *assignments: str, toml: str | None = None) -> TranslationRecipe:
    path = None
    if toml is not None:
        path = folder / "recipe.toml"
        path.write_text(toml)
    return resolve_recipe(path, files=corpus(folder), assignments=assignments)


def test_larger_corpora_get_larger_models_with_less_dropout() -> None:
    recipes = [
        from_dict(TranslationRecipe.sizes_for(num_pairs), TranslationRecipe, origin="sizes")
        for num_pairs in (1_000, 4_999, 5_000, 199_999, 200_000, 10**7)
    ]
    assert recipes[0] == recipes[1]
    assert recipes[2] == recipes[3] == TranslationRecipe()
    assert recipes[4] == recipes[5]
    small, middle, large = recipes[::2]
    assert small.model.decoder.size < middle.model.decoder.size < large.model.decoder.size
    assert small.model.dropout > middle.model.dropout > large.model.dropout
    assert small.training.epochs > middle.training.epochs > large.training.epochs
    tiny = from_dict(TranslationRecipe.sizes_for(999), TranslationRecipe, origin="sizes")
    assert tiny.model == small.model
    assert tiny.training.epochs > small.training.epochs
    assert tiny.training.patience == 0


def test_without_a_recipe_the_sizes_are_those_of_the_training_text(tmp_path: Path) -> None:
    recipe = resolve_recipe(None, files=corpus(tmp_path, 5_000))
    assert recipe.model == TranslationRecipe().model
    recipe = resolve_recipe(None, files=corpus(tmp_path, 4_999))
    assert (
        recipe.model.embedding_size == TranslationRecipe.sizes_for(4_999)["model"]["embedding_size"]
    )


def test_assignments_win_over_files_and_files_over_the_recipe(tmp_path: Path) -> None:
    toml = 'seed = 3\n[data]\ntrain = ["c", "d"]\nvalid = ["e", "f"]\n[model]\ndropout = 0.25\n'
    files = corpus(tmp_path)
    recipe = resolve(tmp_path, toml=toml)
    assert recipe.data.train == files["train"]
    assert recipe.data.valid == ("e", "f")
    assert (recipe.seed, recipe.model.dropout) == (3, 0.25)
    assert recipe.model.embedding_size == TranslationRecipe().model.embedding_size
    recipe = resolve(tmp_path, "data.train=g,h", "model.dropout=0.5", toml=toml)
    assert recipe.data.train == ("g", "h")
    assert recipe.model.dropout == 0.5
    assert resolve_recipe(None, files=files, seed=8).seed == 8
    assert resolve_recipe(None, files=files, seed=8, assignments=["seed=9"]).seed == 9


@pytest.mark.parametrize("from_recipe", [True, False])
def test_embeddings_are_tied_as_far_as_the_tokenizers_allow(
    tmp_path: Path, from_recipe: bool
) -> None:
    if from_recipe:
        recipe = resolve(tmp_path, toml='[target_tokenizer]\nkind = "words"\n')
    else:
        recipe = resolve(tmp_path, "target_tokenizer.kind=words")
    assert recipe.model.tie_embeddings == "target-output"
    assert resolve(tmp_path).model.tie_embeddings == "all"
    untied = resolve(tmp_path, "target_tokenizer.kind=words", "model.tie_embeddings=none")
    assert untied.model.tie_embeddings == "none"


def test_tying_all_embeddings_of_two_vocabularies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be 'all'") as raised:
        resolve(tmp_path, "target_tokenizer.kind=words", "model.tie_embeddings=all")
    assert "target_tokenizer" in raised.value.fix


FAULTS = [
    ("model", "drop_out", "0.3", "model.drop_out"),
    ("training", "epoch", "3", "training.epoch"),
    ("training", "epochs", '"many"', "training.epochs"),
    ("training", "epochs", "0", "training.epochs"),
    ("training", "warmup_steps", "-1", "training.warmup_steps"),
    ("training", "save_minutes", "0", "training.save_minutes"),
    ("training", "schedule", '"cosin"', "training.schedule"),
    ("training", "precision", '"int8"', "training.precision"),
    ("training", "weight_decay", "nan", "training.weight_decay"),
    ("training", "weight_decay", "inf", "training.weight_decay"),
    ("training", "label_smoothing", "1.5", "training.label_smoothing"),
    ("training", "label_smoothing", "1.0", "training.label_smoothing"),
    ("model", "dropout", "-0.1", "model.dropout"),
    ("model", "dropout", "1.0", "model.dropout"),
    ("model", "word_dropout", "1.0", "model.word_dropout"),
    ("data", "max_length", "0", "data.max_length"),
    ("data", "train", '["one"]', "data.train"),
    ("data", "subword_sampling", "2.0", "data.subword_sampling"),
    ("evaluation", "metric", '"blue"', "evaluation.metric"),
    ("decoding", "beam_width", "0", "decoding.beam_width"),
]


@pytest.mark.parametrize(("section", "name", "value", "key"), FAULTS)
def test_a_fault_in_the_recipe_or_in_an_assignment_names_the_key(
    tmp_path: Path, section: str, name: str, value: str, key: str
) -> None:
    with pytest.raises(ConfigError, match=key):
        resolve_recipe(
            write(tmp_path, f"[{section}]\n{name} = {value}\n"),
            files={} if section == "data" else corpus(tmp_path),
        )
    with pytest.raises(ConfigError, match=key):
        resolve(tmp_path, f"{section}.{name}={value.strip('[]').replace(chr(34), '')}")


def write(folder: Path, toml: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(toml)
    return path


@pytest.mark.parametrize("section", ["data", "model"])
def test_a_value_where_a_section_must_be_is_named(tmp_path: Path, section: str) -> None:
    toml = f'{section} = 3\n[target_tokenizer]\nkind = "words"\n'
    with pytest.raises(ConfigError, match=f"{section} must be a section"):
        resolve(tmp_path, toml=toml)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [("task=parsing", "task must be one of"), ("architecture=rnn", "architecture cannot be")],
)
def test_unknown_tasks_and_architectures_are_named(
    tmp_path: Path, assignment: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(tmp_path, assignment)


@pytest.mark.parametrize(
    ("kinds", "has_effect"),
    [
        (("unigram", None), True),
        (("bpe", "words"), True),
        (("characters", "unigram"), True),
        (("characters", None), False),
        (("characters", "words"), False),
    ],
)
def test_sampling_is_refused_where_no_side_has_anything_to_sample(
    tmp_path: Path, kinds: tuple[str, str | None], has_effect: bool
) -> None:
    settings = [f"tokenizer.kind={kinds[0]}", "data.subword_sampling=0.1"]
    if kinds[1] is not None:
        settings.append(f"target_tokenizer.kind={kinds[1]}")
    if has_effect:
        assert resolve(tmp_path, *settings).data.subword_sampling == 0.1
    else:
        with pytest.raises(ConfigError, match="has no effect with characters"):
            resolve(tmp_path, *settings)


def test_a_pipe_is_refused_where_its_lines_must_be_counted_first(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, name in ((str(pipe), str(pipe)), ("-", "standard input")):
        with pytest.raises(UsageError, match=f"size of {name} cannot be told") as raised:
            resolve_recipe(None, files={"train": (path, "b")})
        assert "name a recipe" in raised.value.fix
        recipe = resolve_recipe(write(tmp_path, "seed = 1\n"), files={"train": (path, "b")})
        assert recipe.data.train == (path, "b")


def test_a_name_that_is_not_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.de")
    Path(name).write_text("x\n")
    with pytest.raises(ConfigError, match=r"data\.train has a file whose name") as raised:
        resolve_recipe(None, files={"train": (name, name)})
    raised.value.what.encode()  # can be shown
    with pytest.raises(ConfigError, match=r"data\.valid"):
        resolve(tmp_path, f"data.valid={name},{name}")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(tmp_path: Path, seed: int) -> None:
    with pytest.raises(ConfigError, match="seed must be from 0 to"):
        resolve(tmp_path, f"seed={seed}")


def test_a_misspelled_metric_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'bleu'"):
        resolve(tmp_path, "evaluation.metric=bleuu")


def test_nothing_to_train_on_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to train on") as raised:
        resolve_recipe(None, files={})
    assert "--train" in raised.value.fix
    with pytest.raises(UsageError):
        resolve_recipe(write(tmp_path, "seed = 1\n"), files={})


def test_missing_training_text_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        resolve_recipe(None, files={"train": (str(tmp_path / "nowhere"), str(tmp_path / "b"))})


def test_a_resolved_recipe_is_the_same_after_toml_and_json(tmp_path: Path) -> None:
    recipe = resolve(tmp_path, "target_tokenizer.kind=words", "data.valid=c,d")
    again = resolve_recipe(write(tmp_path, to_toml(recipe)), files={})
    assert again == recipe
    stored = msgspec.json.decode(msgspec.json.encode(recipe))
    assert from_dict(stored, TranslationRecipe, origin="model.json") == recipe


@pytest.mark.parametrize(
    ("architecture", "setting", "key"),
    [
        ("seq2seq", "model.decoder.direction=bidirectional", "model.decoder.direction"),
        ("seq2seq", "model.encoder.layers=17", "model.encoder.layers"),
        ("classifier", "model.pooling=first", "model.pooling"),
        ("classifier", "evaluation.metric=bleu", "evaluation.metric"),
        ("tagger", "evaluation.metric=chrf", "evaluation.metric"),
        ("language-model", "model.decoder.direction=backward", "model.decoder.direction"),
    ],
)
def test_what_cannot_be_is_refused_before_text_is_looked_for(
    architecture: str, setting: str, key: str
) -> None:
    missing = ("gone",) if architecture == "language-model" else ("gone", "gone")
    with pytest.raises(ConfigError, match=key):
        resolve_recipe(
            None, files={"train": missing}, assignments=[setting], architecture=architecture
        )


BOTH_SIZES = "training.batch_tokens and training.batch_sentences are both given"
TOKENS, SENTENCES = "training.batch_tokens=500", "training.batch_sentences=16"


@pytest.mark.parametrize(
    ("toml", "assignments"),
    [
        ("[training]\nbatch_tokens = 500\nbatch_sentences = 16\n", []),
        ("[training]\nbatch_sentences = 16\n", [TOKENS]),
        (None, [SENTENCES, TOKENS]),
    ],
)
def test_a_size_of_batches_that_would_not_be_heeded_is_refused(
    tmp_path: Path, toml: str | None, assignments: list[str]
) -> None:
    with pytest.raises(ConfigError, match=BOTH_SIZES) as raised:
        resolve(tmp_path, *assignments, toml=toml)
    assert "set training.batch_sentences to 0" in raised.value.fix
    recipe = resolve(tmp_path, *assignments, "training.batch_sentences=0", toml=toml)
    assert (recipe.training.batch_tokens, recipe.training.batch_sentences) == (500, 0)


@pytest.mark.parametrize("toml", [None, "[training]\nbatch_tokens = 500\n"])
def test_rows_that_are_assigned_replace_the_tokens_of_recipe_or_sizes(
    tmp_path: Path, toml: str | None
) -> None:
    assert resolve(tmp_path, SENTENCES, toml=toml).training.batch_sentences == 16


@pytest.mark.parametrize("architecture", RECIPES)
@pytest.mark.parametrize("sized_by", ["the text", "a recipe"])
def test_a_stored_recipe_with_rows_for_batches_is_a_recipe_again(
    tmp_path: Path, architecture: str, sized_by: str
) -> None:
    files = {name: paths[:1] for name, paths in corpus(tmp_path).items()}
    if architecture != "language-model":
        files = corpus(tmp_path)
    path = None
    if sized_by == "a recipe":
        path = tmp_path / "recipe.toml"
        path.write_text(f'architecture = "{architecture}"\n[training]\nbatch_tokens = 700\n')
    recipe = resolve_recipe(path, files=files, assignments=[SENTENCES], architecture=architecture)
    stored = tmp_path / "stored.toml"
    stored.write_text(to_toml(recipe))
    assert "batch_tokens" in stored.read_text()
    assert resolve_recipe(stored, files={}) == recipe


@pytest.mark.parametrize("architecture", RECIPES)
def test_lengths_are_compared_only_where_both_sides_are_text(architecture: str) -> None:
    values = {"architecture": architecture, "data": {"max_length_ratio": 2.0}}
    if architecture == "seq2seq":
        assert recipe_from(values, origin="test").data.max_length_ratio == 2
        return
    with pytest.raises(ConfigError, match="max_length_ratio has no effect") as raised:
        recipe_from(values, origin="test")
    assert raised.value.why
    assert raised.value.fix == "Leave it out"


@pytest.mark.parametrize("architecture", RECIPES)
@pytest.mark.parametrize("dropout", ["dropout", "word_dropout", "stack"])
def test_two_passes_need_something_that_is_dropped(architecture: str, dropout: str) -> None:
    model: dict[str, object] = {"dropout": 0.0, "word_dropout": 0.0}
    values = {"architecture": architecture, "training": {"consistency": 1.0}, "model": model}
    with pytest.raises(ConfigError, match="consistency has no effect") as raised:
        recipe_from(values, origin="test")
    assert "model.dropout" in raised.value.fix
    if dropout == "stack":
        stack = "decoder" if architecture == "language-model" else "encoder"
        model[stack] = {"state_dropout": 0.1}
    else:
        model[dropout] = 0.1
    assert recipe_from(values, origin="test").training.consistency == 1
