//! The modules of `beryl run`: the script, and the files it imports by relative paths.
//!
//! Bare names are not searched for, there is no package manager here; what is not found is left
//! to the engine, which says who imports it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use worker::code::{Module, TYPESCRIPT_ENDINGS, is_typescript};
use worker::limits::CODE_BYTES_MAX;
use worker::typescript;

use crate::config::Error;

/// Reads a script and what it imports; gives the main module's name and all modules by names
/// relative to the folder that holds them all.
pub fn read(script: &Path) -> Result<(String, BTreeMap<String, Module>), Error> {
    let script = plain(&std::path::absolute(script).map_err(|cause| unreadable(script, cause))?);
    let mut files = BTreeMap::new();
    let mut queue = vec![script.clone()];
    let mut bytes = 0;
    while let Some(path) = queue.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let module = module(&path, path == script)?;
        bytes += module.bytes().len();
        if bytes > CODE_BYTES_MAX {
            return Err(too_large(&script));
        }
        if let Module::Js(source) | Module::Cjs(source) = &module {
            queue.extend(imported(&path, source)?);
        }
        files.insert(path, module);
    }
    let root = folder_of_all(files.keys());
    let name = |path: &Path| {
        let below = path.strip_prefix(&root).unwrap_or(path);
        below.to_str().map(str::to_owned).ok_or_else(|| {
            let cause = io::ErrorKind::InvalidFilename.into();
            path_error(path, cause, "the file's name must be UTF-8")
        })
    };
    let main = name(&script)?;
    let modules = files.into_iter().map(|(path, module)| Ok((name(&path)?, module)));
    Ok((main, modules.collect::<Result<_, Error>>()?))
}

/// Reads one file as what its ending says it is; a script is JavaScript, whatever its ending.
fn module(path: &Path, is_script: bool) -> Result<Module, Error> {
    let size = path.metadata().map_err(|cause| unreadable(path, cause))?.len();
    if size > CODE_BYTES_MAX as u64 {
        return Err(too_large(path));
    }
    let text = || fs::read_to_string(path).map_err(|cause| unreadable(path, cause));
    let bytes = || fs::read(path).map_err(|cause| unreadable(path, cause));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    Ok(match ending {
        "ts" | "mts" => {
            let stripped = typescript::strip(name, &text()?);
            Module::Js(stripped.map_err(|error| code_error(path, &error))?.into())
        }
        "tsx" | "jsx" => {
            let cause = io::Error::other("JSX is not JavaScript");
            return Err(path_error(path, cause, "transpile it first"));
        }
        "cjs" if !is_script => Module::Cjs(text()?.into()),
        "json" if !is_script => Module::Json(text()?.into()),
        "txt" | "html" | "sql" | "md" | "css" if !is_script => Module::Text(text()?.into()),
        "wasm" if !is_script => Module::Wasm(bytes()?.into()),
        "bin" if !is_script => Module::Data(bytes()?.into()),
        "js" | "mjs" => Module::Js(text()?.into()),
        _ if is_script => Module::Js(text()?.into()),
        _ => {
            let cause = io::Error::other("it is imported, but its ending does not say what it is");
            return Err(path_error(path, cause, ENDINGS));
        }
    })
}

/// The files that a module imports by relative paths and that are there.
fn imported(importer: &Path, source: &str) -> Result<Vec<PathBuf>, Error> {
    let name = importer.to_string_lossy();
    let specifiers = typescript::specifiers(&name, source);
    let specifiers = specifiers.map_err(|error| code_error(importer, &error))?;
    let folder = importer.parent().unwrap_or(Path::new("/"));
    let relative = specifiers.into_iter().map(|(_, specifier)| specifier);
    let relative = relative.filter(|it| it.starts_with("./") || it.starts_with("../"));
    Ok(relative.filter_map(|it| existing(&folder.join(it), is_typescript(&name))).collect())
}

/// The file that an import means; TypeScript's authors leave the ending out, or write that of
/// the output.
fn existing(path: &Path, in_typescript: bool) -> Option<PathBuf> {
    let path = plain(path);
    if path.is_file() || !in_typescript {
        return path.is_file().then_some(path);
    }
    let text = path.to_str()?;
    let swapped = [(".js", ".ts"), (".mjs", ".mts")]
        .into_iter()
        .filter_map(|(from, to)| Some(format!("{}{to}", text.strip_suffix(from)?)));
    let longer = TYPESCRIPT_ENDINGS.iter().map(|ending| format!("{text}{ending}"));
    swapped.chain(longer).map(PathBuf::from).find(|path| path.is_file())
}

/// A path without `.` and `..` parts.
fn plain(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(result.pop()),
            part => result.push(part),
        }
    }
    result
}

/// The deepest folder that holds all files.
fn folder_of_all<'a>(mut files: impl Iterator<Item = &'a PathBuf>) -> PathBuf {
    let first = files.next().and_then(|file| file.parent()).unwrap_or(Path::new("/"));
    let mut root = first.to_path_buf();
    for file in files {
        while !file.starts_with(&root) {
            root.pop();
        }
    }
    root
}

fn unreadable(path: &Path, cause: io::Error) -> Error {
    path_error(path, cause, "give the path of a readable JavaScript or TypeScript file")
}

fn too_large(path: &Path) -> Error {
    let cause = io::ErrorKind::FileTooLarge.into();
    path_error(path, cause, "a script and its imports may have up to 64 MiB")
}

fn path_error(path: &Path, cause: io::Error, mend: &'static str) -> Error {
    Error::ConfigPath { what: "script", path: path.to_owned(), cause, mend }
}

fn code_error(path: &Path, error: &worker::error::Error) -> Error {
    let frame = match error {
        worker::error::Error::AppStart(start) => start.frame.as_deref().unwrap_or_default(),
        _ => "",
    };
    Error::AppCode { path: path.to_owned(), message: error.to_string(), frame: frame.into() }
}

const ENDINGS: &str =
    "endings are js, mjs, cjs, ts, mts, json, txt, html, sql, md, css, wasm and bin";

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules of `files` with the first one as script.
    fn check(files: &[(&str, &str)], main: &str, expect: &[(&str, &str)]) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (found_main, modules) = read(&dir.path().join(files[0].0)).unwrap();
        let found: Vec<_> =
            modules.iter().map(|(name, module)| (name.as_str(), module.kind())).collect();
        assert_eq!((found_main.as_str(), found.as_slice()), (main, expect));
    }

    #[test]
    fn relative_imports_become_modules_by_their_endings() {
        check(
            &[
                (
                    "worker.js",
                    "import './a.cjs'; import './t.txt'; import 'bare'; import './no.js'",
                ),
                ("a.cjs", "require('./b.json'); require('./w.wasm')"),
                ("b.json", "1"),
                ("w.wasm", ""),
                ("t.txt", ""),
                ("other.js", ""),
            ],
            "worker.js",
            &[
                ("a.cjs", "cjs"),
                ("b.json", "json"),
                ("t.txt", "text"),
                ("w.wasm", "wasm"),
                ("worker.js", "js"),
            ],
        );
    }

    #[test]
    fn imports_from_above_make_the_folder_of_both_the_root() {
        check(
            &[
                ("src/worker.ts", "import { a } from '../lib/a'; a"),
                ("lib/a.ts", "export const a = 1"),
            ],
            "src/worker.ts",
            &[("lib/a.ts", "js"), ("src/worker.ts", "js")],
        );
    }

    #[test]
    fn files_of_no_known_kind_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("w.js"), "import './a.png'").unwrap();
        fs::write(dir.path().join("a.png"), "").unwrap();
        let error = read(&dir.path().join("w.js")).unwrap_err().to_string();
        assert!(error.contains("a.png") && error.contains("endings are"), "{error}");
    }
}
