//! What contacts felt, counted: by day, channel, and the tags that workflows put. Sums are added to, so that several hosts can. Only tags that
//! stand in a workflow as they are come here, so no word of anybody's does.

use pointsman_core::id::WorkspaceId;

use crate::Store;
use crate::db::Record;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{Result, Trend};

const ADD: &str = "insert into trend(ws,day,channel,topic,label,count) values (?,?,?,?,?,?) \
    on conflict (ws,day,channel,topic,label) do update set count=trend.count+excluded.count";

impl Store {
    /// Adds to what was counted. The rows are entered in one order, whoever brings them.
    pub async fn add_trends(&self, mut felt: Vec<(WorkspaceId, Trend)>) -> Result<()> {
        felt.sort_by(|(a, one), (b, other)| {
            (a, one.day, one.channel, &one.topic, &one.label).cmp(&(b, other.day, other.channel, &other.topic, &other.label))
        });
        let add = |(ws, t): (WorkspaceId, Trend)| (ADD, row![ws, t.day, t.channel, t.topic, t.label, t.count]);
        self.writer.commit(Op { other: felt.into_iter().map(add).collect(), ..Op::default() }).await.map(drop)
    }

    /// What was counted from this day on (days since 1970, UTC), in order of day, channel and topic.
    pub async fn trends(&self, ws: WorkspaceId, since: i64) -> Result<Vec<Trend>> {
        let sql = "select day,channel,topic,label,count from trend where ws=? and day>=? order by day,channel,topic,label";
        let read = |row: &Record| -> Result<Trend> {
            Ok(Trend { day: row.get(0)?, channel: row.id(1)?, topic: row.get(2)?, label: row.get(3)?, count: row.get(4)? })
        };
        self.data.rows(sql, row![ws, since]).await?.iter().map(read).collect()
    }
}
