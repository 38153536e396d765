"""Drawing a token: every share of the numbers from 0 to 1 belongs to the token it should."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqcli.decoding.sampling import draw
from seqcli.errors import ConfigError
from seqcli.text.generation import GenerationConfig

LOGITS_V = torch.tensor([0.5, -1.0, 2.0, 1.5, -torch.inf, 0.0, 1.9], dtype=torch.float64)
GRID_R = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
SETTINGS = [
    {},
    {"temperature": 0.5},
    {"temperature": 3.0},
    {"top_k": 1},
    {"top_k": 3},
    {"top_k": 100},
    {"top_p": 0.3},
    {"top_p": 0.8},
    {"top_p": 0.999999},
    {"temperature": 2.0, "top_k": 4, "top_p": 0.7},
]


def frequencies(logits_V: Tensor, config: GenerationConfig) -> Tensor:
    """How often each token is drawn by evenly spaced numbers."""
    drawn_R = draw(logits_V.expand(len(GRID_R), -1), GRID_R, config)
    return drawn_R.bincount(minlength=len(logits_V)) / len(GRID_R)


def by_hand(
    logits: list[float], *, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
) -> list[float]:
    """The distribution by its definition, token by token."""
    weights = [math.exp(logit / temperature) for logit in logits]
    order = sorted(range(len(logits)), key=lambda token: -weights[token])[:top_k]
    total = sum(weights[token] for token in order)
    nucleus, held = [], 0.0
    for token in order:
        if held < top_p:
            nucleus.append(token)
            held += weights[token] / total
    kept = sum(weights[token] for token in nucleus)
    return [weights[token] / kept if token in nucleus else 0.0 for token in range(len(logits))]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_tokens_are_drawn_as_often_as_the_settings_say(settings: dict[str, Any]) -> None:
    found_V = frequencies(LOGITS_V, GenerationConfig(**settings))
    expected_V = torch.tensor(by_hand(LOGITS_V.tolist(), **settings))
    torch.testing.assert_close(found_V, expected_V, atol=1e-4, rtol=0)
    assert ((found_V == 0) == (expected_V == 0)).all()


def test_with_the_default_settings_it_is_the_softmax() -> None:
    expected_V = LOGITS_V.softmax(0).float()
    torch.testing.assert_close(
        frequencies(LOGITS_V, GenerationConfig()), expected_V, atol=1e-4, rtol=0
    )


def test_each_row_is_drawn_from_its_own_distribution() -> None:
    logits_RV = torch.randn(50, 9)
    uniform_R = torch.rand(50, dtype=torch.float64)
    for settings in SETTINGS:
        config = GenerationConfig(**settings)
        together_R = draw(logits_RV, uniform_R, config)
        alone = [
            draw(logits_RV[row : row + 1], uniform_R[row : row + 1], config) for row in range(50)
        ]
        assert torch.equal(together_R, torch.cat(alone))


def test_the_best_one_of_top_k_is_greedy_whatever_is_drawn() -> None:
    logits_RV = torch.randn(500, 9)
    config = GenerationConfig(top_k=1, temperature=7.0)
    assert torch.equal(draw(logits_RV, torch.rand(500), config), logits_RV.argmax(1))


def test_a_nucleus_smaller_than_any_token_is_greedy() -> None:
    logits_RV = torch.randn(500, 9)
    config = GenerationConfig(top_p=1e-9)
    assert torch.equal(draw(logits_RV, torch.rand(500), config), logits_RV.argmax(1))


def test_a_temperature_near_zero_is_greedy() -> None:
    logits_RV = torch.randn(500, 9)
    for temperature in (1e-5, 1e-300):
        config = GenerationConfig(temperature=temperature)
        assert torch.equal(draw(logits_RV, torch.rand(500), config), logits_RV.argmax(1))


@given(
    st.lists(st.floats(-60, 60) | st.just(-math.inf), min_size=1, max_size=9),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(SETTINGS),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_what_is_impossible_is_never_drawn(
    logits: list[float], uniform: float, settings: dict[str, Any], dtype: torch.dtype
) -> None:
    """Also at the ends: a number just below 1 is 1 in float32."""
    logits = [*logits, 0.0, -math.inf]
    for number in (0.0, uniform, 1 - 2**-53):
        uniform_R = torch.tensor([number], dtype=torch.float64)
        token_R = draw(torch.tensor([logits], dtype=dtype), uniform_R, GenerationConfig(**settings))
        assert logits[int(token_R)] > -math.inf


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"temperature": 0.0}, "decoding.temperature"),
        ({"temperature": math.nan}, "decoding.temperature"),
        ({"top_k": 0}, "decoding.top_k"),
        ({"top_p": 0.0}, "decoding.top_p"),
        ({"top_p": 1.1}, "decoding.top_p"),
        ({"max_tokens": 0}, "decoding.max_tokens"),
        ({"batch_sentences": 0}, "decoding.batch_sentences"),
    ],
)
def test_settings_out_of_range_are_refused_by_their_key(
    settings: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        GenerationConfig(**settings)
