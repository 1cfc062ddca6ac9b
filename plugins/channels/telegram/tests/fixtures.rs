//! Every shared payload gives exactly its expected events.

use std::path::Path;

use pointsman_sdk::prelude::*;
use pointsman_sdk::testing::fixtures;
use pointsman_telegram::Telegram;

#[test]
fn every_payload_gives_its_expected_events() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    match fixtures::check::<Telegram>(&folder, "telegram", &json!({})) {
        Ok(count) => {
            let files = std::fs::read_dir(folder.join("payloads")).unwrap().count();
            assert_eq!(count, files, "every payload file is listed in manifest.json");
            assert_eq!(count, 14);
        }
        Err(wrong) => panic!("{}", wrong.join("\n")),
    }
}
