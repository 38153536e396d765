"""Settings that make no model are refused as the recipe is read, by the names of their keys."""

from pathlib import Path

import pytest

from seqcli.architectures.recurrent import MOST_LAYERS, DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2SeqConfig
from seqcli.errors import ConfigError
from seqcli.experiment import Recipe, resolve_recipe

REFUSALS: dict[str, tuple[list[str], list[str]]] = {  # settings, and the keys that must be named
    "a decoder of both directions": (
        ["decoder.direction=bidirectional"],
        ["model.decoder.direction", "read the future"],
    ),
    "a backward decoder": (
        ["decoder.direction=backward"],
        ["model.decoder.direction", "read the future"],
    ),
    "heads that do not divide": (
        ["attention=multi-head", "attention_heads=3"],
        ["model.attention_heads", "model.decoder.size is 512"],
    ),
    "the usual heads, which do not divide": (
        ["attention=multi-head", "decoder.size=510"],
        ["model.attention_heads cannot be 4", "model.decoder.size is 510"],
    ),
    "no heads": (
        ["attention=multi-head", "attention_heads=0"],
        ["model.attention_heads", "model.decoder.size"],
    ),
    "a negative number of heads": (
        ["attention=multi-head", "attention_heads=-4"],
        ["model.attention_heads", "model.decoder.size"],
    ),
    "heads of an attention that has none": (
        ["attention_heads=2"],
        ["model.attention_heads", "model.attention is 'general'"],
    ),
    "a way around an encoder's lowest layer of another width": (
        ["encoder.skip_from=1"],
        ["model.encoder.skip_from", "source embedding", "model.encoder.projection"],
    ),
    "a way around a decoder's lowest layer of another width": (
        ["decoder.skip_from=1"],
        ["model.decoder.skip_from", "decoder's input", "model.decoder.projection"],
    ),
    "a way around a lowest layer that reads what is fed as well": (
        ["decoder.skip_from=1", "decoder.size=256", "input_feeding=true"],
        ["model.decoder.skip_from", "512 units", "model.decoder.projection"],
    ),
    "a way around a lowest highway layer of another width": (
        ["encoder.stack=highway", "encoder.skip_from=1"],
        ["model.encoder.skip_from", "model.encoder.projection"],
    ),
    "a way around a layer that there cannot be": (
        ["encoder.skip_from=17"],
        ["model.encoder.skip_from must be from 1 to model.encoder.layers, which is 2"],
    ),
    "a way around layer 0": (
        ["decoder.skip_from=0"],
        ["model.decoder.skip_from must be from 1 to model.decoder.layers, which is 1"],
    ),
    "a way around layers of a plain stack": (
        ["encoder.stack=plain", "encoder.skip_from=3"],
        ["model.encoder.skip_from", "model.encoder.stack is 'plain'", "'highway'"],
    ),
    "a way around layers of a dense stack": (
        ["decoder.stack=dense", "decoder.skip_from=3"],
        ["model.decoder.skip_from", "model.decoder.stack is 'dense'", "'residual'"],
    ),
    "a carry bias of a residual stack": (
        ["encoder.carry_bias=1"],
        ["model.encoder.carry_bias", "model.encoder.stack is 'residual'", "'highway'"],
    ),
    "a carry bias of a dense stack": (
        ["decoder.stack=dense", "decoder.carry_bias=0"],
        ["model.decoder.carry_bias", "model.decoder.stack is 'dense'"],
    ),
    "a carry bias that is no number": (
        ["encoder.stack=highway", "encoder.carry_bias=nan"],
        ["model.encoder.carry_bias"],
    ),
    "an endless carry bias": (
        ["encoder.stack=highway", "encoder.carry_bias=inf"],
        ["model.encoder.carry_bias"],
    ),
    "a dot product of unequal widths": (
        ["attention=dot", "encoder.size=100", "decoder.size=300"],
        ["model.attention", "'dot'", "model.decoder.size is 300", "200 units (model.encoder.size)"],
    ),
    "one table of two widths": (
        ["source_embedding_size=128"],
        [
            "model.tie_embeddings cannot be 'all'",
            "model.source_embedding_size is 128",
            "model.target_embedding_size 256",
        ],
    ),
    "one source and target table of two widths": (
        ["tie_embeddings=source-target", "target_embedding_size=100"],
        ["model.tie_embeddings", "model.source_embedding_size", "model.target_embedding_size"],
    ),
    "one source and output table of two widths": (
        ["tie_embeddings=source-output", "target_embedding_size=100"],
        ["model.tie_embeddings", "model.source_embedding_size", "model.target_embedding_size"],
    ),
    "nothing to feed": (
        ["attention=none", "input_feeding=true"],
        ["model.input_feeding", "model.attention is 'none'"],
    ),
    "no way to the decoder": (
        ["attention=none", "bridge=zero"],
        ["model.bridge", "'zero'", "model.attention is 'none'"],
    ),
    "states copied from more layers": (
        ["bridge=copy", "encoder.layers=2", "decoder.layers=1"],
        ["model.bridge", "'copy'", "2 x 512 units", "1 x 512 units", "model.decoder.size"],
    ),
    "states copied to another width": (
        ["bridge=copy", "encoder.layers=1", "encoder.size=512"],
        ["model.bridge", "'copy'", "1 x 1024 units", "1 x 512 units", "model.decoder.size"],
    ),
    "states copied to a cell with more of them": (
        ["bridge=copy", "encoder.layers=1", "encoder.cell=gru"],
        ["model.bridge", "'copy'", "units with hidden to", "units with hidden and cell"],
    ),
    **{
        f"{layers} layers of the {stack}": (
            [f"{stack}.layers={layers}"],
            [f"model.{stack}.layers must be from 1 to 16, not {layers}"],
        )
        for stack in ("encoder", "decoder")
        for layers in (0, -1, 17)
    },
    **{
        f"a {key} of {value}": ([f"{key}={value}"], [f"model.{key} must be from 0 to less than 1"])
        for key in (
            "dropout",
            "word_dropout",
            *(
                f"{stack}.{what}_dropout"
                for stack in ("encoder", "decoder")
                for what in ("input", "state", "output")
            ),
        )
        for value in ("-0.1", "1.0", "nan")
    },
    **{
        f"an {key} of {value}": ([f"{key}={value}"], [f"model.{key} must be greater than 0"])
        for key in (
            "embedding_size",
            "source_embedding_size",
            "target_embedding_size",
            "encoder.size",
            "decoder.size",
        )
        for value in (0, -3)
    },
    **{
        f"the {key} {misspelled}": (
            [f"{key}={misspelled}"],
            [f"model.{key} cannot be '{misspelled}'; did you mean '{right}'?"],
        )
        for key, misspelled, right in (
            ("encoder.cell", "lsmt", "lstm"),
            ("decoder.cell", "layernorm-lstm", "layer-norm-lstm"),
            ("encoder.direction", "bidirectionnal", "bidirectional"),
            ("encoder.stack", "residul", "residual"),
            ("decoder.stack", "hiway", "highway"),
            ("bridge", "copi", "copy"),
            ("attention", "multihead", "multi-head"),
            ("tie_embeddings", "target-ouput", "target-output"),
        )
    },
    **{
        f"a {key} that there is not": ([f"{key}=3"], [f"unknown key 'model.{key}'", right])
        for key, right in (
            ("encoder.layer", "did you mean 'layers'"),
            ("decoder.units", "model.decoder.units"),
            ("encoder_layers", "model.encoder_layers"),
        )
    },
}


def resolve(folder: Path, *settings: str, toml: str = "") -> Recipe:
    """Resolve a recipe whose data is nowhere."""
    path = folder / "recipe.toml"
    path.write_text(toml)
    nowhere = (str(folder / "no.de"), str(folder / "no.en"))
    return resolve_recipe(path, files={"train": nowhere}, assignments=settings)


@pytest.mark.parametrize(("settings", "named"), REFUSALS.values(), ids=REFUSALS)
def test_settings_that_make_no_model_are_refused_by_name_before_data_is_read(
    tmp_path: Path, settings: list[str], named: list[str]
) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve(tmp_path, *(f"model.{setting}" for setting in settings))
    told = f"{raised.value.what} {raised.value.why} {raised.value.fix}"
    for words in named:
        assert words in told


@pytest.mark.parametrize("tie", ["all", "source-target", "source-output"])
def test_a_source_table_tied_where_the_target_has_a_tokenizer_is_refused(
    tmp_path: Path, tie: str
) -> None:
    settings = ["target_tokenizer.kind=words", f"model.tie_embeddings={tie}"]
    with pytest.raises(ConfigError, match=rf"model\.tie_embeddings cannot be '{tie}'") as raised:
        resolve(tmp_path, *settings)
    assert "target_tokenizer" in raised.value.what
    assert "'target-output'" in str(raised.value.fix)


def test_the_sections_of_a_recipe_are_refused_as_assignments_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.decoder\.direction"):
        resolve(tmp_path, toml='[model.decoder]\ndirection = "bidirectional"\n')
    with pytest.raises(ConfigError, match=r"model\.encoder must be a section"):
        resolve(tmp_path, toml="[model]\nencoder = 3\n")


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["encoder.layers=16", "decoder.layers=16"],
        ["attention=dot", "encoder.size=100", "decoder.size=200"],
        ["attention=dot", "encoder.size=200", "encoder.direction=backward", "decoder.size=200"],
        ["attention=multi-head", "attention_heads=512"],
        ["encoder.skip_from=1", "encoder.size=128"],
        ["encoder.skip_from=1", "encoder.projection=true"],
        ["decoder.skip_from=1", "input_feeding=true"],
        [
            "encoder.stack=highway",
            "encoder.carry_bias=-3",
            "encoder.layers=16",
            "encoder.skip_from=16",
        ],
        ["source_embedding_size=128", "tie_embeddings=target-output"],
        ["source_embedding_size=128", "tie_embeddings=none"],
        ["source_embedding_size=128", "target_embedding_size=128"],
        ["bridge=copy", "encoder.layers=1"],
        ["bridge=copy", "encoder.layers=1", "encoder.cell=gru", "decoder.cell=rnn-tanh"],
        ["attention=none", "bridge=copy", "decoder.layers=2"],
        ["attention=none"],
        ["dropout=0", "encoder.state_dropout=0.999", "decoder.input_dropout=0"],
    ],
    ids=" ".join,
)
def test_settings_just_inside_the_bounds_are_accepted(tmp_path: Path, settings: list[str]) -> None:
    assert resolve(tmp_path, *(f"model.{setting}" for setting in settings))


def test_widths_are_those_of_both_directions_and_attention_is_known_of() -> None:
    config = Seq2SeqConfig()
    assert MOST_LAYERS == 16
    assert (config.source_size, config.target_size) == (256, 256)
    assert config.encoder.output_size == 2 * config.encoder.size
    assert EncoderConfig(direction="backward").output_size == EncoderConfig().size
    assert DecoderConfig().output_size == DecoderConfig().size
    assert (config.has_attention, Seq2SeqConfig(attention="none").has_attention) == (True, False)


def test_a_summary_tells_what_differs() -> None:
    config = Seq2SeqConfig(
        encoder=EncoderConfig(cell="gru", layers=4, stack="highway"),
        attention="additive",
        input_feeding=True,
    )
    assert config.summary() == (
        "embeddings 256, encoder 4 x 256 each way highway gru, decoder 1 x 512 lstm, "
        "additive attention with input feeding"
    )
    assert "no attention" in Seq2SeqConfig(attention="none").summary()
