//! fluxbase_mcp_ext: a Model Context Protocol server inside Postgres.
//!
//! The modules stand in the order in which a request meets them. `docs/architecture.md` tells the whole way.
//!
//! Not in here: HTTP (crate `listener`), the wire protocol (crate `fluxbase_protocol`), the filter grammar (crate
//! `fluxbase_query`), and the tables and roles (`sql/`).

mod entry;
mod gucs;
mod identity;
mod standby;
mod dispatch;
mod audit;
mod guard;
mod tools;
mod resources;
mod registered;
mod ask;
mod complete;
mod subscription;
mod planned;
mod catalog;
mod cache;
mod statement;
mod cost;
mod delegate;
mod unsent;
mod worker;
mod embedding;
mod jobs;
mod tasks;
mod doctor;
mod variables;
mod error;

use pgrx::prelude::*;

pg_module_magic!(name, version);

extension_sql_file!("../sql/00_schema.sql", name = "schema", bootstrap);
extension_sql_file!(
    "../sql/10_keys.sql",
    name = "keys",
    requires = [
        entry::generate_key,
        entry::keys_changed,
        entry::setting_allowed,
        entry::check_setting,
        entry::outer_user,
        entry::preloaded,
        entry::version
    ]
);
extension_sql_file!(
    "../sql/15_register.sql",
    name = "register",
    requires = [
        "keys",
        registered::check::check_tool,
        registered::check::check_resource,
        registered::check::check_prompt
    ]
);
extension_sql_file!("../sql/20_setup.sql", name = "setup", requires = ["register"]);
extension_sql_file!("../sql/30_install.sql", name = "install", requires = ["setup"]);
extension_sql_file!("../sql/32_functions.sql", name = "functions", requires = ["install"]);
extension_sql_file!(
    "../sql/34_rpc.sql",
    name = "rpc",
    requires = ["functions", registered::check::check_procedure, tools::rpc::stored::read_rpc]
);
extension_sql_file!("../sql/35_jobs.sql", name = "jobs", requires = ["functions"]);
extension_sql_file!(
    "../sql/36_jobs_register.sql",
    name = "jobs_register",
    requires = [
        "jobs",
        tools::jobs::timing::check_job,
        tools::jobs::timing::schedule_next,
        tools::jobs::timing::schedule_due,
        tools::jobs::timing::job_pause
    ]
);
extension_sql_file!("../sql/36_jobs_tasks.sql", name = "jobs_tasks", requires = ["jobs_register"]);
extension_sql_file!("../sql/36_jobs_call.sql", name = "jobs_call", requires = ["jobs_tasks"]);
extension_sql_file!("../sql/36_jobs_worker.sql", name = "jobs_worker", requires = ["jobs_call"]);
extension_sql_file!(
    "../sql/36_jobs_runner.sql",
    name = "jobs_runner",
    requires = ["jobs_worker", jobs::jobs_status]
);
extension_sql_file!("../sql/32_functions_secrets.sql", name = "functions_secrets", requires = ["functions"]);
extension_sql_file!(
    "../sql/33_storage.sql",
    name = "storage",
    requires = ["functions", tools::storage::sweep::stored, tools::storage::sweep::remove_stored]
);
extension_sql_file!(
    "../sql/39_audit.sql",
    name = "audit",
    requires = [
        "jobs_runner",
        audit::report::audit_batch,
        audit::report::audit_note,
        audit::report::audit_refused,
        audit::report::audit_status
    ]
);
extension_sql_file!("../sql/37_vectors.sql", name = "vectors", requires = ["install"]);
extension_sql_file!(
    "../sql/38_knowledge.sql",
    name = "knowledge",
    requires = ["vectors", "jobs_worker", tools::documents::chunks, jobs::wake_embedding]
);
extension_sql_file!("../sql/38_knowledge_work.sql", name = "knowledge_work", requires = ["knowledge"]);
extension_sql_file!(
    "../sql/40_doctor.sql",
    name = "doctor",
    requires = ["functions_secrets", "storage", "jobs_runner", "knowledge_work", "rpc", "audit"]
);
extension_sql_file!("../sql/41_doctor_data.sql", name = "doctor_data", requires = ["doctor"]);
extension_sql_file!(
    "../sql/42_doctor_access.sql",
    name = "doctor_access",
    requires = ["doctor_data", doctor::built_in_tools]
);
extension_sql_file!("../sql/99_grants.sql", name = "grants", finalize);

/// Called by Postgres when it loads the library.
#[pg_guard]
#[allow(unsafe_code)]
extern "C-unwind" fn _PG_init() {
    for name in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"] {
        // SAFETY: Postgres's processes have one thread. With these set, pgrx writes a Rust backtrace into the DETAIL of every error.
        unsafe { std::env::remove_var(name) };
    }
    // SAFETY: reads a variable of the process that loads us.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    gucs::define(preloading);
    if preloading {
        identity::rate_limit::reserve();
        unsent::reserve();
        worker::register();
        jobs::register();
        audit::reserve();
    }
}
