//! Disks that are stuck, full, or do not keep what they took: the real binary on real files, with a fault laid between the two.
//! Judged by what the sender saw acknowledged, by what the provider got, and by the books.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman_emulator::Fault;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::flow::conversation::SHOP;
use crate::support::stores::skipped;
use crate::support::{ANA, Process, Site, get, http, sign};

/// The library that stands between host and disk. Whoever could build the host has a C compiler: SQLite is compiled with it.
fn shim() -> PathBuf {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/durability/disk.c");
    let folder = tempfile::tempdir().unwrap().keep();
    let built = folder.join("disk.so");
    let done = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&built).arg(&source).status().unwrap();
    assert!(done.success(), "the C compiler did not build {}", source.display());
    built
}

/// A site whose host has a disk that fails on demand.
struct Disk {
    site: Site,
    shim: PathBuf,
    fault: PathBuf,
}

impl Disk {
    async fn new() -> Self {
        let site = Site::new(&[SHOP]).await;
        let shim = shim();
        let fault = shim.with_file_name("fault");
        std::fs::write(&fault, "").unwrap();
        Self { site, shim, fault }
    }

    fn serve(&self, extra: &[(&str, &str)]) -> Process {
        let (shim, fault) = (self.shim.to_string_lossy(), self.fault.to_string_lossy());
        let variables: Vec<(&str, &str)> =
            [("LD_PRELOAD", &*shim), ("DISK_FAULT", &*fault)].into_iter().chain(extra.iter().copied()).collect();
        self.site.serve(&variables)
    }

    /// From now on the disk does this.
    fn does(&self, what: &str) {
        std::fs::write(&self.fault, what).unwrap();
    }

    /// Delivers a message; gives the status and the head of the answer.
    async fn deliver(&self, process: &Process, id: &str, from: &str, text: &str) -> (u16, String) {
        self.deliver_to(&process.public, id, from, text).await
    }

    async fn deliver_to(&self, public: &str, id: &str, from: &str, text: &str) -> (u16, String) {
        let body = String::from_utf8(self.site.emulator.message(id, from, "Ana", text)).unwrap();
        let (signature, length) = (sign(body.as_bytes()), body.len());
        let request = format!(
            "POST /hooks/{} HTTP/1.1\r\nhost: {public}\r\nx-hub-signature-256: {signature}\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}",
            self.site.channel
        );
        let (status, head, _) = http(public, &request).await;
        (status, head)
    }

    /// Waits until nothing is open; ends the host; the books must balance.
    async fn settled(&self, process: Process) -> Value {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let (_, books) = get(&process.private, "/api/v1/books").await;
            let books: Value = serde_json::from_str(&books).unwrap();
            if books["open"].as_array().is_some_and(Vec::is_empty) {
                break;
            }
            assert!(Instant::now() < deadline, "still open: {books}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        process.stop();
        self.site.books()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(folder) = self.shim.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Resident memory of a process, in MiB.
fn memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next());
    kib.unwrap().parse::<u64>().unwrap() / 1024
}

/// Another contact.
const BEN: &str = "15550310999";

/// For how long the disk is full: `POINTSMAN_TEST_DISK_FULL` seconds, or five.
fn full() -> Duration {
    let seconds = std::env::var("POINTSMAN_TEST_DISK_FULL").map_or(5, |seconds| seconds.parse().expect("whole seconds"));
    Duration::from_secs(seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_503_reads_go_on_and_it_heals_by_itself() {
    const REFUSED: usize = 6;
    if skipped("the disk is that of the server") {
        return;
    }
    let disk = Disk::new().await;
    // Fewer replies than an event that is under way is tried again: a try that nobody heard of is no reply.
    let process = disk.serve(&[("POINTSMAN_LIMITS__REPLIES_A_MINUTE", "8")]);
    assert_eq!(disk.deliver(&process, "wamid.before", ANA, "before").await.0, 200);
    disk.site.taken(1).await;
    // Some work is under way: one send waits for its answer, and of the others some are read, some routed, some decided.
    disk.site.emulator.fail([Fault::AnswerLate(Duration::from_secs(1))]);
    assert_eq!(disk.deliver(&process, "wamid.slow", BEN, "slow").await.0, 200);
    disk.site.taken(2).await;
    let other = |n: usize| format!("1555031{n:04}");
    for n in 0..10 {
        assert_eq!(disk.deliver(&process, &format!("wamid.under{n}"), &other(n), "under way").await.0, 200);
    }
    disk.does("full");
    let since = Instant::now();
    for n in 0..REFUSED {
        let (status, head) = disk.deliver(&process, &format!("wamid.full{n}"), ANA, &format!("full {n}")).await;
        assert_eq!(status, 503, "not acknowledged: it is not on disk");
        assert!(head.to_lowercase().contains("retry-after: "), "{head}");
    }
    let (status, books) = get(&process.private, "/api/v1/books").await;
    assert_eq!((status, books.contains("\"done\":1")), (200, true), "what is there can be read: {books}");
    assert_eq!(get(&process.private, "/readyz").await.0, 200);
    tokio::time::sleep(full().saturating_sub(since.elapsed())).await;
    disk.does("");
    // The provider delivers again what was not acknowledged.
    for n in 0..REFUSED {
        assert_eq!(disk.deliver(&process, &format!("wamid.full{n}"), ANA, &format!("full {n}")).await.0, 200);
    }
    disk.site.taken(12 + REFUSED).await;
    let said = disk.site.emulator.said_to(ANA);
    let expected: Vec<String> = ["before".to_owned()].into_iter().chain((0..REFUSED).map(|n| format!("full {n}"))).collect();
    assert_eq!(said, expected.iter().map(|t| format!("You said: {t}")).collect::<Vec<_>>(), "once each, in their order");
    let books = disk.settled(process).await;
    assert_eq!(disk.site.emulator.said_to(BEN), ["You said: slow"]);
    for n in 0..10 {
        assert_eq!(disk.site.emulator.said_to(&other(n)), ["You said: under way"]);
    }
    assert_eq!(
        (&books["webhooks"]["done"], &books["sends"]["sent"]),
        (&(12 + REFUSED).into(), &(12 + REFUSED).into()),
        "{books}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_ends_when_an_fsync_fails_and_begins_again_with_what_is_on_disk() {
    if skipped("the disk is that of the server") {
        return;
    }
    let disk = Disk::new().await;
    let mut process = disk.serve(&[]);
    assert_eq!(disk.deliver(&process, "wamid.1", ANA, "one").await.0, 200);
    disk.site.taken(1).await;
    disk.does("broken");
    let status = disk.deliver(&process, "wamid.2", ANA, "two").await.0;
    assert_ne!(status, 200, "nothing is acknowledged that the disk did not keep");
    let ended = process.ended().await;
    assert!(ended.code().is_some_and(|code| code != 0), "it ends by itself, and not as if all were well");
    let log = std::fs::read_to_string(disk.site.log()).unwrap();
    assert!(log.contains("fsync failed"), "the end says why: {log}");
    assert_eq!(std::fs::read_to_string(&disk.fault).unwrap(), "", "the disk failed once, and is well again");

    let process = disk.serve(&[]);
    assert_eq!(disk.deliver(&process, "wamid.2", ANA, "two").await.0, 200, "the provider delivers it again");
    disk.site.taken(2).await;
    let books = disk.settled(process).await;
    assert_eq!((&books["webhooks"]["done"], &books["sends"]["sent"]), (&2.into(), &2.into()), "{books}");
    let said: Vec<String> = disk.site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
    assert_eq!(said, ["You said: one", "You said: two"], "once each");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_stuck_disk_webhooks_do_not_pile_up_and_nothing_acknowledged_is_lost() {
    const WAVE: usize = 300;
    const WAVES: usize = 2;
    let disk = Disk::new().await;
    let process = disk.serve(&[("POINTSMAN_LIMITS__WEBHOOK_BYTES", "4194304"), ("POINTSMAN_TELEMETRY__LOG", "warn")]);
    let text = format!("order {}", "x".repeat(36_000));
    let contact = |n: usize| format!("1555030{:04}", n % WAVE);
    // What there is room for: by the length of one, and the 4 KiB that are reckoned beside each, in whole KiB.
    let length = disk.site.emulator.message("wamid.s1000", &contact(0), "Ana", &text).len();
    let room = 4096 / (length + 4096).div_ceil(1024);
    assert!((50..150).contains(&room), "room for {room} of {WAVE}");
    let disk = Arc::new(disk);
    let public = process.public.clone();
    let deliver = |n: usize| {
        let (disk, public, text) = (Arc::clone(&disk), public.clone(), text.clone());
        async move { (n, disk.deliver_to(&public, &format!("wamid.s{n:04}"), &contact(n), &text).await) }
    };
    let mut offered_more = WAVE * WAVES;
    for wave in 0..WAVES {
        disk.does("stuck");
        let mut answers: JoinSet<_> = (wave * WAVE..(wave + 1) * WAVE).map(deliver).collect();
        let mut again = Vec::new();
        while again.len() < WAVE - room {
            let answer = tokio::time::timeout(Duration::from_secs(60), answers.join_next()).await;
            let refused = again.len();
            let Ok(Some(Ok((n, (status, head))))) = answer else {
                panic!("there is room for {room} webhooks, and only {refused} of {WAVE} were turned away")
            };
            assert_eq!(status, 503, "webhook {n} was acknowledged, and the disk has not answered");
            assert!(head.to_lowercase().contains("retry-after: "), "{head}");
            again.push(n);
        }
        if wave == 1 {
            // Eighty MiB more, while nothing goes on: what is turned away is not kept in memory.
            let before = memory(&process);
            for _ in 0..8 {
                let more: JoinSet<_> = (offered_more..offered_more + WAVE).map(deliver).collect();
                offered_more += WAVE;
                assert!(more.join_all().await.iter().all(|(_, (status, _))| *status == 503), "there is no room");
            }
            let after = memory(&process);
            assert!(after < before + 48, "{before} MiB before 80 MiB were turned away, and {after} after");
        }
        disk.does("");
        while let Some(answer) = answers.join_next().await {
            let (n, (status, _)) = answer.unwrap();
            assert_eq!(status, 200, "webhook {n} had room, and is kept now");
        }
        for n in again {
            assert_eq!(deliver(n).await.1.0, 200, "the disk is well again: webhook {n}");
        }
    }
    let Ok(disk) = Arc::try_unwrap(disk) else { panic!("every delivery has ended") };
    let books = disk.settled(process).await;
    let all = WAVE * WAVES;
    assert_eq!((&books["sends"]["sent"], disk.site.emulator.taken().len()), (&all.into(), all), "{books}");
    for contact in 0..WAVE {
        let said = disk.site.emulator.said_to(&format!("1555030{contact:04}"));
        let expected: Vec<String> = (1..=WAVES).map(|n| format!("order number {n} of Ana")).collect();
        assert_eq!(said, expected, "each answered once, in their order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_slow_disk_all_goes_more_slowly_and_memory_does_not_grow() {
    const WAVE: usize = 512;
    const AT_ONCE: usize = 32;
    if skipped("the disk is that of the server") {
        return;
    }
    let disk = Disk::new().await;
    let process = disk.serve(&[("POINTSMAN_TELEMETRY__LOG", "warn")]);
    let wave = async |number: usize| {
        let since = Instant::now();
        for first in (0..WAVE).step_by(AT_ONCE) {
            let each = (first..first + AT_ONCE).map(async |n| {
                let (id, contact) = (format!("wamid.w{number}n{n}"), format!("1555040{n:04}"));
                while disk.deliver(&process, &id, &contact, &format!("order {number}")).await.0 != 200 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
            futures::future::join_all(each).await;
        }
        disk.site.taken((number + 1) * WAVE).await;
        since.elapsed()
    };
    // The first one warms caches up.
    let (_, well) = (wave(0).await, wave(1).await);
    let before = memory(&process);
    disk.does("slow");
    let slow = wave(2).await;
    let after = memory(&process);
    disk.does("");
    assert!(slow > well, "{WAVE} messages took {well:?} on a disk that is well, and {slow:?} on a slow one");
    assert!(slow > Duration::from_millis(50) * (WAVE / AT_ONCE) as u32, "the disk was slow: {slow:?}");
    assert!(after < before + 16, "{before} MiB before, {after} MiB after {WAVE} messages on a slow disk");
    let books = disk.settled(process).await;
    assert_eq!(books["sends"]["sent"], Value::from(3 * WAVE), "{books}");
    for n in 0..WAVE {
        let said = disk.site.emulator.said_to(&format!("1555040{n:04}"));
        assert_eq!(said.len(), 3, "each answered once: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_on_a_torn_log_tells_it_to_the_operator() {
    if skipped("a server looks after its own log") {
        return;
    }
    let disk = Disk::new().await;
    let process = disk.serve(&[]);
    assert_eq!(disk.deliver(&process, "wamid.1", ANA, "one").await.0, 200);
    disk.site.taken(1).await;
    process.kill();
    let log = disk.site.log().with_file_name("data").join("pointsman.db-wal");
    // Half a frame more, as of a commit that a power cut met.
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend_from_within(32..32 + 4_096);
    std::fs::write(&log, bytes).unwrap();

    let process = disk.serve(&[]);
    let told = std::fs::read_to_string(disk.site.log()).unwrap();
    let line = "the write-ahead log ends in a commit that was never finished: it is cut; nothing of it was acknowledged";
    assert!(told.contains(line), "{told}");
    let books = disk.settled(process).await;
    assert_eq!(books["webhooks"]["done"], Value::from(1), "{books}");
}
