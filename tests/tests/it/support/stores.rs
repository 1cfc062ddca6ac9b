//! Which database sites keep their things in: files of SQLite, or with `POINTSMAN_TEST_STORE=postgres` two databases each on a
//! private server.

use std::path::Path;
use std::time::Duration;

use super::Site;
use super::sweep::Place;

/// The shortest there is.
const LEASE: Duration = Duration::from_secs(3);

/// Whether this run is on Postgres.
pub fn on_postgres() -> bool {
    match std::env::var("POINTSMAN_TEST_STORE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("POINTSMAN_TEST_STORE={other}: write sqlite or postgres"),
    }
}

/// For how long a host that was killed keeps its conversations from the next one.
pub fn lease() -> Duration {
    if on_postgres() { LEASE + Duration::from_secs(2) } else { Duration::ZERO }
}

/// For a test about SQLite's own files: whether it has nothing to look at here.
pub fn skipped(why: &str) -> bool {
    if on_postgres() {
        println!("skipped on Postgres: {why}");
    }
    on_postgres()
}

/// The addresses of a site's databases.
#[derive(Debug)]
pub struct Databases {
    pub data: String,
    pub keys: String,
}

/// Fresh ones, where this run is on Postgres.
pub async fn databases() -> Option<Databases> {
    if !on_postgres() {
        return None;
    }
    Some(Databases { data: pointsman_postgres::database().await, keys: pointsman_postgres::database().await })
}

impl Databases {
    /// Writes them into a configuration.
    fn note(&self, file: &Path) {
        let text = std::fs::read_to_string(file).expect("a configuration");
        let data = format!("lease_ms = {}\nurl = \"{}\"", LEASE.as_millis(), self.data);
        let text = text.replace("url = \"sqlite:data/pointsman.db\"", &data).replace("sqlite:data/keys.db", &self.keys);
        std::fs::write(file, text).expect("a configuration");
    }
}

impl Site {
    /// `pointsman init`, with the databases of this site.
    pub(super) fn init(&self) {
        let Some(databases) = &self.databases else {
            self.done(&["init"]);
            return;
        };
        let variables = [("POINTSMAN_STORE__URL", &*databases.data), ("POINTSMAN_KEYS__STORE", &*databases.keys)];
        let output = self.cli_with(&["init"], &variables);
        assert!(output.status.success(), "pointsman init: {}", String::from_utf8_lossy(&output.stdout));
        databases.note(&self.dir.path().join("pointsman.toml"));
    }

    /// What stands in its databases, where they are no files.
    pub(super) fn dumps(&self) -> Vec<Place> {
        let dump = |name: &str, url: &str| (name.to_owned(), pointsman_postgres::dump(url).expect("a dump"));
        let dumps = self.databases.as_ref().map(|d| [dump("the database", &d.data), dump("the key store", &d.keys)]);
        dumps.into_iter().flatten().collect()
    }
}
