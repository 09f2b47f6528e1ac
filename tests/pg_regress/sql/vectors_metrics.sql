-- search_vectors: every metric and every type against the same question in plain SQL, with and without an index; what has no distance.
\t on
\a
SET client_min_messages = warning;
-- Where the server has no pgvector there is vectors_absent.
SELECT NOT EXISTS (SELECT FROM pg_available_extensions AS a WHERE a.name = 'vector') AS absent \gset
\if :absent
\quit
\endif
CREATE SCHEMA vm;
CREATE EXTENSION vector SCHEMA public;
SELECT t.key('vm a', scopes => '{read:vectors}');
GRANT USAGE ON SCHEMA vm TO authenticated;
CREATE TABLE vm.d (id int PRIMARY KEY, v vector(3), h halfvec(3), s sparsevec(3), b bit(8));
INSERT INTO vm.d SELECT n, v::vector, v::vector::halfvec, v::vector::sparsevec, (n * 37 % 256)::bit(8)
  FROM generate_series(1, 300) AS n, LATERAL (SELECT format('[%s,%s,%s]', sin(n), cos(n * 2), sin(n * 3) + 0.01)) AS x(v);
INSERT INTO vm.d VALUES (1000, NULL, NULL, NULL, NULL);
GRANT SELECT ON vm.d TO authenticated;
-- The ids, and the numbers, that the tool gives; and the same in SQL.
CREATE FUNCTION vm.found(args jsonb) RETURNS text LANGUAGE sql AS $$
SELECT coalesce((SELECT string_agg(r ->> 'chunk_id' || ':' || round(coalesce(r ->> 'distance', r ->> 'similarity')::numeric, 4), ' ' ORDER BY n)
                   FROM jsonb_array_elements(x::jsonb -> 'results') WITH ORDINALITY AS e(r, n)), x)
  FROM (SELECT t.via('vm a', 'search_vectors', '{"table": "vm.d", "limit": 5}' || args)) AS a(x), LATERAL (SELECT 1 WHERE a.x ~ '^\{') AS ok
UNION ALL SELECT x FROM (SELECT t.via('vm a', 'search_vectors', '{"table": "vm.d", "limit": 5}' || args)) AS a(x) WHERE x !~ '^\{'
$$;
CREATE FUNCTION vm.exact(col text, op text, value text, metric text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE format($f$SELECT string_agg(id || ':' || round(CASE WHEN %4$L IN ('cosine', 'jaccard') THEN round(greatest(0, least(1, 1 - d))::numeric, 6) ELSE d::numeric END, 4), ' ' ORDER BY d)
                        FROM (SELECT id, %1$I %2$s %3$L AS d FROM vm.d WHERE %1$I IS NOT NULL ORDER BY (%1$I %2$s %3$L) + 0 LIMIT 5) AS x$f$, col, op, value, metric) INTO result;
    RETURN result;
END $$;
CREATE VIEW vm.cases AS
SELECT c.col, m.metric, m.op, c.value, c.given FROM (VALUES ('v', '[0.3,-0.2,0.9]', '[0.3,-0.2,0.9]'::jsonb), ('h', '[0.3,-0.2,0.9]', '[0.3,-0.2,0.9]'),
    ('s', '{1:0.3,3:0.9}/3', '"{1:0.3,3:0.9}/3"'), ('s', '{1:0.3,3:0.9}/3', '[0.3,0,0.9]'), ('b', '10110101', '"10110101"')) AS c(col, value, given)
  JOIN (VALUES ('cosine', '<=>', false), ('l2', '<->', false), ('inner_product', '<#>', false), ('l1', '<+>', false), ('hamming', '<~>', true), ('jaccard', '<%>', true)) AS m(metric, op, bits)
    ON m.bits = (c.col = 'b');
-- Equal rows have no order among themselves, so only numbers are compared where there may be some.
CREATE FUNCTION vm.compare() RETURNS TABLE (col text, metric text, same bool, found text) LANGUAGE sql AS $$
SELECT c.col, c.metric, CASE c.col WHEN 'b' THEN regexp_replace(f, '\d+:', '', 'g') = regexp_replace(e, '\d+:', '', 'g') ELSE f = e END, CASE c.col WHEN 'b' THEN regexp_replace(f, '\d+:', '', 'g') ELSE f END
  FROM vm.cases AS c, LATERAL (SELECT vm.found(jsonb_build_object('column', c.col, 'metric', c.metric, 'embedding', c.given, 'threshold', CASE WHEN c.metric IN ('cosine', 'jaccard') THEN 0 ELSE 100 END))) AS x(f),
       LATERAL (SELECT vm.exact(c.col, c.op, c.value, c.metric)) AS y(e)
 ORDER BY c.col, c.metric, c.given::text
$$;
SELECT * FROM vm.compare();
-- With indexes, and nothing else to choose, it is the same.
CREATE INDEX ON vm.d USING hnsw (v vector_cosine_ops);
CREATE INDEX ON vm.d USING hnsw (v vector_l2_ops);
CREATE INDEX ON vm.d USING hnsw (v vector_ip_ops);
CREATE INDEX ON vm.d USING hnsw (v vector_l1_ops);
CREATE INDEX ON vm.d USING hnsw (h halfvec_cosine_ops);
CREATE INDEX ON vm.d USING ivfflat (h halfvec_l2_ops) WITH (lists = 4);
CREATE INDEX ON vm.d USING hnsw (s sparsevec_ip_ops);
CREATE INDEX ON vm.d USING hnsw (b bit_hamming_ops);
ANALYZE vm.d;
SET enable_seqscan = off;
SELECT col, metric, same FROM vm.compare();
RESET enable_seqscan;
-- A threshold is a similarity, or a distance; the default one is told.
SELECT vm.found('{"column": "v", "embedding": [0.3,-0.2,0.9], "threshold": 0.8885}');
SELECT vm.found('{"column": "v", "embedding": [0.3,-0.2,0.9], "metric": "l2", "threshold": 0.4815}');
SELECT vm.found('{"column": "v", "embedding": [0.3,-0.2,0.9], "metric": "ip", "threshold": -0.9812}');
-- bit and sparsevec have no other metric or form.
SELECT vm.found('{"column": "b", "embedding": "101101"}');
SELECT vm.found('{"column": "b", "embedding": "1011010x"}');
SELECT vm.found('{"column": "b", "embedding": [1,0,1,1,0,1,0,1]}');
SELECT vm.found('{"column": "b", "embedding": "10110101", "metric": "cosine"}');
SELECT vm.found('{"column": "s", "embedding": "{1:0.3}/4"}');
SELECT vm.found('{"column": "s", "embedding": "{1:0.3,1:0.2}/3"}');
SELECT vm.found('{"column": "s", "embedding": "[0.3,0,0.9"}');
SELECT vm.found('{"column": "h", "embedding": [70000,0,0]}');
-- A row whose vector is zero has no direction and is no neighbour.
TRUNCATE vm.d;
INSERT INTO vm.d (id, v) VALUES (1, '[0,0,0]'), (2, '[1,0,0]');
SELECT vm.found('{"column": "v", "embedding": [1,0,0], "threshold": 0}');
-- A domain, a partitioned table, a view.
CREATE DOMAIN vm.meaning AS vector(3);
CREATE TABLE vm.p (id int, content text, m vector(3), PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE vm.p1 PARTITION OF vm.p FOR VALUES FROM (0) TO (10);
CREATE TABLE vm.p2 PARTITION OF vm.p FOR VALUES FROM (10) TO (20);
INSERT INTO vm.p VALUES (1, 'one', '[1,0,0]'), (11, 'eleven', '[0.9,0.1,0]');
CREATE INDEX ON vm.p USING hnsw (m vector_cosine_ops);
CREATE TABLE vm.domains (id int PRIMARY KEY, text text, m vm.meaning);
INSERT INTO vm.domains VALUES (1, 'one', '[1,0,0]');
CREATE VIEW vm.w WITH (security_invoker) AS SELECT * FROM vm.p;
GRANT SELECT ON vm.p, vm.w, vm.domains TO authenticated;
SELECT t.via('vm a', 'search_vectors', '{"table": "vm.p", "embedding": [1,0,0]}');
SELECT t.via('vm a', 'search_vectors', '{"table": "vm.w", "embedding": [1,0,0]}');
SELECT t.via('vm a', 'search_vectors', '{"table": "vm.domains", "embedding": [1,0,0]}');
SELECT t.via('vm a', 'search_vectors', '{"table": "vm.domains", "embedding": [1,0]}');
DROP SCHEMA vm CASCADE;
DROP EXTENSION vector;
