#!/usr/bin/env bash
# Background jobs: no-op jobs a second through the workers beside a claim loop written by hand, and the time from submit to start.
#
#   JOBS (5000) jobs to be drained   SINGLES (200) jobs submitted one at a time   CONCURRENCY (4)
#
# Prints a table. By hand: pgbench with as many clients claims one row by SKIP LOCKED, does nothing, and marks it as done, in one transaction
# of two statements; it has no lease, role, guard or log. Both run on the same cluster, one after the other, with fsync on.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"

JOBS=${JOBS:-5000} SINGLES=${SINGLES:-200} CONCURRENCY=${CONCURRENCY:-4}
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
SELECT mcp.register_job('nothing', 'public.nothing()', keep_rows => 1000000);
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
# The processes are there, and warm.
sql -c "SELECT public.submit(200)" -c "CALL public.drained()" >/dev/null

ours=() hand=()
for round in 1 2 3; do
    sql -c "SELECT public.submit($JOBS)" -c "CALL public.drained()" >/dev/null
    ours+=("$(sql -c "SELECT round($JOBS / extract(epoch FROM max(completed_at) - min(started_at)))
        FROM (SELECT * FROM jobs.queue ORDER BY seq DESC LIMIT $JOBS) AS q")")
    sql -c "INSERT INTO public.by_hand SELECT FROM generate_series(1, $JOBS)"
    cat >"$STATE/tests/bench-jobs-$$.sql" <<'SQL'
BEGIN;
SELECT coalesce((SELECT id FROM public.by_hand WHERE status = 'pending' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED), 0) AS id \gset
UPDATE public.by_hand SET status = 'completed' WHERE id = :id;
COMMIT;
SQL
    at_exit 'rm -f "$STATE/tests/bench-jobs-$$.sql"'
    hand+=("$(PGHOST=$socket PGUSER=postgres "$PG_BIN/pgbench" -n -M prepared -c "$CONCURRENCY" -j 2 -t "$((JOBS / CONCURRENCY))" \
        -f "$STATE/tests/bench-jobs-$$.sql" postgres 2>/dev/null | sed -nE 's/^tps = ([0-9]+).*/\1/p')")
done

# One at a time, when nothing else is to be done.
for ((n = 0; n < SINGLES; n++)); do echo "SELECT public.submit(1); SELECT pg_sleep(0.02);"; done | sql >/dev/null
sql -c "CALL public.drained()"
echo "| $CONCURRENCY at once | jobs/s, three rounds |"
echo "|---|---|"
echo "| workers | ${ours[*]} |"
echo "| claim loop by hand | ${hand[*]} |"
sql -c "SELECT format('submit to start, %s jobs, one at a time: p50 %s ms, p99 %s ms, max %s ms', count(*),
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY t))::numeric, 2), round((percentile_cont(0.99) WITHIN GROUP (ORDER BY t))::numeric, 2), round(max(t)::numeric, 2))
    FROM (SELECT extract(epoch FROM started_at - created_at)::float8 * 1000 AS t FROM jobs.queue ORDER BY seq DESC LIMIT $SINGLES) AS q"
