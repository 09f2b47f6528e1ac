-- What users put into the parts that mcp.install() makes: for tests/dump/before.sql and tests/tests/e2e/dump.rs.
INSERT INTO storage.buckets (id, name, roles) VALUES ('b', 'b', '{authenticated}');
ALTER TABLE storage.objects ADD COLUMN colour text;
CREATE INDEX by_colour ON storage.objects (colour);
CREATE POLICY own_folder ON storage.objects AS RESTRICTIVE FOR INSERT WITH CHECK (starts_with(path, storage.user_id() || '/'));
INSERT INTO functions.edge_functions (name, description) VALUES ('hello', 'Says hello.');
CREATE POLICY never ON functions.edge_functions AS RESTRICTIVE USING (name <> 'hidden');
SELECT mcp.define_rpc(E'-- @fluxbase:name one\nSELECT 1 AS one');
CREATE FUNCTION public.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
SELECT mcp.expose_rpc('public.twice(int)');
CREATE FUNCTION public.work(payload jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT payload';
SELECT mcp.register_job('work', 'public.work(jsonb)', schedule => '0 3 * * *', run_as => 'authenticated');
SELECT mcp.register_job('sunday', 'public.work(jsonb)');
CREATE INDEX by_name ON jobs.queue (job_name);
CREATE POLICY not_on_sunday ON jobs.queue AS RESTRICTIVE FOR SELECT USING (job_name <> 'sunday');
CREATE TABLE public.texts (id int PRIMARY KEY, body text, v vector(3));
INSERT INTO public.texts VALUES (1, 'cats purr', '[1,0,0]');
GRANT SELECT ON public.texts TO authenticated;
SELECT mcp.register_knowledge_base('texts', 'public.texts', 'body', 'v');
