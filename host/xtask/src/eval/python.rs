//! The private Python of the baselines: a virtual environment in the cache folder with the pinned packages of
//! `tests/evals/requirements.txt`, made once; another list makes another one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::house::{must, root};

/// `python <script>`, on one core: its times stand beside ours.
pub(super) fn command(script: &str) -> Result<Command> {
    let mut command = Command::new(ready()?);
    command.arg(root().join("tests/evals").join(script));
    for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
        command.env(variable, "1");
    }
    Ok(command)
}

/// The interpreter, with the packages installed.
fn ready() -> Result<PathBuf> {
    let wanted = root().join("tests/evals/requirements.txt");
    let list = std::fs::read(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    let digest: String = Sha256::digest(list).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let home = std::env::home_dir().context("there is no home folder for a cache")?;
    let folder = home.join(".cache/pointsman/evals").join(digest);
    let (python, done) = (folder.join("bin/python"), folder.join("complete"));
    if !done.is_file() {
        must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder), "a private Python (python3, python3-venv)")?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&wanted);
        must(&mut install, "the packages of the baselines")?;
        std::fs::write(done, "")?;
    }
    Ok(python)
}
