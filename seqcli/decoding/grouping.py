"""Lines put together by their length, so that a batch has little padding."""

from collections.abc import Iterator, Sequence

TOKENS_AT_A_TIME = 8192  # of a batch, padding included; a longer line is a batch of its own


def batches_by_length(
    lengths: Sequence[int], *, most_rows: int | None = None
) -> Iterator[list[int]]:
    """Group the numbers of the rows that are not empty, those of similar length together."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not lengths[row]:
            continue
        is_full = (len(batch) + 1) * lengths[row] > TOKENS_AT_A_TIME or len(batch) == most_rows
        if batch and is_full:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
