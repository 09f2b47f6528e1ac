#!/usr/bin/env bash
# Background jobs: no-op jobs a second through the workers beside a claim loop written by hand, the time from submit to start, both again with
# many finished rows, and while a transaction stays open. Writes docs/benchmarks/jobs.md.
#
#   JOBS (5000) jobs to be drained   SINGLES (200) jobs submitted one at a time   CONCURRENCY (4)   FINISHED (1000000) finished rows
#
# By hand: pgbench with as many clients claims one row by SKIP LOCKED, does nothing, and marks it as done, in one transaction
# of two statements; it has no lease, role, guard or log. Both run on the same cluster, one after the other, with fsync on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"

JOBS=${JOBS:-5000} SINGLES=${SINGLES:-200} CONCURRENCY=${CONCURRENCY:-4} FINISHED=${FINISHED:-1000000}
postgres_tree 18
[[ -n ${NO_BUILD:-} ]] || { need_build_tools && build_extension "$PG_CONFIG" release; }
PG_BIN=$("$PG_CONFIG" --bindir)
mkdir -p "$STATE/tests"
[[ -z $RUN_AS ]] || chown "$RUN_AS" "$STATE/tests"
work=$STATE/tests/bench-jobs-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" bench --locale=C --auth=trust
socket_dir "$work/socket"
socket=$REPLY
printf '%s\n' "shared_preload_libraries = 'fluxbase_mcp_ext'" "listen_addresses = ''" "unix_socket_directories = '$socket'" \
    "max_worker_processes = 24" "mcp.job_concurrency = $CONCURRENCY" | cluster_configure "$work/data"
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start."

sql() { PGHOST=$socket PGUSER=postgres "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -d postgres "$@"; }
sql >/dev/null <<'SQL'
CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.install('{auth,jobs}');
CREATE FUNCTION public.nothing() RETURNS void LANGUAGE sql AS '';
SELECT mcp.register_job('nothing', 'public.nothing()', keep_rows => 10000000);
CREATE TABLE public.by_hand (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, status text NOT NULL DEFAULT 'pending');
CREATE INDEX ON public.by_hand (id) WHERE status = 'pending';
CREATE FUNCTION public.submit(n int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO jobs.queue (namespace, function_id, job_name, role_name)
    SELECT f.namespace, f.id, f.name, 'service_role' FROM jobs.functions AS f, generate_series(1, n) WHERE f.name = 'nothing' $$;
CREATE PROCEDURE public.drained() LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM jobs.queue WHERE status IN ('pending', 'running')) LOOP
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
SQL
# ticks PID…: processor time of these processes in hundredths of a second.
ticks() { local pid; for pid in "$@"; do sed -E 's/^.*\) //' "/proc/$pid/stat"; done | awk '{ n += $12 + $13 } END { print n + 0 }'; }
executors() { sql -c "SELECT pid FROM mcp.jobs_status() WHERE process = 'executor' AND pid IS NOT NULL"; }
postmaster=$(head -n 1 "$work/data/postmaster.pid")
# Of processes that have ended; a client's ends with it.
ended() { sed -E 's/^.*\) //' "/proc/$postmaster/stat" | awk '{ print $14 + $15 }'; }
each() { awk -v n="$1" -v of="$2" 'BEGIN { printf "%.2f", n * 10 / of }'; }

# drain N: sets RATE, jobs a second, and COST, milliseconds of processor time of the executors for each.
drain() {
    local before after
    # shellcheck disable=SC2046
    before=$(ticks $(executors))
    sql -c "SELECT public.submit($1)" -c "CALL public.drained()" >/dev/null
    # shellcheck disable=SC2046
    after=$(ticks $(executors))
    COST=$(each $((after - before)) "$1")
    RATE=$(sql -c "SELECT round($1 / extract(epoch FROM max(completed_at) - min(started_at))) FROM (SELECT * FROM jobs.queue ORDER BY seq DESC LIMIT $1) AS q")
}

# by_hand N: the same of the claim loop.
cat >"$work/hand.sql" <<'SQL'
BEGIN;
SELECT coalesce((SELECT id FROM public.by_hand WHERE status = 'pending' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED), 0) AS id \gset
UPDATE public.by_hand SET status = 'completed' WHERE id = :id;
COMMIT;
SQL
by_hand() {
    local before after
    sql -c "INSERT INTO public.by_hand SELECT FROM generate_series(1, $1)"
    before=$(ended)
    RATE=$(PGHOST=$socket PGUSER=postgres "$PG_BIN/pgbench" -n -M prepared -c "$CONCURRENCY" -j 2 -t "$(($1 / CONCURRENCY))" \
        -f "$work/hand.sql" postgres 2>/dev/null | sed -nE 's/^tps = ([0-9]+).*/\1/p')
    sleep 0.3
    after=$(ended)
    COST=$(each $((after - before)) "$1")
}

# One at a time, when nothing else is to be done: sets LATENCY.
singles() {
    local n
    for ((n = 0; n < SINGLES; n++)); do echo "SELECT public.submit(1); SELECT pg_sleep(0.02);"; done | sql >/dev/null
    sql -c "CALL public.drained()"
    LATENCY=$(sql -c "SELECT format('%s | %s | %s', round((percentile_cont(0.5) WITHIN GROUP (ORDER BY t))::numeric, 2),
        round((percentile_cont(0.99) WITHIN GROUP (ORDER BY t))::numeric, 2), round(max(t)::numeric, 2))
        FROM (SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 AS t FROM jobs.queue ORDER BY seq DESC LIMIT $SINGLES) AS q")
}

# The processes are there, and warm.
sql -c "SELECT public.submit(400)" -c "CALL public.drained()" >/dev/null

ours=() ours_cost=() hand=() hand_cost=() many=() many_cost=()
for round in 1 2 3; do
    drain "$JOBS"
    ours+=("$RATE") ours_cost+=("$COST")
    by_hand "$JOBS"
    hand+=("$RATE") hand_cost+=("$COST")
done
singles
few_latency=$LATENCY

# Many that have ended, which nobody has analyzed.
sql -c "INSERT INTO jobs.queue (namespace, function_id, job_name, role_name, status, completed_at, started_at, attempts, run)
    SELECT f.namespace, f.id, f.name, 'service_role', 'completed', now() - n * interval '1 s', now() - n * interval '1 s', 1, 1
      FROM jobs.functions AS f, generate_series(1, $FINISHED) AS n WHERE f.name = 'nothing'" -c CHECKPOINT
rows=$(sql -c "SELECT count(*) FROM jobs.queue")
for round in 1 2 3; do
    drain "$JOBS"
    many+=("$RATE") many_cost+=("$COST")
done
singles
many_latency=$LATENCY
upkeep=$(sql -c "SELECT round(extract(epoch FROM clock_timestamp() - s.at) * 1000) FROM (SELECT clock_timestamp() AS at, mcp._maintain_jobs() AS done OFFSET 0) AS s")

# A transaction that stays open: what was claimed since it began stays in the indexes.
mkfifo "$work/open"
PGHOST=$socket PGUSER=postgres "$PG_BIN/psql" -XAtq -d postgres <"$work/open" >/dev/null &
exec 9>"$work/open"
echo "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM public.by_hand WHERE id = 1;" >&9
sleep 0.5
open=()
for round in 1 2 3; do
    drain "$JOBS"
    open+=("$RATE")
done
exec 9>&-

page=$ROOT/docs/benchmarks/jobs.md
cat >"$page" <<PAGE
# Background jobs

Written by \`make bench-jobs\`: $("$PG_CONFIG" --version), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), fsync on, $JOBS no-op jobs a round, $CONCURRENCY at
once, three rounds after one another on the same cluster. Processor time is that of the processes that run the jobs; unlike the rate it tells something when other work keeps the machine
busy. By hand is pgbench with as many clients: one row claimed by SKIP LOCKED and marked as done, two prepared statements in one transaction, without lease, role, guard, claims or log.
pgmq is in none of the registries that this installs from; pg_cron (Debian's, 1.4) has no queue and starts what is due at whole minutes: there is no rate to compare.

| | jobs/s | ms of processor time for each |
|---|---|---|
| workers | ${ours[*]} | ${ours_cost[*]} |
| claim loop by hand | ${hand[*]} | ${hand_cost[*]} |
| workers, $rows rows that have ended, never analyzed | ${many[*]} | ${many_cost[*]} |
| workers, the same while a transaction stays open | ${open[*]} | |

The last line is slower, the more so the longer the transaction stays open: what was claimed stays in the index of what waits as long as somebody may still see it, and each claim walks over it.

From submit to start, $SINGLES jobs one at a time, ms:

| | p50 | p99 | longest |
|---|---:|---:|---:|
| few rows | $few_latency |
| $rows rows that have ended | $many_latency |

One round of upkeep (\`mcp._maintain_jobs()\`, which finds nothing to be taken away) with those rows: $upkeep ms.
PAGE
cat "$page"
