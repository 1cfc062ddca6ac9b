//! The Postgres that tests start for themselves: a Debian package, installed where it is missing.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::house::{must, tell};

/// What brings the server's programs. Without the recommended ones: no service is wanted.
const PACKAGE: &str = "postgresql";

/// Makes sure that there is a server to start.
pub fn ready() -> Result<()> {
    if installed() {
        return Ok(());
    }
    tell(&format!("there is no Postgres server on this machine: installing Debian's {PACKAGE}"));
    let put = install();
    if !installed() {
        let why = put.map_or_else(|error| format!("{error:#}"), |()| "its programs are not where Debian puts them".to_owned());
        bail!("the tests need a Postgres server: install one (apt-get install {PACKAGE}), then again ({why})");
    }
    Ok(())
}

fn installed() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/initdb").exists())
}

fn install() -> Result<()> {
    must(&mut apt(&["-qq", "update"])?, "package lists")?;
    must(&mut apt(&["-qq", "install", "-y", "--no-install-recommends", PACKAGE])?, PACKAGE)
}

/// apt-get, as root: by sudo where that asks nobody anything.
fn apt(args: &[&str]) -> Result<Command> {
    let me = Command::new("id").arg("-u").output().context("cannot run id")?;
    let mut command = if me.stdout.trim_ascii() == b"0" { Command::new("apt-get") } else { Command::new("sudo") };
    if command.get_program() == "sudo" {
        command.args(["-n", "apt-get"]);
    }
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    Ok(command)
}
