//! Packages of plugins that were handed in, and what the operator lets each do. A package that asks for something about which
//! nobody has decided is kept and waits, while the one before it serves; a decision lets it through in the same transaction.
//!
//! Attacks stopped here: an update by somebody else than the publisher who came first, an older package passed off as an
//! update, and one that asks for more than the operator has read. Every act is one transaction with its line in the audit,
//! which is also the bell for running hosts. What belongs to no single workspace stands under workspace 0.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::permission::{self, Decision, Permission, undecided};

use crate::Store;
use crate::db::{Record, Transaction};
use crate::secret::plugin_owner;
use crate::sheet::row;
use crate::types::{PackageNew, PackageRow, PackageState, Result, Standing, StoreError, Will};

/// The workspace of what is the same for all.
const HOUSE: i64 = 0;

/// An act on packages: how the plugin stands now, or why it was refused.
type Acted = std::result::Result<Standing, Failure>;

fn refusal(code: &str, message: String) -> Failure {
    Failure::new(Class::Denied, code, message)
}

impl Store {
    /// Every package that is kept, by plugin, the newest last.
    pub async fn packages(&self) -> Result<Vec<PackageRow>> {
        let sql = [SELECT, " order by id,taken"].concat();
        self.data.rows(sql, row![HOUSE]).await?.iter().map(read).collect()
    }

    /// What was decided about a plugin for the whole house.
    pub async fn plugin_decisions(&self, id: &str) -> Result<Vec<Decision>> {
        self.data.rows(DECISIONS, row![HOUSE, id.to_owned()]).await?.iter().map(decision).collect()
    }

    /// What a workspace withholds from a plugin beside that.
    pub async fn plugin_withheld(&self, ws: WorkspaceId, id: &str) -> Result<Vec<Permission>> {
        let rows = self.data.rows(DECISIONS, row![ws, id.to_owned()]).await?;
        rows.iter().map(|row| decision(row).map(|d| d.permission)).collect()
    }

    /// Takes a package in, with what the operator decides in the same breath. The inner error is a refusal:
    /// `package.other_key`, `package.older`, `plugin.not_asked`, `plugin.broader_grant`, `plugin.yanked`.
    pub async fn take_package(&self, ws: WorkspaceId, actor: &str, new: PackageNew, wills: Vec<Will>) -> Result<Acted> {
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let rows = packages_of(c, &new.id).await?;
                let manifests = rows.iter().filter(|row| row.state == PackageState::Serves).map(|row| row.manifest.as_str());
                let asks = all_asks(manifests.chain([new.manifest.as_str()]));
                let before = decisions_of(c, &new.id).await?;
                let decided = welcome(&rows, &new).and(asks).and_then(|asks| decided(&new.id, &asks, before, wills));
                let decided = match decided {
                    Ok(decided) => decided,
                    Err(refused) => return Ok(Err(refused)),
                };
                if yanked(c, &new.id, &new.component_digest).await? {
                    return Ok(Err(taken_back(&new.id, &new.version, &new.component_digest)));
                }
                let now = store.clock.now();
                let keep = "insert into plugin(ws,id,digest,at,manifest,component) values (?,?,?,?,?,?) on conflict (ws,id,digest) do nothing";
                let args = row![HOUSE, new.id.clone(), new.component_digest.clone(), now, new.manifest.clone(), new.component];
                c.run(keep, args).await?;
                // What waited and never served is passed over.
                set_state(c, (&new.id, PackageState::Waiting), PackageState::Gone).await?;
                let sql = "insert into package(ws,id,digest,taken,state,version,component,publisher,manifest) values (?,?,?,?,?,?,?,?,?) \
                           on conflict (ws,id,digest) do update set taken=excluded.taken,state=excluded.state";
                let serves = rows.iter().any(|row| row.state == PackageState::Serves && row.digest == new.digest);
                let state = if serves { PackageState::Serves } else { PackageState::Waiting };
                let taken = store.ids.next(now);
                let args = row![
                    HOUSE, new.id.clone(), new.digest.clone(), taken, state as i64, new.version.clone(), new.component_digest,
                    new.publisher.clone(), new.manifest
                ];
                c.run(sql, args).await?;
                let signed = new.publisher.as_ref().map_or("unsigned".to_owned(), |key| format!("signed by {key}"));
                let told = format!("{} {} {} {signed}", new.id, new.version, new.digest);
                store.audit_within(c, ws, &actor, "plugin.add", &told).await?;
                store.settle(c, (ws, &actor), &new.id, decided).await.map(Ok)
            })
        })
        .await
    }

    /// Grants and revokes for the whole house. What waited for it begins to serve. The inner error is a refusal:
    /// `plugin.not_installed`, `plugin.not_asked`, `plugin.broader_grant`.
    pub async fn decide_plugin(&self, ws: WorkspaceId, actor: &str, id: &str, wills: Vec<Will>) -> Result<Acted> {
        let (actor, id) = (actor.to_owned(), id.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let rows = packages_of(c, &id).await?;
                let before = decisions_of(c, &id).await?;
                let decided = match open_asks(&id, &rows).and_then(|asks| decided(&id, &asks, before, wills)) {
                    Ok(decided) => decided,
                    Err(refused) => return Ok(Err(refused)),
                };
                if let Some(waits) = rows.iter().find(|row| row.state == PackageState::Waiting)
                    && yanked(c, &id, &waits.component).await?
                {
                    return Ok(Err(taken_back(&id, &waits.version, &waits.component)));
                }
                store.settle(c, (ws, &actor), &id, decided).await.map(Ok)
            })
        })
        .await
    }

    /// Has one workspace withhold what the house grants, or (`withheld` false) withhold it no longer. The inner error is a
    /// refusal: `plugin.not_installed`, `plugin.not_asked`.
    pub async fn withhold(
        &self,
        ws: WorkspaceId,
        actor: &str,
        id: &str,
        permission: Permission,
        withheld: bool,
    ) -> Result<std::result::Result<(), Failure>> {
        let (actor, id) = (actor.to_owned(), id.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let rows = packages_of(c, &id).await?;
                if let Err(refused) = open_asks(&id, &rows).and_then(|asks| asked(&id, &asks, &permission)) {
                    return Ok(Err(refused));
                }
                let word = permission.to_string();
                c.run("delete from plugin_grant where ws=? and id=? and permission=?", row![ws, id.clone(), word.clone()])
                    .await?;
                if withheld {
                    insert(c, ws.0, &id, &Decision { permission, granted: false }).await?;
                }
                let action = if withheld { "plugin.revoke" } else { "plugin.grant" };
                store.audit_within(c, ws, &actor, action, &format!("{id} {word} in workspace {ws}")).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Has an earlier package serve again: the one before, or the one whose digest begins so. What was decided stays. The inner
    /// error is a refusal: `plugin.not_installed`, `plugin.no_version_before`, `plugin.yanked`.
    pub async fn roll_back_package(&self, ws: WorkspaceId, actor: &str, id: &str, digest: Option<&str>) -> Result<Acted> {
        let (actor, id, digest) = (actor.to_owned(), id.to_owned(), digest.map(str::to_owned));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let rows = packages_of(c, &id).await?;
                let Some(now) = rows.iter().find(|row| row.state == PackageState::Serves) else {
                    return Ok(Err(not_installed(&id)));
                };
                let earlier = |row: &&PackageRow| match &digest {
                    Some(digest) => row.digest.starts_with(digest.as_str()),
                    None => row.taken < now.taken,
                };
                let Some(to) = rows.iter().rev().filter(|row| row.state == PackageState::Superseded).find(earlier) else {
                    let text =
                        format!("no earlier package of {id} has served here; `pointsman plugin list` names those that are kept");
                    return Ok(Err(refusal("plugin.no_version_before", text)));
                };
                if yanked(c, &id, &to.component).await? {
                    return Ok(Err(taken_back(&id, &to.version, &to.component)));
                }
                serve(c, to).await?;
                let told = format!("{id} from {} {} to {} {}", now.version, now.digest, to.version, to.digest);
                store.audit_within(c, ws, &actor, "plugin.rollback", &told).await?;
                let decisions = decisions_of(c, &id).await?;
                Ok(Ok(Standing {
                    package: PackageRow { state: PackageState::Serves, ..to.clone() },
                    decisions,
                    undecided: Vec::new(),
                    serves: Some(to.version.clone()),
                }))
            })
        })
        .await
    }

    /// Takes a plugin out: nothing serves, nothing of what was granted stays, nor any secret of it. Who its publisher is remains
    /// known. The inner error is a refusal: `plugin.not_installed`.
    pub async fn remove_packages(&self, ws: WorkspaceId, actor: &str, id: &str) -> Result<std::result::Result<(), Failure>> {
        let (actor, id) = (actor.to_owned(), id.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let rows = packages_of(c, &id).await?;
                if rows.iter().all(|row| row.state == PackageState::Gone) {
                    return Ok(Err(not_installed(&id)));
                }
                let sql = "update package set state=? where ws=? and id=?";
                c.run(sql, row![PackageState::Gone as i64, HOUSE, id.clone()]).await?;
                for ws in [vec![HOUSE], workspaces(c).await?].concat() {
                    c.run("delete from plugin_grant where ws=? and id=?", row![ws, id.clone()]).await?;
                    c.run("delete from credential where ws=? and owner=?", row![ws, plugin_owner(&id)]).await?;
                }
                store.audit_within(c, ws, &actor, "plugin.remove", &id).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Writes decisions down, and lets through what waits for nothing any more.
    async fn settle(
        &self,
        c: &mut Transaction<'_>,
        (ws, actor): (WorkspaceId, &str),
        id: &str,
        decided: Decided,
    ) -> Result<Standing> {
        let Decided { decisions, acts } = decided;
        for Decision { permission, granted } in acts {
            let action = if granted { "plugin.grant" } else { "plugin.revoke" };
            self.audit_within(c, ws, actor, action, &format!("{id} {permission}")).await?;
        }
        c.run("delete from plugin_grant where ws=? and id=?", row![HOUSE, id.to_owned()]).await?;
        for decision in &decisions {
            insert(c, HOUSE, id, decision).await?;
        }
        let rows = packages_of(c, id).await?;
        let of_state = |state| rows.iter().find(|row| row.state == state);
        let package = of_state(PackageState::Waiting).or_else(|| of_state(PackageState::Serves));
        let mut package = package.cloned().ok_or(StoreError::Missing("package"))?;
        let mut serves = of_state(PackageState::Serves).map(|row| row.version.clone());
        let asks = permission::asks_in(&package.manifest).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        let open = undecided(&asks, &decisions);
        let named = format!("{id} {} {}", package.version, package.digest);
        if package.state == PackageState::Waiting && open.is_empty() {
            serve(c, &package).await?;
            package.state = PackageState::Serves;
            serves = Some(package.version.clone());
            self.audit_within(c, ws, actor, "plugin.serve", &named).await?;
        } else if package.state == PackageState::Waiting {
            let words: Vec<String> = open.iter().map(ToString::to_string).collect();
            self.audit_within(c, ws, actor, "plugin.wait", &format!("{named}: {}", words.join(" "))).await?;
        }
        Ok(Standing { package, decisions, undecided: open, serves })
    }
}

/// What an operator willed, carried out in memory.
struct Decided {
    /// Everything that is decided now.
    decisions: Vec<Decision>,
    /// What was done for it, in order.
    acts: Vec<Decision>,
}

/// Carries out what the operator wills, about nothing but what is asked for.
fn decided(
    id: &str,
    asks: &[Permission],
    mut decisions: Vec<Decision>,
    wills: Vec<Will>,
) -> std::result::Result<Decided, Failure> {
    let mut acts = Vec::new();
    for will in wills {
        let (some, granted) = match will {
            Will::Grant(one) => (vec![one], true),
            Will::Revoke(one) => (vec![one], false),
            Will::GrantAll => (asks.to_vec(), true),
            Will::RevokeAll => {
                let granted = decisions.iter().filter(|d| d.granted).map(|d| d.permission.clone());
                let broad: Vec<Permission> = granted.collect();
                (broad.into_iter().chain(undecided(asks, &decisions)).collect(), false)
            }
            Will::RevokeRest => (undecided(asks, &decisions), false),
        };
        for permission in some {
            // What was decided before may be decided anew, though nothing asks for it any more.
            if !decisions.iter().any(|decision| decision.permission == permission) {
                asked(id, asks, &permission)?;
            }
            permission::decide(&mut decisions, permission.clone(), granted)?;
            acts.push(Decision { permission, granted });
        }
    }
    Ok(Decided { decisions, acts })
}

/// Whether a package may come in after those that were there.
fn welcome(rows: &[PackageRow], new: &PackageNew) -> std::result::Result<(), Failure> {
    let Some(last) = rows.last() else { return Ok(()) };
    let (id, trusted) = (&new.id, &last.publisher);
    // One that was not signed has bound nobody: the first key is trusted when it comes.
    if trusted.is_some() && *trusted != new.publisher && !new.rekeyed {
        let by = trusted.as_deref().unwrap_or_default();
        let now = new.publisher.as_deref().map_or("by nobody".to_owned(), |key| format!("by {key}"));
        let text = format!(
            "{id} has come from the key {by} so far, and this package is signed {now}. If its publisher told you of a new key by \
             another way, say so: `pointsman plugin add FILE {}`",
            new.publisher.as_deref().map_or("--unsigned --trust nobody".to_owned(), |key| format!("--trust {key}")),
        );
        return Err(refusal("package.other_key", text));
    }
    let serves = rows.iter().find(|row| row.state == PackageState::Serves);
    match serves {
        Some(serves) if number(&new.version) < number(&serves.version) => {
            let text = format!(
                "{id} {} serves, and this is the older {}: `pointsman plugin rollback {id}` goes back to what served before, \
                 `pointsman plugin remove {id}` makes room for it",
                serves.version, new.version
            );
            Err(refusal("package.older", text))
        }
        _ => Ok(()),
    }
}

/// The three numbers of a version.
fn number(version: &str) -> [u32; 3] {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = core.split('.').map(|n| n.parse().unwrap_or_default());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

fn not_installed(id: &str) -> Failure {
    refusal("plugin.not_installed", format!("no package of {id} was added here; `pointsman plugin list` names those that were"))
}

fn taken_back(id: &str, version: &str, component: &str) -> Failure {
    let text = format!("the code of {id} {version} was taken back; `pointsman plugin unyank {id}@{component}` lets it run again");
    refusal("plugin.yanked", text)
}

fn asked(id: &str, asks: &[Permission], permission: &Permission) -> std::result::Result<(), Failure> {
    if asks.iter().any(|ask| ask.covers(permission)) {
        return Ok(());
    }
    let words: Vec<String> = asks.iter().map(ToString::to_string).collect();
    Err(refusal("plugin.not_asked", format!("{id} does not ask for `{permission}`; it asks for: {}", words.join(" "))))
}

/// What the packages that serve or wait ask for.
fn open_asks(id: &str, rows: &[PackageRow]) -> std::result::Result<Vec<Permission>, Failure> {
    let open: Vec<&PackageRow> =
        rows.iter().filter(|row| matches!(row.state, PackageState::Waiting | PackageState::Serves)).collect();
    if open.is_empty() {
        return Err(not_installed(id));
    }
    all_asks(open.into_iter().map(|row| row.manifest.as_str()))
}

/// What some manifests ask for together.
fn all_asks<'a>(manifests: impl Iterator<Item = &'a str>) -> std::result::Result<Vec<Permission>, Failure> {
    let mut all = Vec::new();
    for manifest in manifests {
        for ask in permission::asks_in(manifest)? {
            if !all.contains(&ask) {
                all.push(ask);
            }
        }
    }
    Ok(all)
}

/// Has a package serve in the place of the one that does. Code is pinned by the digest of the component, permission is not: runs
/// on the same code have what this manifest asks for.
async fn serve(c: &mut Transaction<'_>, package: &PackageRow) -> Result<()> {
    set_state(c, (&package.id, PackageState::Serves), PackageState::Superseded).await?;
    let sql = "update package set state=? where ws=? and id=? and digest=?";
    c.run(sql, row![PackageState::Serves as i64, HOUSE, package.id.clone(), package.digest.clone()]).await?;
    let sql = "update plugin set manifest=? where ws=? and id=? and digest=?";
    c.run(sql, row![package.manifest.clone(), HOUSE, package.id.clone(), package.component.clone()]).await
}

async fn set_state(c: &mut Transaction<'_>, (id, from): (&str, PackageState), to: PackageState) -> Result<()> {
    c.run("update package set state=? where ws=? and id=? and state=?", row![to as i64, HOUSE, id.to_owned(), from as i64]).await
}

async fn yanked(c: &mut Transaction<'_>, id: &str, component: &str) -> Result<bool> {
    let sql = "select yanked from plugin where ws=? and id=? and digest=?";
    let row = c.hold_one(sql, row![HOUSE, id.to_owned(), component.to_owned()]).await?;
    Ok(row.map(|row| row.get::<Option<String>>(0)).transpose()?.flatten().is_some())
}

async fn insert(c: &mut Transaction<'_>, ws: i64, id: &str, decision: &Decision) -> Result<()> {
    let sql = "insert into plugin_grant(ws,id,permission,granted) values (?,?,?,?)";
    c.run(sql, row![ws, id.to_owned(), decision.permission.to_string(), decision.granted]).await
}

async fn packages_of(c: &mut Transaction<'_>, id: &str) -> Result<Vec<PackageRow>> {
    let sql = "select id,digest,taken,state,version,component,publisher,manifest from package where ws=? and id=? order by taken";
    c.hold(sql, row![HOUSE, id.to_owned()]).await?.iter().map(read).collect()
}

async fn decisions_of(c: &mut Transaction<'_>, id: &str) -> Result<Vec<Decision>> {
    c.hold(DECISIONS, row![HOUSE, id.to_owned()]).await?.iter().map(decision).collect()
}

async fn workspaces(c: &mut Transaction<'_>) -> Result<Vec<i64>> {
    c.rows("select id from workspace", Vec::new()).await?.iter().map(|row| row.get(0)).collect()
}

const SELECT: &str = "select id,digest,taken,state,version,component,publisher,manifest from package where ws=?";

const DECISIONS: &str = "select permission,granted from plugin_grant where ws=? and id=? order by permission";

fn decision(row: &Record) -> Result<Decision> {
    let word: String = row.get(0)?;
    let permission = word.parse().map_err(|e: Failure| StoreError::Unreadable(e.to_string()))?;
    Ok(Decision { permission, granted: row.flag(1)? })
}

fn read(row: &Record) -> Result<PackageRow> {
    let state = match row.get::<i64>(3)? {
        0 => PackageState::Waiting,
        1 => PackageState::Serves,
        2 => PackageState::Superseded,
        3 => PackageState::Gone,
        other => return Err(StoreError::Unreadable(format!("a package has the state {other}"))),
    };
    Ok(PackageRow {
        id: row.get(0)?,
        digest: row.get(1)?,
        taken: Id(row.get(2)?),
        state,
        version: row.get(4)?,
        component: row.get(5)?,
        publisher: row.get(6)?,
        manifest: row.get(7)?,
    })
}
