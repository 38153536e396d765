"""What a sentencepiece model says of its own training, which the library does not tell."""

from collections.abc import Iterator

# Numbers of the fields in sentencepiece_model.proto
_TRAINER_SPEC = 2
_MODEL_TYPE = 3
_USER_DEFINED_SYMBOLS = 31
_KINDS = {1: "unigram", 2: "bpe"}

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5  # wire types of protocol buffers


def read_training(model: bytes) -> tuple[str, tuple[str, ...]]:
    """The kind and the user symbols of a model; ValueError if it is neither unigram nor BPE."""
    kind: str | None = "unigram"
    symbols = []
    for number, spec in _fields(model):
        if number == _TRAINER_SPEC and isinstance(spec, bytes):
            for field, value in _fields(spec):
                if field == _MODEL_TYPE and isinstance(value, int):
                    kind = _KINDS.get(value)
                elif field == _USER_DEFINED_SYMBOLS and isinstance(value, bytes):
                    symbols.append(value.decode())
    if kind is None:
        raise ValueError("it is neither a unigram model nor byte-pair encoding")
    return kind, tuple(symbols)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The numbered fields of a protocol buffer; a fixed-width number is given as its bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire_type == _BYTES:
            width, place = _varint(message, place)
        else:
            width = {_FIXED_64: 8, _FIXED_32: 4}[wire_type]
        yield number, message[place : place + width]
        place += width


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7
