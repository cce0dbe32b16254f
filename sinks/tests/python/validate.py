"""Checks documents against JSON Schemas: lines of "SCHEMA<tab>DOCUMENT"; prints what is wrong."""
import json
import sys

from jsonschema import Draft202012Validator

validators = {}
for line in sys.stdin:
    path, text = line.rstrip("\n").split("\t", 1)
    if path not in validators:
        with open(path, encoding="utf-8") as file:
            schema = json.load(file)
        Draft202012Validator.check_schema(schema)
        validators[path] = Draft202012Validator(schema)
    for error in validators[path].iter_errors(json.loads(text)):
        print(f"{path.rsplit('/', 1)[-1]}: {error.json_path}: {error.message[:300]}")
