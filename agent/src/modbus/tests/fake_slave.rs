//! A Modbus TCP slave of a few lines on a real socket, that misbehaves on order.
//!
//! It shares nothing with the code under test: frames are made by hand. Every register holds its own address until
//! it is written, so that a misplaced value is seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A register content that no register has: the mark of an answer that must not be believed.
pub(super) const POISON: u16 = 0xDEAD;

/// One request as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Connections are counted from one.
    pub(super) connection: usize,
    pub(super) unit: u8,
    pub(super) function: u8,
    pub(super) address: u16,
    /// How many, or which word.
    pub(super) argument: u16,
}

/// What to do wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Answer after this time, poisoned.
    Late(Duration),
    /// Nothing, ever.
    Silent,
    /// Answers as if to another transaction, poisoned.
    Transaction,
    /// Answers for another unit, poisoned.
    Unit,
    /// Answers with another function, poisoned.
    Function,
    /// One register too few.
    Short,
    /// The first half of a frame.
    HalfFrame,
    /// Echoes another word than was written.
    Echo,
    /// Echoes rightly and forgets.
    Forget,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// An exception.
    Exception(u8),
}

type Plot = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// The inside of the slave.
pub(super) struct Device {
    pub(super) registers: HashMap<u16, u16>,
    pub(super) log: Vec<Asked>,
    pub(super) connections: usize,
    plot: Plot,
}

impl Device {
    fn register(&self, address: u16) -> u16 {
        self.registers.get(&address).copied().unwrap_or(address)
    }
}

/// A running slave; it stops when dropped.
pub(super) struct FakeSlave {
    pub(super) address: String,
    device: Arc<Mutex<Device>>,
    _tasks: JoinSet<()>,
}

impl FakeSlave {
    /// A slave without faults.
    pub(super) async fn start() -> Self {
        Self::scheming(|_| None).await
    }

    /// A slave whose `plot` decides for each request what goes wrong.
    pub(super) async fn scheming(plot: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", plot).await
    }

    /// A slave at a given address.
    pub(super) async fn at(
        address: &str,
        plot: impl FnMut(&Asked) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let device =
            Device { registers: HashMap::new(), log: Vec::new(), connections: 0, plot: Box::new(plot) };
        let device = Arc::new(Mutex::new(device));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&device)));
        Self { address, device, _tasks: tasks }
    }

    /// The words written to `address`, in order.
    pub(super) fn writes_to(&self, address: u16) -> Vec<u16> {
        let to = |asked: &&Asked| asked.function == 6 && asked.address == address;
        self.device().log.iter().filter(to).map(|asked| asked.argument).collect()
    }

    pub(super) fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap()
    }
}

/// A plot that strikes once, at the `nth` request for which `matches` holds.
pub(super) fn once(
    fault: Fault,
    nth: usize,
    matches: impl Fn(&Asked) -> bool + Send + 'static,
) -> impl FnMut(&Asked) -> Option<Fault> + Send + 'static {
    let mut seen = 0;
    move |asked| {
        seen += usize::from(matches(asked));
        (matches(asked) && seen == nth).then_some(fault)
    }
}

async fn accept(listener: TcpListener, device: Arc<Mutex<Device>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = {
            let mut device = device.lock().unwrap();
            device.connections += 1;
            device.connections
        };
        connections.spawn(serve(stream, number, Arc::clone(&device)));
    }
}

async fn serve(mut stream: TcpStream, connection: usize, device: Arc<Mutex<Device>>) {
    let mut frame = [0; 12];
    while stream.read_exact(&mut frame).await.is_ok() {
        let pair = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let asked =
            Asked { connection, unit: frame[6], function: frame[7], address: pair(8), argument: pair(10) };
        let (fault, honest) = answer(&mut device.lock().unwrap(), asked);
        let reply = match fault {
            Some(Fault::Silent) => continue,
            Some(Fault::Close) => return,
            Some(Fault::Reset) => {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                return;
            }
            Some(Fault::Late(delay)) => {
                sleep(delay).await;
                wrap(pair(0), asked.unit, &poisoned(&honest))
            }
            Some(Fault::Transaction) => wrap(pair(0).wrapping_sub(1), asked.unit, &poisoned(&honest)),
            Some(Fault::Unit) => wrap(pair(0), asked.unit + 1, &poisoned(&honest)),
            Some(Fault::Function) => {
                let mut pdu = poisoned(&honest);
                pdu[0] = if asked.function == 3 { 4 } else { 3 };
                wrap(pair(0), asked.unit, &pdu)
            }
            Some(Fault::Short) => {
                let mut pdu = honest.clone();
                pdu.truncate(pdu.len() - 2);
                pdu[1] -= 2;
                wrap(pair(0), asked.unit, &pdu)
            }
            Some(Fault::HalfFrame) => {
                let whole = wrap(pair(0), asked.unit, &poisoned(&honest));
                whole[..whole.len() - 1].to_vec()
            }
            Some(Fault::Exception(code)) => wrap(pair(0), asked.unit, &[asked.function | 0x80, code]),
            Some(Fault::Echo | Fault::Forget) | None => wrap(pair(0), asked.unit, &honest),
        };
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

/// The fault to commit, and the answer of an honest device (but for a false echo).
fn answer(device: &mut Device, asked: Asked) -> (Option<Fault>, Vec<u8>) {
    device.log.push(asked);
    let fault = (device.plot)(&asked);
    let mut pdu = vec![asked.function];
    match asked.function {
        2 => {
            let inputs = (0..asked.argument).map(|offset| (asked.address + offset) % 2 == 1);
            let mut bytes = vec![0_u8; usize::from(asked.argument.div_ceil(8))];
            for (at, input) in inputs.enumerate() {
                bytes[at / 8] |= u8::from(input) << (at % 8);
            }
            pdu.push(u8::try_from(bytes.len()).unwrap());
            pdu.extend(bytes);
        }
        3 | 4 => {
            pdu.push(u8::try_from(asked.argument * 2).unwrap());
            for address in asked.address..asked.address + asked.argument {
                pdu.extend(device.register(address).to_be_bytes());
            }
        }
        6 => {
            let lost =
                matches!(fault, Some(Fault::Forget | Fault::Echo | Fault::Exception(_) | Fault::Silent));
            if !lost {
                device.registers.insert(asked.address, asked.argument);
            }
            let echoed = if matches!(fault, Some(Fault::Echo)) { POISON } else { asked.argument };
            pdu.extend(asked.address.to_be_bytes());
            pdu.extend(echoed.to_be_bytes());
        }
        other => panic!("the agent never sends function {other}"),
    }
    (fault, pdu)
}

/// The same answer with every data word replaced.
fn poisoned(pdu: &[u8]) -> Vec<u8> {
    let mut pdu = pdu.to_vec();
    for pair in pdu[2..].chunks_exact_mut(2) {
        pair.copy_from_slice(&POISON.to_be_bytes());
    }
    pdu
}

fn wrap(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(transaction.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(u16::try_from(pdu.len() + 1).unwrap().to_be_bytes());
    frame.push(unit);
    frame.extend(pdu);
    frame
}
