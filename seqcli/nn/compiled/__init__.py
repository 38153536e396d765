"""What a training step computes between its matrix products, compiled for the CPU.

torch would make a dozen passes over memory of it. Here each row goes through all of its operations
while it is in the cache, in float32, whatever the format in which it is stored.
"""

import torch
from torch import Tensor

FORMATS = (torch.bfloat16, torch.float32)


def is_compiled_for(rows: Tensor) -> bool:
    """Whether there is code for rows like these; it is compiled when it is first needed."""
    return rows.device.type == "cpu" and rows.dtype in FORMATS
