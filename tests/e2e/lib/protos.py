# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The pinfold authors
"""Messages of gRPC services, compiled from their .proto when a test wants them."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def lacks():
    """What of it is missing; "" when nothing is."""
    modules = {"grpc": "python3-grpcio", "google.protobuf": "python3-protobuf"}
    for module, package in modules.items():
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return f"package {package} is not installed"
    return "" if shutil.which("protoc") else "package protobuf-compiler is not installed"


def load(path):
    """The module of a .proto file."""
    path = Path(path)
    name = f"{path.stem}_pb2"
    if name not in sys.modules:
        with tempfile.TemporaryDirectory() as top:
            words = ["protoc", f"--proto_path={path.parent}", f"--python_out={top}", path.name]
            subprocess.run(words, check=True, timeout=60)
            at = importlib.util.spec_from_file_location(name, f"{top}/{name}.py")
            module = importlib.util.module_from_spec(at)
            at.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]
