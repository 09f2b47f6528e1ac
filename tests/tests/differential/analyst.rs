//! An analyst's questions about a real data set, Chinook: each as SQL by hand, run as the same role with the same claims, and as a call of the
//! tool. The answers are equal.

use std::sync::{Mutex, PoisonError};

use fluxbase_tests::keys::create_key;
use fluxbase_tests::{Client, Cluster, Era, Key, Listener};
use serde_json::{Value, json};

use crate::compare::normal;
use crate::question::{ordered, shown};
use crate::stage::{ROLE, stage, with_extension};

/// The agent who asks: customers of others are hidden.
const CLAIMS: &str = r#"{"role":"authenticated","employee":3}"#;

/// The database with the data.
pub struct Data {
    listener: Listener,
    key: Key,
    admin: Mutex<postgres::Client>,
}

impl Data {
    /// Loads the data into a database of its own.
    pub fn load(cluster: &Cluster) -> Data {
        let file = std::env::var("FLUXBASE_CHINOOK")
            .unwrap_or_else(|_| panic!("FLUXBASE_CHINOOK is not set. Run this with: make test-differential"));
        let document = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let url = with_extension(cluster, "chinook", "");
        let mut admin = cluster.admin("chinook");
        admin.batch_execute("CREATE TEMP TABLE raw (document text)").expect("made");
        admin.execute("INSERT INTO pg_temp.raw VALUES ($1)", &[&document]).expect("the fixture is text");
        admin
            .batch_execute(include_str!("chinook.sql"))
            .unwrap_or_else(|error| panic!("chinook.sql: {error:?}"));
        let arguments =
            ["--name", "analyst", "--role", ROLE, "--scopes", "read:tables", "--claims", r#"{"employee":3}"#];
        let key = create_key(&cluster.admin_url("chinook"), "clientkeys", &arguments);
        let listener = Listener::start(cluster, &url, &[]);
        Data { listener, key, admin: Mutex::new(admin) }
    }

    fn tools(&self) -> Client {
        self.listener.client(&self.key).era(Era::Modern)
    }

    /// The rows of a query by hand, as the role of the key with its claims.
    fn sql(&self, sql: &str) -> Vec<Value> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = admin.transaction().expect("begun");
        transaction
            .batch_execute(&format!(
                "SET LOCAL search_path = chinook; SET LOCAL timezone = 'UTC'; SET LOCAL role = {ROLE}; SET LOCAL request.jwt.claims = '{CLAIMS}'"
            ))
            .expect("the role may be taken");
        let rows = transaction
            .query_one(&format!("SELECT coalesce(json_agg(q), '[]')::text FROM ({sql}) AS q"), &[])
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        serde_json::from_str(rows.get(0)).expect("JSON")
    }
}

/// Asks both and compares. At least `least` rows must be there, or the question proves nothing.
fn ask(sql: &str, arguments: Value, least: usize) {
    let data = &stage().analyst;
    let by_hand = data.sql(sql);
    let answer = data.tools().call("query_table", arguments.clone());
    assert!(answer.is_ok(), "{arguments}\n  ▶ {}\nby hand: {}", answer.response.text(), shown(&Ok(by_hand)));
    let structured = &answer.response.json()["result"]["structuredContent"];
    let rows = structured["rows"].as_array().expect("rows").clone();
    assert!(structured["truncated"].is_null(), "{arguments}: {structured}");
    let how = ordered(&arguments);
    assert_eq!(normal(&rows, &how), normal(&by_hand, &how), "{arguments} (left: the tool)\n{sql}");
    assert!(rows.len() >= least, "only {} rows: {arguments}", rows.len());
    if let Some(total) = structured["total_count"].as_u64() {
        let counted = data
            .sql(&format!("SELECT count(*) AS n FROM ({}) AS q", sql.split(" LIMIT ").next().unwrap_or(sql)));
        assert_eq!(counted, [json!({ "n": total })], "{arguments}");
    }
}

macro_rules! asked {
    ($($name:ident: $least:literal $sql:literal => $arguments:tt;)*) => {$(
        #[test]
        fn $name() {
            ask($sql, json!($arguments), $least);
        }
    )*};
}

asked! {
    longest_tracks_with_their_albums: 10
        r#"SELECT t."Name", t."Milliseconds", json_build_object('Title', a."Title") AS "Album" FROM "Track" t LEFT JOIN "Album" a USING ("AlbumId")
           ORDER BY t."Milliseconds" DESC LIMIT 10"# =>
        { "table": "Track", "select": "Name,Milliseconds,Album(Title)", "order": "Milliseconds.desc", "limit": 10 };
    tracks_of_each_genre: 20
        r#"SELECT g."Name" AS genre, count(*) AS tracks FROM "Track" t LEFT JOIN "Genre" g USING ("GenreId") GROUP BY 1 ORDER BY 2 DESC, 1"# =>
        { "table": "Track", "select": "...Genre(genre:Name),tracks:count()", "order": "tracks.desc,genre" };
    revenue_of_each_country: 5
        r#"SELECT "BillingCountry", sum("Total") AS revenue, count(*) AS invoices FROM "Invoice" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5"# =>
        { "table": "Invoice", "select": "BillingCountry,revenue:Total.sum(),invoices:count()", "order": "revenue.desc,BillingCountry", "limit": 5 };
    my_customers_in_two_countries: 4
        r#"SELECT "FirstName", "LastName", "City" FROM "Customer" WHERE "Country" IN ('Brazil', 'Canada') ORDER BY "LastName""# =>
        { "table": "Customer", "select": "FirstName,LastName,City", "filter": { "Country": { "in": ["Brazil", "Canada"] } }, "order": "LastName" };
    artists_without_albums: 60
        r#"SELECT "Name" FROM "Artist" a WHERE NOT EXISTS (SELECT FROM "Album" b WHERE b."ArtistId" = a."ArtistId") ORDER BY "Name""# =>
        { "table": "Artist", "select": "Name", "filter": { "Album": "is.null" }, "order": "Name" };
    tracks_never_sold_by_me: 5
        r#"SELECT "TrackId", "Name" FROM "Track" t WHERE NOT EXISTS (SELECT FROM "InvoiceLine" l WHERE l."TrackId" = t."TrackId") ORDER BY "TrackId" LIMIT 5"# =>
        { "table": "Track", "select": "TrackId,Name", "filter": { "InvoiceLine": null }, "order": "TrackId", "limit": 5, "count": "exact" };
    playlists_with_their_size: 18
        r#"SELECT p."PlaylistId", p."Name", json_build_array(json_build_object('count', (SELECT count(*) FROM "PlaylistTrack" x WHERE x."PlaylistId" = p."PlaylistId"))) AS "Track"
             FROM "Playlist" p ORDER BY p."PlaylistId""# =>
        { "table": "Playlist", "select": "PlaylistId,Name,Track(count())", "order": "PlaylistId" };
    employees_with_their_bosses: 8
        r#"SELECT e."LastName", CASE WHEN b."EmployeeId" IS NOT NULL THEN json_build_object('LastName', b."LastName") END AS boss
             FROM "Employee" e LEFT JOIN "Employee" b ON b."EmployeeId" = e."ReportsTo" ORDER BY e."EmployeeId""# =>
        { "table": "Employee", "select": "LastName,boss:ReportsTo(LastName)", "order": "EmployeeId" };
    bosses_with_their_people: 3
        r#"SELECT b."LastName", json_agg(json_build_object('LastName', e."LastName") ORDER BY e."LastName") AS people
             FROM "Employee" b JOIN "Employee" e ON e."ReportsTo" = b."EmployeeId" GROUP BY b."EmployeeId", b."LastName" ORDER BY b."EmployeeId""# =>
        { "table": "Employee", "select": "LastName,people:Employee!ReportsTo!inner(LastName)", "embed": { "people": { "order": "LastName" } }, "order": "EmployeeId" };
    videos_of_some_genres: 20
        r#"SELECT t."Name" FROM "Track" t JOIN "MediaType" m USING ("MediaTypeId") JOIN "Genre" g USING ("GenreId")
            WHERE m."Name" ILIKE '%video%' AND g."Name" IN ('Drama', 'Science Fiction') ORDER BY t."TrackId" LIMIT 50"# =>
        { "table": "Track", "select": "Name", "filter": { "MediaType.Name": "ilike.%video%", "Genre.Name": { "in": ["Drama", "Science Fiction"] } }, "order": "TrackId", "limit": 50, "count": "exact" };
    customers_who_bought_a_band: 2
        r#"SELECT c."CustomerId", c."Email" FROM "Customer" c WHERE EXISTS (
             SELECT FROM "Invoice" i JOIN "InvoiceLine" l USING ("InvoiceId") JOIN "Track" t USING ("TrackId") JOIN "Album" b USING ("AlbumId") JOIN "Artist" a USING ("ArtistId")
              WHERE i."CustomerId" = c."CustomerId" AND a."Name" = 'AC/DC') ORDER BY 1"# =>
        { "table": "Customer", "select": "CustomerId,Email", "filter": { "Invoice.InvoiceLine.Track.Album.Artist.Name": "eq.AC/DC" }, "order": "CustomerId" };
    last_invoice_of_each_customer: 20
        r#"SELECT c."CustomerId", (SELECT json_agg(json_build_object('InvoiceDate', x."InvoiceDate", 'Total', x."Total"))
             FROM (SELECT * FROM "Invoice" i WHERE i."CustomerId" = c."CustomerId" ORDER BY i."InvoiceDate" DESC LIMIT 1) x) AS "Invoice"
             FROM "Customer" c ORDER BY c."CustomerId""# =>
        { "table": "Customer", "select": "CustomerId,Invoice(InvoiceDate,Total)", "embed": { "Invoice": { "order": "InvoiceDate.desc", "limit": 1 } }, "order": "CustomerId" };
    mean_length_of_each_media_type: 5
        r#"SELECT m."Name" AS type, avg(t."Milliseconds")::int AS mean FROM "Track" t JOIN "MediaType" m USING ("MediaTypeId") GROUP BY 1"# =>
        { "table": "Track", "select": "...MediaType(type:Name),mean:Milliseconds.avg()::int" };
    quiet_tracks_without_a_composer: 30
        r#"SELECT "TrackId" FROM "Track" t WHERE "Composer" IS NULL AND NOT EXISTS (SELECT FROM "Genre" g WHERE g."GenreId" = t."GenreId" AND g."Name" IN ('Rock', 'Metal'))
            ORDER BY "TrackId" LIMIT 30"# =>
        { "table": "Track", "select": "TrackId", "filter": { "Composer": null, "not": { "Genre.Name": { "in": ["Rock", "Metal"] } } }, "order": "TrackId", "limit": 30, "count": "exact" };
    names_that_begin_with_a_digit: 10
        r#"SELECT "Name" FROM "Track" WHERE "Name" ~ '^[0-9]' ORDER BY "Name", "TrackId""# =>
        { "table": "Track", "select": "Name", "filter": { "Name": "match.^[0-9]" }, "order": "Name,TrackId" };
    largest_invoices_of_two_years: 10
        r#"SELECT i."InvoiceId", i."InvoiceDate", i."Total", c."LastName" AS customer FROM "Invoice" i JOIN "Customer" c USING ("CustomerId")
            WHERE i."InvoiceDate" >= '2008-01-01' AND i."InvoiceDate" < '2010-01-01' ORDER BY i."Total" DESC, i."InvoiceId" LIMIT 10"# =>
        { "table": "Invoice", "select": "InvoiceId,InvoiceDate,Total,...Customer(customer:LastName)", "filter": { "InvoiceDate": { "gte": "2008-01-01", "lt": "2010-01-01" } },
          "order": "Total.desc,InvoiceId", "limit": 10 };
    third_page_of_artists: 20
        r#"SELECT * FROM "Artist" ORDER BY "Name", "ArtistId" LIMIT 20 OFFSET 40"# =>
        { "table": "Artist", "order": "Name,ArtistId", "limit": 20, "offset": 40 };
    longest_albums: 10
        r#"SELECT a."AlbumId" AS id, a."Title" AS title, sum(t."Milliseconds") AS length FROM "Track" t JOIN "Album" a USING ("AlbumId") GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10"# =>
        { "table": "Track", "select": "...Album(id:AlbumId,title:Title),length:Milliseconds.sum()", "order": "length.desc", "limit": 10 };
    best_sold_artists: 10
        r#"SELECT a."Name" AS artist, sum(l."Quantity") AS sold FROM "InvoiceLine" l JOIN "Track" t USING ("TrackId") JOIN "Album" b USING ("AlbumId") JOIN "Artist" a USING ("ArtistId")
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10"# =>
        { "table": "InvoiceLine", "select": "...Track(...Album(...Artist(artist:Name))),sold:Quantity.sum()", "order": "sold.desc,artist", "limit": 10 };
    tracks_on_two_playlists: 10
        r#"SELECT t."TrackId", t."Name" FROM "Track" t
            WHERE EXISTS (SELECT FROM "PlaylistTrack" x JOIN "Playlist" p USING ("PlaylistId") WHERE x."TrackId" = t."TrackId" AND p."Name" = 'Grunge')
              AND EXISTS (SELECT FROM "PlaylistTrack" x JOIN "Playlist" p USING ("PlaylistId") WHERE x."TrackId" = t."TrackId" AND p."Name" = 'Music') ORDER BY 1"# =>
        { "table": "Track", "select": "TrackId,Name", "filter": { "and": [{ "Playlist.Name": "eq.Grunge" }, { "Playlist.Name": "eq.Music" }] }, "order": "TrackId" };
    songs_of_love_but_not_of_gloves: 50
        r#"SELECT "TrackId", "Name" FROM "Track" WHERE "Name" ILIKE '%love%' AND NOT ("Name" ILIKE '%glove%' OR "Composer" IS NULL) ORDER BY "Name" DESC, "TrackId" LIMIT 100"# =>
        { "table": "Track", "select": "TrackId,Name", "filter": { "Name": "ilike.%love%", "not": { "or": [{ "Name": "ilike.%glove%" }, { "Composer": null }] } }, "order": "Name.desc,TrackId", "limit": 100 };
    companies_with_their_agents: 3
        r#"SELECT c."Company", json_build_object('FirstName', e."FirstName", 'LastName', e."LastName") AS agent FROM "Customer" c JOIN "Employee" e ON e."EmployeeId" = c."SupportRepId"
            WHERE c."Company" IS NOT NULL ORDER BY c."Company""# =>
        { "table": "Customer", "select": "Company,agent:SupportRepId!inner(FirstName,LastName)", "filter": { "Company": "isnot.null" }, "order": "Company" };
}

/// The policies are at work: without them there would be more of everything.
#[test]
fn rows_of_other_agents_are_hidden() {
    let data = &stage().analyst;
    let mine = data.sql(r#"SELECT count(*) AS n FROM "Invoice""#);
    let all = data
        .admin
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .query_one(r#"SELECT count(*) FROM chinook."Invoice""#, &[]);
    let all: i64 = all.expect("counted").get(0);
    let told = mine[0]["n"].as_i64().expect("a number");
    assert!(told > 100 && all > told, "{told} of {all}");
    ask(
        r#"SELECT count(*) AS count FROM "InvoiceLine""#,
        json!({ "table": "InvoiceLine", "select": "count()" }),
        1,
    );
}

/// An embedded list has the default limit, too, which PostgREST has not; the answer says so.
#[test]
fn long_embedded_lists_are_cut_and_told() {
    let mut client = stage().analyst.tools();
    let mut tracks = |genre: &str, embed: Value| {
        let arguments = json!({ "table": "Genre", "select": "Track(TrackId)", "filter": { "Name": { "eq": genre } }, "embed": embed });
        let answer =
            client.call("query_table", arguments).response.json()["result"]["structuredContent"].clone();
        let list = answer["rows"][0]["Track"].as_array().expect("a list").len();
        (list, answer["notes"].to_string())
    };
    let (list, notes) = tracks("Rock", json!({}));
    assert!(list == 100 && notes.contains("embed") && notes.contains("100"), "{list} {notes}");
    let (list, notes) = tracks("Latin", json!({ "Track": { "limit": 600 } }));
    assert_eq!((list, notes.as_str()), (579, "null"));
}
