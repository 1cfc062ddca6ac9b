//! Notes across the end of a process, which a dropped [`Answers`] stands for: its lock goes with it, its file stays.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::HttpResponse;
use pointsman_vault::Keyring;

use super::*;
use crate::EgressError;

const FIRST: Exchange<'_> = Exchange { key: "k1", attempt: 1, number: 0 };

fn answered(body: &[u8]) -> Outcome {
    Ok(HttpResponse { status: 200, headers: vec![("a".into(), "b".into())], body: body.to_vec(), kept: None })
}

struct Folder {
    dir: tempfile::TempDir,
    master: Keyring,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), master: Keyring::generate().unwrap() }
    }

    /// The next process, which has not sent anything yet.
    fn answers(&self) -> Answers {
        Answers::new(self.dir.path().join("answers"), self.master.answers())
    }

    /// The next process, which is about to send.
    fn sender(&self) -> Answers {
        let answers = self.answers();
        answers.open();
        answers
    }

    fn files(&self) -> Vec<PathBuf> {
        file::all(&self.dir.path().join("answers"))
    }
}

#[tokio::test]
async fn what_was_noted_is_there_for_the_next_process_and_then_no_more() {
    let folder = Folder::new();
    let before = folder.sender();
    before.note(FIRST, Some(&answered(b"first")));
    let large = Exchange { key: "k2", ..FIRST };
    before.note(large, Some(&answered(&[7; 5_000])));
    let refused = Exchange { key: "k3", ..FIRST };
    let nowhere = Err(EgressError::NotSent(Failure { retry_after: Some(7), ..Failure::new(Class::Transient, "x.y", "why") }));
    before.note(refused, Some(&nowhere));
    drop(before);

    let after = folder.answers();
    assert_eq!(after.recall(FIRST).await, Recalled::Made(answered(b"first")));
    assert_eq!(after.recall(large).await, Recalled::Made(answered(&[7; 5_000])));
    assert_eq!(after.recall(refused).await, Recalled::Made(nowhere));
    assert_eq!(after.recall(Exchange { attempt: 2, ..FIRST }).await, Recalled::Unknown, "another attempt");
    assert_eq!(after.recall(Exchange { key: "k4", ..FIRST }).await, Recalled::Unknown, "another send");
    assert_eq!(folder.files().len(), 1, "the file stays until what stands in it is taken up");
    after.forget_found().await;
    assert_eq!(folder.files().len(), 0);
    assert_eq!(after.recall(FIRST).await, Recalled::Unknown);
}

#[tokio::test]
async fn a_job_of_several_exchanges_goes_on_where_it_is_known_that_nothing_was_begun() {
    let folder = Folder::new();
    let (second, third) = (Exchange { number: 1, ..FIRST }, Exchange { number: 2, ..FIRST });
    let before = folder.sender();
    before.note(FIRST, Some(&answered(b"1")));
    drop(before);
    assert_eq!(folder.answers().recall(second).await, Recalled::NotBegun);
    assert_eq!(folder.answers().recall(third).await, Recalled::Unknown, "what comes before it is not known");

    let before = folder.sender();
    before.note(FIRST, Some(&answered(b"1")));
    before.note(second, None);
    drop(before);
    assert_eq!(folder.answers().recall(second).await, Recalled::Unknown, "it began, and nobody knows how it ended");

    let before = folder.sender();
    before.note(second, Some(&answered(b"2")));
    drop(before);
    let after = folder.answers();
    assert_eq!(after.recall(second).await, Recalled::Made(answered(b"2")));
    assert_eq!(after.recall(third).await, Recalled::NotBegun);
}

#[tokio::test]
async fn after_a_power_cut_what_is_missing_proves_nothing() {
    let folder = Folder::new();
    let before = folder.sender();
    before.note(FIRST, Some(&answered(b"1")));
    drop(before);
    let file = folder.files().remove(0);
    std::fs::rename(&file, file.with_file_name("00000000-1.answers")).unwrap();
    let after = folder.answers();
    assert_eq!(after.recall(FIRST).await, Recalled::Made(answered(b"1")), "what stands there is true");
    assert_eq!(after.recall(Exchange { number: 1, ..FIRST }).await, Recalled::Unknown);
}

#[tokio::test]
async fn forgotten_notes_are_wiped_and_their_places_used_again() {
    let folder = Folder::new();
    let answers = folder.sender();
    for round in 0..50 {
        let key = format!("key {round}");
        answers.note(Exchange { key: &key, ..FIRST }, Some(&answered(&[1; 1_000])));
        answers.forget(&key);
    }
    let file = folder.files().remove(0);
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() <= 4 * 512 && bytes.iter().all(|byte| *byte == 0), "{} bytes", bytes.len());
    drop(answers);
    assert_eq!(folder.files().len(), 0, "an end in good order leaves nothing");
}

#[tokio::test]
async fn nothing_stands_in_the_clear_and_what_was_altered_is_not_believed() {
    let folder = Folder::new();
    let before = folder.sender();
    before.note(Exchange { key: "a-telling-key", ..FIRST }, Some(&answered(b"a telling body")));
    before.note(FIRST, Some(&answered(b"second")));
    drop(before);
    let file = folder.files().remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    for word in [&b"telling"[..], b"k1"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word));
    }
    bytes[30] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let after = folder.answers();
    assert_eq!(after.recall(Exchange { key: "a-telling-key", ..FIRST }).await, Recalled::Unknown);
    assert_eq!(after.recall(FIRST).await, Recalled::Made(answered(b"second")), "the others are read");
    let stranger = Answers::new(folder.dir.path().join("answers"), Keyring::generate().unwrap().answers());
    assert_eq!(stranger.recall(FIRST).await, Recalled::Unknown);
}

#[tokio::test]
async fn an_earlier_process_that_is_still_finishing_is_waited_for() {
    let folder = Folder::new();
    let before = folder.sender();
    before.note(Exchange { key: "other", ..FIRST }, Some(&answered(b"early")));
    let after = folder.answers();
    let mut asked = Box::pin(after.recall(FIRST));
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "it may still come");
    before.note(FIRST, Some(&answered(b"late")));
    drop(before);
    assert_eq!(asked.await, Recalled::Made(answered(b"late")));
}

#[tokio::test]
async fn a_host_that_cannot_note_goes_on_without() {
    let folder = Folder::new();
    std::fs::write(folder.dir.path().join("answers"), "a file stands where the folder should be").unwrap();
    let answers = folder.sender();
    answers.note(FIRST, Some(&answered(b"1")));
    answers.forget("k1");
    assert_eq!(answers.recall(FIRST).await, Recalled::Unknown);
}
