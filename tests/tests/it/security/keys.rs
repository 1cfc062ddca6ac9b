//! No start with a wrong or missing master key, and no secret in an argument.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::stores::skipped;
use crate::support::{Site, TOKEN, binary};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_does_not_start_with_a_wrong_or_missing_key() {
    let (site, other) = (Site::new(&[]).await, Site::new(&[]).await);
    let key = site.dir.path().join("data/master.key");
    let right = std::fs::read(&key).unwrap();
    let refused = |cure: &str| {
        let output = site.cli(&["serve"]);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(told.contains(cure), "{cure}: {told}");
    };
    std::fs::copy(other.dir.path().join("data/master.key"), &key).unwrap();
    refused("the master key does not belong to this key store");
    let mut typo = right.clone();
    typo[10] = if typo[10] == b'A' { b'B' } else { b'A' };
    std::fs::write(&key, typo).unwrap();
    refused("the master key does not read");
    std::fs::remove_file(&key).unwrap();
    refused("no master key at");
    std::fs::write(&key, right).unwrap();
    if skipped("a key store that is a file may be missing") {
        return;
    }
    let keys = site.dir.path().join("data/keys.db");
    let aside = site.dir.path().join("aside.db");
    std::fs::rename(&keys, &aside).unwrap();
    refused("the key store");
    assert!(!keys.exists(), "none is made in its place");
    std::fs::rename(&aside, &keys).unwrap();
    site.serve(&[]).stop();
    use std::os::unix::fs::PermissionsExt;
    let note = site.dir.path().join("RECOVERY.txt");
    assert_eq!(std::fs::metadata(&note).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!site.cli(&["init"]).status.success(), "a key is never overwritten");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_standard_input_and_what_is_missing_is_named() {
    let site = Site::new(&[]).await;
    let add = || {
        let mut command = Command::new(binary());
        command.arg("--dir").arg(site.dir.path()).args(["--json", "channel", "add", "whatsapp", "--offline", "--account", "1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut child = add();
    let secrets = format!("access_token={TOKEN}\napp_secret=s\n");
    child.stdin.take().unwrap().write_all(secrets.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("verify_token") && !told.contains(TOKEN), "{told}");
    let mut child = add();
    child.stdin.take().unwrap().write_all(format!("{secrets}verify_token=v\n").as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(site.done(&["channel", "list"]).as_array().unwrap().len(), 2);
}
