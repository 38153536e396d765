"""Write the long-lag task: recall the first letter of a line after some others.

python make_data.py FOLDER
"""

import random
import sys
from pathlib import Path

LAGS = (2, 5, 10, 20, 50, 100)  # letters between the one to recall and the end of the line
KEYS = "ABCDEFGH"
NOISE = "abcdefgh"
LINES = {"train": 4000, "valid": 200, "test": 500}  # for each lag


def main(folder: Path) -> None:
    """Write source and target files of each set into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(1)
    for name, count in LINES.items():
        pairs = [(generator.choice(KEYS), lag) for lag in LAGS for _ in range(count)]
        sources = [f"{key} {' '.join(generator.choices(NOISE, k=lag))}\n" for key, lag in pairs]
        targets = [f"{key}\n" for key, _ in pairs]
        (folder / f"{name}.source").write_text("".join(sources), encoding="utf-8")
        (folder / f"{name}.target").write_text("".join(targets), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
