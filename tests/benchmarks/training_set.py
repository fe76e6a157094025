"""Write drawn instances to train on: ``make training-set``. None is a shipped one or one of the ablation.

Then: ``offbench train --solver ddpqn-plus --output DIR FILES``.
"""

import argparse
from pathlib import Path

from .drawn import perturbed


def main() -> None:
    """Write one file for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=30)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.count):
        instance = perturbed(seed)
        path = chosen.folder / f"{instance.name}.json"
        path.write_text(instance.to_text(), encoding="utf-8")
        print(path, instance.subtasks, "subtasks on", len(instance.servers), "servers")


if __name__ == "__main__":
    main()
