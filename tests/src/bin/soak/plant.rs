//! Defects on purpose, to see that a soak finds them: `SOAK_PLANT=memory SOAK_MINUTES=2`.

use fluxbase_tests::keys::Key;
use fluxbase_tests::load::Caller;

use crate::sample::Stage;

/// What is broken.
pub enum Plant {
    /// Nothing.
    None,
    /// Each update leaves settings with new names in its backend, which Postgres never forgets.
    Memory,
    /// With each sample two connections to the listener more, which nobody closes.
    Descriptors(Vec<Caller>),
    /// Executions of functions are kept for ever.
    Rows,
}

impl Plant {
    /// As `SOAK_PLANT` says.
    pub fn from_environment() -> Plant {
        match std::env::var("SOAK_PLANT").unwrap_or_default().as_str() {
            "" => Plant::None,
            "memory" => Plant::Memory,
            "descriptors" => Plant::Descriptors(Vec::new()),
            "rows" => Plant::Rows,
            other => panic!("SOAK_PLANT is memory, descriptors or rows, not {other}"),
        }
    }

    /// Once, before the load.
    pub fn prepare(&self, stage: &Stage) {
        let statements: &[&str] = match self {
            Plant::None | Plant::Descriptors(_) => &[],
            Plant::Memory => &["CREATE SEQUENCE public.leaks;
                 CREATE FUNCTION public.leak() RETURNS bool LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
                     SELECT count(set_config('leak.' || repeat('x', 1000) || nextval('public.leaks'), '', false)) > 0 FROM generate_series(1, 50) $$;
                 CREATE POLICY leak ON public.soak_rows AS RESTRICTIVE FOR UPDATE WITH CHECK (public.leak())"],
            // Each by itself: ALTER SYSTEM stands in no transaction.
            Plant::Rows => {
                &["ALTER SYSTEM SET mcp.functions_max_executions = 1000000", "SELECT pg_reload_conf()"]
            }
        };
        let mut admin = stage.database.admin();
        for statement in statements {
            admin.batch_execute(statement).expect("it can be broken");
        }
    }

    /// With each sample.
    pub fn grow(&mut self, stage: &Stage, key: &Key) {
        if let Plant::Descriptors(kept) = self {
            for _ in 0..2 {
                let mut caller = Caller::new(stage.listener.address, key);
                caller.call("list_tables", &serde_json::json!({}));
                kept.push(caller);
            }
        }
    }
}
