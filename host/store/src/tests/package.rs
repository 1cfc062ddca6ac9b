//! Packages of plugins: one serves, one waits, every act has its line in the audit.

use pointsman_core::failure::Failure;
use pointsman_core::permission::Permission;

use super::{WS, house};
use crate::{CredentialRow, PackageNew, PackageState, Standing, Store, Will, WorkspaceRow, plugin_owner};

super::on_both! {
    a_package_waits_until_everything_is_decided_and_is_gone_back_from,
}

fn new(version: &str, capabilities: &str) -> PackageNew {
    let manifest = format!(
        "id = \"acme/mood\"\nversion = \"{version}\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"s\"\n[capabilities]\n{capabilities}"
    );
    PackageNew {
        id: "acme/mood".into(),
        version: version.into(),
        digest: format!("package-{version}"),
        manifest,
        component: version.as_bytes().to_vec(),
        component_digest: format!("code-{version}"),
        publisher: Some("ab".into()),
        rekeyed: false,
    }
}

async fn take(store: &Store, new: PackageNew, wills: Vec<Will>) -> Result<Standing, Failure> {
    store.take_package(WS, "cli", new, wills).await.unwrap()
}

fn one(word: &str) -> Permission {
    word.parse().unwrap()
}

async fn a_package_waits_until_everything_is_decided_and_is_gone_back_from() {
    let mut house = house().await;
    let store = house.store.clone();
    let row = WorkspaceRow { id: WS, name: "Shop".into(), time_zone: "UTC".into(), language: "en".into() };
    store.put_workspace(row).await.unwrap();
    let (small, large) =
        ("act = { effects = [\"reply\"], why = \"a\" }", "act = { effects = [\"reply\", \"tag\"], why = \"a\" }");
    let states = async |store: &Store| {
        let rows = store.packages().await.unwrap();
        rows.iter().map(|row| (row.version.clone(), row.state)).collect::<Vec<_>>()
    };
    use PackageState::{Gone, Serves, Superseded, Waiting};

    let first = take(&store, new("1.0.0", small), Vec::new()).await.unwrap();
    assert_eq!((first.package.state, first.undecided, first.serves), (Waiting, vec![one("act:reply")], None));
    let refused = store.decide_plugin(WS, "cli", "acme/mood", vec![Will::Grant(one("act:tag"))]).await.unwrap().unwrap_err();
    assert_eq!(refused.code, "plugin.not_asked");
    assert!(store.plugin_decisions("acme/mood").await.unwrap().is_empty(), "a refused act leaves nothing behind");
    // A refusal is a decision too.
    let standing = store.decide_plugin(WS, "cli", "acme/mood", vec![Will::RevokeRest]).await.unwrap().unwrap();
    assert_eq!((standing.package.state, standing.decisions.len()), (Serves, 1));

    take(&store, new("1.1.0", large), Vec::new()).await.unwrap();
    let third = take(&store, new("1.2.0", large), vec![Will::Grant(one("act:reply"))]).await.unwrap();
    assert_eq!(third.serves.as_deref(), Some("1.0.0"));
    assert_eq!(states(&store).await, [("1.0.0".into(), Serves), ("1.1.0".into(), Gone), ("1.2.0".into(), Waiting)]);
    store.yank_plugin(WS, "cli", ("acme/mood", "code-1.2.0"), Some("leaks")).await.unwrap().unwrap();
    let all = async || store.decide_plugin(WS, "cli", "acme/mood", vec![Will::GrantAll]).await.unwrap();
    assert_eq!(all().await.unwrap_err().code, "plugin.yanked", "what was taken back is not let through");
    store.yank_plugin(WS, "cli", ("acme/mood", "code-1.2.0"), None).await.unwrap().unwrap();
    assert_eq!(all().await.unwrap().package.version, "1.2.0");

    let back = async |digest: Option<&'static str>| store.roll_back_package(WS, "cli", "acme/mood", digest).await.unwrap();
    assert_eq!(back(Some("package-1.1")).await.unwrap_err().code, "plugin.no_version_before", "it never served");
    assert_eq!(back(None).await.unwrap().package.version, "1.0.0");
    assert_eq!(back(None).await.unwrap_err().code, "plugin.no_version_before");
    assert_eq!(back(Some("package-1.2")).await.unwrap().package.version, "1.2.0", "forth again");
    house.again().await;
    let store = house.store.clone();
    assert_eq!(states(&store).await[0], ("1.0.0".into(), Superseded));
    store.withhold(WS, "cli", "acme/mood", one("act:reply"), true).await.unwrap().unwrap();
    assert_eq!(store.plugin_withheld(WS, "acme/mood").await.unwrap(), [one("act:reply")]);
    assert!(
        store.plugin_decisions("acme/mood").await.unwrap().iter().all(|decision| decision.granted),
        "the house's are as before"
    );

    let secret = |slot: &str, sealed: &[u8]| CredentialRow {
        workspace: WS,
        owner: plugin_owner("acme/mood"),
        slot: slot.to_owned(),
        hosts: vec!["https://api.example.com".to_owned()],
        sealed: sealed.to_vec(),
    };
    for (slot, sealed) in [("token", b"one"), ("key", b"two"), ("token", b"new")] {
        store.put_plugin_secret("cli", "acme/mood", secret(slot, sealed)).await.unwrap();
    }
    assert_eq!(store.plugin_secrets(WS, "acme/mood").await.unwrap(), [secret("key", b"two"), secret("token", b"new")]);
    assert!(store.plugin_secrets(WS, "acme/moods").await.unwrap().is_empty());
    assert!(store.drop_plugin_secret(WS, "cli", "acme/mood", "key").await.unwrap());
    assert!(!store.drop_plugin_secret(WS, "cli", "acme/mood", "key").await.unwrap());

    store.remove_packages(WS, "cli", "acme/mood").await.unwrap().unwrap();
    assert!(store.plugin_secrets(WS, "acme/mood").await.unwrap().is_empty());
    assert!(store.plugin_withheld(WS, "acme/mood").await.unwrap().is_empty());
    assert!(store.plugin_decisions("acme/mood").await.unwrap().is_empty());
    let other = PackageNew { publisher: Some("cd".into()), ..new("2.0.0", small) };
    assert_eq!(take(&store, other.clone(), Vec::new()).await.unwrap_err().code, "package.other_key");
    take(&store, PackageNew { rekeyed: true, ..other }, vec![Will::GrantAll]).await.unwrap();
    assert_eq!(
        take(&store, PackageNew { rekeyed: true, ..new("1.9.9", small) }, Vec::new()).await.unwrap_err().code,
        "package.older"
    );
    assert_eq!(store.audit_check(WS).await.unwrap(), None);
}
