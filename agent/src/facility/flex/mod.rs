//! NVIDIA DSX Flex: the grid's wishes about power, as signed words on the exchange's event bus.

pub(crate) mod jws;
pub(crate) mod keys;
#[allow(unused_imports, reason = "the engine follows")]
mod words;

#[cfg(test)]
mod bench;
