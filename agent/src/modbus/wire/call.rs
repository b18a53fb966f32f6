//! One request through tokio-modbus, in our own words.
//!
//! Only `Client::call` is used. The library's reader and writer methods compare length and echo by
//! `debug_assert` alone: a wrong answer would pass a release build and panic a debug build.

use std::io;

use eisbach_protocol::registers::Table;
use tokio_modbus::client::{Client as _, Context};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{Error, ProtocolError, Slave};

use crate::modbus::bus::{CallError, Request, Response, Span};

/// What the device `unit` answers to `request`.
pub(super) async fn call(context: &mut Context, unit: u8, request: Request) -> Result<Response, CallError> {
    context.set_slave(Slave(unit));
    match context.call(to_wire(request)).await {
        Ok(Ok(response)) => Ok(from_wire(response)),
        Ok(Err(exception)) => Err(CallError::Exception(exception.into())),
        Err(Error::Transport(error)) => Err(CallError::Transport(named(error))),
        Err(Error::Protocol(ProtocolError::HeaderMismatch { message, .. })) => {
            Err(CallError::Header(message))
        }
        Err(Error::Protocol(ProtocolError::FunctionCodeMismatch { request, .. })) => {
            Err(CallError::Header(format!("answer to function {request} has another function")))
        }
    }
}

const fn to_wire(request: Request) -> tokio_modbus::Request<'static> {
    match request {
        Request::Read(Span { table: Table::Coil, first, count }) => {
            tokio_modbus::Request::ReadCoils(first, count)
        }
        Request::Read(Span { table: Table::Discrete, first, count }) => {
            tokio_modbus::Request::ReadDiscreteInputs(first, count)
        }
        Request::Read(Span { table: Table::Holding, first, count }) => {
            tokio_modbus::Request::ReadHoldingRegisters(first, count)
        }
        Request::Read(Span { table: Table::Input, first, count }) => {
            tokio_modbus::Request::ReadInputRegisters(first, count)
        }
        Request::Write { address, word } => tokio_modbus::Request::WriteSingleRegister(address, word),
    }
}

fn from_wire(response: tokio_modbus::Response) -> Response {
    match response {
        tokio_modbus::Response::ReadCoils(coils) => Response::Coil(coils),
        tokio_modbus::Response::ReadDiscreteInputs(inputs) => Response::Discrete(inputs),
        tokio_modbus::Response::ReadHoldingRegisters(words) => Response::Holding(words),
        tokio_modbus::Response::ReadInputRegisters(words) => Response::Input(words),
        tokio_modbus::Response::WriteSingleRegister(address, word) => Response::Written { address, word },
        other => Response::Other(other.function_code().value()),
    }
}

/// The library reports the end of a stream as a broken pipe without a number (RTU), or as whatever error the system
/// saw last (TCP). A real error of a socket under tokio is never "none", "try again" or "in progress", so these
/// mean that the device closed the connection.
fn named(error: io::Error) -> io::Error {
    const NONE: i32 = 0;
    const TRY_AGAIN: i32 = 11;
    const IN_PROGRESS: i32 = 115;
    let ended = match error.raw_os_error() {
        Some(number) => matches!(number, NONE | TRY_AGAIN | IN_PROGRESS),
        None => error.kind() == io::ErrorKind::BrokenPipe,
    };
    if ended {
        io::Error::new(io::ErrorKind::UnexpectedEof, "the device closed the connection")
    } else {
        error
    }
}
