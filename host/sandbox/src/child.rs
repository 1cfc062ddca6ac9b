//! Work on bytes that strangers made, in a child process: it has so much processor time and memory and no more, an empty
//! environment, and two pipes; it can open no file and no socket. The attack this stops: input that is small enough for every
//! count made before and still takes minutes and gigabytes, overflows a stack, or finds a mistake of the library that reads it:
//! it harms a process that has nothing and is thrown away.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

/// The child's exit code when it has written a sentence in place of a result.
const SAID_WHY: u8 = 1;

/// Descriptors of a child: its two pipes and nowhere to complain. There is no further one for a file or a socket.
const DESCRIPTORS: u64 = 3;

/// The whole environment of a child: one thread, and memory that is counted when it is used.
const ENVIRONMENT: [(&str, &str); 2] = [("RAYON_NUM_THREADS", "1"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// A program that works on what strangers made, and what one of its runs may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildConfig {
    /// A program that ends in [`serve`], with its arguments; `--seconds N --memory N` are put behind them.
    pub program: Vec<OsString>,
    /// Seconds of processor time.
    pub seconds: u64,
    /// Bytes of memory.
    pub memory: u64,
}

/// How a child ended.
#[derive(Debug)]
pub enum Ended {
    /// With a result.
    Done(Vec<u8>),
    /// With a sentence that says why there is none.
    Said(String),
    /// By one of its bounds, or by a mistake of the program: it wrote nothing that could be used.
    Broken(ExitStatus),
    /// It would have written more than it may.
    TooMuch,
}

impl ChildConfig {
    /// With the usual bounds: honest input takes a few seconds and some ten MiB.
    #[must_use]
    pub fn new(program: Vec<OsString>) -> Self {
        Self { program, seconds: 30, memory: 512 << 20 }
    }

    /// Gives a child its input and takes what it writes, `most` bytes of it. Blocks.
    ///
    /// # Errors
    /// The child cannot be started or waited for.
    pub fn run(&self, input: &[u8], most: u64) -> io::Result<Ended> {
        let (program, arguments) = self.program.split_first().ok_or(io::ErrorKind::NotFound)?;
        let bounds = ["--seconds".to_owned(), self.seconds.to_string(), "--memory".to_owned(), self.memory.to_string()];
        let mut command = Command::new(program);
        command.args(arguments).args(bounds).env_clear().envs(ENVIRONMENT);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // It reads everything before it writes; one that is gone already says why by its end.
            let _ = pipe.write_all(input);
        }
        let mut output = Vec::new();
        let read = child.stdout.take().map_or(Ok(0), |from| from.take(most + 1).read_to_end(&mut output));
        let too_much = output.len() as u64 > most;
        if read.is_err() || too_much {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(match status.code() {
            _ if too_much => Ended::TooMuch,
            Some(0) => Ended::Done(output),
            Some(code) if code == i32::from(SAID_WHY) => Ended::Said(String::from_utf8_lossy(&output).into_owned()),
            _ => Ended::Broken(status),
        })
    }
}

/// The child's side: works on what comes on standard input, and writes the result, or why there is none, to standard output.
/// From its first line on it has `seconds` of processor time and `memory` bytes.
#[must_use]
pub fn serve(seconds: u64, memory: u64, work: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>) -> ExitCode {
    let outcome = confine(seconds, memory).and_then(|()| {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        work(&bytes)
    });
    let (output, code) = match outcome {
        Ok(result) => (result, ExitCode::SUCCESS),
        Err(why) => (why.into_bytes(), ExitCode::from(SAID_WHY)),
    };
    let mut out = io::stdout().lock();
    // Half of a result must not pass for all of it.
    if out.write_all(&output).and_then(|()| out.flush()).is_err() { ExitCode::from(SAID_WHY + 1) } else { code }
}

/// Takes from this process what such work does not need. `Data` counts private memory that can be written, whatever is reserved.
fn confine(seconds: u64, memory: u64) -> Result<(), String> {
    let limits = [
        (Resource::Cpu, seconds),
        (Resource::Data, memory),
        (Resource::Fsize, 0),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|e| format!("the limit on {resource:?} cannot be set: {e}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(script: &str) -> Ended {
        let program = ["/bin/sh", "-c", script].map(OsString::from).to_vec();
        ChildConfig { program, seconds: 1, memory: 1 << 20 }.run(b"input", 100).unwrap()
    }

    #[test]
    fn each_end_is_told_apart() {
        assert!(matches!(child("cat"), Ended::Done(output) if output == b"input"));
        assert!(matches!(child("echo no; exit 1"), Ended::Said(why) if why == "no\n"));
        assert!(matches!(child("echo half; exit 2"), Ended::Broken(status) if status.code() == Some(2)));
        assert!(matches!(child("kill -9 $$"), Ended::Broken(status) if status.code().is_none()));
        assert!(matches!(child("cat /dev/zero"), Ended::TooMuch));
        assert!(matches!(child("exec 0<&-; sleep 0.1; echo early"), Ended::Done(_)));
        assert!(ChildConfig::new(vec!["/nowhere".into()]).run(b"", 1).is_err());
    }

    #[test]
    fn it_is_told_its_bounds_and_has_nothing_of_our_environment() {
        assert!(matches!(child("echo $0 $*"), Ended::Done(told) if told == b"--seconds 1 --memory 1048576\n"));
        assert!(std::env::vars_os().count() > 2);
        let ours = "-e RAYON_NUM_THREADS -e MIMALLOC_ARENA_EAGER_COMMIT";
        let shell = "-e PWD -e OLDPWD -e SHLVL -e _";
        let script = format!("env | cut -d= -f1 | grep -v -c -x {ours} {shell}; env | grep -c {ours}");
        let Ended::Done(told) = child(&script) else { panic!("no answer") };
        assert_eq!(String::from_utf8_lossy(&told), "0\n2\n");
    }
}
