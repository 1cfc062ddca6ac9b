//! The ledger and the connections of models on both databases.

use std::time::Duration;

use pointsman_core::id::Id;
use pointsman_core::model::AiMode;
use serde_json::json;

use super::{WS, house};
use crate::{CapReached, Caps, CredentialRow, ModelRow, NewSpend, Settled, SpendFor, SpendRow, WorkspaceRow};

super::on_both! {
    many_calls_at_the_cap_never_exceed_it,
    a_call_is_settled_once_and_on_its_own_day,
    a_connection_stands_with_its_key_or_not_at_all,
}

const DAY: i64 = 86_400_000;

const CAPS: Caps = Caps { day: Some(1_000), month: Some(1_500), workflow: Some(700), contact: Some(300) };

fn call(n: i64, amount: i64) -> NewSpend {
    let of = SpendFor { workspace: WS, workflow: format!("w{}", n % 2), contact: Some(Id(100 + n % 5)), run: Id(n) };
    NewSpend { of, model: "main/m-1".to_owned(), amount, tokens: (10, 20), flag: Some("store=false") }
}

fn cap_of(scope: &str) -> i64 {
    let caps = [("day", 1_000), ("month", 1_500), ("workflow", 700), ("contact", 300)];
    caps.into_iter().find(|(known, _)| *known == scope).unwrap().1
}

async fn many_calls_at_the_cap_never_exceed_it() {
    let house = house().await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..120_i64 {
        let store = house.store.clone();
        asked.spawn(async move {
            let Ok(id) = store.reserve_spend(call(n, 50), CAPS).await.unwrap() else { return 0 };
            // The model is asked here: no transaction is open.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let settled = match n % 4 {
                0 => Settled::Nothing,
                1 => Settled::Whole,
                2 => Settled::Cost { amount: 20, input: 5, output: 5 },
                _ => return 1,
            };
            store.settle_spend(WS, id, settled).await.unwrap();
            1
        });
        // What is spent and what is under way is looked at in between.
        if n % 10 == 0 {
            for sum in house.store.spend_sums(WS, house.clock_now()).await.unwrap() {
                assert!(sum.amount <= cap_of(sum.scope), "{sum:?}");
            }
        }
    }
    let let_through: i64 = asked.join_all().await.into_iter().sum();
    let rows = house.store.spends(WS, 1_000).await.unwrap();
    assert_eq!(i64::try_from(rows.len()).unwrap(), let_through);
    assert!((20..120).contains(&let_through), "{let_through}");
    let sums = house.store.spend_sums(WS, house.clock_now()).await.unwrap();
    assert_eq!(sums.iter().map(|sum| sum.scope).collect::<Vec<_>>()[..4], ["day", "month", "workflow", "workflow"]);
    for sum in sums {
        let of = |row: &&SpendRow| match sum.scope {
            "workflow" => row.workflow == sum.owner,
            "contact" => row.contact.unwrap().to_string() == sum.owner,
            _ => true,
        };
        let added: i64 = rows.iter().filter(of).map(|row| row.amount).sum();
        assert!(sum.amount == added && added <= cap_of(sum.scope), "{sum:?}: {added}");
    }
    let open = house.store.open_spends(WS, i64::MAX).await.unwrap();
    assert!(!open.is_empty() && open.iter().all(|row| row.state == "reserved" && row.amount == 50));
    assert!(house.store.open_spends(WS, house.clock_now()).await.unwrap().is_empty(), "none is older than now");
}

async fn a_call_is_settled_once_and_on_its_own_day() {
    let mut house = house().await;
    let caps = Caps { workflow: None, contact: None, ..CAPS };
    let spent = |house: &super::House| {
        let (store, at) = (house.store.clone(), house.clock_now());
        async move { store.spend_sums(WS, at).await.unwrap().first().map_or(0, |sum| sum.amount) }
    };
    let first = house.store.reserve_spend(call(1, 900), caps).await.unwrap().unwrap();
    let reached = house.store.reserve_spend(call(2, 101), caps).await.unwrap().unwrap_err();
    assert_eq!(reached, CapReached { scope: "day", spent: 900, cap: 1_000 });
    assert_eq!(spent(&house).await, 900, "what was not let through is not counted");
    // The process ends: what was reserved is there still.
    house.again().await;
    assert_eq!(spent(&house).await, 900);
    assert_eq!(house.store.open_spends(WS, i64::MAX).await.unwrap().len(), 1);
    // It is settled the next day, and counts for the day on which it was reserved.
    house.clock.advance(DAY);
    let dear = house.store.reserve_spend(call(2, 601), caps).await.unwrap().unwrap_err();
    assert_eq!(dear, CapReached { scope: "month", spent: 900, cap: 1_500 });
    house.store.settle_spend(WS, first, Settled::Cost { amount: 100, input: 7, output: 8 }).await.unwrap();
    house.store.settle_spend(WS, first, Settled::Nothing).await.unwrap();
    assert_eq!(
        house.store.spend_sums(WS, house.clock_now()).await.unwrap()[0].amount,
        100,
        "the month's: of today there is none"
    );
    let row = house.store.spends(WS, 1).await.unwrap().remove(0);
    assert_eq!((row.state, row.amount, row.input, row.output, row.flag.as_deref()), ("settled", 100, 7, 8, Some("store=false")));
    // No caps, no bound; without a contact there is no sum of one.
    let nobody = NewSpend { of: SpendFor { contact: None, ..call(3, 0).of }, ..call(3, i64::MAX / 4) };
    house.store.reserve_spend(nobody, Caps::default()).await.unwrap().unwrap();
    assert!(house.store.spend_sums(WS, house.clock_now()).await.unwrap().iter().all(|sum| sum.scope != "contact"));
}

async fn a_connection_stands_with_its_key_or_not_at_all() {
    let house = house().await;
    let store = &house.store;
    assert_eq!(store.ai(WS).await.unwrap(), AiMode::Off, "a workspace that is not known asks nobody");
    let row = WorkspaceRow { id: WS, name: "Shop".into(), time_zone: "UTC".into(), language: "en".into() };
    store.put_workspace(row.clone()).await.unwrap();
    assert_eq!(store.ai(WS).await.unwrap(), AiMode::On);
    for mode in AiMode::ALL {
        store.set_ai(WS, "cli", mode).await.unwrap();
        store.put_workspace(row.clone()).await.unwrap();
        assert_eq!(store.ai(WS).await.unwrap(), mode, "another name of the workspace changes nothing");
    }
    let model = |id: i64, name: &str, rank: i64| {
        let hosts = vec!["https://models.example.com".to_owned()];
        let key = CredentialRow { workspace: WS, owner: Id(id), slot: "api_key".into(), hosts, sealed: vec![1, 2, 3] };
        ModelRow {
            workspace: WS,
            id: Id(id),
            name: name.into(),
            rank,
            settings: json!({ "model": name }),
            credentials: vec![key],
        }
    };
    for (id, name, rank) in [(9, "late", 200), (10, "b", 100), (11, "a", 100)] {
        store.put_model("cli", model(id, name, rank)).await.unwrap();
    }
    let names = |rows: &[ModelRow]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    let rows = store.models(WS).await.unwrap();
    assert_eq!(names(&rows), ["b", "a", "late"]);
    assert_eq!(rows[0], model(10, "b", 100));
    let again = ModelRow { credentials: Vec::new(), ..model(10, "b", 300) };
    store.put_model("cli", again.clone()).await.unwrap();
    assert_eq!(store.models(WS).await.unwrap()[2], again, "its old key is gone");
    assert!(store.models(Id(2)).await.unwrap().is_empty(), "another workspace has none of them");
    assert!(store.remove_model(WS, "cli", "late").await.unwrap());
    assert!(!store.remove_model(WS, "cli", "late").await.unwrap());
    assert!(store.credentials_of(WS, Id(9)).await.unwrap().is_empty());
    let acts: Vec<String> = store.audit_lines(WS, 3).await.unwrap().into_iter().map(|line| line.action).collect();
    assert!(acts.contains(&"model.remove".to_owned()), "{acts:?}");
    assert_eq!(store.audit_check(WS).await.unwrap(), None);
}
