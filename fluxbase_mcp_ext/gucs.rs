//! Every setting of the extension: its default, its unit, who may set it.
//!
//! Invariants: no security limit is settable by an ordinary user (`Suset` or stricter), and `mcp.claims` cannot be set while the
//! guard holds (`NOT_WHILE_SEC_REST`), so that what policies read is what our code wrote. Other modules read settings only
//! through the accessors here. This file does not say what the limits mean for a request: see `identity` and `dispatch`.

use std::ffi::{CStr, CString};

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// `mcp.audit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum Audit {
    /// Nothing is recorded.
    #[name = c"off"]
    Off,
    /// Calls are recorded; what finds no room is counted.
    #[name = c"on"]
    On,
    /// A call for whose record there is no room waits, and is then refused.
    #[name = c"strict"]
    Strict,
}

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static CLAIMS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static HIDDEN_SCHEMAS: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"auth, storage, functions, jobs, rpc, ai, mcp"));
static SEARCH_SCHEMAS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static ALLOWED_TOOLS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static ALLOWED_RESOURCES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static RATE_LIMIT_PER_MIN: GucSetting<i32> = GucSetting::<i32>::new(0);
static MAX_MESSAGE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(10_485_760);
static MAX_RESULT_CHARS: GucSetting<i32> = GucSetting::<i32>::new(40_000);
static MAX_ROWS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static MAX_PLAN_COST: GucSetting<f64> = GucSetting::<f64>::new(0.0);
static WORKER_CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static FUNCTIONS_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static FUNCTIONS_ALLOWED_HOSTS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static FUNCTIONS_KEEP_EXECUTIONS: GucSetting<i32> = GucSetting::<i32>::new(2_592_000);
static FUNCTIONS_MAX_EXECUTIONS: GucSetting<i32> = GucSetting::<i32>::new(100_000);
static STORAGE_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static STORAGE_CREDENTIALS_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static WORKER_MAX_CALLS: GucSetting<i32> = GucSetting::<i32>::new(400);
static WORKER_MAX_PENDING: GucSetting<i32> = GucSetting::<i32>::new(1000);
static WORKER_MAX_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(65_536);
static WORKER_KEEP: GucSetting<i32> = GucSetting::<i32>::new(60);
static EMBEDDING_URL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EMBEDDING_MODEL: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EMBEDDING_KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static EMBEDDING_DIMENSIONS: GucSetting<i32> = GucSetting::<i32>::new(0);
static JOB_DATABASES: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c"*"));
static JOB_CONCURRENCY: GucSetting<i32> = GucSetting::<i32>::new(4);
static RPC_RETENTION_DAYS: GucSetting<i32> = GucSetting::<i32>::new(30);
static AUDIT: GucSetting<Audit> = GucSetting::<Audit>::new(Audit::On);
static AUDIT_ARGUMENTS: GucSetting<bool> = GucSetting::<bool>::new(false);
static AUDIT_RETENTION_DAYS: GucSetting<i32> = GucSetting::<i32>::new(90);
static READ_ONLY: GucSetting<bool> = GucSetting::<bool>::new(false);
static CONFIRM_ABOVE_ROWS: GucSetting<i32> = GucSetting::<i32>::new(100);
static PROTECT_REQUEST_CLAIMS: GucSetting<bool> = GucSetting::<bool>::new(false);

static REQUEST_CLAIMS: [GucSetting<Option<CString>>; 4] = [
    GucSetting::<Option<CString>>::new(None),
    GucSetting::<Option<CString>>::new(None),
    GucSetting::<Option<CString>>::new(None),
    GucSetting::<Option<CString>>::new(None),
];

/// Defines the settings; `preloaded` tells whether the server itself is loading the library.
pub fn define(preloaded: bool) {
    GucRegistry::define_bool_guc(
        c"mcp.enabled",
        c"Whether mcp.handle answers at all.",
        c"Off is the kill switch: the listener answers 503 and direct calls raise an error. Default: on.",
        &ENABLED,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.claims",
        c"The claims of the identity that a tool runs for, as JSON text.",
        c"Set by the extension only; it cannot be changed while a tool runs. Default: empty.",
        &CLAIMS,
        GucContext::Suset,
        CLAIM_FLAGS,
    );
    GucRegistry::define_string_guc(
        c"mcp.hidden_schemas",
        c"Schemas that only admins reach through tools and resources.",
        c"A comma list. The system catalogs are always hidden. Default: auth, storage, functions, jobs, rpc, ai, mcp.",
        &HIDDEN_SCHEMAS,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.search_schemas",
        c"Schemas searched, after public, for a table named without its schema.",
        c"A comma list. Default: empty.",
        &SEARCH_SCHEMAS,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.allowed_tools",
        c"Tools that may be used at all.",
        c"A comma list of names; empty means every tool. The listener can only narrow it. Default: empty.",
        &ALLOWED_TOOLS,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.allowed_resources",
        c"Resources that may be read at all.",
        c"A comma list of URIs and templates; a template allows its instances; empty means every one. Default: empty.",
        &ALLOWED_RESOURCES,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.rate_limit_per_min",
        c"Ceiling of requests in a minute for each key.",
        c"The lowest of this, the key's own and the listener's limit holds. 0 sets no ceiling. Default: 0.",
        &RATE_LIMIT_PER_MIN,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.max_message_size",
        c"Largest request that mcp.handle reads, in bytes.",
        c"Default: 10485760 (10 MB).",
        &MAX_MESSAGE_SIZE,
        1024,
        1 << 29,
        GucContext::Suset,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"mcp.max_result_chars",
        c"Size at which the rows of one answer are cut, in characters.",
        c"The answer says that it was cut and how to go on. Default: 40000.",
        &MAX_RESULT_CHARS,
        1000,
        1 << 28,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.max_rows",
        c"Most rows that one answer holds.",
        c"A larger limit argument is cut to it, and the answer says so. Default: 1000.",
        &MAX_ROWS,
        1,
        1_000_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"mcp.max_plan_cost",
        c"Most that the plan of a table tool's statement may cost.",
        c"In the planner's units, as EXPLAIN shows them. A plan above it is refused before it runs. 0 sets no bound. Default: 0.",
        &MAX_PLAN_COST,
        0.0,
        f64::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    define_rpc();
    define_worker();
    define_embedding();
    define_jobs();
    define_audit();
    GucRegistry::define_bool_guc(
        c"mcp.read_only",
        c"Whether only tools that read may be used.",
        c"On: tools that may write, registered ones too, are neither listed nor run. The listener can only narrow it. Default: off.",
        &READ_ONLY,
            GucContext::Suset,
            GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.confirm_above_rows",
        c"Number of rows above which an update or delete asks the client's user first.",
        c"Clients that cannot ask are not held up. 0 asks for every row, -1 never asks. Default: 100.",
        &CONFIRM_ABOVE_ROWS,
        -1,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    if preloaded {
        GucRegistry::define_bool_guc(
            c"mcp.protect_request_claims",
            c"Whether request.jwt.claims and its parts can be set by the extension only.",
            c"It also stops other tools (PostgREST, application code) from setting them. Default: off.",
            &PROTECT_REQUEST_CLAIMS,
            GucContext::Postmaster,
            GucFlags::default(),
        );
        if PROTECT_REQUEST_CLAIMS.get() {
            define_request_claims();
        }
    }
    #[cfg(not(feature = "pg14"))]
    #[allow(unsafe_code)]
    // SAFETY: a static, NUL-terminated name; called once, from _PG_init, after the last definition.
    unsafe {
        pgrx::pg_sys::MarkGUCPrefixReserved(c"mcp".as_ptr());
    }
}

/// What becomes of the executions of procedures; `mcp._maintain_rpc` reads it.
fn define_rpc() {
    GucRegistry::define_int_guc(
        c"mcp.rpc_retention_days",
        c"Days after which the executions of procedures are removed.",
        c"0 keeps them. Default: 30.",
        &RPC_RETENTION_DAYS,
        0,
        36_500,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// What the delegate worker obeys; it reads them again at each reload.
fn define_worker() {
    GucRegistry::define_string_guc(
        c"mcp.functions_url",
        c"URL of the runtime of edge functions.",
        c"http or https. It is the one host that may lie in a private network. Default: empty, none.",
        &FUNCTIONS_URL,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.functions_allowed_hosts",
        c"Further hosts that the delegate worker may call.",
        c"A comma list of host, host:port, *.host. Their addresses must be of the internet. Default: empty, none.",
        &FUNCTIONS_ALLOWED_HOSTS,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.storage_url",
        c"Where the bytes of stored files are.",
        c"file:///path, or s3://bucket/prefix?region=...&endpoint=... Default: empty, mcp_storage below the data directory.",
        &STORAGE_URL,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"mcp.storage_credentials_file",
        c"File with the key of the S3 account.",
        c"As ~/.aws/credentials, section default; readable by its owner only. Default: empty, AWS_* of the server's environment.",
        &STORAGE_CREDENTIALS_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"mcp.worker_ca_file",
        c"File with certificates of authorities that the delegate worker trusts beside the system's.",
        c"PEM; read again at a reload. Default: empty, none.",
        &WORKER_CA_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"mcp.functions_keep_executions",
        c"How long rows of functions.edge_executions are kept.",
        c"Read by mcp._maintain_functions. 0 keeps them for any time. Default: 30d.",
        &FUNCTIONS_KEEP_EXECUTIONS,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::UNIT_S,
    );
    GucRegistry::define_int_guc(
        c"mcp.functions_max_executions",
        c"How many rows of functions.edge_executions are kept, the latest.",
        c"Read by mcp._maintain_functions. 0 keeps any number. Default: 100000.",
        &FUNCTIONS_MAX_EXECUTIONS,
        0,
        i32::MAX,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.worker_max_calls",
        c"Most calls that the delegate worker has in flight.",
        c"Beyond it a call is refused before anything is sent. Default: 400.",
        &WORKER_MAX_CALLS,
        1,
        10_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.worker_max_pending",
        c"Most calls for callers over HTTP that are in flight or wait to be collected.",
        c"Beyond it a call is refused before anything is sent. Default: 1000.",
        &WORKER_MAX_PENDING,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.worker_max_memory",
        c"Most memory for the bodies of all calls together.",
        c"A reply that must be kept waits until there is room for all of it. Default: 64MB.",
        &WORKER_MAX_MEMORY,
        1024,
        1 << 22,
        GucContext::Sighup,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"mcp.worker_keep",
        c"How long the delegate worker keeps a reply that nobody collects.",
        c"Default: 60s.",
        &WORKER_KEEP,
        1,
        3600,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// How text becomes a vector.
fn define_embedding() {
    GucRegistry::define_string_guc(
        c"mcp.embedding_url",
        c"URL of an endpoint that makes vectors of text as OpenAI's does; /embeddings is added.",
        c"http or https. It may lie in a private network. Default: empty, none.",
        &EMBEDDING_URL,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.embedding_model",
        c"The model that the endpoint is asked for.",
        c"The one that the columns were filled with. Default: empty.",
        &EMBEDDING_MODEL,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"mcp.embedding_key_file",
        c"File with the key of the endpoint, sent as a bearer token.",
        c"Read by the server for each call. Default: empty, no key.",
        &EMBEDDING_KEY_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"mcp.embedding_dimensions",
        c"How many dimensions the model's vectors have.",
        c"With it a column that does not fit is refused before anything is sent. 0: not known. Default: 0.",
        &EMBEDDING_DIMENSIONS,
        0,
        16_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// What the processes of background jobs obey.
fn define_jobs() {
    GucRegistry::define_string_guc(
        c"mcp.job_databases",
        c"Databases whose background jobs are run.",
        c"A comma list; * stands for every database where mcp.install('{jobs}') was run, and empty for none. Default: *.",
        &JOB_DATABASES,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.job_concurrency",
        c"Most background jobs that run at once in one database.",
        c"Each takes one of max_worker_processes while there is something to do. 0 runs none. Default: 4.",
        &JOB_CONCURRENCY,
        0,
        32,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

/// What the audit records and keeps.
fn define_audit() {
    GucRegistry::define_enum_guc(
        c"mcp.audit",
        c"Whether calls are recorded in mcp.audit_log.",
        c"on counts records that find no room; strict makes a call wait for room, and refuses it after 5 s. It needs mcp.install('{audit}'). Default: on.",
        &AUDIT,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"mcp.audit_arguments",
        c"Whether records hold the arguments of tools, with the values in them.",
        c"Their first 4000 bytes. Default: off.",
        &AUDIT_ARGUMENTS,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"mcp.audit_retention_days",
        c"Days after which records of the audit are removed.",
        c"A day is removed as a whole. 0 keeps them. Default: 90.",
        &AUDIT_RETENTION_DAYS,
        0,
        36_500,
        GucContext::Sighup,
        GucFlags::default(),
    );
}

const CLAIM_FLAGS: GucFlags = GucFlags::NO_SHOW_ALL
    .union(GucFlags::NO_RESET_ALL)
    .union(GucFlags::DISALLOW_IN_FILE)
    .union(GucFlags::NOT_WHILE_SEC_REST);

fn define_request_claims() {
    let names = [
        c"request.jwt.claims",
        c"request.jwt.claim.sub",
        c"request.jwt.claim.role",
        c"request.jwt.claim.email",
    ];
    for (name, setting) in names.into_iter().zip(&REQUEST_CLAIMS) {
        GucRegistry::define_string_guc(
            name,
            c"Mirror of mcp.claims for policies written for PostgREST.",
            c"Protected because mcp.protect_request_claims is on.",
            setting,
            GucContext::Suset,
            CLAIM_FLAGS,
        );
    }
}

/// `mcp.enabled`.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// `mcp.claims`; `None` when no identity is set.
pub fn claims() -> Option<String> {
    text(&CLAIMS).filter(|claims| !claims.is_empty())
}

/// `mcp.hidden_schemas`, comma list.
pub fn hidden_schemas() -> String {
    text(&HIDDEN_SCHEMAS).unwrap_or_default()
}

/// `mcp.search_schemas`, comma list.
pub fn search_schemas() -> String {
    text(&SEARCH_SCHEMAS).unwrap_or_default()
}

/// `mcp.allowed_tools`, comma list; empty means all.
pub fn allowed_tools() -> String {
    text(&ALLOWED_TOOLS).unwrap_or_default()
}

/// `mcp.allowed_resources`, comma list; empty means all.
pub fn allowed_resources() -> String {
    text(&ALLOWED_RESOURCES).unwrap_or_default()
}

/// `mcp.rate_limit_per_min`; `None` when there is no ceiling.
pub fn rate_limit_per_min() -> Option<u32> {
    u32::try_from(RATE_LIMIT_PER_MIN.get()).ok().filter(|&limit| limit > 0)
}

/// `mcp.max_message_size` in bytes.
pub fn max_message_size() -> usize {
    MAX_MESSAGE_SIZE.get() as usize
}

/// `mcp.max_result_chars` in characters.
pub fn max_result_chars() -> usize {
    MAX_RESULT_CHARS.get() as usize
}

/// `mcp.max_rows`.
pub fn max_rows() -> u64 {
    MAX_ROWS.get() as u64
}

/// `mcp.max_plan_cost` in the planner's units; 0 is no bound.
pub fn max_plan_cost() -> f64 {
    MAX_PLAN_COST.get()
}

/// `mcp.functions_url`; empty for none.
pub fn functions_url() -> String {
    text(&FUNCTIONS_URL).unwrap_or_default()
}

/// `mcp.functions_allowed_hosts`, comma list.
pub fn functions_allowed_hosts() -> String {
    text(&FUNCTIONS_ALLOWED_HOSTS).unwrap_or_default()
}

/// `mcp.storage_url`; empty for the directory below the data directory.
pub fn storage_url() -> String {
    text(&STORAGE_URL).unwrap_or_default()
}

/// `mcp.storage_credentials_file`; empty for none.
pub fn storage_credentials_file() -> String {
    text(&STORAGE_CREDENTIALS_FILE).unwrap_or_default()
}

/// `mcp.worker_ca_file`; empty for none.
pub fn worker_ca_file() -> String {
    text(&WORKER_CA_FILE).unwrap_or_default()
}

/// `mcp.worker_max_calls`.
pub fn worker_max_calls() -> usize {
    WORKER_MAX_CALLS.get() as usize
}

/// `mcp.worker_max_pending`.
pub fn worker_max_pending() -> usize {
    WORKER_MAX_PENDING.get() as usize
}

/// `mcp.worker_max_memory` in bytes.
pub fn worker_max_memory() -> u64 {
    WORKER_MAX_MEMORY.get() as u64 * 1024
}

/// `mcp.worker_keep`.
pub fn worker_keep() -> std::time::Duration {
    std::time::Duration::from_secs(WORKER_KEEP.get() as u64)
}

/// `mcp.embedding_url`; empty for none.
pub fn embedding_url() -> String {
    text(&EMBEDDING_URL).unwrap_or_default()
}

/// `mcp.embedding_model`.
pub fn embedding_model() -> String {
    text(&EMBEDDING_MODEL).unwrap_or_default()
}

/// `mcp.embedding_key_file`; empty for none.
pub fn embedding_key_file() -> String {
    text(&EMBEDDING_KEY_FILE).unwrap_or_default()
}

/// `mcp.embedding_dimensions`; 0 when not known.
pub fn embedding_dimensions() -> i32 {
    EMBEDDING_DIMENSIONS.get()
}

/// `mcp.job_databases`, comma list, or `*`.
pub fn job_databases() -> String {
    text(&JOB_DATABASES).unwrap_or_default()
}

/// `mcp.job_concurrency`.
pub fn job_concurrency() -> i32 {
    JOB_CONCURRENCY.get()
}

/// `mcp.audit`.
pub fn audit() -> Audit {
    AUDIT.get()
}

/// `mcp.audit_arguments`.
pub fn audit_arguments() -> bool {
    AUDIT_ARGUMENTS.get()
}

/// `mcp.read_only`.
pub fn read_only() -> bool {
    READ_ONLY.get()
}

/// `mcp.confirm_above_rows`; `None` when nobody is asked.
pub fn confirm_above_rows() -> Option<u64> {
    u64::try_from(CONFIRM_ABOVE_ROWS.get()).ok()
}

#[allow(unsafe_code)]
fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    // SAFETY: the value is Postgres's until the setting changes, which nothing does while it is copied.
    let value = unsafe { *setting.as_ptr() };
    // SAFETY: NULL, or NUL-terminated.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned())
}
