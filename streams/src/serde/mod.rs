//! Bytes to values and back.
//!
//! A type has its wire format by [`HasSerde`]; a source or sink may choose another one for its topic ([`By`]).
//! Most serdes implement [`Serde`], for sized types; [`Serializer`] and [`Deserializer`] are what the graph calls. Reading
//! lends the value to a closure, so that `str` and `[u8]` are views into the record's own bytes.
//!
//! Null is a matter of the type: only a type that has a place for it (`Option<T>`, [`Keyless`]) reads or writes one.

mod bytes;
mod choice;
mod error;
mod json;
mod keyless;
mod maybe;
mod nullable;
mod numbers;
mod text;

pub use bytes::Bytes;
pub use choice::{By, ByType, ReadKey, ReadValue, TableKey, TableValue, WriteKey, WriteValue};
pub use error::SerdeError;
pub use json::Json;
pub use keyless::{Keyless, NoKey};
pub use maybe::MaybeNull;
pub use nullable::Nullable;
pub use numbers::BigEndian;
pub use text::Utf8;

/// Whether a value was written, or is a null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Its bytes were appended, if it has any.
    Bytes,
    /// It is a null: a record without a key, or a tombstone.
    Null,
}

/// Reads and writes values of `T`: what most serdes implement.
///
/// ```
/// use streams::serde::{Serde, SerdeError};
///
/// /// Celsius, as a decimal text.
/// struct Degrees;
///
/// impl Serde<f32> for Degrees {
///     fn serialize(&self, value: &f32, out: &mut Vec<u8>) -> Result<(), SerdeError> {
///         out.extend_from_slice(value.to_string().as_bytes());
///         Ok(())
///     }
///     fn deserialize(&self, bytes: &[u8]) -> Result<f32, SerdeError> {
///         Ok(std::str::from_utf8(bytes)?.parse()?)
///     }
/// }
///
/// assert_eq!(Degrees.deserialize(b"21.5")?, 21.5);
/// # Ok::<(), SerdeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot read or write `{T}`",
    label = "not a serde for `{T}`",
    note = "`Json` needs `#[derive(Serialize, Deserialize)]` on the type; `Utf8` is for `String` and `str`, `BigEndian` for numbers"
)]
pub trait Serde<T>: Send + Sync {
    /// Appends the bytes of `value`.
    ///
    /// # Errors
    ///
    /// If the format cannot hold the value.
    fn serialize(&self, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError>;

    /// Makes a value of its bytes.
    ///
    /// # Errors
    ///
    /// If they are not a value in this format.
    fn deserialize(&self, bytes: &[u8]) -> Result<T, SerdeError>;

    /// Appends the bytes of `value`, or says that it is a null. Only types that have a null need it.
    ///
    /// # Errors
    ///
    /// If the format cannot hold the value.
    #[inline]
    fn serialize_nullable(&self, value: &T, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        self.serialize(value, out)?;
        Ok(Written::Bytes)
    }

    /// What a null is read as.
    ///
    /// # Errors
    ///
    /// If the type has no place for a null, which is the rule.
    fn deserialize_null(&self) -> Result<T, SerdeError> {
        Err(SerdeError::null::<T>())
    }
}

/// Writes `T`, which may be unsized or absent. Every [`Serde`] is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot write `{T}`",
    label = "not a serde for `{T}`",
    note = "`Json` needs `#[derive(Serialize, Deserialize)]` on the type; `Utf8` is for `String` and `str`, `BigEndian` for numbers"
)]
pub trait Serializer<T: ?Sized>: Send + Sync {
    /// Appends the bytes of `value`, unless it is a null.
    ///
    /// # Errors
    ///
    /// If the format cannot hold the value.
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<Written, SerdeError>;
}

/// Reads `T` and lends it to `then`: a view into the payload where the format allows it. Every [`Serde`] is one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot read `{T}`",
    label = "not a serde for `{T}`",
    note = "`Json` needs `#[derive(Serialize, Deserialize)]` on the type; `Utf8` is for `String` and `str`, `BigEndian` for numbers"
)]
pub trait Deserializer<T: ?Sized>: Send + Sync {
    /// Calls `then` with the value of `bytes`; `None` is a null.
    ///
    /// # Errors
    ///
    /// If the bytes are not a value in this format, or are null where the type has no null.
    fn read<R>(&self, bytes: Option<&[u8]>, then: impl FnOnce(&T) -> R) -> Result<R, SerdeError>;
}

#[diagnostic::do_not_recommend]
impl<T, S: Serde<T>> Serializer<T> for S {
    #[inline]
    fn write(&self, value: &T, out: &mut Vec<u8>) -> Result<Written, SerdeError> {
        self.serialize_nullable(value, out)
    }
}

#[diagnostic::do_not_recommend]
impl<T, S: Serde<T>> Deserializer<T> for S {
    #[inline]
    fn read<R>(&self, bytes: Option<&[u8]>, then: impl FnOnce(&T) -> R) -> Result<R, SerdeError> {
        let value = match bytes {
            Some(bytes) => self.deserialize(bytes)?,
            None => self.deserialize_null()?,
        };
        Ok(then(&value))
    }
}

/// The serde that a type has when nothing else is said. It is for values that are there: where `T` has one, a topic's keys
/// and values may be `T` or `Option<T>`, which admits nulls.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde",
    label = "a serde for `{Self}` is needed here",
    note = "say once how `{Self}` is written: `#[derive(Json)]` on the type, or `impl HasSerde for {Self} {{ type Serde = ..; }}`",
    note = "or choose a serde in this place: `value = Json` in the attribute",
    note = "of std's types, `String`, `Vec<u8>` and numbers of a fixed size have one: for `usize` write `u64`; nothing can be derived on another type that is not your own, such as `HashMap`, `bool` or a tuple: put it into a struct of yours, and derive on that"
)]
pub trait HasSerde {
    /// Reads and writes the type.
    type Serde: Serializer<Self> + Deserializer<Self> + Default + 'static;
}

/// The key of a source or a sink: a type with a serde, an `Option` of one, or [`Keyless`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde, so it cannot be the key of a topic",
    label = "a key serde is needed here",
    note = "`#[derive(Json)]` on `{Self}`, or `key = ..` in the attribute; a type that is not your own, such as `bool` or a tuple, goes into a struct of yours, to derive on that"
)]
pub trait TopicKey {
    /// Reads and writes the key.
    type KeySerde: Serializer<Self> + Deserializer<Self> + Default + 'static;
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde + ?Sized> TopicKey for T {
    type KeySerde = T::Serde;
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde<Serde: Serde<T>>> TopicKey for Option<T> {
    type KeySerde = Nullable<T::Serde>;
}

/// The value of a source or a sink: a type with a serde, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde",
    label = "a serde for `{Self}` is needed here",
    note = "say once how `{Self}` is written: `#[derive(Json)]` on the type, or `impl HasSerde for {Self} {{ type Serde = ..; }}`",
    note = "or choose a serde in this place: `value = Json` in the attribute",
    note = "of std's types, `String`, `Vec<u8>` and numbers of a fixed size have one: for `usize` write `u64`; nothing can be derived on another type that is not your own, such as `HashMap`, `bool` or a tuple: put it into a struct of yours, and derive on that"
)]
pub trait TopicValue {
    /// Reads and writes the value.
    type ValueSerde: Serializer<Self> + Deserializer<Self> + Default + 'static;
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde + ?Sized> TopicValue for T {
    type ValueSerde = T::Serde;
}

#[diagnostic::do_not_recommend]
impl<T: HasSerde<Serde: Serde<T>>> TopicValue for Option<T> {
    type ValueSerde = Nullable<T::Serde>;
}
