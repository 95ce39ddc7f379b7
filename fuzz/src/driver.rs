use crate::Target;
use crate::mutate::{Random, input};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A parser that thinks longer about 64 KiB hangs.
pub const HANG: Duration = Duration::from_secs(5);
/// Inputs between two looks at the clock.
const BATCH: u64 = 256;
/// Stack of the thread that runs the target: the default of threads, where deep recursion shows.
const STACK: usize = 2 << 20;

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// That many inputs: the same ones every time.
    Inputs(u64),
    /// That long.
    Time(Duration),
}

/// An input that broke a target, and where it was saved.
#[derive(Debug)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// What happened.
    pub what: String,
    /// The input's file; none when it could not be written.
    pub saved: Option<PathBuf>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.what)?;
        match &self.saved {
            Some(path) => write!(f, "\n  the input is in {}", path.display()),
            None => write!(f, "\n  the input could not be saved"),
        }
    }
}

/// Feeds `target` its found inputs, its seeds, then mutations of both until the budget is spent: how many inputs, or
/// the first finding. Found inputs live in `found/<target>/`.
pub fn run(target: &Target, seed: u64, budget: Budget, found: &Path) -> Result<u64, Finding> {
    let folder = found.join(target.name);
    let mut seeds = read_folder(&folder);
    seeds.extend((target.seeds)());
    // One input at a time goes over; when the thread does not take the next one within HANG, it hangs.
    let (inputs, todo) = sync_channel::<Vec<u8>>(0);
    let (results, done) = sync_channel::<Result<(), String>>(0);
    let run = target.run;
    let runner = thread::Builder::new().name(target.name.to_owned()).stack_size(STACK).spawn(move || {
        for input in todo {
            let result =
                catch_unwind(AssertUnwindSafe(|| run(&input))).map_err(|panic| message(panic.as_ref()));
            if results.send(result).is_err() {
                return;
            }
        }
    });
    let failed =
        |what: String, input: &[u8]| Finding { target: target.name, what, saved: save(&folder, input).ok() };
    runner.map_err(|err| failed(format!("no thread: {err}"), &[]))?;
    let mut random = Random::new(seed);
    let start = Instant::now();
    let mut count = 0;
    loop {
        let next = seeds.get(count as usize).cloned().unwrap_or_else(|| input(&mut random, &seeds));
        let _ = inputs.send(next.clone()); // a thread that is gone shows in the answer
        answer(&done).map_err(|what| failed(what, &next))?;
        count += 1;
        let spent = match budget {
            Budget::Inputs(max) => count >= max.max(seeds.len() as u64),
            Budget::Time(max) => count % BATCH == 0 && start.elapsed() >= max,
        };
        if spent {
            return Ok(count);
        }
    }
}

fn answer(done: &Receiver<Result<(), String>>) -> Result<(), String> {
    match done.recv_timeout(HANG) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(format!("no end after {HANG:?}")),
        Err(RecvTimeoutError::Disconnected) => Err("the thread is gone".to_owned()),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a message"))
}

fn read_folder(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).ok().into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort(); // the same order on every machine
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn save(folder: &Path, input: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let sum = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    let path = folder.join(format!("{sum:016x}.bin"));
    fs::write(&path, input)?;
    Ok(path)
}
