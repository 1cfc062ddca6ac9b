//! `cargo xtask <verb>`: everything that is done with this checkout besides running the product. Each verb does its own set-up.

mod bench;
mod checks;
mod closing;
mod demo;
mod eval;
mod house;
mod pages;
mod peers;
mod plugins;
mod postgres;
mod safety;
mod tests;

use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask <verb>

  demo [args]      build everything and play the main job in a browser; args go to `pointsman demo`
  test [filter]    build everything and run all tests, or those whose name contains the filter; those of the store on Postgres too, on a
                   private server (Debian's package is installed where it is missing), and with
                   POINTSMAN_TEST_STORE=postgres all the others a second time there
  pages            the pages in a real browser (needs chromium); pictures go into target/pages
  ci               what must pass before a change goes in: format, lints, tests
  plugins [dir..]  build the bundled plugins (or these crates) into target/plugins
  guests [dir..]   build the guests of the tests (or these crates) into target/guests
  toolchain        print the variables with which a plain cargo builds plugins, for `eval \"$(cargo xtask toolchain)\"`
  bench [name]     what the box (`sandbox`) and a whole message (`message`) cost here, and what can be counted of it
                   (`counts`: commits, statements, rows, allocations, bytes), and the memory of a host with 0, 10,000 and 100,000
                   conversations waiting (`waiting`); other args go to criterion.
                   `stored [--full] [--store ..] [--scale N]`: the cost of a message when up to 10 million are stored
  peers [args]     the side-by-side benchmark with Pointsman in it (`--checks`: its behaviour checks)
  safety [name..]  heavy proofs against the real binary: T1, T2, T4 to T8, T11, T12, T24, N15 (attackers), T13, T14, N6, N7,
                   F9, F10, F11, F12, or all; --release, --scale N (1: full size), --store sqlite|postgres|postgres://user@host/db, --hosts N, --seed N
  eval [name..]    how well the AI steps do on labelled texts, beside baselines and published figures, into tests/evals/RESULTS.md
                   (--data DIR: where the texts lie; --binary FILE: another build; --dry: only print). Python 3 makes itself a
                   private folder for the baselines
  fuzz [args]      T2 of the proofs: whatever reads what others wrote gets it nearly right, a million times each
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    match run(&verb, &rest) {
        Ok(code) => code,
        Err(error) => {
            house::tell(&format!("xtask {verb}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: &str, args: &[String]) -> Result<ExitCode> {
    match verb {
        "demo" => demo::run(args),
        "test" => tests::run(args),
        "pages" => pages::run(),
        "ci" => checks::run(),
        "plugins" => plugins::run(args),
        "guests" => plugins::run_guests(args),
        "toolchain" => plugins::print_toolchain(),
        "bench" => bench::run(args),
        "peers" => peers::run(args),
        "safety" => safety::run(args),
        "eval" => eval::run(args),
        "fuzz" => safety::run(&std::iter::once("T2".to_owned()).chain(args.iter().cloned()).collect::<Vec<_>>()),
        "" | "help" | "--help" | "-h" => {
            house::tell(HELP);
            Ok(ExitCode::from(if verb.is_empty() { 2 } else { 0 }))
        }
        other => {
            house::tell(&format!("there is no verb `{other}`\n\n{HELP}"));
            Ok(ExitCode::from(2))
        }
    }
}
