//! `fluxbase functions`: a runtime for edge functions.

mod secrets;

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;

use super::failure::Failure;
use super::serve::stop_signal;
use crate::accept::Door;
use crate::config::{Listen, LogFormat};
use crate::database::Target;
use crate::functions::child::become_child;
use crate::functions::deno::{self, Deno};
use crate::functions::fleet::{Fleet, Plan};
use crate::functions::front::Front;
use crate::functions::layout::is_name;
use crate::functions::secrets::{Secrets, Source};
use crate::functions::settings::Protected;
use crate::functions::token::Verifier;
use crate::{logging, systemd};

/// The variable with the secret.
const VARIABLE: &str = "FLUXBASE_FUNCTIONS_SECRET";
/// Most bytes of a secret file that are read: the secret has 64 characters.
const SECRET_FILE: u64 = 4096;
/// Fewest characters of a secret.
const SHORTEST: usize = 32;

/// What `functions new` writes.
const HELLO: &str = r#"// An edge function. `context.claims` says who calls: the claims of the caller's key.
export default async (request: Request, context) => {
  const { name } = await request.json().catch(() => ({}));
  const message = `Hello, ${name ?? context.claims?.sub ?? "world"}!`;
  return Response.json({ message });
};
"#;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Serve the functions of a folder, each in a Deno of its own that may do nothing but answer.
    Serve(Serve),
    /// Write a first function to start from.
    New {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// The folder with the functions. Made if it is not there.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Secrets that functions get as variables: set, list, remove.
    Secrets {
        #[command(subcommand)]
        action: secrets::Action,
    },
    /// What a function's process begins with.
    #[command(hide = true)]
    Child {
        #[arg(long)]
        parent: u32,
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The folder with the functions: NAME.ts, NAME/index.ts, NAMESPACE/NAME.ts; what a function may do is in NAME.json.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Address to listen on, or unix:/path. May be given several times. Without it 127.0.0.1:8000.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<Listen>,
    /// The program deno. Without it the value of FLUXBASE_DENO, then deno on PATH.
    #[arg(long, value_name = "PATH")]
    deno: Option<PathBuf>,
    /// A file with what mcp.functions_secret() says. Without it the secret is the value of FLUXBASE_FUNCTIONS_SECRET.
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
    /// Let everybody call everything, without a token. To try functions on your own machine only.
    #[arg(long, conflicts_with = "secret_file")]
    no_verify: bool,
    /// Read secrets from the table functions.secrets, as a role that mcp.allow_functions_runtime was called for, and give each function
    /// those of its namespace.
    #[arg(long)]
    secrets_from_database: bool,
    /// Let functions import modules of the network (https, jsr, npm). Deno keeps them where it always does.
    #[arg(long)]
    remote_imports: bool,
    /// Most processes at a time, from 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_processes: u16,
    /// Seconds without a call after which a function's process is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    idle: u32,
}

/// Becomes a function's process; to be asked before there are threads. None: it is another command.
pub(super) fn child(action: &Action) -> Option<ExitCode> {
    let Action::Child { parent, command } = action else { return None };
    Some(Failure::new(format!("cannot start Deno: {}", become_child(*parent, command))).report())
}

pub(super) async fn run(action: Action, url: Option<&str>) -> Result<ExitCode, Failure> {
    match action {
        Action::Serve(options) => serve(options, url).await,
        Action::Secrets { action } => secrets::run(action, url).await,
        Action::New { name, dir } => new(&name, &dir),
        Action::Child { .. } => Err(Failure::new("this command is for fluxbase itself")),
    }
}

async fn serve(options: Serve, url: Option<&str>) -> Result<ExitCode, Failure> {
    logging::start(LogFormat::Human);
    let root = options.dir.canonicalize().ok().filter(|dir| dir.is_dir()).ok_or_else(|| {
        Failure::new(format!("{} is no folder", options.dir.display()))
            .hint("Name the folder with the functions. fluxbase functions new NAME DIR writes a first one.")
    })?;
    let verifier = match options.no_verify {
        true => {
            tracing::warn!(
                "--no-verify: whoever reaches this runtime can call every function, and none is told by whom"
            );
            None
        }
        false => Some(Verifier::new(&secret(&options)?)),
    };
    let program = deno::find(options.deno.as_deref()).ok_or_else(|| {
        Failure::new("Deno was not found").hint(
            "Install Deno 2.9 or later (npm install -g deno, or see deno.com), or name the program with --deno PATH or FLUXBASE_DENO.",
        )
    })?;
    let source = match options.secrets_from_database {
        true => Some(source(url).await?),
        false => None,
    };
    let secrets = source.as_ref().map(Source::secrets).unwrap_or_default();
    let run = run_folder()?;
    let served = start(&options, root, &program, &run, verifier, secrets).await;
    if served.is_err() {
        let _ = fs::remove_dir_all(&run);
    }
    let (front, doors) = served?;
    let stop = stop_signal().map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
    for address in doors.iter().filter_map(Door::address) {
        match address {
            Listen::Tcp(address) => tracing::info!("serving functions at http://{address}"),
            Listen::Unix(path) => tracing::info!("serving functions at unix:{}", path.display()),
        }
    }
    if let Some(source) = source {
        tokio::spawn(source.watch());
    }
    systemd::ready("serving functions");
    front.run(doors, stop).await;
    Ok(ExitCode::SUCCESS)
}

async fn start(
    options: &Serve,
    root: PathBuf,
    program: &Path,
    run: &Path,
    verifier: Option<Verifier>,
    secrets: Arc<Secrets>,
) -> Result<(Front, Vec<Door>), Failure> {
    let cache = (!options.remote_imports).then(|| run.join("cache"));
    let deno = Deno::ask(program, cache, options.remote_imports).await.map_err(Failure::new)?;
    tracing::info!("Deno {} ({})", deno.version, deno.path.display());
    let mut unread = vec![run.to_owned()];
    if let Some(file) = &options.secret_file {
        unread.extend(file.canonicalize().ok());
    }
    let plan = Plan {
        root: root.clone(),
        run: run.to_owned(),
        deno,
        protected: Protected { unread, unwritten: vec![root] },
        secrets,
        most: options.max_processes.into(),
        idle: Duration::from_secs(options.idle.into()),
    };
    let shown = options.dir.display();
    let fleet = Fleet::new(plan).map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let mut doors = Vec::new();
    let usual = [Listen::Tcp(([127, 0, 0, 1], 8000).into())];
    for listen in if options.listen.is_empty() { &usual[..] } else { &options.listen } {
        doors.push(Door::bind(listen, 0o660).await.map_err(|error| {
            Failure::new(format!("cannot listen on {listen}: {error}"))
                .hint("Is another runtime running? Choose another address with --listen.")
        })?);
    }
    Ok((Front::new(fleet, verifier), doors))
}

/// Where the secrets of functions are.
async fn source(url: Option<&str>) -> Result<Source, Failure> {
    let target = Target::find(url).map_err(|error| Failure::new(error.to_string()))?;
    let shown = target.to_string();
    let source = Source::open(target).await.map_err(|why| {
        Failure::new(format!("cannot read the secrets at {shown}: {why}")).hint(
            "SELECT mcp.install('{functions}') makes the table, and a superuser lets this runtime's login role read it: SELECT \
             mcp.allow_functions_runtime('ROLE').",
        )
    })?;
    if source.is_superuser().await {
        tracing::warn!(
            "this runtime logs in as a superuser: make a login role for it, and let it read secrets with mcp.allow_functions_runtime"
        );
    }
    tracing::info!("{} secrets of {shown}", source.secrets().len());
    Ok(source)
}

/// A folder for sockets, which only this user may enter.
fn run_folder() -> Result<PathBuf, Failure> {
    let fail = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot make a folder for temporary files: {error}"))
    };
    let number = getrandom::u32().map_err(|error| fail(&error))?;
    let parent = std::env::temp_dir().canonicalize().map_err(|error| fail(&error))?;
    let folder = parent.join(format!("fluxbase-functions-{number:08x}"));
    if folder.as_os_str().len() > 90 {
        return Err(
            fail(&"its path is too long for a socket").hint("Set TMPDIR to a folder with a shorter path.")
        );
    }
    fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| fail(&error))?;
    Ok(folder)
}

/// The secret of the file, else of the variable.
fn secret(options: &Serve) -> Result<String, Failure> {
    let how = format!(
        "psql -Atc 'SELECT mcp.functions_secret()' says it to a superuser. Put it into a file and name that with --secret-file, or into \
         {VARIABLE}. To try functions without Postgres: --no-verify"
    );
    let (place, text) = match (&options.secret_file, std::env::var(VARIABLE)) {
        (Some(path), _) => (path.display().to_string(), read(path)?),
        (None, Ok(text)) => (VARIABLE.to_owned(), text),
        (None, Err(_)) => return Err(Failure::new("there is no secret to check tokens with").hint(how)),
    };
    let text = text.trim();
    if text.len() < SHORTEST || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Failure::new(format!("{place} holds no secret of mcp.functions_secret()")).hint(how));
    }
    Ok(text.to_owned())
}

fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(format!("cannot read the secret file {}: {error}", path.display()))
    };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(unreadable)?.permissions());
    if mode & 0o077 != 0 {
        tracing::warn!("the secret file {} can be read by other users. Run: chmod 600 on it", path.display());
    }
    let mut bytes = Vec::new();
    file.take(SECRET_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

fn new(name: &str, dir: &Path) -> Result<ExitCode, Failure> {
    if !is_name(name) {
        return Err(Failure::new(format!("{name:?} cannot be the name of a function"))
            .hint("Names are letters, digits, _ and -, at most 64, and begin with a letter or digit."));
    }
    let path = dir.join(format!("{name}.ts"));
    let fail = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(dir).map_err(fail)?;
    let mut file = fs::File::create_new(&path).map_err(fail)?;
    file.write_all(HELLO.as_bytes()).map_err(fail)?;
    super::print(&format!("{} is written. Next: fluxbase functions serve {}", path.display(), dir.display()));
    Ok(ExitCode::SUCCESS)
}
