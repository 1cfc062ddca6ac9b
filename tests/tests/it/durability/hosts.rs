//! Two hosts on one database of Postgres: one is killed, stands still, or cannot reach the database, and the other goes on;
//! and the database itself goes away. The same trials as those of `cargo xtask safety --store postgres --hosts 2`, small; and the
//! same whatever the other sites keep their things in.

use pointsman_tests::proof::loss::{self, Loss};
use pointsman_tests::proof::{Kind, Setting, catalog, points};

use super::proof::setting;

async fn two(folder: &tempfile::TempDir) -> Setting {
    Setting { hosts: 2, store: Kind::Postgres(pointsman_postgres::database().await), ..setting(folder).await }
}

async fn lost(loss: Loss) {
    let folder = tempfile::tempdir().unwrap();
    let found = loss::run(loss, &two(&folder).await).await.unwrap_or_else(|error| panic!("{loss:?}: {error:#}"));
    assert!(found.held(loss), "{found}: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_two_hosts_killed_in_turn_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let setting = two(&folder).await;
    let seen = catalog::killed(&setting, true).run(&setting).await.unwrap();
    assert!(seen.sound(), "{seen}: {seen:?}");
    assert!(seen.kills >= 3 && seen.under_way > 0, "kills that fall into nothing prove nothing: {seen}");
    assert!(seen.double_sends <= seen.in_flight, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_what_a_host_leaves_at_a_named_point_the_other_host_brings_to_the_same_end() {
    for point in ["keep.after", "decide.after", "send.answered"] {
        let folder = tempfile::tempdir().unwrap();
        let setting = two(&folder).await;
        let seen = points::at(point, 20, &setting).await.unwrap_or_else(|error| panic!("{point}: {error:#}"));
        assert!(seen.sound() && seen.double_sends <= seen.in_flight, "{point}: {seen}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_while_postgres_is_gone_no_webhook_is_taken_and_afterwards_all_goes_on() {
    lost(Loss::Database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_what_a_host_writes_that_stood_still_past_its_lease_is_refused_and_the_other_went_on() {
    lost(Loss::Time).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_when_a_host_is_cut_off_from_the_database_the_other_takes_over() {
    lost(Loss::Line { silent: false }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_host_that_is_cut_off_in_the_middle_of_a_commit_does_not_hold_the_other_up() {
    lost(Loss::Line { silent: true }).await;
}
