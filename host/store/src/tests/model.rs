//! Random histories on SQLite, on Postgres and on plain lists in memory: whatever is done, all three answer the same and stand
//! the same afterwards. A history is named by its number, and lives in a workspace of its own.
//!
//! `POINTSMAN_HISTORIES=10000` for many; `POINTSMAN_HISTORY=17` for that one alone.

mod stage;
mod world;

use pointsman_core::journal::RunState;
use pointsman_core::outbox::SendState;

use super::{ON, On, house};
use crate::{EventState, ItemKind, WebhookState};
use stage::Stage;
use world::{Act, News, Part, Read, World};

/// Numbers that look random and are the same every time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.roll(of.len())].clone()) }
    }

    fn often(&mut self, of: usize) -> bool {
        self.roll(of) == 0
    }

    fn read(&mut self) -> Read {
        match self.roll(10) {
            0 => Read::Parked,
            1 => Read::Unread,
            _ => {
                let count = if self.often(12) { 0 } else { 1 + self.roll(3) };
                let part = |dice: &mut Self| Part { person: dice.roll(3), key: dice.roll(12) as u64, ignored: dice.often(6) };
                Read::Parts((0..count).map(|_| part(self)).collect())
            }
        }
    }

    fn news(&mut self, send: usize) -> News {
        use SendState::{Delivered, Parked, Read, Ready, Sending, Sent, Unknown};
        let state = [Ready, Sending, Unknown, Sent, Sent, Delivered, Read, Parked][self.roll(8)];
        let code = (state == Parked || self.often(4)).then(|| ["send.unknown", "provider.rejected"][self.roll(2)]);
        News { send, state, attempt: 1 + self.roll(3) as u32, code, ids: self.often(2), twice: self.often(6) }
    }

    /// Something that can be done in this world, or could be refused.
    fn act(&mut self, world: &World) -> Act {
        let living = |talk: usize| !world.talks[talk].erased;
        let places = |len: usize, which: &dyn Fn(usize) -> bool| (0..len).filter(|n| which(*n)).collect::<Vec<usize>>();
        let new = places(world.events.len(), &|n| world.events[n].state == EventState::New && living(world.events[n].talk));
        let sends = places(world.sends.len(), &|n| living(world.sends[n].talk));
        let ends = [RunState::Done, RunState::Done, RunState::Failed, RunState::Waiting];
        let act = match self.roll(16) {
            0..3 => None,
            3 => {
                let unread = places(world.hooks.len(), &|n| world.hooks[n].state == WebhookState::Unread);
                let read = Some(self.read()).filter(|read| !matches!(read, Read::Unread)).unwrap_or(Read::Parked);
                self.one(&unread).map(|hook| Act::Normalize { hook, read })
            }
            4..7 => self.one(&new).map(|event| {
                let runs = (0..1 + self.roll(2)).map(|_| (ends[self.roll(4)], self.roll(3))).collect();
                let value = self.often(3).then(|| self.roll(9) as u64);
                Act::Decide { event, runs, note: self.often(3), tag: self.often(3), value }
            }),
            7 | 8 => {
                let waiting = places(world.runs.len(), &|n| {
                    world.runs[n].state == RunState::Waiting && living(world.events[world.runs[n].event].talk)
                });
                self.one(&waiting).map(|run| Act::GoOn { run, state: ends[self.roll(4)], sends: self.roll(2) })
            }
            9 => self.one(&new).map(|event| {
                let theirs = sends.iter().copied().filter(|n| world.sends[*n].talk == world.events[event].talk);
                let send = self.one(&theirs.collect::<Vec<_>>());
                Act::Receipt { event, news: send.map(|send| self.news(send)) }
            }),
            10 | 11 => self.one(&sends).map(|send| Act::Update(self.news(send))),
            12 | 13 => {
                let kinds = [ItemKind::Webhook, ItemKind::Event, ItemKind::Run, ItemKind::Send];
                let kind = kinds[self.roll(4)];
                let items = match kind {
                    ItemKind::Webhook => places(world.hooks.len(), &|n| world.hooks[n].state == WebhookState::Parked),
                    ItemKind::Event => places(world.events.len(), &|n| world.events[n].state == EventState::Parked),
                    ItemKind::Run => places(world.runs.len(), &|n| world.runs[n].state != RunState::Done),
                    ItemKind::Send => places(world.sends.len(), &|n| world.sends[n].state == SendState::Parked),
                };
                self.one(&items).map(|item| Act::Park { kind, item, drop: self.often(2) })
            }
            14 => {
                let waiting = places(world.runs.len(), &|n| world.runs[n].state == RunState::Waiting);
                self.one(&waiting).map(|run| Act::Tell { run })
            }
            _ => {
                let once = self.often(2);
                self.one(&places(world.talks.len(), &|_| once)).map(|talk| Act::Erase { talk })
            }
        };
        act.unwrap_or_else(|| Act::Take { channel: self.roll(2), read: self.read() })
    }
}

/// One history on its three stages.
async fn history(number: u64, stages: &mut [(&'static str, Stage)]) {
    let mut dice = Dice(number.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let mut world = World::default();
    stages.iter_mut().for_each(|(_, stage)| stage.begin(number));
    let length = 8 + dice.roll(32);
    let look = dice.roll(length);
    let mut done = Vec::new();
    for step in 0..length {
        let wait = 1 + dice.roll(2_000) as i64;
        world.now = stages[0].1.now() + wait;
        let act = dice.act(&world);
        done.push(format!("{act:?}"));
        let expected = world.act(&act);
        for (name, stage) in stages.iter_mut() {
            stage.wait(wait);
            let answer = stage.act(&act, &world).await;
            assert_eq!(answer, expected, "history {number} on {name}: {done:#?}");
        }
        if step == look || step + 1 == length {
            let expected = stage::told_by(&world);
            for (name, stage) in stages.iter() {
                let told = stage.told(&world).await;
                let (told, expected) = (told.join("\n"), expected.join("\n"));
                assert_eq!(told, expected, "history {number} on {name}: {done:#?}");
            }
        }
    }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_come_out_the_same_on_both_databases_and_in_memory() {
    const AT_ONCE: u64 = 4;
    /// Histories on the same databases.
    const TOGETHER: u64 = 250;
    let (first, count) = match asked("POINTSMAN_HISTORY") {
        Some(one) => (one, 1),
        None => (0, asked("POINTSMAN_HISTORIES").unwrap_or(24)),
    };
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|worker| {
            tokio::spawn(async move {
                let mine: Vec<u64> = (first..first + count).filter(|n| n % AT_ONCE == worker).collect();
                for some in mine.chunks(TOGETHER as usize) {
                    let sqlite = Stage::new(ON.scope(On::Sqlite, house()).await);
                    let postgres = Stage::new(ON.scope(On::Postgres, house()).await);
                    let mut stages = [("SQLite", sqlite), ("Postgres", postgres)];
                    for number in some {
                        history(*number, &mut stages).await;
                    }
                    for (_, stage) in stages {
                        stage.end().await;
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    println!("{count} histories from {first} on: the same on SQLite, on Postgres and in memory");
}
