"""Texts about Debian's packages by others than those who wrote their summaries: texts.py TRANSLATIONS COMPONENTS FOLDER

TRANSLATIONS is apt's `Translation-en`: the long descriptions. COMPONENTS is AppStream's list of programs (DEP-11, YAML): there the authors of a
program say in a line what it is, and a package of Debian is named that has it. FOLDER receives two files for COPY's text format:

- descriptions.tsv: package, long description;
- questions.tsv: the part that it is for, the line, the package. A line is taken as a question when it has three words or more, is not what
  Debian's summary says, and does not name the package. It is asked of the words of the others, so it says nothing that was written for the index.

The lines are taken in the order of a hash of their program's id; the first SIZE are for choosing ("development"), the next SIZE for telling ("held out").
"""

import hashlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo"))

from packages import paragraphs, row

SIZE = 300


def described(lines):
    """Package: (summary, long description), each package once."""
    found = {}
    for entry in paragraphs(lines):
        summary, _, text = entry.get("Description-en", "").partition("\n")
        if entry.get("Package") and entry["Package"] not in found:
            found[entry["Package"]] = summary, " ".join(line for line in text.split("\n") if line != ".")
    return found


def scalar(text):
    """A YAML scalar of one line or more, as AppStream's generator writes them."""
    text = " ".join(line.strip() for line in text.split("\n")).strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", re.sub(r"\\ ?(?:\n|$)", "", text[1:-1]))
    return text


def programs(text):
    """(id, package, summary in English) of each program."""
    for part in text.split("\n---\n"):
        if not re.search(r"^Type: (?:desktop|console)-application$", part, re.M):
            continue
        name = re.search(r"^ID: (.*)$", part, re.M)
        package = re.search(r"^Package: (.*)$", part, re.M)
        block = re.search(r"^Summary:\n((?: .*\n)+)", part, re.M)
        line = block and re.search(r"^  C: (.*(?:\n    .*)*)$", block[1], re.M)
        if name and package and line:
            yield scalar(name[1]), scalar(package[1]), scalar(line[1])


def letters(text):
    return re.sub(r"[^a-z0-9]", "", text.lower())


def main():
    translations, components, folder = (pathlib.Path(path) for path in sys.argv[1:])
    with open(translations, encoding="utf-8", errors="replace") as lines:
        packages = described(lines)
    with open(folder / "descriptions.tsv", "w", encoding="utf-8") as out:
        for name, (_, text) in packages.items():
            out.write(row(name, text))
    taken, questions = set(), []
    for name, package, line in sorted(programs(components.read_text(encoding="utf-8")), key=lambda one: hashlib.md5(one[0].encode()).hexdigest()):
        summary = packages.get(package, ("", ""))[0]
        if package in taken or len(line.split()) < 3 or not summary:
            continue
        if letters(line) in letters(summary) or letters(summary) in letters(line) or letters(package) in letters(line):
            continue
        taken.add(package)
        questions.append((line, package))
    with open(folder / "questions.tsv", "w", encoding="utf-8") as out:
        for at, (line, package) in enumerate(questions[: 2 * SIZE]):
            out.write(row("development" if at < SIZE else "held out", line, package))
    print(f"{len(packages)} descriptions, {len(questions)} questions")


if __name__ == "__main__":
    main()
