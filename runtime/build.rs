//! Builds the snapshot that every isolate starts from, and the table of scripts that are not
//! in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let snapshot = isolate::build_snapshot(env!("CARGO_MANIFEST_DIR"), ops::extensions())?;
    fs::write(out.join("beryl.snapshot"), &snapshot.blob)?;
    let mut scripts = node_scripts(Path::new("../third_party/node/scripts"))?;
    let others = snapshot.lazy_scripts.iter();
    scripts.extend(others.map(|(specifier, text)| ((*specifier).to_owned(), text.clone())));
    fit(&mut scripts, &fs::read_to_string("../js/fits.tsv")?)?;
    // The engine searches the table by halves.
    scripts.sort_unstable();
    let mut table = String::from("&[\n");
    for (number, (specifier, text)) in scripts.iter().enumerate() {
        let file = out.join(format!("lazy-{number}.js"));
        fs::write(&file, text)?;
        writeln!(table, "    ({specifier:?}, include_str!({file:?})),")?;
    }
    table.push(']');
    fs::write(out.join("lazy_scripts.rs"), table)?;
    let sources = snapshot.sources.iter().map(PathBuf::as_path);
    let folders = ["build.rs", "../js", "../third_party/node/scripts"].map(Path::new);
    for source in sources.chain(folders) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    Ok(())
}

/// Makes the replacements that `js/fits.tsv` lists.
fn fit(scripts: &mut [(String, String)], fits: &str) -> Result<(), String> {
    for line in fits.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split('\t');
        let (Some(script), Some(from), Some(to)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("js/fits.tsv: three columns are needed: {line}"));
        };
        let specifier = format!("ext:deno_web/{script}");
        let [from, to] = [from, to].map(|text| text.replace("\\n", "\n"));
        let is_it = |it: &&mut (String, String)| it.0 == specifier && it.1.contains(&from);
        let found = scripts.iter_mut().find(is_it);
        let (_, text) = found.ok_or_else(|| format!("js/fits.tsv: not found: {line}"))?;
        *text = text.replace(&from, &to);
    }
    Ok(())
}

/// The scripts that make the modules of Node.js, and one for each module, by the engine's names.
fn node_scripts(folder: &Path) -> Result<Vec<(String, String)>, Box<dyn std::error::Error>> {
    let mut scripts = Vec::new();
    for name in isolate::NODE_MODULES {
        let specifier = format!("ext:beryl/node/{name}");
        let text = format!("__bootstrap.internals.nodeModule({name:?})");
        scripts.push((specifier, isolate::lazy_script(&text)));
    }
    let mut folders = vec![folder.to_owned()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(inside)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // `internal/errors.ts.js` was made of `internal/errors.ts`, by which others call it.
            let name = path.strip_prefix(folder)?.to_str().ok_or("a path that is not UTF-8")?;
            let name = name.strip_suffix(".js").unwrap_or(name);
            let text = isolate::lazy_script(&fs::read_to_string(&path)?);
            scripts.push((format!("ext:deno_node/{name}"), text));
        }
    }
    Ok(scripts)
}
