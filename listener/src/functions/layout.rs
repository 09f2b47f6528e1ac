//! Which functions a folder holds, and when one of them has changed.
//!
//! | File | Function |
//! |---|---|
//! | `NAME.ts`, `NAME.js` | NAME |
//! | `NAME/index.ts`, `NAME/index.js` | NAME, with a folder for further modules |
//! | `NAMESPACE/NAME.ts`, `NAMESPACE/NAME/index.ts`, … | NAMESPACE/NAME |
//!
//! A folder with an index is a function, any other is a namespace. What begins with `_` belongs to all functions, what begins with `.` to none.
//!
//! It reads no module: what they say is Deno's.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most files and folders that are looked at.
const MOST: usize = 10_000;
/// Longest name.
const LONGEST: usize = 64;

/// A function as the folder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// `hello`, or `reports/daily`: as `functions.edge_functions` and the token have it.
    pub(crate) title: String,
    /// The file with the handler.
    pub(crate) module: PathBuf,
    /// The folder of its own, if it has one.
    pub(crate) folder: Option<PathBuf>,
    /// Changes with any of its files, and with what belongs to all.
    pub(crate) version: u64,
}

impl Function {
    /// Where its settings are, if it has any: beside its module.
    pub(crate) fn settings(&self) -> PathBuf {
        self.module.with_extension("json")
    }
}

/// What a folder holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// By title.
    pub(crate) functions: BTreeMap<String, Function>,
    /// What cannot be served, and why: a sentence for each.
    pub(crate) problems: Vec<String>,
}

/// Whether it can be the name of a function or a namespace: as `functions.edge_functions` has it.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.len() <= LONGEST && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

/// Reads the folder.
///
/// # Errors
/// It cannot be read, or holds more than [`MOST`] files.
pub(crate) fn scan(folder: &Path) -> io::Result<Layout> {
    let mut scan = Scan::default();
    scan.folder(folder, None)?;
    let mut shared = DefaultHasher::new();
    scan.shared.sort_unstable();
    scan.shared.hash(&mut shared);
    let shared = shared.finish();
    for function in scan.layout.functions.values_mut() {
        function.version ^= shared;
    }
    Ok(scan.layout)
}

#[derive(Default)]
struct Scan {
    layout: Layout,
    /// Fingerprints of what belongs to all functions.
    shared: Vec<u64>,
    seen: usize,
}

impl Scan {
    /// A folder with functions: the whole, or a namespace.
    fn folder(&mut self, folder: &Path, namespace: Option<&str>) -> io::Result<()> {
        for (name, path, is_folder) in self.entries(folder)? {
            if name.starts_with('_') {
                let mut prints = Vec::new();
                self.fingerprints(&path, &mut prints)?;
                self.shared.append(&mut prints);
            } else if is_folder {
                let index = ["index.ts", "index.js"].map(|index| path.join(index));
                let mut there = index.into_iter().filter(|index| index.is_file());
                match (there.next(), namespace) {
                    (Some(module), _) => {
                        if there.next().is_some() {
                            self.problem(&path, "has index.ts and index.js: remove one. The first is used");
                        }
                        self.function(&name, namespace, module, Some(path))?;
                    }
                    (None, None) if is_name(&name) && name != "default" => self.folder(&path, Some(&name))?,
                    (None, None) => {
                        self.problem(&path, "has no index.ts, and its name cannot be a namespace")
                    }
                    (None, Some(_)) => self.problem(&path, "has no index.ts: it is no function"),
                }
            } else if let Some(stem) = name.strip_suffix(".ts").or_else(|| name.strip_suffix(".js"))
                && !stem.ends_with(".d")
            {
                self.function(stem, namespace, path, None)?;
            }
        }
        Ok(())
    }

    fn function(
        &mut self,
        name: &str,
        namespace: Option<&str>,
        module: PathBuf,
        folder: Option<PathBuf>,
    ) -> io::Result<()> {
        if !is_name(name) {
            self.problem(
                &module,
                "is not served: names are letters, digits, _ and -, at most 64, and begin with a letter or digit",
            );
            return Ok(());
        }
        let title = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
        if let Some(first) = self.layout.functions.get(&title) {
            let why = format!("is not served: function {title} is {} already", first.module.display());
            self.problem(&module, &why);
            return Ok(());
        }
        let mut prints = Vec::new();
        match &folder {
            Some(folder) => self.fingerprints(folder, &mut prints)?,
            None => {
                prints.extend([fingerprint(&module), fingerprint(&module.with_extension("json"))]);
            }
        }
        let mut version = DefaultHasher::new();
        (&module, prints).hash(&mut version);
        let function = Function { title: title.clone(), module, folder, version: version.finish() };
        self.layout.functions.insert(title, function);
        Ok(())
    }

    /// Fingerprints of a file, or of all files below a folder.
    fn fingerprints(&mut self, path: &Path, prints: &mut Vec<u64>) -> io::Result<()> {
        prints.push(fingerprint(path));
        if path.is_dir() {
            for (_, path, is_folder) in self.entries(path)? {
                if is_folder {
                    self.fingerprints(&path, prints)?;
                } else {
                    prints.push(fingerprint(&path));
                }
            }
        }
        Ok(())
    }

    /// Names, paths, and whether each is a folder; in order. A link to a folder is none: it could lead in a circle.
    fn entries(&mut self, folder: &Path) -> io::Result<Vec<(String, PathBuf, bool)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.seen += 1;
            if self.seen > MOST {
                return Err(io::Error::other(format!("it holds more than {MOST} files")));
            }
            match entry.file_name().into_string() {
                Ok(name) if !name.starts_with('.') => {
                    found.push((name, entry.path(), entry.file_type()?.is_dir()));
                }
                _ => {}
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn problem(&mut self, path: &Path, why: &str) {
        self.layout.problems.push(format!("{} {why}.", path.display()));
    }
}

/// Another number when the file is another one. A file that is not there has one, too.
fn fingerprint(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    if let Ok(file) = fs::metadata(path) {
        // The time of a folder changes with whatever comes and goes in it, editors' files too.
        let size = if file.is_dir() { 0 } else { file.size() };
        let time = if file.is_dir() { (0, 0) } else { (file.mtime(), file.mtime_nsec()) };
        (file.ino(), size, time).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A folder with files, removed at the end.
    pub(crate) struct Tree(pub(crate) PathBuf);

    impl Tree {
        pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Tree {
            let folder =
                std::env::temp_dir().join(format!("fluxbase-functions-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            let tree = Tree(folder.canonicalize().unwrap());
            files.iter().for_each(|(file, text)| tree.write(file, text));
            tree
        }

        pub(crate) fn write(&self, file: &str, text: &str) {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_and_folders_are_functions() {
        let tree = Tree::new(
            "layout",
            &[
                ("hello.ts", ""),
                ("plain.js", ""),
                ("types.d.ts", ""),
                ("README.md", ""),
                ("hello.json", "{}"),
                (".hidden.ts", ""),
                ("_shared/a.ts", ""),
                ("_private.ts", ""),
                ("folder/index.ts", ""),
                ("folder/more.ts", ""),
                ("reports/daily.ts", ""),
                ("reports/weekly/index.js", ""),
                ("reports/weekly/deep/x.ts", ""),
            ],
        );
        let layout = scan(&tree.0).unwrap();
        let titles: Vec<_> = layout.functions.keys().map(String::as_str).collect();
        assert_eq!(titles, ["folder", "hello", "plain", "reports/daily", "reports/weekly"]);
        assert_eq!(layout.problems, [""; 0]);
        assert_eq!(layout.functions["hello"].settings(), tree.0.join("hello.json"));
        assert_eq!(layout.functions["folder"].settings(), tree.0.join("folder/index.json"));
    }

    #[test]
    fn what_is_not_served_is_told() {
        let tree = Tree::new(
            "problems",
            &[
                ("a.ts", ""),
                ("a.js", ""),
                ("a/index.ts", ""),
                ("b c.ts", ""),
                ("ns/deep/x.ts", ""),
                ("default/x.ts", ""),
                ("n.s/x.ts", ""),
            ],
        );
        let layout = scan(&tree.0).unwrap();
        assert_eq!(layout.functions.len(), 1);
        let all = layout.problems.join("\n");
        for part in
            ["a.js", "a.ts is not served", "b c.ts", "ns/deep has no index", "default has no", "n.s has no"]
        {
            assert!(all.contains(part), "{part} is not in:\n{all}");
        }
        assert_eq!(layout.problems.len(), 6, "{all}");
    }

    #[test]
    fn a_change_is_seen_where_it_belongs() {
        let tree =
            Tree::new("change", &[("a.ts", "1"), ("b/index.ts", "1"), ("b/x.ts", "1"), ("_s/y.ts", "1")]);
        let versions = || {
            let layout = scan(&tree.0).unwrap();
            ["a", "b"].map(|title| layout.functions[title].version)
        };
        let first = versions();
        assert_eq!(first, versions());
        tree.write("b/x.ts", "22");
        let second = versions();
        assert!(first[0] == second[0] && first[1] != second[1]);
        tree.write("a.json", "{}");
        let third = versions();
        assert!(second[0] != third[0] && second[1] == third[1]);
        tree.write("_s/y.ts", "22");
        let fourth = versions();
        assert!(third[0] != fourth[0] && third[1] != fourth[1]);
    }

    #[test]
    fn names_lead_nowhere_else() {
        for good in ["a", "hello-world", "A_1", "0"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a.ts", "_a", "-a", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
