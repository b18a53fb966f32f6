//! A wire with several units in virtual time, on which answers take as long as the test says and then arrive, wanted
//! or not.
//!
//! ```text
//!   call ─► plot ─► answer, after its time ─► on the way ─► whoever listens then
//!                                                            Transactions: only on its own connection, by its number
//!                                                            Anonymous:    on any, if unit and function fit
//! ```
//!
//! Every register holds its own address and ten thousand for each unit until it is written, so that a misplaced value
//! is seen, wherever it comes from.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use eisbach_protocol::registers::Table;
use eisbach_protocol::units::Millis;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::modbus::bus::{Bus, CallError, Connector, Medium, Request, Response, Span};

/// One exchange, if the plot does not say otherwise.
pub(super) const EXCHANGE: Duration = Duration::from_millis(20);

/// One request as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) at: Millis,
    /// Connections are counted from one.
    pub(super) connection: usize,
    pub(super) unit: u8,
    pub(super) request: Request,
}

impl Asked {
    /// Whether it reads holding registers from `first` on.
    pub(super) fn reads(&self, first: u16) -> bool {
        matches!(self.request, Request::Read(span) if span.table == Table::Holding && span.first == first)
    }

    pub(super) const fn writes(&self) -> bool {
        matches!(self.request, Request::Write { .. })
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// Answered after this time.
    After(Duration),
    /// Never answered.
    Silence,
    /// Declined.
    Exception(u8),
    /// The connection ends.
    Close,
}

type Plot = Box<dyn FnMut(&Asked) -> Option<Fate> + Send>;

/// The inside of the wire.
pub(super) struct Inside {
    pub(super) registers: HashMap<(u8, u16), u16>,
    pub(super) log: Vec<Asked>,
    pub(super) connections: usize,
    /// Nobody can connect.
    pub(super) unplugged: bool,
    plot: Plot,
    on_the_way: Vec<OnTheWay>,
    transactions: u64,
}

struct OnTheWay {
    arrives: Millis,
    connection: usize,
    transaction: u64,
    unit: u8,
    answer: Result<Response, u8>,
    function: u8,
}

/// The wire, and a way to connect to it.
#[derive(Clone)]
pub(super) struct FakeWire {
    inside: Arc<Mutex<Inside>>,
    medium: Medium,
    clock: Clock,
}

impl FakeWire {
    /// A wire on which everything is answered.
    pub(super) fn sound(medium: Medium, clock: Clock) -> Self {
        Self::scheming(medium, clock, |_| None)
    }

    /// A wire whose `plot` decides what becomes of each request.
    pub(super) fn scheming(
        medium: Medium,
        clock: Clock,
        plot: impl FnMut(&Asked) -> Option<Fate> + Send + 'static,
    ) -> Self {
        let inside = Inside {
            registers: HashMap::new(),
            log: Vec::new(),
            connections: 0,
            unplugged: false,
            plot: Box::new(plot),
            on_the_way: Vec::new(),
            transactions: 0,
        };
        Self { inside: Arc::new(Mutex::new(inside)), medium, clock }
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    /// From now on another plot.
    pub(super) fn scheme(&self, plot: impl FnMut(&Asked) -> Option<Fate> + Send + 'static) {
        self.inside().plot = Box::new(plot);
    }

    /// The requests for which `matches` holds.
    pub(super) fn asked(&self, matches: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.inside().log.iter().copied().filter(matches).collect()
    }
}

impl Connector for FakeWire {
    type Bus = FakeBus;

    async fn connect(&self) -> io::Result<FakeBus> {
        sleep(Duration::from_millis(1)).await;
        let mut inside = self.inside();
        if inside.unplugged {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        inside.connections += 1;
        Ok(FakeBus { wire: self.clone(), connection: inside.connections, drained: 0 })
    }

    fn medium(&self) -> Medium {
        self.medium
    }
}

/// One connection.
pub(super) struct FakeBus {
    wire: FakeWire,
    connection: usize,
    drained: u64,
}

impl Bus for FakeBus {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        let transaction = self.send(unit, request)?;
        loop {
            let Some(arrives) = self.next_arrival() else {
                std::future::pending::<()>().await;
                continue;
            };
            sleep(Duration::from_millis(arrives.since(self.wire.clock.now()).get())).await;
            if let Some(heard) = self.take(arrives) {
                return self.understand(heard, unit, request, transaction);
            }
        }
    }

    fn drained(&self) -> u64 {
        self.drained
    }
}

impl FakeBus {
    /// Throws away what has arrived already, and puts the answer on its way.
    fn send(&mut self, unit: u8, request: Request) -> Result<u64, CallError> {
        let (at, connection) = (self.wire.clock.now(), self.connection);
        let mut inside = self.wire.inside();
        let waiting = inside.on_the_way.len();
        inside.on_the_way.retain(|answer| answer.arrives > at);
        self.drained += u64::try_from(waiting - inside.on_the_way.len()).unwrap();
        let asked = Asked { at, connection, unit, request };
        inside.log.push(asked);
        inside.transactions += 1;
        let transaction = inside.transactions;
        let (delay, code) = match (inside.plot)(&asked) {
            None => (EXCHANGE, None),
            Some(Fate::After(delay)) => (delay, None),
            Some(Fate::Exception(code)) => (EXCHANGE, Some(code)),
            Some(Fate::Silence) => return Ok(transaction),
            Some(Fate::Close) => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        };
        let answer = code.map_or_else(|| Ok(inside.answer(unit, request)), Err);
        let arrives = at + Millis::new(u64::try_from(delay.as_millis()).unwrap());
        let function = function(request);
        inside.on_the_way.push(OnTheWay { arrives, connection, transaction, unit, answer, function });
        Ok(transaction)
    }

    fn hears(&self, answer: &OnTheWay) -> bool {
        self.wire.medium == Medium::Anonymous || answer.connection == self.connection
    }

    fn next_arrival(&self) -> Option<Millis> {
        let inside = self.wire.inside();
        inside.on_the_way.iter().filter(|answer| self.hears(answer)).map(|answer| answer.arrives).min()
    }

    fn take(&self, arrived: Millis) -> Option<OnTheWay> {
        let mut inside = self.wire.inside();
        let place =
            inside.on_the_way.iter().position(|answer| answer.arrives <= arrived && self.hears(answer))?;
        Some(inside.on_the_way.remove(place))
    }

    /// What a codec makes of an answer: it knows the transaction, or only unit and function.
    fn understand(
        &self,
        heard: OnTheWay,
        unit: u8,
        request: Request,
        transaction: u64,
    ) -> Result<Response, CallError> {
        let fits = match self.wire.medium {
            Medium::Transactions => heard.transaction == transaction,
            Medium::Anonymous => (heard.unit, heard.function) == (unit, function(request)),
        };
        if fits {
            heard.answer.map_err(CallError::Exception)
        } else {
            Err(CallError::Header("an answer to something else".to_owned()))
        }
    }
}

impl Inside {
    fn register(&self, unit: u8, address: u16) -> u16 {
        let own = address + 10_000 * u16::from(unit);
        self.registers.get(&(unit, address)).copied().unwrap_or(own)
    }

    fn answer(&mut self, unit: u8, request: Request) -> Response {
        let words = |inside: &Self, Span { first, count, .. }: Span| {
            (0..count).map(|offset| inside.register(unit, first + offset)).collect()
        };
        let bits = |Span { first, count, .. }: Span| {
            let bit = |offset: u16| (first + offset) % 2 == 1;
            (0..count.next_multiple_of(8)).map(bit).collect()
        };
        match request {
            Request::Read(span) => match span.table {
                Table::Holding => Response::Holding(words(self, span)),
                Table::Input => Response::Input(words(self, span)),
                Table::Coil => Response::Coil(bits(span)),
                Table::Discrete => Response::Discrete(bits(span)),
            },
            Request::Write { address, word } => {
                self.registers.insert((unit, address), word);
                Response::Written { address, word }
            }
        }
    }
}

const fn function(request: Request) -> u8 {
    match request {
        Request::Read(Span { table: Table::Coil, .. }) => 1,
        Request::Read(Span { table: Table::Discrete, .. }) => 2,
        Request::Read(Span { table: Table::Holding, .. }) => 3,
        Request::Read(Span { table: Table::Input, .. }) => 4,
        Request::Write { .. } => 6,
    }
}
