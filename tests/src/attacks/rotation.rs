//! T7, the second half: another master key while messages come and go, with kill -9 into the middle of it, again and again. The
//! witness beside those of every trial reads both databases itself: each secret must open under the new key alone, and be the one
//! that it was.

use std::collections::HashMap;
use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use pointsman_store::Place;
use pointsman_vault::{Aad, CredentialPlace, ExposeSecret as _, KeyKind, KeyName, Keyring, MasterKey, SecretString, VaultError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::time::Instant;

use super::Proved;
use crate::proof::catalog::{conversations, plain};
use crate::proof::trial::Stage;
use crate::proof::{Dice, Seen, Setting, Trial};

/// One in so many secrets is a credential, the others are keys of contacts.
const CREDENTIALS: usize = 10;
/// Of nobody whom the load knows.
const WORKSPACE: i64 = 77;
/// Where a secret of ours is tried.
const PLACE: Aad = Aad { workspace: WORKSPACE, table: "event", row: 1, owner: 1 };

/// What was seen.
#[derive(Debug)]
pub struct Found {
    /// Messages that were handled meanwhile.
    pub seen: Seen,
    /// Secrets that were there before.
    pub secrets: usize,
    /// How often who replaces the key was killed, and how often the host.
    pub kills: (usize, usize),
    /// Secrets that do not open under the new key, or are not what they were.
    pub lost: usize,
    /// Those that are still under the old one.
    pub left: usize,
    /// Lines of the host's log that tell of something which it could not read.
    pub unread: usize,
    /// How a start with the old key is refused.
    pub refused: String,
    /// From the first beginning to the end.
    pub took: Duration,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, secrets, kills: (rotations, hosts), lost, left, unread, refused, took } = self;
        write!(
            f,
            "{secrets} secrets in {took:.0?}, killed {rotations} times, the host {hosts}: {lost} lost, {left} left on the old key, "
        )?;
        write!(f, "{unread} failed reads, a start with it is refused by {refused}; meanwhile {seen}")
    }
}

impl Found {
    /// Whether all is as it must be.
    #[must_use]
    pub fn held(&self) -> bool {
        let none = [self.lost, self.left, self.unread, self.seen.unresolved];
        self.seen.sound() && none.iter().all(|count| *count == 0) && self.refused == "store.old_key" && self.kills.0 > 0
    }
}

/// T7's second half at the size of the setting.
pub async fn prove(setting: &Setting) -> Proved {
    let found = run(setting).await?;
    Ok((found.to_string(), found.held()))
}

/// Replaces the master key of a host under load.
pub async fn run(setting: &Setting) -> Result<Found> {
    let trial = Trial {
        many: setting.scaled(100, 10),
        pause: Duration::from_millis(100),
        status_after: Some(Duration::from_millis(100)),
        ..plain("T7-rotation", conversations(setting.scaled(10_000, 400)))
    };
    let mut stage = Stage::set(setting, &trial).await?;
    let file = stage.site.dir.join("data/master.key");
    let old = std::fs::read_to_string(&file)?;
    let config = stage.site.config()?;
    let mut bases =
        (Base::open(config.keys.place(&stage.site.dir)?).await?, Base::open(config.store.place(&stage.site.dir)?).await?);
    let keyring = Keyring::new(MasterKey::from_text(&old)?);
    let secrets = setting.scaled(100_000, 2_000);
    let marks = lay(&mut bases, &keyring, secrets).await?;

    stage.killer.start().await?;
    let (sender, strands, many, pause) = (stage.sender.clone(), trial.strands.clone(), trial.many, trial.pause);
    let sending = tokio::spawn(async move { sender.send(strands, many, pause).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (began, mut dice, mut killed) = (Instant::now(), Dice::new(setting.seed), 0);
    let least = setting.scaled(20, 3);
    loop {
        let mut rotating =
            stage.site.command(0, &["key", "rotate"], &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let patience = 20 + dice.below(if killed < least { 1_500 } else { 900_000 });
        match tokio::time::timeout(Duration::from_millis(patience), rotating.wait()).await {
            Ok(ended) => {
                let output = rotating.wait_with_output().await?;
                if !ended?.success() {
                    bail!("key rotate: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
                }
                break;
            }
            Err(_) => {
                rotating.kill().await?;
                killed += 1;
            }
        }
        if killed == least / 2 + 1 {
            // With both keys in the key store, and the old or the new one in its file.
            stage.killer.kill(0).await?;
            stage.killer.revive(0).await?;
        }
    }
    let took = began.elapsed();
    sending.await.context("the sender")??;
    stage.settled().await?;
    let log = std::fs::read_to_string(stage.site.log(0))?;
    let unread = log.lines().filter(|line| UNREAD.iter().any(|words| line.contains(words))).count();
    let new = Keyring::new(MasterKey::from_text(&std::fs::read_to_string(&file)?)?);
    ensure!(new.current().key_id() != keyring.current().key_id(), "the key file holds the old key");
    let (lost, left) = check(&mut bases, &new, &keyring, &marks).await?;
    let host_kills = stage.killer.moments.len();
    let refused = refused(&stage, &old).await?;
    let seen = stage.close().await?;
    Ok(Found { seen, secrets, kills: (killed, host_kills), lost, left, unread, refused, took })
}

/// What a host writes when it meets something that it cannot open.
const UNREAD: [&str; 3] = ["stored content cannot be read", "sealed under another key", "master key was replaced"];

/// The code by which a command with the old key is refused.
async fn refused(stage: &Stage, old: &str) -> Result<String> {
    let extra = [("POINTSMAN_KEYS__MASTER", "env:OLD_MASTER"), ("OLD_MASTER", old.trim())];
    let output = stage.site.cli(&["serve"], &extra).await?;
    ensure!(!output.status.success(), "a host started with the old key");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = told.split_whitespace().find(|word| word.starts_with("store.")).context(told.clone())?;
    Ok(code.trim_end_matches(':').to_owned())
}

/// What was sealed with each key before, by its id.
type Marks = HashMap<i64, Vec<u8>>;

/// Lays secrets beside those of the house: keys of contacts that nobody knows, and credentials of channels that do not stand.
async fn lay((keys, data): &mut (Base, Base), keyring: &Keyring, count: usize) -> Result<Marks> {
    let (content, (sealer, _)) = (keyring.content(), keyring.credential_vault());
    let mut marks = Marks::with_capacity(count);
    keys.run("begin", &[]).await?;
    data.run("begin", &[]).await?;
    for n in 0..i64::try_from(count)? {
        if n % i64::try_from(CREDENTIALS)? == 0 {
            let secret = format!("secret-{n}");
            let sealed = sealer.seal(&credential(n), &SecretString::from(secret.clone()))?;
            let sql = "insert into credential(ws,owner,slot,hosts,sealed) values ($1,$2,'token','[]',$3)";
            data.run(sql, &[Given::Int(WORKSPACE), Given::Int(n), Given::Blob(&sealed)]).await?;
            marks.insert(n, secret.into_bytes());
        } else {
            let (key, wrapped) = content.new_key(name(n))?;
            let sql = "insert into data_key(ws,kind,id,wrapped) values ($1,1,$2,$3)";
            keys.run(sql, &[Given::Int(WORKSPACE), Given::Int(n), Given::Blob(&wrapped)]).await?;
            marks.insert(n, key.seal(&PLACE, b"words")?);
        }
    }
    keys.run("commit", &[]).await?;
    data.run("commit", &[]).await?;
    Ok(marks)
}

fn name(id: i64) -> KeyName {
    KeyName { workspace: WORKSPACE, kind: KeyKind::Contact, id }
}

fn credential(owner: i64) -> CredentialPlace {
    CredentialPlace { workspace: WORKSPACE, owner, slot: "token".to_owned(), hosts: Vec::new() }
}

/// Secrets that are lost, and those that the old key still opens: of ours, and of everybody's.
async fn check((keys, data): &mut (Base, Base), new: &Keyring, old: &Keyring, marks: &Marks) -> Result<(usize, usize)> {
    let ((_, opener), (_, before)) = (new.credential_vault(), old.credential_vault());
    let (mut found, mut left) = (0, 0);
    for (id, sealed) in data.pairs("select owner,sealed from credential where ws=77").await? {
        let same = opener
            .open(&credential(id), &sealed)
            .is_ok_and(|secret| marks.get(&id).map(Vec::as_slice) == Some(secret.expose_secret().as_bytes()));
        found += usize::from(same);
        left += usize::from(before.open(&credential(id), &sealed).map(drop) != Err(VaultError::WrongKey));
    }
    for (id, wrapped) in keys.pairs("select id,wrapped from data_key where ws=77").await? {
        let mark = marks.get(&id).context("a key that was not there")?;
        found += usize::from(new.content().unwrap(name(id), &wrapped).is_ok_and(|key| key.open(&PLACE, mark).is_ok()));
        left += usize::from(old.content().unwrap(name(id), &wrapped).map(drop) != Err(VaultError::WrongKey));
    }
    for (base, sql) in [(data, "select owner,sealed from credential"), (keys, "select id,wrapped from data_key")] {
        let others = base.pairs(sql).await?;
        left += others.iter().filter(|(_, sealed)| pointsman_vault::key_id(sealed) != Some(new.current().key_id())).count();
    }
    Ok((marks.len() - found, left))
}

/// A database, looked at from outside.
enum Base {
    File(SqliteConnection),
    Server(PgConnection),
}

/// What a statement is given.
enum Given<'a> {
    Int(i64),
    Blob(&'a [u8]),
}

impl Base {
    async fn open(place: Place) -> Result<Self> {
        Ok(match place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
                Self::File(options.disable_statement_logging().connect().await?)
            }
            Place::Postgres(url) => Self::Server(PgConnection::connect(&url).await?),
        })
    }

    async fn run(&mut self, sql: &'static str, given: &[Given<'_>]) -> Result<()> {
        // The same words twice: the two kinds of queries have no common form.
        match self {
            Self::File(connection) => {
                let query = given.iter().fold(sqlx::query(sql), |query, given| match given {
                    Given::Int(n) => query.bind(*n),
                    Given::Blob(bytes) => query.bind(bytes.to_vec()),
                });
                query.execute(connection).await?;
            }
            Self::Server(connection) => {
                let query = given.iter().fold(sqlx::query(sql), |query, given| match given {
                    Given::Int(n) => query.bind(*n),
                    Given::Blob(bytes) => query.bind(bytes.to_vec()),
                });
                query.execute(connection).await?;
            }
        }
        Ok(())
    }

    async fn pairs(&mut self, sql: &'static str) -> Result<Vec<(i64, Vec<u8>)>> {
        Ok(match self {
            Self::File(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?
            }
            Self::Server(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>()?
            }
        })
    }
}
