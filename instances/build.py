"""Write the shipped instances from the profiles: ``python -m offbench.instances.build``.

Profiles: `dnn_profiles.csv`, measured layer times and output sizes of the data set that the DDPQN
paper used (Lin et al., the structure of four tested DNNs). Its successors hold slips, mended here by
the networks' own structure; README.md in this folder lists each mend.
"""

import csv
from pathlib import Path

from offbench.instances import devices, inception
from offbench.model.composition import (
    ENVIRONMENT_SOURCE,
    INPUT_MB,
    PAPER_WEIGHTS,
    arrivals,
    compose,
    paper_links,
    paper_servers,
)
from offbench.model.instance import Instance, Layer, Task

FOLDER = Path(__file__).parent
PROFILE_SOURCE = (
    "layer times and sizes: Lin et al., the structure of four tested DNNs (the data set named in the DDPQN "
    "paper, section 5.1), gcycles = time x GHz of the machine measured on, successors mended as listed in README.md"
)
NETWORKS = {"alexnet": "AlexNet", "vgg19": "VGG19", "googlenet": "GoogleNet", "resnet": "ResNet101"}
STAGGER_S = 0.1


def successors(network: str, rows: list[dict[str, str]]) -> dict[int, list[int]]:
    """Return the successors of each layer number, slips mended."""
    table = {int(row["number"]): [int(number) for number in row["successors"].split() if number != "-"] for row in rows}
    if network == "ResNet101":
        table.update({84: [85], 97: [98], 104: [105]})
        for row in rows:
            number = int(row["number"])
            if row["layer"].endswith("_branch1") and number != 3:  # the row has the sum before the block as well
                table[number] = [number + 1, *table[number]]
        table[2] = [3, 4]  # no sum before the first block
    if network == "GoogleNet":
        table.update({32: [33, 34, 36, 38], 33: [40], 34: [35], 35: [40], 36: [37], 37: [40], 38: [39], 39: [40]})
    return table


def network_instance(name: str, rows: list[dict[str, str]]) -> Instance:
    """Return one network alone in the paper's environment."""
    inputs: dict[int, list[int]] = {int(row["number"]): [] for row in rows}
    for number, following in successors(NETWORKS[name], rows).items():
        for reader in following:
            inputs[reader].append(number)
    names = {int(row["number"]): row["layer"] for row in rows}
    layers = tuple(
        Layer(
            name=row["layer"],
            gcycles=float(f"{float(row['execution_time_s']) * float(row['measured_on_ghz']):.15g}"),
            output_mb=float(row["output_mb"]),
            inputs=tuple(names[number] for number in sorted(inputs[int(row["number"])])),
        )
        for row in rows
    )
    return alone(name, layers, INPUT_MB, PROFILE_SOURCE)


def alone(name: str, layers: tuple[Layer, ...], input_mb: float, source: str) -> Instance:
    """Return the instance of one network in the paper's environment."""
    return Instance(
        format="offbench/1",
        name=name,
        source=f"{source}; {ENVIRONMENT_SOURCE}",
        servers=paper_servers(),
        links=paper_links(),
        tasks=(Task(name=name, input_mb=input_mb, layers=layers),),
        weights=PAPER_WEIGHTS,
    )


def build() -> dict[str, Instance]:
    """Return every instance that is made by this script, by name."""
    with (FOLDER / "dnn_profiles.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made = {
        name: network_instance(name, [row for row in rows if row["model"] == network])
        for name, network in NETWORKS.items()
    }
    made["mixed-4"] = compose("mixed-4", [made[name] for name in NETWORKS], arrivals(4))
    for name in ("alexnet", "resnet"):
        staggered = f"ten tasks of one client, one every {STAGGER_S} s (our choice)"
        tens = compose(f"{name}-x10", [made[name]], arrivals(10, interval_s=STAGGER_S), source=staggered)
        made[tens.name] = tens
    nested = inception.inception_v4().layers
    made["inception-nested"] = alone("inception-nested", tuple(nested), inception.INPUT_MB, inception.SOURCE)
    alexnet, vgg19 = made["alexnet"], made["vgg19"]
    for instance in (devices.phones(alexnet), devices.camera(alexnet), devices.board(vgg19), devices.split(alexnet)):
        made[instance.name] = instance
    return made


if __name__ == "__main__":
    for name, instance in build().items():
        path = FOLDER / f"{name}.json"
        path.write_text(instance.to_text(), encoding="utf-8")
        print(path.name, instance.subtasks, "subtasks")
