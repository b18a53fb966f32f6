//! How a value becomes bytes and comes back: one trait, and one list of fields per frame.
//!
//! ```text
//!   wire_struct!(Beat { cycle, cooling_proven, leaving })   the order of this list is the order on the wire,
//!                                                            for writing and for reading alike
//! ```
//!
//! All numbers are little-endian. What cannot be a value is refused by the name of its type, never guessed.

use heapless::String;

use super::frame::FrameError;
use crate::units::Quantity;

/// Fills a body front to back. A body is longer than the longest content, which a test proves.
pub(super) struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were written, or would have been with enough room.
    #[cfg(test)]
    pub(super) const fn written(&self) -> usize {
        self.at
    }

    fn put(&mut self, part: &[u8]) {
        let end = self.at + part.len();
        if let Some(room) = self.bytes.get_mut(self.at..end) {
            room.copy_from_slice(part);
        }
        self.at = end;
    }
}

/// Reads a body front to back; beyond its end there are zeros.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let part =
            self.bytes.get(self.at..self.at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N]);
        self.at += N;
        part
    }
}

/// A value that can travel.
pub(super) trait Wire: Sized {
    /// Writes it.
    fn put(&self, out: &mut Writer<'_>);
    /// Reads it.
    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError>;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Wire for $number {
            fn put(&self, out: &mut Writer<'_>) {
                out.put(&self.to_le_bytes());
            }

            fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
                Ok(Self::from_le_bytes(input.take()))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64);

impl Wire for bool {
    fn put(&self, out: &mut Writer<'_>) {
        u8::from(*self).put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Value("yes or no")),
        }
    }
}

/// A quantity that is there is a finite number.
impl<Q: Quantity> Wire for Q {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(&self.get().to_le_bytes());
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        let raw = f32::from_le_bytes(input.take());
        if raw.is_finite() { Ok(Self::from_f32(raw)) } else { Err(FrameError::Value("quantity")) }
    }
}

/// An absent quantity is a NaN on the wire: there is no number it could be mistaken for.
impl<Q: Quantity> Wire for Option<Q> {
    fn put(&self, out: &mut Writer<'_>) {
        out.put(&self.map_or(f32::NAN, Quantity::get).to_le_bytes());
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        let raw = f32::from_le_bytes(input.take());
        Ok(raw.is_finite().then(|| Q::from_f32(raw)))
    }
}

impl<const N: usize> Wire for String<N> {
    fn put(&self, out: &mut Writer<'_>) {
        u8::try_from(self.len()).unwrap_or(0).put(out);
        out.put(self.as_bytes());
        out.at += N - self.len();
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        let length = usize::from(u8::take(input)?);
        let room: [u8; N] = input.take();
        let bytes = room.get(..length).ok_or(FrameError::Value("text"))?;
        let text = core::str::from_utf8(bytes).map_err(|_| FrameError::Value("text"))?;
        Self::try_from(text).map_err(|_| FrameError::Value("text"))
    }
}

impl<const N: usize> Wire for [u32; N] {
    fn put(&self, out: &mut Writer<'_>) {
        self.iter().for_each(|number| number.put(out));
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = u32::take(input)?;
        }
        Ok(numbers)
    }
}

/// A structure that travels field by field.
macro_rules! wire_struct {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::gpu_link::wire::Wire for $name {
            fn put(&self, out: &mut $crate::gpu_link::wire::Writer<'_>) {
                $(self.$field.put(out);)+
            }

            fn take(
                input: &mut $crate::gpu_link::wire::Reader<'_>,
            ) -> Result<Self, $crate::gpu_link::frame::FrameError> {
                Ok(Self { $($field: $crate::gpu_link::wire::Wire::take(input)?),+ })
            }
        }
    };
}

/// A set of words, each with its number on the wire and its text for people. Numbers are never used again.
macro_rules! wire_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $number:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        pub enum $name { $($(#[$item])* $variant),+ }

        impl $name {
            /// One stable word for logs and tags.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl $crate::gpu_link::wire::Wire for $name {
            fn put(&self, out: &mut $crate::gpu_link::wire::Writer<'_>) {
                let number: u8 = match self { $(Self::$variant => $number),+ };
                number.put(out);
            }

            fn take(
                input: &mut $crate::gpu_link::wire::Reader<'_>,
            ) -> Result<Self, $crate::gpu_link::frame::FrameError> {
                match <u8 as $crate::gpu_link::wire::Wire>::take(input)? {
                    $($number => Ok(Self::$variant),)+
                    _ => Err($crate::gpu_link::frame::FrameError::Value(stringify!($name))),
                }
            }
        }
    };
}

pub(super) use {wire_struct, wire_words};
