"""How the process keeps memory: as much as a step needs again, and no more."""

import ctypes
import os

KERNELS_KEPT = 64  # the steps of a batch of many lengths have as many shapes
KERNEL_CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # names of glibc's mallopt(3)

# In what torch says where the processor, CUDA, cuBLAS or cuDNN could not get memory
SIGNS_OF_NO_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def keep_freed_memory() -> None:
    """Let glibc keep the blocks of up to 32 MB that each training step frees and asks for again.

    By default it returns them to the system, and every step pays for thousands of page faults.
    Elsewhere than on glibc this does nothing.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, 32 << 20)
    mallopt(M_TRIM_THRESHOLD, 512 << 20)
    mallopt(M_TOP_PAD, 64 << 20)


def bound_kernel_caches() -> None:
    """Let oneDNN's kernels, with their memory, be kept for the latest few shapes of batches only.

    oneDNN keeps 1024 of them by default, and what torch puts around it as many. That comes to
    gigabytes in a training, where hardly a shape comes twice. To be called before the first use; a
    value that the user has set stays.
    """
    for variable in KERNEL_CACHES:
        os.environ.setdefault(variable, str(KERNELS_KEPT))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, or torch by one of its RuntimeErrors, could not get memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in SIGNS_OF_NO_MEMORY)
    )
