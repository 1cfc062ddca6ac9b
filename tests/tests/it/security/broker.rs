//! The broker as a process of its own: the engine's process never holds a secret, and whichever of the two dies, however it
//! dies, the other one follows, nothing acknowledged is lost, and what a provider took is not sent again.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{Duration, Instant};

use memchr::memmem;
use pointsman_emulator::WhatsappConfig;

use crate::flow::conversation::SHOP;
use crate::support::sweep::{SECRETS, forms};
use crate::support::{ANA, APP_SECRET, Process, Site, TOKEN, VERIFY_TOKEN, eventually, get};

/// The broker of a host: its only child.
fn broker_of(engine: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{engine}/task/{engine}/children")).expect("its children");
    let children: Vec<u32> = children.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
    let [broker] = children[..] else { panic!("one child: {children:?}") };
    let arguments = fs::read(format!("/proc/{broker}/cmdline")).expect("its arguments");
    assert!(memmem::find(&arguments, b"\0broker").is_some());
    broker
}

/// Whether a process runs, or at least holds anything still.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

async fn gone(pid: u32) {
    eventually("the other process has ended too", || (!lives(pid)).then_some(())).await;
}

fn kill(signal: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    assert!(Command::new("kill").arg(signal).args(&pids).status().expect("kill").success());
}

/// Everything that stands in the memory of a process, its environment and arguments included; `None` where it may not be read.
fn memory(pid: u32, mut look: impl FnMut(&[u8])) -> Option<usize> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).ok()?;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut pages = fs::File::open(format!("/proc/{pid}/pagemap")).ok()?;
    let mut read = 0;
    let mut range = None;
    for line in maps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if let Some((from, to)) = first.split_once('-') {
            let address = |text: &str| u64::from_str_radix(text, 16).ok();
            range = address(from).zip(address(to)).filter(|_| line.contains(" r"));
        }
        let resident = line.strip_prefix("Rss:").and_then(|kb| kb.trim().trim_end_matches(" kB").parse::<u64>().ok());
        let (Some((from, to)), Some(1..)) = (range, resident) else { continue };
        // What is reserved and was never touched is left out: a box reserves gigabytes.
        let mut entries = vec![0; usize::try_from((to - from) / 4096 * 8).expect("a size")];
        pages.seek(SeekFrom::Start(from / 4096 * 8)).ok()?;
        pages.read_exact(&mut entries).ok()?;
        let mut run = Vec::new();
        let there = entries.chunks_exact(8).map(|entry| entry[7] & 0xC0 != 0);
        for (page, there) in there.chain([false]).enumerate() {
            let mut bytes = [0; 4096];
            if there && memory.read_exact_at(&mut bytes, from + page as u64 * 4096).is_ok() {
                run.extend_from_slice(&bytes);
            } else if !run.is_empty() {
                read += run.len();
                look(&run);
                run.clear();
            }
        }
    }
    Some(read)
}

/// The needles that stand in the memory of a process.
fn found(pid: u32, needles: &[(String, Vec<u8>)]) -> Option<Vec<String>> {
    let finders: Vec<_> = needles.iter().map(|(name, bytes)| (name, memmem::Finder::new(bytes))).collect();
    let mut hits = Vec::new();
    let read = memory(pid, |bytes| {
        hits.extend(finders.iter().filter(|(_, finder)| finder.find(bytes).is_some()).map(|(name, _)| (*name).clone()));
    })?;
    assert!(read > 1 << 20, "{read} bytes were looked at");
    hits.sort();
    hits.dedup();
    Some(hits)
}

/// A site whose master key comes from a variable, and the variable.
async fn with_key_in_the_environment(emulator: WhatsappConfig) -> (Site, String) {
    let site = Site::with(&[SHOP], emulator).await;
    let file = site.dir.path().join("data/master.key");
    let key = fs::read_to_string(&file).unwrap().trim().to_owned();
    fs::remove_file(file).unwrap();
    let config = site.dir.path().join("pointsman.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"file:data/master.key\"", "\"env:THE_MASTER_KEY\"")).unwrap();
    (site, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_never_holds_a_token_or_the_master_key() {
    let slow = WhatsappConfig { delay: Duration::from_millis(300), ..WhatsappConfig::default() };
    let (site, key) = with_key_in_the_environment(slow).await;
    // Its environment has the secrets that `channel add` was given, too.
    let process = site.serve(&[("THE_MASTER_KEY", &key)]);
    let (engine, broker) = (process.pid(), broker_of(process.pid()));
    let mut needles: Vec<(String, Vec<u8>)> = SECRETS
        .iter()
        .flat_map(|secret| forms(secret).into_iter().map(move |(form, bytes)| (format!("{secret} ({form})"), bytes)))
        .collect();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &key[5..]).unwrap();
    needles.push(("the master key, written".to_owned(), key.clone().into_bytes()));
    needles.push(("the master key".to_owned(), raw[..32].to_vec()));
    let mut looks = 0;
    for round in 1..=3 {
        for contact in 0..4 {
            let said = site.emulator.say(&format!("1555010000{contact}"), "C", &format!("order {round}")).await;
            assert_eq!(said.unwrap().1, 200);
        }
        // While the provider takes its time, and when it has answered.
        let Some(hits) = found(engine, &needles) else {
            eprintln!("the memory of another process cannot be read here: nothing is shown");
            return process.stop();
        };
        assert_eq!(hits, Vec::<String>::new(), "in the engine's process");
        looks += 1;
        site.taken(round * 4).await;
        assert_eq!(found(engine, &needles).unwrap(), Vec::<String>::new(), "in the engine's process");
    }
    assert_eq!(looks, 3);
    // The look can find something: the broker has the variables.
    let hits = found(broker, &needles).unwrap();
    for secret in [TOKEN, APP_SECRET, VERIFY_TOKEN] {
        assert!(hits.contains(&format!("{secret} (raw)")), "{hits:?}");
    }
    assert!(hits.contains(&"the master key, written".to_owned()), "{hits:?}");
    process.stop();
    gone(broker).await;
}

/// A provider that takes a message at once and answers later; a host that has one such message under way.
async fn under_way(delay: u64) -> (Site, Process, u32) {
    let slow = WhatsappConfig { delay: Duration::from_millis(delay), ..WhatsappConfig::default() };
    let site = Site::with(&[SHOP], slow).await;
    let process = site.serve(&[("POINTSMAN_SETTLE_AFTER", "1500")]);
    let broker = broker_of(process.pid());
    assert_eq!(site.emulator.say(ANA, "Ana", "order").await.unwrap().1, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(site.emulator.calls().len(), 0, "the provider has it and has not answered");
    (site, process, broker)
}

/// Starts the host again, and waits until the only message is where it belongs.
async fn sent(site: &Site) -> serde_json::Value {
    let process = site.serve(&[("POINTSMAN_SETTLE_AFTER", "1500")]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let books = loop {
        let books: serde_json::Value = serde_json::from_str(&get(&process.private, "/api/v1/books").await.1).unwrap();
        if books["sends"]["sent"] == 1 || Instant::now() > deadline {
            break books;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    process.stop();
    assert_eq!(books["sends"]["sent"], 1, "{books}");
    assert_eq!(books["open"], serde_json::json!([]), "{books}");
    let left = fs::read_dir(site.dir.path().join("data/answers")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "no notes are left behind");
    books
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_outlives_the_engine_that_asked_for_it() {
    let (site, process, broker) = under_way(1_500).await;
    process.kill();
    assert!(lives(broker), "it finishes what is under way");
    // The next host begins while it does.
    sent(&site).await;
    gone(broker).await;
    assert_eq!((site.emulator.calls().len(), site.emulator.taken().len()), (1, 1), "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_does_not_outlive_its_broker() {
    let (site, mut process, broker) = under_way(700).await;
    kill("-KILL", &[broker]);
    assert_eq!(process.died().await, None, "it ends by itself");
    assert!(!lives(broker));
    sent(&site).await;
    assert!(site.emulator.calls().len() <= 2, "at most what was in flight is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_are_killed_nothing_acknowledged_is_lost() {
    let (site, process, broker) = under_way(700).await;
    kill("-KILL", &[process.pid(), broker]);
    gone(broker).await;
    drop(process);
    sent(&site).await;
    assert!(site.emulator.calls().len() <= 2, "at most what was in flight is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_service_reaches_both_and_what_is_under_way_is_finished() {
    let (site, process, broker) = under_way(700).await;
    for signal in ["-INT", "-HUP", "-QUIT", "-TERM"] {
        kill(signal, &[broker]);
    }
    process.stop();
    gone(broker).await;
    assert_eq!(site.emulator.taken().len(), 1);
    let books = site.books();
    assert_eq!((&books["sends"]["sent"], &books["open"]), (&1.into(), &serde_json::json!([])), "{books}");
    let answers = fs::read_dir(site.dir.path().join("data/answers")).unwrap().count();
    assert_eq!(answers, 0, "nothing is left to be asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_one_process_it_is_the_same() {
    let slow = WhatsappConfig { delay: Duration::from_millis(100), ..WhatsappConfig::default() };
    let site = Site::with(&[SHOP], slow).await;
    let alone = ("POINTSMAN_BROKER__PROCESS", "false");
    let mut process = site.serve(&[alone, ("POINTSMAN_KILL_AT", "send.answered")]);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.pid())).unwrap();
    assert_eq!(children, "");
    assert_eq!(site.emulator.say(ANA, "Ana", "order").await.unwrap().1, 200);
    assert_eq!(process.died().await, Some(9));
    let process = site.serve(&[alone]);
    site.taken(1).await;
    let sent = || async { get(&process.private, "/api/v1/books").await.1.contains("\"sent\":1") };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !sent().await && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.stop();
    let books = site.books();
    assert_eq!((&books["sends"]["sent"], site.emulator.calls().len()), (&1.into(), 1), "{books}");
}

#[test]
fn by_itself_the_broker_does_nothing() {
    let output = Command::new(crate::support::binary()).arg("broker").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"", "no key goes where anybody could read it");
    assert!(String::from_utf8_lossy(&output.stderr).contains("pointsman serve"));
}
