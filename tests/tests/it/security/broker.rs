//! The broker as a process of its own: the engine's process never holds a secret, and whichever of the two dies, however it
//! dies, the other one follows, nothing acknowledged is lost, and what a provider took is not sent again.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem;
use pointsman_emulator::{Llm, LlmConfig, Mode, WhatsappConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::flow::conversation::SHOP;
use crate::support::models::{connect, set};
use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::sweep::{SECRETS, forms};
use crate::support::{ANA, APP_SECRET, MODEL_KEY, Process, Site, TOKEN, VERIFY_TOKEN, eventually, get};

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

/// Everything that stands in the memory of a process, its environment and arguments included; `None` when it ended meanwhile.
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
fn found(pid: u32, needles: &[(String, Vec<u8>)]) -> Vec<String> {
    let finders: Vec<_> = needles.iter().map(|(name, bytes)| (name, memmem::Finder::new(bytes))).collect();
    let mut hits = Vec::new();
    let read = memory(pid, |bytes| {
        hits.extend(finders.iter().filter(|(_, finder)| finder.find(bytes).is_some()).map(|(name, _)| (*name).clone()));
    });
    assert!(read.is_some_and(|read| read > 1 << 20), "of process {pid} {read:?} bytes were looked at");
    hits.sort();
    hits.dedup();
    hits
}

/// Puts the master key into a variable, of which the value is given.
fn key_into_the_environment(site: &Site) -> String {
    let file = site.dir.path().join("data/master.key");
    let key = fs::read_to_string(&file).unwrap().trim().to_owned();
    fs::remove_file(file).unwrap();
    set(site, "\"file:data/master.key\"", "\"env:THE_MASTER_KEY\"");
    key
}

/// A service that answers each guest when it is let to; how many came.
async fn held_service(leave: Arc<Semaphore>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (count, leave) = (Arc::clone(&count), Arc::clone(&leave));
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4_096]).await;
                count.fetch_add(1, Ordering::SeqCst);
                leave.acquire().await.unwrap().forget();
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").await;
            });
        }
    });
    (format!("desk.localhost:{port}"), asked)
}

/// A plugin's own secret.
const SECRET: &str = "sk-desk-9c40e7b1d35f8a26";

/// A site that speaks with everybody with whom one may: a provider, a model, a service of a plugin; each with a secret.
async fn with_every_secret(leave: &Arc<Semaphore>) -> (Site, Llm, Arc<AtomicUsize>) {
    let (at, asked) = held_service(Arc::clone(leave)).await;
    let uses = format!(
        "name: all\non: message\nsteps:\n  - id: take\n    use: extract\n    with:\n      schema: {{ type: object, required: [size], \
         properties: {{ size: {{ type: integer }} }} }}\n    retry: 0\n  - use: acme/desk\n    with:\n      do: fetch\n      \
         requests: [{{ url: \"http://{at}/v1\", slot: token, place: bearer }}]\n  - reply: \"size ${{take.value.size}}\"\n"
    );
    let slow = WhatsappConfig { delay: Duration::from_millis(300), ..WhatsappConfig::default() };
    let mut site = Site::with(&[], slow).await;
    let llm = Llm::start(LlmConfig { key: Some(MODEL_KEY.to_owned()), ..LlmConfig::default() }).await.unwrap();
    llm.set(Mode::Says("{\"size\":7}".to_owned()));
    llm.then([Mode::Slow(Duration::from_millis(1_500), "{\"size\":7}".to_owned())]);
    site.allowed.extend([at.clone(), llm.address().to_owned()]);
    set(&site, "[models.prices]", "[models.prices]\n\"m-1\" = { input = 1.0, output = 2.0 }");
    connect(&site, &llm, "main", &[]);
    let asks = SMALL.replace("api.example.com", &at);
    let file = site.dir.path().join("desk.plugin");
    fs::write(&file, package(manifest("acme/desk", "1.0.0", &asks).as_bytes(), &component(b'a'), 7)).unwrap();
    site.done(&["plugin", "add", &file.to_string_lossy(), "--grant", "all"]);
    let kept = site.cli_with(&["plugin", "secret", "acme/desk", "token"], &[("POINTSMAN_SECRET_TOKEN", SECRET)]);
    assert!(kept.status.success(), "{kept:?}");
    site.write_workflow("all", &uses, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    (site, llm, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_never_holds_a_token_or_the_master_key() {
    let leave = Arc::new(Semaphore::new(0));
    let (site, llm, service) = with_every_secret(&leave).await;
    let key = key_into_the_environment(&site);
    // Its environment has the secrets that `channel add` was given, too.
    let process = site.serve(&[("THE_MASTER_KEY", &key), ("POINTSMAN_EGRESS__TIMEOUT", "9000")]);
    let (engine, broker) = (process.pid(), broker_of(process.pid()));
    if fs::File::open(format!("/proc/{engine}/mem")).is_err() {
        // A host closes its memory to everybody but root.
        let ours = fs::metadata("/proc/self").unwrap();
        assert_ne!(std::os::unix::fs::MetadataExt::uid(&ours), 0, "root reads the memory of every process");
        eprintln!("the memory of another process cannot be read here, so nothing is shown: run the tests as root");
        return process.stop();
    }
    let mut needles: Vec<(String, Vec<u8>)> = SECRETS
        .iter()
        .chain([&SECRET])
        .flat_map(|secret| forms(secret).into_iter().map(move |(form, bytes)| (format!("{secret} ({form})"), bytes)))
        .collect();
    let raw = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &key[5..]).unwrap();
    needles.push(("the master key, written".to_owned(), key.clone().into_bytes()));
    needles.push(("the master key".to_owned(), raw[..32].to_vec()));
    let clean = || assert_eq!(found(engine, &needles), Vec::<String>::new(), "in the engine's process");
    let holds = |secrets: &[&str]| {
        let hits = found(broker, &needles);
        let missing: Vec<_> = secrets.iter().filter(|secret| !hits.contains(&format!("{secret} (raw)"))).collect();
        assert!(missing.is_empty(), "{missing:?} are not in the broker's process, so this look finds nothing: {hits:?}");
        hits
    };
    // While the model, the service and the provider take their time, each in turn, the broker has the secret that it sent.
    assert_eq!(site.emulator.say(ANA, "Ana", "size 7").await.unwrap().1, 200);
    eventually("the model is asked", || (llm.asked().len() == 1).then_some(())).await;
    holds(&[MODEL_KEY]);
    clean();
    eventually("the service is asked", || (service.load(Ordering::SeqCst) == 1).then_some(())).await;
    holds(&[SECRET]);
    clean();
    leave.add_permits(9);
    site.taken(1).await;
    for contact in 2..10 {
        let said = site.emulator.say(&format!("1555010000{contact}"), "C", &format!("size {contact}")).await;
        assert_eq!(said.unwrap().1, 200);
    }
    clean();
    site.taken(9).await;
    clean();
    assert!(llm.asked().iter().all(|asked| asked.authorized));
    assert_eq!((llm.asked().len(), service.load(Ordering::SeqCst)), (9, 9));
    let hits = holds(&[TOKEN, APP_SECRET, VERIFY_TOKEN]);
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
