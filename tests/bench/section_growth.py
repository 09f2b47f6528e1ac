"""How the cost of one call grows with what is in the database: rows, columns, policies, tables, keys and registered tools.

The call is `mcp._serve` by pgbench, so HTTP hides nothing. Each step is measured in turn with a call that does not change, and shown as a share
of it: what the machine does meanwhile strikes both.
"""

import os
import statistics

import load
from common import LISTENER_OPTIONS, TENANTS, TRANSPORT, Failed, call, compact, make_keys, psql, request, rows_of_call
from load import POOL, Pgbench, interleaved
from report import Section

TITLE = "How the cost grows"
ABOUT = """
`mcp._serve` by pgbench with {pool} clients, ten rows unless said otherwise. *Share*: requests a second divided by those of the same call on the table of the
other sections, measured in turn; 1.00 is no growth. Nothing on the way of a call is meant to grow with tables, keys or tools.
"""
TENANT = TENANTS[0]
MOST_ROWS = int(os.environ.get("BENCH_GROWTH_ROWS") or 10_000_000)


class Steps:
    """Measures calls in turn with the one that does not change."""

    def __init__(self, credential, section):
        self.credential, self.section, self.fixed = credential, section, None
        self.fixed = self.call("fixed", request(TENANT), 10)

    def call(self, name, message, rows):
        transport = compact(TRANSPORT)

        def check():
            body = psql("fluxbase_listener", "SELECT split_part(mcp._serve(:'request', :'credential', :'transport'), E'\\n', 2);",
                        request=message, credential=self.credential, transport=transport)
            if len(rows_of_call(body)) != rows:
                raise Failed(f"growth, {name}: {body[:1000]}")
        script = "SELECT mcp._serve(:request::text, :credential::text, :transport::text);\n"
        return Pgbench(name, name, "fluxbase_listener", [script], {"request": message, "credential": self.credential, "transport": transport}, check,
                       POOL, LISTENER_OPTIONS)

    def measure(self, what, calls):
        """`calls`: step to message and number of rows. Rows of a table: the step, requests a second, p50, the share."""
        contenders = {step: self.call(f"{what}_{step}", message, rows) for step, (message, rows) in calls.items()}
        rounds = interleaved([self.fixed, *contenders.values()])
        lines = []
        for step, one in contenders.items():
            rate = statistics.median(result[one.name]["rps"] for result in rounds)
            p50 = statistics.median(result[one.name]["p50_ms"] for result in rounds)
            share = statistics.median(result[one.name]["rps"] / result["fixed"]["rps"] for result in rounds)
            lines.append([f"{step:,}", f"{rate:,.0f}", f"{p50:.2f}", f"{share:.2f}"])
            self.section.rows += [[number, one.name, f"{r[one.name]['rps']:.1f}", f"{r[one.name]['p50_ms']:.3f}", f"{r[one.name]['p99_ms']:.3f}"]
                                  for number, r in enumerate(rounds, 1)]
            self.section.bars.append((f"{what}: {step:,}", rate, min(r[one.name]["rps"] for r in rounds), max(r[one.name]["rps"] for r in rounds)))
        return lines

    def table(self, what, lines, why):
        self.section.table([what, "requests/s", "p50 ms", "share"], lines)
        self.section.text(why)
        self.section.ratios[f"growth_{what.replace(' ', '_')}"] = float(lines[-1][3]) / float(lines[0][3])


def ten(table, key="n"):
    return call("query_table", {"table": table, "select": "n,name", "filter": {"kind": "eq.7"}, "order": key, "limit": 10})


def rows(steps):
    calls, count = {}, 1000
    while count <= MOST_ROWS:
        psql("postgres", f"""CREATE UNLOGGED TABLE public.rows_{count} (n bigint PRIMARY KEY, kind int NOT NULL, name text NOT NULL);
            INSERT INTO public.rows_{count} SELECT n, n % 100, 'name ' || n FROM generate_series(1, {count}) n;
            CREATE INDEX ON public.rows_{count} (kind, n);
            ALTER TABLE public.rows_{count} ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON public.rows_{count} TO authenticated USING (auth.uid() IS NOT NULL);
            GRANT SELECT ON public.rows_{count} TO authenticated;
            ANALYZE public.rows_{count}""")
        calls[count] = (ten(f"rows_{count}"), 10)
        count *= 10
    steps.table("rows", steps.measure("rows", calls), "An index gives the ten rows: it has one more level for every few hundred times as many rows, and "
                "beyond the memory of Postgres its pages are read again.")


def columns(steps):
    calls = {}
    for count in (5, 50, 200, 500):
        more = ", ".join(f"c{n} int DEFAULT {n}" for n in range(count - 3))
        psql("postgres", f"""CREATE TABLE public.columns_{count} (n bigint PRIMARY KEY, kind int NOT NULL, name text NOT NULL, {more});
            INSERT INTO public.columns_{count} (n, kind, name) SELECT n, n % 100, 'name ' || n FROM generate_series(1, 5000) n;
            CREATE INDEX ON public.columns_{count} (kind, n);
            GRANT SELECT ON public.columns_{count} TO authenticated; ANALYZE public.columns_{count}""")
        calls[count] = (ten(f"columns_{count}"), 10)
    steps.table("columns", steps.measure("columns", calls), "Three columns are asked for. A description of the table is read once for each role and backend, and a plan is "
                "kept; what grows is Postgres's own: wider rows, of which fewer lie on a page.")


def policies(steps):
    calls = {}
    for count in (0, 1, 5, 20):
        made = "".join(f"CREATE POLICY p{n} ON public.policies_{count} TO authenticated USING (kind = {n + 1000 if n else 7});" for n in range(count))
        psql("postgres", f"""CREATE TABLE public.policies_{count} (n bigint PRIMARY KEY, kind int NOT NULL, name text NOT NULL);
            INSERT INTO public.policies_{count} SELECT n, n % 100, 'name ' || n FROM generate_series(1, 5000) n;
            CREATE INDEX ON public.policies_{count} (kind, n);
            {"ALTER TABLE public.policies_%d ENABLE ROW LEVEL SECURITY;" % count if count else ""} {made}
            GRANT SELECT ON public.policies_{count} TO authenticated; ANALYZE public.policies_{count}""")
        calls[count] = (ten(f"policies_{count}"), 10)
    steps.table("policies", steps.measure("policies", calls), "Postgres asks them for each row, joined by OR, until one holds.")


def in_steps(steps, what, counts, grow, why):
    """For what can only be made more in one database."""
    lines, made = [], 0
    for count in counts:
        grow(made, count)
        made = count
        lines += steps.measure(what.replace(" ", "_"), {count: (request(TENANT), 10)})
    steps.table(what, lines, why)


def tables(made, count):
    psql("postgres", f"""DO $$ BEGIN FOR n IN {made + 1} .. {count} LOOP
        EXECUTE format('CREATE TABLE public.table_%s (id int PRIMARY KEY, name text)', n);
        EXECUTE format('GRANT SELECT ON public.table_%s TO authenticated', n);
        IF n % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$;""")


def more_keys(made, count):
    psql("postgres", f"""INSERT INTO mcp.keys (key_id, kind, name, role_name, user_id, scopes, verifier, created_by)
        SELECT lpad(to_hex(n), 16, '0'), 'client', 'growth ' || n, 'authenticated', bench.tenant(n % 1000)::text, '{{read:tables}}', sha256(n::text::bytea), 'bench'
          FROM generate_series({made + 1}, {count}) n; ANALYZE mcp.keys""")


def tools(made, count):
    if not made:
        psql("postgres", "CREATE FUNCTION bench.nothing(arguments jsonb) RETURNS jsonb LANGUAGE sql STABLE AS 'SELECT ''{}''::jsonb';")
    psql("postgres", f"""SELECT count(mcp.register_tool('growth_' || n, 'bench.nothing(jsonb)'::regprocedure, 'Does nothing.'))
        FROM generate_series({made + 1}, {count}) n""")


def run():
    keys, credentials = make_keys()
    section = Section("growth", TITLE, ABOUT.format(pool=POOL))
    # Many measurements of something steady: three short rounds each.
    load.ROUNDS, load.SECONDS = min(load.ROUNDS, 3), min(load.SECONDS, 3)
    steps = Steps(credentials[TENANT], section)
    rows(steps)
    columns(steps)
    policies(steps)
    in_steps(steps, "tables", (10, 300, 3000), tables, "What is kept of a table is found by its name; the other tables are not looked at.")
    in_steps(steps, "keys", (1, 1000, 100_000), more_keys, "A key is read by its primary key once in each backend, and remembered.")
    in_steps(steps, "registered tools", (10, 100, 1000), tools, "Built-in tools come first, so registered ones are not looked at.")
    return section
