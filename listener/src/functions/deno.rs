//! Deno: where it is, which modules a function loads, and the words that tell it what a function may do.
//!
//! Invariants:
//! - Deno finds no settings but ours: no deno.json, no lock file, no variable of ours.
//! - Deno reads modules that are imported by a literal name without asking for a permission, texts and JSON among them. So the list of
//!   what a function imports is looked at before it is started; all that is no literal needs a permission.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::layout::Function;
use super::settings::Grants;

/// The variable with Deno's path.
pub(crate) const VARIABLE: &str = "FLUXBASE_DENO";
/// The first version that can be given a permission for one socket; the tests use a later one.
const OLDEST: (u64, u64) = (2, 9);
/// How long Deno may take to tell something.
const PATIENCE: Duration = Duration::from_secs(30);
/// What runs in each process before the function's module.
const PRELUDE: &str = include_str!("prelude.js");

/// A Deno that is there.
#[derive(Debug, Clone)]
pub(crate) struct Deno {
    /// The program itself, not a script of npm's that starts it.
    pub(crate) path: PathBuf,
    /// Such as 2.9.6.
    pub(crate) version: String,
    /// Where it keeps what it has compiled or, with `remote`, loaded. None: where it likes.
    pub(crate) cache: Option<PathBuf>,
    /// Whether modules may come from the network.
    pub(crate) remote: bool,
}

/// The program: `given`, else the variable's value, else on PATH.
pub(crate) fn find(given: Option<&Path>) -> Option<PathBuf> {
    let named = given.map(Path::to_owned).or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    named.or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join("deno")).find(|file| file.is_file())
    })
}

impl Deno {
    /// Asks the program at `path` who it is.
    ///
    /// # Errors
    /// It is no Deno, or too old.
    pub(crate) async fn ask(path: &Path, cache: Option<PathBuf>, remote: bool) -> Result<Deno, String> {
        let mut deno = Deno { path: path.to_owned(), version: String::new(), cache, remote };
        let script = "console.log(JSON.stringify([Deno.execPath(), Deno.version.deno]))";
        let told = deno.output(&["eval", "--no-config", "--no-lock", script].map(OsString::from)).await?;
        let (program, version): (PathBuf, String) =
            serde_json::from_slice(&told).map_err(|_| format!("{} is no Deno", path.display()))?;
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
            let (major, minor) = OLDEST;
            return Err(format!("{} is Deno {version}; {major}.{minor} or later is needed", path.display()));
        }
        (deno.path, deno.version) = (program, version);
        Ok(deno)
    }

    /// Runs it to its end; its standard output.
    async fn output(&self, arguments: &[OsString]) -> Result<Vec<u8>, String> {
        let shown = self.path.display();
        let mut command = Command::new(&self.path);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        self.surround(&mut command);
        let done = timeout(PATIENCE, command.output()).await.map_err(|_| format!("{shown} does not end"))?;
        let done = done.map_err(|error| format!("cannot start {shown}: {error}"))?;
        match done.status.success() {
            true => Ok(done.stdout),
            false => Err(format!("{shown}: {}", String::from_utf8_lossy(&done.stderr).trim())),
        }
    }

    /// The variables that each Deno has. All others are taken away.
    pub(super) fn surround(&self, command: &mut Command) {
        command.env_clear().envs([("NO_COLOR", "1"), ("DENO_NO_UPDATE_CHECK", "1")]);
        // npm's script, which tells where the program is, looks for node there.
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        match &self.cache {
            Some(cache) => {
                command.env("DENO_DIR", cache);
            }
            // With modules of the network it needs what leads there; a function reads no variable without a permission.
            None => {
                const PASSED: [&str; 8] = [
                    "HOME",
                    "XDG_CACHE_HOME",
                    "DENO_DIR",
                    "DENO_CERT",
                    "NPM_CONFIG_REGISTRY",
                    "JSR_URL",
                    "HTTPS_PROXY",
                    "NO_PROXY",
                ];
                command.envs(PASSED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
            }
        }
    }

    /// Looks whether what the function imports belongs to it or to all functions, which live in `root`.
    ///
    /// # Errors
    /// It imports something else, or Deno cannot tell.
    pub(super) async fn check_imports(&self, function: &Function, root: &Path) -> Result<(), String> {
        let mut arguments: Vec<OsString> =
            ["info", "--json", "--no-config", "--no-lock"].map(OsString::from).into();
        arguments.extend(self.offline());
        arguments.push(function.module.clone().into());
        let told = self.output(&arguments).await?;
        let graph: Graph = serde_json::from_slice(&told)
            .map_err(|error| format!("deno info tells what is not understood: {error}"))?;
        for module in graph.modules {
            let Some(file) = module.file() else { continue };
            // What cannot be read is not imported either.
            let Ok(file) = file.canonicalize() else { continue };
            if !belongs(&file, function, root) {
                return Err(format!(
                    "it imports {}, which is not its own. A function imports files of its own folder (NAME/index.ts) and of folders \
                     that begin with _, such as _shared",
                    file.display()
                ));
            }
        }
        Ok(())
    }

    fn offline(&self) -> Vec<OsString> {
        if self.remote { Vec::new() } else { ["--no-remote", "--no-npm"].map(OsString::from).into() }
    }

    /// The words that start a function: `main` is the file of [`main_module`], `socket` where it is to listen.
    pub(super) fn arguments(&self, title: &str, grants: &Grants, main: &Path, socket: &str) -> Vec<OsString> {
        let mut all: Vec<OsString> =
            ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "--no-check"]
                .map(OsString::from)
                .into();
        all.extend(self.offline());
        // The signal of a request is to tell that the caller has gone, and nothing else; without this Deno warns at each start.
        all.push("--unstable-no-legacy-abort".into());
        all.push(format!("--v8-flags=--max-old-space-size={}", grants.memory_mb).into());
        let listens = format!("unix:{socket}");
        for (name, first, more) in [
            ("net", listens.as_str(), &grants.net),
            ("read", socket, &grants.read),
            ("write", socket, &grants.write),
        ] {
            let items: Vec<&str> = std::iter::once(first).chain(more.iter().map(String::as_str)).collect();
            all.push(format!("--allow-{name}={}", items.join(",")).into());
        }
        if !grants.env.is_empty() {
            let names: Vec<&str> = grants.env.keys().map(String::as_str).collect();
            all.push(format!("--allow-env={}", names.join(",")).into());
        }
        all.extend([main.into(), socket.into(), title.into()]);
        all
    }
}

/// Writes the two files that a process begins with into `folder`: the path of the one to start.
pub(super) fn main_module(folder: &Path, module: &Path) -> std::io::Result<PathBuf> {
    std::fs::write(folder.join("prelude.js"), PRELUDE)?;
    let main = folder.join("main.js");
    let url = serde_json::to_string(&file_url(module))?;
    // Modules are run in the order in which they are named.
    std::fs::write(
        &main,
        format!(
            "import {{ exported }} from \"./prelude.js\";\nimport * as module from {url};\nexported(module.default);\n"
        ),
    )?;
    Ok(main)
}

fn file_url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()) {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => url.push(byte.into()),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

/// What `deno info --json` says, as far as it matters.
#[derive(Deserialize)]
struct Graph {
    modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Module {
    specifier: String,
    local: Option<PathBuf>,
}

impl Module {
    /// The file, of a module that is one.
    fn file(&self) -> Option<PathBuf> {
        let encoded = self.specifier.strip_prefix("file://")?;
        if let Some(local) = &self.local {
            return Some(local.clone());
        }
        let mut bytes = Vec::with_capacity(encoded.len());
        let mut rest = encoded.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let code = (first == b'%').then(|| after.get(..2)).flatten();
            let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
            bytes.push(code.unwrap_or(first));
            rest = if code.is_some() { &after[2..] } else { after };
        }
        Some(PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)))
    }
}

/// Whether a file (without links) is the function's own, or everybody's.
fn belongs(file: &Path, function: &Function, root: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let shared = file.strip_prefix(root).is_ok_and(|inside| {
        inside.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"_"))
    });
    shared
        || real(&function.module).is_some_and(|module| module == file)
        || function.folder.as_deref().and_then(real).is_some_and(|folder| file.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::super::layout::scan;
    use super::super::layout::tests::Tree;
    use super::super::settings::{Protected, load};
    use super::*;

    #[test]
    fn only_its_own_and_everybodys_files_belong_to_a_function() {
        let files = [
            "a.ts",
            "a.json",
            "b.ts",
            "b.json",
            "f/index.ts",
            "f/x.ts",
            "_shared/y.ts",
            "n/_z/q.ts",
            "n/c.ts",
        ];
        let tree = Tree::new("belongs", &files.map(|file| (file, "")));
        let layout = scan(&tree.0).unwrap();
        let of = |title: &str| {
            let function = &layout.functions[title];
            files
                .into_iter()
                .filter(|file| belongs(&tree.0.join(file), function, &tree.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("a"), ["a.ts", "_shared/y.ts", "n/_z/q.ts"]);
        assert_eq!(of("f"), ["f/index.ts", "f/x.ts", "_shared/y.ts", "n/_z/q.ts"]);
        assert!(!belongs(Path::new("/etc/_x/passwd"), &layout.functions["a"], &tree.0));
    }

    #[test]
    fn deno_is_told_the_socket_and_nothing_more() {
        let deno = Deno { path: "deno".into(), version: String::new(), cache: None, remote: false };
        let grants = load(Path::new("/nowhere/x.json"), &Protected::default(), |_| None).unwrap();
        let told = deno.arguments("x", &grants, Path::new("/r/main.js"), "/r/s");
        let told: Vec<_> = told.iter().map(|word| word.to_str().unwrap()).collect();
        let allowed: Vec<_> = told.iter().filter(|word| word.starts_with("--allow")).copied().collect();
        assert_eq!(allowed, ["--allow-net=unix:/r/s", "--allow-read=/r/s", "--allow-write=/r/s"]);
        assert!(told.contains(&"--no-remote") && told.contains(&"--no-npm") && told.contains(&"--no-prompt"));
        assert_eq!(told[told.len() - 3..], ["/r/main.js", "/r/s", "x"]);
    }

    #[test]
    fn paths_and_urls_are_the_same_files() {
        let path = Path::new("/a b/%41/ü#?.ts");
        let url = file_url(path);
        assert_eq!(url, "file:///a%20b/%2541/%C3%BC%23%3F.ts");
        assert_eq!(Module { specifier: url, local: None }.file().unwrap(), path);
        assert_eq!(Module { specifier: "node:fs".to_owned(), local: None }.file(), None);
    }
}
