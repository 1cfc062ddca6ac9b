//! Nonces, 64 at a time: one call of the operating system costs as much as sealing a message.
//!
//! Each thread has a stock of its own, so that no two threads can be handed the same one; a nonce leaves the stock when it is
//! taken and never comes back. The process never forks without exec, which would double the stock.

use std::cell::RefCell;

use crate::VaultError;

/// Bytes of an AES-GCM nonce.
pub(crate) const LENGTH: usize = 12;
const STOCK: usize = 64;

struct Stock {
    nonces: [[u8; LENGTH]; STOCK],
    left: usize,
}

thread_local! {
    static STOCKS: RefCell<Stock> = const { RefCell::new(Stock { nonces: [[0; LENGTH]; STOCK], left: 0 }) };
}

/// A fresh random nonce.
pub(crate) fn next() -> Result<[u8; LENGTH], VaultError> {
    STOCKS.with_borrow_mut(|stock| {
        if stock.left == 0 {
            getrandom::fill(stock.nonces.as_flattened_mut()).map_err(|_| VaultError::Sealing)?;
            stock.left = STOCK;
        }
        stock.left -= 1;
        stock.nonces.get(stock.left).copied().ok_or(VaultError::Sealing)
    })
}
