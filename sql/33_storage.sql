-- Stored files: what mcp.install('{storage}') creates, and the sweep of bytes that no row names.
--
-- The tables are the users' own, as everything that mcp.install makes. The row is the truth: its version names the bytes in the store, which are
-- never changed. Who may do what is for the policies; which bytes a row stands for is for nobody but this extension, since a version copied
-- from another row would show somebody else's file. So no role has a privilege on version, size and etag, and where a later GRANT gives one, the trigger
-- protect_object refuses all the same.

CREATE FUNCTION mcp._install_storage() RETURNS SETOF pg_catalog.text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    usable record;
    tables text[] := '{origin,buckets,objects,object_permissions}';
    found text[];
BEGIN
    SELECT array_agg(c.relname::text ORDER BY c.relname) INTO found
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'storage' AND c.relname = ANY (tables);
    IF found IS NOT NULL AND NOT 'origin' = ANY (found) THEN
        RAISE EXCEPTION 'storage.% is there already and was not made by this extension. Nothing was changed.', found[1]
            USING ERRCODE = 'duplicate_table',
                  HINT = 'Files of another system keep the schema storage in this database; install the extension''s storage in a database of its own.';
    END IF;
    IF to_regnamespace('storage') IS NULL THEN
        CREATE SCHEMA storage;
        COMMENT ON SCHEMA storage IS 'Stored files: buckets, objects, and who may read and write them.';
        RETURN NEXT 'schema storage created';
    ELSE
        RETURN NEXT 'schema storage is there already';
    END IF;
    IF to_regprocedure('storage.user_id()') IS NULL THEN
        CREATE FUNCTION storage.user_id() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
            AS 'SELECT CASE WHEN mcp.claim(''sub'') OPERATOR(pg_catalog.<>) '''' THEN mcp.claim(''sub'') END';
        COMMENT ON FUNCTION storage.user_id() IS 'The user of the key in whose name a tool runs, which is who owns what it stores; NULL when there is none.';
        -- For PUBLIC on purpose: it tells a session nothing but its own claim, and every role's policies call it.
        GRANT EXECUTE ON FUNCTION storage.user_id() TO PUBLIC;
        RETURN NEXT 'function storage.user_id() created';
    END IF;
    IF NOT coalesce('origin' = ANY (found), false) THEN
        CREATE TABLE storage.origin (
            only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
            space text NOT NULL DEFAULT gen_random_uuid()::text CHECK (space ~ '^[a-z0-9-]{1,64}$'),
            system_identifier bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
            database_name name NOT NULL DEFAULT current_database()
        );
        COMMENT ON TABLE storage.origin IS
            'The name under which the store keeps the files of this database, and the server and database whose they are: a copy elsewhere removes no file.';
        REVOKE ALL ON storage.origin FROM PUBLIC;
        ALTER TABLE storage.origin ENABLE ROW LEVEL SECURITY;
        INSERT INTO storage.origin DEFAULT VALUES;
        RETURN NEXT 'table storage.origin created';
    ELSE
        RETURN NEXT 'table storage.origin is there already and was left as it is';
    END IF;
    IF to_regclass('storage.buckets') IS NULL THEN
        CREATE TABLE storage.buckets (
            id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
            name text NOT NULL UNIQUE,
            public boolean NOT NULL DEFAULT false,
            roles text[] NOT NULL DEFAULT '{}',
            allowed_mime_types text[],
            max_file_size bigint CHECK (max_file_size >= 0),
            owner_id text DEFAULT storage.user_id(),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON COLUMN storage.buckets.public IS 'Whether every role that may read this table sees the bucket and all objects in it.';
        COMMENT ON COLUMN storage.buckets.roles IS 'Database roles that see the bucket and may keep objects of their own in it.';
        COMMENT ON COLUMN storage.buckets.allowed_mime_types IS 'Such as {image/png,text/*}; NULL or empty: every type.';
        COMMENT ON COLUMN storage.buckets.max_file_size IS 'Most bytes of an object; NULL: no limit.';
        ALTER TABLE storage.buckets ENABLE ROW LEVEL SECURITY;
        CREATE POLICY visible ON storage.buckets FOR SELECT
            USING (public OR owner_id = (SELECT storage.user_id()) OR current_user::text = ANY (roles));
        CREATE POLICY owner ON storage.buckets
            USING (owner_id = (SELECT storage.user_id())) WITH CHECK (owner_id = (SELECT storage.user_id()));
        RETURN NEXT 'table storage.buckets created';
    ELSE
        RETURN NEXT 'table storage.buckets is there already and was left as it is';
    END IF;
    IF to_regclass('storage.objects') IS NULL THEN
        CREATE TABLE storage.objects (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            bucket_id text COLLATE "C" NOT NULL REFERENCES storage.buckets ON DELETE CASCADE,
            path text COLLATE "C" NOT NULL CHECK (octet_length(path) BETWEEN 1 AND 1024),
            version uuid UNIQUE,
            mime_type text NOT NULL DEFAULT 'application/octet-stream' CHECK (length(mime_type) <= 255 AND mime_type ~ '^[^[:cntrl:]/;]+/[^[:cntrl:]/;]+(;[^[:cntrl:]]*)?$'),
            size bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
            etag text,
            metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
            owner_id text DEFAULT storage.user_id(),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (bucket_id, path),
            CONSTRAINT objects_path_segments CHECK (path !~ '(^|/)[.]{0,2}(/|$)' AND path !~ '[\x01-\x1f\x7f]')
        );
        COMMENT ON COLUMN storage.objects.path IS 'The key: segments between slashes, none of them empty, "." or "..", without control characters. Never normalised or folded.';
        COMMENT ON COLUMN storage.objects.version IS 'The name of the bytes in the store; NULL: none were stored. Written by this extension alone.';
        COMMENT ON COLUMN storage.objects.etag IS 'SHA-256 of the bytes in hexadecimal.';
        COMMENT ON COLUMN storage.objects.owner_id IS 'The user (claim sub) of the key that stored it first; NULL: nobody''s.';
        CREATE INDEX objects_owner ON storage.objects (owner_id);
        ALTER TABLE storage.objects ENABLE ROW LEVEL SECURITY;
        RETURN NEXT 'table storage.objects created';
    ELSE
        RETURN NEXT 'table storage.objects is there already and was left as it is';
    END IF;
    IF to_regclass('storage.object_permissions') IS NULL THEN
        CREATE TABLE storage.object_permissions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            object_id uuid NOT NULL REFERENCES storage.objects ON DELETE CASCADE,
            user_id text NOT NULL,
            permission text NOT NULL DEFAULT 'read' CHECK (permission IN ('read', 'write')),
            created_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (object_id, user_id)
        );
        COMMENT ON TABLE storage.object_permissions IS 'Objects that their owner shares with other users; write includes read, replacing and deleting.';
        CREATE INDEX object_permissions_user ON storage.object_permissions (user_id, object_id);
        ALTER TABLE storage.object_permissions ENABLE ROW LEVEL SECURITY;
        RETURN NEXT 'table storage.object_permissions created';
    ELSE
        RETURN NEXT 'table storage.object_permissions is there already and was left as it is';
    END IF;
    -- Policies of the two tables ask about each other: this function cuts the circle. It tells a caller about itself only.
    IF to_regprocedure('storage.owns_object(uuid)') IS NULL THEN
        CREATE FUNCTION storage.owns_object(object uuid) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
            AS 'SELECT EXISTS (SELECT FROM storage.objects AS o WHERE o.id = $1 AND o.owner_id = storage.user_id())';
        COMMENT ON FUNCTION storage.owns_object(uuid) IS 'Whether the object belongs to the user of the key in whose name a tool runs.';
        REVOKE ALL ON FUNCTION storage.owns_object(uuid) FROM PUBLIC;
        CREATE POLICY owner ON storage.object_permissions
            USING (storage.owns_object(object_id)) WITH CHECK (storage.owns_object(object_id));
        CREATE POLICY shared_with ON storage.object_permissions FOR SELECT USING (user_id = (SELECT storage.user_id()));
        CREATE POLICY owner ON storage.objects FOR SELECT USING (owner_id = (SELECT storage.user_id()));
        CREATE POLICY owner_adds ON storage.objects FOR INSERT
            WITH CHECK (owner_id = (SELECT storage.user_id()) AND EXISTS (SELECT FROM storage.buckets AS b WHERE b.id = bucket_id));
        CREATE POLICY owner_changes ON storage.objects FOR UPDATE
            USING (owner_id = (SELECT storage.user_id())) WITH CHECK (owner_id = (SELECT storage.user_id()));
        CREATE POLICY owner_deletes ON storage.objects FOR DELETE USING (owner_id = (SELECT storage.user_id()));
        CREATE POLICY public_bucket ON storage.objects FOR SELECT
            USING (EXISTS (SELECT FROM storage.buckets AS b WHERE b.id = bucket_id AND b.public));
        CREATE POLICY shared ON storage.objects FOR SELECT
            USING (EXISTS (SELECT FROM storage.object_permissions AS p WHERE p.object_id = objects.id AND p.user_id = (SELECT storage.user_id())));
        CREATE POLICY shared_changes ON storage.objects FOR UPDATE
            USING (EXISTS (SELECT FROM storage.object_permissions AS p
                            WHERE p.object_id = objects.id AND p.user_id = (SELECT storage.user_id()) AND p.permission = 'write'));
        CREATE POLICY shared_deletes ON storage.objects FOR DELETE
            USING (EXISTS (SELECT FROM storage.object_permissions AS p
                            WHERE p.object_id = objects.id AND p.user_id = (SELECT storage.user_id()) AND p.permission = 'write'));
        RETURN NEXT 'policies of storage created';
    END IF;
    IF to_regprocedure('storage.protect_object()') IS NULL THEN
        -- As the caller, so that current_user is who writes.
        CREATE FUNCTION storage.protect_object() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE
            trusted boolean := (SELECT pg_has_role(current_user, c.relowner, 'MEMBER') FROM pg_class AS c WHERE c.oid = TG_RELID);
            touched text;
        BEGIN
            IF NOT trusted THEN
                IF TG_OP = 'INSERT' THEN
                    touched := CASE WHEN NEW.version IS NOT NULL THEN 'version' WHEN NEW.size <> 0 THEN 'size' WHEN NEW.etag IS NOT NULL THEN 'etag' END;
                ELSE
                    touched := CASE WHEN NEW.id IS DISTINCT FROM OLD.id THEN 'id'
                                    WHEN NEW.version IS DISTINCT FROM OLD.version THEN 'version'
                                    WHEN NEW.size IS DISTINCT FROM OLD.size THEN 'size'
                                    WHEN NEW.etag IS DISTINCT FROM OLD.etag THEN 'etag'
                                    WHEN NEW.bucket_id IS DISTINCT FROM OLD.bucket_id THEN 'bucket_id'
                                    WHEN NEW.owner_id IS DISTINCT FROM OLD.owner_id
                                         AND NOT (SELECT r.rolbypassrls FROM pg_roles AS r WHERE r.rolname = current_user) THEN 'owner_id' END;
                END IF;
                IF touched IS NOT NULL THEN
                    RAISE EXCEPTION 'column % of storage.objects is written by upload_object alone', touched
                        USING ERRCODE = 'insufficient_privilege', HINT = 'It says which bytes the object has.';
                END IF;
            END IF;
            IF TG_OP = 'UPDATE' THEN
                NEW.updated_at := now();
            END IF;
            RETURN NEW;
        END
        $f$;
        REVOKE ALL ON FUNCTION storage.protect_object() FROM PUBLIC;
        CREATE TRIGGER protect_object BEFORE INSERT OR UPDATE ON storage.objects FOR EACH ROW EXECUTE FUNCTION storage.protect_object();
        -- As its owner, since who was given an object need not see its bucket. After the row, so after its policies: nobody learns here of a
        -- bucket that he may not write to.
        CREATE FUNCTION storage.check_object() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
        DECLARE
            bucket record;
            kind text := lower(btrim(split_part(NEW.mime_type, ';', 1)));
        BEGIN
            SELECT b.allowed_mime_types, b.max_file_size INTO bucket FROM storage.buckets AS b WHERE b.id = NEW.bucket_id;
            IF cardinality(bucket.allowed_mime_types) > 0 AND NOT EXISTS (
                SELECT FROM unnest(bucket.allowed_mime_types) AS a(allowed)
                 WHERE lower(allowed) IN (kind, '*/*') OR (right(allowed, 2) = '/*' AND starts_with(kind, lower(left(allowed, -1))))) THEN
                RAISE EXCEPTION 'bucket "%" takes no objects of type %', NEW.bucket_id, kind
                    USING ERRCODE = 'check_violation', HINT = format('It takes %s.', array_to_string(bucket.allowed_mime_types, ', '));
            END IF;
            IF NEW.size > bucket.max_file_size THEN
                RAISE EXCEPTION 'the object has % bytes, and bucket "%" takes at most %', NEW.size, NEW.bucket_id, bucket.max_file_size
                    USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        END
        $f$;
        REVOKE ALL ON FUNCTION storage.check_object() FROM PUBLIC;
        CREATE TRIGGER check_object AFTER INSERT OR UPDATE OF bucket_id, mime_type, size, version ON storage.objects
            FOR EACH ROW EXECUTE FUNCTION storage.check_object();
        RETURN NEXT 'triggers of storage.objects created';
    END IF;
    IF EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = 'mcp_admin') THEN
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'storage.buckets'::regclass) THEN
            CREATE POLICY admin ON storage.buckets TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'storage.objects'::regclass) THEN
            CREATE POLICY admin ON storage.objects TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polname = 'admin' AND p.polrelid = 'storage.object_permissions'::regclass) THEN
            CREATE POLICY admin ON storage.object_permissions TO mcp_admin USING (true) WITH CHECK (true);
        END IF;
    END IF;
    FOR usable IN
        SELECT p.rolname, p.rolbypassrls OR p.rolname = 'mcp_admin' AS admin FROM pg_roles AS p
         WHERE p.rolname = 'mcp_admin' OR p.rolname IN (SELECT r.role_name FROM mcp.allowed_roles AS r) ORDER BY 1
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA storage TO %I', usable.rolname);
        EXECUTE format('GRANT EXECUTE ON FUNCTION storage.owns_object(uuid) TO %I', usable.rolname);
        EXECUTE format('GRANT SELECT ON storage.buckets, storage.objects, storage.object_permissions TO %I', usable.rolname);
        EXECUTE format('GRANT INSERT (bucket_id, path, mime_type, metadata), UPDATE (mime_type, metadata), DELETE ON storage.objects TO %I', usable.rolname);
        EXECUTE format('GRANT INSERT (object_id, user_id, permission), UPDATE (permission), DELETE ON storage.object_permissions TO %I', usable.rolname);
        IF usable.admin THEN
            EXECUTE format('GRANT INSERT, UPDATE, DELETE ON storage.buckets TO %I', usable.rolname);
            EXECUTE format('GRANT INSERT (owner_id), UPDATE (owner_id) ON storage.objects TO %I', usable.rolname);
        END IF;
        RETURN NEXT format(CASE WHEN usable.admin THEN '%s may make buckets and use all objects'
                                ELSE '%s may use what the policies of storage let it' END, usable.rolname);
    END LOOP;
END
$$;

-- Where the sweep goes on. One row.
CREATE TABLE mcp._sweep (
    only_one pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (only_one),
    after pg_catalog.uuid,
    rounds pg_catalog.int8 NOT NULL DEFAULT 0
);
INSERT INTO mcp._sweep DEFAULT VALUES;

-- Removes stored bytes that no row names: of uploads that were rolled back or given up, and of rows that were deleted in SQL. One page of
-- the store at a time; returns how many it removed. Bytes of an upload in flight are left alone: they are younger than the grace period, which is longer than an
-- upload over HTTP can be pending; and a transaction that stores bytes holds a lock on their version until it has ended.
CREATE FUNCTION mcp._sweep_storage(grace pg_catalog.interval, page pg_catalog.int4) RETURNS pg_catalog.int4
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    origin record;
    place record;
    listed record;
    candidates uuid[];
    orphans uuid[] := '{}';
    candidate uuid;
    -- Each holds a lock until the transaction ends.
    most CONSTANT integer := 200;
BEGIN
    -- A snapshot older than the locks below would not see a row that was committed before they were free.
    IF NOT mcp._part_is_ours('storage', '{origin,buckets,objects,object_permissions}') OR NOT mcp._preloaded() OR current_setting('transaction_isolation') <> 'read committed'
       OR pg_is_in_recovery() THEN
        RETURN 0;
    END IF;
    SELECT o.space INTO origin FROM storage.origin AS o
     WHERE o.system_identifier = (pg_control_system()).system_identifier AND o.database_name = current_database();
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT s.after INTO place FROM mcp._sweep AS s FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT coalesce(array_agg(l.version::uuid) FILTER (WHERE to_timestamp(l.stored_at) < now() - grace), '{}') AS old,
           max(l.version)::uuid AS last, count(*) AS number
      INTO listed FROM mcp._stored(origin.space, replace(place.after::text, '-', ''), page) AS l;
    candidates := ARRAY(SELECT v FROM unnest(listed.old) AS v WHERE NOT EXISTS (SELECT FROM storage.objects AS o WHERE o.version = v) LIMIT most);
    FOREACH candidate IN ARRAY candidates LOOP
        -- upload_object has this lock, shared, in the transaction that writes the row.
        IF pg_try_advisory_xact_lock(mcp._version_lock(candidate)) THEN
            orphans := orphans || candidate;
        END IF;
    END LOOP;
    -- Once more, now that nobody can be about to commit such a row.
    SELECT array_agg(v) INTO orphans FROM unnest(orphans) AS v WHERE NOT EXISTS (SELECT FROM storage.objects AS o WHERE o.version = v);
    IF orphans IS NOT NULL THEN
        PERFORM mcp._remove_stored(origin.space, ARRAY(SELECT replace(o::text, '-', '') FROM unnest(orphans) AS o));
    END IF;
    IF cardinality(candidates) = most AND orphans IS NOT NULL THEN
        -- There may be more on this page.
        NULL;
    ELSIF listed.number < page THEN
        UPDATE mcp._sweep AS s SET after = NULL, rounds = s.rounds + 1;
    ELSE
        UPDATE mcp._sweep AS s SET after = listed.last;
    END IF;
    RETURN coalesce(cardinality(orphans), 0);
END
$$;
COMMENT ON FUNCTION mcp._sweep_storage IS
    'Removes stored bytes older than the grace period that no row of storage.objects names, one page of the store; returns their number.';

CREATE FUNCTION mcp._version_lock(version pg_catalog.uuid) RETURNS pg_catalog.int8
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT ('x' OPERATOR(pg_catalog.||) pg_catalog.left(pg_catalog.replace(version::pg_catalog.text, '-', ''), 16))::pg_catalog.bit(64)::pg_catalog.int8 $$;

-- As the extension's owner, since those who call it may not see the rows; and an error rather than a look through policies: a row that is not
-- seen would be a file that is removed. It only reads the tables, so nothing of the users' runs with these rights.
CREATE FUNCTION mcp._maintain_storage() RETURNS pg_catalog.void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
AS $$ SELECT mcp._sweep_storage(greatest(interval '1 hour', 2 * coalesce(current_setting('mcp.worker_keep', true), '1min')::interval), 1000) $$;
COMMENT ON FUNCTION mcp._maintain_storage IS 'What is done about once a minute for stored files: see mcp._sweep_storage.';
