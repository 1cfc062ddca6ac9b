//! `cargo xtask safety`: runs proofs against the real binary that lies beside this one, and prints what they saw. With `stored`
//! it measures instead what a message costs when many are stored (`cargo xtask bench stored`).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_postgres::Server;
use pointsman_tests::proof::table::table;
use pointsman_tests::proof::{Kind, Setting, catalog, stored};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tell(&format!("safety: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// The measurement that is no proof.
const STORED: &str = "stored";

fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Whether every proof held.
fn run() -> Result<bool> {
    let (setting, names, _server) = read(std::env::args().skip(1).filter(|arg| arg != "--full"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tell(&format!("scale {}, {} host(s), {:?}, seed {}", setting.scale, setting.hosts, setting.store, setting.seed));
    if names.first().is_some_and(|name| name == STORED) {
        let full = std::env::args().any(|arg| arg == "--full");
        let costs = runtime.block_on(stored::measure(&setting, full))?;
        tell(&stored::table(&setting, &costs));
        return Ok(true);
    }
    let mut rows = Vec::new();
    for name in &names {
        runtime.block_on(catalog::prove(name, &setting, &mut |row| {
            tell(&format!("{}: {}{}", row.test, row.seen, if row.held { "" } else { "  BROKEN" }));
            rows.push(row);
        }))?;
    }
    tell(&format!("\n{}", table(&rows)));
    Ok(rows.iter().all(|row| row.held))
}

/// `[NAME..] [--store sqlite|postgres|postgres://..] [--hosts N] [--scale N] [--seed N]`
fn read(mut args: impl Iterator<Item = String>) -> Result<(Setting, Vec<String>, Option<Server>)> {
    let here = std::env::current_exe()?;
    let folder = here.parent().context("a folder of our own")?;
    let mut setting = Setting {
        binary: folder.join("pointsman"),
        cache: folder.join("test-cache"),
        store: Kind::Sqlite,
        hosts: 1,
        scale: 1.0,
        folder: PathBuf::new(),
        seed: u64::from(std::process::id()),
    };
    let (mut names, mut own) = (Vec::new(), None);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--store" => {
                setting.store = match value()?.as_str() {
                    "sqlite" => Kind::Sqlite,
                    "postgres" => {
                        let server = Server::start()?;
                        let url = server.database()?;
                        own = Some(server);
                        Kind::Postgres(url)
                    }
                    url if url.starts_with("postgres://") => Kind::Postgres(url.to_owned()),
                    other => bail!(
                        "--store {other}: write sqlite, postgres for a server of our own, or the address postgres://.. of one"
                    ),
                };
            }
            "--hosts" => setting.hosts = value()?.parse().context("--hosts is a number")?,
            "--scale" => setting.scale = value()?.parse().context("--scale is a number")?,
            "--seed" => setting.seed = value()?.parse().context("--seed is a number")?,
            STORED => names.insert(0, arg),
            name if catalog::NAMES.contains(&name) => names.push(arg),
            other => bail!("there is no proof {other}; there are {}", catalog::NAMES.join(", ")),
        }
    }
    if names.is_empty() {
        let here = |name: &&str| setting.store != Kind::Sqlite || !catalog::ON_POSTGRES.contains(name);
        names.extend(catalog::NAMES.into_iter().filter(here).map(str::to_owned));
    }
    setting.folder = folder.join("safety");
    if !setting.binary.exists() {
        bail!("{} is missing: `cargo xtask safety` builds it", setting.binary.display());
    }
    Ok((setting, names, own))
}
