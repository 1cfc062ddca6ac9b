//! Tests of the whole. The tests themselves are one integration binary, `tests/it/`, so that everything links once. What lies
//! here is shared by them and by `cargo xtask safety`: the attacks and the heavy proofs.

pub mod attacks;
pub mod proof;
