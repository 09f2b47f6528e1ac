"""How the cost of search_vectors grows from 10,000 to 1,000,000 vectors; tests/bench/vectors.sh growth made the cluster and removes it.

Real vectors first: the summaries of Debian's packages by all-MiniLM-L6-v2 (tests/embedding/debian.py), of which 100 are kept out of the table
and are what is searched for. Above those the rows are synthetic: 0.8 of one real vector and 0.4 of another, both at random, made one long.
All are halfvec(384), with an HNSW index of pgvector's defaults (m 16, ef_construction 64), built anew at each size.

The tool and the same SQL in pgbench take turns, ROUNDS times; ratios are of one round, and the median is told. The SQL gets its vector as
text, as every client sends it. Writes docs/benchmarks/vectors.md and vectors.svg after each size, so that a run that is ended leaves what it measured.
"""

import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

import numpy

from vectors import BIN, CLIENTS, OPTIONS, PORT, ROOT, SECONDS, SOCKET, credential_of, ids_of, listener, pgbench, psql, request, wrk

DATA = Path(os.environ["BENCH_PACKAGES"])
OUT = Path(os.environ.get("BENCH_OUT", ROOT / "docs/benchmarks"))
SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000 30000 59904 100000 300000 1000000").split()]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
DIMENSIONS, QUERIES, CHECKED, CHUNK = 384, 100, 50, 50_000
SCHEMA = f"""
CREATE EXTENSION fluxbase_mcp_ext; CREATE EXTENSION vector;
SELECT mcp.setup_roles(); SELECT mcp.setup_listener();
CREATE TABLE docs (id int PRIMARY KEY, content text NOT NULL, embedding halfvec({DIMENSIONS}) NOT NULL);
CREATE TABLE queries (id int PRIMARY KEY, v text NOT NULL);
GRANT SELECT ON docs, queries TO authenticated;
"""
PLAIN = """WITH q AS MATERIALIZED (SELECT v::halfvec AS v FROM queries WHERE id = :id)
SELECT (SELECT json_agg(r) FROM (SELECT id AS chunk_id, content, round(greatest(0, least(1, 1 - d))::numeric, 6)::float8 AS similarity
  FROM (SELECT id, content, embedding <=> (SELECT v FROM q) AS d FROM docs ORDER BY embedding <=> (SELECT v FROM q) LIMIT 10) AS c ORDER BY d) AS r);
"""


def real():
    """The packages' vectors, one long each, in an order that has nothing to do with their names; and the questions, which are not among them."""
    with open(DATA, encoding="utf-8") as lines:
        rows = numpy.array([numpy.fromstring(line.rsplit("\t", 1)[1][1:-2], sep=",", dtype=numpy.float32) for line in lines])
    rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows[numpy.random.default_rng(1).permutation(len(rows))]
    return rows[QUERIES:], rows[:QUERIES]


def binary(first, vectors):
    """Rows of docs in COPY's binary form: id, content, embedding."""
    count, texts = len(vectors), [f"A text of ordinary length, number {n:>9}".encode() for n in range(first, first + len(vectors))]
    width = len(texts[0])
    form = numpy.dtype([("fields", ">i2"), ("a", ">i4"), ("id", ">i4"), ("b", ">i4"), ("content", f"S{width}"), ("c", ">i4"),
                        ("dimensions", ">i2"), ("unused", ">i2"), ("numbers", ">f2", DIMENSIONS)])
    rows = numpy.zeros(count, form)
    rows["fields"], rows["a"], rows["b"], rows["c"] = 3, 4, width, 4 + 2 * DIMENSIONS
    rows["id"], rows["content"], rows["dimensions"] = numpy.arange(first, first + count), texts, DIMENSIONS
    rows["numbers"] = vectors
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"


def fill(vectors, before, size):
    """Rows before + 1 to size."""
    source = numpy.random.default_rng(size)
    while before < size:
        if before < len(vectors):
            part = vectors[before : min(size, before + CHUNK)]
        else:
            count = min(CHUNK, size - before)
            part = 0.8 * vectors[source.integers(len(vectors), size=count)] + 0.4 * vectors[source.integers(len(vectors), size=count)]
            part /= numpy.linalg.norm(part, axis=1, keepdims=True)
        command = [BIN / "psql", "-X", "-q", "-h", SOCKET, "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c",
                   "COPY docs FROM STDIN (FORMAT binary)"]
        subprocess.run(command, input=binary(before + 1, part), check=True)
        before += len(part)


def exact(ids):
    """The true ten of each question, by comparing all rows, and the milliseconds that one takes."""
    begun = time.time()
    found = psql("".join(f"SELECT string_agg(id::text, ',') FROM (SELECT d.id FROM docs AS d ORDER BY d.embedding <=> (SELECT v::halfvec FROM queries "
                         f"WHERE id = {n}) LIMIT 10) AS x;\n" for n in ids), "-c enable_indexscan=off -c max_parallel_workers_per_gather=0")
    return [set(map(int, line.split(","))) for line in found.splitlines()], (time.time() - begun) * 1000 / len(ids)


def measure(size, vectors, before, bodies, key):
    psql("DROP INDEX IF EXISTS docs_near;")
    fill(vectors, before, size)
    begun = time.time()
    psql("CREATE INDEX docs_near ON docs USING hnsw (embedding halfvec_cosine_ops);")
    built = time.time() - begun
    psql("VACUUM ANALYZE docs;")
    table, index = map(int, psql("SELECT pg_table_size('docs'), pg_relation_size('docs_near')").split("|"))
    checked = range(1, CHECKED + 1)
    truth, every = exact(checked)
    replies = psql("".join(f"SELECT split_part(mcp._serve(body, credential, transport), E'\\n', 2) FROM requests WHERE id = {n};\n" for n in checked))
    ours = [set(ids_of(reply)) for reply in replies.splitlines()]
    recall = sum(len(a & b) for a, b in zip(ours, truth)) / sum(map(len, truth))
    choose = f"\\set id random(1, {QUERIES})\n"
    # Once for nothing: the index is read into memory.
    psql("".join(PLAIN.replace(":id", str(n)) for n in range(1, QUERIES + 1)), OPTIONS)
    rounds = []
    for _ in range(ROUNDS):
        plain = pgbench("plain", choose + PLAIN, OPTIONS)
        tool = pgbench("tool", choose + "SELECT mcp._serve(body, credential, transport) FROM requests WHERE id = :id;\n")
        rounds.append((plain, tool, wrk(key, bodies, PORT)))
    plain, tool, http = (statistics.median(column) for column in zip(*rounds))
    return {"rows": size, "table MB": table / 2**20, "index MB": index / 2**20, "built": built, "recall": recall, "every": every, "plain": plain,
            "tool": tool, "in SQL": statistics.median(b / a for a, b, _ in rounds), "http": http,
            "over HTTP": statistics.median(c / a for a, _, c in rounds), "load": os.getloadavg()[0]}


COLUMNS = [("rows", "{:,}"), ("table MB", "{:,.0f}"), ("index MB", "{:,.0f}"), ("built", "{:,.0f}"), ("recall", "{:.3f}"), ("every", "{:,.1f}"),
           ("plain", "{:,.0f}"), ("tool", "{:,.0f}"), ("in SQL", "{:.2f}"), ("http", "{:,.0f}"), ("over HTTP", "{:.2f}"), ("load", "{:.1f}")]
HEADS = ["vectors", "table MB", "index MB", "built in s", "recall@10", "every row, ms", "pgbench/s", "tool in SQL/s", "ratio", "over HTTP/s", "ratio", "load"]


def svg(found):
    """Milliseconds of one search by the number of vectors, both on logarithmic scales."""
    lines = [("every row compared", "#b03a2e", [row["every"] for row in found])] + [
        (name, colour, [CLIENTS * 1000 / row[of] for row in found])
        for name, colour, of in [("search_vectors over HTTP", "#1f618d", "http"), ("search_vectors in SQL", "#2e86c1", "tool"), ("the same SQL in pgbench", "#7f8c8d", "plain")]]
    low, high = 10 ** numpy.floor(numpy.log10(min(min(v) for _, _, v in lines))), 10 ** numpy.ceil(numpy.log10(max(max(v) for _, _, v in lines)))
    left, top, width, height = 70, 40, 520, 300
    across = lambda n: left + width * (numpy.log10(n) - 4) / 2
    down = lambda ms: top + height * (1 - numpy.log10(ms / low) / numpy.log10(high / low))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 200}" height="{top + height + 60}" font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="white"/><text x="{left}" y="20" font-size="14">Milliseconds of one search, {CLIENTS} clients at once (every row: one)</text>']
    for n in (10_000, 100_000, 1_000_000):
        parts.append(f'<line x1="{across(n):.0f}" y1="{top}" x2="{across(n):.0f}" y2="{top + height}" stroke="#ddd"/><text x="{across(n):.0f}" y="{top + height + 18}" text-anchor="middle">{n:,}</text>')
    ms = low
    while ms <= high * 1.01:
        parts.append(f'<line x1="{left}" y1="{down(ms):.0f}" x2="{left + width}" y2="{down(ms):.0f}" stroke="#ddd"/><text x="{left - 8}" y="{down(ms) + 4:.0f}" text-anchor="end">{ms:g}</text>')
        ms *= 10
    parts.append(f'<text x="{left + width / 2:.0f}" y="{top + height + 42}" text-anchor="middle">vectors (halfvec, {DIMENSIONS} dimensions)</text>')
    for n, (name, colour, values) in enumerate(lines):
        points = [(across(row["rows"]), down(value)) for row, value in zip(found, values)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
        parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
        parts.append(f'<rect x="{left + width + 20}" y="{top + 20 * n}" width="12" height="12" fill="{colour}"/><text x="{left + width + 38}" y="{top + 10 + 20 * n}">{name}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def report(found, real_rows):
    server = psql("SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'").split("|")
    table = "\n".join("| " + " | ".join(form.format(row[name]) for name, form in COLUMNS) + " |" for row in found)
    (OUT / "vectors.svg").write_text(svg(found))
    (OUT / "vectors.md").write_text(f"""# Searching among 10,000 to 1,000,000 vectors

Written by `make bench-vectors-growth`; do not edit. PostgreSQL {server[0]}, pgvector {server[1]}, {os.cpu_count()} cores ({platform.machine()}), {time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}.

The first {real_rows:,} vectors are real: summaries of Debian's packages by all-MiniLM-L6-v2; a hundred others of them are searched for. The rest is
synthetic: 0.8 of one real vector and 0.4 of another, of length one. All are `halfvec({DIMENSIONS})` under an HNSW index with pgvector's defaults, built with
`maintenance_work_mem` 3 GB and `ef_search` 100 in searches. {CLIENTS} clients, ten rows each, {ROUNDS} rounds of {SECONDS} s in which the contenders take turns:
figures and ratios are medians. *load* is the machine's at the end of a size: other programs ran beside, so ratios say more than figures.

- **pgbench**: the same SQL, prepared, as a superuser; the vector comes as text, as a client sends it; the answer is JSON.
- **tool in SQL**: `mcp._serve` with the message of a `tools/call` of `search_vectors`, with a key. **over HTTP**: the same through `fluxbase serve`.
- **recall@10**: of {CHECKED} searches through the tool, against a comparison with every row; **every row, ms** is what one such comparison takes, alone.

{"| " + " | ".join(HEADS) + " |"}
{"|" + "---:|" * len(HEADS)}
{table}

![Milliseconds of one search](vectors.svg)
""")


def main():
    psql(SCHEMA)
    key, credential = credential_of()
    vectors, asked = real()
    texts = ["[" + ",".join(f"{x:.5g}" for x in v) + "]" for v in asked]
    psql("".join(f"INSERT INTO queries VALUES ({n}, '{text}');\n" for n, text in enumerate(texts, 1)))
    bodies = [request(text) for text in texts]
    found, before = [], 0
    with listener(credential, bodies):
        print("| " + " | ".join(HEADS) + " |\n|" + "---:|" * len(HEADS), flush=True)
        for size in SIZES:
            row = measure(size, vectors, before, bodies, key)
            found.append(row)
            before = size
            print("| " + " | ".join(form.format(row[name]) for name, form in COLUMNS) + " |", flush=True)
            report(found, len(vectors))


if __name__ == "__main__":
    main()
