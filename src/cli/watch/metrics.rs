//! A run's numbers for Prometheus, as text over HTTP.
//!
//! One thread answers one request after the other, each within two seconds and of few bytes. It shares a small table with the run,
//! which is locked for as long as a number is written or the table copied; so nobody who asks can hold up the training. It
//! reads nothing but the first line of a request and sends nothing but numbers, names of stages and names of trainings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::event::{Event, Listener, Moment};

/// Time for one request and its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a request that are read at most.
const MOST_BYTES: usize = 8192;
/// Trainings in the table at most; those after them are left out.
const MOST_TRAININGS: usize = 1000;

/// One line of the table: a training of a stage.
type Training = (&'static str, String);

/// The numbers.
#[derive(Clone, Debug, Default)]
struct Table {
    command: &'static str,
    /// Seconds since 1970 when the run began.
    begun: f64,
    /// Stages with their unit, what is done and the total; and whether it goes on.
    stages: BTreeMap<&'static str, (&'static str, usize, usize)>,
    /// Numbers of trainings, by their names.
    trainings: BTreeMap<Training, [Option<f64>; 7]>,
    memory: Option<u64>,
    warnings: u64,
    checkpoints: u64,
}

/// What a training's numbers are called, and what they are.
const OF_TRAINING: [(&str, &str); 7] = [
    ("step", "Steps made."),
    ("steps", "Steps of the whole training."),
    ("epoch", "Epoch of the last step, from 1."),
    ("loss", "Mean training loss since the reading before, in nats."),
    ("learning_rate", "Learning rate of the last step."),
    ("images_per_second", "Images learnt from in a second since the reading before."),
    ("waiting_ratio", "Share of the time that was spent waiting for images, 0 to 1."),
];

/// The run's side of the table.
pub(in crate::cli) struct Metrics {
    table: Arc<Mutex<Table>>,
}

fn locked(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

impl Metrics {
    /// Listens at an address until the process ends; the address is told with the port that it has come to.
    pub(in crate::cli) fn serve(
        address: SocketAddr,
        command: &'static str,
    ) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address)?;
        let at = listener.local_addr()?;
        let table = Table { command, begun: seconds(SystemTime::now()), ..Table::default() };
        let table = Arc::new(Mutex::new(table));
        let shared = table.clone();
        std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                match stream {
                    // Whoever asks may go away at any moment.
                    Ok(stream) => drop(answer(stream, &shared)),
                    // Too many open files, say: not worth a busy loop.
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        })?;
        Ok((Self { table }, at))
    }
}

/// Answers one request.
fn answer(mut stream: TcpStream, table: &Mutex<Table>) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MOST_BYTES {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => break,
            read => request.extend_from_slice(&part[..read]),
        }
    }
    let first = request.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = first.split(|&byte| byte == b' ');
    let (status, text) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics" | b"/")) => {
            // Copied, so that a slow reader holds nothing.
            let table = locked(table).clone();
            ("200 OK", table.text())
        }
        (Some(b"GET"), Some(_)) => ("404 Not Found", "the numbers are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        text.len()
    );
    let whole = head + &text;
    let mut rest = whole.as_bytes();
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(rest)? {
            0 => break,
            written => rest = &rest[written..],
        }
    }
    Ok(())
}

impl Table {
    /// The table in Prometheus' text format.
    fn text(&self) -> String {
        let mut out = String::new();
        let version = env!("CARGO_PKG_VERSION");
        let info = format!("version=\"{version}\",command=\"{}\"", self.command);
        block(&mut out, "info", "gauge", "The program and what it does.", [(info, 1.0)]);
        let begun = [(String::new(), self.begun)];
        block(&mut out, "start_time_seconds", "gauge", "When the run began, in seconds since 1970.", begun);
        let memory = self.memory.map(|bytes| (String::new(), bytes as f64));
        block(&mut out, "memory_bytes", "gauge", "Memory that the process holds.", memory);
        let of_stage = |number: fn(&(&str, usize, usize)) -> usize| {
            let line = move |(stage, about): (&&str, &(&str, usize, usize))| {
                (format!("stage=\"{stage}\",unit=\"{}\"", about.0), number(about) as f64)
            };
            self.stages.iter().map(line).collect::<Vec<_>>()
        };
        block(&mut out, "stage_done", "gauge", "What is done of a stage.", of_stage(|about| about.1));
        block(&mut out, "stage_total", "gauge", "What a stage has to do.", of_stage(|about| about.2));
        for (place, (name, help)) in OF_TRAINING.into_iter().enumerate() {
            let lines = self.trainings.iter().filter_map(|((stage, training), numbers)| {
                Some((format!("stage=\"{stage}\",run=\"{}\"", escaped(training)), numbers[place]?))
            });
            block(&mut out, &format!("training_{name}"), "gauge", help, lines);
        }
        let count = |count: u64| [(String::new(), count as f64)];
        block(&mut out, "checkpoints_total", "counter", "Checkpoints written.", count(self.checkpoints));
        block(&mut out, "warnings_total", "counter", "Warnings given.", count(self.warnings));
        out
    }
}

/// The lines of one number; nothing where it has none.
fn block(
    out: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    lines: impl IntoIterator<Item = (String, f64)>,
) {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_none() {
        return;
    }
    let mut write = |text: std::fmt::Arguments<'_>| out.write_fmt(text).unwrap_or_default();
    write(format_args!("# HELP tilepress_{name} {help}\n# TYPE tilepress_{name} {kind}\n"));
    for (labels, value) in lines {
        match labels.is_empty() {
            true => write(format_args!("tilepress_{name} {value}\n")),
            false => write(format_args!("tilepress_{name}{{{labels}}} {value}\n")),
        }
    }
}

/// A label's value between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Listener for Metrics {
    fn name(&self) -> String {
        "--metrics".to_owned()
    }

    fn hear(&mut self, at: Moment, event: &Event<'_>) -> io::Result<()> {
        let mut table = locked(&self.table);
        table.memory = at.memory;
        match *event {
            Event::Began | Event::Said(_) | Event::Ended { .. } => {}
            Event::Warned(_) => table.warnings += 1,
            Event::Saved { .. } => table.checkpoints += 1,
            Event::StageBegan { stage, unit, total } => drop(table.stages.insert(stage, (unit, 0, total))),
            Event::Progress { stage, unit, done, total }
            | Event::StageEnded { stage, unit, done, total, .. } => {
                table.stages.insert(stage, (unit, done, total));
            }
            Event::Read { stage, reading } => {
                let key = (stage, reading.training.to_owned());
                if table.trainings.len() < MOST_TRAININGS || table.trainings.contains_key(&key) {
                    let count = |count: usize| Some(count as f64);
                    let numbers = [
                        count(reading.step),
                        count(reading.steps),
                        count(reading.epoch),
                        reading.loss,
                        Some(reading.learning_rate),
                        reading.images_per_second,
                        reading.waiting,
                    ];
                    table.trainings.insert(key, numbers);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Reading;

    fn served() -> (Metrics, SocketAddr) {
        Metrics::serve("127.0.0.1:0".parse().unwrap(), "compare").unwrap()
    }

    fn asked(at: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const AT: Moment = Moment { time: SystemTime::UNIX_EPOCH, memory: Some(4096) };

    #[test]
    fn the_numbers_of_all_trainings_are_told_in_prometheus_format() {
        let (mut metrics, at) = served();
        let reading = |training, step| Reading {
            training,
            epoch: 2,
            step,
            steps: 600,
            loss: Some(1.5),
            learning_rate: 1e-7,
            images_per_second: None,
            waiting: Some(0.25),
        };
        metrics.hear(AT, &Event::StageBegan { stage: "train", unit: "steps", total: 1200 }).unwrap();
        metrics.hear(AT, &Event::Progress { stage: "train", unit: "steps", done: 48, total: 1200 }).unwrap();
        for (training, step) in [("pca-0", 16), ("odd\"\\\n", 32), ("pca-0", 32)] {
            metrics.hear(AT, &Event::Read { stage: "train", reading: &reading(training, step) }).unwrap();
        }
        metrics.hear(AT, &Event::Saved { stage: "train", training: "pca-0", step: 32 }).unwrap();
        let answer = asked(at, GET);
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("version=0.0.4"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", text.len())), "{head}");
        for line in [
            "tilepress_stage_done{stage=\"train\",unit=\"steps\"} 48",
            "tilepress_training_step{stage=\"train\",run=\"pca-0\"} 32",
            "tilepress_training_step{stage=\"train\",run=\"odd\\\"\\\\\\n\"} 32",
            "tilepress_training_learning_rate{stage=\"train\",run=\"pca-0\"} 0.0000001",
            "tilepress_training_waiting_ratio{stage=\"train\",run=\"pca-0\"} 0.25",
            "tilepress_memory_bytes 4096",
            "# TYPE tilepress_checkpoints_total counter",
            "tilepress_checkpoints_total 1",
        ] {
            assert!(text.lines().any(|of_text| of_text == line), "{line}\n{text}");
        }
        // A number that nobody has is not there.
        assert!(!text.contains("images_per_second"), "{text}");
    }

    #[test]
    fn what_is_asked_wrongly_is_refused_and_the_next_is_answered() {
        let (_metrics, at) = served();
        assert!(asked(at, b"GET /secret HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(asked(at, b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(asked(at, &[b'x'; MOST_BYTES]).starts_with("HTTP/1.1 405"));
        drop(TcpStream::connect(at).unwrap());
        assert!(asked(at, GET).starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn whoever_says_nothing_or_reads_nothing_holds_up_others_for_seconds_and_the_run_not_at_all() {
        let (mut metrics, at) = served();
        let silent = TcpStream::connect(at).unwrap();
        let mut drop_by_drop = TcpStream::connect(at).unwrap();
        drop_by_drop.write_all(b"GET ").unwrap();
        let begun = Instant::now();
        for _ in 0..1000 {
            metrics.hear(AT, &Event::Warned("careful")).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert!(asked(at, GET).contains("tilepress_warnings_total 1000"));
        assert!(begun.elapsed() < 4 * PATIENCE, "{:?}", begun.elapsed());
        drop(silent);
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_at_once() {
        let (_metrics, at) = served();
        assert!(Metrics::serve(at, "score").is_err());
    }
}
