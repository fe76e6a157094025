"""The JSON Schema of an instance file, both formats in one (MODEL.md section 8)."""

from typing import Any

from offbench.model.instance import Instance

_NEW: dict[str, Any] = {
    "limits": False,
    "servers": {"items": {"properties": {"memory_mb": False, "idle_power_w": False}}},
    "links": {"items": {"properties": {"from": False, "to": False, "latency_s": False}, "required": ["between"]}},
    "tasks": {
        "items": {
            "properties": {
                "client": False,
                "deadline_s": False,
                "layers": {
                    "items": {
                        "properties": {
                            "seconds": False,
                            "weights_mb": False,
                            "weights_id": False,
                            "gcycles": {"type": "number"},
                            "inputs": {"items": {"type": "string"}},
                        },
                        "required": ["gcycles"],
                    }
                },
            }
        }
    },
}
"""what format 1 doesn't have, or needs"""


def instance_schema() -> dict[str, Any]:
    """Return the JSON Schema of an instance file: what format 2 adds is refused where the file says format 1.

    Rules that span fields, such as that inputs are earlier layers, no schema can tell; `Instance` checks them.
    """
    schema = Instance.model_json_schema()
    links = schema["$defs"]["Link"]
    links["oneOf"] = [{"required": ["between"]}, {"required": ["from", "to"]}]
    first = {"properties": {"format": {"const": "offbench/1"}}, "required": ["format"]}
    return schema | {"if": first, "then": {"properties": _NEW}}
