"""How well search_vectors finds, on real text: Debian's packages, embedded by a real model. Run by run.sh.

1. Recall: of the ten nearest neighbours that a comparison with every row finds, how many does the tool find with the HNSW index?
2. Questions: for questions.tsv, written by hand, is a right package among the first 1, 5, 10 answers, by vector, by words and by both?

Prints a table, writes it as JSON, and ends with "retrieval: N passed, M failed": recall is at least 0.95, and both together answer more
questions than either side alone.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "embedding"))

from model import Model

MODES = ["vector", "text", "hybrid"]
LEAST_RECALL = 0.95


def psql(sql):
    done = subprocess.run([os.environ["RETRIEVAL_PSQL"], "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", os.environ["RETRIEVAL_SOCKET"],
                           "-U", "postgres", "-d", "postgres"], input=sql, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout.splitlines()


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def numbers(vector):
    return "[" + ",".join(f"{x:.6g}" for x in vector) + "]"


def tool(arguments):
    """The statement of a call; it gives one line, the names of what was found in their order."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search_vectors", "arguments": arguments}}
    # The text of the answer is JSON with the results, or an error.
    return (f"SELECT CASE WHEN (a.r #>> '{{result,isError}}')::bool THEN jsonb_build_object('error', a.r #>> '{{result,content,0,text}}') ELSE "
            f"(SELECT coalesce(jsonb_agg(x -> 'document_id'), '[]') FROM jsonb_array_elements((a.r #>> '{{result,content,0,text}}')::jsonb -> 'results') AS x) END "
            f"FROM (SELECT mcp.handle({quoted(json.dumps(message))}::jsonb)::jsonb AS r) AS a;\n")


def names(line):
    found = json.loads(line)
    if isinstance(found, dict):
        raise SystemExit(f"search_vectors failed: {found['error']}")
    return found


def recall(model, count):
    """Searches for summaries without the name that is in the stored vectors, so that nothing is at distance 0."""
    texts = psql(f"SELECT summary FROM (SELECT summary, row_number() OVER (ORDER BY md5(name)) AS n FROM public.packages) AS p WHERE n <= {count} ORDER BY n")
    vectors = model.embed(texts)
    ours = [names(line) for line in psql("".join(tool({"embedding": json.loads(numbers(v)), "knowledge_bases": ["debian"], "limit": 10})
                                                 for v in vectors))]
    exact = "SET enable_indexscan = off; SET enable_bitmapscan = off;\n" + "".join(
        f"SELECT jsonb_agg(name) FROM (SELECT name FROM public.packages ORDER BY embedding <=> '{numbers(v)}' LIMIT 10) AS p;\n" for v in vectors)
    theirs = [json.loads(line) for line in psql(exact)]
    return sum(len(set(a) & set(b)) for a, b in zip(ours, theirs)) / sum(len(b) for b in theirs)


def by_hand(there):
    for line in (HERE / "questions.tsv").read_text().splitlines():
        question, right = line.split("\t")
        right = set(right.split()) & there
        if not right:
            raise SystemExit(f"no right package is in the index: {question}")
        yield question, right


def held_out(there):
    """Lines of AppStream that chose no parameter; those whose package is in the index."""
    for line in pathlib.Path(os.environ["RETRIEVAL_QUESTIONS"]).read_text(encoding="utf-8").splitlines():
        part, question, package = line.split("\t")
        if part == "held out" and package in there:
            yield question, {package}


def questions(model, asked):
    """For each mode the place of the first right package, 0 when it is not among the first ten."""
    vectors = model.embed([question for question, _ in asked])
    places = {}
    for mode in MODES:
        calls = []
        for (question, _), vector in zip(asked, vectors):
            arguments = {"query": question, "knowledge_bases": ["debian"], "mode": mode, "limit": 10}
            if mode != "text":
                arguments["embedding"] = json.loads(numbers(vector))
            calls.append(tool(arguments))
        found = [names(line) for line in psql("".join(calls))]
        places[mode] = [next((at for at, name in enumerate(one, 1) if name in right), 0) for one, (_, right) in zip(found, asked)]
    return [question for question, _ in asked], places


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--neighbours", type=int, default=300, help="searches of which the recall is counted")
    arguments.add_argument("--out", type=pathlib.Path, required=True)
    given = arguments.parse_args()
    model = Model()
    (rows,) = psql("SELECT count(*) FROM public.packages")
    share = recall(model, given.neighbours)
    there = set(psql("SELECT name FROM public.packages"))
    print(f"{rows} packages; recall@10 of {given.neighbours} searches: {share:.4f}")
    result = {"packages": int(rows), "recall_at_10": share}
    checks = {f"recall@10 is at least {LEAST_RECALL}": share >= LEAST_RECALL}
    for part, asked in (("by hand", list(by_hand(there))), ("held out", list(held_out(there)))):
        asked, places = questions(model, asked)
        table = {mode: {f"first {k}": sum(1 <= place <= k for place in places[mode]) for k in (1, 5, 10)}
                 | {"mean reciprocal rank": round(sum(1 / place for place in places[mode] if place) / len(asked), 3)} for mode in MODES}
        print(f"\n{len(asked)} questions, {part}\n{'':8}" + "".join(f"{name:>22}" for name in table["vector"]))
        for mode in MODES:
            print(f"{mode:8}" + "".join(f"{value:>22}" for value in table[mode].values()))
        result[part] = {"modes": table, "questions": dict(zip(asked, zip(*places.values())))}
        for other, name in (("vector", "vectors"), ("text", "words")):
            checks[f"{part}: both together find more among the first 5 than {name} alone"] = table["hybrid"]["first 5"] > table[other]["first 5"]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1))
    for name, good in checks.items():
        if not good:
            print(f"failed: {name}")
    print(f"retrieval: {sum(checks.values())} passed, {len(checks) - sum(checks.values())} failed")
    sys.exit(0 if all(checks.values()) else 1)


if __name__ == "__main__":
    main()
