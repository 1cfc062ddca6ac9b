//! Knowledge bases on both databases: sources seen whole or not at all, workspaces apart, every change with a version and a line.

use pointsman_core::id::Id;

use super::{WS, house};
use crate::{KnowledgeSource, NewSource, StoreError, VectorRow};

super::on_both! {
    a_source_is_replaced_whole_and_leaves_nothing_behind,
    workspaces_and_sources_are_kept_apart,
    what_was_never_finished_is_tidied_away,
    vectors_stand_beside_their_passages_and_go_with_them,
}

fn source(name: &str, text: &str, passages: usize) -> NewSource {
    NewSource {
        name: name.to_owned(),
        hash: format!("hash of {text}"),
        kind: "markdown".to_owned(),
        words: format!("words of {text}").into_bytes(),
        passages: (0..passages).map(|n| format!("{text} {n}").into_bytes()).collect(),
        vectors: Vec::new(),
    }
}

fn vectors(n: u32, model: &str, body: &str) -> VectorRow {
    VectorRow { n, model: model.to_owned(), body: body.as_bytes().to_vec() }
}

async fn rows(house: &super::House, table: &'static str) -> i64 {
    let sql = format!("select count(*) from {table}");
    house.store.data.row(sql, Vec::new()).await.unwrap().unwrap().get(0).unwrap()
}

async fn a_source_is_replaced_whole_and_leaves_nothing_behind() {
    let mut house = house().await;
    let base = house.store.make_knowledge_base(WS, "cli", "faq", None).await.unwrap();
    assert_eq!(house.store.make_knowledge_base(WS, "cli", "faq", None).await.unwrap(), base, "it is there already");
    house.store.put_knowledge_source(WS, "cli", base.id, source("a.md", "Zwetschgendatschi", 150)).await.unwrap();
    house.store.put_knowledge_source(WS, "cli", base.id, source("b.md", "other", 2)).await.unwrap();
    let before = house.store.knowledge_sources(WS, base.id).await.unwrap();
    let told: Vec<_> = before.iter().map(|s| (s.name.as_str(), s.passages, s.hash.as_str())).collect();
    assert_eq!(told, [("a.md", 150, "hash of Zwetschgendatschi"), ("b.md", 2, "hash of other")]);
    let version = house.store.knowledge_base(WS, "faq").await.unwrap().unwrap().version;
    assert!(version > base.version);

    house.clock.advance(5);
    house.store.put_knowledge_source(WS, "user/ann", base.id, source("a.md", "new", 3)).await.unwrap();
    house.again().await;
    let store = &house.store;
    assert!(store.knowledge_base(WS, "faq").await.unwrap().unwrap().version > version);
    let after = store.knowledge_sources(WS, base.id).await.unwrap();
    let words = |s: KnowledgeSource| async move { store.knowledge_words(WS, base.id, &s).await.unwrap() };
    assert_eq!(words(before[0].clone()).await, None, "it is another by now");
    assert_eq!(words(after[0].clone()).await.unwrap(), b"words of new");
    assert_eq!(store.knowledge_passage(WS, after[0].id, 2).await.unwrap().unwrap(), b"new 2");
    assert_eq!(store.knowledge_passage(WS, after[0].id, 3).await.unwrap(), None);
    assert_eq!(store.knowledge_passage(WS, before[0].id, 0).await.unwrap(), None);
    assert_eq!(rows(&house, "knowledge_passage").await, 5);

    assert!(store.remove_knowledge_source(WS, "cli", base.id, "b.md").await.unwrap());
    assert!(!store.remove_knowledge_source(WS, "cli", base.id, "b.md").await.unwrap());
    assert_eq!(rows(&house, "knowledge_passage").await, 3);
    assert!(store.remove_knowledge_base(WS, "cli", "faq").await.unwrap());
    assert!(!store.remove_knowledge_base(WS, "cli", "faq").await.unwrap());
    for table in ["knowledge_passage", "knowledge_source", "knowledge_base"] {
        assert_eq!(rows(&house, table).await, 0, "{table}");
    }
    let late = store.put_knowledge_source(WS, "cli", base.id, source("c.md", "late", 1)).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");
    let lines = store.audit_lines(WS, 20).await.unwrap();
    let told: Vec<_> = lines.iter().rev().map(|line| format!("{} {} {}", line.actor, line.action, line.detail)).collect();
    let wanted = [
        "cli knowledge.base faq",
        "cli knowledge.put faq/a.md",
        "cli knowledge.put faq/b.md",
        "user/ann knowledge.put faq/a.md",
        "cli knowledge.remove faq/b.md",
        "cli knowledge.drop faq",
    ];
    assert_eq!(told, wanted);
}

async fn workspaces_and_sources_are_kept_apart() {
    let house = house().await;
    let store = &house.store;
    let (ours, theirs) = (
        store.make_knowledge_base(WS, "cli", "faq", Some("id")).await.unwrap(),
        store.make_knowledge_base(Id(2), "cli", "faq", None).await.unwrap(),
    );
    assert_eq!((ours.language.as_deref(), theirs.language.as_deref()), (Some("id"), None));
    let changed = store.make_knowledge_base(WS, "cli", "faq", Some("en")).await.unwrap();
    assert_eq!((changed.id, changed.language.as_deref()), (ours.id, Some("en")));
    store.put_knowledge_source(WS, "cli", ours.id, source("a.md", "Zwetschgendatschi", 2)).await.unwrap();
    store.put_knowledge_source(WS, "cli", ours.id, source("b.md", "second", 2)).await.unwrap();
    let sources = store.knowledge_sources(WS, ours.id).await.unwrap();
    let (a, b) = (sources[0].id, sources[1].id);
    assert!(store.knowledge_sources(Id(2), ours.id).await.unwrap().is_empty());
    assert_eq!(store.knowledge_passage(Id(2), a, 0).await.unwrap(), None);
    assert_eq!(store.knowledge_bases(Id(2)).await.unwrap(), [theirs]);
    let late = store.put_knowledge_source(Id(2), "cli", ours.id, source("c.md", "theirs", 1)).await;
    assert!(matches!(late, Err(StoreError::Missing(_))), "{late:?}");

    // No word of it stands in plain, and none can be moved to another place.
    let plain = "select count(*) from knowledge_passage where cast(body as text) like '%Zwetsch%'";
    if house.on_sqlite() {
        let found: i64 = store.data.row(plain, Vec::new()).await.unwrap().unwrap().get(0).unwrap();
        assert_eq!(found, 0);
    }
    let swap = "update knowledge_passage set body=(select p.body from knowledge_passage p where p.source<>knowledge_passage.source and \
                p.n=knowledge_passage.n and p.ws=knowledge_passage.ws limit 1) where source=?";
    house.meddle(swap, a).await;
    assert!(matches!(store.knowledge_passage(WS, a, 0).await, Err(StoreError::Unreadable(_))));
    assert_eq!(store.knowledge_passage(WS, b, 0).await.unwrap().unwrap(), b"second 0");
}

async fn what_was_never_finished_is_tidied_away() {
    let house = house().await;
    let store = &house.store;
    let base = store.make_knowledge_base(WS, "cli", "faq", None).await.unwrap();
    store.put_knowledge_source(WS, "cli", base.id, source("a.md", "kept", 3)).await.unwrap();
    let orphan = house.id();
    house
        .meddle("insert into knowledge_passage(ws,source,n,body) select 1,?,n,body from knowledge_passage where ws=1", orphan)
        .await;
    assert_eq!(
        (store.tidy_knowledge(WS).await.unwrap(), rows(&house, "knowledge_passage").await),
        (0, 6),
        "somebody may be at it"
    );
    house.clock.advance(3_600_001);
    assert_eq!((store.tidy_knowledge(WS).await.unwrap(), rows(&house, "knowledge_passage").await), (1, 3));
    assert_eq!(store.tidy_knowledge(WS).await.unwrap(), 0);
}

async fn vectors_stand_beside_their_passages_and_go_with_them() {
    let mut house = house().await;
    let base = house.store.make_knowledge_base(WS, "cli", "faq", None).await.unwrap();
    house.store.set_knowledge_embed(WS, "cli", base.id, Some("home")).await.unwrap();
    let known = NewSource { vectors: vec![vectors(0, "m1", "first"), vectors(64, "m1", "second")], ..source("a.md", "a", 70) };
    house.store.put_knowledge_source(WS, "cli", base.id, known).await.unwrap();
    house.again().await;
    let store = &house.store;
    let now = store.knowledge_base(WS, "faq").await.unwrap().unwrap();
    assert_eq!(now.embed.as_deref(), Some("home"));
    let a = store.knowledge_sources(WS, base.id).await.unwrap()[0].id;
    store.put_knowledge_vectors(WS, base.id, a, vectors(64, "m2", "Zwetschgendatschi")).await.unwrap();
    let wanted = [vectors(0, "m1", "first"), vectors(64, "m2", "Zwetschgendatschi")];
    assert_eq!(store.knowledge_vectors(WS, a).await.unwrap(), wanted);
    assert_eq!(store.knowledge_vectors(Id(2), a).await.unwrap(), []);
    if house.on_sqlite() {
        let plain = "select count(*) from knowledge_vector where cast(body as text) like '%Zwetsch%'";
        let found: i64 = store.data.row(plain, Vec::new()).await.unwrap().unwrap().get(0).unwrap();
        assert_eq!(found, 0, "they are sealed");
    }
    store.renew_knowledge_base(WS, "cli", base.id, "70").await.unwrap();
    assert!(store.knowledge_base(WS, "faq").await.unwrap().unwrap().version > now.version);

    // What is made for a source that was exchanged meanwhile is kept nowhere.
    store.put_knowledge_source(WS, "cli", base.id, source("a.md", "new", 3)).await.unwrap();
    assert_eq!(rows(&house, "knowledge_vector").await, 0);
    store.put_knowledge_vectors(WS, base.id, a, vectors(0, "m2", "late")).await.unwrap();
    assert_eq!(rows(&house, "knowledge_vector").await, 0);
    let b = store.knowledge_sources(WS, base.id).await.unwrap()[0].id;
    store.put_knowledge_vectors(WS, base.id, b, vectors(0, "m2", "in time")).await.unwrap();
    assert!(store.put_knowledge_vectors(WS, base.id, b, vectors(0, "m3", "again")).await.is_ok());
    assert_eq!(store.knowledge_vectors(WS, b).await.unwrap(), [vectors(0, "m3", "again")]);
    store.set_knowledge_embed(WS, "cli", base.id, None).await.unwrap();
    assert!(store.remove_knowledge_base(WS, "cli", "faq").await.unwrap());
    assert_eq!(rows(&house, "knowledge_vector").await, 0);
    let audit = store.audit_lines(WS, 20).await.unwrap();
    let told: Vec<_> = audit.iter().rev().map(|line| format!("{} {}", line.action, line.detail)).collect();
    assert!(
        told.contains(&"knowledge.embed faq home".to_owned()) && told.contains(&"knowledge.vectors faq 70".to_owned()),
        "{told:?}"
    );
}
