//! How the databases go about it: no statement of the line may walk through a table, and no key may be led by anything but the
//! workspace. And that both have the same tables.

use pointsman_core::effect::Scope;
use pointsman_core::id::Id;

use super::intake::futures_join;
use super::{House, ON, On, WS, answer, house, message};
use crate::books::{FAULTS, OPEN};
use crate::db::postgres::STATEMENTS;
use crate::db::postgres::pen::{HASHES, HEADS};
use crate::db::sqlite::pen::statement;
use crate::everywhere::workspaces_in;
use crate::sheet::{ALL, Arg, Sheet};
use crate::{EventEnd, Parsed, StateWrite};

super::on_both! {
    two_workspaces_share_the_files_and_nothing_else,
    the_line_is_found_by_its_indexes,
}

/// Tables that grow with what comes in.
const GROWING: [&str; 11] =
    ["contact", "identity", "conversation", "webhook", "dedupe", "event", "run", "journal", "send", "note", "state"];

async fn plan(house: &House, sql: String) -> Vec<String> {
    let values = vec![Arg::Null; sql.matches('?').count()];
    let rows = house.store.data.rows(format!("explain query plan {sql}"), values).await.unwrap();
    rows.iter().map(|r| r.get(3).unwrap()).collect()
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
    let due = plan(&house, house.store.due_sql()).await;
    let first = due.iter().any(|step| step.starts_with("SEARCH r USING") && step.contains("INDEX run_open (ws=? AND until<?)"));
    assert!(first && walks(&due).is_empty() && !due.iter().any(|step| step.contains("TEMP B-TREE")), "{due:#?}");
    let open = [("webhook", "state=1"), ("event", "state<2"), ("run", "state<3"), ("send", "state<3"), ("event", "true")];
    for (table, condition) in open {
        let plan = plan(&house, workspaces_in(table, condition) + "select ws from w").await;
        let seeks = plan.iter().filter(|s| s.starts_with(&format!("SEARCH {table} USING"))).count();
        assert_eq!((seeks, walks(&plan).len()), (2, 0), "{table} {condition}: {plan:#?}");
    }
}

#[tokio::test]
async fn whether_the_books_balance_is_told_by_what_is_open_alone() {
    let house = house().await;
    let partial = "select name from sqlite_master where type='index' and sql like '% where %'";
    let partial = house.store.data.rows(partial, Vec::new()).await.unwrap();
    let partial: Vec<String> = partial.iter().map(|row| row.get(0).unwrap()).collect();
    let listed =
        |(table, condition, order, _)| format!("select id from {table} where ws=1 and {condition} order by {order} limit 9");
    let open = OPEN.map(listed);
    let asked = |state: &str| format!("select id from run where ws=1 and {state} order by +id desc limit 9");
    let asked = ["state=4 and state=4", "state<3 and state=2"].map(asked);
    for sql in FAULTS.map(|(sql, _)| sql.replace('?', "1")).into_iter().chain(open).chain(asked) {
        let plan = plan(&house, sql.clone()).await;
        let driving = plan.iter().find(|step| step.starts_with("SEARCH") || step.starts_with("SCAN")).unwrap();
        assert!(partial.iter().any(|index| driving.contains(&format!("INDEX {index} "))), "{sql}: {plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN")), "{sql}: {plan:#?}");
    }
}

#[tokio::test]
async fn every_key_and_index_is_led_by_the_workspace() {
    let house = house().await;
    let sql = "select m.name,i.name,(select name from pragma_index_info(i.name) where seqno=0) from sqlite_master m \
               join pragma_index_list(m.name) i where m.type='table' and m.name not in ('schema_version','workspace','replaced_key')";
    let rows = house.store.data.rows(sql, Vec::new()).await.unwrap();
    assert!(rows.len() >= 20, "{} indexes", rows.len());
    for row in rows {
        let (table, index, first): (String, String, String) = (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        assert_eq!(first, "ws", "{table}.{index}");
    }
}

/// Tables and columns, as the database tells them.
async fn columns(house: &House, keys: bool) -> Vec<(String, String)> {
    let sql = if house.on_sqlite() {
        "select m.name,c.name from sqlite_master m join pragma_table_info(m.name) c where m.type='table' and m.name not like 'sqlite%'"
    } else {
        "select table_name::text,column_name::text from information_schema.columns where table_schema='public'"
    };
    let database = if keys { &house.store.keys.db } else { &house.store.data };
    let rows = database.rows(sql, Vec::new()).await.unwrap();
    let mut columns: Vec<(String, String)> = rows.iter().map(|r| (r.get(0).unwrap(), r.get(1).unwrap())).collect();
    columns.sort();
    columns
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns_beside_what_several_hosts_need() {
    let sqlite = ON.scope(On::Sqlite, house()).await;
    let postgres = ON.scope(On::Postgres, house()).await;
    for (keys, least) in [(false, 100), (true, 5)] {
        let ours = columns(&sqlite, keys).await;
        assert!(ours.len() >= least, "{} columns", ours.len());
        let mut theirs = columns(&postgres, keys).await;
        let shared = |(table, column): &(String, String)| {
            matches!((table.as_str(), column.as_str()), ("host" | "lane_lease", _) | ("event" | "webhook", "seq"))
        };
        theirs.retain(|column| !shared(column));
        assert_eq!(ours, theirs);
    }
}

/// The plan of a statement of Postgres', its values unknown; a walk through a table costs so much that there is one only where
/// no index would do.
async fn explained(house: &House, sql: &str, values: usize) -> String {
    let mut transaction = house.store.data.begin().await.unwrap();
    transaction.run("set local enable_seqscan=off", Vec::new()).await.unwrap();
    transaction.run("set local plan_cache_mode=force_generic_plan", Vec::new()).await.unwrap();
    transaction.run(format!("prepare asked as {sql}"), Vec::new()).await.unwrap();
    let nulls = vec!["null"; values].join(",");
    let execute = if values == 0 { "explain execute asked".to_owned() } else { format!("explain execute asked({nulls})") };
    let rows = transaction.rows(execute, Vec::new()).await.unwrap();
    transaction.run("deallocate asked", Vec::new()).await.unwrap();
    transaction.roll_back().await;
    rows.iter().map(|r| r.get::<String>(0).unwrap() + "\n").collect()
}

/// Whether a plan walks through a growing table: from end to end, or through all that a workspace has in it. An index of open
/// things may be walked through.
fn strolls(plan: &str, partial: &[String]) -> bool {
    let lines: Vec<&str> = plan.lines().collect();
    lines.iter().enumerate().any(|(n, line)| {
        let after = |words: &str| line.split(words).nth(1).and_then(|rest| rest.split_whitespace().next());
        let growing = |name: &str| GROWING.contains(&name.split('_').next().unwrap_or_default());
        // An index is named after its table.
        let index = after("Bitmap Index Scan on ").or_else(|| after(" using ").filter(|_| line.contains("Index")));
        let sought = || lines.get(n + 1).is_some_and(|next| next.contains("Index Cond:") && next.contains(" AND "));
        let walked = |index: &str| growing(index) && !partial.iter().any(|p| p == index) && !sought();
        after("Seq Scan on ").is_some_and(growing) || index.is_some_and(walked)
    })
}

/// Some of everything, so that one index is better than another, and tells the database of it.
async fn filled(house: &House) {
    let each = |n: usize| async move {
        let coming = house.coming(Parsed::Events(vec![message(&format!("c{n}"), &format!("m{n}"), "x")]));
        let kept = house.store.intake(coming).await.unwrap();
        let mut decide = answer(house, &kept.events[0], "y");
        let (scope, key, value) = (Scope::Conversation, "k".into(), Some("v".into()));
        decide.state.push(StateWrite { scope, key, value, until: None, marked: false });
        house.store.decide(decide).await
    };
    futures_join((0..100).map(each)).await;
    let mut transaction = house.store.data.begin().await.unwrap();
    // The same rows a hundred times, under other ids.
    let far = "+g*1000000000000000";
    let tables = [
        ("webhook", "'id',t.id+g"),
        ("event", "'id',t.id+g,'webhook',t.webhook+g,'conversation',t.conversation+g,'seq',t.seq+g"),
        ("run", "'id',t.id+g,'event',t.event+g,'conversation',t.conversation+g"),
        ("send", "'id',t.id+g,'conversation',t.conversation+g,'run',t.run+g,'key',t.key||int8send(g::bigint)"),
        ("conversation", "'id',t.id+g,'contact',t.contact+g"),
        ("contact", "'id',t.id+g"),
        ("state", "'owner',t.owner+g"),
        ("identity", "'contact',t.contact+g,'h',t.h||int8send(g::bigint)"),
        ("dedupe", "'event',t.event+g,'h',t.h||int8send(g::bigint)"),
    ];
    for (table, changed) in tables.into_iter().filter(|_| !house.on_sqlite()) {
        let changed = changed.replace("+g", far);
        let row = format!("(jsonb_populate_record(t,jsonb_build_object({changed}))).*");
        transaction
            .run(format!("insert into {table} select {row} from {table} t,generate_series(1,100) g"), Vec::new())
            .await
            .unwrap();
    }
    transaction.run("analyze", Vec::new()).await.unwrap();
    transaction.commit().await.unwrap();
}

/// The indexes of Postgres' that hold only some rows.
async fn partial(house: &House) -> Vec<String> {
    let sql = "select indexname::text from pg_indexes where schemaname='public' and indexdef like '% WHERE %'";
    house.store.data.rows(sql, Vec::new()).await.unwrap().iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn no_statement_of_the_line_walks_through_a_table_of_postgres() {
    let house = ON.scope(On::Postgres, house()).await;
    filled(&house).await;
    let partial = partial(&house).await;
    for (sheet, sql) in ALL.into_iter().zip(STATEMENTS.iter()).filter(|(sheet, _)| *sheet != Sheet::Key) {
        let plan = explained(&house, sql, sheet.spec().width).await;
        assert!(!strolls(&plan, &partial), "{sheet:?}: {plan}");
    }
    for (sql, values) in [(HASHES, 4), (HEADS, 2)] {
        let plan = explained(&house, sql, values).await;
        assert!(!strolls(&plan, &partial), "{sql}: {plan}");
    }
    // The guard sees a walk when there is one.
    for sql in [
        "select * from event where kind='x'",
        "select id from event order by ws,id",
        "select 1 from run where ws=1 and waiting='x'",
    ] {
        assert!(strolls(&explained(&house, sql, 0).await, &partial), "{sql}");
    }
}

/// What a running house asks again and again.
async fn the_line_is_found_by_its_indexes() {
    let house = house().await;
    filled(&house).await;
    let mine = house.store.mine("ws,conversation");
    let partial = if house.on_sqlite() { Vec::new() } else { partial(&house).await };
    let asked = [
        "select 1 from event where ws=1 and id=2".to_owned(),
        "select 1 from run where ws=1 and event=2".to_owned(),
        "select 1 from send where ws=1 and key=null".to_owned(),
        "select 1 from send where ws=1 and (id >> 53) in (3,4,5) and provider_h=null and provider_h is not null and state in (3,4)"
            .to_owned(),
        "select 1 from conversation where ws=1 and channel=2 and contact=3".to_owned(),
        "select contact from identity where ws=1 and channel=2 and h=null".to_owned(),
        "select id from note where ws=1 and conversation=2".to_owned(),
        "select seq from journal where ws=1 and run=2".to_owned(),
        format!("select id from event where ws=1 and state<2 and state=0{mine} limit 5"),
        format!("select id from run where ws=1 and state<3 and until<=9{mine}"),
        format!("select id from send where ws=1 and state<3 and due<=9{mine}"),
        "select id from webhook where ws=1 and state=1 order by id limit 5".to_owned(),
    ];
    for sql in asked {
        if house.on_sqlite() {
            let plan = plan(&house, sql.clone()).await;
            assert!(walks(&plan).is_empty(), "{sql}: {plan:#?}");
        } else {
            let plan = explained(&house, &sql, 0).await;
            assert!(!strolls(&plan, &partial), "{sql}: {plan}");
        }
    }
}

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
