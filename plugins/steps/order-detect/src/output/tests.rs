//! Money.

use super::times;

#[test]
fn a_price_times_thousandths_is_rounded_to_the_nearest() {
    for (price, milli, expected) in [
        (420, 2000, Some(840)),
        (1700, 500, Some(850)),
        (333, 500, Some(167)),
        (333, 250, Some(83)),
        (1, 499, Some(0)),
        (0, 1_000_000, Some(0)),
        (i64::MAX, 1000, Some(i64::MAX)),
        (i64::MAX, 1001, None),
    ] {
        assert_eq!(times(price, milli), expected, "{price} x {milli}");
    }
}
