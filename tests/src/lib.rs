//! Tests of the whole. The tests themselves are one integration binary, `tests/it/`, so that everything links once.
