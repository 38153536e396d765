"""Which part of a training step takes how long."""

import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq

DATA, ENCODER, DECODER = "data", "encoder", "decoder"
ATTENTION, OUTPUT, OPTIMIZER = "attention", "output and loss", "optimizer"


class Stopwatch:
    """Charges all time to parts, one after the other."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        """Charge the time since the last lap to this part."""
        now = time.perf_counter()
        self.seconds[part] += now - self._last
        self._last = now


def watch(model: Seq2Seq, stopwatch: Stopwatch) -> None:
    """Let the model charge its parts, forward and backward; what is left is `OUTPUT`.

    The gradient of what a part hands on is complete when the parts behind it are done and its own
    is about to begin. To the decoder count its first state and the keys of the source; with input
    feeding the attention too, as they take turns.
    """

    def charge(module: nn.Module, *, before: str, after: str) -> None:
        def at_end(module: nn.Module, inputs: Any, outputs: Any) -> None:
            stopwatch.lap(before)
            handed_on: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
            if handed_on.requires_grad:
                handed_on.register_hook(lambda gradient: stopwatch.lap(after))

        module.register_forward_hook(at_end)

    last = DECODER if model.decoder.input_feeding else ATTENTION
    charge(model.encoder, before=ENCODER, after=DECODER)
    charge(model.decoder.stack, before=DECODER, after=ATTENTION)
    charge(model, before=last, after=OUTPUT)
    weight = model.source_embedding.weight  # of all weights the last to get its gradient
    weight.register_post_accumulate_grad_hook(lambda weight: stopwatch.lap(ENCODER))


def shown(rounds: Sequence[Mapping[str, float]]) -> str:
    """Write the parts of a step, given in seconds, as their means over the rounds."""
    means = {part: statistics.mean(done[part] for done in rounds) for part in rounds[0]}
    step = sum(means.values())
    parts = [f"{part} {1e3 * mean:.0f} ms ({mean / step:.0%})" for part, mean in means.items()]
    return f"a step of {1e3 * step:.0f} ms: {', '.join(parts)}"
