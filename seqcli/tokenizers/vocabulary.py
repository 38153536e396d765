"""The pieces of a tokenizer and their ids; the first four are the same everywhere."""

import hashlib
import re
from collections.abc import Iterable, Sequence

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIAL_PIECES = ("<pad>", "<s>", "</s>", "<unk>")
BYTE_PIECES = tuple(f"<0x{byte:02X}>" for byte in range(256))
SPACE = "\u2581"  # stands for a space inside a piece, as sentencepiece writes it


class Vocabulary:
    """Pieces by id and ids by piece."""

    def __init__(self, pieces: Sequence[str]) -> None:
        """`pieces` in order of their ids. Raises ValueError if they cannot be a vocabulary."""
        self.pieces = tuple(pieces)
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}
        if self.pieces[: len(SPECIAL_PIECES)] != SPECIAL_PIECES:
            raise ValueError(f"the first pieces are not {' '.join(SPECIAL_PIECES)}")
        if len(self._ids) != len(self.pieces):
            raise ValueError("a piece stands there twice")
        self.has_bytes = all(piece in self._ids for piece in BYTE_PIECES)

    def __len__(self) -> int:
        return len(self.pieces)

    def __contains__(self, piece: object) -> bool:
        return piece in self._ids

    def pieces_of(self, ids: Iterable[int]) -> list[str]:
        return [self.pieces[index] for index in ids]

    def id(self, piece: str) -> int:
        """The id of a piece, UNK for one that is not in the vocabulary."""
        return self._ids.get(piece, UNK)

    def ids_of(self, piece: str) -> Sequence[int]:
        """The id of a piece, or how it is spelled if it is not in the vocabulary."""
        index = self._ids.get(piece)
        return self.spell(piece.replace(SPACE, " ")) if index is None else (index,)

    def spell(self, text: str) -> list[int]:
        """Write text with the 256 byte pieces, or as one UNK where there are none."""
        if not self.has_bytes:
            return [UNK]
        return [self._ids[BYTE_PIECES[byte]] for byte in text.encode()]

    def fingerprint(self) -> str:
        """SHA-256 over the pieces in order, in hex: equal for equal vocabularies only."""
        return hashlib.sha256("\n".join(self.pieces).encode()).hexdigest()


def piece_bytes(piece: str) -> bytes:
    """What a piece adds to the text, in UTF-8: nothing for PAD, BOS and EOS."""
    if piece in SPECIAL_PIECES[:UNK]:
        return b""
    if re.fullmatch("<0x[0-9A-F]{2}>", piece):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()
