//! What the fixed-size texts and lists of a profile look like in its JSON schema.

use alloc::borrow::Cow;
use alloc::format;
use core::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A text of at most `N` bytes.
pub(super) struct Text<const N: usize>;

/// At most `N` texts of at most `LENGTH` bytes, each under a word.
pub(super) struct Texts<const LENGTH: usize, const N: usize>;

/// At most `N` of `T`.
pub(super) struct List<T, const N: usize>(PhantomData<T>);

impl<const N: usize> JsonSchema for Text<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text{N}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": N })
    }
}

impl<const LENGTH: usize, const N: usize> JsonSchema for Texts<LENGTH, N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Texts{LENGTH}x{N}").into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = generator.subschema_for::<Text<LENGTH>>();
        json_schema!({ "type": "object", "additionalProperties": text, "maxProperties": N })
    }
}

impl<T: JsonSchema, const N: usize> JsonSchema for List<T, N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{N}{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": item, "maxItems": N })
    }
}
