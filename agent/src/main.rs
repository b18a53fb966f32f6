//! `eisbach-agent`: one binary, two processes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use eisbach_agent::verbs::Verb;
use eisbach_agent::{
    alarms, config, gpu, logging, probe, profiles, recorder, run, safe_state, status, verbs,
};
use eisbach_protocol::alarm::{ALARMS, Alarm};

/// Node agent for liquid-cooled GPU servers: cools, throttles, recovers heat, reports.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration lies unless told otherwise.
const CONFIG: &str = "/etc/eisbach/agent.toml";
/// Every alarm that is shown.
const ALL: &str = "all";

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// It begins.
    On,
    /// It ends.
    Off,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The agent: control, Modbus, MQTT. Unprivileged.
    Run {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
    },
    /// The GPU process: owns NVML, has no network.
    Gpu {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
    },
    /// Checks a configuration file: one line, exit code 0 or 1.
    Check {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
    },
    /// Shows what a running agent knows, decides and does.
    Status {
        /// Configuration file, for the socket's place.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// The socket itself, instead.
        #[arg(long)]
        socket: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Confirms that a leak has been found and mended; the agent then starts the loop again.
    Reset {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
    },
    /// Alarms: lists them, or says that one was seen, is to be put aside, or is mended.
    Alarms {
        /// Configuration file, for the sockets' places.
        #[arg(long, default_value = CONFIG, global = true)]
        config: PathBuf,
        /// The socket itself, instead: the status socket to list, the control socket for all else.
        #[arg(long, global = true)]
        socket: Option<PathBuf>,
        /// As JSON.
        #[arg(long, global = true)]
        json: bool,
        #[command(subcommand)]
        what: Option<AlarmVerb>,
    },
    /// Lets go of the NVIDIA driver, for a GPU reset or a driver update. Refused while a GPU is warm. Until the driver is
    /// taken again the loop is cooled with all there is.
    Detach {
        /// Configuration file, for the socket's place.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// The socket itself, instead.
        #[arg(long)]
        socket: Option<PathBuf>,
        /// Time after which the driver is taken again by itself: 90s, 30m, 2h.
        #[arg(long = "for", value_name = "TIME", default_value = "30m", value_parser = verbs::duration)]
        time: Duration,
    },
    /// Takes the NVIDIA driver again.
    Attach {
        /// Configuration file, for the socket's place.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// The socket itself, instead.
        #[arg(long)]
        socket: Option<PathBuf>,
    },
    /// Says that somebody works on the node: while on, no remote command that needs a right is obeyed, and what is held
    /// by hand from afar is automatic again. What asks for more cooling or less heat is obeyed all the same.
    Maintenance {
        /// Whether somebody does.
        switch: Switch,
        /// Configuration file, for the socket's place.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// The socket itself, instead.
        #[arg(long)]
        socket: Option<PathBuf>,
    },
    /// Drives every actuator to its safe value once and exits. For service stop.
    Failsafe {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// Why, for the log.
        #[arg(long, default_value = "by hand")]
        reason: String,
        /// After a failure that the service manager answers with a restart: leaves the devices alone if it is the first
        /// within a minute, so that the restart takes over without a bump.
        #[arg(long)]
        forgive_one: bool,
        /// Hands devices back to their own regulation instead, where they have one: for maintenance and removal.
        #[arg(long, conflicts_with = "forgive_one")]
        release: bool,
    },
    /// Looks at every device once: who it is, what it says, what it does when nobody speaks to it. Writes nothing.
    Probe {
        /// Configuration file.
        #[arg(long, default_value = CONFIG)]
        config: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The GPUs and their driver instead: every reading, how long it takes and how fresh it is. Changes nothing.
        #[arg(long)]
        gpus: bool,
        /// NVML library; the driver's own without it.
        #[arg(long, requires = "gpus")]
        library: Option<PathBuf>,
        /// Times that each reading is taken.
        #[arg(long, requires = "gpus", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        rounds: u32,
        /// Watches for so many seconds how often temperature, power and energy change.
        #[arg(long, requires = "gpus", value_parser = clap::value_parser!(u64).range(1..=60))]
        seconds: Option<u64>,
    },
    /// The flight record: what was known and decided, ten times a second, over the last hour. Reads only.
    Record(recorder::RecordArguments),
    /// Device profiles: what the registers of pumps, valves, meters and sensors mean.
    #[command(subcommand)]
    Profile(Profile),
}

#[derive(Debug, Subcommand)]
enum AlarmVerb {
    /// Says that an alarm was seen. It stays as long as its cause does.
    Ack {
        /// Its name, or "all" for every alarm that is shown.
        #[arg(value_parser = alarm_name, value_name = "NAME|all")]
        name: String,
    },
    /// Puts an alarm aside for a while; it comes back by itself. Not for critical ones.
    Shelve {
        /// Its name.
        #[arg(value_parser = alarm_name)]
        name: String,
        /// For so long: 8 hours at most.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=480))]
        minutes: u32,
    },
    /// Shows an alarm again that was put aside.
    Unshelve {
        /// Its name.
        #[arg(value_parser = alarm_name)]
        name: String,
    },
    /// Says that what a latched alarm is about is mended. The leak alarm ends only while its rope is dry.
    Reset {
        /// Its name.
        #[arg(value_parser = alarm_name)]
        name: String,
    },
}

impl AlarmVerb {
    fn into_verb(self) -> Verb {
        match self {
            Self::Ack { name } => Verb::AcknowledgeAlarm { alarm: (name != ALL).then_some(name) },
            Self::Shelve { name: alarm, minutes } => Verb::ShelveAlarm { alarm, minutes },
            Self::Unshelve { name: alarm } => Verb::UnshelveAlarm { alarm },
            Self::Reset { name: alarm } => Verb::ResetAlarm { alarm },
        }
    }
}

/// A name of the table, or all of them.
fn alarm_name(name: &str) -> Result<String, String> {
    if name == ALL || Alarm::named(name).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = ALARMS.iter().map(|def| def.name).collect();
    Err(format!("no alarm is called so; there are {}", names.join(", ")))
}

#[derive(Debug, Subcommand)]
enum Profile {
    /// Checks a profile: one line, exit code 0 or 1.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Lists the profiles there are.
    List {
        /// A directory of profiles that go before the shipped ones (`paths.profiles` of the configuration).
        #[arg(long)]
        directory: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Shows one profile: what is read and written, how well each line is known, and who says so.
    Show {
        /// Its name.
        name: String,
        /// A directory of profiles that go before the shipped ones.
        #[arg(long)]
        directory: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config } => {
            logging::start();
            run::agent(&config)
        }
        Command::Gpu { config } => {
            logging::start();
            run::gpu_process(&config)
        }
        Command::Failsafe { config, release: true, .. } => {
            logging::start();
            safe_state::release(&config)
        }
        Command::Failsafe { config, reason, forgive_one, release: false } => {
            logging::start();
            safe_state::failsafe(&config, &reason, forgive_one)
        }
        Command::Probe { json, gpus: true, library, rounds, seconds, .. } => {
            let watch = seconds.map(Duration::from_secs);
            gpu::probe::command(gpu::probe::Options { library, rounds, watch, json })
        }
        Command::Probe { config, json, gpus: false, .. } => probe::command(&config, json),
        Command::Profile(command) => profile(&command),
        Command::Reset { config } => {
            logging::start();
            run::reset(&config)
        }
        Command::Detach { config, socket, time } => {
            let for_s = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
            ask(&config, socket, &Verb::Detach { for_s }, false)
        }
        Command::Attach { config, socket } => ask(&config, socket, &Verb::Attach, false),
        Command::Alarms { config, socket, json, what: None } => show_alarms(&config, socket, json),
        Command::Alarms { config, socket, json, what: Some(what) } => {
            ask(&config, socket, &what.into_verb(), json)
        }
        Command::Maintenance { switch, config, socket } => {
            ask(&config, socket, &Verb::Maintenance { on: switch == Switch::On }, false)
        }
        Command::Record(arguments) => recorder::command(arguments),
        Command::Check { config } => check(&config),
        Command::Status { config, socket, json } => show_status(&config, socket, json),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's output is for its caller")]
fn check(path: &std::path::Path) -> ExitCode {
    match config::load(path) {
        Ok(config) => {
            println!(
                "{}: good; node {}, {} GPUs, {} devices",
                path.display(),
                config.node,
                config.gpus,
                config.devices.len()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this command's output is for its caller")]
fn profile(command: &Profile) -> ExitCode {
    let out = &mut std::io::stdout().lock();
    let done = match command {
        Profile::Check { file } => profiles::check(file, out),
        Profile::List { directory, json } => profiles::list(directory.as_deref(), *json, out),
        Profile::Show { name, directory, json } => profiles::show(name, directory.as_deref(), *json, out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's output is for its caller")]
fn ask(path: &std::path::Path, socket: Option<PathBuf>, verb: &Verb, json: bool) -> ExitCode {
    let socket = match socket.map_or_else(|| config::load(path).map(|config| config.control_socket), Ok) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match verbs::ask(&socket, verb) {
        Ok(answer) if json => {
            println!("{}", serde_json::to_string(&answer).unwrap_or_default());
            if answer.done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok(answer) if answer.done => {
            println!("{}", answer.text);
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            eprintln!("{}", answer.text);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn show_status(path: &std::path::Path, socket: Option<PathBuf>, json: bool) -> ExitCode {
    show(path, socket, |document| if json { format!("{document}\n") } else { status::render(document) })
}

fn show_alarms(path: &std::path::Path, socket: Option<PathBuf>, json: bool) -> ExitCode {
    show(
        path,
        socket,
        |document| {
            if json { format!("{}\n", document["alarms"]) } else { alarms::table(document) }
        },
    )
}

/// Shows some of the status document.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's output is for its caller")]
fn show(
    path: &std::path::Path,
    socket: Option<PathBuf>,
    text: impl Fn(&serde_json::Value) -> String,
) -> ExitCode {
    // A typo in the file must not hide a running agent: then it is where it usually is.
    let socket = socket.unwrap_or_else(|| match config::load(path) {
        Ok(config) => config.status_socket,
        Err(error) => {
            eprintln!("{error}");
            PathBuf::from(config::STATUS_SOCKET)
        }
    });
    match status::fetch(&socket) {
        Ok(document) => {
            print!("{}", text(&document));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
