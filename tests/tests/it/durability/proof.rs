//! The heavy proofs of `cargo xtask safety`, small enough for every day: the same trials, the same witnesses, the same targets.

use pointsman_tests::proof::catalog::{self, News};
use pointsman_tests::proof::points::{self, NOT_ON_THE_TOUR};
use pointsman_tests::proof::{Kind, Seen, Setting, Trial};

use crate::support::stores::on_postgres;
use crate::support::{binary, cache};

/// A site in a folder of its own, at a hundredth of the full size or the least that a trial takes.
pub async fn setting(folder: &tempfile::TempDir) -> Setting {
    let folder = folder.path().to_owned();
    let store = if on_postgres() { Kind::Postgres(pointsman_postgres::database().await) } else { Kind::Sqlite };
    Setting { binary: binary(), cache: cache(), store, hosts: 1, scale: 0.01, folder, seed: 20_261_122 }
}

async fn run(trial: impl FnOnce(&Setting) -> Trial) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let setting = setting(&folder).await;
    let seen = trial(&setting).run(&setting).await.unwrap();
    assert!(seen.sound(), "{seen}: {seen:?}");
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_under_kill_9_nothing_acknowledged_is_lost_and_no_result_stands_twice() {
    let seen = run(|setting| catalog::killed(setting, false)).await;
    assert!(seen.kills >= 3 && seen.under_way > 0, "kills that fall into nothing prove nothing: {seen}");
    assert!(seen.double_sends <= seen.in_flight, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n6_a_cut_line_and_kills_send_nothing_twice_where_statuses_come_in_time() {
    let seen = run(|setting| catalog::cut(setting, News::Soon)).await;
    assert_eq!(seen.double_sends, 0, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n6_late_statuses_find_what_was_sent_twice_and_merge_both() {
    let seen = run(|setting| catalog::cut(setting, News::Late)).await;
    assert!(seen.double_sends > 0, "lines were cut, and nobody said in time that the message had been taken: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n6_without_statuses_what_was_sent_twice_says_so() {
    let seen = run(|setting| catalog::cut(setting, News::Never)).await;
    assert!(seen.double_sends > 0, "lines were cut: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n7_shuffled_and_doubled_webhooks_are_handled_once_and_in_order() {
    let seen = run(catalog::shuffled).await;
    assert_eq!(seen.double_sends, 0, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_a_provider_that_is_busy_broken_slow_or_gone_leaves_the_books_in_balance() {
    run(catalog::faulty).await;
}

/// One point of each stage; all of them by `cargo xtask safety T14`.
#[tokio::test(flavor = "multi_thread")]
async fn t14_killed_at_a_named_point_it_comes_to_the_same_end() {
    for point in [
        "parse.after",
        "wait.after",
        "answer.before",
        "sent.before",
        "unknown.after",
        "receipt.before",
        "bell.after",
        "publish.after",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let seen = points::at(point, 20, &setting(&folder).await).await.unwrap_or_else(|error| panic!("{point}: {error:#}"));
        assert!(seen.sound() && seen.double_sends <= seen.in_flight, "{point}: {seen}: {seen:?}");
    }
}

#[test]
fn points_that_cannot_be_reached_from_outside_are_points_all_the_same() {
    assert!(NOT_ON_THE_TOUR.iter().all(|point| pointsman_engine::points::ALL.contains(point)));
}
