//! Asks apt for Debian's web compiler, which is newer than Debian's own and comes with the sources of the standard library.
//!
//! Nothing is installed: packages are fetched (apt checks their signatures) and unpacked into a folder of ours. Names and versions of
//! the packages it depends on are asked for, never written down here, since they change with every security update.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::toolchain::ask;

/// What is wanted: the compiler, the host's standard library (for build scripts and macros), and the sources.
const WANTED: &[&str] = &["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

/// Dependencies that any machine which builds Rust already has in one form or another.
const TAKEN_FOR_GRANTED: &[&str] = &["gcc", "binutils", "libc6", "libc6-dev", "libgcc-s1", "libstdc++6"];

/// The oldest compiler that the plugins accept.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// One way of calling apt.
struct Apt {
    options: Vec<String>,
}

/// Fetches the compiler and what it needs, and unpacks all of it into `into`. `scratch` is emptied before and removed after.
pub(crate) fn fetch(into: &Path, scratch: &Path) -> Result<()> {
    if ask(Command::new("apt-get").arg("--version")).is_err() || ask(Command::new("dpkg").arg("--version")).is_err() {
        bail!("this is not a Debian system");
    }
    let debs = scratch.join("debs");
    let system = Apt { options: Vec::new() };
    // The machine's own lists may be missing or too old to fetch by. Then ours are made, so that no root is needed and nothing of
    // the system's changes.
    if system.download(&debs).is_err() {
        let own = Apt::with_own_lists(&scratch.join("apt"))?;
        own.download(&debs)?;
    }
    let mut packages: Vec<_> = fs::read_dir(&debs)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
        .collect();
    packages.sort();
    for package in packages {
        ask(Command::new("dpkg").arg("-x").arg(&package).arg(into))?;
    }
    fs::remove_dir_all(scratch).with_context(|| format!("cannot remove {}", scratch.display()))
}

impl Apt {
    /// apt with package lists and a cache in `folder`, brought up to date.
    fn with_own_lists(folder: &Path) -> Result<Apt> {
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        let options = vec![
            format!("Dir::State::Lists={}", folder.join("lists").display()),
            format!("Dir::Cache={}", folder.join("cache").display()),
            "Debug::NoLocking=1".to_owned(),
        ];
        let apt = Apt { options };
        ask(apt.command("apt-get").args(["-qq", "update"])).context("apt cannot fetch its package lists")?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive").args(["-o", "APT::Sandbox::User=root"]);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// Downloads everything that is needed and not installed into `folder`.
    fn download(&self, folder: &Path) -> Result<()> {
        let policy = ask(self.command("apt-cache").args(["policy", "rustc-web"]))?;
        let Some(candidate) = candidate(&policy) else { bail!("Debian's package rustc-web is not offered to this machine") };
        if !is_at_least(candidate, OLDEST) {
            bail!("Debian's package rustc-web is {candidate}, and {OLDEST} is needed");
        }
        let names = self.closure()?;
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        ask(self.command("apt-get").args(["-qq", "download"]).args(&names).current_dir(folder))
            .context("apt cannot download Debian's compiler")?;
        Ok(())
    }

    /// The wanted packages and all that they need and this machine does not have.
    fn closure(&self) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let mut open: Vec<String> = WANTED.iter().map(|&name| name.to_owned()).collect();
        while let Some(name) = open.pop() {
            if !names.insert(name.clone()) {
                continue;
            }
            let told = ask(self.command("apt-cache").args(["depends", &name]))?;
            for choice in dependencies(&told) {
                let granted = choice
                    .iter()
                    .any(|one| TAKEN_FOR_GRANTED.contains(&one.as_str()) || names.contains(one) || is_installed(one));
                if !granted {
                    open.extend(choice.into_iter().find(|one| !one.starts_with('<')));
                }
            }
        }
        Ok(names)
    }
}

/// The version that apt would install.
fn candidate(policy: &str) -> Option<&str> {
    policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: ")).filter(|version| *version != "(none)")
}

/// Whether a Debian version such as `1.96.0+dfsg1-1` is at least `oldest`, such as `1.95`.
fn is_at_least(version: &str, oldest: &str) -> bool {
    fn numbers(text: &str) -> Vec<u64> {
        text.split(['.', '+', '-', '~']).map_while(|part| part.parse().ok()).take(3).collect()
    }
    numbers(version) >= numbers(oldest)
}

/// The dependencies in what `apt-cache depends` prints; each is a choice of packages of which one suffices. A name in angle brackets
/// is virtual; the lines further in that follow it name its providers.
fn dependencies(told: &str) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut in_choice = false;
    let mut relevant = false;
    for line in told.lines() {
        let text = line.trim();
        let (or, text) = text.strip_prefix('|').map_or((false, text), |rest| (true, rest));
        if let Some((kind, name)) = text.split_once(": ") {
            relevant = matches!(kind, "Depends" | "PreDepends");
            if relevant {
                match all.last_mut() {
                    Some(choice) if in_choice => choice.push(name.to_owned()),
                    _ => all.push(vec![name.to_owned()]),
                }
                in_choice = or;
            }
        } else if relevant
            && line.starts_with("    ")
            && let Some(choice) = all.last_mut()
        {
            choice.push(text.to_owned());
        }
    }
    all
}

fn is_installed(name: &str) -> bool {
    ask(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", name]))
        .is_ok_and(|told| told.contains("installed") && !told.contains("not-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_with_their_choices() {
        let told = "rustc-web\n  Depends: libc6\n  PreDepends: dpkg\n  Depends: <libc-dev>\n    libc6-dev\n |Depends: liba\n  Depends: libb\n  Conflicts: <rustup>\n    rustup-x\n  Recommends: cargo-web\n  Depends: libllvm22\n";
        let found = dependencies(told);
        let wanted: &[&[&str]] = &[&["libc6"], &["dpkg"], &["<libc-dev>", "libc6-dev"], &["liba", "libb"], &["libllvm22"]];
        assert_eq!(found, wanted);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(is_at_least("1.96.0+dfsg1-1~deb12u2", "1.95"));
        assert!(is_at_least("1.95.0+dfsg1-1", "1.95"));
        assert!(is_at_least("1.100.0+dfsg1-1", "1.95"));
        assert!(!is_at_least("1.85.0+dfsg3-1~deb12u3", "1.95"));
        assert!(!is_at_least("", "1.95"));
    }

    #[test]
    fn a_package_without_candidate_is_not_offered() {
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1\n"), Some("1.96.0+dfsg1-1"));
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
    }
}
