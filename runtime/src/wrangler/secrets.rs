//! Secrets for a configured worker: `.dev.vars` beside its configuration, or
//! `.dev.vars.<environment>` where an environment is chosen and has one.

use std::path::Path;

use super::setting::Problem;

/// The secrets by name, in the order of the file; without a file there are none.
///
/// # Errors
/// When the file is there and cannot be read as one.
pub fn read(file: &Path, environment: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let own = environment.map(|name| folder.join(format!(".dev.vars.{name}")));
    let path = own.filter(|path| path.is_file()).unwrap_or_else(|| folder.join(".dev.vars"));
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let failed = |error: dotenvy::Error| Problem {
        line: 1,
        text: format!("{} beside it cannot be read: {error}", path.display()),
    };
    let secrets = dotenvy::from_path_iter(&path).map_err(failed)?;
    secrets.collect::<Result<_, _>>().map_err(failed)
}
