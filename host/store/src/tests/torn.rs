//! A log that was torn: what SQLite takes over of it, and what the operator is told.

use std::path::PathBuf;

use super::{House, answer, house, message, open};
use crate::torn::{Torn, look};

const FRAME: u64 = 24 + 8_192;

/// A house that was killed with commits in its log: copies of its files, as a restart would find them.
async fn killed(commits: u32) -> (House, tempfile::TempDir, PathBuf) {
    let house = house().await;
    for n in 0..commits {
        let kept = house.take(vec![message("ana", &format!("k{n}"), "one")]).await;
        house.store.decide(answer(&house, &kept.events[0], "two")).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(house.dir.path()).unwrap().map(|f| f.unwrap().path()) {
        let name = file.file_name().unwrap().to_owned();
        if file.is_file() && !name.to_string_lossy().ends_with("-shm") {
            std::fs::copy(&file, dir.path().join(name)).unwrap();
        }
    }
    let log = dir.path().join("pointsman.db-wal");
    (house, dir, log)
}

async fn events(dir: &tempfile::TempDir, house: &House) -> usize {
    let store = open(&crate::StoreConfig::in_dir(dir.path()), &house.master, &house.clock).await.unwrap();
    let books = store.books(super::WS).await.unwrap();
    assert!(books.unexplained.is_empty(), "{books:?}");
    store.close().await.unwrap();
    books.events.values().map(|n| usize::try_from(*n).unwrap()).sum()
}

#[tokio::test]
async fn a_log_that_ends_with_a_commit_is_whole() {
    let (house, dir, log) = killed(3).await;
    assert!(std::fs::metadata(&log).unwrap().len() > 3 * FRAME, "there is something to look at");
    assert_eq!(look(&dir.path().join("pointsman.db")).unwrap(), None);
    assert_eq!(look(&dir.path().join("nothing.db")).unwrap(), None);
    assert_eq!(events(&dir, &house).await, 3);
}

#[tokio::test]
async fn a_commit_cut_in_its_middle_is_told_as_never_finished() {
    let (house, dir, log) = killed(3).await;
    let size = std::fs::metadata(&log).unwrap().len();
    // The last commit wrote several frames: the last one of them is cut in two.
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(size - FRAME / 2).unwrap();
    let torn = look(&dir.path().join("pointsman.db")).unwrap().unwrap();
    assert!(torn.whole < size - FRAME && torn.frames > 0, "{torn:?}");
    assert_eq!(torn.commits, 0, "nothing that was acknowledged: {torn:?}");
    assert_eq!(events(&dir, &house).await, 3, "the event was there, its decision is made again");
}

#[tokio::test]
async fn commits_behind_a_damaged_frame_are_counted() {
    let (house, dir, log) = killed(3).await;
    let mut bytes = std::fs::read(&log).unwrap();
    let frames = (bytes.len() - 32) / FRAME as usize;
    let commit = |n: &usize| bytes[32 + n * FRAME as usize + 4..][..4] != [0; 4];
    let commits: Vec<usize> = (0..frames).filter(commit).collect();
    let damaged = commits[commits.len() - 4] + 1;
    bytes[32 + damaged * FRAME as usize + 100] ^= 1;
    std::fs::write(&log, &bytes).unwrap();
    let torn = look(&dir.path().join("pointsman.db")).unwrap().unwrap();
    let expected = Torn { whole: 32 + damaged as u64 * FRAME, frames: (frames - damaged) as u64, commits: 3 };
    assert_eq!(torn, expected);
    assert!(events(&dir, &house).await < 3, "what stood behind the damage is gone, and that was told");
}
