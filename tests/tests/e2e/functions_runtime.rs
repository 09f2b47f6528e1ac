//! `fluxbase functions serve` with a real Deno: what it answers, what functions cannot do, how it bears those that misbehave, how it ends.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fluxbase_tests::cluster::Cluster;
use fluxbase_tests::eventually;
use fluxbase_tests::fixture::Database;
use fluxbase_tests::http::Http;
use fluxbase_tests::runtime::{Runtime, SECRET, runs};
use fluxbase_tests::settings::{deno, settings};
use fluxbase_tests::web::Web;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A token as Postgres signs it.
fn token(function: &str) -> String {
    token_of(SECRET, json!({ "function": function, "sub": "j\u{f6}rg", "role": "authenticated" }))
}

fn token_of(secret: &str, more: Value) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut claims = json!({ "iss": "fluxbase_mcp_ext", "aud": "functions", "exp": now + 60, "jti": "e-1" });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let signed = [json!({ "alg": "HS256", "typ": "JWT" }), claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = signed.join(".");
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The status and the body of a call with a good token.
pub(crate) fn call(runtime: &Runtime, path: &str) -> (u16, String) {
    let function = path[1..].split('?').next().unwrap();
    let response = runtime.call(path, &token(function), "{}");
    (response.status, response.text())
}

const ECHO: &str = r#"export default async (request: Request, context) => Response.json({
    method: request.method, url: request.url, body: await request.text(), context,
    headers: Object.fromEntries(request.headers),
});"#;

/// Proves the three forms of a handler, both places of a function, and that a function is told who calls by nobody but the runtime.
#[test]
fn a_function_is_called_and_told_by_whom() {
    let runtime = Runtime::start(&[
        ("echo.ts", ECHO),
        ("reports/daily.ts", ECHO),
        (
            "object/index.js",
            "import { word } from './word.js'; export default { fetch: () => new Response(word) };",
        ),
        ("object/word.js", "export const word = 'from a folder';"),
        (
            "served.ts",
            "import { word } from './_shared/word.ts'; Deno.serve({ port: 1 }, () => new Response(word));",
        ),
        ("_shared/word.ts", "export const word: string = 'shared';"),
    ]);
    let mut http = Http::connect(runtime.address);
    let bearer = format!("Bearer {}", token("echo"));
    let headers = [
        ("Authorization", bearer.as_str()),
        ("X-Fluxbase-Claims", "{\"sub\":\"root\"}"),
        ("x-fluxbase-execution-id", "mine"),
        ("X-Trace", "t"),
    ];
    http.send_request("PUT /echo?a=1", &headers, b"\"text\"").expect("sent");
    let answer = http.receive().json();
    assert_eq!(answer["method"], json!("PUT"));
    assert_eq!(answer["url"], json!("http://localhost/echo?a=1"));
    assert_eq!(answer["body"], json!("\"text\""));
    assert_eq!(answer["context"]["claims"]["sub"], json!("j\u{f6}rg"));
    assert_eq!(
        (&answer["context"]["function"], &answer["context"]["executionId"]),
        (&json!("echo"), &json!("e-1"))
    );
    let told: Value = serde_json::from_str(answer["headers"]["x-fluxbase-claims"].as_str().unwrap()).unwrap();
    assert_eq!(told["sub"], json!("j\u{f6}rg"));
    assert_eq!(answer["headers"]["x-trace"], json!("t"));
    assert_eq!(answer["headers"].get("authorization"), None, "the token stays with the runtime");
    let (status, body) = call(&runtime, "/reports/daily");
    assert!(status == 200 && body.contains("\"function\":\"reports/daily\""), "{body}");
    assert_eq!(call(&runtime, "/object"), (200, "from a folder".to_owned()));
    assert_eq!(call(&runtime, "/served"), (200, "shared".to_owned()));
}

/// Proves that nobody is let in without a token for this very function, and that paths lead nowhere else.
#[test]
fn who_has_no_token_calls_nothing() {
    let runtime = Runtime::start(&[("echo.ts", ECHO), ("other.ts", ECHO)]);
    let function = || json!({ "function": "echo" });
    let good = token("echo");
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let unsigned = format!("{none}.{}.", good.split('.').nth(1).unwrap());
    let refused = [
        String::new(),
        "x".to_owned(),
        unsigned,
        good[..good.len() - 4].to_owned(),
        token("other"),
        token_of("another secret of the same length", function()),
        token_of(SECRET, json!({ "function": "echo", "exp": 1 })),
        token_of(SECRET, json!({ "function": "echo", "aud": "mcp" })),
    ];
    for token in refused {
        let response = runtime.call("/echo", &token, "");
        assert_eq!(response.status, 401, "{token}: {}", response.text());
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
    assert_eq!(Http::connect(runtime.address).get("GET /echo", &[]).status, 401);
    assert_eq!(runtime.children(), [0; 0], "no function was started for them");
    for path in
        ["/", "/../secret", "/echo/..", "/%2e%2e/secret", "/echo.ts", "/a/b/c", "/-/alive", "/default/echo"]
    {
        assert_eq!(runtime.call(path, &good, "").status, 404, "{path}");
    }
    assert_eq!(runtime.call("/missing", &token("missing"), "").status, 404);
    let bearer = format!("Bearer {good}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Length", "10485761")];
    let mut http = Http::connect(runtime.address);
    http.send(b"POST /echo HTTP/1.1\r\nHost: x\r\n").expect("sent");
    headers
        .iter()
        .for_each(|(name, value)| http.send(format!("{name}: {value}\r\n").as_bytes()).expect("sent"));
    http.send(b"\r\n").expect("sent");
    assert_eq!(http.receive().status, 413, "an announced length is refused before it comes");
    let mut http = Http::connect(runtime.address);
    http.send(
        format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        .as_bytes(),
    )
    .expect("sent");
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
    for _ in 0..11 {
        // It may have been refused already.
        let _ = http.send(&chunk);
    }
    assert_eq!(http.receive().status, 413, "and one that was not announced is cut");
    assert_eq!(call(&runtime, "/echo").0, 200, "the function is well");
}

const TRIES: &str = r#"
const file = Deno.args[0].replace(/\/tmp\/fluxbase-.*/, "/secret");
const tries = {
    net: () => fetch("http://127.0.0.1:8999/"),
    socket: () => Deno.connect({ transport: "unix", path: "/tmp/x.sock" }),
    env: () => Deno.env.get("HOME"),
    read: () => Deno.readTextFile(file),
    node: async () => (await import("node:fs")).readFileSync(file),
    write: () => Deno.writeTextFile(file, "x"),
    run: () => new Deno.Command("/bin/true").output(),
    kill: () => Deno.kill(Deno.ppid),
    sys: () => Deno.hostname(),
    ffi: () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}),
    text: () => import("file://" + file, { with: { type: "text" } }),
    evaluated: () => new Function("f", "return import('file://' + f, { with: { type: 'text' } })")(file),
    data: () => import(`data:text/javascript,import s from "file://${file}" with {type:"text"};export default s`),
    https: () => import("https://example.com/x.js"),
    npm: () => import("npm:left-pad"),
    listen: () => Deno.listen({ port: 0 }),
};
export default async () => {
    const done = {};
    for (const [name, attempt] of Object.entries(tries)) {
        try { await attempt(); done[name] = "DONE"; } catch (error) { done[name] = `${error.name}: ${error.message}`; }
    }
    return Response.json(done);
};"#;

/// Proves that a function may do nothing of what could harm, by any of the ways that Deno has.
#[test]
fn nothing_is_allowed_by_default() {
    let steal = "import s from '../secret' with { type: 'text' }; export default () => new Response(s);";
    let literal = "export default async () => new Response((await import('../secret', { with: { type: 'text' } })).default);";
    let runtime = Runtime::start_with(
        &[
            ("tries.ts", TRIES),
            ("steal.ts", steal),
            ("literal.ts", literal),
            (
                "peek.ts",
                "import s from './grants.json' with { type: 'json' }; export default () => Response.json(s);",
            ),
            ("grants.ts", ECHO),
            ("grants.json", r#"{"env":{"TOKEN":"t"}}"#),
            ("runs.ts", ECHO),
            ("runs.json", r#"{"allow_run":["ls"]}"#),
            ("reads.ts", ECHO),
            ("reads.json", r#"{"allow_read":["/"]}"#),
            ("writes.ts", ECHO),
            ("writes.json", r#"{"allow_write":["."]}"#),
        ],
        SECRET,
        &[],
        &[("HOME", "/nowhere")],
    );
    let (status, body) = call(&runtime, "/tries");
    assert_eq!(status, 200, "{body}");
    let done: Value = serde_json::from_str(&body).expect("JSON");
    for (name, what) in done.as_object().expect("an object") {
        let what = what.as_str().expect("a text");
        let refused = what.contains("NotCapable") || what.contains("Requires") || what.contains("--no-npm");
        assert!(refused, "{name}: {what}");
    }
    assert_eq!(done.as_object().unwrap().len(), 16);
    for (name, why) in [
        ("steal", "which is not its own"),
        ("literal", "which is not its own"),
        ("peek", "which is not its own"),
        ("runs", "unknown field `allow_run`"),
        ("reads", "would reach"),
        ("writes", "would reach"),
    ] {
        let (status, body) = call(&runtime, &format!("/{name}"));
        assert_eq!(status, 502, "{name}: {body}");
        // The log is written a moment after the answer.
        eventually(Duration::from_secs(5), "the log says why", || {
            let says =
                |line: &&str| line.contains(&format!("function {name} does not start")) && line.contains(why);
            runtime.log().lines().any(|line| says(&line)).then_some(())
        });
    }
}

/// Proves that what is allowed works, and no more than that.
#[test]
fn what_is_allowed_works() {
    let web = Web::start();
    let port = web.url().split(':').nth(2).unwrap().split('/').next().unwrap().to_owned();
    let code = format!(
        r#"const to = async (f) => {{ try {{ return await f(); }} catch (e) {{ return e.name; }} }};
        export default async () => Response.json([
            Deno.env.get("MODE"), Deno.env.get("API_KEY"), await to(() => Deno.env.get("HOME")),
            await to(async () => (await fetch("http://127.0.0.1:{port}/v1/text")).status),
            await to(async () => (await fetch("http://127.0.0.1:1{port}/")).status),
            await to(() => Deno.readTextFile(Deno.args[0].replace(/\/tmp\/fluxbase-.*/, "/data/in"))),
            await to(() => Deno.writeTextFile(Deno.args[0].replace(/\/tmp\/fluxbase-.*/, "/data/in"), "x")),
            await to(() => Deno.writeTextFile(Deno.args[0].replace(/\/tmp\/fluxbase-.*/, "/out/o"), "written")),
        ]);"#,
        port = port
    );
    let grants = format!(
        r#"{{"allow_net":["127.0.0.1:{port}"],"env":{{"MODE":"m"}},"allow_env":["API_KEY"],"allow_read":["../data"],"allow_write":["../out"]}}"#
    );
    let runtime = Runtime::start_with(
        &[("f.ts", &code), ("f.json", &grants), ("../data/in", "read"), ("../out/.keep", "")],
        SECRET,
        &[],
        &[("API_KEY", "k-1")],
    );
    let (status, body) = call(&runtime, "/f");
    assert_eq!(status, 200, "{body}");
    let got: Value = serde_json::from_str(&body).unwrap();
    // A port above 65535 is no address; Deno says so with a TypeError, or with NotCapable before it looks.
    assert!(["NotCapable", "TypeError"].contains(&got[4].as_str().unwrap_or_default()), "{got}");
    let mut got = got.as_array().unwrap().clone();
    got.remove(4);
    assert_eq!(json!(got), json!(["m", "k-1", "NotCapable", 200, "read", "NotCapable", null]));
    assert_eq!(fs::read_to_string(runtime.folder.join("out/o")).expect("it was written"), "written");
}

/// Proves that a function that loops, crashes, fills the memory or throws harms nobody else, and works again afterwards.
#[test]
fn a_function_that_misbehaves_harms_itself_only() {
    let runtime = Runtime::start(&[
        ("good.ts", "export default () => new Response('good');"),
        ("loop.ts", "export default (r) => { if (r.url.endsWith('?go')) for (;;); return new Response('fine'); };"),
        ("loop.json", r#"{"timeout_seconds":1}"#),
        ("slow.ts", "export default () => new Promise(() => {});"),
        ("slow.json", r#"{"timeout_seconds":1}"#),
        (
            "hog.ts",
            "export default (r) => { const all = []; if (r.url.endsWith('?heap')) for (;;) all.push(new Array(1000).fill({}));
             if (r.url.endsWith('?buffers')) try { for (;;) all.push(new Uint8Array(5e7).fill(1)); } catch { return new Response('buffers ' + all.length); }
             return new Response('fine'); };",
        ),
        ("large.ts", "export default () => new Response(String(new Uint8Array(2.5e9).length));"),
        ("large.json", r#"{"memory_mb":4096}"#),
        ("exit.ts", "export default (r) => { if (r.url.endsWith('?go')) Deno.exit(3); return new Response('fine'); };"),
        ("throws.ts", "export default () => { throw new Error('what only the log may say'); };"),
        ("nothing.ts", "export default () => 'no response';"),
        (
            "later.ts",
            "export default () => { Promise.reject(new Error('forgotten')); setTimeout(() => { throw 1; }); return new Response('fine'); };",
        ),
        ("syntax.ts", "this is no program"),
        ("none.ts", "export const a = 1;"),
        ("hangs.ts", "await new Promise(() => setInterval(() => {}, 1e6));"),
        ("noisy.ts", "export default () => { console.log('x'.repeat(9000)); console.error('a\\u001b[31mb'); return new Response('fine'); };"),
    ]);
    let fine = |path: &str| {
        eventually(Duration::from_secs(40), path, || {
            (call(&runtime, path) == (200, "fine".to_owned())).then_some(())
        });
    };
    for (path, after, status) in [
        ("/loop?go", "/loop", 504),
        ("/hog?heap", "/hog", 502),
        ("/hog?buffers", "/hog", 200),
        ("/exit?go", "/exit", 502),
    ] {
        fine(after);
        let (got, body) = call(&runtime, path);
        assert_eq!(got, status, "{path}: {body}");
        if let Some(count) = body.strip_prefix("buffers ") {
            assert!(count.parse::<u32>().expect("a number") < 8, "50 MB each, and 128 are allowed: {count}");
        }
        assert_eq!(call(&runtime, "/good"), (200, "good".to_owned()), "others go on");
        fine(after);
    }
    assert_eq!(call(&runtime, "/large"), (200, "2500000000".to_owned()), "who is allowed more gets it");
    assert!(runtime.log().contains("function loop does not react any more"));
    let (status, body) = call(&runtime, "/slow");
    assert!(status == 504 && body.contains("within 1 s"), "{body}");
    for path in ["/throws", "/nothing"] {
        let (status, body) = call(&runtime, path);
        assert_eq!(status, 500, "{body}");
        assert!(body.contains("\"execution_id\":\"e-1\"") && !body.contains("only the log"), "{body}");
    }
    assert!(runtime.log().contains("throws: Error: what only the log may say"));
    let before = runtime.children();
    fine("/later");
    eventually(Duration::from_secs(20), "both errors in the log", || {
        (runtime.log().contains("forgotten") && runtime.log().contains("later: uncaught: 1")).then_some(())
    });
    let now = runtime.children();
    assert_eq!(now.len(), before.len() + 1, "its process goes on");
    for path in ["/syntax", "/none", "/hangs"] {
        let (status, body) = call(&runtime, path);
        assert!(status == 502 && body.contains("does not start"), "{path}: {body}");
    }
    fine("/noisy");
    eventually(Duration::from_secs(20), "a long line is cut", || {
        runtime.log().contains("and 4904 bytes more").then_some(())
    });
    assert!(!runtime.log().contains('\u{1b}'), "a function cannot colour the log");
}

/// Proves that calls of one function run at the same time, and that processes are bounded.
#[test]
fn calls_run_together_and_processes_are_bounded() {
    let together = "let now = 0, most = 0; export default async () => { most = Math.max(most, ++now);
        await new Promise((go) => setTimeout(go, 1000)); now--; return Response.json(most); };";
    let one = "export default () => new Response('fine');";
    let files = [("together.ts", together), ("a.ts", one), ("b.ts", one), ("c.ts", one)];
    let runtime = Runtime::start_with(&files, SECRET, &["--max-processes", "2", "--idle", "2"], &[]);
    let most = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..20).map(|_| scope.spawn(|| call(&runtime, "/together"))).collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("no panic"))
            .map(|(_, most)| most.parse::<u32>().expect("a number"))
            .max()
    });
    assert!(most > Some(1), "{most:?}");
    for path in ["/a", "/b", "/c", "/a"] {
        assert_eq!(call(&runtime, path), (200, "fine".to_owned()), "the one idle longest makes room");
        assert!(runtime.children().len() <= 3, "one may just be ending");
    }
    eventually(Duration::from_secs(30), "idle ones are stopped", || {
        runtime.children().is_empty().then_some(())
    });
    assert_eq!(call(&runtime, "/a").0, 200, "and started again");
}

/// Proves that a change of a function, of its settings and of what it shares is there with a following call.
#[test]
fn a_changed_function_is_loaded_anew() {
    let runtime = Runtime::start(&[
        ("f.ts", "import { word } from './_w.ts'; export default () => new Response(word + 1);"),
        ("_w.ts", "export const word = 'a';"),
        ("same.ts", "let n = 0; export default () => new Response(String(++n));"),
    ]);
    let becomes = |path: &str, status: u16, text: &str| {
        eventually(Duration::from_secs(30), text, || {
            let (got, body) = call(&runtime, path);
            (got == status && body.contains(text)).then_some(())
        });
    };
    becomes("/f", 200, "a1");
    becomes("/same", 200, "1");
    runtime.write("f.ts", "import { word } from './_w.ts'; export default () => new Response(word + 2);");
    becomes("/f", 200, "a2");
    assert_eq!(call(&runtime, "/same").1, "2", "others stay");
    runtime.write("_w.ts", "export const word = 'b';");
    becomes("/f", 200, "b2");
    runtime.write("f.json", r#"{"alow_net":[]}"#);
    becomes("/f", 502, "does not start");
    runtime.write("f.json", "{}");
    becomes("/f", 200, "b2");
    fs::remove_file(runtime.folder.join("functions/f.ts")).expect("removed");
    becomes("/f", 404, "no function f");
    runtime.write("new.ts", "export default () => new Response('new');");
    becomes("/new", 200, "new");
}

/// Proves that no process outlives the runtime, however it ends, and that an orderly end answers first and tidies up.
#[test]
fn nothing_is_left_behind() {
    let slow = "export default async (r) => { if (r.url.endsWith('?slow')) await new Promise((go) => setTimeout(go, 1500)); return new Response('fine'); };";
    let mut runtime = Runtime::start(&[("f.ts", slow), ("g.ts", slow)]);
    assert_eq!((call(&runtime, "/f").0, call(&runtime, "/g").0), (200, 200));
    let children = runtime.children();
    assert_eq!(children.len(), 2);
    let mut http = Http::connect(runtime.address);
    http.send_request("POST /f?slow", &[("Authorization", &format!("Bearer {}", token("f")))], b"")
        .expect("sent");
    std::thread::sleep(Duration::from_millis(500));
    runtime.signal("TERM");
    assert_eq!(http.receive().text(), "fine", "what is in flight is finished");
    let status = runtime.wait(Duration::from_secs(30)).expect("it ends");
    assert!(status.success(), "{status}");
    assert!(children.iter().all(|id| !runs(*id)), "none is left");
    assert_eq!(fs::read_dir(runtime.folder.join("tmp")).expect("readable").count(), 0, "and no folder");

    let mut runtime = Runtime::start(&[(
        "loop.ts",
        "export default (r) => { if (r.method == 'PUT') for (;;); return new Response('fine'); };",
    )]);
    assert_eq!(call(&runtime, "/loop").0, 200);
    let mut http = Http::connect(runtime.address);
    http.send_request("PUT /loop", &[("Authorization", &format!("Bearer {}", token("loop")))], b"")
        .expect("sent");
    std::thread::sleep(Duration::from_millis(500));
    let children = runtime.children();
    assert_eq!(children.len(), 1);
    runtime.signal("KILL");
    runtime.wait(Duration::from_secs(30)).expect("it ends");
    eventually(Duration::from_secs(20), "its processes end with it, even a busy one", || {
        children.iter().all(|id| !runs(*id)).then_some(())
    });
}

/// Proves that what is missing is told with the way to mend it, before anything is served.
#[test]
fn what_is_missing_is_told() {
    let folder = std::env::temp_dir().join(format!("fbr-{}-missing", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let shown = folder.to_str().unwrap();
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = settings().fluxbase();
        command.arg("functions").args(arguments).env("PATH", "/nowhere").envs(environment.iter().copied());
        let output = command.output().expect("fluxbase starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = run(&["serve", shown], &[]);
    assert!(
        code == Some(1) && text.contains("is no folder") && text.contains("fluxbase functions new"),
        "{text}"
    );
    let (code, text) = run(&["new", "hello", shown], &[]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run(&["new", "hello", shown], &[]);
    assert!(code == Some(1) && text.contains("File exists"), "{text}");
    assert_eq!(run(&["new", "../x", shown], &[]).0, Some(1));
    let (code, text) = run(&["serve", shown], &[]);
    assert!(code == Some(1) && text.contains("mcp.functions_secret()"), "{text}");
    let (code, text) = run(&["serve", shown], &[("FLUXBASE_FUNCTIONS_SECRET", "short-one")]);
    assert!(code == Some(1) && text.contains("holds no secret") && !text.contains("short-one"), "{text}");
    let secret = ("FLUXBASE_FUNCTIONS_SECRET", SECRET);
    let (code, text) = run(&["serve", shown], &[secret]);
    assert!(code == Some(1) && text.contains("npm install -g deno"), "{text}");
    let (code, text) = run(&["serve", shown, "--deno", "/bin/echo"], &[secret]);
    assert!(code == Some(1) && text.contains("is no Deno"), "{text}");
    fs::remove_dir_all(&folder).expect("removed");
}

/// Proves the whole way: SQL, the delegate worker, the runtime, Deno, and back, with what `functions new` writes and the secret of Postgres.
#[test]
fn sql_calls_a_function_of_a_folder() {
    let folder = std::env::temp_dir().join(format!("fbr-{}-new", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let made = settings()
        .fluxbase()
        .args(["functions", "new", "hello", folder.to_str().unwrap()])
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let hello = fs::read_to_string(folder.join("hello.ts")).expect("it is there");
    fs::remove_dir_all(&folder).expect("removed");

    let cluster = Cluster::start("");
    let database = Database::create(&cluster, "app");
    let mut admin = database.admin();
    admin.batch_execute("SELECT mcp.install('{functions}')").expect("the tables can be made");
    let secret: String = admin.query_one("SELECT mcp.functions_secret()", &[]).expect("the secret").get(0);
    let runtime = Runtime::start_with(
        &[("hello.ts", &hello), ("team/who.ts", ECHO)],
        &secret,
        &["--deno", &deno()],
        &[],
    );
    // Not in one transaction with others.
    admin
        .batch_execute(&format!("ALTER SYSTEM SET mcp.functions_url = 'http://{}'", runtime.address))
        .expect("set");
    admin
        .batch_execute(
            "SELECT pg_reload_conf();
             INSERT INTO functions.edge_functions (name) VALUES ('hello');
             INSERT INTO functions.edge_functions (namespace, name) VALUES ('team', 'who')",
        )
        .expect("inserted");
    let mut invoke = |arguments: Value| {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": "invoke_function", "arguments": arguments } });
        let row = admin
            .query_one("SELECT mcp.handle($1::text::jsonb)::text", &[&request.to_string()])
            .expect("an answer");
        let reply: Value = serde_json::from_str(row.get(0)).expect("JSON");
        reply["result"].clone()
    };
    let answer = eventually(Duration::from_secs(30), "the setting is read", || {
        let result = invoke(json!({ "name": "hello", "body": { "name": "Ann" } }));
        (result["isError"] == json!(false)).then_some(result)
    });
    let answer: Value = serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!({ "message": "Hello, Ann!" })));
    let result = invoke(json!({ "name": "who", "namespace": "team" }));
    let answer: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    let context = &answer["body"]["context"];
    assert_eq!(context["function"], json!("team/who"));
    assert_eq!(context["executionId"], answer["execution_id"]);
    assert!(context["claims"]["role"].is_string(), "{context}");
    assert!(!runtime.log().contains(&secret), "the log holds no secret");
}
