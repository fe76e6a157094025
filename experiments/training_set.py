"""Drawn instances to learn from, none of them a shipped one or one of the ablation.

Question: What does a policy that learnt from drawn instances alone miss on networks that it never met?

Command: `make training-set`; then `offbench train --solver ddpqn-plus --set whole=0.5 --time-limit 1080 --output policy
build/training-set/*.json`; then `offbench solve --policy policy --rollouts 64 NAME`

Needs: a core for the training.

Writes: build/training-set/perturbed-SEED.json, 30 files (not committed).

Time: a second; the training 18 minutes.

Outcome: missed of 64 rollouts: vgg19 4.3 %, alexnet-x10 4.4, resnet 6.8, googlenet 16.5, resnet-x10 18.8, alexnet 23.6,
mixed-4 24.8.
"""

from pathlib import Path

from experiments._shared.drawn import perturbed
from experiments._shared.study import FOLDER, parser
from offbench.files.atomic import write_whole

DEFAULT = FOLDER.parent / "build" / "training-set"


def main() -> None:
    """Write one file for each seed."""
    command = parser(__doc__, __file__)
    command.add_argument("folder", type=Path, nargs="?", default=DEFAULT, help="default: build/training-set")
    command.add_argument("--count", type=int, default=30)
    chosen = command.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.count):
        instance = perturbed(seed)
        path = chosen.folder / f"{instance.name}.json"
        write_whole(path, instance.to_text())
        print(path, instance.subtasks, "subtasks on", len(instance.servers), "servers")


if __name__ == "__main__":
    main()
