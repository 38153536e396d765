"""The decoder against its parts, and one token at a time against all at once."""

from typing import Any

import pytest
import torch
from torch import Tensor

from seqcli.nn.attention import ATTENTIONS, Memory
from seqcli.nn.bridge import BRIDGES
from seqcli.nn.cells import CELLS
from seqcli.nn.decoder import Decoder, DecoderState
from seqcli.nn.dropout import VariationalDropout
from seqcli.nn.stack import Stack
from seqcli.nn.stacks import STACKS
from tests.nn.outcomes import outcome
from tests.nn.padding import mask_of

INPUT, WIDTH, STEPS = 3, 4, 5
MASK_BS = mask_of([5, 1, 3])
ATTENTION_OPTIONS = {"multi-head": {"heads": 2}}

each_feeding = pytest.mark.parametrize("feeding", [False, True])
each_cell = pytest.mark.parametrize("cell", CELLS)
each_stack = pytest.mark.parametrize("kind", STACKS)


def build(
    *,
    feeding: bool = False,
    attention: str = "general",
    bridge: str = "dense",
    num_layers: int = 2,
    dropout: float = 0.0,
    **settings: Any,
) -> Decoder:
    stack = Stack(
        input_size=2 * INPUT if feeding else INPUT,
        hidden_size=WIDTH,
        num_layers=num_layers,
        dropout=dropout,
        state_dropout=dropout,
        **settings,
    )
    decoder = Decoder(
        stack,
        ATTENTIONS[attention](
            query_size=WIDTH, memory_size=WIDTH, **ATTENTION_OPTIONS.get(attention, {})
        ),
        BRIDGES[bridge](
            memory_size=WIDTH,
            num_layers=num_layers,
            num_parts=len(stack.state_names),
            hidden_size=WIDTH,
        ),
        feature_size=INPUT,
        input_feeding=feeding,
        input_dropout=dropout,
        output_dropout=dropout,
    ).double()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return decoder


def random_source() -> Tensor:
    states_BSH = torch.randn(3, 5, WIDTH, dtype=torch.float64) * MASK_BS.unsqueeze(2)
    return states_BSH.requires_grad_()


def encoded(decoder: Decoder, states_BSH: Tensor) -> tuple[Memory, DecoderState]:
    """What the decoder attends to, and the state that it begins with."""
    memory = decoder.attention.remember(states_BSH, MASK_BS)
    return memory, decoder.start(states_BSH, MASK_BS, [])


def random_targets(steps: int = STEPS) -> Tensor:
    return torch.randn(3, steps, INPUT, dtype=torch.float64, requires_grad=True)


def token_by_token(
    decoder: Decoder, embedded_BTE: Tensor, memory: Memory, state: DecoderState
) -> Tensor:
    """Features made as a search makes them."""
    features = []
    for embedded_B1E in embedded_BTE.split(1, dim=1):
        states_B1H, state = decoder.advance(embedded_B1E, state)
        context_B1H, _ = decoder.attention(states_B1H, memory)
        features_B1E = decoder.combine(states_B1H, context_B1H)
        if decoder.input_feeding:
            state = state._replace(fed_BE=features_B1E[:, 0])
        features.append(features_B1E)
    return torch.cat(features, dim=1)


def assert_steps_are_the_whole(decoder: Decoder) -> None:
    states_BSH, embedded_BTE = random_source(), random_targets()
    leaves = [embedded_BTE, states_BSH, *decoder.parameters()]
    whole_BTE = decoder(embedded_BTE, *encoded(decoder, states_BSH))[0]
    stepped_BTE = token_by_token(decoder, embedded_BTE, *encoded(decoder, states_BSH))
    torch.testing.assert_close(outcome([whole_BTE], leaves), outcome([stepped_BTE], leaves))


class TestStepsAreTheWhole:
    """Values, and the gradients of inputs, source and all parameters."""

    @each_cell
    @each_stack
    @pytest.mark.parametrize("num_layers", [1, 3])
    @pytest.mark.parametrize("projection", [False, True])
    def test_with_input_feeding(
        self, cell: str, kind: str, num_layers: int, projection: bool
    ) -> None:
        decoder = build(
            feeding=True, cell=cell, kind=kind, num_layers=num_layers, projection=projection
        )
        assert_steps_are_the_whole(decoder)

    @each_cell
    @each_stack
    def test_without_input_feeding(self, cell: str, kind: str) -> None:
        assert_steps_are_the_whole(build(cell=cell, kind=kind))

    @pytest.mark.parametrize("attention", ATTENTIONS)
    @each_feeding
    def test_with_every_attention(self, attention: str, feeding: bool) -> None:
        decoder = build(attention=attention, feeding=feeding)
        assert_steps_are_the_whole(decoder)

    @pytest.mark.parametrize("kind", ["residual", "highway"])
    def test_leading_around_the_lowest_layer(self, kind: str) -> None:
        options = {"skip_from": 1}
        assert_steps_are_the_whole(build(feeding=True, kind=kind, projection=True, options=options))

    @each_cell
    @each_stack
    @pytest.mark.parametrize(
        ("feeding", "projection"), [(False, False), (True, False), (True, True)]
    )
    def test_with_the_same_masks_at_every_step(
        self,
        cell: str,
        kind: str,
        feeding: bool,
        projection: bool,
        drawn_masks: list[Tensor],
    ) -> None:
        decoder = build(
            feeding=feeding, cell=cell, kind=kind, projection=projection, dropout=0.4, num_layers=3
        )
        decoder(random_targets(), *encoded(decoder, random_source()))
        # states of three layers, inputs of two of them, and three places of the decoder itself
        assert len(drawn_masks) == 3 + 2 + 3
        assert_steps_are_the_whole(decoder)


@pytest.fixture
def drawn_masks(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """All masks that are asked for; the same place of the same width gets the same one again."""
    masks: dict[tuple[VariationalDropout, int], Tensor] = {}
    drawn: list[Tensor] = []
    draw = VariationalDropout.mask_for

    def mask_for(dropout: VariationalDropout, states_BH: Tensor) -> Tensor | None:
        place = (dropout, states_BH.shape[1])
        if place not in masks:
            masks[place] = draw(dropout, states_BH)
        drawn.append(masks[place])
        return masks[place]

    monkeypatch.setattr(VariationalDropout, "mask_for", mask_for)
    return drawn


@each_cell
@each_feeding
def test_bfloat16_is_near_float32(cell: str, feeding: bool) -> None:
    decoder = build(cell=cell, feeding=feeding, kind="highway", projection=True).float()
    states_BSH = torch.randn(3, 5, WIDTH) * MASK_BS.unsqueeze(2)
    embedded_BTE = torch.randn(3, STEPS, INPUT)
    features = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            given = encoded(decoder, states_BSH)
            features.append(decoder(embedded_BTE, *given)[0].float())
    assert (features[1] - features[0]).norm() < 0.1 * features[0].norm()
    features[1].sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_features_combine_states_and_context() -> None:
    decoder = build()
    memory, state = encoded(decoder, random_source())
    embedded_BTE = random_targets()
    states_BTH, _ = decoder.stack(embedded_BTE, state.layers)
    context_BTH, _ = decoder.attention(states_BTH, memory)
    weight_EX, bias_E = decoder.combination.weight, decoder.combination.bias
    expected_BTE = torch.tanh(
        states_BTH @ weight_EX[:, :WIDTH].T + context_BTH @ weight_EX[:, WIDTH:].T + bias_E
    )
    torch.testing.assert_close(decoder(embedded_BTE, memory, state)[0], expected_BTE)


@each_feeding
def test_without_attention_the_source_is_in_the_first_state_alone(feeding: bool) -> None:
    decoder = build(attention="none", feeding=feeding)
    states_BSH = random_source()
    memory, state = encoded(decoder, states_BSH)
    embedded_BTE = random_targets()
    features_BTE = decoder(embedded_BTE, memory, state)[0]
    other = decoder.attention.remember(states_BSH + 1, MASK_BS)
    assert torch.equal(decoder(embedded_BTE, other, state)[0], features_BTE)
    other_state = decoder.start(states_BSH + 1, MASK_BS, [])
    assert not torch.equal(decoder(embedded_BTE, memory, other_state)[0], features_BTE)
    assert decoder.combination.in_features == WIDTH


def test_with_input_feeding_the_features_of_a_step_reach_the_next() -> None:
    decoder = build(feeding=True)
    memory, state = encoded(decoder, random_source())
    embedded_BTE = random_targets()
    features_BTE = decoder(embedded_BTE, memory, state)[0]
    assert (state.fed_BE == 0).all()
    changed_BTE = decoder(embedded_BTE, memory, state._replace(fed_BE=state.fed_BE + 1))[0]
    assert ((changed_BTE - features_BTE).abs().sum(2) > 0).all()


@each_feeding
def test_selected_rows_of_a_state_go_on_as_they_would_have(feeding: bool) -> None:
    decoder = build(feeding=feeding)
    _, state = encoded(decoder, random_source())
    if feeding:
        state = state._replace(fed_BE=torch.randn(3, INPUT, dtype=torch.float64))
    rows = torch.tensor([2, 2, 0])
    embedded_BTE = random_targets(steps=1)
    states_BTH, following = decoder.advance(embedded_BTE, state)
    selected_BTH, selected = decoder.advance(embedded_BTE[rows], state.select(rows))
    torch.testing.assert_close(selected_BTH, states_BTH[rows])
    torch.testing.assert_close(selected, following.select(rows))


@pytest.mark.parametrize("part", ["input_dropout", "output_dropout", "feature_dropout"])
@each_feeding
def test_dropout_acts_at_each_of_its_places_in_training_only(part: str, feeding: bool) -> None:
    decoder = build(feeding=feeding)
    memory, state = encoded(decoder, random_source())
    embedded_BTE = random_targets()
    whole_BTE = decoder(embedded_BTE, memory, state)[0]
    getattr(decoder, part).probability = 0.5
    assert not torch.equal(decoder(embedded_BTE, memory, state)[0], whole_BTE)
    torch.testing.assert_close(decoder.eval()(embedded_BTE, memory, state)[0], whole_BTE)
