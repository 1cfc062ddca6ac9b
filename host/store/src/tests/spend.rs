//! The ledger and the connections of models on both databases.

use std::time::Duration;

use pointsman_core::id::Id;
use pointsman_core::model::AiMode;
use serde_json::json;

use super::{WS, house, message};
use crate::{
    CapReached, Caps, CredentialRow, KeptAnswer, ModelRow, NewSpend, Settled, SpendFor, SpendRow, SpendSum, Trend, WorkspaceRow,
};

super::on_both! {
    many_calls_at_the_cap_never_exceed_it,
    a_call_is_settled_once_and_on_its_own_day,
    a_send_is_paid_for_once_for_all_its_attempts,
    an_answer_is_told_again_at_its_place_alone_and_for_a_day,
    old_calls_become_a_line_a_month_and_model,
    what_was_felt_adds_up,
    a_connection_stands_with_its_key_or_not_at_all,
}

const DAY: i64 = 86_400_000;

const CAPS: Caps = Caps { day: Some(1_000), month: Some(1_500), workflow: Some(700), contact: Some(300) };

fn call(n: i64, amount: i64) -> NewSpend {
    let of = SpendFor { workspace: WS, workflow: format!("w{}", n % 2), contact: Some(Id(100 + n % 5)), run: Id(n) };
    NewSpend { of, model: "main/m-1".to_owned(), amount, tokens: (10, 20), flag: Some("store=false"), send: None }
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
            store.settle_spend(WS, id, settled, None).await.unwrap();
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
    let sums = house.store.spend_sums(WS, house.clock_now()).await.unwrap();
    assert_eq!(sums[0], SpendSum { scope: "day", owner: String::new(), amount: 900, reserved: 900, refused: 1 });
    assert!(sums[1..].iter().all(|sum| (sum.amount, sum.reserved, sum.refused) == (900, 900, 0)), "{sums:?}");
    // The process ends: what was reserved is there still.
    house.again().await;
    assert_eq!(spent(&house).await, 900);
    assert_eq!(house.store.open_spends(WS, i64::MAX).await.unwrap().len(), 1);
    // It is settled the next day, and counts for the day on which it was reserved.
    house.clock.advance(DAY);
    let dear = house.store.reserve_spend(call(2, 601), caps).await.unwrap().unwrap_err();
    assert_eq!(dear, CapReached { scope: "month", spent: 900, cap: 1_500 });
    house.store.settle_spend(WS, first, Settled::Cost { amount: 100, input: 7, output: 8 }, None).await.unwrap();
    house.store.settle_spend(WS, first, Settled::Nothing, None).await.unwrap();
    let month = SpendSum { scope: "month", owner: String::new(), amount: 100, reserved: 0, refused: 1 };
    assert_eq!(house.store.spend_sums(WS, house.clock_now()).await.unwrap(), [month], "of today there is none");
    assert!(house.store.spend_models(WS, house.clock_now()).await.unwrap().is_empty());
    let before = house.clock_now() - DAY;
    let models = house.store.spend_models(WS, before).await.unwrap();
    let [model] = models.as_slice() else { panic!("{models:?}") };
    let found = (model.model.as_str(), model.calls, model.amount, model.input, model.output);
    assert_eq!(found, ("main/m-1", 1, 100, 7, 8));
    assert!(model.since <= before && before - model.since < DAY);
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

async fn a_send_is_paid_for_once_for_all_its_attempts() {
    let house = house().await;
    let template =
        |send: i64| NewSpend { model: "template/x".into(), tokens: (0, 0), flag: None, send: Some(Id(send)), ..call(1, 200) };
    let reserve = |send: i64| house.store.reserve_spend(template(send), CAPS);
    let first = reserve(7).await.unwrap().unwrap();
    assert_eq!(reserve(7).await.unwrap().unwrap(), first, "another attempt, or another host, pays no second time");
    let dear = reserve(8).await.unwrap().unwrap_err();
    assert_eq!((dear.scope, dear.spent), ("contact", 200));
    house.store.settle_send(WS, Id(7), Settled::Nothing).await.unwrap();
    house.store.settle_send(WS, Id(9), Settled::Whole).await.unwrap();
    let again = reserve(7).await.unwrap().unwrap();
    assert!(again > first, "a person had it tried again after it was refused");
    house.store.settle_send(WS, Id(7), Settled::AsReserved).await.unwrap();
    house.store.settle_send(WS, Id(7), Settled::Nothing).await.unwrap();
    let rows = house.store.spends(WS, 9).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.state, row.amount)).collect::<Vec<_>>(), [("settled", 200), ("settled", 0)]);
}

async fn an_answer_is_told_again_at_its_place_alone_and_for_a_day() {
    let mut house = house().await;
    let kept = house.take(vec![message("1", "m1", "x"), message("2", "m2", "x")]).await;
    let of = |n: usize| kept.events[n].conversation.clone();
    let cost = Settled::Cost { amount: 5, input: 1, output: 1 };
    for (n, words) in [(0, "for one"), (1, "for the other")] {
        let id = house.store.reserve_spend(call(n, 50), Caps::default()).await.unwrap().unwrap();
        let answer = KeptAnswer {
            conversation: of(usize::try_from(n).unwrap()),
            event: Id(40 + n),
            question: [1; 32],
            body: words.into(),
        };
        house.store.settle_spend(WS, id, cost, Some(answer.clone())).await.unwrap();
        // Settled is settled, and so is what was answered.
        let other = KeptAnswer { body: b"another".to_vec(), ..answer };
        house.store.settle_spend(WS, id, Settled::Nothing, Some(other)).await.unwrap();
    }
    let told = async |house: &super::House, n: usize, run: i64, question: u8| {
        let found = house.store.kept_answer(WS, of(n).as_ref(), Id(run), [question; 32]).await.unwrap();
        found.map(|body| String::from_utf8(body).unwrap())
    };
    assert_eq!(told(&house, 0, 40, 1).await.as_deref(), Some("for one"));
    assert_eq!(told(&house, 1, 41, 1).await.as_deref(), Some("for the other"));
    assert_eq!((told(&house, 0, 40, 2).await, told(&house, 0, 42, 1).await), (None, None));
    assert!(house.store.kept_answer(WS, of(1).as_ref(), Id(40), [1; 32]).await.is_err(), "sealed with the contact's own key");
    house.store.erase_contact(WS, of(0).unwrap().contact, "cli").await.unwrap();
    assert!(house.store.kept_answer(WS, of(0).as_ref(), Id(40), [1; 32]).await.is_err());
    house.again().await;
    house.clock.advance(DAY + 60_000);
    house.store.fold_spends(WS).await.unwrap();
    assert_eq!(told(&house, 1, 41, 1).await, None);
    assert_eq!(house.store.spends(WS, 9).await.unwrap().len(), 2, "what it cost is kept longer");
}

async fn old_calls_become_a_line_a_month_and_model() {
    let house = house().await;
    for n in 0..4 {
        let id = house.store.reserve_spend(call(n, 50), Caps::default()).await.unwrap().unwrap();
        // One was never settled: it counts whole.
        if n > 0 {
            house.store.settle_spend(WS, id, Settled::Cost { amount: 10, input: 3, output: 4 }, None).await.unwrap();
        }
    }
    let began = house.clock_now();
    house.clock.advance(89 * DAY);
    let young = house.store.reserve_spend(call(1, 70), Caps::default()).await.unwrap().unwrap();
    house.store.fold_spends(WS).await.unwrap();
    assert_eq!((house.store.spends(WS, 9).await.unwrap().len(), house.store.spend_totals(WS).await.unwrap()), (5, vec![]));
    house.clock.advance(2 * DAY);
    for _ in 0..2 {
        house.store.fold_spends(WS).await.unwrap();
        let left = house.store.spends(WS, 9).await.unwrap();
        assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [young]);
        let totals = house.store.spend_totals(WS).await.unwrap();
        let [total] = totals.as_slice() else { panic!("{totals:?}") };
        let found = (total.model.as_str(), total.calls, total.amount, total.input, total.output);
        assert_eq!(found, ("main/m-1", 4, 50 + 3 * 10, 10 + 3 * 3, 20 + 3 * 4));
        assert!(total.since <= began && began - total.since < 31 * DAY);
        let scopes: Vec<&str> = house.store.spend_sums(WS, began).await.unwrap().iter().map(|sum| sum.scope).collect();
        assert_eq!(
            scopes,
            ["day", "month", "workflow", "workflow"],
            "what the house spent stays, what it spent for a person does not"
        );
    }
}

async fn what_was_felt_adds_up() {
    let house = house().await;
    let felt = |day: i64, topic: &str, label: &str, count: i64| {
        (WS, Trend { day, channel: Id(3), topic: topic.into(), label: label.into(), count })
    };
    house
        .store
        .add_trends(vec![felt(5, "bread", "negative", 1), felt(5, "", "negative", 2), felt(4, "", "positive", 9)])
        .await
        .unwrap();
    house.store.add_trends(vec![felt(5, "", "negative", 3), felt(5, "", "neutral", 1)]).await.unwrap();
    let rows = house.store.trends(WS, 5).await.unwrap();
    let shown: Vec<_> = rows.iter().map(|t| (t.topic.as_str(), t.label.as_str(), t.count)).collect();
    assert_eq!(shown, [("", "negative", 5), ("", "neutral", 1), ("bread", "negative", 1)]);
    assert!(house.store.trends(Id(2), 0).await.unwrap().is_empty(), "another workspace felt nothing");
}
