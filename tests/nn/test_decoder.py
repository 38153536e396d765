"""The decoder against its parts, and one token at a time against all at once."""

import pytest
import torch
from torch import Tensor

from seqcli.nn.attention import ATTENTIONS, Memory
from seqcli.nn.decoder import Decoder, DecoderState
from seqcli.nn.stacks import STACKS
from tests.nn.padding import mask_of

INPUT, WIDTH, LAYERS = 3, 4, 2
LENGTHS = (5, 1, 3)
MASK_BS = mask_of(LENGTHS)


def build(*, stack: str = "residual", attention: str = "general", dropout: float = 0.0) -> Decoder:
    return Decoder(
        input_size=INPUT,
        hidden_size=WIDTH,
        memory_size=WIDTH,
        num_layers=LAYERS,
        stack=stack,
        attention=attention,
        dropout=dropout,
    )


def random_memory(decoder: Decoder) -> Memory:
    return decoder.remember(torch.randn(3, 5, WIDTH) * MASK_BS.unsqueeze(2), MASK_BS)


def test_it_starts_from_the_mean_of_the_real_source_states() -> None:
    decoder = build()
    memory = random_memory(decoder)
    state = decoder.start(memory)
    for row, length in enumerate(LENGTHS):
        mean_H = memory.states_BSH[row, :length].mean(0)
        expected_XH = torch.tanh(decoder.bridge(mean_H)).view(2 * LAYERS, WIDTH)
        torch.testing.assert_close(state.hidden_LBH[:, row], expected_XH[:LAYERS])
        torch.testing.assert_close(state.cell_LBH[:, row], expected_XH[LAYERS:])


def test_features_combine_states_and_context() -> None:
    decoder = build()
    memory = random_memory(decoder)
    state = decoder.start(memory)
    embedded_BTE = torch.randn(3, 6, INPUT)
    states_BTH, _ = decoder.stack.advance(embedded_BTE, state.layers())
    context_BTH, _ = decoder.attention(states_BTH, memory)
    weight_EX, bias_E = decoder.combination.weight, decoder.combination.bias
    expected_BTE = torch.tanh(
        states_BTH @ weight_EX[:, :WIDTH].T + context_BTH @ weight_EX[:, WIDTH:].T + bias_E
    )
    torch.testing.assert_close(decoder(embedded_BTE, memory, state), expected_BTE)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_token_by_token_gives_the_features_of_all_at_once(stack: str, attention: str) -> None:
    decoder = build(stack=stack, attention=attention)
    memory = random_memory(decoder)
    embedded_BTE = torch.randn(3, 6, INPUT)
    state, features = decoder.start(memory), []
    whole_BTE = decoder(embedded_BTE, memory, state)
    for embedded_B1E in embedded_BTE.split(1, dim=1):
        states_B1H, state = decoder.advance(embedded_B1E, state)
        context_B1H, _ = decoder.attention(states_B1H, memory)
        features.append(decoder.combine(states_B1H, context_B1H))
    torch.testing.assert_close(torch.cat(features, dim=1), whole_BTE)


def test_selected_rows_of_a_state_go_on_as_they_would_have() -> None:
    decoder = build()
    memory = random_memory(decoder)
    state = decoder.start(memory)
    rows = torch.tensor([2, 2, 0])
    embedded_BTE = torch.randn(3, 4, INPUT)
    expected = advance(decoder, embedded_BTE, state)
    selected = advance(decoder, embedded_BTE[rows], state.select(rows))
    torch.testing.assert_close(selected, [expected[0][rows], *(t[:, rows] for t in expected[1:])])


def advance(decoder: Decoder, embedded_BTE: Tensor, state: DecoderState) -> list[Tensor]:
    states_BTH, following = decoder.advance(embedded_BTE, state)
    return [states_BTH, *following]


@pytest.mark.parametrize("part", ["input_dropout", "state_dropout", "feature_dropout"])
def test_dropout_acts_at_each_of_its_places_in_training_only(part: str) -> None:
    decoder = build()
    memory = random_memory(decoder)
    embedded_BTE, state = torch.randn(3, 4, INPUT), decoder.start(memory)
    whole_BTE = decoder(embedded_BTE, memory, state)
    getattr(decoder, part).probability = 0.5
    assert not torch.equal(decoder(embedded_BTE, memory, state), whole_BTE)
    assert torch.equal(decoder.eval()(embedded_BTE, memory, state), whole_BTE)
