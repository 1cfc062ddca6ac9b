//! Tuning aid.
use pointsman_order_detect::OrderDetect;
use pointsman_sdk::testing::{Host, run};
use std::io::BufRead;
fn main() {
    for line in std::io::stdin().lock().lines() {
        let input: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        let t = std::time::Instant::now();
        let ran = run::<OrderDetect>(Host::default(), input, serde_json::json!({}));
        let us = t.elapsed().as_micros();
        match ran.result {
            Ok(v) => println!("{}", serde_json::json!({"output": v, "us": us as u64})),
            Err(e) => println!("{}", serde_json::json!({"error": e.message, "code": e.code})),
        }
    }
}
