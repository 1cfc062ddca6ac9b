//! How SQLite goes about it: no statement of the line may walk through a table, and no key may be led by anything but the
//! workspace.

use pointsman_core::id::Id;
use sqlx::Row as _;

use super::{House, WS, answer, house, message};
use crate::everywhere::workspaces_in;
use crate::sheet::{ALL, Sheet, statement};
use crate::{EventEnd, Parsed};

/// Tables that grow with what comes in.
const GROWING: [&str; 11] =
    ["contact", "identity", "conversation", "webhook", "dedupe", "event", "run", "journal", "send", "note", "state"];

async fn plan(house: &House, sql: String) -> Vec<String> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("explain query plan {sql}")));
    let rows = rows.fetch_all(&house.store.readers).await.unwrap();
    rows.iter().map(|r| r.get::<String, _>("detail")).collect()
}

/// The steps of a plan that walk through a growing table from end to end.
fn walks(plan: &[String]) -> Vec<&String> {
    plan.iter()
        .filter(|step| {
            let mut words = step.split_whitespace();
            words.next() == Some("SCAN") && words.next().is_some_and(|t| GROWING.contains(&t))
        })
        .collect()
}

#[tokio::test]
async fn no_statement_of_the_line_walks_through_a_table() {
    let house = house().await;
    for sheet in ALL.into_iter().filter(|s| *s != Sheet::Key) {
        let mut sql = String::new();
        statement(&mut sql, sheet, 3);
        let plan = plan(&house, sql.trim_end_matches(';').to_owned()).await;
        assert!(walks(&plan).is_empty(), "{sheet:?}: {plan:#?}");
    }
    // The guard sees a walk when there is one.
    assert!(!walks(&plan(&house, "select * from event where kind='x'".into()).await).is_empty());
}

#[tokio::test]
async fn a_question_over_all_workspaces_takes_a_seek_for_each() {
    let house = house().await;
    let open = [("webhook", "state=1"), ("event", "state<2"), ("run", "state<3"), ("send", "state<3"), ("event", "true")];
    for (table, condition) in open {
        let plan = plan(&house, workspaces_in(table, condition) + "select ws from w").await;
        let seeks = plan.iter().filter(|s| s.starts_with(&format!("SEARCH {table} USING"))).count();
        assert_eq!((seeks, walks(&plan).len()), (2, 0), "{table} {condition}: {plan:#?}");
    }
}

#[tokio::test]
async fn every_key_and_index_is_led_by_the_workspace() {
    let house = house().await;
    let sql = "select m.name,i.name,(select name from pragma_index_info(i.name) where seqno=0) from sqlite_master m \
               join pragma_index_list(m.name) i where m.type='table' and m.name not in ('schema_version','workspace')";
    let rows = sqlx::query(sql).fetch_all(&house.store.readers).await.unwrap();
    assert!(rows.len() >= 20, "{} indexes", rows.len());
    for row in rows {
        let (table, index, first): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(first, "ws", "{table}.{index}");
    }
}

#[tokio::test]
async fn two_workspaces_share_the_files_and_nothing_else() {
    let mut house = house().await;
    let two = Id(2);
    for (n, ws) in [WS, two, WS].into_iter().enumerate() {
        let mut coming = house.coming(Parsed::Events(vec![message("49170", &format!("m{n}"), "hello")]));
        coming.workspace = ws;
        assert_eq!(house.store.intake(coming).await.unwrap().events.len(), 1);
    }
    let mut unread = house.coming(Parsed::Unread);
    unread.workspace = two;
    house.store.intake(unread).await.unwrap();
    house.again().await;
    let open = house.store.open_events((Id(0), Id(0)), 10).await.unwrap();
    assert_eq!(open.iter().map(|e| e.workspace.0).collect::<Vec<_>>(), [1, 1, 2]);
    let rest = house.store.open_events((open[1].workspace, open[1].id), 10).await.unwrap();
    assert_eq!(rest.iter().map(|e| e.id).collect::<Vec<_>>(), [open[2].id], "goes on behind the last one seen");
    let contacts: Vec<_> = open.iter().map(|e| e.conversation.as_ref().unwrap().contact).collect();
    assert_eq!(contacts[0], contacts[1]);
    assert_ne!(contacts[0], contacts[2], "the same number is another contact in another workspace");
    assert_eq!(house.store.unread(5).await.unwrap()[0].workspace, two);
    assert!(house.store.event(two, open[0].id).await.unwrap().is_none(), "an id of one says nothing in the other");
    let mut decide = answer(&house, &open[0], "hi");
    decide.event = Some((open[0].id, open[0].webhook, EventEnd::by("done")));
    house.store.decide(decide).await.unwrap();
    assert_eq!(house.store.books(two).await.unwrap().events["new"], 1);
    assert_eq!(house.store.books(WS).await.unwrap().events["ended"], 1);
}
