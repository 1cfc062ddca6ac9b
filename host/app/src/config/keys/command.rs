//! The master key from a program, as that of a KMS. It is run without a shell, in a group of processes of its own, so that nothing
//! of it is left when its time is over. What it writes goes into one buffer that is wiped, and into no message.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use pointsman_core::failure::Failure;
use pointsman_vault::Zeroizing;
use rustix::process::{Pid, Signal, kill_process_group};

use super::refused;

/// More is no key.
const MOST: usize = 4 << 10;
/// What is shown of what it says to standard error.
const SHOWN: usize = 300;
/// How often is looked whether it has ended, once it has said everything.
const LOOK: Duration = Duration::from_millis(10);
/// How every master key begins.
const PREFIX: &str = "pmk1_";

/// What the program writes to its standard output.
pub(super) fn output(command: &[String], patience: Duration) -> Result<Zeroizing<String>, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(refused(
            "no_command",
            "[keys] master is \"command\", and [keys] command names none: write the program and its arguments there".to_owned(),
        ));
    };
    let failed = |why: String| {
        let cure = "run it by hand as the user of the host, and see that it writes the key";
        refused("command_failed", format!("[keys] command ({program}) {why}; {cure}"))
    };
    let mut command = Command::new(program);
    command.args(arguments).process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group(command.spawn().map_err(|error| failed(format!("cannot be run: {error}")))?, true);
    let (tell, told) = mpsc::channel();
    let (out, err) = (group.0.stdout.take(), group.0.stderr.take());
    let errors = tell.clone();
    std::thread::spawn(move || errors.send((false, read(err))));
    std::thread::spawn(move || tell.send((true, read(out))));
    let (mut written, mut said) = (None, None);
    let late = || {
        let after = patience.as_millis();
        let cure = "see why it takes so long, or raise [keys] command_timeout";
        refused("command_timeout", format!("[keys] command ({program}) was not done after {after} ms; {cure}"))
    };
    // Each of the three steps gets the whole time: one that is silent for so long is not waited for again.
    for _ in 0..2 {
        match told.recv_timeout(patience) {
            Ok((true, text)) => written = Some(text),
            Ok((false, text)) => said = Some(text),
            Err(_) => return Err(late()),
        }
    }
    let Some(written) = written.flatten() else {
        let what = format!("[keys] command ({program}) wrote more than {MOST} bytes, or no text; let it write the key alone");
        return Err(refused("command_output", what));
    };
    let mut looks = patience.as_millis() / LOOK.as_millis();
    let ended = loop {
        match group.0.try_wait().map_err(|error| failed(format!("cannot be waited for: {error}")))? {
            Some(ended) => break ended,
            None if looks == 0 => return Err(late()),
            None => std::thread::sleep(LOOK),
        }
        looks -= 1;
    };
    group.1 = false;
    if !ended.success() {
        let said = said.flatten().map_or(String::new(), |said| shown(&said));
        return Err(failed(format!("ended with {ended}{said}")));
    }
    Ok(written)
}

/// All of it, when it is text and not too much.
fn read(from: Option<impl Read>) -> Option<Zeroizing<String>> {
    let mut from = from?;
    let mut buffer = Zeroizing::new(vec![0_u8; MOST]);
    let mut length = 0;
    loop {
        match from.read(buffer.get_mut(length..)?) {
            // Full, or the end.
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    if length == MOST {
        return None;
    }
    std::str::from_utf8(buffer.get(..length)?).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// What a person sees of what the program complained about: nothing of it where it may be the key.
fn shown(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        text if text.contains(PREFIX) => ", and what it says holds a key".to_owned(),
        text => {
            let plain: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
            format!(": {plain}")
        }
    }
}

/// The program and what it started, and whether it may still run: then it ends with this.
struct Group(Child, bool);

impl Drop for Group {
    fn drop(&mut self) {
        if !self.1 {
            return;
        }
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
