"""Write the long-lag task: recall the first letter of a line after up to LAG others.

python make_data.py LAG FOLDER

The lags of the training lines are 1 to LAG, so that there is something easy to begin with; those of
the other lines are all LAG.
"""

import random
import sys
from pathlib import Path

KEYS = "ABCDEFGH"
NOISE = "abcdefgh"
LINES = {"train": 8000, "valid": 200, "test": 1000}


def main(lag: int, folder: Path) -> None:
    """Write source and target files of each set into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(lag)
    for name, count in LINES.items():
        sources, targets = [], []
        for _ in range(count):
            key = generator.choice(KEYS)
            others = generator.randint(1, lag) if name == "train" else lag
            sources.append(f"{key} {' '.join(generator.choices(NOISE, k=others))}\n")
            targets.append(f"{key}\n")
        (folder / f"{name}.source").write_text("".join(sources), encoding="utf-8")
        (folder / f"{name}.target").write_text("".join(targets), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
