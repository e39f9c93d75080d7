"""Checks every run.json below a folder against runs/run_record.schema.json; one line a fault, exit 1 where there is one.

    check_records.py SCHEMA FOLDER [FOLDER ...]
"""
import json
import os
import re
import sys

KNOWN = {"$schema", "title", "description", "type", "enum", "const", "required", "properties", "additionalProperties", "items", "pattern", "minimum"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}


def faults(schema, value, place):
    unknown = set(schema) - KNOWN
    if unknown:
        raise SystemExit(f"check_records.py knows no {sorted(unknown)}")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[name](value) for name in types):
        yield f"{place}: expected {types}, found {value!r}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{place}: expected {schema['const']!r}, found {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: expected one of {schema['enum']}, found {value!r}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{place}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and TYPES["number"](value) and value < schema["minimum"]:
        yield f"{place}: {value} is below {schema['minimum']}"
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{place}: no {name}"
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
            if known is False:
                yield f"{place}: {name} is not in the schema"
            elif known is not True:
                yield from faults(known, inner, f"{place}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from faults(schema["items"], inner, f"{place}[{index}]")


def main():
    schema = json.load(open(sys.argv[1]))
    records, bad = 0, 0
    for folder in sys.argv[2:]:
        for path, _, files in os.walk(folder):
            if "run.json" not in files:
                continue
            records += 1
            with open(os.path.join(path, "run.json"), encoding="utf-8") as file:
                try:
                    found = list(faults(schema, json.load(file), "run.json"))
                except ValueError as error:
                    found = [str(error)]
            for fault in found:
                bad += 1
                print(f"{path}: {fault}")
    print(f"{records} records checked")
    return 1 if bad else 0


sys.exit(main())
