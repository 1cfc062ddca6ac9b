//! Rules that stand between a decision and the world: pure functions of facts that the host looked up. One rule a file.

pub mod window;
