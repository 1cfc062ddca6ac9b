//! A private Postgres for tests: a cluster of its own in a temporary folder, reached by a socket there, gone when the process that
//! started it is gone, however that ended.
//!
//! ```no_run
//! # async fn doc() {
//! let url = pointsman_postgres::database().await;              // a fresh, empty database on this process' server
//! let own = pointsman_postgres::Server::start().unwrap();      // a server that a test may stop and start
//! # }
//! ```

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result, bail};

/// What the server is told. Nothing leaves the disk's cache at once, but the write-ahead log does, as in earnest.
const SETTINGS: &str = "listen_addresses = ''\nmax_connections = 300\nshared_buffers = 32MB\nmax_wal_size = 256MB\n\
                        autovacuum_naptime = 5s\nfsync = on\nlog_min_messages = fatal\n";

/// A server of one's own.
pub struct Server {
    bin: PathBuf,
    dir: tempfile::TempDir,
    owner: Option<(u32, u32)>,
    databases: AtomicU64,
    /// Its input closes with this process; then it stops the server and takes the folder away.
    watch: Mutex<Option<(Child, ChildStdin)>>,
}

/// A fresh database on the server of this process, which is started with the first.
///
/// # Panics
/// When there is no Postgres on this machine, with the package to install.
#[expect(clippy::panic, reason = "tests cannot go on without it, and say why")]
#[expect(clippy::unused_async, reason = "whoever asks is a test of asynchronous things")]
pub async fn database() -> String {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    match SERVER.get_or_init(|| Server::start().map_err(|e| format!("{e:#}"))) {
        Ok(server) => server.database().unwrap_or_else(|e| panic!("{e:#}")),
        Err(error) => panic!("{error}"),
    }
}

impl Server {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// Where Postgres is not installed or does not start.
    pub fn start() -> Result<Self> {
        let bin = newest()?;
        let dir = tempfile::Builder::new().prefix("pointsman-pg-").tempdir()?;
        let owner = unprivileged(dir.path())?;
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
        if let Some((user, group)) = owner {
            chown(dir.path(), Some(user), Some(group))?;
        }
        let server = Self { bin, dir, owner, databases: AtomicU64::new(0), watch: Mutex::new(None) };
        let data = server.data();
        let data = data.to_string_lossy();
        server.run("initdb", &["-D", &data, "-U", "pointsman", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-N"])?;
        let mut settings = std::fs::OpenOptions::new().append(true).open(server.data().join("postgresql.conf"))?;
        writeln!(settings, "{SETTINGS}unix_socket_directories = '{}'", server.dir.path().display())?;
        server.watch_over()?;
        server.up()?;
        Ok(server)
    }

    /// A fresh, empty database.
    ///
    /// # Errors
    /// Where the server is down.
    pub fn database(&self) -> Result<String> {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let socket = self.dir.path().to_string_lossy().into_owned();
        // Two at once may not copy the same template.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        self.run("createdb", &["-h", &socket, "-U", "pointsman", &name])?;
        Ok(format!("postgres://pointsman@localhost/{name}?host={}", socket.replace('/', "%2F")))
    }

    /// The socket on which it listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(".s.PGSQL.5432")
    }

    /// Stops it as a power cut would.
    ///
    /// # Errors
    /// Where it is not up.
    pub fn stop(&self) -> Result<()> {
        self.run("pg_ctl", &["stop", "-D", &self.data().to_string_lossy(), "-m", "immediate", "-w"]).map(|_| ())
    }

    /// Starts it, again.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn up(&self) -> Result<()> {
        let (data, log) = (self.data(), self.dir.path().join("log"));
        self.run("pg_ctl", &["start", "-D", &data.to_string_lossy(), "-l", &log.to_string_lossy(), "-w", "-t", "60"]).map(|_| ())
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.gid(group).uid(user);
        }
        command
    }

    fn run(&self, tool: &str, args: &[&str]) -> Result<Output> {
        let path = self.bin.join(tool);
        // A server that stays would hold pipes open: what it says goes into a file.
        let said = self.dir.path().join(format!("{tool}-{}.out", std::process::id()));
        let out = std::fs::File::create(&said)?;
        let mut command = self.command(&path.to_string_lossy());
        let output =
            command.args(args).stdout(out.try_clone()?).stderr(out).status().with_context(|| path.display().to_string())?;
        if !output.success() {
            bail!("{tool} {args:?}: {}", std::fs::read_to_string(&said).unwrap_or_default());
        }
        Ok(Output { status: output, stdout: Vec::new(), stderr: Vec::new() })
    }

    /// A shell that waits for this process to end.
    fn watch_over(&self) -> Result<()> {
        let script = "read -r _; \"$0\" stop -D \"$1\"/data -m immediate -w; rm -rf \"$1\"";
        let mut command = self.command("/bin/sh");
        command.arg("-c").arg(script).arg(self.bin.join("pg_ctl")).arg(self.dir.path());
        // A group of its own: a Ctrl-C for the tests does not reach it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().context("a shell to watch over the server")?;
        let input = child.stdin.take().context("the shell's input")?;
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some((child, input));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((mut child, input)) = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(input);
            let _ = child.wait();
        }
    }
}

/// Everything that stands in a database, as it lies there: texts as they are, and bytes.
///
/// # Errors
/// Where it cannot be read.
pub fn dump(url: &str) -> Result<Vec<u8>> {
    let mut command = Command::new(newest()?.join("pg_dump"));
    let output = command.args(["--data-only", "--dbname", url]).stdin(Stdio::null()).output().context("pg_dump")?;
    if !output.status.success() {
        bail!("pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    }
    // Bytes stand there as digits.
    let mut dump = Vec::with_capacity(output.stdout.len());
    let mut rest = output.stdout.as_slice();
    while let Some(at) = rest.windows(3).position(|mark| mark == br"\\x") {
        let (text, digits) = rest.split_at(at + 3);
        dump.extend_from_slice(text);
        let end = digits.iter().position(|c| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        let (digits, after) = digits.split_at(end);
        dump.extend(digits.chunks_exact(2).filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()));
        rest = after;
    }
    dump.extend_from_slice(rest);
    Ok(dump)
}

/// Where the newest Postgres of this machine has its programs.
fn newest() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        if let Ok(version) = entry.file_name().to_string_lossy().parse() {
            found.push((version, entry.path().join("bin")));
        }
    }
    found.retain(|(_, bin)| bin.join("initdb").exists());
    found.sort();
    match found.pop() {
        Some((_, bin)) => Ok(bin),
        None => bail!("there is no Postgres server on this machine: apt-get install postgresql"),
    }
}

/// Postgres refuses to run as root: whom it runs as then.
fn unprivileged(dir: &Path) -> Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt as _;
    // A file that this process makes is its own.
    if std::fs::metadata(dir)?.uid() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let mut parts = users.lines().map(|l| l.split(':')).find(|parts| parts.clone().next() == Some(name))?.skip(2);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    match find("postgres").or_else(|| find("nobody")) {
        Some(user) => Ok(Some(user)),
        None => bail!("Postgres does not run as root, and there is no user postgres or nobody"),
    }
}
