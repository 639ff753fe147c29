//! How a topic is read or written: by its types' own serdes, or by one that is named.
//!
//! Two wrappers, since an implementation for every serde and one for "none named" would overlap.

use super::{Deserializer, HasSerde, Serializer, TopicKey};

/// By the type's own serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByType;

/// By this serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct By<S>(pub S);

macro_rules! choice {
    ($(#[$doc:meta])* $choice:ident, $own:ident :: $serde:ident, $($role:ident)|+) => {
        $(#[$doc])*
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
    ReadValue, HasSerde::Serde, Deserializer
);
choice!(
    /// How keys of `T` are written to a topic: [`ByType`], or [`By`] a serde.
    WriteKey, TopicKey::KeySerde, Serializer
);
choice!(
    /// How values of `T` are written to a topic: [`ByType`], or [`By`] a serde.
    WriteValue, HasSerde::Serde, Serializer
);
