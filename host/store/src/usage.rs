//! What plugins and scripts used, by workspace and day; and those that are in quarantine, because they broke their limits again and
//! again. Sums are added to, so that several hosts can.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;

use crate::Store;
use crate::db::Record;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{PluginUsage, Quarantined, Result};

const ADD: &str = "insert into plugin_usage(ws,plugin,day,calls,failed,limited,cpu_us,memory,host_calls,egress) \
    values (?,?,?,?,?,?,?,?,?,?) on conflict (ws,plugin,day) do update set calls=plugin_usage.calls+excluded.calls,\
    failed=plugin_usage.failed+excluded.failed,limited=plugin_usage.limited+excluded.limited,\
    cpu_us=plugin_usage.cpu_us+excluded.cpu_us,\
    memory=case when excluded.memory>plugin_usage.memory then excluded.memory else plugin_usage.memory end,\
    host_calls=plugin_usage.host_calls+excluded.host_calls,egress=plugin_usage.egress+excluded.egress";

impl Store {
    /// Adds to the accounts of today.
    pub async fn add_usage(&self, used: Vec<PluginUsage>) -> Result<()> {
        let day = self.clock.now().div_euclid(DAY);
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let other = used.into_iter().map(|u| {
            let counts = [u.calls, u.failed, u.limited, u.cpu_us, u.memory, u.host_calls, u.egress].map(signed);
            let [calls, failed, limited, cpu_us, memory, host_calls, egress] = counts;
            (ADD, row![u.workspace, u.plugin, day, calls, failed, limited, cpu_us, memory, host_calls, egress])
        });
        self.writer.commit(Op { other: other.collect(), ..Op::default() }).await.map(drop)
    }

    /// The accounts of a workspace over the last so many days, today among them; who used the processor most is first.
    pub async fn usage(&self, ws: WorkspaceId, days: u32) -> Result<Vec<PluginUsage>> {
        let from = self.clock.now().div_euclid(DAY) - i64::from(days.max(1)) + 1;
        let sum = |column: &str| format!("cast(sum({column}) as bigint)");
        let sums = ["calls", "failed", "limited", "cpu_us"].map(sum).join(",");
        let rest = ["host_calls", "egress"].map(sum).join(",");
        let sql = format!(
            "select plugin,{sums},max(memory),{rest} from plugin_usage where ws=? and day>=? group by plugin order by 5 desc,plugin"
        );
        let read = |row: &Record| -> Result<PluginUsage> {
            let count = |n| row.get::<i64>(n).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(PluginUsage {
                workspace: ws,
                plugin: row.get(0)?,
                calls: count(1)?,
                failed: count(2)?,
                limited: count(3)?,
                cpu_us: count(4)?,
                memory: count(5)?,
                host_calls: count(6)?,
                egress: count(7)?,
            })
        };
        self.data.rows(sql, row![ws, from]).await?.iter().map(read).collect()
    }

    /// Puts a plugin or script in quarantine; false: it was there. The audit tells of it.
    pub async fn quarantine(&self, ws: WorkspaceId, plugin: &str, why: &str) -> Result<bool> {
        let (plugin, why) = (plugin.to_owned(), why.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let known = "select 1 from quarantine where ws=? and plugin=?";
                if !c.rows(known, row![ws, plugin.clone()]).await?.is_empty() {
                    return Ok(false);
                }
                let insert = "insert into quarantine(ws,plugin,at,why) values (?,?,?,?)";
                c.run(insert, row![ws, plugin.clone(), store.clock.now(), why.clone()]).await?;
                store.audit_within(c, ws, "host", "plugin.quarantine", &format!("{plugin}: {why}")).await?;
                Ok(true)
            })
        })
        .await
    }

    /// All that are in quarantine, of all workspaces.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>> {
        let rows = self.data.rows("select ws,plugin,at,why from quarantine order by ws,plugin", Vec::new()).await?;
        let read = |row: &Record| -> Result<Quarantined> {
            Ok(Quarantined { workspace: row.id(0)?, plugin: row.get(1)?, at: row.get(2)?, why: row.get(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// Whether one is in quarantine now.
    pub async fn in_quarantine(&self, ws: WorkspaceId, plugin: &str) -> Result<bool> {
        let known = "select 1 from quarantine where ws=? and plugin=?";
        Ok(self.data.row(known, row![ws, plugin.to_owned()]).await?.is_some())
    }

    /// Lets one run again. The inner error is a refusal: `plugin.not_quarantined`. A running host hears the audit's bell.
    pub async fn release(&self, ws: WorkspaceId, actor: &str, plugin: &str) -> Result<std::result::Result<(), Failure>> {
        let (actor, plugin) = (actor.to_owned(), plugin.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let known = "select 1 from quarantine where ws=? and plugin=?";
                if c.rows(known, row![ws, plugin.clone()]).await?.is_empty() {
                    let sentence = format!("{plugin} is not in quarantine; `pointsman plugin stats` says which are");
                    return Ok(Err(Failure::new(Class::Permanent, "plugin.not_quarantined", sentence)));
                }
                c.run("delete from quarantine where ws=? and plugin=?", row![ws, plugin.clone()]).await?;
                store.audit_within(c, ws, &actor, "plugin.release", &plugin).await?;
                Ok(Ok(()))
            })
        })
        .await
    }
}

/// Milliseconds.
const DAY: i64 = 86_400_000;
