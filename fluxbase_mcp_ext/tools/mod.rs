//! The registry of tools.
//!
//! A built-in tool is one entry here and a function in one of the family files; registered ones come from `registered`. Invariants: names are `snake_case` with at most 30
//! characters; input schemas are flat and closed; all four annotations are set; the order of the list is the order of
//! `tools/list`. Nothing here decides who may use a tool: `dispatch` does, by its scopes and the allow-lists.

mod confirm;
pub mod documents;
pub mod functions;
pub mod jobs;
mod part;
pub mod rpc;
mod schema;
pub mod storage;
mod tables;
pub mod vectors;

use fluxbase_credential::Scope;
use fluxbase_delegate::Id;
use fluxbase_protocol::{Annotations, Structured, ToolContent, ToolEntry, ToolOutput};

use crate::ask::Ask;
use crate::dispatch::Request;
use crate::error::Error;
use crate::guard::Access;
use crate::registered;

pub use schema::{describe_table, list_tables};

/// One tool, built in or registered.
#[derive(Clone, Copy)]
pub struct Tool<'a> {
    /// Its name on the wire.
    pub name: &'a str,
    /// Its name for people.
    pub title: &'a str,
    /// What a model reads before it chooses; the first sentence is searchable.
    pub description: &'a str,
    /// JSON Schema of the arguments.
    pub input_schema: &'a str,
    /// JSON Schema of the structured content; empty: none.
    pub output_schema: &'a str,
    /// A key needs one of these; none: every key may use it.
    pub scopes: &'a [Scope],
    /// Whether it may write.
    pub access: Access,
    /// What hosts are told about its effects.
    pub annotations: Annotations,
    /// Its body, run inside the guard.
    pub run: Body<'a>,
}

/// The body of a tool.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// A function of ours.
    BuiltIn(fn(&Request<'_>) -> Result<Done, Error>),
    /// A function of a DBA's.
    Registered(&'a registered::Tool),
}

/// What came of a call.
pub enum Outcome {
    /// Rows or other JSON of ours.
    Output(ToolOutput),
    /// Content in MCP's own form.
    Content(ToolContent),
    /// The client must answer something first.
    Ask(Ask),
    /// The delegate worker makes the call; the listener asks again.
    Pending(Id),
    /// The call is to become a task, and runs anew as one.
    Task,
}

/// [`Outcome`], and whether what the body wrote stays.
pub struct Done {
    /// What the caller is told.
    pub outcome: Outcome,
    /// Whether everything that the body wrote is undone.
    pub undo: bool,
}

impl Done {
    /// What was written stays.
    pub fn kept(outcome: Outcome) -> Done {
        Done { outcome, undo: false }
    }

    /// What was written is undone.
    pub fn undone(outcome: Outcome) -> Done {
        Done { outcome, undo: true }
    }
}

impl From<ToolOutput> for Done {
    fn from(output: ToolOutput) -> Done {
        Done::kept(Outcome::Output(output))
    }
}

impl<'a> Tool<'a> {
    /// How `tools/list` shows it.
    pub fn entry(&self) -> ToolEntry<'a> {
        ToolEntry {
            name: self.name,
            title: self.title,
            description: self.description,
            input_schema: self.input_schema,
            output_schema: Some(self.output_schema).filter(|schema| !schema.is_empty()),
            annotations: self.annotations,
        }
    }

    /// How it supports tasks; `None`: not at all, as everything that is built in.
    pub fn task(&self) -> Option<crate::tasks::Support> {
        match self.run {
            Body::BuiltIn(_) => None,
            Body::Registered(tool) => tool.task(),
        }
    }

    /// Runs the body. Only inside the guard.
    pub fn call(&self, request: &Request<'_>) -> Result<Done, Error> {
        match self.run {
            Body::BuiltIn(run) => run(request),
            Body::Registered(tool) => tool.run(request),
        }
    }
}

const READS: Annotations =
    Annotations { read_only: true, destructive: false, idempotent: true, open_world: false };
const ADDS: Annotations =
    Annotations { read_only: false, destructive: false, idempotent: false, open_world: false };
const CHANGES: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: true, open_world: false };

const CHANGES_EACH_TIME: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: false, open_world: false };

const CALLS: Annotations =
    Annotations { read_only: false, destructive: true, idempotent: false, open_world: true };

/// Every built-in tool, in the order of `tools/list`.
pub static TOOLS: &[Tool<'static>] = &[
    Tool {
        name: "query_table",
        title: "Query a table",
        description: "Read rows of a table or view: filter, related tables, aggregates, order, paging. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"select":{"type":"string","description":"e.g. id,short:long_name,doc->a->>b,price::text,author:people(name),tags!inner(name); with aggregates the rest are groups: city,n:count(),price.sum() (avg min max); default *"},"filter":{"type":"object","description":"{column: \"op.value\" | {op: value} | value}, ANDed; column may be doc->a->>b or relation.column; groups or/and: [filter,…], not: filter; ops eq neq gt gte lt lte like ilike match imatch is isnot in nin isdistinct cs cd ov sl sr nxr nxl adj fts plfts phfts wfts(english), not.op, op(any), op(all)","additionalProperties":true},"embed":{"type":"object","description":"{relation of select: {filter, order, limit, offset}}","additionalProperties":true},"order":{"type":"string","description":"e.g. created_at.desc.nullslast,author(name),id; with aggregates names of outputs"},"limit":{"type":"integer","minimum":0,"default":100,"description":"at most 1000 unless the server says otherwise"},"offset":{"type":"integer","minimum":0,"default":0},"cursor":{"type":"string","description":"next_cursor of the page before; same table, filter, order"},"count":{"type":"string","enum":["exact","planned","estimated"],"description":"asks for total_count"},"max_chars":{"type":"integer","minimum":1,"description":"size of the answer"},"vector_search":{"type":"object","description":"{query or embedding, column, threshold}"}},"required":["table"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"rows":{"type":"array","items":{"type":"object"}},"count":{"type":"integer","description":"rows in this answer"},"has_more":{"type":"boolean"},"total_count":{"type":"integer"},"next_cursor":{"type":"string"},"truncated":{"type":"object","properties":{"why":{"type":"string"},"next":{"type":"object"}}},"notes":{"type":"array","items":{"type":"string"}}},"required":["untrusted","rows","count","has_more"]}"#,
        scopes: &[Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(tables::query),
    },
    Tool {
        name: "insert_record",
        title: "Insert records",
        description: "Insert one row, or many, into a table and return them; upsert with on_conflict. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"data":{"anyOf":[{"type":"object"},{"type":"array","items":{"type":"object"}}],"description":"{column: value} or a list of those; columns left out take their default"},"returning":{"type":"string","description":"as select; default *, none for no row"},"on_conflict":{"type":"string","description":"unique columns for upsert; * is the primary key"},"resolution":{"type":"string","enum":["merge","ignore"],"default":"merge"},"expect":{"type":"integer","minimum":0,"description":"exactly so many rows, else nothing is changed"},"max_affected":{"type":"integer","minimum":0},"dry_run":{"type":"boolean","description":"do it, report it, undo it"},"max_chars":{"type":"integer","minimum":1}},"required":["table","data"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","description":"the inserted row; for a list or a dry run {untrusted, inserted, records}","additionalProperties":true}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: ADDS,
        run: Body::BuiltIn(tables::insert),
    },
    Tool {
        name: "update_record",
        title: "Update records",
        description: "Change the rows of a table that match a filter. The filter is required; row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"data":{"type":"object","description":"{column: new value}","additionalProperties":true},"filter":{"type":"object","description":"which rows, as in query_table; not empty","additionalProperties":true},"returning":{"type":"string","description":"as select; default *, none for no rows"},"expect":{"type":"integer","minimum":0,"description":"exactly so many rows, else nothing is changed"},"max_affected":{"type":"integer","minimum":0},"dry_run":{"type":"boolean","description":"do it, report it, undo it"},"max_chars":{"type":"integer","minimum":1}},"required":["table","data","filter"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"updated":{"type":"integer"},"records":{"type":"array","items":{"type":"object"}},"dry_run":{"type":"boolean"},"truncated":{"type":"object"}},"required":["untrusted","updated","records"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(tables::update),
    },
    Tool {
        name: "delete_record",
        title: "Delete records",
        description: "Delete the rows of a table that match a filter. The filter is required; row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"filter":{"type":"object","description":"which rows, as in query_table; not empty","additionalProperties":true},"returning":{"type":"string","description":"as select; default *, none for no rows"},"expect":{"type":"integer","minimum":0,"description":"exactly so many rows, else nothing is changed"},"max_affected":{"type":"integer","minimum":0},"dry_run":{"type":"boolean","description":"do it, report it, undo it"},"max_chars":{"type":"integer","minimum":1}},"required":["table","filter"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"deleted":{"type":"integer"},"records":{"type":"array","items":{"type":"object"}},"dry_run":{"type":"boolean"},"truncated":{"type":"object"}},"required":["untrusted","deleted","records"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(tables::delete),
    },
    Tool {
        name: "write_batch",
        title: "Write several, all or none",
        description: "Run several inserts, updates and deletes as one: all of them or none. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"operations":{"type":"array","minItems":1,"maxItems":100,"description":"in this order; each has op and the arguments of insert_record, update_record or delete_record","items":{"type":"object","properties":{"op":{"type":"string","enum":["insert","update","delete"]},"table":{"type":"string"}},"required":["op","table"],"additionalProperties":true}},"dry_run":{"type":"boolean","description":"do it, report it, undo it"},"max_chars":{"type":"integer","minimum":1}},"required":["operations"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"results":{"type":"array","description":"one for each operation, as its tool answers","items":{"type":"object"}},"dry_run":{"type":"boolean"}},"required":["untrusted","results"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES_EACH_TIME,
        run: Body::BuiltIn(tables::batch),
    },
    Tool {
        name: "list_tables",
        title: "List tables",
        description: "List the tables and views that you may use, with their comments. Search by name or comment.",
        input_schema: r#"{"type":"object","properties":{"search":{"type":"string","description":"part of a name or comment"},"schema":{"type":"string","description":"only this schema"},"limit":{"type":"integer","minimum":1,"default":100,"description":"at most 1000"},"offset":{"type":"integer","minimum":0,"default":0,"description":"tables to skip"}},"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"tables":{"type":"array","items":{"type":"object","properties":{"schema":{"type":"string"},"name":{"type":"string"},"kind":{"type":"string"},"comment":{"type":"string"},"row_estimate":{"type":"integer"}},"required":["schema","name","kind"]}},"count":{"type":"integer"},"has_more":{"type":"boolean"},"next":{"type":"object","properties":{"offset":{"type":"integer"}}},"note":{"type":"string"}},"required":["tables","count","has_more"]}"#,
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(|request| schema::list(request).map(Done::from)),
    },
    Tool {
        name: "describe_table",
        title: "Describe a table",
        description: "Describe one table: columns, types, keys, checks, relations with what to write for them in select, sample filters. Tells what you may do with it, too.",
        input_schema: r#"{"type":"object","properties":{"table":{"type":"string","description":"name or schema.name"},"offset":{"type":"integer","minimum":0,"default":0,"description":"columns to skip; past the last column, relations"}},"required":["table"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"schema":{"type":"string"},"name":{"type":"string"},"kind":{"type":"string"},"columns":{"type":"array","items":{"type":"object"}},"relations":{"type":"array","items":{"type":"object"}},"sample_filters":{"type":"array","items":{"type":"object"}},"left_out":{"type":"object"},"next":{"type":"object","properties":{"offset":{"type":"integer"}}}},"required":["schema","name","kind","columns","relations"]}"#,
        scopes: &[Scope::ReadSchema, Scope::ReadTables],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(|request| schema::describe(request).map(Done::from)),
    },
    Tool {
        name: "invoke_function",
        title: "Invoke an edge function",
        description: "Call an edge function over HTTP and return its answer. The resource fluxbase://functions lists them.",
        input_schema: r#"{"type":"object","properties":{"name":{"type":"string","description":"the function's name"},"namespace":{"type":"string","description":"left out: the first one that has the name"},"method":{"type":"string","enum":["GET","POST","PUT","PATCH","DELETE"],"default":"POST"},"body":{"anyOf":[{"type":"object"},{"type":"array"},{"type":"string"}],"description":"sent as JSON"},"headers":{"type":"object","additionalProperties":{"type":"string"}}},"required":["name"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"status":{"type":"integer","description":"HTTP status"},"headers":{"type":"object","additionalProperties":{"type":"string"}},"body":{"description":"parsed when it is JSON, else text"},"body_encoding":{"type":"string"},"truncated":{"type":"object"},"execution_id":{"type":"string"}},"required":["status","headers","body","execution_id"]}"#,
        scopes: &[Scope::ExecuteFunctions],
        access: Access::Write,
        annotations: CALLS,
        run: Body::BuiltIn(functions::invoke),
    },
    Tool {
        name: "invoke_rpc",
        title: "Run a procedure",
        description: "Run a procedure of the database, a function or a stored statement, and return its rows or result. The resource fluxbase://rpc lists them.",
        input_schema: r#"{"type":"object","properties":{"name":{"type":"string"},"namespace":{"type":"string","description":"left out: the first one that has the name"},"params":{"type":"object","description":"by name","additionalProperties":true}},"required":["name"],"additionalProperties":false}"#,
        output_schema: rpc::OUTPUT_SCHEMA,
        scopes: &[Scope::ExecuteRpc],
        access: Access::Write,
        annotations: CHANGES_EACH_TIME,
        run: Body::BuiltIn(rpc::invoke),
    },
    Tool {
        name: "list_objects",
        title: "List stored objects",
        description: "List the files of a bucket that you may see, by key. The resource fluxbase://storage/buckets lists the buckets.",
        input_schema: r#"{"type":"object","properties":{"bucket":{"type":"string"},"prefix":{"type":"string"},"delimiter":{"type":"string","description":"such as /: keys with it after the prefix become common_prefixes"},"limit":{"type":"integer","minimum":1,"default":100},"start_after":{"type":"string","description":"next_marker of the page before"}},"required":["bucket"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"objects":{"type":"array","items":{"type":"object","properties":{"key":{"type":"string"},"size":{"type":"integer"},"content_type":{"type":"string"},"etag":{"type":"string"},"last_modified":{"type":"string"}},"required":["key","size","content_type","etag","last_modified"]}},"count":{"type":"integer"},"common_prefixes":{"type":"array","items":{"type":"string"}},"is_truncated":{"type":"boolean"},"next_marker":{"type":"string"}},"required":["objects","count","is_truncated"]}"#,
        scopes: &[Scope::ReadStorage],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(storage::list),
    },
    Tool {
        name: "download_object",
        title: "Download an object",
        description: "Read a stored file: text, an image, or base64; up to 10 MB at once.",
        input_schema: r#"{"type":"object","properties":{"bucket":{"type":"string"},"key":{"type":"string"},"offset":{"type":"integer","minimum":0,"description":"first byte of a part"},"length":{"type":"integer","minimum":1,"description":"bytes of a part"}},"required":["bucket","key"],"additionalProperties":false}"#,
        output_schema: "",
        scopes: &[Scope::ReadStorage],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(storage::download),
    },
    Tool {
        name: "upload_object",
        title: "Upload an object",
        description: "Store a file in a bucket, or replace one.",
        input_schema: r#"{"type":"object","properties":{"bucket":{"type":"string"},"key":{"type":"string"},"content":{"type":"string"},"content_type":{"type":"string","description":"left out: told from the content"},"encoding":{"type":"string","enum":["text","base64"],"default":"text"},"metadata":{"type":"object"},"overwrite":{"type":"boolean","default":true}},"required":["bucket","key","content"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"key":{"type":"string"},"size":{"type":"integer"},"content_type":{"type":"string"},"etag":{"type":"string"},"bucket":{"type":"string"},"version":{"type":"string"}},"required":["key","size","content_type","etag","bucket","version"]}"#,
        scopes: &[Scope::WriteStorage],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(storage::upload),
    },
    Tool {
        name: "delete_object",
        title: "Delete an object",
        description: "Delete a stored file.",
        input_schema: r#"{"type":"object","properties":{"bucket":{"type":"string"},"key":{"type":"string"}},"required":["bucket","key"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"deleted":{"type":"boolean"},"bucket":{"type":"string"},"key":{"type":"string"}},"required":["deleted","bucket","key"]}"#,
        scopes: &[Scope::WriteStorage],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(storage::delete),
    },
    Tool {
        name: "submit_job",
        title: "Submit a job",
        description: "Submit a background job, which runs as you. The resource fluxbase://jobs lists them.",
        input_schema: r#"{"type":"object","properties":{"job_name":{"type":"string"},"namespace":{"type":"string"},"payload":{"type":"object"},"priority":{"type":"integer","default":0},"scheduled_at":{"type":"string","description":"RFC 3339"},"idempotency_key":{"type":"string"},"max_retries":{"type":"integer"}},"required":["job_name"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"job_id":{"type":"string"},"job_name":{"type":"string"},"namespace":{"type":"string"},"status":{"type":"string"},"priority":{"type":"integer"},"created_at":{"type":"string"},"scheduled_at":{"type":"string"},"existing":{"type":"boolean","description":"the idempotency key had submitted it before"}},"required":["job_id","job_name","status"]}"#,
        scopes: &[Scope::ExecuteJobs],
        access: Access::Write,
        annotations: CHANGES_EACH_TIME,
        run: Body::BuiltIn(jobs::submit),
    },
    Tool {
        name: "get_job_status",
        title: "Get a job's status",
        description: "Tell how a job of yours is: status, attempts, progress (percent), result or error.",
        input_schema: r#"{"type":"object","properties":{"job_id":{"type":"string"}},"required":["job_id"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"job_id":{"type":"string"},"job_name":{"type":"string"},"namespace":{"type":"string"},"status":{"type":"string","enum":["pending","running","completed","failed","cancelled"]},"priority":{"type":"integer"},"attempts":{"type":"integer"},"retry_count":{"type":"integer"},"max_retries":{"type":"integer"},"progress":{"type":"number"},"progress_message":{"type":"string"},"progress_data":{},"created_at":{"type":"string"},"scheduled_at":{"type":"string"},"next_attempt_at":{"type":"string"},"started_at":{"type":"string"},"completed_at":{"type":"string"},"cancel_requested_at":{"type":"string"},"error":{"type":"string"},"result":{},"truncated":{"type":"object"}},"required":["job_id","job_name","status","attempts"]}"#,
        scopes: &[Scope::ExecuteJobs],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(|request| jobs::status(request).map(Done::from)),
    },
    Tool {
        name: "list_jobs",
        title: "List jobs",
        description: "List the jobs that you submitted, the last first.",
        input_schema: r#"{"type":"object","properties":{"status":{"type":"string","enum":["pending","running","completed","failed","cancelled"]},"job_name":{"type":"string"},"namespace":{"type":"string"},"limit":{"type":"integer","default":20},"cursor":{"type":"string","description":"next_cursor of the page before"}},"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"jobs":{"type":"array","items":{"type":"object"}},"count":{"type":"integer"},"has_more":{"type":"boolean"},"next_cursor":{"type":"string"}},"required":["jobs","count","has_more"]}"#,
        scopes: &[Scope::ExecuteJobs],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(|request| jobs::list(request).map(Done::from)),
    },
    Tool {
        name: "cancel_job",
        title: "Cancel a job",
        description: "Cancel a job of yours that waits or runs.",
        input_schema: r#"{"type":"object","properties":{"job_id":{"type":"string"}},"required":["job_id"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"job_id":{"type":"string"},"job_name":{"type":"string"},"status":{"type":"string"},"cancel_requested_at":{"type":"string"},"completed_at":{"type":"string"},"note":{"type":"string"}},"required":["job_id","status","note"]}"#,
        scopes: &[Scope::ExecuteJobs],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(jobs::cancel),
    },
    Tool {
        name: "get_job_logs",
        title: "Get a job's log",
        description: "Read what a job of yours logged.",
        input_schema: r#"{"type":"object","properties":{"job_id":{"type":"string"},"level":{"type":"string","enum":["debug","info","warning","error"]},"after":{"type":"string","description":"next_after of the page before"},"limit":{"type":"integer","default":100}},"required":["job_id"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"logs":{"type":"array","items":{"type":"object"}},"count":{"type":"integer"},"has_more":{"type":"boolean"},"next_after":{"type":"string"}},"required":["logs","count","has_more"]}"#,
        scopes: &[Scope::ExecuteJobs],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(|request| jobs::logs(request).map(Done::from)),
    },
    Tool {
        name: "search_vectors",
        title: "Search by meaning",
        description: "Find the rows nearest in meaning to a question, in knowledge bases or a table. Row-level security applies.",
        input_schema: r#"{"type":"object","properties":{"query":{"type":"string"},"embedding":{"type":"array","items":{"type":"number"}},"knowledge_bases":{"type":"array","items":{"type":"string"}},"table":{"type":"string","description":"instead of knowledge_bases"},"column":{"type":"string"},"mode":{"type":"string","enum":["vector","text","hybrid"]},"metric":{"type":"string"},"filter":{"type":"object","description":"as in query_table"},"metadata_filter":{"type":"object"},"tags":{"type":"array","items":{"type":"string"}},"threshold":{"type":"number","default":0.7},"text_weight":{"type":"number"},"limit":{"type":"integer","default":5,"maximum":100}},"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"untrusted":{"type":"boolean"},"query":{"type":["string","null"]},"results":{"type":"array","items":{"type":"object"}},"count":{"type":"integer"},"ranking":{"type":"string"},"notes":{"type":"array","items":{"type":"string"}}},"required":["untrusted","query","results","count"]}"#,
        scopes: &[Scope::ReadVectors],
        access: Access::Read,
        annotations: READS,
        run: Body::BuiltIn(vectors::search),
    },
    Tool {
        name: "add_document",
        title: "Add a document",
        description: "Add a document to a knowledge base, or change yours by document_id. It is chunked, and embedded in the background.",
        input_schema: r#"{"type":"object","properties":{"knowledge_base":{"type":"string"},"content":{"type":"string"},"title":{"type":"string"},"tags":{"type":"array","items":{"type":"string"}},"metadata":{"type":"object"},"source_url":{"type":"string"},"document_id":{"type":"string"}},"required":["knowledge_base","content"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"document_id":{"type":"string"},"knowledge_base":{"type":"string"},"chunks":{"type":"integer"},"status":{"type":"string"}},"required":["document_id","knowledge_base","chunks","status"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES_EACH_TIME,
        run: Body::BuiltIn(documents::add::add),
    },
    Tool {
        name: "delete_document",
        title: "Delete a document",
        description: "Delete a document of yours from its knowledge base, with all its chunks.",
        input_schema: r#"{"type":"object","properties":{"document_id":{"type":"string"}},"required":["document_id"],"additionalProperties":false}"#,
        output_schema: r#"{"type":"object","properties":{"document_id":{"type":"string"},"deleted":{"type":"boolean"}},"required":["document_id","deleted"]}"#,
        scopes: &[Scope::WriteTables],
        access: Access::Write,
        annotations: CHANGES,
        run: Body::BuiltIn(documents::delete::delete),
    },
];

/// The first member of every object of ours that holds rows, in the eras with structured content: what it says comes from the
/// database, and is data. `instructions.txt` says what it means. A value cannot take its place: values are deeper.
const UNTRUSTED: &str = r#""untrusted":true,"#;

/// Whether this database has what the tool is about; a tool without it is not listed.
pub fn is_possible(tool: &Tool<'_>) -> bool {
    match tool.name {
        "search_vectors" => vectors::is_possible(),
        "add_document" | "delete_document" => vectors::is_possible() && documents::are_there(),
        _ => true,
    }
}

/// The built-in tool of that name.
pub fn built_in(name: &str) -> Option<&'static Tool<'static>> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// An answer whose text is a JSON object and at the same time the structured content.
fn object(text: String, notes: Vec<String>) -> ToolOutput {
    ToolOutput { text, structured: Structured::Same, notes }
}
