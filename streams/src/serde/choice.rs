//! How a topic is read or written: by its types' own serdes, or by one that is named.
//!
//! Two wrappers, since an implementation for every serde and one for "none named" would overlap.

use super::{Deserializer, HasSerde, Serde, Serializer, TopicKey, TopicValue};

/// By the type's own serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByType;

/// By this serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct By<S>(pub S);

macro_rules! choice {
    ($(#[$doc:meta])* $choice:ident, $own:ident :: $serde:ident, $($role:ident)|+) => {
        $(#[$doc])*
        #[diagnostic::on_unimplemented(
            message = "`{Self}` does not say how `{T}` is read or written",
            label = "neither `ByType` nor `By(..)` a serde",
            note = "write `ByType` for the serde of the type itself, or put the serde into `By`: `By(Json)`"
        )]
        pub trait $choice<T: ?Sized> {
            /// What it comes to.
            type Serde: $($role<T> +)+ 'static;

            /// The serde.
            fn serde(self) -> Self::Serde;
        }

        impl<T: $own + ?Sized> $choice<T> for ByType {
            type Serde = T::$serde;

            fn serde(self) -> T::$serde {
                Default::default()
            }
        }

        impl<T: ?Sized, S: $($role<T> +)+ 'static> $choice<T> for By<S> {
            type Serde = S;

            fn serde(self) -> S {
                self.0
            }
        }
    };
}

choice!(
    /// How keys of `T` are read from a topic: [`ByType`], or [`By`] a serde.
    ReadKey, TopicKey::KeySerde, Deserializer
);
choice!(
    /// How values of `T` are read from a topic: [`ByType`], or [`By`] a serde.
    ReadValue, TopicValue::ValueSerde, Deserializer
);
choice!(
    /// How a table's keys of `T` are read and written: [`ByType`], or [`By`] a serde.
    TableKey, HasSerde::Serde, Deserializer | Serializer
);
choice!(
    /// How keys of `T` are written to a topic: [`ByType`], or [`By`] a serde.
    WriteKey, TopicKey::KeySerde, Serializer
);
choice!(
    /// How values of `T` are written to a topic: [`ByType`], or [`By`] a serde.
    WriteValue, TopicValue::ValueSerde, Serializer
);

/// How a table's values of `T` are read and written: [`ByType`], or [`By`] a serde.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how `{T}` is read or written",
    label = "neither `ByType` nor `By(..)` a serde",
    note = "write `ByType` for the serde of the type itself, or put the serde into `By`: `By(Json)`"
)]
pub trait TableValue<T> {
    /// What it comes to.
    type Serde: Serde<T> + 'static;

    /// The serde.
    fn serde(self) -> Self::Serde;
}

impl<T: HasSerde<Serde: Serde<T>>> TableValue<T> for ByType {
    type Serde = T::Serde;

    fn serde(self) -> T::Serde {
        Default::default()
    }
}

impl<T, S: Serde<T> + 'static> TableValue<T> for By<S> {
    type Serde = S;

    fn serde(self) -> S {
        self.0
    }
}
