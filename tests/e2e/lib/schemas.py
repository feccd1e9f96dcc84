# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""What --json prints is as its published schema says."""

import json

import jsonschema

from places import TOP


def validate(name, doc):
    """Returns the document."""
    schema = json.loads((TOP / f"build/data/schemas/{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(doc, schema)
    return doc
