//! Pure types and decisions. Nothing here waits, reads a clock, opens a file or talks to anybody: the same arguments give
//! the same answer, which is what makes runs replayable and this crate testable without a host.
//!
//! A newcomer's map: [`event`] is what came in, [`workflow`] what the customer wrote, [`trigger`] what starts it, [`route`] which of them meet,
//! [`run`] how a workflow proceeds, [`wait`] what it waits for, [`journal`] what is remembered of it, [`effect`] what it wants done, [`outbox`] how a
//! send lives and dies, [`ports`] what the host must provide.

pub mod approval;
pub mod clock;
pub mod conversation;
pub mod effect;
pub mod event;
pub mod failure;
pub mod id;
pub mod journal;
pub mod limits;
pub mod mark;
pub mod model;
pub mod outbox;
pub mod permission;
pub mod policy;
pub mod ports;
pub mod retry;
pub mod route;
pub mod run;
pub mod trigger;
pub mod wait;
pub mod workflow;
