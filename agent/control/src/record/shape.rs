//! A fingerprint of the types in a record: every name, every field, every variant.
//!
//! ```text
//!   Controller, Step ── asked to read themselves ──► "struct Controller: tuning, state, …" ──► FNV-1a, 64 bit
//! ```
//!
//! A record carries no names, so two versions that differ in one field would read each other's bytes as nonsense, or
//! worse, as sense. Nobody has to remember to count a version up: the types are asked what they would read, and the
//! answers are hashed. Of an enum all variants' names count, and in each round the contents of another variant.

use core::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::Step;
use crate::controller::Controller;

/// Rounds: no enum whose variants hold something has more of them.
const ROUNDS: u32 = 16;

/// Fingerprint of what this program writes.
#[must_use]
pub fn shape() -> u64 {
    of::<(Controller, Step)>()
}

fn of<T: DeserializeOwned>() -> u64 {
    (0..ROUNDS).fold(0xCBF2_9CE4_8422_2325, |hash, round| {
        let mut asked = Asked { hash, round };
        // What comes out is of no interest, and that it comes out is a matter of course.
        let whole = T::deserialize(&mut asked).is_ok();
        asked.word(if whole { "whole" } else { "part" });
        asked.hash
    })
}

/// Answers whatever a type asks for, and notes the question.
struct Asked {
    hash: u64,
    round: u32,
}

impl Asked {
    fn word(&mut self, word: &str) {
        for byte in word.bytes().chain([0]) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn words(&mut self, what: &str, name: &str, of: &[&str]) {
        self.word(what);
        self.word(name);
        of.iter().for_each(|word| self.word(word));
    }
}

/// A type that asks for what no type in a record should: its kind is what counts.
#[derive(Debug)]
struct Unasked;

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such type in a record")
    }
}

impl core::error::Error for Unasked {}

impl Error for Unasked {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

macro_rules! plain {
    ($($ask:ident $visit:ident $value:expr, $word:literal;)+) => {$(
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unasked> {
            self.word($word);
            visitor.$visit($value)
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Asked {
    type Error = Unasked;

    plain! {
        deserialize_bool visit_bool false, "bool";
        deserialize_u8 visit_u8 0, "u8";
        deserialize_u16 visit_u16 0, "u16";
        deserialize_u32 visit_u32 0, "u32";
        deserialize_u64 visit_u64 0, "u64";
        deserialize_i8 visit_i8 0, "i8";
        deserialize_i16 visit_i16 0, "i16";
        deserialize_i32 visit_i32 0, "i32";
        deserialize_i64 visit_i64 0, "i64";
        deserialize_f32 visit_f32 0.0, "f32";
        deserialize_f64 visit_f64 0.0, "f64";
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Unasked> {
        Err(Unasked)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unasked> {
        self.word("option");
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unasked> {
        self.word("unit");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.word(name);
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.word(name);
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unasked> {
        self.word("seq");
        visitor.visit_seq(Items { asked: self, left: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unasked> {
        self.word("tuple");
        visitor.visit_seq(Items { asked: self, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.word(name);
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.words("struct", name, fields);
        visitor.visit_seq(Items { asked: self, left: fields.len() })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.words("enum", name, variants);
        let count = u32::try_from(variants.len()).unwrap_or(u32::MAX).max(1);
        let index = self.round % count;
        visitor.visit_enum(Variant { asked: self, index })
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf map identifier ignored_any
    }
}

struct Items<'a> {
    asked: &'a mut Asked,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Unasked;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unasked> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.asked).map(Some)
    }
}

struct Variant<'a> {
    asked: &'a mut Asked,
    index: u32,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Unasked;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unasked> {
        let index: U32Deserializer<Unasked> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Unasked;

    fn unit_variant(self) -> Result<(), Unasked> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unasked> {
        self.asked.word("newtype");
        seed.deserialize(self.asked)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Unasked> {
        self.asked.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unasked> {
        self.asked.deserialize_struct("variant", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    macro_rules! shape_of {
        ($($item:item)+) => {{
            $(#[derive(Deserialize)] #[expect(dead_code, reason = "its shape is what counts")] $item)+
            of::<Top>()
        }};
    }

    #[test]
    fn whatever_changes_in_a_type_is_another_shape() {
        let shapes = [
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Two { c: u8 } } },
            // Another name of a field, of a variant, of a field deep inside; another type; another order; one more.
            shape_of! { struct Top { z: f32, b: Option<Deep> } enum Deep { One, Two { c: u8 } } },
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Three { c: u8 } } },
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Two { z: u8 } } },
            shape_of! { struct Top { a: f64, b: Option<Deep> } enum Deep { One, Two { c: u8 } } },
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Two { c: u16 } } },
            shape_of! { struct Top { b: Option<Deep>, a: f32 } enum Deep { One, Two { c: u8 } } },
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Two { c: u8, d: u8 } } },
        ];
        for (index, shape) in shapes.iter().enumerate() {
            assert_eq!(shapes.iter().position(|other| other == shape), Some(index));
        }
        assert_eq!(
            shapes[0],
            shape_of! { struct Top { a: f32, b: Option<Deep> } enum Deep { One, Two { c: u8 } } }
        );
    }

    #[test]
    fn every_type_of_the_record_answers_to_its_end() {
        let mut asked = Asked { hash: 0, round: 0 };
        Controller::deserialize(&mut asked).unwrap();
        Step::deserialize(&mut asked).unwrap();
    }
}
