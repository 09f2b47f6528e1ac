#!/usr/bin/env python3
"""Writes the crates that a package of this workspace is linked with, and the texts of their licences, to standard output.

    licenses.py PACKAGE [FEATURE…]

Asks `cargo metadata` for what a build without default features and with these features links on this machine (build scripts and
procedural macros are not in the result, so they are left out). The output depends on Cargo.lock and the crates alone: no path,
no time. A crate without a licence text is named with the licence that its manifest declares. Exit code 1 when a third-party crate declares none.
"""

import json
import subprocess
import sys
from pathlib import Path


def metadata(features):
    """What cargo knows, for the target that it builds for."""
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in version.splitlines() if line.startswith("host:"))
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--no-default-features", "--filter-platform", host]
    if features:
        command += ["--features", ",".join(features)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def linked(data, root):
    """Ids of the crates that `root` is linked with: normal dependencies, not through procedural macros."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    start = next(key for key, package in packages.items() if package["name"] == root and package["source"] is None)
    found, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        if here in found or any("proc-macro" in target["kind"] for target in packages[here]["targets"]):
            continue
        found.add(here)
        waiting += [dep["pkg"] for dep in nodes[here]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return [packages[key] for key in found]


def texts(package):
    """{file name: text} of the licence and notice files beside the manifest."""
    folder = Path(package["manifest_path"]).parent
    names = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
    files = [path for path in folder.iterdir() if path.is_file() and path.name.upper().startswith(names)]
    return {path.name: path.read_text(encoding="utf-8", errors="replace").strip() for path in sorted(files)}


def main():
    root, features = sys.argv[1], sys.argv[2:]
    crates = [package for package in linked(metadata(features), root) if package["source"] is not None]
    crates.sort(key=lambda package: (package["name"], package["version"]))
    users = {}
    print(f"{root} is linked with these crates:\n")
    for package in crates:
        if not package["license"] and not package["license_file"]:
            sys.exit(f"{package['name']} {package['version']} declares no licence. Nothing can be packaged with it.")
        print(f"{package['name']} {package['version']}: {package['license'] or 'see its text'}")
        for name, text in texts(package).items():
            users.setdefault(text, []).append(f"{package['name']} {package['version']}: {name}")
    for text, crates in sorted(users.items(), key=lambda item: item[1]):
        print("\n" + "-" * 80 + "\n" + "\n".join(crates) + "\n\n" + text)


main()
