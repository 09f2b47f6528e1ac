-- list_tables and describe_table stay inside mcp.max_result_chars whatever there is, and reach everything by paging.
\t on
\a
SET client_min_messages = warning;
CREATE SCHEMA many;
GRANT USAGE ON SCHEMA many TO authenticated;
CREATE TABLE many.hub (id int PRIMARY KEY, name text);
-- In several transactions: one would need too many locks.
DO $$
BEGIN
    FOR i IN 1..2000 LOOP
        EXECUTE format('CREATE TABLE many.t%s (id int PRIMARY KEY, hub int REFERENCES many.hub)', to_char(i, 'FM0000'));
        EXECUTE format('COMMENT ON TABLE many.t%s IS %L', to_char(i, 'FM0000'), repeat('comment ', CASE i WHEN 7 THEN 10000 ELSE 10 END));
        IF i % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA many TO authenticated;

-- Follows `next` to the end: calls, the longest answer, what was found in all of them.
CREATE FUNCTION many.walk(tool text, args jsonb, member text, most int DEFAULT 1000) RETURNS TABLE (calls int, longest int, items bigint, different bigint) LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    gathered jsonb := '[]';
BEGIN
    calls := 0;
    longest := 0;
    LOOP
        answer := t.via('a', tool, args);
        calls := calls + 1;
        longest := greatest(longest, length(answer));
        gathered := gathered || coalesce(answer::jsonb -> member, '[]');
        EXIT WHEN NOT answer::jsonb ? 'next' OR calls > most;
        args := args || (answer::jsonb -> 'next');
    END LOOP;
    SELECT count(*), count(DISTINCT i) INTO items, different FROM jsonb_array_elements(gathered) AS i;
    RETURN NEXT;
END $$;

SELECT calls, longest <= 40000, items, different FROM many.walk('list_tables', '{"schema": "many"}', 'tables');
SELECT calls, longest <= 40000, items, different FROM many.walk('list_tables', '{"schema": "many", "limit": 1000}', 'tables');
SELECT calls, longest <= 40000, items, different FROM many.walk('list_tables', '{"schema": "many", "limit": 7, "search": "t019"}', 'tables');
SELECT t.via('a', 'list_tables', '{"schema": "many", "limit": 1000}')::jsonb - 'tables';
SELECT t.via('a', 'list_tables', '{"schema": "many", "limit": 1001, "offset": 1900}')::jsonb - 'tables';
SELECT length(t.read('a', 'fluxbase://schema/tables')) <= 40000;
SELECT length(t.via('a', 'list_tables', '{"schema": "many", "search": "t0007"}'));
-- One table that 2,000 others refer to.
SELECT length(a) <= 40000, a::jsonb -> 'left_out', a::jsonb -> 'next', a::jsonb -> 'note', jsonb_array_length(a::jsonb -> 'columns') FROM t.via('a', 'describe_table', '{"table": "many.hub"}') AS a;
SELECT calls, longest <= 40000, items, different FROM many.walk('describe_table', '{"table": "many.hub"}', 'relations');
SELECT calls, longest <= 40000, items, different FROM many.walk('describe_table', '{"table": "many.hub"}', 'columns');
-- 1,600 columns, a long default, a long comment, many labels, a long check.
DO $$
BEGIN
    EXECUTE (SELECT 'CREATE TYPE many.label AS ENUM (' || string_agg(quote_literal('label ' || g), ', ') || ')' FROM generate_series(1, 500) AS g);
    EXECUTE (SELECT 'CREATE TABLE many.wide (' || string_agg(format('column_%s int', g), ', ') || ', state many.label, long text DEFAULT ' || quote_literal(repeat('x', 50000))
                    || ', hub int REFERENCES many.hub, CONSTRAINT long_check CHECK (long <> ' || quote_literal(repeat('y', 50000)) || '))' FROM generate_series(1, 1597) AS g);
    EXECUTE format('COMMENT ON COLUMN many.wide.column_3 IS %L', repeat('z', 50000));
    EXECUTE format('COMMENT ON TABLE many.wide IS %L', repeat('w', 50000));
END $$;
CREATE TABLE many.of_wide (id int PRIMARY KEY);
ALTER TABLE many.wide ADD PRIMARY KEY (column_1), ADD FOREIGN KEY (column_2) REFERENCES many.of_wide;
GRANT SELECT ON many.wide, many.of_wide TO authenticated;
SELECT length(a) <= 40000, a::jsonb -> 'left_out', a::jsonb -> 'next', length(a::jsonb ->> 'comment'), length(a::jsonb #>> '{checks,0,check}'), jsonb_array_length(a::jsonb -> 'sample_filters')
  FROM t.via('a', 'describe_table', '{"table": "many.wide"}') AS a;
SELECT calls, longest <= 40000, items, different FROM many.walk('describe_table', '{"table": "many.wide"}', 'columns');
SELECT a::jsonb -> 'columns' -> 0 ->> 'name', a::jsonb -> 'columns' -> 0 -> 'values_left_out', length(a::jsonb #>> '{columns,1,default}'), a::jsonb -> 'relations' -> 0 ->> 'select', a::jsonb ? 'next'
  FROM t.via('a', 'describe_table', '{"table": "many.wide", "offset": 1597}') AS a;
-- The smallest bound, and a larger one.
SET mcp.max_result_chars = 1000;
SELECT calls, longest <= 1000, items, different FROM many.walk('list_tables', '{"schema": "many", "search": "t000"}', 'tables');
SELECT longest <= 1000, items, different FROM many.walk('describe_table', '{"table": "many.wide", "offset": 1400}', 'columns');
SELECT longest <= 1000, items, different FROM many.walk('describe_table', '{"table": "many.hub", "offset": 1900}', 'relations');
SELECT length(t.via('a', 'describe_table', '{"table": "many.hub"}')) <= 1000, length(t.via('a', 'describe_table', '{"table": "many.wide"}')) <= 1000;
SET mcp.max_result_chars = 1000000;
SELECT calls, longest > 90000, items, different FROM many.walk('describe_table', '{"table": "many.wide"}', 'columns');
SELECT calls, longest > 90000, items, different FROM many.walk('describe_table', '{"table": "many.hub"}', 'relations');
RESET mcp.max_result_chars;
DO $$
BEGIN
    FOR i IN 1..2000 LOOP
        EXECUTE format('DROP TABLE many.t%s', to_char(i, 'FM0000'));
        IF i % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$;
DROP SCHEMA many CASCADE;
