//! Builds the snapshot that every isolate starts from, and the table of scripts that are not
//! in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let snapshot = isolate::build_snapshot(env!("CARGO_MANIFEST_DIR"), ops::extensions())?;
    fs::write(out.join("beryl.snapshot"), &snapshot.blob)?;
    let mut table = String::from("&[\n");
    for (number, (specifier, text)) in snapshot.lazy_scripts.iter().enumerate() {
        let file = out.join(format!("lazy-{number}.js"));
        fs::write(&file, text)?;
        writeln!(table, "    ({specifier:?}, include_str!({file:?})),")?;
    }
    table.push(']');
    fs::write(out.join("lazy_scripts.rs"), table)?;
    let sources = snapshot.sources.iter().map(PathBuf::as_path);
    for source in sources.chain([Path::new("build.rs"), Path::new("../js")]) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    Ok(())
}
