"""The ways a layer can be run: by torch's kernel, as one operation of our own, or by steps."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from torch import Tensor

from seqcli.nn import cells
from seqcli.nn.cells import LSTMLayer, RecurrentLayer, State

KERNEL, OPERATION, LOOP = "kernel", "operation", "loop"
WAYS = (KERNEL, OPERATION, LOOP)

Run = Callable[..., tuple[Tensor, State]]


@contextmanager
def running(layer: RecurrentLayer, way: str) -> Iterator[Run]:
    """Give what runs a layer in a way; cells that have not got it are run by the next one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "pays_as_one_operation", lambda *_: way != KERNEL)
        if way == LOOP:
            patch.setattr(LSTMLayer, "read", RecurrentLayer.read)
        yield layer if way == KERNEL else RecurrentLayer.forward.__get__(layer)
