//! Reads what goes into knowledge bases, in a process that harms nobody (`pointsman_sandbox::child`): a PDF, a page or a table of
//! somebody else's making may end its reader, and gets a code for it. The host, and what a base had before, stay as they are.

use pointsman_core::failure::{Class, Failure};
use pointsman_knowledge::{Reading, Task, told, work};
use pointsman_sandbox::child::{ChildConfig, Ended, serve};

/// Bytes that a reading may have: several times those of the largest source.
const READING: u64 = 128 << 20;

/// What reads. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Reader(ChildConfig);

impl Reader {
    /// With a program that ends in [`serve_reading`].
    #[must_use]
    pub fn new(child: ChildConfig) -> Self {
        Self(child)
    }

    /// Reads. Refusals are those of [`Task::read`] and, where the reader did not come to an end, `knowledge.too_costly`,
    /// `knowledge.damaged` and `knowledge.reader`.
    pub async fn read(&self, task: &Task<'_>, bytes: &[u8]) -> Result<Reading, Failure> {
        let (this, name, task) = (self.clone(), task.name.to_owned(), task.with(bytes));
        let ended = tokio::task::spawn_blocking(move || this.0.run(&task, READING)).await;
        let ended = ended.map_err(|e| cannot(&e.to_string()))?.map_err(|e| cannot(&e.to_string()))?;
        match ended {
            Ended::Done(answer) => told(&answer).unwrap_or_else(|| Err(cannot("its words are none"))),
            Ended::Said(why) => Err(cannot(&why)),
            Ended::Broken(status) if status.code().is_some() => {
                let text = format!("{name} is damaged: its reader broke off ({status}); open it, save it again");
                Err(Failure::new(Class::Permanent, "knowledge.damaged", text))
            }
            Ended::Broken(status) => Err(self.too_costly(&name, &status.to_string())),
            Ended::TooMuch => Err(self.too_costly(&name, "too much text")),
        }
    }

    fn too_costly(&self, name: &str, how: &str) -> Failure {
        let (seconds, memory) = (self.0.seconds, self.0.memory >> 20);
        let text = format!(
            "{name} cannot be read within {seconds} s of processor time and {memory} MiB of memory ({how}); split it, or export it again"
        );
        Failure::new(Class::Permanent, "knowledge.too_costly", text)
    }
}

/// The child's side: reads what comes on standard input.
#[must_use]
pub fn serve_reading(seconds: u64, memory: u64) -> std::process::ExitCode {
    serve(seconds, memory, work)
}

fn cannot(why: &str) -> Failure {
    Failure::new(Class::Transient, "knowledge.reader", format!("the process that reads files cannot run: {why}"))
}
