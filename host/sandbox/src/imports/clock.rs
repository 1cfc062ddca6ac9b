//! `clock`: frozen for the call, so that a replay sees the same moment.

use crate::ctx::Ctx;
use crate::world::clock::Host;

impl Host for Ctx {
    fn now(&mut self) -> wasmtime::Result<i64> {
        Ok(self.called().at)
    }
}
