//! `eisbach-sim`: a world for the eisbach agent.

use std::error::Error;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eisbach_sim::certificates::{self, CertificateArguments};
use eisbach_sim::contest::{self, ControlArguments};
use eisbach_sim::demo::{self, DemoArguments, LeashArguments};
use eisbach_sim::proxy::{self, ProxyArguments};
use eisbach_sim::replay::{self, ReplayArguments};
use eisbach_sim::scenario::{self, MonteCarloArguments, RunArguments, SuiteArguments};
use eisbach_sim::serve::{self, ServeArguments};
use eisbach_sim::speed::{self, SpeedArguments};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

/// A simulated datacentre for the eisbach agent: plant, Modbus devices, NVML, broker.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything, the real agent too, and shows it.
    Demo(DemoArguments),
    /// Runs plant, devices and NVML alone and prints what to connect to.
    Serve(ServeArguments),
    /// Stands between a Modbus master and a device and does to the wire what it is told.
    Proxy(ProxyArguments),
    /// Writes certificates for trying Modbus/TCP Security: an authority, a server, a client of each role.
    Certificates(CertificateArguments),
    /// Measures.
    #[command(subcommand)]
    Bench(Bench),
    /// Runs one scenario in virtual time and judges it.
    Run(RunArguments),
    /// Runs the scenarios that belong to the product.
    Suite(SuiteArguments),
    /// Runs many nodes that are not as drawn through short scenarios.
    #[command(name = "montecarlo")]
    MonteCarlo(MonteCarloArguments),
    /// Decides a flight record again: the same, bit for bit? And otherwise with another number?
    Replay(ReplayArguments),
    /// Runs a command that ends with its parent.
    #[command(hide = true)]
    Leash(LeashArguments),
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Speed of one node and of a whole factory, each with its controllers.
    Speed(SpeedArguments),
    /// Contest of controllers: the same plant, workloads and seeds for all.
    Control(ControlArguments),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Demo(arguments) => {
            // The dashboard has the screen for itself.
            if !(arguments.wants_dashboard() && io::stderr().is_terminal()) {
                log();
            }
            complete(demo::run(arguments))
        }
        Command::Serve(arguments) => {
            log();
            complete(serve::run(arguments))
        }
        Command::Proxy(arguments) => {
            log();
            complete(proxy::run(arguments))
        }
        Command::Certificates(arguments) => done(&certificates::run(&arguments)),
        Command::Bench(Bench::Speed(arguments)) => done(&speed::run(&arguments)),
        Command::Run(arguments) => scenario::run_command(&arguments).unwrap_or_else(|error| fail(&error)),
        Command::Suite(arguments) => scenario::suite_command(&arguments).unwrap_or_else(|error| fail(&error)),
        Command::MonteCarlo(arguments) => {
            scenario::monte_carlo_command(&arguments).unwrap_or_else(|error| fail(&error))
        }
        Command::Replay(arguments) => match replay::run(&arguments, &mut io::stdout().lock()) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => fail(&error),
        },
        Command::Bench(Bench::Control(arguments)) => done(&contest::run(&arguments)),
        Command::Leash(arguments) => fail(&demo::become_command(arguments)),
    }
}

/// `RUST_LOG` widens or narrows what is logged to standard error.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false).init();
}

/// Children are started by the thread that polls this future: the main one, as the leash needs it.
fn complete<E: Error>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work).map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS),
        Err(error) => fail(&error),
    }
}

fn done<E: Error>(result: &Result<(), E>) -> ExitCode {
    result.as_ref().map_or_else(|error| fail(error), |()| ExitCode::SUCCESS)
}

fn fail(error: &dyn Error) -> ExitCode {
    // Where nobody reads there is nobody to tell.
    let _unread = writeln!(io::stderr(), "eisbach-sim: {error}");
    ExitCode::FAILURE
}
